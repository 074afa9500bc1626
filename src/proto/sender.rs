//! The camera's end of a stream: frames in, runs of sealed datagrams out.

use core::fmt;

use super::fragment::{Cut, DatagramSize, FrameTooLarge, shard_len};
use super::key_schedule::SharedKey;
use super::pacer::Pacer;
use super::seal::Seal;
use super::slab::Slab;
use crate::time::{Duration, Instant};
use crate::wire::{CaptureOffset, Flags, FrameNumber, MediaHeader, RestartIndex, StreamId};

/// What a sender is set up with.
#[derive(Debug, Clone, Copy)]
pub struct SenderSettings {
    /// Bytes of a full datagram, 128..=65,507; an odd number is rounded down.
    pub datagram: usize,
    /// Bytes of the largest frame to make room for; [`Sender::make_room`] changes it.
    pub max_frame: usize,
    /// How much of the frame interval a frame is spread over, 0..=100 percent; 0 sends at once.
    pub pace_percent: u8,
}

/// A frame to be sent, borrowed only while [`Sender::queue`] runs.
#[derive(Debug, Clone, Copy)]
pub struct OutgoingFrame<'a> {
    /// The whole JPEG image.
    pub bytes: &'a [u8],
    /// When it was captured.
    pub captured: Instant,
    /// Offsets of its restart markers in ascending order; may be empty.
    pub restarts: &'a [u32],
    /// Which of the camera's sources it is from.
    pub source: u8,
    /// What is special about it.
    pub flags: Flags,
}

/// What [`Sender::poll_transmit`] wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Transmit<'a> {
    /// Send these datagrams: `datagram` bytes each, back to back, the last one perhaps shorter. Then
    /// report what was accepted with [`Sender::transmitted`].
    Run {
        /// The datagrams.
        bytes: &'a [u8],
        /// Bytes of each but the last.
        datagram: usize,
    },
    /// Nothing is due before this time.
    Wait(Instant),
    /// Nothing is left to send.
    Idle,
}

/// What a sender has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderCounters {
    /// Frames sealed and queued.
    pub frames: u64,
    /// Bytes of those frames.
    pub frame_bytes: u64,
    /// Datagrams reported transmitted.
    pub datagrams: u64,
    /// Datagrams given up because a newer frame came or the network took nothing.
    pub abandoned: u64,
}

/// Seals frames into a slab and releases them at a pace.
///
/// Drive it like this: [`queue`](Self::queue) a frame, then call [`poll_transmit`](Self::poll_transmit)
/// and [`transmitted`](Self::transmitted) in turn until it says `Idle`, waiting whenever it says `Wait`.
/// Queueing a frame while an older one is still leaving gives up the rest of the older one: newest wins.
/// Reads no clock, does no I/O, allocates only in [`new`](Self::new) and [`make_room`](Self::make_room).
pub struct Sender {
    seal: Seal,
    stream: StreamId,
    started: Instant,
    next_packet: u64,
    next_frame: FrameNumber,
    shard_len: usize,
    pace_percent: u8,
    slab: Slab,
    leaving: Leaving,
    interval: Interval,
    counters: SenderCounters,
}

/// The datagrams in the slab that have not been transmitted yet.
struct Leaving {
    total: usize,
    sent: usize,
    last_len: usize,
    pacer: Pacer,
}

impl Leaving {
    fn nothing(now: Instant) -> Self {
        Self { total: 0, sent: 0, last_len: 0, pacer: Pacer::new(now, Duration::ZERO, Duration::ZERO, 0) }
    }
}

