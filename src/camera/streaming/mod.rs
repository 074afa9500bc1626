//! One stream: the source of the moment, pipeline, sender and socket.
//!
//! Invariant: a frame is taken from the source only when the one before has left. Whatever holds up the
//! network therefore holds up capture, not a queue: the source drops what has grown old meanwhile, and
//! the next frame that leaves is the newest.
//!
//! | file | what it does |
//! |---|---|
//! | here | set up; a frame from its source to the slab; figures |
//! | `materials` | what a stream is made of: keys, state, its audience |
//! | `output`, `transmit` | to whom; from the slab to the network |
//! | `datagram`, `listeners` | how large datagrams are; whether anybody listens |
//! | `change` | other sources and settings in the same stream |

mod change;
mod datagram;
mod listeners;
mod materials;
mod output;
mod transmit;

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use nix::poll::{PollFd, PollFlags};

use super::config::StreamConfig;
use super::crowd::Crowd;
use super::flow::Flow;
use super::pipeline::{Pipeline, Ready};
use super::rate_limit::FrameLimiter;
use super::source::{Drops, Source, SourceError};
use super::stats::{Figures, Stages, Ticker};
use crate::clock;
use crate::exit::RunError;
use crate::proto::fragment;
use crate::proto::sender::{OutgoingFrame, Sender};
use crate::time::{Duration, Instant};
use crate::wire::Flags;
use listeners::Listeners;
use output::Output;
use transmit::{Blocked, STUCK, Told};

pub use change::Fresh;
pub use materials::Materials;

/// How often a path that has become smaller is looked at again.
const PATH_INTERVAL: Duration = Duration::from_secs(60);

/// While nobody watches, a frame is sealed once in so long.
const UNWATCHED_EVERY: Duration = Duration::from_secs(1);

/// A stream that is sent. Drive it with [`Streaming::turn`], and wait as [`Streaming::wait_for`] says.
pub struct Streaming {
    config: StreamConfig,
    fingerprint: String,
    /// Public half of the key that signs frames for paired viewers.
    signer: Option<[u8; 32]>,
    /// `None` while no source is to be sent.
    source: Option<Box<dyn Source>>,
    /// Number of the source of the moment, and its name to those who ask; `None` while none is to be sent.
    active: Option<usize>,
    /// The source of the moment only says why there is no other.
    standing_in: bool,
    /// What sources dropped that are closed now.
    past: Drops,
    /// Controls that were set on a camera, whichever source it was for.
    touched: BTreeMap<PathBuf, Vec<String>>,
    pipeline: Pipeline,
    limiter: Option<FrameLimiter>,
    sender: Sender,
    output: Output,
    started: Instant,
    leaving: Option<Leaving>,
    blocked: Option<Blocked>,
    told: Told,
    /// Bytes of a datagram where the path carries them; `None` if the size stays as it is.
    usual_datagram: Option<usize>,
    path: Ticker,
    listeners: Listeners,
    limited: u64,
    notices: u64,
    /// Frames that were given up on their way to the network.
    abandoned: u64,
    /// When the last frame was sealed.
    sealed_at: Option<Instant>,
    /// Frames that nobody was there to see.
    unwatched: u64,
    flow: Flow,
    stages: Stages,
}

/// The frame whose datagrams are leaving.
struct Leaving {
    captured: Instant,
    notice: bool,
}

/// What a turn of the stream came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// There may be more to do at once.
    Again,
    /// Nothing is to be done before what [`Streaming::wait_for`] names.
    Wait,
    /// As many frames as were wanted have been sent.
    Done,
}

impl Streaming {
    /// Sets up a stream without a source; [`Streaming::open`] gives it one.
    ///
    /// # Errors
    ///
    /// [`RunError`] with a sentence that names the mend.
    pub fn new(config: &StreamConfig, materials: &Materials, now: Instant) -> Result<Self, RunError> {
        let made = materials.make(config, now)?;
        let pipeline = Pipeline::new(&config.sources[0].picture);
        Ok(Self {
            fingerprint: made.fingerprint,
            signer: made.signer,
            config: config.clone(),
            source: None,
            active: None,
            standing_in: false,
            past: Drops::default(),
            touched: BTreeMap::new(),
            pipeline,
            limiter: None,
            sender: made.sender,
            output: made.output,
            started: now,
            leaving: None,
            blocked: None,
            told: Told::default(),
            usual_datagram: datagram::wanted(config),
            path: Ticker::new(now, PATH_INTERVAL),
            listeners: Listeners::default(),
            limited: 0,
            notices: 0,
            abandoned: 0,
            sealed_at: None,
            unwatched: 0,
            flow: Flow::new(),
            stages: Stages::default(),
        })
    }

