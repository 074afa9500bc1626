//! Sealed camera frames over UDP: the protocol and the parts of both programs.
//!
//! # The map
//!
//! Imports point down only; `tests/layers.rs` holds the floors.
//!
//! | floor | module | what lives there |
//! |---|---|---|
//! | 0 | [`time`] | microseconds on the monotonic clock |
//! | 0 | [`picture`] | what a source hands over: JPEG bytes or raw samples, lent |
//! | 0 | [`area`] | a part of the picture that is set upright |
//! | 0 | [`wire`] | datagrams: bytes to meaning and back, no state |
//! | 0 | [`jpeg`] | markers and segments of a JPEG image: no codec |
//! | 1 | [`proto`] parts | slab, sealing, replay window, fragments, reassembly, pacing, identities, flood gate |
//! | 2, 3 | [`proto`] | handshake, signed manifests, pairing; sessions, and media under keys that change |
//! | 4 | [`proto`] ends | the sender and the receiver of a stream; a camera's group of viewers and a viewer's connection |
//! | 5 | `clock`, `codec`, `net`, `keys` | what asks the system: time, libjpeg, sockets, files |
//! | 5 | `outlet` | bounded queues before threads with slow devices |
//! | 5 | `qr`, `commands` | QR codes in a terminal; what the commands of both programs share |
//! | 5 | `logging`, `live`, `signals`, `exit` | a program's life: its log, its line of figures, its signals, its end |
//! | 5 | `camera` sources, `viewer` outlets | devices; they take plain values, never a configuration |
//! | 6 | `camera`, `viewer` run loops | where devices and protocol meet; configuration |
//! | 7 | `bin/` | parse, call, exit code |
//!
//! Floors 0 to 4 need no feature: no socket, no clock, no randomness of the system, and no allocation
//! once running. Time and random bytes are arguments, results go into buffers of the caller, so a
//! whole camera and its viewers run in one test over a simulated link in virtual time.

pub mod area;
pub mod jpeg;
pub mod picture;
pub mod proto;
pub mod time;
pub mod wire;

#[cfg(feature = "edge")]
pub mod clock;
#[cfg(feature = "edge")]
pub mod codec;
#[cfg(feature = "edge")]
pub mod commands;
#[cfg(feature = "edge")]
pub mod exit;
#[cfg(feature = "edge")]
pub mod keys;
#[cfg(feature = "edge")]
pub mod live;
#[cfg(feature = "edge")]
pub mod logging;
#[cfg(feature = "edge")]
pub mod net;
#[cfg(feature = "edge")]
pub mod outlet;
#[cfg(feature = "edge")]
pub mod qr;
#[cfg(all(feature = "edge", target_os = "linux"))]
pub mod signals;

#[cfg(feature = "camera")]
pub mod camera;
#[cfg(feature = "viewer")]
pub mod viewer;