impl Sender {
    /// Starts the stream `stream` at time `now`.
    ///
    /// `stream` must never have been used with this key before; its random half sees to that.
    ///
    /// # Errors
    ///
    /// [`DatagramSize`] if the datagram size is out of range.
    pub fn new(
        settings: SenderSettings,
        key: &SharedKey,
        stream: StreamId,
        now: Instant,
    ) -> Result<Self, DatagramSize> {
        let shard_len = shard_len(settings.datagram)?;
        let mut sender = Self {
            seal: Seal::new(&key.stream_key(stream)),
            stream,
            started: now,
            next_packet: 0,
            next_frame: FrameNumber(0),
            shard_len,
            pace_percent: settings.pace_percent.min(100),
            slab: Slab::new(0, shard_len + MediaHeader::OVERHEAD),
            leaving: Leaving::nothing(now),
            interval: Interval::default(),
            counters: SenderCounters::default(),
        };
        sender.make_room(settings.max_frame);
        Ok(sender)
    }

    /// Claims memory for frames of `max_frame` bytes, as far as 65,535 shards go. Allocates if that is
    /// more than before, and then gives up what has not left yet.
    pub fn make_room(&mut self, max_frame: usize) {
        let slots = max_frame.div_ceil(self.shard_len).min(usize::from(u16::MAX));
        if slots > self.slab.slots() {
            self.abandon();
            self.slab = Slab::new(slots, self.slab.stride());
        }
    }

    /// Cuts the frames from now on into datagrams of `datagram` bytes: the path has changed. Allocates, and
    /// gives up what has not left yet.
    ///
    /// # Errors
    ///
    /// [`DatagramSize`] if the size is out of range; nothing is changed.
    pub fn set_datagram(&mut self, datagram: usize) -> Result<(), DatagramSize> {
        let shard_len = shard_len(datagram)?;
        let max_frame = self.room();
        self.abandon();
        self.shard_len = shard_len;
        self.slab = Slab::new(0, shard_len + MediaHeader::OVERHEAD);
        self.make_room(max_frame);
        Ok(())
    }

    /// Spreads the frames from now on over so much of the frame interval, 0..=100 percent.
    pub const fn set_pace(&mut self, percent: u8) {
        self.pace_percent = if percent > 100 { 100 } else { percent };
    }

