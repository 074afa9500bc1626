//! Looks for a camera on the local network as long as it does not answer.

use std::net::SocketAddr;

use crate::net::Interface;
use crate::net::discovery::{Browsing, Wanted};
use crate::time::{Duration, Instant};

/// A camera has so long to answer before it is looked for.
const PATIENCE: Duration = Duration::from_millis(250);
/// Between one hint and the next: each has its turn of knocks. Anybody may give hints, and as many as he likes.
const HINT_EVERY: Duration = Duration::from_secs(1);
/// Hints that are followed at once; there is as much room for the addresses that were known before.
pub(super) const HINTS: usize = 4;

/// The search for one camera.
#[derive(Debug)]
pub(super) struct Search {
    fingerprint: String,
    interface: Option<Interface>,
    /// Since when the camera does not answer.
    since: Option<Instant>,
    browsing: Option<Browsing>,
    hints: Hints,
    hint_at: Instant,
}

/// What the local network says, each in its turn.
#[derive(Debug, Default)]
struct Hints {
    /// Those that are followed, the oldest first.
    current: Vec<SocketAddr>,
    /// When each that is still told was followed last.
    turns: Vec<(SocketAddr, Instant)>,
}

impl Hints {
    /// The next one to follow of all that are `told`: none that is followed already, the one never followed or
    /// whose turn is longest ago. So wrong ones that are told ahead of a right one, of a camera that once was there,
    /// do not keep that from being tried.
    fn next(&mut self, now: Instant, told: &[SocketAddr]) -> Option<SocketAddr> {
        let Self { current, turns } = self;
        turns.retain(|(at, _)| told.contains(at));
        let turn = |at: &SocketAddr| turns.iter().find(|(other, _)| other == at).map(|(_, when)| *when);
        let next = *told.iter().filter(|at| !current.contains(at)).min_by_key(|at| turn(at))?;
        turns.retain(|(at, _)| *at != next);
        turns.push((next, now));
        if current.len() == HINTS {
            current.remove(0);
        }
        current.push(next);
        Some(next)
    }
}

impl Search {
    /// For the camera whose key has this fingerprint.
    pub(super) const fn new(fingerprint: String, interface: Option<Interface>, now: Instant) -> Self {
        let hints = Hints { current: Vec::new(), turns: Vec::new() };
        Self { fingerprint, interface, since: None, browsing: None, hints, hint_at: now }
    }

    /// Does what is due. Returns another address at which the camera may be, and to which `reaches` says yes;
    /// `known` are those that are tried anyway.
    pub(super) fn tend(
        &mut self,
        now: Instant,
        is_found: bool,
        known: &[SocketAddr],
        reaches: impl Fn(&SocketAddr) -> bool,
    ) -> Option<SocketAddr> {
        // One on this very machine is nowhere else.
        let is_here = !known.is_empty() && known.iter().all(|at| at.ip().to_canonical().is_loopback());
        if is_found || is_here {
            (self.since, self.browsing) = (None, None);
            return None;
        }
        if now.since(*self.since.get_or_insert(now)) < PATIENCE {
            return None;
        }
        let Self { fingerprint, interface, browsing, hints, hint_at, .. } = self;
        let browsing = browsing.get_or_insert_with(|| {
            Browsing::new(Wanted::Fingerprint(fingerprint.clone()), interface.as_ref(), now)
        });
        if let Some(why) = browsing.attend(now) {
            log::info!("the camera cannot be looked for on the local network for now: {why}");
        }
        if now < *hint_at {
            return None;
        }
        let all = browsing.found().iter().flat_map(|found| &found.addresses);
        let told: Vec<_> = all.filter(|at| !known.contains(at) && reaches(at)).copied().collect();
        let hint = hints.next(now, &told)?;
        *hint_at = now + HINT_EVERY;
        Some(hint)
    }

    /// The hints that are followed.
    pub(super) fn hints(&self) -> &[SocketAddr] {
        &self.hints.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_hints_that_are_told_first_keep_no_right_one_from_its_turn() {
        let told: Vec<SocketAddr> = (1..=9).map(|n| SocketAddr::from(([10, 0, 0, n], 5004))).collect();
        let mut hints = Hints::default();
        let mut now = Instant::from_millis(1_000);
        let mut follow = |hints: &mut Hints, told: &[SocketAddr]| {
            now += HINT_EVERY;
            hints.next(now, told)
        };
        let mut all: Vec<_> = (0..9).map(|_| follow(&mut hints, &told).unwrap()).collect();
        assert_eq!(all, told, "each has a turn before any has a second one");
        all = (0..9).map(|_| follow(&mut hints, &told).unwrap()).collect();
        assert_eq!(all, told);
        assert_eq!(hints.current, told[5..]);
        // A new one is not kept waiting, whatever its place; one that is told no longer is forgotten.
        let new = SocketAddr::from(([10, 0, 1, 1], 5004));
        let told = [&told[3..], &[new]].concat();
        assert_eq!(follow(&mut hints, &told), Some(new));
        assert_eq!(hints.turns.len(), 6 + 1);
        // Where all are followed already, nothing is to be done.
        assert_eq!(follow(&mut hints, &[new]), None);
    }
}
