//! The run loop of a one-way stream: source, pipeline, sender and socket, in one thread.
//!
//! Invariant: a frame is taken from the source only when the one before has left. Whatever holds up the
//! network therefore holds up capture, not a queue: the source drops what has grown old meanwhile, and
//! the next frame that leaves is the newest.

use std::io::IsTerminal;

use heapless::Vec as FixedVec;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::Signal;
use nix::sys::time::TimeSpec;

use super::config::StreamConfig;
use super::open;
use super::pipeline::{Pipeline, Ready};
use super::rate_limit::FrameLimiter;
use super::source::{Source, SourceError};
use super::stats::{Figures, Percentiles, Stages, StatsFile, Ticker};
use crate::clock;
use crate::exit::RunError;
use crate::keys::state::StateFolder;
use crate::keys::{key_file, random, start_counter};
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
const STATS_INTERVAL: Duration = Duration::from_secs(1);
/// How often signals are looked for while the source is so fast that nothing is ever waited for.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(100);
/// Between lines about figures where nobody watches a terminal.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Runs `sealcam stream` until its source ends, enough frames are sent, or a signal says so.
///
/// # Errors
///
/// [`RunError`] with a sentence that names the mend.
pub fn stream(config: &StreamConfig) -> Result<(), RunError> {
    let signals = Signals::hold(&[Signal::SIGINT, Signal::SIGTERM]).map_err(RunError::failed)?;
    Streaming::start(config, signals)?.run()
}

struct Streaming {
    source: Box<dyn Source>,
    pipeline: Pipeline,
    limiter: Option<FrameLimiter>,
    sender: Sender,
    socket: MediaSender,
    signals: Signals,
    /// The datagram size was asked for, so it is not changed behind anyone's back.
    size_is_fixed: bool,
    frames_wanted: Option<u64>,
    started: Instant,
    /// When the frame that is leaving was captured.
    leaving: Option<Instant>,
    blocked: Option<Blocked>,
    told: Told,
    limited: u64,
    notices: u64,
    stages: Stages,
    stats: Ticker,
    stats_file: Option<StatsFile>,
    log: Ticker,
    terminal: bool,
    before: Option<Figures>,
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
    refused: bool,
    too_large: bool,
    oversized: bool,
}