    /// Bytes of the largest frame that there is room for.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.slab.slots() * self.shard_len
    }

    /// Which stream this is.
    #[must_use]
    pub const fn stream(&self) -> StreamId {
        self.stream
    }

    /// Bytes of a full datagram.
    #[must_use]
    pub const fn datagram(&self) -> usize {
        self.slab.stride()
    }

    /// What has been done so far.
    #[must_use]
    pub const fn counters(&self) -> SenderCounters {
        self.counters
    }

    /// Seals `frame` in one pass from where it lies into the slab, and schedules its datagrams from `now`
    /// on. The frame's memory is free again when this returns. Returns how many datagrams it became.
    ///
    /// # Errors
    ///
    /// [`FrameTooLarge`] if the frame is empty or there is no room for it; nothing is changed.
    pub fn queue(&mut self, now: Instant, frame: &OutgoingFrame<'_>) -> Result<u16, FrameTooLarge> {
        let cut = Cut::new(frame.bytes.len(), self.shard_len)?;
        if usize::from(cut.shards()) > self.slab.slots() {
            return Err(FrameTooLarge { len: frame.bytes.len(), limit: self.room() });
        }
        self.abandon();
        let mut header = MediaHeader {
            epoch: 0,
            stream: self.stream,
            packet: self.next_packet,
            frame: self.next_frame,
            shard: 0,
            data_shards: cut.shards(),
            parity_shards: 0,
            source: frame.source,
            flags: frame.flags,
            // `Cut` holds frames to 16 MiB.
            frame_len: frame.bytes.len() as u32,
            captured: CaptureOffset::new(frame.captured.since(self.started)),
            next_restart: RestartIndex::NONE,
        };
        let mut restarts = Restarts { offsets: frame.restarts, passed: 0 };
        let mut last_len = 0;
        for shard in 0..cut.shards() {
            let range = cut.range(shard);
            header.shard = shard;
            header.packet = self.next_packet;
            header.next_restart = restarts.first_before(range.end);
            last_len = range.len() + MediaHeader::OVERHEAD;
            let slot = self.slab.slot_mut(usize::from(shard), last_len);
            let (head, sealed) = slot.split_at_mut(MediaHeader::LEN);
            head.copy_from_slice(&header.to_bytes());
            self.seal.seal(header.packet, head, &frame.bytes[range], sealed);
            // 2^64 datagrams last longer than any camera.
            self.next_packet += 1;
        }
        self.next_frame = self.next_frame.next();
        self.counters.frames += 1;
        self.counters.frame_bytes += frame.bytes.len() as u64;
        let interval = self.interval.observe(frame.captured);
        let span = interval * u32::from(self.pace_percent) / 100;
        // A tenth of the interval is left for the next frame being early.
        let slack = (interval * 9 / 10).saturating_sub(span).min(span);
        let total = usize::from(cut.shards());
        self.leaving = Leaving { total, sent: 0, last_len, pacer: Pacer::new(now, span, slack, total) };
        Ok(cut.shards())
    }

    /// The next thing to do at `now`.
    pub fn poll_transmit(&mut self, now: Instant) -> Transmit<'_> {
        let leaving = &mut self.leaving;
        let Some(release) = leaving.pacer.next_release(leaving.sent) else { return Transmit::Idle };
        if release > now {
            return Transmit::Wait(release);
        }
        let due = leaving.pacer.due(now, leaving.sent).max(1);
        let stride = self.slab.stride();
        let last = if leaving.sent + due == leaving.total { leaving.last_len } else { stride };
        Transmit::Run { bytes: self.slab.run(leaving.sent, due, last), datagram: stride }
    }

    /// When the next datagram is due; `None` if all have left.
    #[must_use]
    pub fn next_release(&self) -> Option<Instant> {
        self.leaving.pacer.next_release(self.leaving.sent)
    }

    /// The first `bytes` bytes of the run that [`Sender::poll_transmit`] gave have been accepted.
    pub fn transmitted(&mut self, bytes: usize) {
        let left = self.leaving.total - self.leaving.sent;
        let datagrams = bytes.div_ceil(self.slab.stride()).min(left);
        self.leaving.sent += datagrams;
        self.counters.datagrams += datagrams as u64;
    }

    /// Gives up what has not left yet, and counts it.
    pub fn abandon(&mut self) {
        self.counters.abandoned += (self.leaving.total - self.leaving.sent) as u64;
        self.leaving.sent = self.leaving.total;
    }

    /// Whether all datagrams have left.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.leaving.sent == self.leaving.total
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender({} at packet {})", self.stream, self.next_packet)
    }
}

/// Walks along the restart markers of a frame while it is cut.
struct Restarts<'a> {
    offsets: &'a [u32],
    passed: usize,
}

impl Restarts<'_> {
    /// The first interval that begins before `end` and not before the last `end`.
    fn first_before(&mut self, end: usize) -> RestartIndex {
        let begins = self.offsets[self.passed..].iter().take_while(|at| (**at as usize) < end).count();
        let first = self.passed + 1;
        self.passed += begins;
        if begins > 0 { RestartIndex::new(first) } else { RestartIndex::NONE }
    }
}

/// The time between frames, smoothed over the last ones.
#[derive(Default)]
struct Interval {
    last: Option<Instant>,
    mean: Option<Duration>,
}

impl Interval {
    /// Before a second frame has been seen.
    const ASSUMED: Duration = Duration::from_micros(33_333);
    const LONGEST: Duration = Duration::from_secs(1);

    fn observe(&mut self, captured: Instant) -> Duration {
        let gap = self.last.replace(captured).map(|last| captured.since(last).min(Self::LONGEST));
        self.mean = match (self.mean, gap) {
            (Some(mean), Some(gap)) => Some((mean * 7 + gap) / 8),
            (mean, gap) => mean.or(gap),
        };
        // Never longer than the last gap: the frame after a pause must not be held back.
        let mean = self.mean.unwrap_or(Self::ASSUMED);
        gap.filter(|gap| !gap.is_zero()).map_or(mean, |gap| mean.min(gap))
    }
}

#[cfg(test)]
#[path = "sender_tests.rs"]
mod tests;
