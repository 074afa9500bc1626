//! What a media socket is opened with.

use super::Interface;
use std::net::SocketAddr;

/// AF41, "interactive video" ([RFC 4594] section 4.3).
///
/// Routers that heed it put the stream before bulk traffic, and Wi-Fi sends it in the video access
/// category ([RFC 8325] section 4.2.4), which wins the air sooner than best effort. Many routers reset it,
/// which does no harm.
///
/// [RFC 4594]: https://www.rfc-editor.org/rfc/rfc4594
/// [RFC 8325]: https://www.rfc-editor.org/rfc/rfc8325
pub const DEFAULT_DSCP: u8 = 34;

/// Where and how to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendOptions {
    /// The destination: a host or a multicast group.
    pub to: SocketAddr,
    /// The interface to send from. For a group, where the datagrams go; for a host, whose address
    /// they come from (the route still follows the destination). `None`: as the routing table says.
    pub interface: Option<Interface>,
    /// Whether receivers on this machine hear what is sent to a group.
    pub loopback: bool,
    /// How many routers a datagram passes, 1..=255. `None`: 1 for a group (it stays in the local
    /// network), the system's default for a host.
    pub ttl: Option<u8>,
    /// Differentiated services code point, 0..=63.
    pub dscp: u8,
    /// Bytes of datagrams that may wait in the kernel.
    pub buffer: usize,
    /// The best way of sending that is tried.
    pub batching: Batching,
}

impl SendOptions {
    /// To `to`, everything else at its default.
    #[must_use]
    pub const fn new(to: SocketAddr) -> Self {
        Self {
            to,
            interface: None,
            loopback: false,
            ttl: None,
            dscp: DEFAULT_DSCP,
            // What every Linux grants without a sysctl. More would only be latency: a full buffer is waited for.
            buffer: 212_992,
            batching: Batching::Segmentation,
        }
    }
}

/// How many datagrams go to the kernel in one system call, and how. Each falls back to the next one
/// at run time where the kernel or the driver cannot do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Batching {
    /// One `send` for each datagram.
    Single,
    /// `sendmmsg`: many datagrams in a call, each going through the network stack by itself.
    Messages,
    /// `sendmsg` with `UDP_SEGMENT`: up to 64 datagrams go through the stack as one, and are cut by the
    /// network card, or late in the kernel.
    #[default]
    Segmentation,
}

/// Where and how to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiveOptions {
    /// The address to listen at, or the group to join.
    pub at: SocketAddr,
    /// The interface to join the group on, or to listen on if the address is a wildcard.
    pub interface: Option<Interface>,
    /// Bytes of datagrams that may wait in the kernel: at least a frame's burst.
    pub buffer: usize,
}

impl ReceiveOptions {
    /// At `at`, everything else at its default.
    #[must_use]
    pub const fn new(at: SocketAddr) -> Self {
        // Linux's own default holds 92 datagrams of 1,400 bytes, less than one frame.
        Self { at, interface: None, buffer: 4 << 20 }
    }
}
