//! One open, streaming device: from the open node to the newest good frame.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::controls::{self, ControlSetting};
use super::device::{Device, Identity, Kind};
use super::formats::{Encoding, Interval, Offer, offers};
use super::inspect::{Layout, Rules, Whole, captured_at, inspect};
use super::listing::Offers;
use super::negotiate::{DEFAULT_SIZE, Mode, Wish, modes, next_smaller};
use super::queue::Queue;
use super::reason::{
    OpenError, Reason, format_not_offered, no_capture_device, no_usable_format, no_video_device,
};
use super::start::start;
use super::sys::{BufferInfo, Refused};
use crate::camera::source::Drops;
use crate::jpeg::{self, RestartOffsets};
use crate::time::{Duration, Instant};

/// Oldest capture time that is believed.
const OLDEST: Duration = Duration::from_secs(5);
/// The same behind libcamera's compatibility layer, some versions of which get the microseconds wrong.
const COMPATIBILITY_OLDEST: Duration = Duration::from_millis(250);

/// What to ask of a device, whichever it turns out to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) wish: Wish,
    pub(super) buffers: u32,
    pub(super) max_frame: usize,
}

/// A device that streams. Dropping it stops the stream and frees the buffers.
#[derive(Debug)]
pub(super) struct Session {
    device: Device,
    queue: Queue,
    layout: Layout,
    mode: Mode,
    path: PathBuf,
    rules: Rules,
    /// Where frames are copied to behind libcamera's compatibility layer.
    copy: Option<Vec<u8>>,
    lent: Option<usize>,
    /// An error that could not be reported when it was met.
    pending: Option<Refused>,
    /// Buffers that came from the driver, good or not.
    received: u64,
    /// Good frames in buffers that were marked as erroneous.
    pardoned: u64,
}

/// Two lists of restart markers: of the best frame so far, and of the one that is looked at.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    pub(super) best: RestartOffsets,
    current: RestartOffsets,
}

/// A whole frame that has not gone back to the driver.
#[derive(Debug, Clone, Copy)]
pub(super) struct Good {
    /// Its buffer; `None` if it was copied.
    index: Option<usize>,
    len: usize,
    pub(super) at: Instant,
    pub(super) summary: Option<jpeg::Summary>,
}

impl Session {
    /// Opens a device, negotiates, and starts the stream.
    ///
    /// With `expected`, only a camera of that name and driver will do.
    pub(super) fn open(
        path: &Path,
        request: &Request,
        expected: Option<&Identity>,
    ) -> Result<Self, OpenError> {
        let device = Device::open(path).map_err(|refused| match refused.errno {
            Errno::ENOTTY | Errno::EINVAL | Errno::EISDIR => OpenError::Never(no_video_device(path)),
            _ => refused.into(),
        })?;
        let identity = &device.identity;
        if expected.is_some_and(|known| known.driver != identity.driver || known.card != identity.card) {
            return Err(OpenError::Later(Reason::OtherCamera));
        }
        if device.kind != Kind::Capture {
            return Err(OpenError::Never(no_capture_device(path, identity, device.kind)));
        }
        let wish = Wish { compatibility_layer: identity.is_compatibility_layer(), ..request.wish };
        let offers = offers(&device.node, wish.size.unwrap_or(DEFAULT_SIZE))?;
        let modes = modes(&offers, &wish);
        if modes.is_empty() {
            return Err(OpenError::Never(
                if offers.iter().any(|offer| Encoding::of(offer.fourcc).is_some()) {
                    format_not_offered(path, wish.format, &offers)
                } else {
                    no_usable_format(path, identity, &offers)
                },
            ));
        }
        let session = Self::start_best(device, path, request, &modes)?;
        session.report(&wish, &offers);
        Ok(session)
    }

