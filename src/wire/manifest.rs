//! Manifests: signed hashes of a frame's shards.

use super::{DatagramType, Malformed, MediaHeader, PublicHeader, TAG_LEN};

/// Bytes of a shard's hash: BLAKE3, cut to 128 bits.
pub const HASH_LEN: usize = 16;

/// Bytes of an Ed25519 signature (RFC 8032).
pub const SIGNATURE_LEN: usize = 64;

/// The hash of a shard's plaintext.
pub type ShardHash = [u8; HASH_LEN];

/// One manifest datagram, opened: the hashes of some of a frame's shards, in order, and a signature.
///
/// It begins with the same 48 bytes as a media datagram, but for its type, 2; the shard index is that of the
/// first shard whose hash is in it, and the next restart interval is none. What is sealed:
///
/// ```text
/// bytes of a full shard, 2 | hashes, 16 each | signature, 64
/// ```
///
/// Each manifest datagram is signed by itself, so that one can be used while another of the same frame is
/// lost. What is signed is in `proto::manifest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manifest<'a> {
    /// Bytes of all data shards but the last.
    pub shard_len: u16,
    /// The hashes, at least one, back to back.
    pub hashes: &'a [u8],
    /// Made by the camera.
    pub signature: &'a [u8; SIGNATURE_LEN],
}

impl<'a> Manifest<'a> {
    /// Bytes of a manifest datagram that are not hashes.
    pub const OVERHEAD: usize = MediaHeader::LEN + 2 + SIGNATURE_LEN + TAG_LEN;

    /// How many hashes a datagram of `datagram` bytes carries, if it has room for any.
    #[must_use]
    pub const fn capacity(datagram: usize) -> usize {
        datagram.saturating_sub(Self::OVERHEAD) / HASH_LEN
    }

    /// The clear start of a manifest datagram whose other fields are those of `header`.
    #[must_use]
    pub fn head(header: MediaHeader) -> [u8; MediaHeader::LEN] {
        header.to_bytes_as(DatagramType::Manifest)
    }

    /// Reads the clear start of the manifest datagram that begins with `public`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] as for [`MediaHeader::parse`].
    pub fn parse_head(
        public: PublicHeader,
        datagram: &[u8],
    ) -> Result<(MediaHeader, &[u8; MediaHeader::LEN], &[u8]), Malformed> {
        let (header, head, sealed) = MediaHeader::parse(public, datagram)?;
        if header.next_restart.number().is_some() {
            return Err(Malformed::Field("restart interval of a manifest"));
        }
        Ok((header, head, sealed))
    }

    /// Reads the opened rest of the manifest datagram that begins with `header`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if there is no whole number of hashes, none, or more than the frame has shards.
    pub fn parse(header: &MediaHeader, plain: &'a [u8]) -> Result<Self, Malformed> {
        let wrong = Malformed::Truncated { len: plain.len() };
        let (len, rest) = plain.split_first_chunk::<2>().ok_or(wrong)?;
        let (hashes, signature) = rest.split_last_chunk::<SIGNATURE_LEN>().ok_or(wrong)?;
        let shards = usize::from(header.data_shards) + usize::from(header.parity_shards);
        let left = shards - usize::from(header.shard);
        if hashes.is_empty() || !hashes.len().is_multiple_of(HASH_LEN) || hashes.len() / HASH_LEN > left {
            return Err(Malformed::Field("number of hashes"));
        }
        Ok(Self { shard_len: u16::from_be_bytes(*len), hashes, signature })
    }

    /// The hashes, each with the index of its shard.
    pub fn each(&self, first: u16) -> impl Iterator<Item = (u16, ShardHash)> + 'a {
        let hashes = self.hashes.chunks_exact(HASH_LEN).filter_map(|hash| hash.first_chunk());
        (first..).zip(hashes.copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;
    use crate::wire::{CaptureOffset, Flags, FrameNumber, RestartIndex, StreamId};

    fn header(shard: u16) -> MediaHeader {
        MediaHeader {
            epoch: 1,
            stream: StreamId::new(1, [2; 8]),
            packet: 3,
            frame: FrameNumber(4),
            shard,
            data_shards: 10,
            parity_shards: 0,
            source: 0,
            flags: Flags::NONE,
            frame_len: 10_000,
            captured: CaptureOffset::new(Duration::from_secs(1)),
            next_restart: RestartIndex::NONE,
        }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let header = header(7);
        let mut datagram = Manifest::head(header).to_vec();
        datagram.extend([0; TAG_LEN + 1]);
        let public = PublicHeader::parse(&datagram).unwrap();
        assert_eq!(public.kind, DatagramType::Manifest);
        assert_eq!(Manifest::parse_head(public, &datagram).unwrap().0, header);

        let mut plain = vec![4, 0];
        plain.extend([1; HASH_LEN]);
        plain.extend([2; HASH_LEN]);
        plain.extend([9; SIGNATURE_LEN]);
        let manifest = Manifest::parse(&header, &plain).unwrap();
        assert_eq!(manifest.shard_len, 1024);
        assert!(manifest.each(7).eq([(7, [1; HASH_LEN]), (8, [2; HASH_LEN])]));
        assert!(Manifest::parse(&self::header(9), &plain).is_err(), "two hashes and one shard left");
        assert!(Manifest::parse(&header, &plain[..plain.len() - 1]).is_err());
        assert!(Manifest::parse(&header, &plain[..66]).is_err(), "no hash");
        assert!(Manifest::parse(&header, &plain[..20]).is_err());
        assert_eq!(Manifest::capacity(Manifest::OVERHEAD + 31), 1);
        assert_eq!(Manifest::capacity(1200), 66);
    }
}
