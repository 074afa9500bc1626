//! One handshake that is under way, at one address of the camera after the other.

use core::net::SocketAddr;

use super::ADDRESSES;
use crate::proto::handshake::Initiator;
use crate::proto::identity::{PublicKey, StaticSecret};
use crate::proto::random::Random;
use crate::time::{Duration, Instant};
use crate::wire::SessionId;
use crate::wire::handshake::{CookieReply, Opening};

/// After so long a new handshake begins, with a new ephemeral key.
const LIFE: Duration = Duration::from_secs(5);

/// The first message is sent again after so long, then after twice as long, up to [`AT_MOST`].
const AGAIN_AFTER: Duration = Duration::from_millis(250);
const AT_MOST: Duration = Duration::from_secs(1);

/// Between one address and the next of one round.
const NEXT_ADDRESS: Duration = Duration::from_millis(20);

pub(super) struct Attempt {
    pub(super) initiator: Initiator,
    pub(super) next: Instant,
    began: Instant,
    nth: usize,
    after: Duration,
    cookies: usize,
}

impl Attempt {
    /// `None` if the camera's key is none that anyone can have made honestly.
    pub(super) fn new(
        identity: &StaticSecret,
        camera: &PublicKey,
        id: SessionId,
        now: Instant,
        random: &mut impl Random,
    ) -> Option<Self> {
        let initiator = Initiator::new(identity, camera, id, random).ok()?;
        Some(Self { initiator, next: now, began: now, nth: 0, after: AGAIN_AFTER, cookies: 0 })
    }

    pub(super) const fn is_over(&self, now: Instant) -> bool {
        now.since(self.began).as_micros() >= LIFE.as_micros()
    }

    /// Takes a cookie, with which the first message goes out again at once.
    pub(super) fn take_cookie(&mut self, now: Instant, reply: &CookieReply) -> bool {
        let taken = self.initiator.take_cookie(reply);
        self.cookies += usize::from(taken);
        // Who knows the camera's key can make one: that is not to have the viewer send without end.
        if taken && self.cookies <= ADDRESSES {
            self.next = now;
            // The same address has to come first again.
            self.nth = self.nth.saturating_sub(1);
        }
        taken
    }

    /// All addresses are tried once more, without waiting.
    pub(super) const fn begin_round(&mut self) {
        (self.nth, self.next) = (0, Instant::ORIGIN);
    }

    /// The first message, and where it is to go next: to where the camera was last, then to its addresses.
    pub(super) fn knock(
        &mut self,
        now: Instant,
        known: &[SocketAddr],
        addresses: &[SocketAddr],
    ) -> Option<([u8; Opening::LEN], SocketAddr)> {
        let round = known.len() + addresses.len();
        let at = self.nth % round.max(1);
        let to = known.iter().chain(addresses).nth(at).copied()?;
        self.nth += 1;
        if self.nth.is_multiple_of(round) {
            self.next = now + self.after;
            self.after = (self.after * 2).min(AT_MOST);
        } else {
            self.next = now + NEXT_ADDRESS;
        }
        Some((self.initiator.opening(), to))
    }
}
