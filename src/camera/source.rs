//! What every source of frames has in common.

use core::fmt;
use std::os::fd::BorrowedFd;

use serde::{Deserialize, Serialize};

use super::v4l2::ControlSetting;
use crate::jpeg::{self, Defect};
use crate::picture::Picture;
use crate::time::{Duration, Instant};

/// Delivers frames: a V4L2 device, a file, a pipe, a test scene.
///
/// The run loop waits until [`Source::as_fd`] is readable or [`Source::wake_at`] has come, calls
/// [`Source::next`], uses the lent frame, and calls [`Source::release`]. A camera that has gone away is
/// not an error: its source comes back by itself and hands over a notice picture meanwhile.
pub trait Source {
    /// What is delivered now, for people: `MJPG 1280x720 at 30 fps from ...`.
    fn describe(&self) -> String;

    /// The descriptor that becomes readable with the next frame, if there is one at the moment.
    fn as_fd(&self) -> Option<BorrowedFd<'_>>;

    /// When to call [`Source::next`] although the descriptor is silent.
    fn wake_at(&self) -> Option<Instant>;

    /// The newest good frame, lent until [`Source::release`]; `None` when there is none yet.
    ///
    /// # Errors
    ///
    /// [`SourceError::Ended`] when no frame will come any more, [`SourceError::Failed`] when the
    /// source cannot work at all, with a sentence that names the mend.
    fn next(&mut self, now: Instant) -> Result<Option<Captured<'_>>, SourceError>;

    /// Gives the lent frame back. Without effect if none is lent.
    fn release(&mut self);

    /// Sets these controls of a camera from now on, and puts those back that were set before; other sources
    /// have none.
    fn set_controls(&mut self, _controls: &[ControlSetting]) {}

    /// The longest time from one frame or notice to the next while all is in order.
    fn patience(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Frames that were not handed over, by cause, since the start.
    fn drops(&self) -> Drops;

    /// Bytes of the largest frame that this source can hand over as JPEG or raw.
    fn largest_frame(&self) -> usize;
}

/// A frame on loan from its source.
#[derive(Debug, Clone, Copy)]
pub struct Captured<'a> {
    /// The picture itself.
    pub picture: Picture<'a>,
    /// When it was captured.
    pub at: Instant,
    /// What the walk over a JPEG picture found.
    pub summary: Option<jpeg::Summary>,
    /// Offsets of the restart markers of a JPEG picture.
    pub restarts: &'a [u32],
    /// A notice made by the source (NO SIGNAL), not a picture from the camera.
    pub notice: bool,
}

/// Why a source gives no more frames.
#[derive(Debug)]
pub enum SourceError {
    /// The end of a file or pipe.
    Ended,
    /// It cannot work; the sentence says why and what to do.
    Failed(String),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("the source has ended"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// Frames that a source dropped, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Drops {
    /// A newer frame was already there.
    pub superseded: u64,
    /// The driver marked the buffer as erroneous.
    pub flagged: u64,
    /// No bytes (`bytesused` 0).
    pub empty: u64,
    /// No EOI, or fewer raw bytes than the format needs.
    pub truncated: u64,
    /// Not a JPEG image, or a broken one.
    pub malformed: u64,
    /// Larger than what can be sent.
    pub oversized: u64,
    /// No frame came before the frame deadline.
    pub timeouts: u64,
    /// The device reported an I/O error.
    pub io_errors: u64,
    /// Times the device was reopened.
    pub reopened: u64,
}

impl core::ops::Add for Drops {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            superseded: self.superseded + other.superseded,
            flagged: self.flagged + other.flagged,
            empty: self.empty + other.empty,
            truncated: self.truncated + other.truncated,
            malformed: self.malformed + other.malformed,
            oversized: self.oversized + other.oversized,
            timeouts: self.timeouts + other.timeouts,
            io_errors: self.io_errors + other.io_errors,
            reopened: self.reopened + other.reopened,
        }
    }
}

impl Drops {
    /// Counts a frame that the walk over it has refused.
    pub fn count(&mut self, defect: Defect) {
        *match defect {
            Defect::Empty => &mut self.empty,
            Defect::Truncated { .. } => &mut self.truncated,
            _ => &mut self.malformed,
        } += 1;
    }
}

/// Bytes of the largest frame that is ever taken from a file or a pipe (16 MiB).
pub const LONGEST_FRAME: usize = 16 * 1024 * 1024;
