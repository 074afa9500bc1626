//! Shards that came ahead of their frame's manifest: a ring of bytes, the oldest giving way.

use core::ops::Range;

use super::PairedReceiver;
use crate::proto::manifest::shard_hash;
use crate::proto::outcome::{Accepted, Dropped};
use crate::time::Instant;
use crate::wire::{FrameNumber, MediaHeader, ShardHash, TAG_LEN};

/// Bytes of the ring.
const BYTES: usize = 512 << 10;

/// Shards that wait at once, whatever their size.
const SHARDS: usize = 512;

pub(super) struct Waiting {
    bytes: Box<[u8]>,
    next: usize,
    shards: Vec<Shard>,
}

#[derive(Clone)]
struct Shard {
    header: MediaHeader,
    range: Range<usize>,
}

impl Waiting {
    pub(super) fn new() -> Self {
        let shards = Vec::with_capacity(SHARDS);
        Self { bytes: vec![0; BYTES].into_boxed_slice(), next: 0, shards }
    }

    pub(super) fn clear(&mut self) {
        self.shards.clear();
    }

    /// Keeps a shard, in the place of the oldest if need be. Says no if it waits already.
    pub(super) fn push(&mut self, header: &MediaHeader, plain: &[u8]) -> bool {
        // Another viewer may have made one with the same number: then both wait for the truth.
        let same = |shard: &Shard| (shard.header, &self.bytes[shard.range.clone()]) == (*header, plain);
        if self.shards.iter().any(same) {
            return false;
        }
        let start = if self.next + plain.len() <= BYTES { self.next } else { 0 };
        let range = start..start + plain.len();
        self.shards.retain(|shard| shard.range.end <= range.start || range.end <= shard.range.start);
        if self.shards.len() == SHARDS {
            self.shards.remove(0);
        }
        self.bytes[range.clone()].copy_from_slice(plain);
        self.next = range.end;
        self.shards.push(Shard { header: *header, range });
        true
    }

    pub(super) fn len(&self) -> usize {
        self.shards.len()
    }

    pub(super) fn header(&self, nth: usize) -> MediaHeader {
        self.shards[nth].header
    }

    pub(super) fn plain(&self, nth: usize) -> &[u8] {
        &self.bytes[self.shards[nth].range.clone()]
    }

    pub(super) fn remove(&mut self, nth: usize) {
        self.shards.remove(nth);
    }
}

impl PairedReceiver {
    /// Takes the shards that have been waiting for a manifest of this frame.
    pub(super) fn take_waiting(&mut self, now: Instant, frame: FrameNumber) -> Accepted {
        let mut accepted = Accepted::Shard;
        for nth in (0..self.waiting.len()).rev() {
            let header = self.waiting.header(nth);
            let Ok(Some(hash)) = self.manifests.hash_of(&header) else { continue };
            if header.frame != frame {
                continue;
            }
            if let Some(Accepted::Frame) = self.take_one_waiting(now, nth, &header, hash) {
                accepted = Accepted::Frame;
            }
            self.waiting.remove(nth);
        }
        accepted
    }

    fn take_one_waiting(
        &mut self,
        now: Instant,
        nth: usize,
        header: &MediaHeader,
        hash: ShardHash,
    ) -> Option<Accepted> {
        let plain = self.waiting.plain(nth);
        if shard_hash(plain, header.next_restart) != hash {
            // Counted as accepted when it came; it was another viewer's all along.
            self.counters.count(Dropped::NotSigned);
            return None;
        }
        let key = self.keys.iter().position(|key| key.epoch == header.epoch)?;
        let place = self.reassembly.place(header, plain.len() + TAG_LEN).ok()?;
        if self.reassembly.is_taken(header, &place) {
            return None;
        }
        self.reassembly.bytes_mut(&place).copy_from_slice(plain);
        self.counters.waited += 1;
        self.count_in(now, key, header);
        self.reassembly.written(header, &place).then_some(Accepted::Frame)
    }
}
