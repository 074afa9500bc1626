//! The camera's end of a stream: frames in, runs of sealed datagrams out.

mod interval;
mod restarts;
mod signing;
mod terms;

use core::fmt;

use super::fragment::{Cut, DatagramSize, FrameTooLarge, shard_len};
use super::key_schedule::{SharedKey, StreamKey};
use super::manifest::{MIN_SIGNED_DATAGRAM, Order, Signer};
use super::pacer::Pacer;
use super::seal::Seal;
use super::slab::Slab;
use crate::time::{Duration, Instant};
use crate::wire::{CaptureOffset, FrameNumber, Manifest, MediaHeader, RestartIndex, StreamId};
use interval::Interval;
use restarts::Restarts;
use signing::Signing;

pub use terms::{OutgoingFrame, SenderCounters, SenderSettings, Transmit};

/// Seals frames into a slab and releases them at a pace.
///
/// Drive it like this: [`queue`](Self::queue) a frame, then call [`poll_transmit`](Self::poll_transmit)
/// and [`transmitted`](Self::transmitted) in turn until it says `Idle`, waiting whenever it says `Wait`.
/// Queueing a frame while an older one is still leaving gives up the rest of the older one: newest wins.
/// Reads no clock, does no I/O, allocates only in [`new`](Self::new) and [`make_room`](Self::make_room).
pub struct Sender {
    seal: Seal,
    epoch: u16,
    stream: StreamId,
    signing: Option<Signing>,
    started: Instant,
    next_packet: u64,
    next_frame: FrameNumber,
    shard_len: usize,
    /// Of the largest frame that there is room for.
    shards: usize,
    pace_percent: u8,
    slab: Slab,
    leaving: Leaving,
    /// The slab holds a whole frame that was sealed with the key in use.
    repeatable: bool,
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

/// Seals `plain` behind `head` into `slot`, which is exactly as long as it must be.
fn seal_into(seal: &Seal, slot: &mut [u8], packet: u64, head: &[u8; MediaHeader::LEN], plain: &[u8]) {
    let (start, sealed) = slot.split_at_mut(MediaHeader::LEN);
    start.copy_from_slice(head);
    seal.seal(packet, start, plain, sealed);
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
        Self::sealing(settings, 0, &key.stream_key(stream), stream, None, now)
    }

    /// Starts the stream `stream` for paired viewers at time `now`, with the media key `key` of the epoch
    /// `epoch`. With `signer` each frame is followed and preceded by its signed manifest.
    ///
    /// # Errors
    ///
    /// [`DatagramSize`] if the datagram size is out of range, which with a `signer` begins at
    /// [`MIN_SIGNED_DATAGRAM`].
    pub fn paired(
        settings: SenderSettings,
        epoch: u16,
        key: &StreamKey,
        stream: StreamId,
        signer: Option<Signer>,
        now: Instant,
    ) -> Result<Self, DatagramSize> {
        Self::sealing(settings, epoch, key, stream, signer, now)
    }

    fn sealing(
        settings: SenderSettings,
        epoch: u16,
        key: &StreamKey,
        stream: StreamId,
        signer: Option<Signer>,
        now: Instant,
    ) -> Result<Self, DatagramSize> {
        let shard_len = Self::shard_len(settings.datagram, signer.is_some())?;
        let stride = shard_len + MediaHeader::OVERHEAD;
        let mut sender = Self {
            seal: Seal::new(key),
            epoch,
            stream,
            signing: signer.map(|signer| Signing::new(signer, stride)),
            started: now,
            next_packet: 0,
            next_frame: FrameNumber(0),
            shard_len,
            shards: 0,
            pace_percent: settings.pace_percent.min(100),
            slab: Slab::new(0, stride),
            leaving: Leaving::nothing(now),
            repeatable: false,
            interval: Interval::default(),
            counters: SenderCounters::default(),
        };
        sender.make_room(settings.max_frame);
        Ok(sender)
    }

    fn shard_len(datagram: usize, signed: bool) -> Result<usize, DatagramSize> {
        if signed && datagram < MIN_SIGNED_DATAGRAM {
            return Err(DatagramSize { datagram, least: MIN_SIGNED_DATAGRAM });
        }
        shard_len(datagram)
    }

    /// Seals the frames from now on with another media key. Packet numbers begin again, for a key that has
    /// never sealed anything; what has been sealed leaves as it is.
    pub fn set_key(&mut self, epoch: u16, key: &StreamKey) {
        self.seal = Seal::new(key);
        self.epoch = epoch;
        self.next_packet = 0;
        self.repeatable = false;
    }

    /// Datagrams sealed under the key of this epoch.
    #[must_use]
    pub const fn sealed_under_key(&self) -> u64 {
        self.next_packet
    }

