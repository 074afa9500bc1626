//! How much time there is for a frame.

use crate::time::{Duration, Instant};

/// The time between frames, smoothed over the last ones.
#[derive(Default)]
pub(super) struct Interval {
    last: Option<Instant>,
    mean: Option<Duration>,
}

impl Interval {
    /// Before a second frame has been seen.
    const ASSUMED: Duration = Duration::from_micros(33_333);
    const LONGEST: Duration = Duration::from_secs(1);

    pub(super) fn observe(&mut self, captured: Instant) -> Duration {
        let gap = self.last.replace(captured).map(|last| captured.since(last).min(Self::LONGEST));
        self.mean = match (self.mean, gap) {
            (Some(mean), Some(gap)) => Some((mean * 7 + gap) / 8),
            (mean, gap) => mean.or(gap),
        };
        // Never longer than the last gap: the frame after a pause must not be held back.
        let mean = self.mean.unwrap_or(Self::ASSUMED);
        gap.filter(|gap| !gap.is_zero()).map_or(mean, |gap| mean.min(gap))
    }
}
