//! The source: a camera that is kept going.
//!
//! A device that falls silent is stopped and started again, then closed and opened again; one that has
//! gone is looked for under its stable name. Meanwhile a NO SIGNAL picture with the reason goes out once a
//! second. Nothing here sleeps or reads a clock: [`Source::wake_at`] says when to call again.
//!
//! Two instants drive it all: `notice_at`, when the next notice is due unless a frame comes first, and
//! `act_at`, when to do something about the device (streaming: it counts as silent; else: open it).

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::errno::Errno;

use super::controls::ControlSetting;
use super::formats::Encoding;
use super::known::Known;
use super::reason::{OpenError, Reason, denied};
use super::session::{Good, Restarts, Session};
use super::settings::CameraSettings;
use super::sys::Refused;
use crate::camera::notice::Notice;
use crate::camera::source::{Captured, Drops, Source, SourceError};
use crate::picture::{Picture, RawPicture};
use crate::time::{Duration, Instant};

/// From one NO SIGNAL picture to the next.
const NOTICE_INTERVAL: Duration = Duration::from_secs(1);
/// How often a node that is not there is looked for.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// I/O errors in a row after which the stream is started again; after as many again it is reopened.
const ERRORS_IN_A_ROW: u32 = 5;
/// How long a node may be closed to us at the start: udev opens it a moment after it has appeared.
const DENIED_AT_MOST: Duration = Duration::from_secs(2);
/// Silence that is not taken for patience, whatever frame interval a driver claims.
const LONGEST_QUIET: Duration = Duration::from_secs(60);

/// A V4L2 camera as a source of frames.
#[derive(Debug)]
pub struct Camera {
    settings: CameraSettings,
    session: Option<Session>,
    /// The camera that was open last.
    known: Option<Known>,
    /// It has been opened under the name that was asked for, and its stable name not looked up since.
    unnamed: bool,
    restarts: Restarts,
    drops: Drops,
    notice: Notice,
    reason: Reason,
    /// Since when there has been no picture.
    dark_since: Option<Instant>,
    /// Since when another camera has been in its place.
    other_since: Option<Instant>,
    notice_at: Instant,
    act_at: Instant,
    /// Wait before the next attempt to open.
    delay: Duration,
    /// I/O errors since the last good frame.
    errors: u32,
    /// The stream was started again since the last good frame.
    restarted: bool,
    /// Buffers that the session had received when the last good frame came.
    received: u64,
    largest: usize,
}

impl Camera {
    /// Opens a camera, or prepares to wait for one that is not there yet.
    ///
    /// # Errors
    ///
    /// [`SourceError::Failed`] when the node is there and can never work: no capture device, or only
    /// formats that cannot be sent.
    pub fn open(settings: CameraSettings, now: Instant) -> Result<Self, SourceError> {
        let notice = Notice::new();
        let mut camera = Self {
            delay: settings.reopen.first,
            largest: notice.len(),
            settings,
            session: None,
            known: None,
            unnamed: false,
            restarts: Restarts::default(),
            drops: Drops::default(),
            notice,
            reason: Reason::Starting,
            dark_since: None,
            other_since: None,
            notice_at: now,
            act_at: now,
            errors: 0,
            restarted: false,
            received: 0,
        };
        camera.reopen(now)?;
        Ok(camera)
    }

    /// Opens the device; if that fails for now, says when to try again.
    fn reopen(&mut self, now: Instant) -> Result<(), SourceError> {
        self.get_used_to_another(now);
        match self.attempt() {
            Ok(session) => self.opened(session, now),
            Err(OpenError::Never(why)) if self.known.is_none() => return Err(SourceError::Failed(why)),
            Err(OpenError::Never(why)) => {
                log::debug!("{why}");
                self.not_opened(Reason::OtherCamera, now);
            }
            Err(OpenError::Later(reason)) => {
                let long = self.dark_since.is_some_and(|since| now.since(since) >= DENIED_AT_MOST);
                let hopeless = long && !self.settings.patient && self.known.is_none();
                if reason == Reason::Denied && hopeless {
                    return Err(SourceError::Failed(denied(&self.settings.path)));
                }
                self.not_opened(reason, now);
            }
        }
        Ok(())
    }

    /// Takes what is there for the camera that is meant, when another one has been in its place for a while.
    fn get_used_to_another(&mut self, now: Instant) {
        if self.reason != Reason::OtherCamera || !self.settings.patient {
            self.other_since = None;
        } else if now.since(*self.other_since.get_or_insert(now)) >= self.settings.take_other {
            log::warn!("{}: the camera that was here has not come back; taking the one that is", self.path());
            self.known = None;
            self.other_since = None;
            self.drops.reopened += 1;
        }
    }

