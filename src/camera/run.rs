//! The run loop of a one-way stream: source, pipeline, sender and socket, in one thread.
//!
//! Invariant: a frame is taken from the source only when the one before has left. Whatever holds up the
//! network therefore holds up capture, not a queue: the source drops what has grown old meanwhile, and
//! the next frame that leaves is the newest.

mod datagram;
mod listeners;

use std::io::Stderr;

use heapless::Vec as FixedVec;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::Signal;
use nix::sys::time::TimeSpec;

use datagram::{carried, datagram_size, usual};
use listeners::Listeners;

use super::config::StreamConfig;
use super::open;
use super::pipeline::{Pipeline, Ready};
use super::rate_limit::FrameLimiter;
use super::reporter::Reporter;
use super::source::{Source, SourceError};
use super::stats::{self, Figures, Stages, Ticker};
use crate::clock;
use crate::exit::RunError;
use crate::keys::state::StateFolder;
use crate::keys::{key_file, random, start_counter};
use crate::live::LiveText;
use crate::net::{MediaSender, Outcome};
use crate::proto::fragment;
use crate::proto::sender::{OutgoingFrame, Sender, SenderSettings, Transmit};
use crate::signals::Signals;
use crate::time::{Duration, Instant};
use crate::wire::{Flags, MIN_DATAGRAM};

/// A frame that the network has not taken after this time is given up for a newer one.
const STUCK: Duration = Duration::from_millis(100);
/// Pause where the socket is writable but the device behind it is full.
const FULL_DEVICE_PAUSE: Duration = Duration::from_millis(1);
/// How often a path that has become smaller is looked at again.
const PATH_INTERVAL: Duration = Duration::from_secs(60);
/// How often signals are looked for while the source is so fast that nothing is ever waited for.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(100);

/// Runs `sealcam stream` until its source ends, enough frames are sent, or a signal says so.
///
/// `live` is the terminal's line for figures, if standard error is a terminal.
///
/// # Errors
///
/// [`RunError`] with a sentence that names the mend.
pub fn stream(config: &StreamConfig, live: Option<LiveText<Stderr>>) -> Result<(), RunError> {
    let stats = config.stats_json.as_deref().map(stats::open).transpose();
    let stats = stats.map_err(|why| RunError::Usage(format!("--stats-json: {why}")))?;
    let signals = Signals::hold(&[Signal::SIGINT, Signal::SIGTERM]).map_err(RunError::failed)?;
    let reporter = Reporter::start(clock::now(), stats, live)?;
    Streaming::start(config, signals, reporter)?.run()
}

struct Streaming {
    source: Box<dyn Source>,
    pipeline: Pipeline,
    limiter: Option<FrameLimiter>,
    sender: Sender,
    socket: MediaSender,
    signals: Signals,
    /// Bytes of a datagram where the path carries them; `None` if the size was asked for, and is then not
    /// changed behind anyone's back.
    usual_datagram: Option<usize>,
    path: Ticker,
    frames_wanted: Option<u64>,
    started: Instant,
    /// When the frame that is leaving was captured.
    leaving: Option<Instant>,
    blocked: Option<Blocked>,
    told: Told,
    listeners: Listeners,
    limited: u64,
    notices: u64,
    /// Frames that were given up on their way to the network.
    abandoned: u64,
    stages: Stages,
    reporter: Reporter,
}

/// The network takes nothing at the moment.
struct Blocked {
    since: Instant,
    /// Waiting for room in the socket is of no use; try again then.
    retry_at: Option<Instant>,
}

/// What has been said, and is not said again for every frame.
#[derive(Default)]
struct Told {
    too_large: bool,
    oversized: bool,
}

impl Streaming {
    fn start(config: &StreamConfig, signals: Signals, reporter: Reporter) -> Result<Self, RunError> {
        let key = key_file::read(&config.key).map_err(|why| RunError::usage(format!("--key: {why}")))?;
        let state = StateFolder::open(config.state.as_deref()).map_err(RunError::failed)?;
        let (socket, trouble) = MediaSender::open_patiently(&config.send)
            .map_err(|why| RunError::usage(format!("sending: {why}")))?;
        let datagram = datagram_size(config, &socket)?;
        let largest = fragment::largest_frame(datagram).map_err(RunError::usage)?;
        let now = clock::now();
        let source = open::source(&config.picture, largest, now)?;

        let mut bits = [0; 8];
        random(&mut bits).map_err(RunError::failed)?;
        let stream = start_counter::next_stream(&state, bits).map_err(RunError::failed)?;
        let max_frame = source.largest_frame().min(largest);
        let settings = SenderSettings { datagram, max_frame, pace_percent: config.pace_percent };
        let sender = Sender::new(settings, &key, stream, now).map_err(RunError::usage)?;

        log::info!("source: {}", source.describe());
        log::info!(
            "sending to {} in datagrams of {} bytes, key {}, stream {stream}",
            config.send.to,
            sender.datagram(),
            key.fingerprint(),
        );
        if source.largest_frame() > largest {
            log::warn!(
                "frames above {largest} bytes cannot be sent in datagrams of {datagram} bytes and will be \
                 dropped; the source makes up to {} bytes: use a larger --packet-size",
                source.largest_frame()
            );
        }
        let warnings =
            [trouble.map(|why| why.to_string()), socket.buffer_warning(), socket.wifi_multicast_warning()];
        for warning in warnings.into_iter().flatten() {
            log::warn!("{warning}");
        }
        Ok(Self {
            source,
            pipeline: Pipeline::new(&config.picture)
                .map_err(|why| RunError::Usage(format!("--area: {why}")))?,
            limiter: open::limit(&config.picture).map(FrameLimiter::new),
            sender,
            socket,
            signals,
            usual_datagram: config.packet_size.is_none().then(|| usual(&config.send)),
            path: Ticker::new(now, PATH_INTERVAL),
            frames_wanted: config.frames,
            started: now,
            leaving: None,
            blocked: None,
            told: Told::default(),
            listeners: Listeners::default(),
            limited: 0,
            notices: 0,
            abandoned: 0,
            stages: Stages::default(),
            reporter,
        })
    }

