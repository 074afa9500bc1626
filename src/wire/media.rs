//! Media datagrams: one shard of one frame each.

use core::fmt;

use super::{DatagramType, MAX_FRAME, Malformed, PublicHeader, StreamId, TAG_LEN};
use crate::time::Duration;

/// Everything that stands before a media datagram's sealed payload: 48 bytes.
///
/// It travels in clear and is the associated data of the seal, so it cannot be changed unnoticed, and
/// the payload behind it can be sealed and opened in one pass. An observer sees frame sizes and rates.
///
/// ```text
///  0               1               2               3
/// +---------------+---------------+---------------+---------------+
/// |                 public header, 24 bytes                       |
/// +---------------+---------------+---------------+---------------+
/// |                         frame number                          |
/// +---------------+---------------+---------------+---------------+
/// |          shard index          |          data shards          |
/// +---------------+---------------+---------------+---------------+
/// |         parity shards         |    source     |     flags     |
/// +---------------+---------------+---------------+---------------+
/// |                    frame length in bytes                      |
/// +---------------+---------------+---------------+---------------+
/// |       capture time: microseconds since the stream's start     |
/// |               +---------------+---------------+---------------+
/// |  (48 bits)    |     next restart interval     |
/// +---------------+---------------+---------------+
/// ```
///
/// The payload of a data shard is its piece of the frame; all but the last are equally long and of even
/// length, the last one is what remains. Parity shards are numbered from `data_shards` upwards and are
/// as long as the first data shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaHeader {
    /// Which key of the stream.
    pub epoch: u16,
    /// Which stream.
    pub stream: StreamId,
    /// Which datagram.
    pub packet: u64,
    /// Which frame.
    pub frame: FrameNumber,
    /// Which shard of the frame, data shards first.
    pub shard: u16,
    /// Pieces that the frame was cut into, at least 1.
    pub data_shards: u16,
    /// Shards computed from them; data and parity shards together are at most 65,535.
    pub parity_shards: u16,
    /// Which of the camera's sources the frame is from.
    pub source: u8,
    /// What is special about the frame.
    pub flags: Flags,
    /// Bytes of the whole frame, 1..=[`MAX_FRAME`].
    pub frame_len: u32,
    /// When the frame was captured.
    pub captured: CaptureOffset,
    /// Where decoding can start again inside this shard.
    pub next_restart: RestartIndex,
}

impl MediaHeader {
    /// Bytes on the wire, the public header included.
    pub const LEN: usize = 48;

    /// Bytes of a datagram that are not payload.
    pub const OVERHEAD: usize = Self::LEN + TAG_LEN;

    /// Reads the part behind the public header of a media datagram.
    ///
    /// Returns the header, the bytes it was read from (the associated data) and the sealed rest.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the fields cannot belong to any frame.
    pub fn parse(
        public: PublicHeader,
        datagram: &[u8],
    ) -> Result<(Self, &[u8; Self::LEN], &[u8]), Malformed> {
        let truncated = Malformed::Truncated { len: datagram.len() };
        let (head, sealed) = datagram.split_first_chunk::<{ Self::LEN }>().ok_or(truncated)?;
        if sealed.len() <= TAG_LEN {
            return Err(truncated);
        }
        let fields: &[u8; Self::LEN - PublicHeader::LEN] =
            head.last_chunk().ok_or(Malformed::Truncated { len: datagram.len() })?;
        let [
            f0,
            f1,
            f2,
            f3,
            s0,
            s1,
            d0,
            d1,
            p0,
            p1,
            source,
            flags,
            l0,
            l1,
            l2,
            l3, //
            c0,
            c1,
            c2,
            c3,
            c4,
            c5,
            r0,
            r1,
        ] = *fields;
        let header = Self {
            epoch: public.epoch,
            stream: public.stream,
            packet: public.packet,
            frame: FrameNumber(u32::from_be_bytes([f0, f1, f2, f3])),
            shard: u16::from_be_bytes([s0, s1]),
            data_shards: u16::from_be_bytes([d0, d1]),
            parity_shards: u16::from_be_bytes([p0, p1]),
            source,
            flags: Flags::from_wire(flags)?,
            frame_len: u32::from_be_bytes([l0, l1, l2, l3]),
            captured: CaptureOffset(u64::from_be_bytes([0, 0, c0, c1, c2, c3, c4, c5])),
            next_restart: RestartIndex(u16::from_be_bytes([r0, r1])),
        };
        header.check()?;
        Ok((header, head, sealed))
    }

