//! What becomes of a media datagram at a viewer.

use super::reassembly::NoPlace;
use super::replay::Refused;
use crate::wire::Malformed;

/// What became of a good datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// A frame is not whole yet.
    Shard,
    /// A frame has become whole with it: take it before the next datagram.
    Frame,
}

/// Why a datagram was dropped. Never ours to answer for: callers read the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dropped {
    /// Not a datagram of version 1.
    Malformed(Malformed),
    /// A type or key epoch that one-way streams do not use.
    Unsupported,
    /// The tag does not fit: another key, or changed bytes.
    Forged,
    /// Its packet number was taken before.
    Replayed,
    /// Its packet number is too far behind the newest.
    TooOld,
    /// Its stream has a lower start counter than one that was followed.
    StaleStream,
    /// Authentic, but of another live stream under the same key.
    OtherStream,
    /// Of one unknown stream among too many.
    Throttled,
    /// Its frame or a newer one has been handed over.
    Late,
    /// It contradicts its frame.
    Inconsistent,
    /// Its frame is larger than the memory claimed.
    TooLarge,
    /// A parity shard, which this version of the receiver has no use for.
    Parity,
    /// Sealed with a media key that this viewer does not hold, or holds no longer.
    UnknownKey,
    /// It opens, but is not what the camera has signed: another viewer made it.
    NotSigned,
}

impl From<Malformed> for Dropped {
    fn from(why: Malformed) -> Self {
        Self::Malformed(why)
    }
}

impl From<Refused> for Dropped {
    fn from(why: Refused) -> Self {
        match why {
            Refused::Replayed => Self::Replayed,
            Refused::TooOld => Self::TooOld,
        }
    }
}

impl From<NoPlace> for Dropped {
    fn from(why: NoPlace) -> Self {
        match why {
            NoPlace::Late => Self::Late,
            NoPlace::Inconsistent => Self::Inconsistent,
            NoPlace::TooLarge => Self::TooLarge,
            NoPlace::Parity => Self::Parity,
        }
    }
}

/// How many datagrams ended how. All but the first two are causes of dropping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReceiverCounters {
    /// Datagrams handed in, whatever became of them.
    pub datagrams: u64,
    /// Datagrams that were authentic and had a place.
    pub accepted: u64,
    /// [`Dropped::Malformed`] and [`Dropped::Unsupported`].
    pub malformed: u64,
    /// [`Dropped::Forged`].
    pub forged: u64,
    /// [`Dropped::Replayed`] and [`Dropped::TooOld`].
    pub replayed: u64,
    /// [`Dropped::StaleStream`].
    pub stale_stream: u64,
    /// Those among them that are known to be sealed with this key: a recording, or another camera.
    pub stale_authentic: u64,
    /// [`Dropped::OtherStream`].
    pub other_stream: u64,
    /// [`Dropped::Throttled`].
    pub throttled: u64,
    /// [`Dropped::Late`].
    pub late: u64,
    /// [`Dropped::Inconsistent`], [`Dropped::TooLarge`] and [`Dropped::Parity`].
    pub unplaced: u64,
    /// [`Dropped::UnknownKey`].
    pub unknown_key: u64,
    /// [`Dropped::NotSigned`].
    pub not_signed: u64,
    /// Shards that came before their frame's manifest, and were copied once more.
    pub waited: u64,
    /// Frames that became whole.
    pub frames_whole: u64,
    /// Frames between whole ones that did not.
    pub frames_incomplete: u64,
    /// Times another stream was followed than before.
    pub stream_changes: u64,
}

impl ReceiverCounters {
    /// Counts what was dropped.
    pub(super) const fn count(&mut self, why: Dropped) {
        let counter = match why {
            Dropped::Malformed(_) | Dropped::Unsupported => &mut self.malformed,
            Dropped::Forged => &mut self.forged,
            Dropped::Replayed | Dropped::TooOld => &mut self.replayed,
            Dropped::StaleStream => &mut self.stale_stream,
            Dropped::OtherStream => &mut self.other_stream,
            Dropped::Throttled => &mut self.throttled,
            Dropped::Late => &mut self.late,
            Dropped::Inconsistent | Dropped::TooLarge | Dropped::Parity => &mut self.unplaced,
            Dropped::UnknownKey => &mut self.unknown_key,
            Dropped::NotSigned => &mut self.not_signed,
        };
        *counter += 1;
    }
}