impl Streaming {
    fn start(config: &StreamConfig, signals: Signals) -> Result<Self, RunError> {
        let key = key_file::read(&config.key).map_err(|why| RunError::usage(format!("--key: {why}")))?;
        let state = StateFolder::open(config.state.as_deref()).map_err(RunError::failed)?;
        let stats_file = config.stats_json.as_deref().map(StatsFile::open).transpose();
        let stats_file = stats_file.map_err(|why| RunError::usage(format!("--stats-json: {why}")))?;
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
            limiter: config.picture.fps.map(FrameLimiter::new),
            sender,
            socket,
            signals,
            size_is_fixed: config.packet_size.is_some(),
            frames_wanted: config.frames,
            started: now,
            leaving: None,
            blocked: None,
            told: Told::default(),
            limited: 0,
            notices: 0,
            stages: Stages::default(),
            stats: Ticker::new(now, STATS_INTERVAL),
            stats_file,
            log: Ticker::new(now, LOG_INTERVAL),
            terminal: std::io::stderr().is_terminal(),
            before: None,
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
            if self.sender.is_idle() {
                if self.frames_wanted.is_some_and(|wanted| self.sender.counters().frames >= wanted) {
                    break Ok(());
                }
                match self.next_frame(now) {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(SourceError::Ended) => {
                        log::info!("the source has ended");
                        break Ok(());
                    }
                    Err(SourceError::Failed(why)) => break Err(RunError::Failed(why)),
                }
            }
            self.report(now);
            let signalled = self.wait(now).map_err(RunError::failed)?;
            look_for_signals = if signalled { now } else { now + SIGNAL_INTERVAL };
        };
        self.finish();
        ended
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
                    self.explain(outcome);
                }
            }
        }
    }

    /// Drops what is left of the frame: a newer one is worth more.
    fn give_up(&mut self) {
        self.sender.abandon();
        self.blocked = None;
        self.leaving = None;
    }

    fn frame_left(&mut self) {
        if let Some(captured) = self.leaving.take() {
            self.stages.sent.add(clock::now().since(captured));
        }
        self.told.refused = false;
    }

    /// Says, once, why frames do not leave, and adapts to a smaller path.
    fn explain(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::TooLarge { limit } => self.path_is_smaller(limit),
            Outcome::Refused if !self.told.refused => {
                self.told.refused = true;
                log::info!("nobody listens at the destination yet; sending goes on");
            }
            // The socket tells the rest through `tend`.
            _ => {}
        }
    }

    fn path_is_smaller(&mut self, limit: Option<usize>) {
        let smaller = limit.filter(|limit| (MIN_DATAGRAM..self.sender.datagram()).contains(limit));
        if let (Some(limit), false) = (smaller, self.size_is_fixed) {
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
    fn wait(&self, now: Instant) -> nix::Result<bool> {
        let mut until = self.stats.due();
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
        let timeout = TimeSpec::from_duration(until.since(now));
        match ppoll(&mut fds, Some(timeout), None) {
            Ok(_) => Ok(fds.first().and_then(PollFd::any).unwrap_or(true)),
            Err(nix::errno::Errno::EINTR) => Ok(true),
            Err(why) => Err(why),
        }
    }

    fn figures(&self, now: Instant) -> Figures {
        let stage = |stage: &super::stats::Latencies| -> Percentiles { stage.percentiles() };
        Figures {
            running: now.since(self.started),
            limited: self.limited,
            notices: self.notices,
            drops: self.source.drops(),
            pipeline: self.pipeline.counters(),
            sender: self.sender.counters(),
            network: self.socket.counters(),
            stages: [stage(&self.stages.taken), stage(&self.stages.sealed), stage(&self.stages.sent)],
        }
    }

    fn report(&mut self, now: Instant) {
        if !self.stats.tick(now) {
            return;
        }
        if let Some(turn) = self.socket.tend(now) {
            log::warn!("{turn}");
        }
        if self.terminal || self.log.tick(now) {
            let figures = self.figures(now);
            let before = self.before.replace(figures);
            log::info!("{}", figures.line(&before.unwrap_or(figures.zero())));
        }
        self.write_stats(now, false);
    }

    fn write_stats(&mut self, now: Instant, last: bool) {
        let figures = self.figures(now);
        if let Some(Err(why)) = self.stats_file.as_mut().map(|file| file.write(&figures, last)) {
            log::error!("--stats-json: {why}; no more figures are written");
            self.stats_file = None;
        }
    }

    fn finish(&mut self) {
        let now = clock::now();
        self.write_stats(now, true);
        let figures = self.figures(now);
        log::info!(
            "sent {} frames ({} passed through) in {} datagrams; dropped {}",
            figures.sender.frames,
            figures.pipeline.passed_through,
            figures.network.datagrams,
            figures.dropped()
        );
    }
}

/// Bytes of a datagram: as asked for, else what the route is sure to carry.
fn datagram_size(config: &StreamConfig, socket: &MediaSender) -> Result<usize, RunError> {
    /// What gets through nearly everywhere, tunnels included.
    const ANYWHERE: usize = 1200;
    let to = config.send.to.ip().to_canonical();
    if let Some(size) = config.packet_size {
        socket.check_datagram(size).map_err(|why| RunError::usage(format!("--packet-size: {why}")))?;
        return Ok(size);
    }
    let stays_here = to.is_loopback() || to.is_multicast() && config.send.ttl.unwrap_or(1) == 1;
    let ethernet = if to.is_ipv4() { 1472 } else { 1452 };
    let usual = if stays_here { ethernet } else { ANYWHERE };
    Ok(socket.max_datagram().map_or(ANYWHERE, |limit| limit.min(usual)).max(MIN_DATAGRAM))
}