    fn check(&self) -> Result<(), Malformed> {
        let (data, parity) = (self.data_shards, self.parity_shards);
        let shards = data.checked_add(parity).filter(|_| data > 0);
        let shards = shards.ok_or(Malformed::ShardCounts { data, parity })?;
        if self.shard >= shards {
            return Err(Malformed::ShardIndex { shard: self.shard, shards });
        }
        // Every data shard carries at least a byte.
        if self.frame_len as usize > MAX_FRAME || self.frame_len < u32::from(data) {
            return Err(Malformed::FrameLength(self.frame_len));
        }
        Ok(())
    }

    /// Writes the header, public part included.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        self.to_bytes_as(DatagramType::Media)
    }

    /// Writes the header at the start of a datagram of type `kind`: manifests have the same.
    #[must_use]
    pub(super) fn to_bytes_as(self, kind: DatagramType) -> [u8; Self::LEN] {
        let public = PublicHeader { kind, epoch: self.epoch, stream: self.stream, packet: self.packet };
        let mut bytes = [0; Self::LEN];
        bytes[..24].copy_from_slice(&public.to_bytes());
        bytes[24..28].copy_from_slice(&self.frame.0.to_be_bytes());
        bytes[28..30].copy_from_slice(&self.shard.to_be_bytes());
        bytes[30..32].copy_from_slice(&self.data_shards.to_be_bytes());
        bytes[32..34].copy_from_slice(&self.parity_shards.to_be_bytes());
        bytes[34] = self.source;
        bytes[35] = self.flags.0;
        bytes[36..40].copy_from_slice(&self.frame_len.to_be_bytes());
        bytes[40..46].copy_from_slice(&self.captured.0.to_be_bytes()[2..]);
        bytes[46..].copy_from_slice(&self.next_restart.to_bytes());
        bytes
    }

    /// Whether the shard is parity.
    #[must_use]
    pub const fn is_parity(&self) -> bool {
        self.shard >= self.data_shards
    }
}

const _: () = assert!(MediaHeader::LEN == PublicHeader::LEN + 4 + 2 + 2 + 2 + 1 + 1 + 4 + 6 + 2);
// With an even datagram size, an even overhead makes even shards, which parity codes need.
const _: () = assert!(MediaHeader::OVERHEAD.is_multiple_of(2));

/// Counts frames. Wraps; compare with [`FrameNumber::is_newer_than`], never with `<`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameNumber(pub u32);

impl FrameNumber {
    /// Whether `self` was captured after `other`, by serial number arithmetic (RFC 1982).
    #[must_use]
    pub const fn is_newer_than(self, other: Self) -> bool {
        let ahead = self.0.wrapping_sub(other.0);
        ahead != 0 && ahead < 1 << 31
    }

    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// A capture time: whole microseconds since the stream's start, 48 bits, 8.9 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct CaptureOffset(u64);

impl CaptureOffset {
    const MAX: u64 = (1 << 48) - 1;

    /// The time `since_start` after the stream's start; stays at the end once that is reached.
    #[must_use]
    pub fn new(since_start: Duration) -> Self {
        Self(u64::try_from(since_start.as_micros()).map_or(Self::MAX, |micros| micros.min(Self::MAX)))
    }

    /// The time since the stream's start.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        Duration::from_micros(self.0)
    }
}

/// The number of the first restart interval that begins in a shard, if one does.
///
/// Interval `n` begins with the `n`-th restart marker of the image, counted from 1 (interval 0 begins
/// with the scan). The marker itself only tells the number modulo 8 (ITU-T T.81, B.2.1); with this a
/// receiver can go on decoding after a lost shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartIndex(u16);

impl RestartIndex {
    /// No restart interval begins in the shard, or its number does not fit.
    pub const NONE: Self = Self(u16::MAX);

    /// Interval `number` begins in the shard.
    #[must_use]
    pub fn new(number: usize) -> Self {
        u16::try_from(number).map_or(Self::NONE, Self)
    }

    /// Its bytes on the wire.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }

    /// The interval's number.
    #[must_use]
    pub const fn number(self) -> Option<u16> {
        if self.0 == Self::NONE.0 { None } else { Some(self.0) }
    }
}

/// What is special about a frame.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u8);

impl Flags {
    /// Nothing special.
    pub const NONE: Self = Self(0);

