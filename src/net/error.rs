//! What can be wrong when a media socket is opened or asked for more than its path carries.

use super::Interface;
use core::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// Why a media socket could not be opened, or a datagram size cannot be used.
///
/// Sending and receiving themselves never end in an error: see [`Outcome`](super::Outcome).
#[derive(Debug)]
#[non_exhaustive]
pub enum NetError {
    /// No interface of this machine has this name, address or index.
    NoInterface {
        /// What was asked for.
        asked: Interface,
        /// The interfaces that exist, for people.
        existing: String,
    },
    /// The interface has no usable address of the destination's family.
    NoAddress {
        /// Name of the interface.
        interface: String,
        /// "IPv4" or "IPv6".
        family: &'static str,
    },
    /// A link-local address or group means nothing without an interface.
    InterfaceNeeded {
        /// The address or group.
        address: IpAddr,
        /// The interfaces that exist, for people.
        existing: String,
    },
    /// Nothing on this machine has the address to listen at.
    NotHere {
        /// The address.
        at: SocketAddr,
        /// The interfaces that exist, for people.
        existing: String,
    },
    /// Another program listens there.
    InUse {
        /// The address and port.
        at: SocketAddr,
    },
    /// No route leads to the destination, for now: the network may come up later.
    Unreachable {
        /// The destination or group.
        to: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// A datagram of this size does not fit the path, and fragments are never sent.
    DatagramTooLarge {
        /// Bytes of UDP payload asked for.
        asked: usize,
        /// Most bytes of UDP payload that one packet carries on this path.
        limit: usize,
        /// The path's largest IP packet \[bytes\].
        mtu: usize,
        /// Name of the interface that the route uses, if known.
        interface: Option<String>,
    },
    /// This kernel, older than Linux 5.7, lets only the administrator listen on one interface.
    OnlyRoot {
        /// Name of the interface.
        interface: String,
    },
    /// DSCP is a number of six bits.
    Dscp(u8),
    /// The system refused a step.
    System {
        /// What was being done: "set the hop limit".
        doing: &'static str,
        /// The address concerned.
        at: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
}

impl NetError {
    /// Whether the same call may succeed later without anyone changing the settings: the interface
    /// or the route is not there yet.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::NoInterface { .. }
                | Self::NoAddress { .. }
                | Self::NotHere { .. }
                | Self::Unreachable { .. }
        )
    }

    /// For `map_err`: `error` happened while `doing` something for `at`.
    pub(super) fn system(doing: &'static str, at: SocketAddr) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { doing, at, error }
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInterface { asked, existing } => {
                write!(f, "no network interface {asked}; there are: {existing}")
            }
            Self::NoAddress { interface, family } => {
                write!(f, "interface {interface} has no {family} address; give it one or choose another")
            }
            Self::InterfaceNeeded { address, existing } => write!(
                f,
                "{address} is link-local and exists on every interface: say which one (--interface); there are: {existing}"
            ),
            Self::NotHere { at, existing } => write!(
                f,
                "cannot listen at {at}: no interface has that address; there are: {existing}; 0.0.0.0 or [::] listens on all"
            ),
            Self::InUse { at } => {
                write!(f, "cannot listen at {at}: another program does; end it or choose another port")
            }
            Self::Unreachable { to, error } => {
                write!(f, "no way to {to} for now: {error}; is the network up, is the interface right?")
            }
            Self::DatagramTooLarge { asked, limit, mtu, interface } => {
                let by = interface.as_deref().unwrap_or("the route");
                write!(
                    f,
                    "datagrams of {asked} bytes do not fit: {by} carries packets of {mtu} bytes, which leaves {limit} \
                     after the IP and UDP headers, and fragments are never sent; use {limit} or less, or raise the MTU"
                )
            }
            Self::OnlyRoot { interface } => write!(
                f,
                "this kernel lets only root listen on {interface} alone; listen at its address instead, or run with \
                 CAP_NET_RAW"
            ),
            Self::Dscp(value) => write!(f, "DSCP {value}: must be 0 to 63 (34 is interactive video)"),
            Self::System { doing, at, error } => write!(f, "{at}: cannot {doing}: {error}"),
        }
    }
}

impl std::error::Error for NetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable { error, .. } | Self::System { error, .. } => Some(error),
            _ => None,
        }
    }
}
