//! The run loop: one thread for the stream and all that is attended to beside it.
//!
//! `sealcam stream` and `sealcam run` share it; what only a service has is an [`Attendant`].

use std::io::Stderr;

use heapless::Vec as FixedVec;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::Signal;
use nix::sys::time::TimeSpec;

use super::config::{SourceSpec, StreamConfig};
use super::reporter::Reporter;
use super::source::SourceError;
use super::stats::{self, Figures, StatsTarget};
use super::streaming::{Materials, Streaming, Turn};
use crate::clock;
use crate::exit::RunError;
use crate::live::LiveText;
use crate::signals::Signals;
use crate::time::{Duration, Instant};

/// Descriptors to wait for: those of the loop, and up to ten of the attendant.
pub type Fds<'a> = FixedVec<PollFd<'a>, 12>;

/// How often signals and the attendant's descriptors are looked at while the source is so fast that nothing is
/// ever waited for.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// What is attended to beside the stream, in the same thread: it never blocks.
pub trait Attendant {
    /// Adds descriptors to wait for, and returns when to be called at the latest.
    fn wait_for<'a>(&'a self, fds: &mut Fds<'a>, until: Instant) -> Instant;

    /// Called every turn. `ready`: one of the descriptors may be.
    fn attend(&mut self, now: Instant, ready: bool, running: &mut Running);

    /// SIGHUP came.
    fn hang_up(&mut self, now: Instant, running: &mut Running);

    /// The source gives no more frames.
    ///
    /// # Errors
    ///
    /// [`RunError`] if that ends the program as a failure; `Ok(false)` ends it as a success.
    fn source_ended(
        &mut self,
        now: Instant,
        why: SourceError,
        running: &mut Running,
    ) -> Result<bool, RunError>;

    /// The loop has ended.
    fn stop(&mut self) {}
}

/// What runs.
pub struct Running {
    /// The stream.
    pub stream: Streaming,
    /// What is told of it.
    pub reporter: Reporter,
}

/// Runs `sealcam stream` until its source ends, enough frames are sent, or a signal says so.
///
/// `live` is the terminal's line for figures, if standard error is a terminal.
///
/// # Errors
///
/// [`RunError`] with a sentence that names the mend.
pub fn stream(config: &StreamConfig, live: Option<LiveText<Stderr>>) -> Result<(), RunError> {
    let stats = stats_target(config)?;
    let signals = Signals::hold(&[Signal::SIGINT, Signal::SIGTERM]).map_err(RunError::failed)?;
    let now = clock::now();
    let reporter = Reporter::start(now, stats, live, config.spelling)?;
    let materials = Materials::gather(config)?;
    let mut config = config.clone();
    look_up(&mut config)?;
    let mut stream = Streaming::new(&config, &materials, now)?;
    stream.open(0, now).map_err(|why| name_option(&config, why))?;
    stream.introduce();
    run(&signals, Running { stream, reporter }, &mut Nothing)
}

/// Looks up the destination's name, if it has one.
fn look_up(config: &mut StreamConfig) -> Result<(), RunError> {
    let Some(name) = &config.name else { return Ok(()) };
    let found =
        name.look_up().map_err(|why| RunError::Failed(format!("{name} cannot be looked up: {why}")))?;
    config.send_to(found[0])?;
    Ok(())
}

/// A file that cannot be played is named as it is; whoever wrote a command is told where to look.
pub(super) fn name_option(config: &StreamConfig, why: RunError) -> RunError {
    match (&config.sources[0].picture.source, why) {
        (SourceSpec::File(_), RunError::Usage(why)) => RunError::Usage(format!("--source: {why}")),
        (_, why) => why,
    }
}

/// Opens what `--stats-json` names.
pub(super) fn stats_target(config: &StreamConfig) -> Result<Option<StatsTarget>, RunError> {
    let target = config.stats_json.as_deref().map(stats::open).transpose();
    let why = target.map_err(|why| config.spelling.retell(&format!("--stats-json: {why}")));
    // A service is started again, for the place may yet come: a file system that is mounted late.
    why.map_err(|why| if config.is_patient() { RunError::Failed(why) } else { RunError::Usage(why) })
}

/// The attendant of `sealcam stream`.
struct Nothing;

