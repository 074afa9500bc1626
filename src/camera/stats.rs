//! Figures of a running camera: for people on a line, for programs as JSON.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use heapless::{HistoryBuf, String as Line};
use serde::{Deserialize, Serialize};

use super::pipeline::PipelineCounters;
use super::source::Drops;
use crate::net::SendCounters;
use crate::outlet::lines::LineOutput;
use crate::proto::sender::SenderCounters;
use crate::time::{Duration, Instant};

/// Frames over which percentiles are taken.
const RECENT: usize = 256;

/// Times of recent frames, for percentiles.
#[derive(Debug, Default)]
pub struct Latencies {
    recent: HistoryBuf<u32, RECENT>,
}

/// The median and the 99th percentile, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Percentiles {
    /// Half of the frames took no longer.
    pub p50: u32,
    /// 99 of 100 frames took no longer.
    pub p99: u32,
}

impl Latencies {
    /// Adds one frame's time.
    pub fn add(&mut self, took: Duration) {
        self.recent.write(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    /// Over the last 256 frames; `None` before the first.
    #[must_use]
    pub fn percentiles(&self) -> Option<Percentiles> {
        if self.recent.is_empty() {
            return None;
        }
        let mut sorted = [0; RECENT];
        let sorted = &mut sorted[..self.recent.len()];
        for (to, from) in sorted.iter_mut().zip(self.recent.oldest_ordered()) {
            *to = *from;
        }
        sorted.sort_unstable();
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
            sorted.get(rank).copied().unwrap_or(0)
        };
        Some(Percentiles { p50: at(50), p99: at(99) })
    }
}

/// Where the time of a frame goes, each stage counted from the capture time.
#[derive(Debug, Default)]
pub struct Stages {
    /// Until the frame was taken from the source.
    pub taken: Latencies,
    /// Until it was encoded if need be, and sealed.
    pub sealed: Latencies,
    /// Until its last datagram was handed to the network.
    pub sent: Latencies,
}

impl Stages {
    /// Over the last 256 frames: taken, sealed, sent.
    #[must_use]
    pub fn percentiles(&self) -> [Option<Percentiles>; 3] {
        [&self.taken, &self.sealed, &self.sent].map(Latencies::percentiles)
    }
}

/// All figures at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Time since the stream began.
    pub running: Duration,
    /// Frames that the frame rate limit left out.
    pub limited: u64,
    /// Notices (NO SIGNAL) among the frames sent.
    pub notices: u64,
    /// Frames that the network did not take, as a whole or in part.
    pub abandoned: u64,
    /// What the source dropped.
    pub drops: Drops,
    /// How frames were made ready.
    pub pipeline: PipelineCounters,
    /// Frames and datagrams sealed.
    pub sender: SenderCounters,
    /// What the network took.
    pub network: SendCounters,
    /// From capture to taken, sealed, sent.
    pub stages: [Option<Percentiles>; 3],
}

impl Figures {
    /// What the figures were at the start.
    #[must_use]
    pub fn zero(&self) -> Self {
        Self {
            running: Duration::ZERO,
            abandoned: 0,
            sender: SenderCounters::default(),
            network: SendCounters::default(),
            ..*self
        }
    }

    /// One line for people; rates are those since `before`.
    #[must_use]
    pub fn line(&self, before: &Self) -> Line<192> {
        let (fps, megabits) = self.rates(before);
        let dropped = self.dropped();
        let mut line = Line::new();
        let sent = self.sent();
        // What does not fit is cut off; nothing depends on it.
        let _ = write!(line, "{fps:5.1} fps  {megabits:6.2} Mbit/s  frames {sent}  dropped {dropped}");
        if let Some(Percentiles { p50, p99 }) = self.stages[2] {
            let millis = |micros: u32| f64::from(micros) / 1e3;
            let _ = write!(line, "  capture to sent {:.1} ms (p99 {:.1})", millis(p50), millis(p99));
        }
        line
    }

    /// Frames and megabits per second since `before`.
    #[must_use]
    pub fn rates(&self, before: &Self) -> (f64, f64) {
        let seconds = (self.running - before.running).as_secs_f64().max(1e-3);
        let fps = self.sent().saturating_sub(before.sent()) as f64 / seconds;
        (fps, (self.network.bytes - before.network.bytes) as f64 * 8e-6 / seconds)
    }

