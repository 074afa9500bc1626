//! The media keys of a group: the one in use, and the one that is to follow.
//!
//! Each is drawn by itself, so none tells anything of another. Epochs count up and wrap at 65,536; a receiver
//! holds few enough of them that it never mistakes one for another.

use zeroize::Zeroizing;

use crate::proto::random::Random;
use crate::time::{Duration, Instant};

/// How long viewers have for taking a new key before it is used without those that have not.
pub(super) const SCHEDULED_GRACE: Duration = Duration::from_secs(2);

/// The same after a removal, from which on the removed viewer is to see no more than half a second.
pub(super) const REMOVAL_GRACE: Duration = Duration::from_millis(300);

/// Datagrams under one key before it is changed: half of what the protocol allows.
const MOST_DATAGRAMS: u64 = 1 << 31;

pub(super) struct MediaKeys {
    pub(super) current: Epoch,
    pub(super) next: Option<Coming>,
    /// The newest number given to a key, used or not.
    last: u16,
    since: Instant,
    sealed: u64,
    /// Whether the sender has the key in use.
    told: bool,
}

pub(super) struct Epoch {
    pub(super) number: u16,
    pub(super) key: Zeroizing<[u8; 32]>,
}

pub(super) struct Coming {
    pub(super) epoch: Epoch,
    pub(super) deadline: Instant,
}

impl MediaKeys {
    pub(super) fn new(now: Instant, random: &mut impl Random) -> Self {
        let current = Epoch { number: 0, key: Zeroizing::new(random.array()) };
        Self { current, next: None, last: 0, since: now, sealed: 0, told: false }
    }

    /// Draws the key that is to follow. One that was to follow already is never used: a viewer that has just
    /// been removed may hold it.
    pub(super) fn begin(&mut self, now: Instant, grace: Duration, random: &mut impl Random) {
        self.last = self.last.wrapping_add(1);
        let epoch = Epoch { number: self.last, key: Zeroizing::new(random.array()) };
        let deadline = now + grace;
        let deadline = self.next.as_ref().map_or(deadline, |next| next.deadline.min(deadline));
        self.next = Some(Coming { epoch, deadline });
    }

    /// Whether the key in use has served long enough.
    pub(super) fn is_old(&self, now: Instant, life: Duration) -> bool {
        self.next.is_none() && (now.since(self.since) >= life || self.sealed >= MOST_DATAGRAMS)
    }

    /// When it will have, or when the next one takes over at the latest.
    pub(super) fn next_change(&self, life: Duration) -> Instant {
        self.next.as_ref().map_or(self.since + life, |next| next.deadline)
    }

    /// Has the next key take over if all who watch hold it, or its time has come.
    pub(super) fn turn(&mut self, now: Instant, all_hold: impl FnOnce(u16) -> bool) -> bool {
        let Some(next) = self.next.take_if(|next| now >= next.deadline || all_hold(next.epoch.number)) else {
            return false;
        };
        self.current = next.epoch;
        self.since = now;
        self.sealed = 0;
        self.told = false;
        true
    }

    /// The key in use, once.
    pub(super) fn take_news(&mut self) -> Option<&Epoch> {
        (!core::mem::replace(&mut self.told, true)).then_some(&self.current)
    }

    pub(super) const fn count_sealed(&mut self, under_key: u64) {
        self.sealed = under_key;
    }

    /// The newest key.
    pub(super) fn newest(&self) -> &Epoch {
        self.next.as_ref().map_or(&self.current, |next| &next.epoch)
    }
}