    /// Says where the stream goes, for the log.
    pub fn introduce(&self) {
        log::info!(
            "sending to {} in datagrams of {} bytes, key {}, stream {}{}",
            self.config.destination(),
            self.sender.datagram(),
            self.fingerprint,
            self.sender.stream(),
            if self.output.crowd().is_some_and(|crowd| !crowd.is_signed()) {
                "; UNSIGNED: every viewer could forge frames for the others"
            } else {
                ""
            }
        );
    }

    /// The settings in effect.
    #[must_use]
    pub const fn config(&self) -> &StreamConfig {
        &self.config
    }

    /// The number of the source of the moment; `None` if none is to be sent.
    #[must_use]
    pub const fn active(&self) -> Option<usize> {
        self.active
    }

    /// What the source of the moment delivers, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        self.source.as_ref().map_or_else(|| "no source: switched off".to_owned(), |source| source.describe())
    }

    /// The size of the pictures that come from it, once one has come.
    #[must_use]
    pub const fn seen(&self) -> Option<(u32, u32)> {
        self.pipeline.seen()
    }

    /// Whether the source of the moment cannot be opened, and a notice says so.
    #[must_use]
    pub const fn stands_in(&self) -> bool {
        self.standing_in
    }

    /// Whether pictures flow.
    #[must_use]
    pub const fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Frames that nobody was there to see.
    #[must_use]
    pub const fn unwatched(&self) -> u64 {
        self.unwatched
    }

    /// Paired viewers, if the stream is for them.
    #[must_use]
    pub fn crowd(&self) -> Option<&Crowd> {
        self.output.crowd()
    }

    /// Paired viewers, if the stream is for them.
    pub fn crowd_mut(&mut self) -> Option<&mut Crowd> {
        self.output.crowd_mut()
    }

    /// The stream's number, its key's fingerprint, and the bytes of its datagrams.
    #[must_use]
    pub fn identity(&self) -> (String, &str, usize) {
        (self.sender.stream().to_string(), &self.fingerprint, self.sender.datagram())
    }

    /// Sends what is due, then takes the next frame if the last one has left.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when the source gives no more frames.
    pub fn turn(&mut self, now: Instant) -> Result<Turn, SourceError> {
        if let Some(crowd) = self.output.crowd_mut() {
            crowd.attend(now).map_err(|why| SourceError::Failed(why.to_string()))?;
        }
        self.transmit(now);
        if !self.sender.is_idle() {
            return Ok(Turn::Wait);
        }
        self.welcome(now);
        if !self.sender.is_idle() {
            return Ok(Turn::Again);
        }
        if self.config.frames.is_some_and(|wanted| self.sender.counters().frames >= wanted) {
            return Ok(Turn::Done);
        }
        Ok(if self.next_frame(now)? { Turn::Again } else { Turn::Wait })
    }

    /// Takes the newest frame, if there is one, and seals it. Returns whether one was taken.
    fn next_frame(&mut self, now: Instant) -> Result<bool, SourceError> {
        let Some(source) = &mut self.source else { return Ok(false) };
        let patience = source.patience();
        let Some(captured) = source.next(now)? else { return Ok(false) };
        let (at, notice) = (captured.at, captured.notice);
        self.flow.produced(now, notice, patience);
        if !notice && !self.limiter.as_mut().is_none_or(|limiter| limiter.admit(at)) {
            self.limited += 1;
            source.release();
            return Ok(true);
        }
        self.stages.taken.add(now.since(at));
        let fresh = self.sealed_at.is_some_and(|sealed| now.since(sealed) < UNWATCHED_EVERY);
        if fresh && self.output.crowd().is_some_and(|crowd| !crowd.is_watched()) {
            // Neither encoded nor sealed, but one a second, for whoever comes.
            self.unwatched += 1;
            self.flow.left(now);
            source.release();
            return Ok(true);
        }
        transmit::take_media_key(&mut self.output, &mut self.sender);
        if let Some(Ready { bytes, restarts }) = self.pipeline.process(&captured) {
            let limit = fragment::largest_frame(self.sender.datagram()).unwrap_or(0);
            if bytes.len() > self.sender.room() && bytes.len() <= limit {
                self.sender.make_room((bytes.len() + bytes.len() / 4).min(limit));
            }
            let flags = if notice { Flags::NOTICE } else { Flags::NONE };
            // There are at most 256 sources.
            let source = self.active.unwrap_or(0) as u8;
            let frame = OutgoingFrame { bytes, captured: at, restarts, source, flags };
            match self.sender.queue(clock::now(), &frame) {
                Ok(_) => {
                    if let Some(crowd) = self.output.crowd_mut() {
                        crowd.begin_frame();
                    }
                    self.sealed_at = Some(now);
                    self.notices += u64::from(notice);
                    self.leaving = Some(Leaving { captured: at, notice });
                    self.stages.sealed.add(clock::now().since(at));
                }
                Err(why) => {
                    self.pipeline.count_oversized();
                    if !self.told.oversized {
                        self.told.oversized = true;
                        let mend = self.config.spelling.retell("lower --quality or --size");
                        log::warn!("{why}; such frames are dropped and counted: {mend}");
                    }
                }
            }
        }
        source.release();
        self.output.tend(now);
        Ok(true)
    }

    /// Looks after what changes by itself; once a second.
    pub fn look_around(&mut self, now: Instant) {
        self.output.tend(now);
        if self.path.tick(now) {
            self.path_may_be_larger();
        }
        if let Some(heard) = self.listeners.look(now, &self.output.counters()) {
            log::info!("{heard}");
        }
    }

    /// Lets the frame on its way leave, or gives it up: the end.
    pub fn finish(&mut self) {
        // All of it is due long before this time.
        self.transmit(clock::now() + Duration::from_secs(60));
        if !self.sender.is_idle() {
            self.give_up();
        }
        if let Some(crowd) = self.output.crowd_mut() {
            crowd.stop(clock::now());
        }
    }

    /// Adds what the stream waits for to `fds`, and returns when it is to have its turn at the latest.
    pub fn wait_for<'a, const N: usize>(
        &'a self,
        fds: &mut heapless::Vec<PollFd<'a>, N>,
        until: Instant,
    ) -> Instant {
        let mut watch = |fd: BorrowedFd<'a>, flags| {
            // The caller leaves room for two.
            let _ = fds.push(PollFd::new(fd, flags));
        };
        let mut until = until;
        let blocked = self.blocked.as_ref();
        let waits_for_room = blocked.is_some_and(|blocked| blocked.retry_at.is_none());
        if let Some(crowd) = self.output.crowd() {
            until = until.min(crowd.wake_at());
            watch(crowd.as_fd(), PollFlags::POLLIN);
        }
        if waits_for_room {
            watch(self.output.full(), PollFlags::POLLOUT);
        }
        if let Some(blocked) = blocked {
            return until.min(blocked.since + STUCK).min(blocked.retry_at.unwrap_or(until));
        }
        if let Some(release) = self.sender.next_release() {
            return until.min(release);
        }
        let Some(source) = &self.source else { return until };
        if let Some(fd) = source.as_fd() {
            watch(fd, PollFlags::POLLIN);
        }
        source.wake_at().map_or(until, |at| until.min(at))
    }

    /// All figures at `now`.
    #[must_use]
    pub fn figures(&self, now: Instant) -> Figures {
        Figures {
            running: now.since(self.started),
            limited: self.limited,
            notices: self.notices,
            abandoned: self.abandoned,
            drops: self.past + self.source.as_ref().map_or_else(Drops::default, |source| source.drops()),
            pipeline: self.pipeline.counters(),
            sender: self.sender.counters(),
            network: self.output.counters(),
            stages: self.stages.percentiles(),
        }
    }

    /// How long at most from one frame sent to the next, as far as the limit of the rate goes.
    fn longest_interval(&self, number: usize) -> Duration {
        let fps = self.config.sources[number].picture.fps;
        fps.map_or(Duration::ZERO, |fps| Duration::from_secs_f64(1.0 / fps.max(0.01)))
    }
}
