//! Counts and rates, from plain events; time is an argument.

use super::frame::Stamp;
use crate::time::{Duration, Instant};
use serde::Serialize;
use std::collections::VecDeque;

/// Totals since the start that the receiver of the stream keeps itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Datagrams received, good or not.
    pub datagrams: u64,
    /// Bytes of UDP payload in them.
    pub bytes: u64,
    /// Frames given up because datagrams of theirs never came.
    pub incomplete: u64,
    /// Datagrams of frames that had been handed over, or overtaken by newer ones.
    pub late: u64,
    /// Datagrams whose seal does not fit the key: another key, or altered on the way.
    pub forged: u64,
    /// Datagrams that had been received before.
    pub replayed: u64,
    /// Datagrams of streams older than one that was seen: recordings.
    pub stale: u64,
    /// Datagrams of another camera with the same key.
    pub other_stream: u64,
    /// Datagrams that are not of this protocol or version, or contradict each other.
    pub malformed: u64,
    /// Datagrams under the camera's media key that are not what the camera has signed: of another viewer.
    pub not_signed: u64,
    /// Datagrams that the kernel dropped because the receive buffer was full.
    pub overflowed: u64,
}

/// What came of the frames at the outlets, totals since the start; 0 where there is no such outlet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct OutletTotals {
    /// Frames shown in the window.
    pub shown: u64,
    /// Frames written into the recording.
    pub recorded: u64,
    /// Frames left out of the recording because the disk was too slow.
    pub record_dropped: u64,
    /// Frames written to standard output.
    pub piped: u64,
    /// Frames not written to standard output because its reader was too slow.
    pub pipe_dropped: u64,
}

/// Follows the frames of a stream.
#[derive(Debug)]
pub struct Figures {
    started: Instant,
    whole: u64,
    notices: u64,
    damaged: u64,
    picture_bytes: u64,
    size: Option<(u16, u16)>,
    jitter: Jitter,
    recent: Recent,
}

impl Figures {
    /// Nothing seen yet; `now` is the start that the report's seconds count from.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            started: now,
            whole: 0,
            notices: 0,
            damaged: 0,
            picture_bytes: 0,
            size: None,
            jitter: Jitter::default(),
            recent: Recent { frames: VecDeque::with_capacity(RECENT_FRAMES) },
        }
    }

    /// A whole frame of `bytes` bytes and `size` pixels. The last argument is without effect.
    pub fn frame(&mut self, stamp: &Stamp, bytes: usize, size: (u16, u16)) {
        self.whole += 1;
        self.picture_bytes += bytes as u64;
        self.size = Some(size);
        self.jitter.frame(stamp);
        self.recent.push(Arrival { at: stamp.arrived, bytes });
    }

    /// The whole frame that was told last is a notice of the camera: NO SIGNAL.
    pub fn notice(&mut self) {
        self.notices += 1;
    }

    /// A whole frame whose bytes are no JPEG image.
    pub fn damaged(&mut self) {
        self.damaged += 1;
    }

    /// Whole frames so far, damaged ones not counted.
    #[must_use]
    pub fn whole(&self) -> u64 {
        self.whole
    }

    /// The state of things at `now`.
    #[must_use]
    pub fn report(&self, now: Instant, totals: Totals, outlets: OutletTotals) -> Report {
        let (rate, bits) = self.recent.rates(now);
        Report {
            seconds: now.since(self.started).as_secs_f64(),
            fps: rate,
            mbit_per_s: bits / 1e6,
            jitter_ms: self.jitter.micros / 1e3,
            width: self.size.map_or(0, |(width, _)| width),
            height: self.size.map_or(0, |(_, height)| height),
            whole: self.whole,
            notices: self.notices,
            damaged: self.damaged,
            picture_bytes: self.picture_bytes,
            totals,
            outlets,
        }
    }
}

/// The figures at one moment: what the terminal, the overlay and the statistics file show.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Report {
    /// Since the start.
    pub seconds: f64,
    /// Whole frames a second, over the last [`WINDOW`].
    pub fps: f64,
    /// Megabits a second in whole frames (JPEG bytes only), over the last [`WINDOW`].
    pub mbit_per_s: f64,
    /// Interarrival jitter of whole frames as in RFC 3550 section 6.4.1, in milliseconds.
    pub jitter_ms: f64,
    /// Of the newest frame, in pixels; 0 before the first.
    pub width: u16,
    /// Of the newest frame, in pixels; 0 before the first.
    pub height: u16,
    /// Whole frames.
    pub whole: u64,
    /// Notices (NO SIGNAL) among them.
    pub notices: u64,
    /// Whole frames that are no JPEG image.
    pub damaged: u64,
    /// Bytes in whole frames.
    pub picture_bytes: u64,
    /// The receiver's totals.
    #[serde(flatten)]
    pub totals: Totals,
    /// The outlets' totals.
    #[serde(flatten)]
    pub outlets: OutletTotals,
}

/// Interarrival jitter: how unevenly frames arrive, compared with how they were captured.
///
/// [RFC 3550] section 6.4.1: `J += (|D| - J) / 16`, where `D` is the difference between the
/// spacing of two frames on arrival and at capture. The two clocks need not agree.
///
/// [RFC 3550]: https://www.rfc-editor.org/rfc/rfc3550#section-6.4.1
#[derive(Debug, Default)]
struct Jitter {
    micros: f64,
    last: Option<Stamp>,
}

impl Jitter {
    fn frame(&mut self, stamp: &Stamp) {
        if let Some(last) = self.last.filter(|last| last.stream == stamp.stream) {
            let arrival = stamp.arrived.as_micros() as f64 - last.arrived.as_micros() as f64;
            let capture = stamp.captured.as_micros() as f64 - last.captured.as_micros() as f64;
            self.micros += ((arrival - capture).abs() - self.micros) / 16.0;
        }
        self.last = Some(*stamp);
    }
}

