//! UDP sockets for media: whole runs of datagrams in, batches of datagrams out.
//!
//! [`MediaSender`] sends runs of equal-sized datagrams to one address or group with as few system
//! calls as the kernel allows (UDP segmentation offload, else `sendmmsg`, else `send`), never lets IP
//! fragment one, and comes back by itself when the network does. [`MediaReceiver`] listens at an
//! address or joins a group and takes datagrams in batches; it can also send a few from the same socket.
//!
//! | file | what lives there |
//! |---|---|
//! | `options` | plain values in: [`SendOptions`], [`ReceiveOptions`] |
//! | `interface`, `links` | naming a network interface; which ones there are |
//! | `sender`, `connect`, `batch` | the sender: its life, its socket, and how a run becomes system calls |
//! | `receiver`, `place` | the receiver, and where it listens |
//! | `many` | one socket for many viewers |
//! | `group` | joining and leaving a group |
//! | `received` | what receivers tell |
//! | [`discovery`] | finding cameras on the local network |
//! | `target` | where a receiver sends to, as its socket wants it |
//! | `buffers` | the kernel's buffers: asked for, granted |
//! | `sys` | the system calls themselves: `unsafe` is here |
//! | `portable` | the receiver where there is no Linux |
//!
//! Plain values only: no configuration type, no clock. Nothing here allocates once a socket is open,
//! but for the rare reopening after the network was lost.

pub mod discovery;
mod error;
mod group;
mod interface;
mod options;
mod received;
mod target;

#[cfg(target_os = "linux")]
mod batch;
#[cfg(target_os = "linux")]
mod buffers;
#[cfg(target_os = "linux")]
mod connect;
#[cfg(target_os = "linux")]
mod links;
#[cfg(target_os = "linux")]
mod many;
#[cfg(target_os = "linux")]
mod place;
#[cfg(target_os = "linux")]
mod receiver;
#[cfg(target_os = "linux")]
mod sender;
#[cfg(target_os = "linux")]
mod sys;

#[cfg(any(test, not(target_os = "linux")))]
mod portable;

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

pub use error::NetError;
pub use interface::{Interface, NotAnInterface};
pub use options::{Batching, DEFAULT_DSCP, ReceiveOptions, SendOptions};
pub use received::{Other, Ready, ReceiveCounters};

#[cfg(target_os = "linux")]
pub use batch::{Outcome, SendCounters, Sent};
#[cfg(target_os = "linux")]
pub use many::{ManyOptions, ManySocket};
#[cfg(target_os = "linux")]
pub use receiver::MediaReceiver;
#[cfg(target_os = "linux")]
pub use sender::{MediaSender, Tended};

#[cfg(not(target_os = "linux"))]
pub use portable::MediaReceiver;
