//! Ticks at a steady rate, for sources that make their own time.

use crate::time::{Duration, Instant};

/// Fewest frames per second that a pace can have.
pub const MIN_FPS: f64 = 0.01;
/// Most frames per second that a pace can have.
pub const MAX_FPS: f64 = 1000.0;

/// `fps` brought within [`MIN_FPS`]..=[`MAX_FPS`]; what is no number, or has no end, is the most.
#[must_use]
pub fn bounded(fps: f64) -> f64 {
    if fps.is_finite() { fps.clamp(MIN_FPS, MAX_FPS) } else { MAX_FPS }
}

/// Ticks at whole multiples of an interval after the first call, without drift.
///
/// A tick that is late by one interval or more is skipped: after a stall the next ticks come at the
/// usual distance, never in a burst.
#[derive(Debug, Clone)]
pub struct Pace {
    fps: f64,
    /// When tick 0 was; set by the first call.
    start: Option<Instant>,
    /// Index of the tick to come.
    next: u64,
}

impl Pace {
    /// `fps` ticks a second, [`bounded`].
    #[must_use]
    pub fn new(fps: f64) -> Self {
        Self { fps: bounded(fps), start: None, next: 0 }
    }

    /// Ticks per second.
    #[must_use]
    pub fn fps(&self) -> f64 {
        self.fps
    }

    /// When tick 0 was, once it has been.
    #[must_use]
    pub fn start(&self) -> Option<Instant> {
        self.start
    }

    /// When the next tick is due; at once before the first one.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.start.map_or(Instant::ORIGIN, |start| start + self.offset(self.next))
    }

    /// The index of the tick that is due at `now`, counted from 0; skipped ticks are counted too.
    pub fn tick(&mut self, now: Instant) -> Option<u64> {
        let start = *self.start.get_or_insert(now);
        if now < start + self.offset(self.next) {
            return None;
        }
        let passed = (now.since(start).as_micros() as f64 * self.fps / 1e6) as u64;
        // Rounding of `offset` may put the tick due now just after `passed`.
        let index = passed.max(self.next);
        self.next = index + 1;
        Some(index)
    }

    fn offset(&self, index: u64) -> Duration {
        Duration::from_micros((index as f64 * 1e6 / self.fps).round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn ticks_keep_their_rate_for_a_day() {
        for fps in [1.0, 29.97, 30.0, 60.0, 240.0] {
            let mut pace = Pace::new(fps);
            pace.tick(at(1_000_000));
            let mut ticks = 0u64;
            let end = at(1_000_000 + 86_400 * 1_000_000);
            while pace.due() < end {
                let due = pace.due();
                ticks += 1;
                assert_eq!(pace.tick(due), Some(ticks), "{fps}");
                if ticks == 100_000 {
                    break;
                }
            }
            let expected = 1_000_000.0 + (ticks + 1) as f64 * 1e6 / fps;
            assert!((pace.due().as_micros() as f64 - expected).abs() < 1.0, "{fps}");
        }
    }

    #[test]
    fn the_first_tick_is_at_once_and_none_is_early() {
        let mut pace = Pace::new(100.0);
        assert_eq!(pace.due(), Instant::ORIGIN);
        assert_eq!(pace.start(), None);
        assert_eq!(pace.tick(at(5)), Some(0));
        assert_eq!(pace.start(), Some(at(5)));
        assert_eq!(pace.due(), at(10_005));
        assert_eq!(pace.tick(at(10_004)), None);
        assert_eq!(pace.tick(at(10_005)), Some(1));
        assert_eq!(pace.tick(at(10_005)), None);
    }

    #[test]
    fn late_ticks_are_skipped_without_a_burst() {
        let mut pace = Pace::new(100.0);
        pace.tick(at(0));
        // A little late: the next one is due in time.
        assert_eq!(pace.tick(at(14_000)), Some(1));
        assert_eq!(pace.due(), at(20_000));
        // A long stall: one tick for now, the next at the usual place.
        assert_eq!(pace.tick(at(1_003_000)), Some(100));
        assert_eq!(pace.tick(at(1_003_001)), None);
        assert_eq!(pace.due(), at(1_010_000));
    }

    #[test]
    fn rates_without_sense_are_bounded() {
        for (asked, given) in [(0.0, MIN_FPS), (-3.0, MIN_FPS), (f64::NAN, MAX_FPS), (1e9, MAX_FPS)] {
            assert_eq!(Pace::new(asked).fps(), given, "{asked}");
        }
    }
}