    /// Starts the first mode that the device and its bus can do.
    fn start_best(device: Device, path: &Path, request: &Request, modes: &[Mode]) -> Result<Self, OpenError> {
        let mut untried = modes.iter().copied();
        let mut next = untried.next();
        let mut last = Refused { call: "VIDIOC_S_FMT", errno: Errno::EINVAL };
        while let Some(mode) = next {
            match start(&device, mode, request) {
                Ok((queue, layout)) => return Ok(Self::new(device, queue, layout, mode, path, request)),
                Err(refused) if refused.errno == Errno::ENOSPC => {
                    next = next_smaller(modes, &mode);
                    match next {
                        Some(smaller) => log::warn!(
                            "{}: the USB bus has no bandwidth left for {mode}; trying {smaller}",
                            path.display()
                        ),
                        None => return Err(OpenError::Later(Reason::Bandwidth)),
                    }
                }
                Err(refused) if refused.errno == Errno::EINVAL => {
                    log::debug!("{}: {mode} is offered, but {refused}", path.display());
                    last = refused;
                    next = untried.next();
                }
                Err(refused) => return Err(refused.into()),
            }
        }
        Err(last.into())
    }

    fn new(device: Device, queue: Queue, layout: Layout, mode: Mode, path: &Path, request: &Request) -> Self {
        let compatibility = device.identity.is_compatibility_layer();
        Self {
            copy: compatibility.then(|| Vec::with_capacity(layout.capacity)),
            rules: Rules { believe_error_flag: !compatibility, max_frame: request.max_frame },
            path: path.to_owned(),
            device,
            queue,
            layout,
            mode,
            lent: None,
            pending: None,
            received: 0,
            pardoned: 0,
        }
    }

    /// Says what was taken, and of what.
    fn report(&self, wish: &Wish, offers: &[Offer]) {
        let path = self.path.display();
        let identity = &self.device.identity;
        log::info!("{path}: {identity}: took {} of {}", self.describe(), Offers(offers));
        if wish.size.is_some_and(|size| size != self.layout.size) {
            let (width, height) = wish.size.unwrap_or_default();
            log::warn!("{path}: {width}x{height} cannot be had; {} instead", self.describe());
        }
        let rate = self.layout.interval.map(Interval::rate);
        if let (Some(fps), Some(rate)) = (wish.fps, rate)
            && rate < f64::from(fps) * 0.98
        {
            log::warn!("{path}: {fps} fps cannot be had; {} instead", self.describe());
        }
    }

    /// Sets controls, those called as in `undo` to their defaults; what cannot be set is told in the log.
    pub(super) fn set_controls(&self, settings: &[ControlSetting], undo: &[String]) {
        controls::apply(&self.device.node, &self.path, settings, undo);
    }

    /// The mode that runs, as the driver has set it: `MJPG 1280x720 at 30 fps`.
    pub(super) fn describe(&self) -> String {
        let (width, height) = self.layout.size;
        let rate = self.layout.interval.map_or_else(String::new, |interval| format!(" at {interval} fps"));
        format!("{} {width}x{height}{rate}", self.mode.fourcc)
    }

