//! Puts shards back together into frames.
//!
//! Holds at most [`FRAMES_AT_ONCE`] unfinished frames in memory claimed at the start; newest wins: a
//! shard of a newer frame takes the place of the oldest unfinished one, because a late frame is worth
//! less than the next one. Shards may come in any order; the replay window keeps doubles away.
//!
//! Does not open datagrams (see [`seal`](super::seal)): it says where a shard's plaintext belongs, and
//! the caller writes it there and then reports it written. Nothing changes before that report, so a
//! datagram whose tag turns out wrong leaves no trace.
//!
//! Invariant: a slot's `missing` is the number of clear bits among the first `shards` of its bitmap.

use core::fmt;
use core::ops::Range;

use heapless::Vec as FixedVec;

use crate::wire::{CaptureOffset, Flags, FrameNumber, MediaHeader, StreamId, TAG_LEN};

/// Unfinished frames that are kept side by side.
pub const FRAMES_AT_ONCE: usize = 4;

const BITMAP_WORDS: usize = (u16::MAX as usize + 1) / 64;

/// What is known about a frame that has arrived whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameInfo {
    /// Which stream it is of.
    pub stream: StreamId,
    /// Its number in that stream.
    pub number: FrameNumber,
    /// Its bytes in the buffer.
    pub len: usize,
    /// When it was captured.
    pub captured: CaptureOffset,
    /// Which of the camera's sources it is from.
    pub source: u8,
    /// What is special about it.
    pub flags: Flags,
    /// How many data shards it came in.
    pub shards: u16,
}

/// Why an authentic-looking shard has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// Its frame, or a newer one, has already been handed over.
    Late,
    /// It contradicts other shards of its frame, or itself.
    Inconsistent,
    /// Its frame is larger than the memory that was claimed.
    TooLarge,
    /// A parity shard, which this receiver has no use for yet.
    Parity,
}

/// Where a shard's plaintext belongs.
#[derive(Debug, Clone)]
pub struct Place {
    slot: usize,
    fresh: bool,
    range: Range<usize>,
    shard_len: usize,
}

/// Frames that are being put together.
pub struct Reassembly {
    slots: FixedVec<Slot, FRAMES_AT_ONCE>,
    /// The newest frame that was handed over or given up; it and older ones are late.
    settled: Option<FrameNumber>,
    finished: Option<usize>,
    max_frame: usize,
    incomplete: u64,
}

struct Slot {
    frame: Option<Unfinished>,
    bytes: Box<[u8]>,
    have: Box<[u64; BITMAP_WORDS]>,
}

#[derive(Clone, Copy)]
struct Unfinished {
    info: FrameInfo,
    shards: u16,
    shard_len: usize,
    missing: u16,
}

impl Reassembly {
    /// Claims memory for frames of up to `max_frame` bytes; pages are touched only when used.
    #[must_use]
    pub fn new(max_frame: usize) -> Self {
        let slots = (0..FRAMES_AT_ONCE)
            .map(|_| Slot {
                frame: None,
                bytes: vec![0; max_frame].into_boxed_slice(),
                have: Box::new([0; BITMAP_WORDS]),
            })
            .collect();
        Self { slots, settled: None, finished: None, max_frame, incomplete: 0 }
    }

    /// Bytes of the largest frame that fits.
    #[must_use]
    pub const fn max_frame(&self) -> usize {
        self.max_frame
    }

    /// Frames that were given up: overtaken by a whole one, or pushed out by newer ones. Those of which
    /// nothing at all arrived count too, but for those before the first and after the last that did.
    #[must_use]
    pub const fn incomplete(&self) -> u64 {
        self.incomplete
    }

