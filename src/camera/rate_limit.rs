//! Limits a stream of frames to a rate by the times at which they were captured.
//!
//! Nothing here waits: a camera runs at its own rate, and a frame that is too many is left out. Of the
//! frames around each due time the nearest one is taken, so that the average is exactly the wanted rate
//! and a jittering camera does not upset the rhythm.

use super::pace::bounded;
use crate::time::Instant;

/// Decides for each frame whether it fits into the wanted rate.
#[derive(Debug, Clone)]
pub struct FrameLimiter {
    interval: Ticks,
    /// When the next frame is due.
    due: Ticks,
    /// When the last frame was captured, and the smoothed time between two frames.
    input: Option<Input>,
}

#[derive(Debug, Clone, Copy)]
struct Input {
    last: Ticks,
    /// `None` until there were two frames.
    interval: Option<Ticks>,
}

/// Time in microseconds with 32 bits behind the point, so that no rate drifts.
type Ticks = i128;
const FRACTION: u32 = 32;

impl FrameLimiter {
    /// Lets `fps` frames per second pass, [`bounded`].
    #[must_use]
    pub fn new(fps: f64) -> Self {
        let interval = (1e6 / bounded(fps) * (1u64 << FRACTION) as f64) as Ticks;
        Self { interval, due: 0, input: None }
    }

    /// Whether the frame captured at `captured_at` is to be sent. Call once per frame, in order.
    ///
    /// A frame may come up to half of the camera's interval before it is due. A camera that is slower
    /// than the wanted rate loses no frame. A hiccup of up to two wanted intervals is made up for by the
    /// next frames; after a longer gap the count starts anew, without a burst.
    pub fn admit(&mut self, captured_at: Instant) -> bool {
        let at = Ticks::from(captured_at.as_micros()) << FRACTION;
        let Some(input) = self.input else {
            self.input = Some(Input { last: at, interval: None });
            self.due = at + self.interval;
            return true;
        };
        let between = self.observe(input, at);
        // A clock that jumped back would otherwise shut the stream off until it has caught up.
        let astray = self.due > at + 2 * self.interval;
        if !astray && at + between / 2 < self.due {
            return false;
        }
        let late = at - self.due;
        self.due = if astray || late > PATIENCE * self.interval { at } else { self.due } + self.interval;
        true
    }

    /// Follows the camera's interval; gives it, at most the wanted one.
    fn observe(&mut self, input: Input, at: Ticks) -> Ticks {
        let gap = (at - input.last).clamp(0, self.interval);
        let smoothed = input.interval.map_or(gap, |smoothed| smoothed + (gap - smoothed) / SMOOTHING);
        self.input = Some(Input { last: at, interval: Some(smoothed) });
        smoothed
    }
}

/// Frames over which the camera's interval is averaged.
const SMOOTHING: Ticks = 8;
/// Wanted intervals by which a frame may be late without the count starting anew.
const PATIENCE: Ticks = 2;

#[cfg(test)]
mod tests {
    use super::super::pace::MIN_FPS;
    use super::*;
    use proptest::prelude::*;

