//! The receiver: what becomes of the frames that arrive.
//!
//! | module | what it does |
//! |---|---|
//! | [`frame`] | one whole JPEG image, shared between outlets; its buffer is used again |
//! | [`crate::outlet`] | how a frame gets from the network thread to an outlet: never by waiting |
//! | [`recorder`] | frames into a Matroska or raw MJPEG file |
//! | [`output`] | frames to standard output |
//! | [`snapshot`] | one frame into one file |
//! | [`window`] | the newest frame on the screen |
//! | [`figures`] | counts and rates; [`report`] puts them into words |
//! | [`args`], [`config`] | the command line; settings, checked |
//! | [`cameras`] | the cameras that are known |
//! | [`network`], [`watch`] | the loop from the socket to the outlets, beside the window |
//! | [`paired`] | a paired camera: finding it, being connected, asking it |
//! | [`listening`], [`outlets`], [`decode`], [`memory`], [`condition`] | what that loop is made of |
//!
//! An outlet takes plain values: frames, counts, words. It knows neither the protocol nor the
//! command line. Each slow device (disk, pipe, decoder) has a thread of its own behind a bounded
//! queue. When a device is too slow, whole frames are left out and counted; the network thread
//! goes on receiving.

pub mod args;
pub mod cameras;
pub mod condition;
pub mod config;
pub mod decode;
pub mod figures;
pub mod frame;
pub mod listening;
mod matroska;
pub mod memory;
pub mod network;
pub mod outlets;
pub mod output;
pub mod pair;
pub mod paired;
mod parts;
pub mod recorder;
pub mod report;
pub mod snapshot;
pub mod watch;
pub mod window;
