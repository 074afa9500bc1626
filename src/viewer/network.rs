//! The network's side of `sealview watch`: socket, receiver and outlets in one loop.

use std::io::Stderr;
use std::mem::{Discriminant, discriminant};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::condition::trouble;
use super::config::WatchConfig;
use super::figures::{Figures, Report, Totals};
use super::frame::{FramePool, Stamp};
use super::listening::Listening;
use super::memory::Memory;
use super::outlets::{Outlets, State};
use super::report::Identity;
use super::window::{View, WindowHandle};
use crate::clock;
use crate::exit::RunError;
use crate::keys::key_file;
use crate::keys::seen::SeenFile;
use crate::keys::state::StateFolder;
use crate::live::LiveText;
use crate::net::Other;
use crate::proto::receiver::{Accepted, Condition, Receiver};
use crate::time::{Duration, Instant};
use crate::wire::MAX_FRAME;

/// How often words and figures are brought up to date.
const REFRESH: Duration = Duration::from_millis(250);
const STATS_INTERVAL: Duration = Duration::from_secs(1);
/// Batches that are taken before anything else has its turn: a flood must not make the program deaf.
const BATCHES: u32 = 32;

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
    at: SocketAddr,
    socket: Listening,
    inlet: Inlet,
    outlets: Outlets,
    memory: Memory,
    window: Option<WindowHandle>,
    requests: Arc<Requests>,
    live: Option<LiveText<Stderr>>,
    #[cfg(target_os = "linux")]
    signals: crate::signals::Signals,
    frames_wanted: Option<u64>,
    timeout: Option<Duration>,
    identity: Identity,
    told: Told,
    refresh_at: Instant,
    stats_at: Instant,
}

/// From datagrams to frames.
struct Inlet {
    receiver: Receiver,
    pool: FramePool,
    spare: Box<[u8]>,
    figures: Figures,
    last_frame: Instant,
}

/// What has been said, and is not said again.
#[derive(Default)]
struct Told {
    condition: Option<Discriminant<Condition>>,
    other_stream: bool,
    stale: bool,
    damaged: bool,
    overflow: u64,
}

/// Why the loop ends.
enum End {
    Done,
    TimedOut,
}

