//! Tells how the stream goes: on a line of the terminal, now and then in the log, as JSON for programs.

use std::io::Stderr;

use super::spelling::Spelling;
use super::stats::{Figures, StatsTarget, Ticker};
use crate::exit::RunError;
use crate::live::LiveText;
use crate::outlet::lines::{LineOutput, OutputEnd};
use crate::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(1);
/// Between lines about figures where nobody watches a terminal.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Where figures go. Nothing here waits for a reader.
pub struct Reporter {
    tick: Ticker,
    log: Ticker,
    live: Option<LiveText<Stderr>>,
    /// What the place for the figures is called.
    name: String,
    lines: Option<LineOutput>,
    before: Option<Figures>,
    /// Those of the last two seconds.
    recent: [Option<Figures>; 2],
    /// The stream goes on without its figures, but that is no success.
    failure: Option<RunError>,
}

impl Reporter {
    /// From `now` on; `live` is a terminal's line, if standard error is one.
    ///
    /// # Errors
    ///
    /// If the system gives no thread to write with.
    pub fn start(
        now: Instant,
        target: Option<StatsTarget>,
        live: Option<LiveText<Stderr>>,
        spelling: Spelling,
    ) -> Result<Self, RunError> {
        Ok(Self {
            tick: Ticker::new(now, INTERVAL),
            log: Ticker::new(now, LOG_INTERVAL),
            live,
            name: spelling.retell("--stats-json"),
            lines: target.map(StatsTarget::start).transpose().map_err(RunError::failed)?,
            before: None,
            recent: [None; 2],
            failure: None,
        })
    }

    /// When there is something to tell next.
    #[must_use]
    pub const fn due(&self) -> Instant {
        self.tick.due()
    }

    /// Whether there is something to tell, once a second.
    pub fn tick(&mut self, now: Instant) -> bool {
        self.tick.tick(now)
    }

    /// Tells `figures`.
    pub fn tell(&mut self, now: Instant, figures: &Figures) {
        self.recent = [self.recent[1], Some(*figures)];
        let since = self.before.unwrap_or(figures.zero());
        if let Some(live) = &mut self.live {
            live.show(now, || figures.line(&since).as_str().to_owned());
            self.before = Some(*figures);
        } else if self.log.tick(now) {
            log::info!("{}", figures.line(&since));
            self.before = Some(*figures);
        }
        if let Some(lines) = &self.lines {
            lines.offer(|line| figures.write_json(line, false));
        }
        if let Some(end) = self.lines.as_ref().and_then(LineOutput::ended) {
            self.lines = None;
            self.ended(&end);
        }
    }

    /// Frames and megabits a second up to `now`, over the last second or two.
    #[must_use]
    pub fn rates(&self, now: &Figures) -> (f64, f64) {
        self.recent[0].or(self.recent[1]).map_or((0.0, 0.0), |before| now.rates(&before))
    }

    /// Tells `figures` for the last time.
    ///
    /// # Errors
    ///
    /// Why not all figures were written.
    pub fn finish(mut self, figures: &Figures) -> Result<(), RunError> {
        if let Some(live) = &mut self.live {
            live.finish();
        }
        if let Some(lines) = self.lines.take() {
            lines.offer(|line| figures.write_json(line, true));
            self.ended(&lines.finish());
        }
        self.failure.map_or(Ok(()), Err)
    }

    fn ended(&mut self, end: &OutputEnd) {
        let name = &self.name;
        match end {
            OutputEnd::Complete => {}
            OutputEnd::ReaderGone => log::info!("{name}: {end}; no more figures are written"),
            OutputEnd::ReaderStuck | OutputEnd::Failed { .. } => {
                log::error!("{name}: {end}; no more figures are written");
                self.failure = Some(RunError::Failed(format!("{name}: {end}")));
            }
        }
    }
}