    fn run(mut self) -> Result<(), RunError> {
        // A wait tells whether a signal came; the descriptor is read only then, or after too long without one.
        let mut look_for_signals = self.started;
        let ended = loop {
            let now = clock::now();
            if now >= look_for_signals {
                look_for_signals = now + SIGNAL_INTERVAL;
                if let Some(signal) = self.signals.next().map_err(RunError::failed)? {
                    log::info!("{signal}: stopping");
                    break Ok(());
                }
            }
            self.transmit(now);
            // Before the next frame: on a machine too slow for its frames there always is one.
            self.report(now);
            if self.sender.is_idle() {
                if self.frames_wanted.is_some_and(|wanted| self.sender.counters().frames >= wanted) {
                    break Ok(());
                }
                match self.next_frame(now) {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(SourceError::Ended) => break self.source_ended(),
                    Err(SourceError::Failed(why)) => break Err(RunError::Failed(why)),
                }
            }
            let signalled = self.wait().map_err(RunError::failed)?;
            look_for_signals = if signalled { now } else { now + SIGNAL_INTERVAL };
        };
        let told = self.finish();
        ended.and(told)
    }

    /// Whoever writes the frames may have failed to, and would not be noticed otherwise.
    fn source_ended(&self) -> Result<(), RunError> {
        if self.sender.counters().frames == 0 {
            let source = self.source.describe();
            return Err(RunError::Failed(format!("{source} has ended without a whole frame")));
        }
        log::info!("the source has ended");
        Ok(())
    }

    /// Sends what is due.
    fn transmit(&mut self, now: Instant) {
        if let Some(blocked) = &self.blocked {
            if now.since(blocked.since) >= STUCK {
                self.give_up();
            } else if blocked.retry_at.is_some_and(|at| now < at) {
                return;
            }
        }
        while let Transmit::Run { bytes, datagram } = self.sender.poll_transmit(now) {
            let sent = self.socket.send_run(bytes, datagram);
            self.sender.transmitted(sent.bytes);
            match sent.outcome {
                Outcome::All => {
                    self.blocked = None;
                    if self.sender.is_idle() {
                        self.frame_left();
                    }
                }
                Outcome::Blocked => {
                    let before = self.blocked.take().filter(|_| sent.bytes == 0);
                    let retry_at = before.is_some().then(|| now + FULL_DEVICE_PAUSE);
                    self.blocked = Some(Blocked { since: before.map_or(now, |b| b.since), retry_at });
                    return;
                }
                outcome => {
                    self.give_up();
                    // The socket tells the rest through its counters and `tend`.
                    if let Outcome::TooLarge { limit } = outcome {
                        self.path_is_smaller(limit);
                    }
                }
            }
        }
    }

    /// Drops what is left of the frame: a newer one is worth more.
    fn give_up(&mut self) {
        self.abandoned += 1;
        self.sender.abandon();
        self.blocked = None;
        self.leaving = None;
    }

    fn frame_left(&mut self) {
        if let Some(captured) = self.leaving.take() {
            self.stages.sent.add(clock::now().since(captured));
        }
    }

    /// Adapts to a smaller path, or says once why frames do not leave.
    fn path_is_smaller(&mut self, limit: Option<usize>) {
        let smaller = limit.filter(|limit| (MIN_DATAGRAM..self.sender.datagram()).contains(limit));
        if let (Some(limit), Some(_)) = (smaller, self.usual_datagram) {
            log::info!("the path carries datagrams of {limit} bytes at most; cutting frames accordingly");
            if let Err(why) = self.sender.set_datagram(limit) {
                log::error!("{why}");
            }
        } else if !self.told.too_large {
            self.told.too_large = true;
            let carries = limit.map_or("less".to_owned(), |limit| format!("{limit} bytes at most"));
            log::error!(
                "datagrams of {} bytes do not pass: the path carries {carries}; use a smaller --packet-size",
                self.sender.datagram()
            );
        }
    }

