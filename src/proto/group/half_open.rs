//! Handshakes that the camera has answered and whose viewer has not yet shown to be there.

use core::net::SocketAddr;

use crate::proto::gate::MacBytes;
use crate::proto::identity::PublicKey;
use crate::proto::session::Session;
use crate::time::{Duration, Instant};
use crate::wire::SessionId;
use crate::wire::handshake::Answer;

/// How many there are at most; the oldest gives way.
pub const HALF_OPEN: usize = 64;

/// How long a viewer has for its first sealed datagram.
pub const HALF_OPEN_LIFE: Duration = Duration::from_secs(5);

/// The same first message is answered again after so long.
const ANSWER_AGAIN: Duration = Duration::from_millis(50);

pub(super) struct HalfOpen {
    pub(super) viewer: PublicKey,
    pub(super) from: SocketAddr,
    pub(super) session: Session,
    pub(super) answer: [u8; Answer::LEN],
    first_mac: MacBytes,
    since: Instant,
    answered: Instant,
}

pub(super) struct HalfOpens(Vec<HalfOpen>);

impl HalfOpens {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(HALF_OPEN))
    }

    pub(super) fn add(
        &mut self,
        viewer: PublicKey,
        from: SocketAddr,
        session: Session,
        answer: [u8; Answer::LEN],
        first_mac: MacBytes,
    ) {
        let now = session.since();
        self.0.retain(|half| now.since(half.since) < HALF_OPEN_LIFE);
        if self.0.len() == HALF_OPEN {
            self.0.remove(0);
        }
        self.0.push(HalfOpen { viewer, from, session, answer, first_mac, since: now, answered: now });
    }

    /// The answer to a first message that has come before from the same address, which costs no work with keys.
    /// `Some(None)` if it was given a moment ago.
    pub(super) fn answer_again(
        &mut self,
        first_mac: &MacBytes,
        from: SocketAddr,
        now: Instant,
    ) -> Option<Option<[u8; Answer::LEN]>> {
        let half = self.0.iter_mut().find(|half| half.first_mac == *first_mac && half.from == from)?;
        if now.since(half.answered) < ANSWER_AGAIN {
            return Some(None);
        }
        half.answered = now;
        Some(Some(half.answer))
    }

    pub(super) fn find(&self, id: SessionId, now: Instant) -> Option<usize> {
        let in_time = |half: &HalfOpen| now.since(half.since) < HALF_OPEN_LIFE;
        self.0.iter().position(|half| half.session.id() == id && in_time(half))
    }

    pub(super) fn get_mut(&mut self, at: usize) -> &mut HalfOpen {
        &mut self.0[at]
    }

    pub(super) fn take(&mut self, at: usize) -> HalfOpen {
        self.0.remove(at)
    }

    /// Forgets those of one viewer.
    pub(super) fn forget(&mut self, viewer: &PublicKey) {
        self.0.retain(|half| half.viewer != *viewer);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