    /// Claims memory for frames of `max_frame` bytes, as far as 65,535 shards go. Allocates if that is
    /// more than before, and then gives up what has not left yet.
    pub fn make_room(&mut self, max_frame: usize) {
        let shards = max_frame.div_ceil(self.shard_len).min(usize::from(u16::MAX));
        if shards > self.shards {
            self.abandon();
            self.repeatable = false;
            self.shards = shards;
            let manifests = self.signing.as_ref().map_or(0, |signing| signing.manifests(shards));
            self.slab = Slab::new(shards + 2 * manifests, self.slab.stride());
            if let Some(signing) = &mut self.signing {
                signing.make_room(shards);
            }
        }
    }

    /// Cuts the frames from now on into datagrams of `datagram` bytes: the path has changed. Allocates, and
    /// gives up what has not left yet.
    ///
    /// # Errors
    ///
    /// [`DatagramSize`] if the size is out of range; nothing is changed.
    pub fn set_datagram(&mut self, datagram: usize) -> Result<(), DatagramSize> {
        let shard_len = Self::shard_len(datagram, self.signing.is_some())?;
        let max_frame = self.room();
        self.abandon();
        self.repeatable = false;
        self.shard_len = shard_len;
        self.shards = 0;
        self.slab = Slab::new(0, shard_len + MediaHeader::OVERHEAD);
        if let Some(signing) = &mut self.signing {
            signing.set_datagram(self.slab.stride());
        }
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
        self.shards * self.shard_len
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
    /// on. The frame's memory is free again when this returns. Returns how many shards it became.
    ///
    /// # Errors
    ///
    /// [`FrameTooLarge`] if the frame is empty or there is no room for it; nothing is changed.
    pub fn queue(&mut self, now: Instant, frame: &OutgoingFrame<'_>) -> Result<u16, FrameTooLarge> {
        let cut = Cut::new(frame.bytes.len(), self.shard_len)?;
        let shards = usize::from(cut.shards());
        if shards > self.shards {
            return Err(FrameTooLarge { len: frame.bytes.len(), limit: self.room() });
        }
        self.abandon();
        let mut header = MediaHeader {
            epoch: self.epoch,
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
        let manifests = self.signing.as_ref().map_or(0, |signing| signing.manifests(shards));
        let order = Order { manifests, shards };
        let first_packet = self.next_packet;
        let mut restarts = Restarts { offsets: frame.restarts, passed: 0 };
        let mut last_len = 0;
        for shard in 0..cut.shards() {
            let (slot, plain) = (order.slot_of(usize::from(shard)), &frame.bytes[cut.range(shard)]);
            header.shard = shard;
            header.packet = first_packet + slot as u64;
            header.next_restart = restarts.first_before(cut.range(shard).end);
            last_len = plain.len() + MediaHeader::OVERHEAD;
            seal_into(
                &self.seal,
                self.slab.slot_mut(slot, last_len),
                header.packet,
                &header.to_bytes(),
                plain,
            );
            if let Some(signing) = &mut self.signing {
                signing.note(shard, plain, header.next_restart);
            }
        }
        self.sign(header, order);
        // 2^64 datagrams last longer than any camera.
        self.next_packet += order.total() as u64;
        self.next_frame = self.next_frame.next();
        self.counters.frames += 1;
        self.counters.frame_bytes += frame.bytes.len() as u64;
        self.counters.manifests += manifests as u64;
        let interval = self.interval.observe(frame.captured);
        let span = interval * u32::from(self.pace_percent) / 100;
        // A tenth of the interval is left for the next frame being early.
        let slack = (interval * 9 / 10).saturating_sub(span).min(span);
        let total = order.total();
        self.leaving = Leaving { total, sent: 0, last_len, pacer: Pacer::new(now, span, slack, total) };
        self.repeatable = true;
        Ok(cut.shards())
    }

    /// Sends the last frame once more, the same bytes, spread over `span`: for whoever has just come and would
    /// wait for the next one. Says no if it has not left yet, or was sealed with another key than that in use.
    pub fn repeat(&mut self, now: Instant, span: Duration) -> bool {
        if !self.repeatable || !self.is_idle() {
            return false;
        }
        let Leaving { total, last_len, .. } = self.leaving;
        self.leaving = Leaving { total, sent: 0, last_len, pacer: Pacer::new(now, span, span, total) };
        true
    }

    /// Writes the manifests of the frame that has just been sealed, each to its two slots.
    fn sign(&mut self, header: MediaHeader, order: Order) {
        let Some(signing) = &mut self.signing else { return };
        for nth in 0..order.manifests {
            let (mut header, plain) = signing.manifest(nth, header, order, self.next_packet);
            for slot in order.slots_of_manifest(nth) {
                header.packet = self.next_packet + slot as u64;
                let (head, len) = (Manifest::head(header), plain.len() + MediaHeader::OVERHEAD);
                seal_into(&self.seal, self.slab.slot_mut(slot, len), header.packet, &head, plain);
            }
        }
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

#[cfg(test)]
#[path = "sender_tests.rs"]
mod tests;