    /// Where the plaintext of a shard with `header` and `sealed_len` bytes of payload and tag belongs.
    ///
    /// # Errors
    ///
    /// [`NoPlace`] if it belongs nowhere; nothing is changed in either case.
    pub fn place(&self, header: &MediaHeader, sealed_len: usize) -> Result<Place, NoPlace> {
        let len = sealed_len.saturating_sub(TAG_LEN);
        if header.is_parity() {
            return Err(NoPlace::Parity);
        }
        self.is_wanted(header)?;
        let (range, shard_len) = shard_range(header, len).ok_or(NoPlace::Inconsistent)?;
        if let Some((slot, frame)) = self.slot_of(header.frame) {
            let place = Place { slot, fresh: false, range, shard_len };
            return frame.agrees(header, shard_len).then_some(place).ok_or(NoPlace::Inconsistent);
        }
        let slot = self.slot_for_new(header.frame).ok_or(NoPlace::Late)?;
        Ok(Place { slot, fresh: true, range, shard_len })
    }

    /// The bytes of a place, to open a datagram into.
    pub fn bytes_mut(&mut self, place: &Place) -> &mut [u8] {
        &mut self.slots[place.slot].bytes[place.range.clone()]
    }

    /// The shard with `header` now stands in its `place`. Returns whether its frame is whole with it;
    /// it must then be taken by [`Reassembly::take`] before the next call of [`Reassembly::place`].
    pub fn written(&mut self, header: &MediaHeader, place: &Place) -> bool {
        self.begin_if_fresh(header, place);
        let slot = &mut self.slots[place.slot];
        let Some(frame) = &mut slot.frame else { return false };
        let (word, bit) = (usize::from(header.shard) / 64, 1 << (header.shard % 64));
        if slot.have[word] & bit != 0 {
            return false;
        }
        slot.have[word] |= bit;
        frame.missing -= 1;
        if frame.missing > 0 {
            return false;
        }
        self.finished = Some(place.slot);
        true
    }

    fn begin_if_fresh(&mut self, header: &MediaHeader, place: &Place) {
        if place.fresh {
            // What came before the first frame that is seen was never missed.
            self.settled.get_or_insert(FrameNumber(header.frame.0.wrapping_sub(1)));
            if let Some(pushed_out) = self.slots[place.slot].frame {
                self.incomplete += self.settle(pushed_out.info.number);
            }
            self.slots[place.slot].begin(header, place.shard_len);
        }
    }

    /// Whether a frame like that of `header` could still be put together.
    ///
    /// # Errors
    ///
    /// [`NoPlace`] if it is too late, or the frame too large.
    pub fn is_wanted(&self, header: &MediaHeader) -> Result<(), NoPlace> {
        if header.frame_len as usize > self.max_frame {
            return Err(NoPlace::TooLarge);
        }
        if self.settled.is_some_and(|newest| !header.frame.is_newer_than(newest)) {
            return Err(NoPlace::Late);
        }
        Ok(())
    }

    /// Makes a place for the frame of `header`, whose shards are `shard_len` bytes long, before any of them
    /// has come: the camera has vouched for it. The frame may have been begun before.
    ///
    /// # Errors
    ///
    /// [`NoPlace`] as for [`Reassembly::place`]; nothing is then changed.
    pub fn claim(&mut self, header: &MediaHeader, shard_len: usize) -> Result<(), NoPlace> {
        let shards = usize::from(header.data_shards);
        let len = (header.frame_len as usize).saturating_sub((shards - 1) * shard_len);
        let last = MediaHeader { shard: header.data_shards - 1, ..*header };
        let place = self.place(&last, len + TAG_LEN)?;
        if shards > 1 && place.shard_len != shard_len {
            return Err(NoPlace::Inconsistent);
        }
        self.begin_if_fresh(header, &place);
        Ok(())
    }

    /// Whether nothing can be written to `place`: its frame has not been begun, or the shard is there already.
    #[must_use]
    pub fn is_taken(&self, header: &MediaHeader, place: &Place) -> bool {
        let (word, bit) = (usize::from(header.shard) / 64, 1 << (header.shard % 64));
        place.fresh || self.slots[place.slot].have[word] & bit != 0
    }