    fn attempt(&self) -> Result<Session, OpenError> {
        match &self.known {
            Some(known) => known.open(&self.settings),
            None => Session::open(&self.settings.path, &self.settings.request(), None),
        }
    }

    fn opened(&mut self, session: Session, now: Instant) {
        if let Some(known) = &mut self.known {
            self.drops.reopened += 1;
            known.identity = session.identity().clone();
        } else {
            self.known = Some(Known::new(session.identity().clone()));
        }
        self.unnamed = session.path() == self.settings.path;
        let layout = session.layout();
        let frame = match layout.encoding {
            Encoding::Jpeg => layout.capacity.min(self.settings.max_frame),
            Encoding::Raw(_) => layout.least(),
        };
        self.largest = self.largest.max(frame);
        session.set_controls(&self.settings.controls, &core::mem::take(&mut self.settings.undo));
        self.reason = Reason::Starting;
        self.received = 0;
        self.errors = 0;
        self.act_at = now + quiet(&self.settings, &session) * 2;
        if self.dark_since.is_none() {
            // However slow it is: until it has shown something, nobody knows that it is well.
            self.notice_at = now + self.settings.patience;
        }
        self.session = Some(session);
    }

    fn not_opened(&mut self, reason: Reason, now: Instant) {
        let reason = match reason {
            Reason::NotFound if self.known.is_some() => Reason::Unplugged,
            reason => reason,
        };
        let wait = match reason {
            Reason::NotFound | Reason::Unplugged | Reason::Denied => LOOK_INTERVAL,
            _ => self.longer_delay(),
        };
        if self.reason != reason {
            log::warn!("{}: {reason}; waiting for it", self.path());
        }
        self.darken(reason, now);
        self.act_at = now + wait;
    }

    fn longer_delay(&mut self) -> Duration {
        let longer = (self.delay * 2).min(self.settings.reopen.longest);
        core::mem::replace(&mut self.delay, longer)
    }

    /// From now on there is no picture, for this reason.
    fn darken(&mut self, reason: Reason, now: Instant) {
        self.reason = reason;
        if self.dark_since.is_none() {
            self.dark_since = Some(now);
            self.notice_at = now;
        }
    }

    /// Takes the newest frame, or does what the absence of one asks for.
    fn pull(&mut self, now: Instant) -> Option<Good> {
        let session = self.session.as_mut()?;
        let trouble = match session.newest(now, &mut self.restarts, &mut self.drops) {
            Ok(Some(good)) => return Some(good),
            Ok(None) => session.trouble(),
            Err(refused) => Some(refused),
        };
        if let Some(refused) = trouble {
            self.suffer(refused, now);
        }
        if self.session.is_some() && now >= self.act_at {
            self.fell_silent(now);
        }
        None
    }

    /// Deals with an error of the streaming device.
    fn suffer(&mut self, refused: Refused, now: Instant) {
        match refused.errno {
            Errno::ENODEV | Errno::ENXIO | Errno::ESHUTDOWN => self.close(Reason::Unplugged, now),
            Errno::EIO => {
                self.drops.io_errors += 1;
                self.errors += 1;
                if self.errors >= 2 * ERRORS_IN_A_ROW {
                    self.close(Reason::Refused(refused), now);
                } else if self.errors == ERRORS_IN_A_ROW {
                    self.restart(Reason::Refused(refused), now);
                }
            }
            _ => self.close(Reason::Refused(refused), now),
        }
    }

    /// No good frame came in time: the stream is started again, and if that was done already, reopened.
    fn fell_silent(&mut self, now: Instant) {
        let Some(session) = &self.session else { return };
        let quiet = quiet(&self.settings, session);
        let anything = session.received() != self.received;
        let reason = if anything { Reason::Broken(quiet) } else { Reason::Silent(quiet) };
        self.drops.timeouts += 1;
        if self.restarted {
            self.close(reason, now);
        } else {
            self.restart(reason, now);
        }
    }

    fn restart(&mut self, reason: Reason, now: Instant) {
        let Some(session) = &mut self.session else { return };
        // libcamera's compatibility layer counts its buffers on across a restart: opened again instead.
        if session.copies() {
            return self.close(reason, now);
        }
        log::warn!("{}: {reason}; starting the stream again", self.settings.path.display());
        self.restarted = true;
        match session.restart() {
            Ok(()) => {
                self.received = session.received();
                self.act_at = now + quiet(&self.settings, session) * 2;
                self.darken(reason, now);
            }
            Err(refused) if refused.errno == Errno::ENODEV => self.close(Reason::Unplugged, now),
            Err(refused) => {
                log::debug!("{}: {refused}", self.settings.path.display());
                self.close(reason, now);
            }
        }
    }