impl Attendant for Nothing {
    fn wait_for<'a>(&'a self, _: &mut Fds<'a>, until: Instant) -> Instant {
        until
    }

    fn attend(&mut self, _: Instant, _: bool, _: &mut Running) {}

    fn hang_up(&mut self, _: Instant, _: &mut Running) {}

    fn source_ended(
        &mut self,
        now: Instant,
        why: SourceError,
        running: &mut Running,
    ) -> Result<bool, RunError> {
        match why {
            // Whoever writes the frames may have failed to, and would not be noticed otherwise.
            SourceError::Ended if only_notices(&running.stream.figures(now)) => {
                let source = &running.stream.config().sources[0].picture.source;
                Err(RunError::Failed(format!("{source} has ended without a whole frame")))
            }
            SourceError::Ended => {
                log::info!("the source has ended");
                Ok(false)
            }
            SourceError::Failed(why) => Err(RunError::Failed(why)),
        }
    }
}

/// Whether no picture has been sent.
fn only_notices(figures: &Figures) -> bool {
    figures.sender.frames == figures.notices
}

/// Turns until there is nothing more to do, or a signal ends it.
///
/// # Errors
///
/// [`RunError`] if the source or the system fails.
pub fn run(signals: &Signals, mut running: Running, attendant: &mut impl Attendant) -> Result<(), RunError> {
    // A wait tells who is there; they are looked at only then, or after too long without a wait.
    let mut ready = Ready::default();
    let mut look_at = Instant::ORIGIN;
    let ended = loop {
        let now = clock::now();
        if now >= look_at {
            ready = Ready { signal: true, attendant: true };
            look_at = now + LOOK_INTERVAL;
        }
        if ready.signal {
            match signals.next().map_err(RunError::failed)? {
                Some(Signal::SIGHUP) => attendant.hang_up(now, &mut running),
                Some(signal) => {
                    log::info!("{signal}: stopping");
                    break Ok(());
                }
                None => {}
            }
        }
        attendant.attend(now, ready.attendant, &mut running);
        ready = Ready::default();
        // Before the next frame: on a machine too slow for its frames there always is one.
        if running.reporter.tick(now) {
            running.stream.look_around(now);
            let figures = running.stream.figures(now);
            running.reporter.tell(now, &figures);
        }
        match running.stream.turn(now) {
            Ok(Turn::Again) => continue,
            Ok(Turn::Wait) => {}
            Ok(Turn::Done) => break Ok(()),
            Err(why) => match attendant.source_ended(now, why, &mut running) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(why) => break Err(why),
            },
        }
        ready = wait(signals, &running, attendant).map_err(RunError::failed)?;
        look_at = now + LOOK_INTERVAL;
    };
    attendant.stop();
    let told = finish(running);
    ended.and(told)
}

/// Tells what has been done.
fn finish(mut running: Running) -> Result<(), RunError> {
    running.stream.finish();
    let figures = running.stream.figures(clock::now());
    let told = running.reporter.finish(&figures);
    log::info!(
        "sent {} frames ({} passed through) in {} datagrams; dropped {}",
        figures.sent(),
        figures.pipeline.passed_through,
        figures.network.datagrams,
        figures.dropped()
    );
    told
}

/// Who is there.
#[derive(Default, Clone, Copy)]
struct Ready {
    signal: bool,
    /// One of the attendant's descriptors.
    attendant: bool,
}

/// Waits for the source, the socket, a signal, the attendant, or the next due time.
fn wait(signals: &Signals, running: &Running, attendant: &impl Attendant) -> nix::Result<Ready> {
    let mut fds = Fds::new();
    // Room for it is what the type provides.
    let _ = fds.push(PollFd::new(signals.as_fd(), PollFlags::POLLIN));
    let until = running.stream.wait_for(&mut fds, running.reporter.due());
    let others = fds.len();
    let until = attendant.wait_for(&mut fds, until);
    // Read only now: sending has taken its time, and the next run must not be late by it.
    let timeout = TimeSpec::from_duration(until.since(clock::now()));
    match ppoll(&mut fds, Some(timeout), None) {
        Ok(_) => {
            let there = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
            Ok(Ready { signal: there(&fds[0]), attendant: fds[others..].iter().any(there) })
        }
        Err(nix::errno::Errno::EINTR) => Ok(Ready { signal: true, attendant: true }),
        Err(why) => Err(why),
    }
}