impl Network {
    /// Opens everything that `config` asks for.
    ///
    /// # Errors
    ///
    /// [`RunError`] with a sentence that names the mend.
    pub fn start(
        config: &WatchConfig,
        window: Option<WindowHandle>,
        requests: Arc<Requests>,
        live: LiveText<Stderr>,
    ) -> Result<Self, RunError> {
        #[cfg(target_os = "linux")]
        let signals = {
            use nix::sys::signal::Signal;
            crate::signals::Signals::hold(&[Signal::SIGINT, Signal::SIGTERM]).map_err(RunError::failed)?
        };
        let key = key_file::read(&config.key).map_err(|why| RunError::Usage(format!("--key: {why}")))?;
        let state = StateFolder::open(config.state.as_deref()).map_err(RunError::failed)?;
        let file = SeenFile::new(state, key.fingerprint());
        if config.forget {
            file.forget().map_err(RunError::failed)?;
        }
        let seen = file.load().map_err(RunError::failed)?;
        let at = config.receive.at;
        let now = clock::now();
        let socket = Listening::start(&config.receive, now)?;
        let outlets = Outlets::open(config, window.clone())?;

        let begun = if socket.trouble().is_none() { "listening on" } else { "waiting to listen on" };
        log::info!("{begun} {at}, key {}", key.fingerprint());
        if seen.is_none() {
            log::info!(
                "this key has not been used here before: until a stream has been seen, a recording of an \
                 earlier one cannot be told from the camera"
            );
        }
        let pool = FramePool::new(MAX_FRAME);
        let identity =
            Identity { address: at.to_string(), stream: String::new(), key: key.fingerprint().to_string() };
        Ok(Self {
            at,
            socket,
            inlet: Inlet {
                receiver: Receiver::new(key, MAX_FRAME, seen, now),
                spare: pool.buffer(),
                pool,
                figures: Figures::new(now),
                last_frame: now,
            },
            outlets,
            memory: Memory::start(file, seen)?,
            live: window.is_none().then_some(live),
            window,
            requests,
            #[cfg(target_os = "linux")]
            signals,
            frames_wanted: config.frames,
            timeout: config.timeout,
            identity,
            told: Told::default(),
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
        self.outlets.close();
        let report = self.report(now);
        log::info!("{report}");
        let line = self.outlets.wants_lines().then(|| report.json(&self.identity, true));
        if let Some(line) = line {
            self.outlets.line(&line);
        }
        if let Some(window) = &self.window {
            window.close();
        }
        let outcome = end.and_then(|end| match end {
            End::Done => Ok(()),
            End::TimedOut => {
                let why = self.trouble(self.inlet.receiver.condition(now), now);
                let why = why.unwrap_or_else(|| "datagrams arrive, but no frame becomes whole".into());
                let waited = now.since(self.inlet.last_frame).as_secs_f64();
                Err(RunError::Failed(format!("no frame for {waited:.1} s: {why}")))
            }
        });
        self.memory.finish(self.inlet.receiver.seen());
        outcome.and(self.outlets.finish())
    }

    fn receive(&mut self) -> Result<End, RunError> {
        let mut signalled = false;
        loop {
            let now = clock::now();
            if self.is_told_to_end(signalled)? {
                return Ok(End::Done);
            }
            if self.timeout.is_some_and(|limit| now.since(self.inlet.last_frame) >= limit) {
                return Ok(End::TimedOut);
            }
            if now >= self.refresh_at {
                self.refresh_at = now + REFRESH;
                if self.refresh(now)? == State::Closed {
                    return Ok(End::Done);
                }
            }
            let timeout = self.refresh_at.since(now);
            let ready = self.socket.wait(timeout, self.also()).map_err(RunError::failed)?;
            signalled = ready.also;
            if ready.media && self.take_all()? {
                return Ok(End::Done);
            }
        }
    }

    /// Takes what has arrived. Returns whether enough frames have come.
    fn take_all(&mut self) -> Result<bool, RunError> {
        let Self { socket, inlet, outlets, told, frames_wanted, .. } = self;
        let mut enough = false;
        for _ in 0..BATCHES {
            let now = clock::now();
            let taken = socket.receive(|datagram, _| {
                if !enough && inlet.receiver.handle(now, datagram) == Ok(Accepted::Frame) {
                    inlet.frame(now, outlets, told);
                    enough = frames_wanted.is_some_and(|wanted| inlet.figures.whole() >= wanted);
                }
            });
            if taken.map_err(RunError::failed)? == 0 || enough {
                break;
            }
        }
        Ok(enough)
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
            self.outlets.save();
        }
        let condition = self.inlet.receiver.condition(now);
        self.tell(condition, now);
        let silent = !matches!(condition, Condition::Live(_) | Condition::Lossy(_));
        self.socket.tend(silent, now)?;
        self.memory.note(self.inlet.receiver.seen(), now);
        let report = self.report(now);
        if let Some(live) = &mut self.live {
            live.show(now, || report.to_string());
        }
        if let Some(window) = &self.window {
            window.tell(View { trouble: self.trouble(condition, now), rows: report.rows(&self.identity) });
        }
        if now >= self.stats_at {
            self.stats_at = now + STATS_INTERVAL;
            if self.outlets.wants_lines() {
                self.outlets.line(&report.json(&self.identity, false));
            }
        }
        Ok(self.outlets.tend())
    }

    /// Why there is no picture, or no new one.
    fn trouble(&self, condition: Condition, now: Instant) -> Option<String> {
        self.socket.trouble().map(str::to_owned).or_else(|| trouble(condition, self.at, now))
    }

    /// Says what has changed, once.
    fn tell(&mut self, condition: Condition, now: Instant) {
        let kind = discriminant(&condition);
        let before = self.told.condition.replace(kind);
        match (condition, trouble(condition, self.at, now)) {
            (Condition::Live(stream), _) => {
                let stream = stream.to_string();
                if self.identity.stream != stream {
                    log::info!("stream {stream}");
                    self.identity.stream = stream;
                } else if before != Some(kind) {
                    log::info!("the stream is back");
                }
            }
            // The words may count seconds; the log is told once.
            _ if before == Some(kind) => {}
            (Condition::WrongKey(_) | Condition::Stale { .. }, Some(text)) => log::error!("{text}"),
            (Condition::Lossy(_), Some(text)) => log::warn!("{text}"),
            (_, text) => log::info!("{}", text.unwrap_or_default()),
        }
        if !self.told.other_stream && self.inlet.receiver.counters().other_stream > 0 {
            self.told.other_stream = true;
            log::warn!(
                "another camera sends with the same key to {}: give every camera a key of its own",
                self.at
            );
        }
        if !self.told.stale
            && matches!(condition, Condition::Live(_))
            && self.inlet.receiver.counters().stale_authentic > 0
        {
            self.told.stale = true;
            log::warn!(
                "datagrams of an older stream under the same key arrive too and are refused: a recording, or a \
                 second camera (give every camera a key of its own)"
            );
        }
        let lost = self.socket.counters().lost;
        if lost > self.told.overflow {
            if self.told.overflow == 0 {
                log::warn!(
                    "{lost} datagrams were lost because the receive buffer was full: this machine is too slow, \
                     or the buffer too small"
                );
            }
            self.told.overflow = lost;
        }
    }

    fn report(&self, now: Instant) -> Report {
        let counters = self.inlet.receiver.counters();
        let socket = self.socket.counters();
        let totals = Totals {
            datagrams: counters.datagrams,
            bytes: socket.bytes,
            incomplete: counters.frames_incomplete,
            late: counters.late,
            forged: counters.forged,
            replayed: counters.replayed,
            stale: counters.stale_stream,
            other_stream: counters.other_stream,
            malformed: counters.malformed + counters.unplaced + counters.throttled,
            overflowed: socket.lost,
        };
        self.inlet.figures.report(now, totals, self.outlets.totals())
    }
}

impl Inlet {
    /// A frame has become whole: hands it to the outlets.
    fn frame(&mut self, now: Instant, outlets: &mut Outlets, told: &mut Told) {
        let Some(info) = self.receiver.take_frame(&mut self.spare) else { return };
        let buffer = std::mem::replace(&mut self.spare, self.pool.buffer());
        let stamp = Stamp {
            stream: info.stream.to_bytes(),
            number: u64::from(info.number.0),
            captured: info.captured.since_start(),
            arrived: now,
        };
        match self.pool.adopt(buffer, info.len, stamp) {
            Ok(frame) => {
                let notice = info.flags.is_notice();
                self.last_frame = now;
                self.figures.frame(&stamp, info.len, frame.size());
                if notice {
                    self.figures.notice();
                }
                outlets.frame(&frame, notice);
            }
            Err(defect) => {
                self.figures.damaged();
                if !told.damaged {
                    told.damaged = true;
                    log::warn!("a frame is no JPEG image ({defect}); such frames are left out and counted");
                }
            }
        }
    }
}
