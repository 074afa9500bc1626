//! The manifests of a frame that is being sealed.

use crate::proto::manifest::{Order, Signer, shard_hash, shards_per_manifest};
use crate::wire::{HASH_LEN, Manifest, MediaHeader, Plan, RestartIndex};

/// Signs frames; holds the hashes of the frame at hand in memory claimed before.
pub(super) struct Signing {
    signer: Signer,
    hashes: Box<[u8]>,
    /// A manifest before it is sealed: as long as a shard.
    plain: Box<[u8]>,
    /// Shards that one manifest covers.
    per_manifest: usize,
}

impl Signing {
    /// For datagrams of `datagram` bytes, at least [`MIN_SIGNED_DATAGRAM`](crate::proto::manifest::MIN_SIGNED_DATAGRAM).
    pub(super) fn new(signer: Signer, datagram: usize) -> Self {
        let mut signing = Self { signer, hashes: Box::default(), plain: Box::default(), per_manifest: 1 };
        signing.set_datagram(datagram);
        signing
    }

    pub(super) fn set_datagram(&mut self, datagram: usize) {
        self.per_manifest = shards_per_manifest(datagram);
        self.plain = vec![0; datagram - MediaHeader::OVERHEAD].into_boxed_slice();
    }

    /// Claims memory for frames of `shards` shards.
    pub(super) fn make_room(&mut self, shards: usize) {
        self.hashes = vec![0; shards * HASH_LEN].into_boxed_slice();
    }

    /// How many manifests a frame of `shards` shards needs.
    pub(super) const fn manifests(&self, shards: usize) -> usize {
        shards.div_ceil(self.per_manifest)
    }

    pub(super) fn note(&mut self, shard: u16, plain: &[u8], next_restart: RestartIndex) {
        let at = usize::from(shard) * HASH_LEN;
        self.hashes[at..at + HASH_LEN].copy_from_slice(&shard_hash(plain, next_restart));
    }

    /// The `nth` manifest of the frame with `header`, whose shards have all been noted: its header but for the
    /// packet number, and what is to be sealed.
    pub(super) fn manifest(
        &mut self,
        nth: usize,
        header: MediaHeader,
        order: Order,
        first_packet: u64,
    ) -> (MediaHeader, &[u8]) {
        let first = nth * self.per_manifest;
        let end = (first + self.per_manifest).min(order.shards);
        // A datagram's payload is below 65,536 bytes, and so is the number of shards.
        let (shard_len, manifests, shard) = (self.plain.len() as u16, order.manifests as u16, first as u16);
        let plan = Plan { shard_len, manifests, first_packet };
        let header = MediaHeader { shard, next_restart: RestartIndex::NONE, ..header };
        let hashes = &self.hashes[first * HASH_LEN..end * HASH_LEN];
        let signature = self.signer.sign(&Manifest::head(header), plan, hashes);
        Manifest { plan, hashes, signature: &signature }.write(&mut self.plain);
        (header, &self.plain)
    }
}
