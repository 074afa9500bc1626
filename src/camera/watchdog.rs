//! When systemd's watchdog is fed.

use crate::time::{Duration, Instant};

/// Feeds three times within the limit, as long as what it is told of is alive.
#[derive(Debug, Clone, Copy)]
pub struct Watchdog {
    /// Nothing is fed without a limit.
    rhythm: Option<Rhythm>,
}

#[derive(Debug, Clone, Copy)]
struct Rhythm {
    every: Duration,
    due: Instant,
}

impl Watchdog {
    /// For a service that is restarted when it has not fed for `limit`; `None`: nobody watches.
    #[must_use]
    pub fn new(limit: Option<Duration>, now: Instant) -> Self {
        let rhythm = limit.map(|limit| Rhythm { every: (limit / 3).max(SHORTEST), due: now });
        Self { rhythm }
    }

    /// When to ask [`Watchdog::feed`] again.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.rhythm.map(|rhythm| rhythm.due)
    }

    /// Whether to feed at `now`. What is not `alive` is looked at again soon.
    pub fn feed(&mut self, now: Instant, alive: bool) -> bool {
        let Some(rhythm) = &mut self.rhythm else { return false };
        if now < rhythm.due {
            return false;
        }
        rhythm.due = now + if alive { rhythm.every } else { rhythm.every / 4 };
        alive
    }
}

const SHORTEST: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    /// Times in ms at which a watchdog with this limit is fed in a minute; alive as told.
    fn fed(limit: Option<Duration>, alive: impl Fn(u64) -> bool) -> Vec<u64> {
        let start = Instant::from_millis(70_000);
        let mut watchdog = Watchdog::new(limit, start);
        let mut fed = Vec::new();
        let mut now = 0;
        while now < 60_000 {
            if watchdog.feed(start + Duration::from_millis(now), alive(now)) {
                fed.push(now);
            }
            // The loop turns at every due time and at others besides.
            let due = watchdog.due().map_or(60_000, |due| due.since(start).as_millis() as u64);
            now = due.min(now + 700).max(now + 1);
        }
        fed
    }

    #[test]
    fn it_is_fed_well_within_the_limit() {
        let fed = fed(Some(Duration::from_secs(10)), |_| true);
        assert_eq!(fed[0], 0);
        assert!(fed.windows(2).all(|pair| pair[1] - pair[0] <= 3_334), "{fed:?}");
        assert!(fed.len() < 25, "{fed:?}");
    }

    #[test]
    fn it_starves_while_nothing_lives_and_is_fed_soon_after() {
        let fed = fed(Some(Duration::from_secs(10)), |now| !(20_000..40_000).contains(&now));
        assert!(!fed.iter().any(|at| (20_000..40_000).contains(at)), "{fed:?}");
        assert!(fed.iter().any(|at| (40_000..41_000).contains(at)), "{fed:?}");
    }

    #[test]
    fn nobody_watches_without_a_limit() {
        assert!(fed(None, |_| true).is_empty());
        assert_eq!(Watchdog::new(None, Instant::ORIGIN).due(), None);
    }
}
