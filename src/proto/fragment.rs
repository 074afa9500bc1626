//! How a frame is cut into shards.

use core::fmt;
use core::ops::Range;

use crate::wire::{MAX_DATAGRAM, MAX_FRAME, MIN_DATAGRAM, MediaHeader};

/// Bytes of payload in a full datagram of `datagram` bytes; even, as parity codes need.
///
/// # Errors
///
/// [`DatagramSize`] outside of [`MIN_DATAGRAM`]..=[`MAX_DATAGRAM`].
pub const fn shard_len(datagram: usize) -> Result<usize, DatagramSize> {
    if datagram < MIN_DATAGRAM || datagram > MAX_DATAGRAM {
        return Err(DatagramSize { datagram, least: MIN_DATAGRAM });
    }
    Ok((datagram - MediaHeader::OVERHEAD) & !1)
}

/// Bytes of the largest frame that datagrams of `datagram` bytes carry.
///
/// # Errors
///
/// [`DatagramSize`] as for [`shard_len`].
pub fn largest_frame(datagram: usize) -> Result<usize, DatagramSize> {
    Ok((shard_len(datagram)? * usize::from(u16::MAX)).min(MAX_FRAME))
}

/// A datagram size that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatagramSize {
    /// Bytes that were asked for.
    pub datagram: usize,
    /// Bytes of the smallest that could be used instead.
    pub least: usize,
}

impl fmt::Display for DatagramSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "datagrams of {} bytes: must be {} to {MAX_DATAGRAM}", self.datagram, self.least)
    }
}

impl core::error::Error for DatagramSize {}

/// A frame cut into data shards: all of one even length but the last, which is what remains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    frame_len: usize,
    shard_len: usize,
    shards: u16,
}

impl Cut {
    /// Cuts `frame_len` bytes into shards of `shard_len`.
    ///
    /// # Errors
    ///
    /// [`FrameTooLarge`] if that makes more than 65,535 shards or the frame exceeds [`MAX_FRAME`];
    /// [`FrameTooLarge`] with 0 for an empty frame, which cannot be sent either.
    pub fn new(frame_len: usize, shard_len: usize) -> Result<Self, FrameTooLarge> {
        let limit = shard_len.saturating_mul(usize::from(u16::MAX)).min(MAX_FRAME);
        let too_large = FrameTooLarge { len: frame_len, limit };
        if frame_len == 0 || frame_len > limit {
            return Err(too_large);
        }
        let shards = u16::try_from(frame_len.div_ceil(shard_len)).map_err(|_| too_large)?;
        Ok(Self { frame_len, shard_len, shards })
    }

    /// How many shards there are, at least 1.
    #[must_use]
    pub const fn shards(&self) -> u16 {
        self.shards
    }

    /// The bytes of the frame that shard `index` carries.
    #[must_use]
    pub fn range(&self, index: u16) -> Range<usize> {
        let start = usize::from(index) * self.shard_len;
        start..(start + self.shard_len).min(self.frame_len)
    }
}

/// A frame that cannot be sent with this datagram size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameTooLarge {
    /// Bytes of the frame; 0 means that there is nothing to send.
    pub len: usize,
    /// Bytes of the largest frame that could be.
    pub limit: usize,
}

impl fmt::Display for FrameTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a frame of {} bytes cannot be sent: must be 1 to {}", self.len, self.limit)
    }
}

impl core::error::Error for FrameTooLarge {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_at_the_edges() {
        assert_eq!(shard_len(127), Err(DatagramSize { datagram: 127, least: 128 }));
        assert_eq!(shard_len(128), Ok(64));
        assert_eq!(shard_len(129), Ok(64));
        assert_eq!(shard_len(1472), Ok(1408));
        assert_eq!(shard_len(65_508), Err(DatagramSize { datagram: 65_508, least: 128 }));
        assert_eq!(largest_frame(128), Ok(64 * 65_535));
        assert_eq!(largest_frame(1472), Ok(MAX_FRAME));
        assert_eq!(Cut::new(64 * 65_535, 64).map(|cut| cut.shards()), Ok(u16::MAX));
        assert!(Cut::new(64 * 65_535 + 1, 64).is_err());
        assert!(Cut::new(0, 64).is_err());
    }

    proptest! {
        #[test]
        fn shards_cover_the_frame_once(frame_len in 1usize..200_000, half in 32usize..4_500) {
            let cut = Cut::new(frame_len, half * 2).unwrap();
            let mut end = 0;
            for index in 0..cut.shards() {
                let range = cut.range(index);
                prop_assert_eq!(range.start, end);
                prop_assert!(!range.is_empty());
                prop_assert!(range.len() == half * 2 || index == cut.shards() - 1);
                end = range.end;
            }
            prop_assert_eq!(end, frame_len);
        }
    }
}