    /// Capture times in microseconds at `fps` for `seconds`, moved by `jitter` of an interval at most.
    fn camera(fps: f64, seconds: f64, jitter: f64, seed: u64) -> Vec<u64> {
        let mut state = seed | 1;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0
        };
        let mut times: Vec<u64> = (0..(fps * seconds) as u64)
            .map(|n| (5e6 + (n as f64 + jitter * random()) * 1e6 / fps) as u64)
            .collect();
        times.sort_unstable();
        times
    }

    fn admitted(fps: f64, times: &[u64]) -> Vec<u64> {
        let mut limiter = FrameLimiter::new(fps);
        times.iter().copied().filter(|&at| limiter.admit(Instant::from_micros(at))).collect()
    }

    #[test]
    fn the_average_is_the_wanted_rate() {
        // (camera, wanted)
        let cases = [
            (30.0, 20.0),
            (30.0, 29.97),
            (30.0, 30.0),
            (30.0, 15.0),
            (30.0, 1.0),
            (60.0, 25.0),
            (60.0, 59.94),
            (60.0, 30.0),
            (29.97, 25.0),
            (240.0, 7.5),
            (50.0, 49.0),
        ];
        for (camera_fps, wanted) in cases {
            for jitter in [0.0, 0.2, 0.45] {
                let times = camera(camera_fps, 600.0, jitter, 42);
                let count = admitted(wanted, &times).len() as f64;
                let off = count - wanted * 600.0;
                assert!(off.abs() <= 2.0, "{camera_fps} to {wanted}, jitter {jitter}: {off} frames off");
            }
        }
    }

    #[test]
    fn a_slower_camera_loses_nothing() {
        for (camera_fps, wanted) in [(25.0, 30.0), (29.97, 30.0), (1.0, 240.0), (30.0, 30.0)] {
            let times = camera(camera_fps, 120.0, 0.0, 7);
            assert_eq!(admitted(wanted, &times).len(), times.len(), "{camera_fps} to {wanted}");
        }
    }

    #[test]
    fn jitter_does_not_upset_the_rhythm() {
        let times = camera(60.0, 60.0, 0.2, 3);
        let taken = admitted(30.0, &times);
        for pair in taken.windows(2) {
            let gap = (pair[1] - pair[0]) as f64;
            assert!((25_000.0..=42_000.0).contains(&gap), "gap of {gap} us");
        }
    }

    #[test]
    fn a_gap_is_not_made_up_for() {
        let mut times = camera(60.0, 2.0, 0.0, 1);
        let restart = times.last().copied().unwrap() + 10_000_000;
        times.extend((0..120).map(|n| restart + n * 16_667));
        let taken = admitted(20.0, &times);
        for pair in taken.windows(2) {
            assert!(pair[1] - pair[0] >= 33_000, "{} us apart", pair[1] - pair[0]);
        }
        assert_eq!(taken.iter().filter(|&&at| at >= restart).count(), 40);
    }

    #[test]
    fn a_clock_that_jumps_back_does_not_shut_the_stream_off() {
        let mut limiter = FrameLimiter::new(30.0);
        assert!(limiter.admit(Instant::from_micros(900_000_000)));
        assert!(limiter.admit(Instant::from_micros(1_000_000)));
        assert!(!limiter.admit(Instant::from_micros(1_001_000)));
        assert!(limiter.admit(Instant::from_micros(1_034_000)));
    }

    #[test]
    fn rates_without_sense_are_bounded() {
        for fps in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            let mut limiter = FrameLimiter::new(fps);
            assert!(limiter.admit(Instant::ORIGIN), "{fps}");
            limiter.admit(Instant::from_micros(u64::MAX));
        }
    }

    proptest! {
        /// Whatever the two rates and the jitter: as many frames as wanted, as the camera can give.
        #[test]
        fn any_pair_of_rates_keeps_the_average(
            camera_fps in 2.0f64..240.0,
            share in 0.02f64..1.0,
            jitter in 0.0f64..0.49,
            seed in any::<u64>(),
        ) {
            let wanted = (camera_fps * share).max(MIN_FPS);
            let times = camera(camera_fps, 2000.0 / camera_fps, jitter, seed);
            let seconds = times.len() as f64 / camera_fps;
            let taken = admitted(wanted, &times);
            let expected = seconds * wanted;
            // Near the camera's own rate, jitter can make the last few frames come out either way.
            prop_assert!((taken.len() as f64 - expected).abs() <= 3.0, "{} of {expected}", taken.len());
        }

        /// Never more than the rate allows in any span, whatever the capture times are.
        #[test]
        fn no_burst_from_any_times(gaps in proptest::collection::vec(0u64..200_000, 1..400)) {
            let mut now = 1_000_000;
            let times: Vec<u64> = gaps.iter().map(|gap| { now += gap; now }).collect();
            let taken = admitted(20.0, &times);
            for (first, &from) in taken.iter().enumerate() {
                for (count, &to) in taken[first..].iter().enumerate() {
                    let allowed = (to - from) as f64 / 50_000.0 + 3.5;
                    prop_assert!(count as f64 <= allowed, "{count} more frames in {} us", to - from);
                }
            }
        }
    }
}
