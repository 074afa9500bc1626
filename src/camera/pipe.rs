//! MJPEG on a pipe: what `rpicam-vid --codec mjpeg -o -` or `ffmpeg -f mjpeg -` write.
//!
//! The descriptor is read without blocking until it is empty. When several whole frames have piled up,
//! the newest one is handed over: a pipe in which old frames wait would add its length to the latency of
//! every frame to come.
//!
//! When nothing whole has come for two seconds, or for twice the time from frame to frame of a writer that is
//! slower, a NO SIGNAL picture says so once a second.

use core::mem::swap;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::notice::Notice;
use super::source::{Captured, Drops, LONGEST_FRAME, Source, SourceError};
use super::splitter::{Fault, Found, Splitter};
use crate::jpeg::{self, RestartOffsets, Summary};
use crate::picture::Picture;
use crate::time::{Duration, Instant};

/// Frames that arrive on a descriptor.
///
/// A frame's capture time is the time of the read that completed it, which is the nearest that can be
/// known here. After the writer has closed its end, and the last whole frame was handed over, the source
/// has ended. Frames larger than [`LONGEST_FRAME`] are dropped.
#[derive(Debug)]
pub struct PipeSource {
    input: File,
    /// Flags to put back, because the descriptor may be shared with whoever started this program.
    flags: OFlag,
    name: String,
    splitter: Splitter,
    /// What is known of the held frame.
    newest: Option<Summary>,
    restarts: RestartOffsets,
    /// For the walk over a frame that may turn out not to be good.
    spare: RestartOffsets,
    geometry: Option<(u16, u16)>,
    largest: usize,
    drops: Drops,
    ended: bool,
    silence: Silence,
    notice: Notice,
}

/// Follows how long nothing whole has come.
#[derive(Debug)]
struct Silence {
    /// When the last frame came; at first the start.
    last: Instant,
    /// The times between the last three frames.
    gaps: [Duration; 2],
    /// Bytes have come since.
    bytes: bool,
    dark_since: Option<Instant>,
    notice_at: Instant,
}

impl Silence {
    fn new(now: Instant) -> Self {
        let gaps = [Duration::ZERO; 2];
        Self { last: now, gaps, bytes: false, dark_since: None, notice_at: now + QUIET }
    }

    /// How long a frame may take. One long pause among short ones does not count.
    fn patience(&self) -> Duration {
        (2 * self.gaps[0].min(self.gaps[1])).clamp(QUIET, LONGEST_QUIET)
    }

    /// A frame has come; since when there had been notices, if there had.
    fn frame(&mut self, now: Instant) -> Option<Instant> {
        self.gaps = [self.gaps[1], now.since(self.last)];
        self.last = now;
        self.bytes = false;
        self.notice_at = now + self.patience();
        self.dark_since.take()
    }

    const fn why(&self) -> &'static str {
        if self.bytes { "what comes is no whole JPEG image" } else { "nothing comes" }
    }
}

/// How long nothing may come from a writer that usually is as fast.
const QUIET: Duration = Duration::from_secs(2);
/// How long nothing may come from the slowest writer.
const LONGEST_QUIET: Duration = Duration::from_secs(60);
/// From one notice to the next.
const NOTICE_INTERVAL: Duration = Duration::from_secs(1);
/// Most reads in one call, so that a writer that never pauses cannot keep the camera from sending.
const READS_AT_ONCE: usize = 32;
/// Bytes that the pipe is asked to hold: a whole frame in one go saves wake-ups on both ends.
const PIPE_CAPACITY: i32 = 1024 * 1024;
/// Taken as the largest frame before there was one.
const USUAL_LARGEST: usize = 1024 * 1024;

