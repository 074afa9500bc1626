//! What a connection is told, and what it tells.

use crate::proto::identity::{PublicKey, StaticSecret};
use crate::proto::outcome::Accepted;
use crate::wire::{Delivery, Farewell};

/// What a connection is set up with.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// The viewer's own key.
    pub identity: StaticSecret,
    /// The camera's.
    pub camera: PublicKey,
    /// Bytes of the largest frame to claim memory for.
    pub max_frame: usize,
    /// How the frames are wanted.
    pub delivery: Delivery,
}

/// How things stand, for telling people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// No camera has answered yet.
    Knocking,
    /// The camera was there and is not heard any more.
    Silent,
    /// The camera has let the viewer in.
    In,
    /// The camera has refused.
    Refused(Refusal),
    /// The camera has ended the session.
    Ended(Farewell),
}

/// Why a camera refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The viewer's key is not on its list.
    NotListed,
    /// It has as many viewers as it takes.
    Full,
}

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// It was the camera's, of a handshake or a session.
    Control,
    /// It was media.
    Media(Accepted),
}
