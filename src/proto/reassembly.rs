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
    /// The newest frame that was handed over; it and older ones are late.
    delivered: Option<FrameNumber>,
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
        Self { slots, delivered: None, finished: None, max_frame, incomplete: 0 }
    }

    /// Bytes of the largest frame that fits.
    #[must_use]
    pub const fn max_frame(&self) -> usize {
        self.max_frame
    }

    /// Frames between the first and the newest one handed over that never became whole in time.
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
        if header.frame_len as usize > self.max_frame {
            return Err(NoPlace::TooLarge);
        }
        if self.delivered.is_some_and(|newest| !header.frame.is_newer_than(newest)) {
            return Err(NoPlace::Late);
        }
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
        let slot = &mut self.slots[place.slot];
        if place.fresh {
            slot.begin(header, place.shard_len);
        }
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
        let before = self.delivered.replace(info.number);
        self.incomplete += before.map_or(0, |before| u64::from(info.number.0.wrapping_sub(before.0) - 1));
        Some(info)
    }

    /// Forgets all frames, for another stream that counts from the start again.
    pub fn reset(&mut self) {
        for slot in &mut self.slots {
            slot.frame = None;
        }
        self.delivered = None;
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
mod tests {
    use super::*;
    use crate::proto::fragment::Cut;
    use crate::time::Duration;
    use crate::wire::RestartIndex;
    use proptest::prelude::*;

    fn header(frame: u32, shard: u16, cut: &Cut, len: usize) -> MediaHeader {
        MediaHeader {
            epoch: 0,
            stream: StreamId::new(1, [0; 8]),
            packet: 0,
            frame: FrameNumber(frame),
            shard,
            data_shards: cut.shards(),
            parity_shards: 0,
            source: 0,
            flags: Flags::NONE,
            frame_len: len as u32,
            captured: CaptureOffset::new(Duration::from_millis(u64::from(frame))),
            next_restart: RestartIndex::NONE,
        }
    }

    /// Feeds one shard; returns the frame if it became whole.
    fn feed(
        to: &mut Reassembly,
        number: u32,
        frame: &[u8],
        cut: &Cut,
        shard: u16,
    ) -> Result<Option<Vec<u8>>, NoPlace> {
        let header = header(number, shard, cut, frame.len());
        let range = cut.range(shard);
        let place = to.place(&header, range.len() + TAG_LEN)?;
        to.bytes_mut(&place).copy_from_slice(&frame[range]);
        if !to.written(&header, &place) {
            return Ok(None);
        }
        let mut buffer = vec![0; to.max_frame()].into_boxed_slice();
        let info = to.take(&mut buffer).unwrap();
        Ok(Some(buffer[..info.len].to_vec()))
    }

    fn frame(len: usize, seed: u32) -> Vec<u8> {
        (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 13) as u8).collect()
    }

    #[test]
    fn a_newer_frame_takes_the_place_of_the_oldest() {
        let mut to = Reassembly::new(1_000);
        let bytes = frame(300, 1);
        let cut = Cut::new(300, 100).unwrap();
        for number in 0..5 {
            assert_eq!(feed(&mut to, number, &bytes, &cut, 0), Ok(None));
        }
        assert_eq!(feed(&mut to, 0, &bytes, &cut, 1), Err(NoPlace::Late));
        // Finishing frame 3 gives up 1 and 2; frame 4 goes on.
        assert_eq!(feed(&mut to, 3, &bytes, &cut, 1), Ok(None));
        assert_eq!(feed(&mut to, 3, &bytes, &cut, 2), Ok(Some(bytes.clone())));
        assert_eq!(feed(&mut to, 3, &bytes, &cut, 2), Err(NoPlace::Late));
        assert_eq!(feed(&mut to, 4, &bytes, &cut, 1), Ok(None));
        assert_eq!(feed(&mut to, 4, &bytes, &cut, 2), Ok(Some(bytes.clone())));
        assert_eq!(to.incomplete(), 0);
        for shard in 0..3 {
            feed(&mut to, 7, &bytes, &cut, shard).unwrap();
        }
        assert_eq!(to.incomplete(), 2);
    }

    #[test]
    fn a_whole_frame_that_nobody_took_never_lets_a_part_of_another_out() {
        let mut to = Reassembly::new(1_000);
        let bytes = frame(300, 1);
        let cut = Cut::new(300, 100).unwrap();
        let put = |to: &mut Reassembly, number, shard| {
            let header = header(number, shard, &cut, bytes.len());
            let place = to.place(&header, 100 + TAG_LEN).unwrap();
            to.written(&header, &place)
        };
        assert_eq!([0, 1, 2].map(|shard| put(&mut to, 0, shard)), [false, false, true]);
        for newer in 1..=4 {
            assert!(!put(&mut to, newer, 0));
        }
        assert_eq!(to.take(&mut vec![0; 1_000].into_boxed_slice()), None);
    }

    #[test]
    fn what_contradicts_itself_or_others_has_no_place() {
        let mut to = Reassembly::new(1_000);
        let cut = Cut::new(300, 100).unwrap();
        let good = header(7, 0, &cut, 300);
        // (header, payload bytes, why)
        let alone = [
            (good, 0, NoPlace::Inconsistent),
            (good, 98, NoPlace::Inconsistent),
            (good, 101, NoPlace::Inconsistent),
            (good, 302, NoPlace::Inconsistent),
            (MediaHeader { shard: 2, ..good }, 102, NoPlace::Inconsistent),
            (MediaHeader { shard: 2, ..good }, 99, NoPlace::Inconsistent),
            (MediaHeader { data_shards: 1, ..good }, 299, NoPlace::Inconsistent),
            (MediaHeader { frame_len: 1_001, ..good }, 400, NoPlace::TooLarge),
            (MediaHeader { shard: 3, parity_shards: 1, ..good }, 100, NoPlace::Parity),
        ];
        for (header, len, why) in alone {
            assert_eq!(to.place(&header, len + TAG_LEN).err(), Some(why), "{header:?} {len}");
        }
        assert_eq!(feed(&mut to, 7, &frame(300, 0), &cut, 0), Ok(None));
        let others = [
            MediaHeader { shard: 1, frame_len: 299, ..good },
            MediaHeader { shard: 1, data_shards: 4, ..good },
            MediaHeader { shard: 1, source: 1, ..good },
            MediaHeader { shard: 1, flags: Flags::NOTICE, ..good },
        ];
        for header in others {
            assert_eq!(to.place(&header, 100 + TAG_LEN).err(), Some(NoPlace::Inconsistent), "{header:?}");
        }
    }

    proptest! {
        /// Order on the wire never changes what comes out, and nothing comes out before all is in.
        #[test]
        fn any_arrival_order_rebuilds_the_frame(
            (len, half, order) in (1usize..20_000, 32usize..700)
                .prop_flat_map(|(len, half)| {
                    let shards = Cut::new(len, half * 2).unwrap().shards();
                    (Just(len), Just(half), Just((0..shards).collect::<Vec<_>>()).prop_shuffle())
                }),
        ) {
            let cut = Cut::new(len, half * 2).unwrap();
            let bytes = frame(len, half as u32);
            let mut to = Reassembly::new(20_000);
            for (nth, shard) in order.iter().enumerate() {
                let out = feed(&mut to, 0, &bytes, &cut, *shard).unwrap();
                prop_assert_eq!(out.is_some(), nth + 1 == order.len());
                if let Some(out) = out {
                    prop_assert_eq!(&out, &bytes);
                }
            }
        }

        /// No header, however odd, reaches outside of the buffer.
        #[test]
        fn odd_headers_stay_inside(
            (data_shards, shard) in (1u16..300).prop_flat_map(|shards| (Just(shards), 0..shards)),
            frame_len in 300u32..3_000,
            len in prop_oneof![0usize..3_000, (1usize..100).prop_map(|half| half * 2)],
        ) {
            let mut to = Reassembly::new(2_000);
            let cut = Cut::new(10, 10).unwrap();
            let header = MediaHeader { shard, data_shards, frame_len, ..header(0, 0, &cut, 10) };
            if let Ok(place) = to.place(&header, len + TAG_LEN) {
                prop_assert_eq!(to.bytes_mut(&place).len(), len);
                to.written(&header, &place);
            }
        }
    }
}