    /// Takes the frame that has just become whole, if one has: its bytes are in `buffer` afterwards,
    /// whose former memory goes into its place. No byte is copied.
    ///
    /// Older unfinished frames are given up: newest wins.
    ///
    /// # Panics
    ///
    /// If `buffer` is shorter than [`Reassembly::max_frame`].
    pub fn take(&mut self, buffer: &mut Box<[u8]>) -> Option<FrameInfo> {
        let slot = &mut self.slots[self.finished.take()?];
        // A caller that did not take it in time may find its slot in use by another frame.
        let info = slot.frame.take_if(|frame| frame.missing == 0)?.info;
        assert!(buffer.len() >= self.max_frame, "a spare buffer holds the largest frame");
        core::mem::swap(&mut slot.bytes, buffer);
        for older in &mut self.slots {
            older.frame = older.frame.filter(|frame| frame.info.number.is_newer_than(info.number));
        }
        // All but the frame itself.
        self.incomplete += self.settle(info.number).saturating_sub(1);
        Some(info)
    }

    /// Nothing up to `number` is waited for any more. Returns how many frames that settles.
    fn settle(&mut self, number: FrameNumber) -> u64 {
        let before = self.settled.replace(number);
        before.map_or(0, |before| u64::from(number.0.wrapping_sub(before.0)))
    }

    /// Forgets all frames, for another stream that counts from the start again.
    pub fn reset(&mut self) {
        for slot in &mut self.slots {
            slot.frame = None;
        }
        self.settled = None;
        self.finished = None;
    }

    fn slot_of(&self, number: FrameNumber) -> Option<(usize, &Unfinished)> {
        let frames = self.slots.iter().enumerate().filter_map(|(at, slot)| Some((at, slot.frame.as_ref()?)));
        frames.into_iter().find(|(_, frame)| frame.info.number == number)
    }

    /// A free slot, else that of the oldest unfinished frame if `number` is newer.
    fn slot_for_new(&self, number: FrameNumber) -> Option<usize> {
        let mut oldest: Option<(usize, FrameNumber)> = None;
        for (index, slot) in self.slots.iter().enumerate() {
            let Some(frame) = slot.frame else { return Some(index) };
            if oldest.is_none_or(|(_, than)| than.is_newer_than(frame.info.number)) {
                oldest = Some((index, frame.info.number));
            }
        }
        oldest.filter(|(_, than)| number.is_newer_than(*than)).map(|(index, _)| index)
    }
}

impl fmt::Debug for Reassembly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reassembly({} x {} bytes)", self.slots.len(), self.max_frame)
    }
}

impl Slot {
    fn begin(&mut self, header: &MediaHeader, shard_len: usize) {
        self.have[..usize::from(header.data_shards).div_ceil(64)].fill(0);
        self.frame = Some(Unfinished {
            info: FrameInfo {
                stream: header.stream,
                number: header.frame,
                len: header.frame_len as usize,
                captured: header.captured,
                source: header.source,
                flags: header.flags,
                shards: header.data_shards,
            },
            shards: header.data_shards,
            shard_len,
            missing: header.data_shards,
        });
    }
}

impl Unfinished {
    /// Whether a shard can be of this frame.
    fn agrees(&self, header: &MediaHeader, shard_len: usize) -> bool {
        self.info.len == header.frame_len as usize
            && self.shards == header.data_shards
            && self.info.captured == header.captured
            && self.info.source == header.source
            && self.info.flags == header.flags
            && self.shard_len == shard_len
    }
}

/// The bytes of the frame that a data shard of `len` bytes stands for, and the length of all shards but
/// the last that follows from it; `None` if the lengths do not add up.
fn shard_range(header: &MediaHeader, len: usize) -> Option<(Range<usize>, usize)> {
    let frame_len = header.frame_len as usize;
    let (index, shards) = (usize::from(header.shard), usize::from(header.data_shards));
    if shards == 1 {
        return (len == frame_len).then_some((0..frame_len, frame_len));
    }
    if index + 1 < shards {
        let fits = len.is_multiple_of(2) && (shards - 1) * len < frame_len && frame_len <= shards * len;
        return fits.then(|| (index * len..(index + 1) * len, len));
    }
    let before = frame_len.checked_sub(len)?;
    let shard_len = before / index;
    let fits = before == shard_len * index && shard_len.is_multiple_of(2) && (1..=shard_len).contains(&len);
    fits.then_some((before..frame_len, shard_len))
}

#[cfg(test)]
#[path = "reassembly_tests.rs"]
mod tests;
