//! One viewer's session: sealed control messages between it and the camera, in both directions.

use core::fmt;

use super::handshake::SessionKeys;
use super::replay::{Refused, ReplayWindow};
use super::seal::Seal;
use crate::time::Instant;
use crate::wire::{Control, Malformed, PublicHeader, SessionId, TAG_LEN};

/// Either end of a session. Allocates nothing.
pub struct Session {
    own: SessionId,
    peer: SessionId,
    outgoing: Seal,
    incoming: Seal,
    next_packet: u64,
    window: ReplayWindow,
    since: Instant,
}

/// A control message that has been opened.
#[derive(Debug)]
pub struct Heard<'a> {
    /// What was said.
    pub message: Control<'a>,
    /// Whether nothing newer has come before: only then may its address count.
    pub newest: bool,
}

/// Why a session datagram was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unheard {
    /// The tag does not fit.
    Forged,
    /// It was taken before, or is too old.
    Refused(Refused),
    /// Authentic, but no message of this version.
    Malformed(Malformed),
}

impl Session {
    /// A session with `keys`, addressed by `own` at this end and by `peer` at the other.
    #[must_use]
    pub fn new(keys: &SessionKeys, own: SessionId, peer: SessionId, now: Instant) -> Self {
        Self {
            own,
            peer,
            outgoing: Seal::new(&keys.outgoing),
            incoming: Seal::new(&keys.incoming),
            next_packet: 0,
            window: ReplayWindow::new(),
            since: now,
        }
    }

    /// What datagrams to this end are addressed to.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.own
    }

    /// When it began.
    #[must_use]
    pub const fn since(&self) -> Instant {
        self.since
    }

    /// Writes a sealed datagram with `message` to the start of `out`, and returns its length.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`Control::MAX_DATAGRAM`].
    pub fn say(&mut self, message: &Control<'_>, out: &mut [u8]) -> usize {
        let mut plain = zeroize::Zeroizing::new([0; Control::MAX]);
        let len = message.write(&mut *plain);
        let head = self.peer.header(self.next_packet).to_bytes();
        let total = PublicHeader::LEN + len + TAG_LEN;
        let (start, sealed) = out[..total].split_at_mut(PublicHeader::LEN);
        start.copy_from_slice(&head);
        self.outgoing.seal(self.next_packet, &head, &plain[..len], sealed);
        // A session lasts two minutes; 2^64 datagrams do not fit in.
        self.next_packet += 1;
        total
    }

    /// Opens a datagram that is addressed to this session, into `plain`.
    ///
    /// # Errors
    ///
    /// [`Unheard`]; nothing has then changed, but that an authentic datagram is not taken again.
    ///
    /// # Panics
    ///
    /// If `plain` is shorter than [`Control::MAX`].
    pub fn hear<'a>(
        &mut self,
        header: &PublicHeader,
        datagram: &[u8],
        plain: &'a mut [u8],
    ) -> Result<Heard<'a>, Unheard> {
        let truncated = Unheard::Malformed(Malformed::Truncated { len: datagram.len() });
        if datagram.len() > Control::MAX_DATAGRAM {
            return Err(Unheard::Malformed(Malformed::TooLong { len: datagram.len() }));
        }
        if header.epoch != 0 {
            return Err(Unheard::Malformed(Malformed::Field("session epoch")));
        }
        let (aad, sealed) = datagram.split_first_chunk::<{ PublicHeader::LEN }>().ok_or(truncated)?;
        let len = sealed.len().checked_sub(TAG_LEN).ok_or(truncated)?;
        self.window.look(header.packet).map_err(Unheard::Refused)?;
        let plain = &mut plain[..len];
        self.incoming.open(header.packet, aad, sealed, plain).map_err(|_| Unheard::Forged)?;
        let newest = self.window.newest().is_none_or(|newest| header.packet > newest);
        self.window.mark(header.packet);
        let message = Control::parse(plain).map_err(Unheard::Malformed)?;
        Ok(Heard { message, newest })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?} to {:?} at packet {})", self.own, self.peer, self.next_packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::key_schedule::StreamKey;

    fn keys(outgoing: u8, incoming: u8) -> SessionKeys {
        SessionKeys {
            outgoing: StreamKey::from_bytes([outgoing; 32]),
            incoming: StreamKey::from_bytes([incoming; 32]),
        }
    }

    fn ends() -> (Session, Session) {
        let (here, there) = (SessionId::from_bytes([1; 12]), SessionId::from_bytes([2; 12]));
        let now = Instant::ORIGIN;
        (Session::new(&keys(1, 2), here, there, now), Session::new(&keys(2, 1), there, here, now))
    }

    #[test]
    fn messages_are_heard_once_and_only_unchanged() {
        let (mut here, mut there) = ends();
        let (mut out, mut plain) = ([0; Control::MAX_DATAGRAM], [0; Control::MAX]);
        let len = here.say(&Control::PathAnswer([7; 8]), &mut out);
        let header = PublicHeader::parse(&out[..len]).unwrap();
        assert_eq!(SessionId::of(&header), there.id());
        for at in 0..len {
            let mut changed = out;
            changed[at] ^= 2;
            if let Ok(header) = PublicHeader::parse(&changed[..len]) {
                assert!(there.hear(&header, &changed[..len], &mut plain).is_err(), "byte {at}");
            }
        }
        let heard = there.hear(&header, &out[..len], &mut plain).unwrap();
        assert_eq!(heard.message, Control::PathAnswer([7; 8]));
        assert!(heard.newest);
        let again = there.hear(&header, &out[..len], &mut plain).unwrap_err();
        assert_eq!(again, Unheard::Refused(Refused::Replayed));
        assert_eq!(here.hear(&header, &out[..len], &mut plain).unwrap_err(), Unheard::Forged, "its own");
    }

    #[test]
    fn an_overtaken_message_is_heard_but_is_not_the_newest() {
        let (mut here, mut there) = ends();
        let (mut first, mut second) = ([0; Control::MAX_DATAGRAM], [0; Control::MAX_DATAGRAM]);
        let mut plain = [0; Control::MAX];
        let len = here.say(&Control::Leave, &mut first);
        assert_eq!(here.say(&Control::Leave, &mut second), len);
        let mut newest = |datagram: &[u8]| {
            let header = PublicHeader::parse(datagram).unwrap();
            there.hear(&header, datagram, &mut plain).unwrap().newest
        };
        assert!(newest(&second[..len]));
        assert!(!newest(&first[..len]));
    }
}