#[derive(Debug, Clone, Copy)]
struct Arrival {
    at: Instant,
    bytes: usize,
}

/// The last frames, for rates.
#[derive(Debug)]
struct Recent {
    /// At most [`RECENT_FRAMES`], oldest first.
    frames: VecDeque<Arrival>,
}

impl Recent {
    fn push(&mut self, arrival: Arrival) {
        while self.frames.len() >= RECENT_FRAMES
            || self.frames.front().is_some_and(|oldest| arrival.at.since(oldest.at) > WINDOW)
        {
            self.frames.pop_front();
        }
        self.frames.push_back(arrival);
    }

    fn within(&self, now: Instant) -> impl Iterator<Item = &Arrival> {
        self.frames.iter().filter(move |frame| now.since(frame.at) <= WINDOW)
    }

    /// Frames and bits a second: what came after the first frame, over the time that it took.
    fn rates(&self, now: Instant) -> (f64, f64) {
        let mut frames = self.within(now);
        let Some(first) = frames.next() else { return (0.0, 0.0) };
        let (mut count, mut bytes, mut last) = (0_u32, 0_u64, first.at);
        for frame in frames {
            count += 1;
            bytes += frame.bytes as u64;
            last = frame.at;
        }
        if count == 0 {
            return (0.0, 0.0);
        }
        let span = last.since(first.at);
        // A frame that is overdue counts against the rate: it falls as soon as the stream stops.
        let overdue = now.since(last).saturating_sub(span / count);
        let seconds = (span + overdue).as_secs_f64().max(1e-3);
        (f64::from(count) / seconds, bytes as f64 * 8.0 / seconds)
    }
}

/// What the rates are taken over.
pub const WINDOW: Duration = Duration::from_secs(2);
/// The most frames that the rates are taken over: 2 s at 250 a second.
const RECENT_FRAMES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(number: u64, captured_ms: u64, arrived_ms: u64) -> Stamp {
        Stamp {
            stream: [1; 12],
            number,
            captured: Duration::from_millis(captured_ms),
            arrived: Instant::from_millis(arrived_ms),
        }
    }

    fn report(figures: &Figures, at_ms: u64) -> Report {
        figures.report(Instant::from_millis(at_ms), Totals::default(), OutletTotals::default())
    }

    #[test]
    fn rates_follow_the_stream() {
        // (ms between frames, bytes, frames, ms after the last frame, fps, Mbit/s)
        let cases = [
            (40, 50_000, 100, 0, 25.0, 10.0),
            (40, 50_000, 100, 40, 25.0, 10.0), // the next one is due, not missing
            (40, 50_000, 100, 1040, 24.0 / 1.96, 24.0 * 0.4 / 1.96),
            (40, 50_000, 100, 3000, 0.0, 0.0),
            (500, 1000, 10, 0, 2.0, 0.016),
            (40, 50_000, 1, 0, 0.0, 0.0),     // one frame has no rate
            (1, 100, 10_000, 0, 1000.0, 0.8), // more than are remembered
        ];
        for (every, bytes, count, after, fps, mbit) in cases {
            let mut figures = Figures::new(Instant::ORIGIN);
            for n in 0..count {
                figures.frame(&stamp(n, n * every, 7 + n * every), bytes, (8, 8));
            }
            let report = report(&figures, 7 + (count - 1) * every + after);
            assert!((report.fps - fps).abs() < 1e-6, "{every} ms: {} fps", report.fps);
            assert!((report.mbit_per_s - mbit).abs() < 1e-6, "{every} ms: {} Mbit/s", report.mbit_per_s);
            assert_eq!(report.whole, count);
            assert_eq!(report.picture_bytes, count * bytes as u64);
        }
    }

    #[test]
    fn jitter_is_that_of_rfc_3550() {
        // (captured, arrived, jitter in ms after it)
        let steps = [
            (0, 1000, 0.0),
            (33, 1033, 0.0),
            (66, 1082, 1.0),                        // 16 ms late: 16/16
            (100, 1100, 1.0 + (16.0 - 1.0) / 16.0), // 16 ms less than that
            (133, 1133, 1.9375 - 1.9375 / 16.0),
        ];
        let mut figures = Figures::new(Instant::ORIGIN);
        for (n, (captured, arrived, jitter)) in (0..).zip(steps) {
            figures.frame(&stamp(n, captured, arrived), 1, (8, 8));
            let got = report(&figures, arrived).jitter_ms;
            assert!((got - jitter).abs() < 1e-9, "frame {n}: {got}, not {jitter}");
        }
        // A new stream has another origin: its first frame says nothing.
        let other = Stamp { stream: [2; 12], ..stamp(5, 0, 9999) };
        figures.frame(&other, 1, (8, 8));
        assert!((report(&figures, 9999).jitter_ms - 1.816_406_25).abs() < 1e-9);
    }

    #[test]
    fn totals_and_size_pass_through() {
        let mut figures = Figures::new(Instant::from_millis(500));
        figures.frame(&stamp(0, 0, 600), 10, (640, 360));
        figures.frame(&stamp(1, 10, 610), 10, (1280, 720));
        figures.damaged();
        let totals = Totals { forged: 3, replayed: 4, ..Totals::default() };
        let report = figures.report(Instant::from_millis(1500), totals, OutletTotals::default());
        assert_eq!((report.width, report.height), (1280, 720));
        assert_eq!((report.whole, report.damaged), (2, 1));
        assert_eq!((report.totals.forged, report.totals.replayed), (3, 4));
        assert!((report.seconds - 1.0).abs() < 1e-9);
    }
}