impl PipeSource {
    /// Frames from standard input, from `now` on.
    ///
    /// # Errors
    ///
    /// [`SourceError::Failed`] if standard input is closed or a terminal.
    pub fn stdin(now: Instant) -> Result<Self, SourceError> {
        const MEND: &str = "pipe MJPEG into it, such as rpicam-vid -t 0 --codec mjpeg -o - | sealcam ...";
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Err(SourceError::Failed(format!("standard input is a terminal: {MEND}")));
        }
        // A copy: this program's standard input stays open for as long as Rust expects it to be.
        let fd = stdin
            .as_fd()
            .try_clone_to_owned()
            .map_err(|error| SourceError::Failed(format!("standard input: {error}: {MEND}")))?;
        Self::new(fd, "standard input", now)
    }

    /// Frames from `fd`, which is called `name` in messages, from `now` on.
    ///
    /// # Errors
    ///
    /// [`SourceError::Failed`] if the descriptor cannot be made non-blocking.
    pub fn new(fd: OwnedFd, name: &str, now: Instant) -> Result<Self, SourceError> {
        let failed = |error| SourceError::Failed(format!("{name}: {error}"));
        let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL).map_err(failed)?);
        fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map_err(failed)?;
        // Only a pipe can do this, and only up to the system's limit; it works without, too.
        if let Err(error) = fcntl(&fd, FcntlArg::F_SETPIPE_SZ(PIPE_CAPACITY)) {
            log::debug!("{name}: keeps its capacity: {error}");
        }
        let input = File::from(fd);
        if input.metadata().is_ok_and(|metadata| metadata.is_file()) {
            log::warn!(
                "{name} is a file, read as fast as it can be: as a source file:PATH it is played at its rate"
            );
        }
        Ok(Self {
            input,
            flags,
            name: name.to_owned(),
            splitter: Splitter::new(LONGEST_FRAME),
            newest: None,
            restarts: RestartOffsets::new(),
            spare: RestartOffsets::new(),
            geometry: None,
            largest: USUAL_LARGEST,
            drops: Drops::default(),
            ended: false,
            silence: Silence::new(now),
            notice: Notice::new(),
        })
    }

    /// Reads what is there, as far as it is not too much for one call.
    fn read(&mut self) -> Result<(), SourceError> {
        for _ in 0..READS_AT_ONCE {
            match self.input.read(self.splitter.space()) {
                Ok(0) => {
                    self.ended = true;
                    self.drops.truncated += u64::from(self.splitter.is_inside());
                    break;
                }
                Ok(count) => {
                    self.silence.bytes = true;
                    self.splitter.advance(count);
                    self.take_frames();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(SourceError::Failed(format!("{}: {error}", self.name))),
            }
        }
        Ok(())
    }

    fn draw_notice(&mut self, now: Instant) -> Captured<'_> {
        let why = self.silence.why();
        if self.silence.dark_since.is_none() {
            log::warn!("{}: {why}; waiting for it", self.name);
        }
        let since = *self.silence.dark_since.get_or_insert(self.silence.last);
        self.silence.notice_at = now + NOTICE_INTERVAL;
        let picture = Picture::Raw(self.notice.draw(&why, &self.name, now.since(since)));
        Captured { picture, at: now, summary: None, restarts: &[], notice: true }
    }

    fn take_frames(&mut self) {
        while let Some(found) = self.splitter.find() {
            match found {
                Found::Image { place, .. } => {
                    match jpeg::walk(self.splitter.bytes(place.clone()), &mut self.spare) {
                        Ok(summary) => {
                            self.drops.superseded += u64::from(self.newest.replace(summary).is_some());
                            self.largest = self.largest.max(place.len());
                            self.splitter.hold(place);
                            swap(&mut self.restarts, &mut self.spare);
                        }
                        Err(defect) => self.drops.count(defect),
                    }
                }
                Found::Broken { fault, .. } => match fault {
                    Fault::Truncated => self.drops.truncated += 1,
                    Fault::Malformed => self.drops.malformed += 1,
                    Fault::Oversized => self.drops.oversized += 1,
                },
            }
        }
    }
}

impl Source for PipeSource {
    fn describe(&self) -> String {
        let silence = &self.silence;
        match self.geometry {
            _ if silence.dark_since.is_some() => format!("no signal from {}: {}", self.name, silence.why()),
            Some((width, height)) => format!("MJPG {width}x{height} from {}", self.name),
            None => format!("MJPG from {}", self.name),
        }
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.input.as_fd())
    }

    fn wake_at(&self) -> Option<Instant> {
        Some(self.silence.notice_at)
    }

    fn next(&mut self, now: Instant) -> Result<Option<Captured<'_>>, SourceError> {
        self.release();
        if !self.ended {
            self.read()?;
        }
        let Some(summary) = self.newest else {
            return match self.ended {
                true => Err(SourceError::Ended),
                false if now >= self.silence.notice_at => Ok(Some(self.draw_notice(now))),
                false => Ok(None),
            };
        };
        self.geometry = Some((summary.width, summary.height));
        if let Some(since) = self.silence.frame(now) {
            log::info!("{}: picture after {} ms", self.name, now.since(since).as_millis());
        }
        let bytes = self.splitter.held().unwrap_or_default();
        Ok(Some(Captured {
            picture: Picture::Jpeg(&bytes[..summary.len.min(bytes.len())]),
            at: now,
            summary: Some(summary),
            restarts: self.restarts.as_slice(),
            notice: false,
        }))
    }

    fn release(&mut self) {
        self.newest = None;
        self.splitter.let_go();
    }

    fn patience(&self) -> Duration {
        if self.silence.dark_since.is_some() { NOTICE_INTERVAL } else { self.silence.patience() }
    }

    fn drops(&self) -> Drops {
        self.drops
    }

    fn largest_frame(&self) -> usize {
        self.largest
    }
}

impl Drop for PipeSource {
    fn drop(&mut self) {
        if let Err(error) = fcntl(&self.input, FcntlArg::F_SETFL(self.flags)) {
            log::debug!("{}: flags not put back: {error}", self.name);
        }
    }
}

#[cfg(test)]
#[path = "pipe_tests.rs"]
mod tests;
