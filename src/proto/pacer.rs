//! When the datagrams of a frame may leave.
//!
//! A frame sent in one burst overflows the queue of a Wi-Fi access point or a small switch, and the
//! tail of it is lost. Spread over a part of the frame interval it arrives whole, at the price of that
//! part in latency.

use crate::time::{Duration, Instant};

/// Longest time whose worth of datagrams leaves at once.
const LONGEST_RUN: Duration = Duration::from_micros(500);

/// The schedule of one frame: `total` datagrams in equal runs over a span of time.
///
/// A loop that wakes late moves the rest of the schedule on, but by no more than the slack: then the rest
/// leaves in larger runs, because a frame that is not out when the next one comes is lost.
#[derive(Debug, Clone, Copy)]
pub struct Pacer {
    start: Instant,
    span: Duration,
    slack: Duration,
    total: usize,
    runs: usize,
}

impl Pacer {
    /// Spreads `total` datagrams over `span` from `now` on; the first run is due at once, and the last at
    /// most `slack` later than a punctual loop would send it.
    #[must_use]
    pub fn new(now: Instant, span: Duration, slack: Duration, total: usize) -> Self {
        let runs = span.as_micros().div_ceil(LONGEST_RUN.as_micros());
        let runs = usize::try_from(runs).unwrap_or(usize::MAX).clamp(1, total.max(1));
        Self { start: now, span, slack, total, runs }
    }

    /// How many datagrams may leave at `now`, when `sent` have left already.
    ///
    /// After a late wake-up the rest of the schedule moves on instead of leaving as one burst: as long as
    /// there is slack, never more than two runs at once.
    pub fn due(&mut self, now: Instant, sent: usize) -> usize {
        let next = self.run_of(sent);
        let late_after = self.release(next + 1);
        if now > late_after && next + 1 < self.runs {
            let slip = now.since(late_after).min(self.slack);
            self.start += slip;
            self.slack -= slip;
        }
        let mut run = next;
        while run < self.runs && self.release(run) <= now {
            run += 1;
        }
        self.end_of(run) - sent.min(self.end_of(run))
    }

    /// When the next datagram behind `sent` is due; `None` if all have left.
    #[must_use]
    pub fn next_release(&self, sent: usize) -> Option<Instant> {
        (sent < self.total).then(|| self.release(self.run_of(sent)))
    }

    /// The run that the datagram behind `sent` belongs to.
    const fn run_of(&self, sent: usize) -> usize {
        match (sent * self.runs).checked_div(self.total) {
            Some(run) => run,
            None => 0,
        }
    }

    /// Datagrams in the runs before `run`; the inverse of [`Self::run_of`].
    const fn end_of(&self, run: usize) -> usize {
        (run * self.total).div_ceil(self.runs)
    }

    fn release(&self, run: usize) -> Instant {
        let micros = self.span.as_micros() as u64 * run as u64 / self.runs as u64;
        self.start + Duration::from_micros(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Instant = Instant::from_millis(1_000);

    #[test]
    fn without_a_span_all_is_due_at_once() {
        let mut pacer = Pacer::new(START, Duration::ZERO, Duration::ZERO, 150);
        assert_eq!(pacer.due(START, 0), 150);
        assert_eq!(pacer.next_release(150), None);
    }

    #[test]
    fn a_punctual_loop_keeps_the_schedule() {
        let mut pacer = Pacer::new(START, Duration::from_millis(8), Duration::from_millis(8), 160);
        let (mut sent, mut releases) = (0, 0);
        while let Some(at) = pacer.next_release(sent) {
            let due = pacer.due(at, sent);
            assert_eq!(due, 10, "at {at}");
            assert_eq!(at, START + Duration::from_micros(500 * releases));
            sent += due;
            releases += 1;
        }
        assert_eq!((sent, releases), (160, 16));
    }

    #[test]
    fn a_late_loop_does_not_burst() {
        let mut pacer = Pacer::new(START, Duration::from_millis(8), Duration::from_millis(8), 160);
        assert_eq!(pacer.due(START, 0), 10);
        let late = START + Duration::from_millis(6);
        assert_eq!(pacer.due(late, 10), 20);
        assert_eq!(pacer.next_release(30), Some(late + Duration::from_micros(500)));
    }

    /// A loop that is always 4 ms late would take 32 ms for the 8 ms that the frame was given.
    #[test]
    fn a_loop_that_is_always_late_catches_up_when_the_slack_is_used() {
        let mut pacer = Pacer::new(START, Duration::from_millis(8), Duration::from_millis(8), 160);
        let (mut sent, mut now, mut runs) = (0, START, vec![]);
        while let Some(at) = pacer.next_release(sent) {
            now = at + Duration::from_millis(4);
            runs.push(pacer.due(now, sent));
            sent += runs[runs.len() - 1];
        }
        assert!(now <= START + Duration::from_millis(8 + 8 + 4), "{now} {runs:?}");
        assert_eq!(runs[..2], [20, 20], "{runs:?}");
    }

    proptest! {
        /// Whenever the loop wakes, all leave, none twice; while there is slack at most two runs at once;
        /// none is held back beyond the span and the slack.
        #[test]
        fn all_leave(
            total in 1usize..5_000,
            (span, slack) in (0u64..1_000_000, 0u64..1_000_000),
            delays in prop::collection::vec(prop_oneof![Just(0u64), 0..300u64, 0..20_000u64], 50),
        ) {
            let mut pacer =
                Pacer::new(START, Duration::from_micros(span), Duration::from_micros(slack), total);
            let runs = pacer.runs;
            let mut sent = 0;
            let mut delays = delays.iter().cycle();
            while let Some(at) = pacer.next_release(sent) {
                prop_assert!(at <= START + Duration::from_micros(span + slack));
                let due = pacer.due(at + Duration::from_micros(*delays.next().unwrap()), sent);
                prop_assert!(due > 0, "nothing due at {at} with {sent} of {total} sent");
                let calm = due <= 2 * total.div_ceil(runs);
                prop_assert!(calm || pacer.slack.is_zero(), "{due} at once in {runs} runs of {total}");
                sent += due;
            }
            prop_assert_eq!(sent, total);
        }
    }
}