    /// Takes the newest frame, if there is one, and seals it. Returns whether one was taken.
    fn next_frame(&mut self, now: Instant) -> Result<bool, SourceError> {
        let Some(captured) = self.source.next(now)? else { return Ok(false) };
        if !captured.notice && !self.limiter.as_mut().is_none_or(|limiter| limiter.admit(captured.at)) {
            self.limited += 1;
            self.source.release();
            return Ok(true);
        }
        self.stages.taken.add(now.since(captured.at));
        let (at, notice) = (captured.at, captured.notice);
        if let Some(Ready { bytes, restarts }) = self.pipeline.process(&captured) {
            let limit = fragment::largest_frame(self.sender.datagram()).unwrap_or(0);
            if bytes.len() > self.sender.room() && bytes.len() <= limit {
                self.sender.make_room((bytes.len() + bytes.len() / 4).min(limit));
            }
            let flags = if notice { Flags::NOTICE } else { Flags::NONE };
            let frame = OutgoingFrame { bytes, captured: at, restarts, source: 0, flags };
            match self.sender.queue(clock::now(), &frame) {
                Ok(_) => {
                    self.notices += u64::from(notice);
                    self.leaving = Some(at);
                    self.stages.sealed.add(clock::now().since(at));
                }
                Err(why) => {
                    self.pipeline.count_oversized();
                    if !self.told.oversized {
                        self.told.oversized = true;
                        log::warn!("{why}; such frames are dropped and counted: lower --quality or --size");
                    }
                }
            }
        }
        self.source.release();
        if let Some(turn) = self.socket.tend(now) {
            log::warn!("{turn}");
        }
        Ok(true)
    }

    /// Waits for the source, the socket, a signal or the next due time. Returns whether there is a signal.
    fn wait(&self) -> nix::Result<bool> {
        let mut until = self.reporter.due();
        let mut fds: FixedVec<PollFd<'_>, 3> = FixedVec::new();
        // Capacity 3 is what is pushed at most.
        let _ = fds.push(PollFd::new(self.signals.as_fd(), PollFlags::POLLIN));
        if let Some(blocked) = &self.blocked {
            until = until.min(blocked.since + STUCK);
            match blocked.retry_at {
                Some(at) => until = until.min(at),
                None => {
                    let _ = fds.push(PollFd::new(self.socket.as_fd(), PollFlags::POLLOUT));
                }
            }
        } else if let Some(release) = self.sender.next_release() {
            until = until.min(release);
        } else {
            if let Some(fd) = self.source.as_fd() {
                let _ = fds.push(PollFd::new(fd, PollFlags::POLLIN));
            }
            until = self.source.wake_at().map_or(until, |at| until.min(at));
        }
        // Read only now: sending has taken its time, and the next run must not be late by it.
        let timeout = TimeSpec::from_duration(until.since(clock::now()));
        match ppoll(&mut fds, Some(timeout), None) {
            Ok(_) => Ok(fds.first().and_then(PollFd::any).unwrap_or(true)),
            Err(nix::errno::Errno::EINTR) => Ok(true),
            Err(why) => Err(why),
        }
    }

    fn figures(&self, now: Instant) -> Figures {
        Figures {
            running: now.since(self.started),
            limited: self.limited,
            notices: self.notices,
            abandoned: self.abandoned,
            drops: self.source.drops(),
            pipeline: self.pipeline.counters(),
            sender: self.sender.counters(),
            network: self.socket.counters(),
            stages: self.stages.percentiles(),
        }
    }

    fn report(&mut self, now: Instant) {
        if !self.reporter.tick(now) {
            return;
        }
        if let Some(turn) = self.socket.tend(now) {
            log::warn!("{turn}");
        }
        if self.path.tick(now) {
            self.path_may_be_larger();
        }
        if let Some(heard) = self.listeners.look(now, &self.socket.counters()) {
            log::info!("{heard}");
        }
        let figures = self.figures(now);
        self.reporter.tell(now, &figures);
    }

    /// A path that was smaller for a while, or was said to be, carries the usual size again.
    fn path_may_be_larger(&mut self) {
        let Some(usual) = self.usual_datagram else { return };
        let carries = carried(usual, &self.socket);
        if carries > self.sender.datagram() && self.sender.set_datagram(carries).is_ok() {
            log::info!("the path carries datagrams of {carries} bytes again");
        }
    }

    fn finish(mut self) -> Result<(), RunError> {
        // The frame on its way leaves at once: all of it is due long before this time.
        self.transmit(clock::now() + Duration::from_secs(60));
        if !self.sender.is_idle() {
            self.give_up();
        }
        let figures = self.figures(clock::now());
        let told = self.reporter.finish(&figures);
        log::info!(
            "sent {} frames ({} passed through) in {} datagrams; dropped {}",
            figures.sender.frames - figures.abandoned,
            figures.pipeline.passed_through,
            figures.network.datagrams,
            figures.dropped()
        );
        told
    }
}
