//! Who may watch.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::values::KeyPlace;
use crate::time::Duration;
use crate::wire::{DEFAULT_PORT, Name};

/// Where paired viewers come to unless something else is asked for: every address of this machine.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), DEFAULT_PORT);

/// Who may watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Whoever holds the key that is there.
    Shared(KeyPlace),
    /// Viewers that were let in, each with a key of its own.
    Paired(PairedSettings),
}

impl Audience {
    /// The settings of paired viewers.
    #[must_use]
    pub const fn paired(&self) -> Option<&PairedSettings> {
        match self {
            Self::Shared(_) => None,
            Self::Paired(settings) => Some(settings),
        }
    }
}

/// Settings of paired viewers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairedSettings {
    /// Where they come to.
    pub listen: SocketAddr,
    /// What the camera calls itself; `None` for the machine's name.
    pub name: Option<Name>,
    /// How many at once.
    pub max_viewers: usize,
    /// One that has not been heard for so long is let go.
    pub idle: Duration,
    /// Whether frames are signed.
    pub signed: bool,
    /// Whether the source is open only while somebody watches.
    pub on_demand: bool,
    /// A multicast group that frames go to for all who ask for it.
    pub group: Option<SocketAddr>,
    /// Whether the local network is told the camera's name, port and key's fingerprint.
    pub announce: bool,
}

impl PairedSettings {
    /// Everything at its default.
    pub const DEFAULT: Self = Self {
        listen: DEFAULT_LISTEN,
        name: None,
        max_viewers: 64,
        idle: Duration::from_secs(15),
        signed: true,
        on_demand: false,
        group: None,
        announce: true,
    };
}