    /// The name under which it was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn identity(&self) -> &Identity {
        &self.device.identity
    }

    pub(super) const fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) const fn received(&self) -> u64 {
        self.received
    }

    /// Whether the device is libcamera's compatibility layer.
    pub(super) const fn copies(&self) -> bool {
        self.copy.is_some()
    }

    /// The newest whole frame that the driver has; older ones and bad ones go back to it and are counted.
    ///
    /// # Errors
    ///
    /// Any answer of the driver but "none yet", unless there is a frame to hand over first.
    pub(super) fn newest(
        &mut self,
        now: Instant,
        restarts: &mut Restarts,
        drops: &mut Drops,
    ) -> Result<Option<Good>, Refused> {
        if let Some(refused) = self.pending.take() {
            return Err(refused);
        }
        // Those that could not be given back when their time came.
        self.queue.queue_all(&self.device.node)?;
        let mut best: Option<Good> = None;
        // As many rounds as could be ready at first and again meanwhile: a fast camera is not chased.
        for _ in 0..2 * self.queue.len() {
            match self.queue.dequeue(&self.device.node) {
                Ok(Some(info)) => {
                    self.received += 1;
                    let good = self.look_at(&info, now, restarts, drops);
                    if good.is_some()
                        && let Some(older) = core::mem::replace(&mut best, good)
                    {
                        drops.superseded += 1;
                        self.give_back(older.index);
                    }
                }
                Ok(None) => break,
                Err(refused) => self.pending = Some(refused),
            }
            if self.pending.is_some() {
                break;
            }
        }
        self.lent = best.and_then(|good| good.index);
        match self.pending.take_if(|_| best.is_none()) {
            Some(refused) => Err(refused),
            None => Ok(best),
        }
    }

    /// Judges one dequeued buffer; a bad one goes straight back.
    fn look_at(
        &mut self,
        info: &BufferInfo,
        now: Instant,
        restarts: &mut Restarts,
        drops: &mut Drops,
    ) -> Option<Good> {
        let index = info.index as usize;
        let bytes = self.queue.bytes(index, info.used as usize);
        match inspect(bytes, info.flags, &self.layout, &self.rules, &mut restarts.current) {
            Ok(whole) => {
                core::mem::swap(&mut restarts.best, &mut restarts.current);
                self.pardon(info);
                let oldest = if self.copies() { COMPATIBILITY_OLDEST } else { OLDEST };
                let at = captured_at(info, now, oldest);
                Some(self.keep(index, whole, at))
            }
            Err(fault) => {
                fault.count(drops);
                self.give_back(Some(index));
                None
            }
        }
    }

    /// Keeps a good frame where it is, or behind the compatibility layer as a copy: that layer wants its
    /// buffers back one at a time, in the order in which it gave them.
    fn keep(&mut self, index: usize, whole: Whole, at: Instant) -> Good {
        let Whole { len, summary } = whole;
        let Some(copy) = &mut self.copy else {
            return Good { index: Some(index), len, at, summary };
        };
        copy.clear();
        copy.extend_from_slice(self.queue.bytes(index, len));
        self.give_back(Some(index));
        Good { index: None, len, at, summary }
    }

    /// Notes a whole frame in a buffer that is marked as erroneous.
    fn pardon(&mut self, info: &BufferInfo) {
        if info.flags & v4l::buffer::Flags::ERROR.bits() == 0 {
            return;
        }
        self.pardoned += 1;
        if self.pardoned == 1 {
            log::info!("{}: a whole frame is marked as erroneous; it is used", self.path.display());
        }
    }

    /// Gives a buffer back to the driver. An error is reported by `newest`, which tries again after that.
    fn give_back(&mut self, index: Option<usize>) {
        let Some(index) = index else { return };
        if let Err(refused) = self.queue.queue(&self.device.node, index) {
            self.pending = Some(refused);
        }
    }

    /// The bytes of a frame that has not been released.
    pub(super) fn bytes(&self, good: &Good) -> &[u8] {
        match (good.index, &self.copy) {
            (Some(index), _) => self.queue.bytes(index, good.len),
            (None, Some(copy)) => copy.get(..good.len).unwrap_or(&[]),
            (None, None) => &[],
        }
    }

    /// Gives the lent frame back to the driver; an error is reported by the next call of `newest`.
    pub(super) fn release(&mut self) {
        let lent = self.lent.take();
        self.give_back(lent);
    }

    /// Whether the kernel says that the device has gone or its stream has broken.
    ///
    /// Only the conditions that are always reported are looked at: an eventfd in place of the device, as
    /// libcamera's layer has it, is always writable.
    pub(super) fn trouble(&self) -> Option<Refused> {
        let mut fds = [PollFd::new(self.device.node.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).ok()?;
        let met = fds[0].revents()?;
        if met.intersects(PollFlags::POLLHUP | PollFlags::POLLNVAL) {
            Some(Refused { call: "poll", errno: Errno::ENODEV })
        } else if met.contains(PollFlags::POLLERR) {
            Some(Refused { call: "poll", errno: Errno::EIO })
        } else {
            None
        }
    }

    /// Stops the stream and starts it again with all buffers.
    pub(super) fn restart(&mut self) -> Result<(), Refused> {
        self.lent = None;
        self.pending = None;
        self.queue.stop(&self.device.node)?;
        self.queue.queue_all(&self.device.node)?;
        self.device.node.stream_on()
    }
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.node.as_fd()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.queue.close(&self.device.node);
    }
}
