//! Shards that came ahead of their frame's manifest: a ring of bytes, the oldest giving way.

use core::ops::Range;

use crate::wire::MediaHeader;

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