    /// Frames that the network took whole, or is about to.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sender.frames.saturating_sub(self.abandoned)
    }

    /// Frames lost for any reason but the rate limit and newer frames.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        let Drops { flagged, empty, truncated, malformed, oversized, .. } = self.drops;
        let here = self.pipeline.failed + self.pipeline.oversized + self.abandoned;
        flagged + empty + truncated + malformed + oversized + here
    }

    /// Appends one JSON object without a line break.
    pub fn write_json(&self, line: &mut Vec<u8>, last: bool) {
        // Numbers under fixed names, into memory: there is nothing in it that can fail.
        serde_json::to_writer(line, &self.json(last)).ok();
    }

    /// All of them by name.
    #[must_use]
    pub fn json(&self, last: bool) -> Json {
        let [capture_to_taken_us, capture_to_sealed_us, capture_to_sent_us] = self.stages;
        Json {
            seconds: self.running.as_secs_f64(),
            last,
            frames: self.sender.frames,
            frame_bytes: self.sender.frame_bytes,
            passed_through: self.pipeline.passed_through,
            requantised: self.pipeline.requantised,
            encoded: self.pipeline.encoded,
            notices: self.notices,
            limited: self.limited,
            failed: self.pipeline.failed,
            dropped: Drops { oversized: self.drops.oversized + self.pipeline.oversized, ..self.drops },
            datagrams: self.network.datagrams,
            datagram_bytes: self.network.bytes,
            frames_abandoned: self.abandoned,
            datagrams_abandoned: self.sender.abandoned,
            network: JsonNetwork {
                system_calls: self.network.system_calls,
                segmented: self.network.segmented,
                blocked: self.network.blocked,
                refused: self.network.refused,
                too_large: self.network.too_large,
                unreachable: self.network.unreachable,
                reopened: self.network.reopened,
            },
            capture_to_taken_us,
            capture_to_sealed_us,
            capture_to_sent_us,
        }
    }
}

/// A line of `--stats-json`. Counts are totals since the start.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as the counters that they come from")]
pub struct Json {
    pub seconds: f64,
    /// The last line of a run.
    pub last: bool,
    /// Sealed; those of [`Self::frames_abandoned`] did not leave whole.
    pub frames: u64,
    pub frame_bytes: u64,
    pub passed_through: u64,
    pub requantised: u64,
    pub encoded: u64,
    pub notices: u64,
    pub limited: u64,
    pub failed: u64,
    pub dropped: Drops,
    pub datagrams: u64,
    pub datagram_bytes: u64,
    pub frames_abandoned: u64,
    pub datagrams_abandoned: u64,
    pub network: JsonNetwork,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture_to_taken_us: Option<Percentiles>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture_to_sealed_us: Option<Percentiles>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture_to_sent_us: Option<Percentiles>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as the counters that they come from")]
pub struct JsonNetwork {
    pub system_calls: u64,
    pub segmented: u64,
    pub blocked: u64,
    pub refused: u64,
    pub too_large: u64,
    pub unreachable: u64,
    pub reopened: u64,
}

/// Opens what `--stats-json` names, replacing what is there; `-` is standard output.
///
/// Before signals are held back: to open a pipe that nobody reads waits, and must be interruptible.
///
/// # Errors
///
/// The name, and why it cannot be written.
pub fn open(path: &Path) -> Result<StatsTarget, String> {
    let name = path.display().to_string();
    let out: Box<dyn Write + Send> = if name == "-" {
        Box::new(io::stdout())
    } else {
        Box::new(File::create(path).map_err(|why| format!("{name}: {why}"))?)
    };
    Ok(StatsTarget { name, out })
}

/// An open file or pipe for figures.
pub struct StatsTarget {
    name: String,
    out: Box<dyn Write + Send>,
}

impl StatsTarget {
    /// Starts the thread that writes, so that a reader that does not read holds nothing up.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(self) -> io::Result<LineOutput> {
        LineOutput::start(&self.name, self.out)
    }
}

/// When the next figures are due.
#[derive(Debug)]
pub struct Ticker {
    interval: Duration,
    due: Instant,
}

impl Ticker {
    /// Every `interval` from `now` on.
    #[must_use]
    pub fn new(now: Instant, interval: Duration) -> Self {
        Self { interval, due: now + interval }
    }

    /// When it is due.
    #[must_use]
    pub const fn due(&self) -> Instant {
        self.due
    }

    /// Whether it is due, once; missed ticks are left out.
    pub fn tick(&mut self, now: Instant) -> bool {
        let due = now >= self.due;
        if due {
            self.due = now + self.interval;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_last_frames() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentiles(), None);
        latencies.add(Duration::from_micros(7));
        assert_eq!(latencies.percentiles(), Some(Percentiles { p50: 7, p99: 7 }));
        for micros in 0..10_000 {
            latencies.add(Duration::from_micros(micros));
        }
        assert_eq!(latencies.percentiles(), Some(Percentiles { p50: 9_744 + 127, p99: 9_744 + 253 }));
    }

    #[test]
    fn a_late_tick_is_not_made_up_for() {
        let start = Instant::from_millis(5_000);
        let mut ticker = Ticker::new(start, Duration::from_secs(1));
        assert!(!ticker.tick(start + Duration::from_millis(999)));
        assert!(ticker.tick(start + Duration::from_millis(3_500)));
        assert!(!ticker.tick(start + Duration::from_millis(3_600)));
        assert_eq!(ticker.due(), start + Duration::from_millis(4_500));
    }
}
