//! What a group is told, and what it tells.

use core::net::SocketAddr;

use crate::proto::gate::GateCounters;
use crate::proto::identity::PublicKey;
use crate::proto::session::Unheard;
use crate::time::{Duration, Instant};
use crate::wire::{Delivery, Malformed, Name, Role, StreamId};

/// What a group is set up with.
#[derive(Debug, Clone, Copy)]
pub struct GroupSettings {
    /// What the camera calls itself.
    pub name: Name,
    /// Viewers at once.
    pub max_viewers: usize,
    /// A viewer that has not been heard for so long is let go.
    pub idle: Duration,
    /// A media key is changed after so long; two minutes at most.
    pub key_life: Duration,
    /// Where frames go for all who can receive them there.
    pub multicast: Option<SocketAddr>,
}

/// What viewers must know of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamFacts {
    /// Which stream it is.
    pub stream: StreamId,
    /// Public half of the key that signs manifests, if they are signed.
    pub signer: Option<[u8; 32]>,
    /// Bytes of a full datagram.
    pub datagram: u16,
    /// Bytes of the largest frame.
    pub max_frame: u32,
}

/// What has happened, for the run loop to act on or to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A viewer has come in.
    Joined(Name),
    /// A viewer's address has changed.
    Moved(Name, SocketAddr),
    /// A viewer has gone by itself.
    Left(Name),
    /// A viewer was not heard any more.
    TimedOut(Name),
    /// A viewer was taken off the list, and is out.
    Removed(Name),
    /// A viewer asks for something: see `Group::request`.
    Asked(Asked),
}

/// Which request of whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub(super) viewer: PublicKey,
    pub(super) instance: u32,
    pub(super) number: u32,
}

/// What a viewer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// Who asks.
    pub name: Name,
    /// What it may do: as the camera's list says now.
    pub role: Role,
    /// At most [`Control::MAX_TEXT`](crate::wire::Control::MAX_TEXT) bytes.
    pub text: &'a [u8],
}

/// How things stand with one viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewerStatus {
    /// Its name.
    pub name: Name,
    /// What it may do.
    pub role: Role,
    /// Where it is, once it has shown that.
    pub address: Option<SocketAddr>,
    /// How it gets the frames.
    pub delivery: Delivery,
    /// When it came.
    pub joined: Instant,
    /// When it was heard last.
    pub heard: Instant,
}

/// Why a datagram was ignored. Never ours to answer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// Not a datagram of version 1 that is meant for a camera.
    Malformed(Malformed),
    /// Of no session that there is.
    UnknownSession,
    /// A session's, but it does not open.
    Forged,
    /// A session's, but taken before.
    Replayed,
    /// The gate let it in no further, or its handshake does not open.
    Refused,
}

/// What has come to a group so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupCounters {
    /// The gate's.
    pub gate: GateCounters,
    /// Handshakes that did not open.
    pub handshakes_failed: u64,
    /// Handshakes of keys that are not on the list.
    pub not_listed: u64,
    /// Handshakes refused because there were enough viewers.
    pub full: u64,
    /// Handshakes confirmed by the viewer.
    pub confirmed: u64,
    /// Answers dropped because too many waited.
    pub outbox_full: u64,
    /// [`Ignored::Malformed`].
    pub malformed: u64,
    /// [`Ignored::UnknownSession`].
    pub unknown_session: u64,
    /// [`Ignored::Forged`].
    pub forged: u64,
    /// [`Ignored::Replayed`].
    pub replayed: u64,
    /// Viewers that have moved to another address.
    pub moved: u64,
    /// Media keys that have taken over from another.
    pub key_changes: u64,
    /// Requests.
    pub requests: u64,
    /// Requests not taken because the one before had just come.
    pub requests_too_soon: u64,
}

impl From<Unheard> for Ignored {
    fn from(why: Unheard) -> Self {
        match why {
            Unheard::Forged => Self::Forged,
            Unheard::Refused(_) => Self::Replayed,
            Unheard::Malformed(why) => Self::Malformed(why),
        }
    }
}
