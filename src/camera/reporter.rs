//! Tells what a stream does: a line for people now and then, a line of JSON every second.

use std::io::IsTerminal;

use super::config::StreamConfig;
use super::stats::{Figures, StatsFile, Ticker};
use super::streaming::Streaming;
use crate::exit::RunError;
use crate::time::{Duration, Instant};

const STATS_INTERVAL: Duration = Duration::from_secs(1);
/// Between lines about figures where nobody watches a terminal.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// What is told of a stream, and when.
pub struct Reporter {
    stats: Ticker,
    file: Option<StatsFile>,
    log: Ticker,
    terminal: bool,
    /// The figures of the last line.
    before: Option<Figures>,
    /// Those of the last two seconds.
    recent: [Option<Figures>; 2],
}

impl Reporter {
    /// Opens the file for figures, if one is asked for.
    ///
    /// # Errors
    ///
    /// [`RunError::Usage`] if it cannot be written.
    pub fn new(config: &StreamConfig, now: Instant) -> Result<Self, RunError> {
        let file = config.stats_json.as_deref().map(StatsFile::open).transpose();
        Ok(Self {
            stats: Ticker::new(now, STATS_INTERVAL),
            file: file.map_err(|why| RunError::usage(format!("--stats-json: {why}")))?,
            log: Ticker::new(now, LOG_INTERVAL),
            terminal: std::io::stderr().is_terminal(),
            before: None,
            recent: [None; 2],
        })
    }

    /// When [`Reporter::report`] next has something to do.
    #[must_use]
    pub const fn due(&self) -> Instant {
        self.stats.due()
    }

    /// Frames and megabits a second, over the last second or two.
    #[must_use]
    pub fn rates(&self, now: &Figures) -> (f64, f64) {
        self.recent[0].or(self.recent[1]).map_or((0.0, 0.0), |before| now.rates(&before))
    }

    /// Tells what is due.
    pub fn report(&mut self, now: Instant, stream: &mut Streaming) {
        if !self.stats.tick(now) {
            return;
        }
        stream.tend(now);
        let figures = stream.figures(now);
        self.recent = [self.recent[1], Some(figures)];
        if self.terminal || self.log.tick(now) {
            let before = self.before.replace(figures);
            log::info!("{}", figures.line(&before.unwrap_or(figures.zero())));
        }
        self.write(&figures, false);
    }

    /// Tells the last figures.
    pub fn finish(&mut self, now: Instant, stream: &Streaming) {
        let figures = stream.figures(now);
        self.write(&figures, true);
        log::info!(
            "sent {} frames ({} passed through) in {} datagrams; dropped {}",
            figures.sender.frames,
            figures.pipeline.passed_through,
            figures.network.datagrams,
            figures.dropped()
        );
    }

    fn write(&mut self, figures: &Figures, last: bool) {
        if let Some(Err(why)) = self.file.as_mut().map(|file| file.write(figures, last)) {
            log::error!("--stats-json: {why}; no more figures are written");
            self.file = None;
        }
    }
}
