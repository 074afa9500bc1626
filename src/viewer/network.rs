//! The network's side of the viewer: from where frames come to where they go, in one loop.
//!
//! | file | what lives there |
//! |---|---|
//! | `feed` | where frames come from, one of two |
//! | `shared` | a stream under a shared key |
//! | `paired`, `multicast` | a paired camera, and its multicast group |
//! | `inlet` | from whole frames to the outlets |

mod feed;
mod inlet;
mod multicast;
mod paired;
mod shared;

use std::io::Stderr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::config::ViewConfig;
use super::figures::Report;
use super::outlets::{Outlets, State};
use super::window::{View, WindowHandle};
use crate::clock;
use crate::exit::RunError;
use crate::live::LiveText;
use crate::net::Other;
use crate::time::{Duration, Instant};
use inlet::Inlet;

pub use feed::Feed;
pub use paired::PairedFeed;
pub use shared::SharedFeed;

/// How often words and figures are brought up to date.
const REFRESH: Duration = Duration::from_millis(250);
const STATS_INTERVAL: Duration = Duration::from_secs(1);
/// Batches that are taken before anything else has its turn: a flood must not make the program deaf.
const BATCHES: u32 = 32;
/// What is due has been done before each wait: nothing is due again sooner than this.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// What the window's thread asks of the network's.
#[derive(Debug, Default)]
pub struct Requests {
    quit: AtomicBool,
    snapshot: AtomicBool,
}

impl Requests {
    /// End soon.
    pub fn quit(&self) {
        self.quit.store(true, Ordering::Release);
    }

    /// Save a picture.
    pub fn snapshot(&self) {
        self.snapshot.store(true, Ordering::Release);
    }
}

/// Receives until it is told to end.
pub struct Network {
    feed: Feed,
    inlet: Inlet,
    window: Option<WindowHandle>,
    requests: Arc<Requests>,
    live: Option<LiveText<Stderr>>,
    #[cfg(target_os = "linux")]
    signals: crate::signals::Signals,
    timeout: Option<Duration>,
    refresh_at: Instant,
    stats_at: Instant,
}

/// Why the loop ends.
enum End {
    Done,
    TimedOut,
}

impl Network {
    /// Opens everything that `config` asks for; `open` the feed.
    ///
    /// # Errors
    ///
    /// [`RunError`] with a sentence that names the mend.
    pub fn start(
        config: &ViewConfig,
        open: impl FnOnce(Instant) -> Result<Feed, RunError>,
        window: Option<WindowHandle>,
        requests: Arc<Requests>,
        live: LiveText<Stderr>,
    ) -> Result<Self, RunError> {
        // Before there are other threads, which are to leave signals alone.
        #[cfg(target_os = "linux")]
        let signals = {
            use nix::sys::signal::Signal;
            crate::signals::Signals::hold(&[Signal::SIGINT, Signal::SIGTERM]).map_err(RunError::failed)?
        };
        let now = clock::now();
        let feed = open(now)?;
        let outlets = Outlets::open(config, window.clone())?;
        Ok(Self {
            feed,
            inlet: Inlet::new(outlets, config.frames, now),
            live: window.is_none().then_some(live),
            window,
            requests,
            #[cfg(target_os = "linux")]
            signals,
            timeout: config.timeout,
            refresh_at: now,
            stats_at: now + STATS_INTERVAL,
        })
    }

    /// Receives until enough frames have come, nobody is left to receive for, or something says stop.
    ///
    /// # Errors
    ///
    /// [`RunError`] if no frame came in time, or an outlet has failed.
    pub fn run(mut self) -> Result<(), RunError> {
        let end = self.receive();
        if let Some(live) = &mut self.live {
            live.finish();
        }
        let now = clock::now();
        // First of all: the report counts what has been written.
        self.inlet.outlets.close();
        let report = self.report(now);
        log::info!("{report}");
        if self.inlet.outlets.wants_lines() {
            self.inlet.outlets.line(&report.json(self.feed.identity(), true));
        }
        if let Some(window) = &self.window {
            window.close();
        }
        let outcome = end.and_then(|end| match end {
            End::Done => Ok(()),
            End::TimedOut => {
                let why = self.feed.trouble(now);
                let why = why.unwrap_or_else(|| "datagrams arrive, but no frame becomes whole".into());
                let waited = now.since(self.inlet.last_frame()).as_secs_f64();
                Err(RunError::Failed(format!("no frame for {waited:.1} s: {why}")))
            }
        });
        self.feed.finish(now);
        outcome.and(self.inlet.outlets.finish())
    }

