//! Manifests: signed hashes of a frame's shards.

use super::{DatagramType, Malformed, MediaHeader, PublicHeader, TAG_LEN};

/// Bytes of a shard's hash: BLAKE3, cut to 128 bits.
pub const HASH_LEN: usize = 16;

/// Bytes of an Ed25519 signature (RFC 8032).
pub const SIGNATURE_LEN: usize = 64;

/// The hash of a shard's plaintext and next restart interval.
pub type ShardHash = [u8; HASH_LEN];

/// How a frame's datagrams are cut and numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Bytes of all data shards but the last.
    pub shard_len: u16,
    /// Manifests of the frame, each sent twice.
    pub manifests: u16,
    /// Packet number of the first datagram.
    pub first_packet: u64,
}

impl Plan {
    /// Bytes on the wire.
    pub const LEN: usize = 12;

    const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let [l0, l1, m0, m1, first @ ..] = bytes;
        Self {
            shard_len: u16::from_be_bytes([l0, l1]),
            manifests: u16::from_be_bytes([m0, m1]),
            first_packet: u64::from_be_bytes(first),
        }
    }

    /// Writes the plan.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..2].copy_from_slice(&self.shard_len.to_be_bytes());
        bytes[2..4].copy_from_slice(&self.manifests.to_be_bytes());
        bytes[4..].copy_from_slice(&self.first_packet.to_be_bytes());
        bytes
    }
}

/// One manifest datagram, opened: the hashes of some of a frame's shards, in order, and a signature.
///
/// It begins with the same 48 bytes as a media datagram, but for its type, 2; the shard index is that of the
/// first shard whose hash is in it, and the next restart interval is none. What is sealed:
///
/// ```text
/// bytes of a full shard, 2 | manifests of the frame, 2 | packet number of its first datagram, 8
///     | number of hashes, 2 | hashes, 16 each | signature, 64 | zeros
/// ```
///
/// A frame's datagrams are numbered in one go: its manifests, its shards but the last, its manifests again, the
/// last shard.
///
/// The zeros make it as long as the stream's other datagrams: a run of equal ones costs the camera one call.
///
/// Each manifest datagram is signed by itself, so that one can be used while another of the same frame is
/// lost. What is signed is in `proto::manifest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manifest<'a> {
    /// What all manifests of the frame say.
    pub plan: Plan,
    /// The hashes, at least one, back to back.
    pub hashes: &'a [u8],
    /// Made by the camera.
    pub signature: &'a [u8; SIGNATURE_LEN],
}

impl<'a> Manifest<'a> {
    /// Bytes of a manifest datagram that are not hashes.
    pub const OVERHEAD: usize = MediaHeader::LEN + Plan::LEN + 2 + SIGNATURE_LEN + TAG_LEN;

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
        let truncated = Malformed::Truncated { len: plain.len() };
        let (plan, rest) = plain.split_first_chunk::<{ Plan::LEN }>().ok_or(truncated)?;
        let (count, rest) = rest.split_first_chunk().ok_or(truncated)?;
        let count = usize::from(u16::from_be_bytes(*count));
        let (hashes, rest) = rest.split_at_checked(count * HASH_LEN).ok_or(truncated)?;
        let (signature, padding) = rest.split_first_chunk::<SIGNATURE_LEN>().ok_or(truncated)?;
        let shards = usize::from(header.data_shards) + usize::from(header.parity_shards);
        if count == 0 || count > shards - usize::from(header.shard) {
            return Err(Malformed::Field("number of hashes"));
        }
        if padding.iter().any(|byte| *byte != 0) {
            return Err(Malformed::Field("padding of a manifest"));
        }
        Ok(Self { plan: Plan::from_bytes(*plan), hashes, signature })
    }

    /// Writes all that is sealed over `plain`.
    ///
    /// # Panics
    ///
    /// If it does not fit.
    pub fn write(&self, plain: &mut [u8]) {
        // No frame has more shards.
        let count = (self.hashes.len() / HASH_LEN) as u16;
        let (head, rest) = plain.split_at_mut(Plan::LEN + 2);
        head[..Plan::LEN].copy_from_slice(&self.plan.to_bytes());
        head[Plan::LEN..].copy_from_slice(&count.to_be_bytes());
        let (hashes, rest) = rest.split_at_mut(self.hashes.len());
        hashes.copy_from_slice(self.hashes);
        let (signature, padding) = rest.split_at_mut(SIGNATURE_LEN);
        signature.copy_from_slice(self.signature);
        padding.fill(0);
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

        let mut hashes = vec![1; HASH_LEN];
        hashes.extend([2; HASH_LEN]);
        let plan = Plan { shard_len: 1024, manifests: 2, first_packet: 1 << 40 };
        let written = Manifest { plan, hashes: &hashes, signature: &[9; SIGNATURE_LEN] };
        let mut plain = [0xee; 14 + 32 + SIGNATURE_LEN + 10];
        written.write(&mut plain);
        let manifest = Manifest::parse(&header, &plain).unwrap();
        assert_eq!(manifest, written);
        assert!(manifest.each(7).eq([(7, [1; HASH_LEN]), (8, [2; HASH_LEN])]));
        assert!(Manifest::parse(&self::header(9), &plain).is_err(), "two hashes and one shard left");
        for len in 0..14 + 32 + SIGNATURE_LEN {
            assert!(Manifest::parse(&header, &plain[..len]).is_err(), "{len} bytes");
        }
        plain[14 + 32 + SIGNATURE_LEN] = 1;
        assert!(Manifest::parse(&header, &plain).is_err(), "padding");
        plain[13] = 0;
        assert!(Manifest::parse(&header, &plain).is_err(), "no hash");
        assert_eq!(Manifest::capacity(Manifest::OVERHEAD + 31), 1);
        assert_eq!(Manifest::capacity(1200), 66);
    }
}
