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
    /// Those that are followed, the oldest first.
    hints: Vec<SocketAddr>,
    hint_at: Instant,
}

impl Search {
    /// For the camera whose key has this fingerprint.
    pub(super) const fn new(fingerprint: String, interface: Option<Interface>, now: Instant) -> Self {
        Self { fingerprint, interface, since: None, browsing: None, hints: Vec::new(), hint_at: now }
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
        let mut told = browsing.found().iter().flat_map(|found| &found.addresses);
        let hint = told.find(|at| !known.contains(at) && !hints.contains(at) && reaches(at)).copied()?;
        *hint_at = now + HINT_EVERY;
        if hints.len() == HINTS {
            hints.remove(0);
        }
        hints.push(hint);
        Some(hint)
    }

    /// The hints that are followed.
    pub(super) fn hints(&self) -> &[SocketAddr] {
        &self.hints
    }
}