    fn receive(&mut self) -> Result<End, RunError> {
        let mut signalled = false;
        loop {
            let now = clock::now();
            if self.is_told_to_end(signalled)? {
                return Ok(End::Done);
            }
            if self.timeout.is_some_and(|limit| now.since(self.inlet.last_frame()) >= limit) {
                return Ok(End::TimedOut);
            }
            if now >= self.refresh_at {
                self.refresh_at = now + REFRESH;
                if self.refresh(now)? == State::Closed {
                    return Ok(End::Done);
                }
            }
            self.feed.speak(now);
            let wake = self.feed.next_wake().map_or(self.refresh_at, |at| at.min(self.refresh_at));
            let timeout = wake.since(now).max(SHORTEST_WAIT);
            let ready = self.feed.wait(timeout, self.also()).map_err(RunError::failed)?;
            signalled = ready.also;
            if ready.media && self.take_all()? {
                return Ok(End::Done);
            }
        }
    }

    /// Takes what has arrived. Returns whether enough frames have come.
    fn take_all(&mut self) -> Result<bool, RunError> {
        for _ in 0..BATCHES {
            let taken = self.feed.receive(clock::now(), &mut self.inlet).map_err(RunError::failed)?;
            if taken == 0 || self.inlet.has_enough() {
                break;
            }
        }
        Ok(self.inlet.has_enough())
    }

    fn is_told_to_end(&self, signalled: bool) -> Result<bool, RunError> {
        #[cfg(not(target_os = "linux"))]
        let _ = signalled;
        #[cfg(target_os = "linux")]
        if signalled && let Some(signal) = self.signals.next().map_err(RunError::failed)? {
            log::info!("{signal}: stopping");
            return Ok(true);
        }
        Ok(self.requests.quit.load(Ordering::Acquire))
    }

    #[cfg(target_os = "linux")]
    #[allow(clippy::unnecessary_wraps, reason = "other systems have nothing else to wait for")]
    fn also(&self) -> Option<Other<'_>> {
        Some(self.signals.as_fd())
    }

    #[cfg(not(target_os = "linux"))]
    fn also(&self) -> Option<Other<'_>> {
        None
    }

    /// Everything that is done a few times a second.
    fn refresh(&mut self, now: Instant) -> Result<State, RunError> {
        if self.requests.snapshot.swap(false, Ordering::AcqRel) {
            self.inlet.outlets.save();
        }
        self.feed.tend(now)?;
        let report = self.report(now);
        if let Some(live) = &mut self.live {
            live.show(now, || report.to_string());
        }
        let identity = self.feed.identity();
        if let Some(window) = &self.window {
            window.tell(View { trouble: self.feed.trouble(now), rows: report.rows(identity) });
        }
        if now >= self.stats_at {
            self.stats_at = now + STATS_INTERVAL;
            if self.inlet.outlets.wants_lines() {
                self.inlet.outlets.line(&report.json(identity, false));
            }
        }
        Ok(self.inlet.outlets.tend())
    }

    fn report(&self, now: Instant) -> Report {
        self.inlet.report(now, self.feed.totals())
    }
}

/// Datagrams lost to a full receive buffer, which is told once.
#[derive(Default)]
struct Overflow(bool);

impl Overflow {
    fn tell(&mut self, lost: u64) {
        if lost > 0 && !std::mem::replace(&mut self.0, true) {
            log::warn!(
                "{lost} datagrams were lost because the receive buffer was full: this machine is too slow, or the \
                 buffer too small"
            );
        }
    }
}