    /// Lets go of the device, so that its number becomes free, and prepares to open it again.
    fn close(&mut self, reason: Reason, now: Instant) {
        self.session = None;
        log::warn!("{}: {reason}; opening it again", self.path());
        self.darken(reason, now);
        self.act_at = now + self.longer_delay();
    }

    /// A good frame came; the device is closed instead if it is another camera's.
    fn lighten(&mut self, now: Instant) {
        if core::mem::take(&mut self.unnamed)
            && let Some(known) = &mut self.known
            && !known.learn(&self.settings)
        {
            return self.close(Reason::OtherCamera, now);
        }
        if let Some(since) = self.dark_since.take() {
            log::info!(
                "{}: picture after {} ms: {}",
                self.path(),
                now.since(since).as_millis(),
                self.describe()
            );
        }
        self.errors = 0;
        self.restarted = false;
        self.delay = self.settings.reopen.first;
        if let Some(session) = &self.session {
            self.received = session.received();
            self.act_at = now + quiet(&self.settings, session);
            self.notice_at = self.act_at;
        }
    }

    fn captured(&self, good: &Good) -> Option<Captured<'_>> {
        let session = self.session.as_ref()?;
        let layout = session.layout();
        let bytes = session.bytes(good);
        let picture = match layout.encoding {
            Encoding::Jpeg => Picture::Jpeg(bytes),
            Encoding::Raw(format) => Picture::Raw(RawPicture {
                samples: bytes,
                format,
                width: layout.size.0,
                height: layout.size.1,
                stride: layout.stride,
                colour: layout.colour,
            }),
        };
        let restarts = self.restarts.best.as_slice();
        Some(Captured { picture, at: good.at, summary: good.summary, restarts, notice: false })
    }

    fn draw_notice(&mut self, now: Instant) -> Captured<'_> {
        self.notice_at = now + NOTICE_INTERVAL;
        let dark = self.dark_since.map_or(Duration::ZERO, |since| now.since(since));
        let picture = self.notice.draw(&self.reason, &self.settings.path.display(), dark);
        Captured { picture: Picture::Raw(picture), at: now, summary: None, restarts: &[], notice: true }
    }

    fn path(&self) -> std::path::Display<'_> {
        Path::display(&self.settings.path)
    }
}

impl Source for Camera {
    fn describe(&self) -> String {
        match (&self.session, &self.known, self.dark_since) {
            (Some(session), Some(known), None) => {
                format!("{} from {} ({})", session.describe(), self.path(), known.identity.card)
            }
            _ => format!("no signal from {}: {}", self.path(), self.reason),
        }
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.session.as_ref().map(AsFd::as_fd)
    }

    fn wake_at(&self) -> Option<Instant> {
        Some(self.notice_at.min(self.act_at))
    }

    fn next(&mut self, now: Instant) -> Result<Option<Captured<'_>>, SourceError> {
        self.release();
        if self.session.is_none() && now >= self.act_at {
            self.reopen(now)?;
        }
        match self.pull(now) {
            Some(good) => {
                self.lighten(now);
                Ok(self.captured(&good))
            }
            None if now >= self.notice_at => {
                self.dark_since.get_or_insert(now);
                Ok(Some(self.draw_notice(now)))
            }
            None => Ok(None),
        }
    }

    fn release(&mut self) {
        if let Some(session) = &mut self.session {
            session.release();
        }
    }

    fn set_controls(&mut self, controls: &[ControlSetting]) {
        let before = core::mem::replace(&mut self.settings.controls, controls.to_vec());
        let undo = &mut self.settings.undo;
        undo.retain(|name| before.iter().all(|control| control.name != *name));
        undo.extend(before.into_iter().map(|control| control.name));
        if let Some(session) = &self.session {
            session.set_controls(controls, &core::mem::take(&mut self.settings.undo));
        }
    }

    fn patience(&self) -> Duration {
        self.session.as_ref().map_or(NOTICE_INTERVAL, |session| quiet(&self.settings, session))
    }

    fn drops(&self) -> Drops {
        self.drops
    }

    /// The largest that any mode so far could deliver; it may grow when a camera comes back in another one.
    fn largest_frame(&self) -> usize {
        self.largest
    }
}

/// How long a stream may be without a good frame.
fn quiet(settings: &CameraSettings, session: &Session) -> Duration {
    let interval = session.layout().interval.map_or(0, super::formats::Interval::micros);
    settings.patience.max(Duration::from_micros(interval.saturating_mul(5)).min(LONGEST_QUIET))
}