    /// The picture is a notice made by the camera (NO SIGNAL), not what it saw.
    pub const NOTICE: Self = Self(1);

    const fn from_wire(bits: u8) -> Result<Self, Malformed> {
        if bits & !Self::NOTICE.0 == 0 { Ok(Self(bits)) } else { Err(Malformed::Flags(bits)) }
    }

    /// Whether the frame is a notice.
    #[must_use]
    pub const fn is_notice(self) -> bool {
        self.0 & Self::NOTICE.0 != 0
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_notice() { "NOTICE" } else { "NONE" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MAX_DATAGRAM;
    use proptest::prelude::*;

    fn header() -> MediaHeader {
        MediaHeader {
            epoch: 0,
            stream: StreamId::new(9, *b"randomly"),
            packet: 77,
            frame: FrameNumber(5),
            shard: 3,
            data_shards: 4,
            parity_shards: 0,
            source: 0,
            flags: Flags::NONE,
            frame_len: 4_000,
            captured: CaptureOffset::new(Duration::from_millis(120)),
            next_restart: RestartIndex::NONE,
        }
    }

    fn datagram(header: MediaHeader) -> [u8; MediaHeader::OVERHEAD + 1] {
        let mut bytes = [0; MediaHeader::OVERHEAD + 1];
        bytes[..MediaHeader::LEN].copy_from_slice(&header.to_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<MediaHeader, Malformed> {
        MediaHeader::parse(PublicHeader::parse(bytes)?, bytes).map(|(header, _, _)| header)
    }

    #[test]
    fn what_cannot_belong_to_a_frame_is_refused() {
        let good = header();
        assert_eq!(parse(&datagram(good)), Ok(good));
        let cases = [
            (MediaHeader { data_shards: 0, ..good }, Malformed::ShardCounts { data: 0, parity: 0 }),
            (
                MediaHeader { data_shards: 40_000, parity_shards: 30_000, ..good },
                Malformed::ShardCounts { data: 40_000, parity: 30_000 },
            ),
            (MediaHeader { shard: 4, ..good }, Malformed::ShardIndex { shard: 4, shards: 4 }),
            (MediaHeader { frame_len: 0, ..good }, Malformed::FrameLength(0)),
            (MediaHeader { frame_len: 3, ..good }, Malformed::FrameLength(3)),
            (
                MediaHeader { frame_len: MAX_FRAME as u32 + 1, ..good },
                Malformed::FrameLength(MAX_FRAME as u32 + 1),
            ),
            (MediaHeader { flags: Flags(2), ..good }, Malformed::Flags(2)),
        ];
        for (header, why) in cases {
            assert_eq!(parse(&datagram(header)), Err(why));
        }
        let bytes = datagram(good);
        for len in 0..bytes.len() {
            assert_eq!(parse(&bytes[..len]), Err(Malformed::Truncated { len }));
        }
        let mut long = bytes.to_vec();
        long.resize(MAX_DATAGRAM, 0);
        assert_eq!(parse(&long), Ok(good));
        long.push(0);
        assert_eq!(parse(&long), Err(Malformed::TooLong { len: MAX_DATAGRAM + 1 }));
    }

    #[test]
    fn frame_numbers_order_across_the_wrap() {
        // (a, b, a is newer than b)
        let cases = [
            (1, 0, true),
            (0, 1, false),
            (7, 7, false),
            (0, u32::MAX, true),
            (0x7fff_ffff, 0, true),
            (0x8000_0000, 0, false), // exactly half way round: neither is newer
            (0, 0x8000_0000, false),
        ];
        for (a, b, expected) in cases {
            assert_eq!(FrameNumber(a).is_newer_than(FrameNumber(b)), expected, "{a:#x} over {b:#x}");
        }
    }

    #[test]
    fn capture_times_stay_at_the_end() {
        let end = CaptureOffset::new(Duration::MAX);
        assert_eq!(end.since_start(), Duration::from_micros((1 << 48) - 1));
        let bytes = datagram(MediaHeader { captured: end, ..header() });
        assert_eq!(parse(&bytes).map(|h| h.captured), Ok(end));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_parse_to_what_they_say_or_not_at_all(mut bytes in any::<[u8; 72]>()) {
            bytes[..2].copy_from_slice(&[super::super::VERSION, 1]);
            bytes[35] &= 3;
            if let Ok(header) = parse(&bytes) {
                prop_assert_eq!(&header.to_bytes()[..], &bytes[..MediaHeader::LEN]);
            }
        }
    }
}
