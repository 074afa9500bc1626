//! What the camera has vouched for: the hashes of the newest frames' shards.

use crate::proto::manifest::{MIN_SIGNED_DATAGRAM, Order, shards_per_manifest};
use crate::proto::outcome::Dropped;
use crate::proto::reassembly::FRAMES_AT_ONCE;
use crate::wire::{HASH_LEN, Manifest, MediaHeader, Plan, RestartIndex, ShardHash};

/// Manifests of as many frames as are put together at once.
pub(super) struct Manifests {
    frames: Box<[Vouched]>,
}

struct Vouched {
    frame: Option<Facts>,
    hashes: Box<[ShardHash]>,
    /// One bit for each hash that is there.
    have: Box<[u64]>,
}

/// What holds for all datagrams of a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Facts {
    header: MediaHeader,
    plan: Plan,
}

impl Facts {
    fn of(header: &MediaHeader, plan: Plan) -> Self {
        Self { header: common(header), plan }
    }

    /// Which of the frame's manifests this is; `None` if its shards are not those of one.
    fn which(&self, header: &MediaHeader, manifest: &Manifest<'_>) -> Option<usize> {
        let per_manifest = shards_per_manifest(usize::from(self.plan.shard_len) + MediaHeader::OVERHEAD);
        let (order, first) = (self.order(), usize::from(header.shard));
        let nth = first.checked_div(per_manifest)?;
        let fits = first == nth * per_manifest
            && first < order.shards
            && nth < order.manifests
            && manifest.each(header.shard).count() == per_manifest.min(order.shards - first);
        fits.then_some(nth)
    }

    /// Whether manifest `nth` has one of its own two packet numbers, which its signature does not cover: else
    /// another viewer could have it take the place of the frame's other manifests.
    fn is_numbered(&self, nth: usize, header: &MediaHeader) -> bool {
        let slot = header.packet.checked_sub(self.plan.first_packet);
        let slot = slot.and_then(|slot| usize::try_from(slot).ok());
        slot.is_some_and(|slot| self.order().slots_of_manifest(nth).contains(&slot))
    }

    fn order(&self) -> Order {
        let shards = usize::from(self.header.data_shards) + usize::from(self.header.parity_shards);
        Order { manifests: usize::from(self.plan.manifests), shards }
    }
}

const fn common(header: &MediaHeader) -> MediaHeader {
    MediaHeader { packet: 0, shard: 0, next_restart: RestartIndex::NONE, ..*header }
}

/// What is known already of what a manifest says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Not all of it.
    No,
    /// All of it.
    Same,
    /// It contradicts what the camera has signed.
    Other,
}

/// The frame's manifests contradict the datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contradicted;

impl Manifests {
    /// For frames of up to `max_frame` bytes in the smallest datagrams that are signed.
    pub(super) fn new(max_frame: usize) -> Self {
        let shards =
            max_frame.div_ceil(MIN_SIGNED_DATAGRAM - MediaHeader::OVERHEAD).min(usize::from(u16::MAX));
        let vouched = || Vouched {
            frame: None,
            hashes: vec![[0; HASH_LEN]; shards].into_boxed_slice(),
            have: vec![0; shards.div_ceil(64)].into_boxed_slice(),
        };
        Self { frames: (0..FRAMES_AT_ONCE).map(|_| vouched()).collect() }
    }

    pub(super) fn clear(&mut self) {
        for frame in &mut self.frames {
            frame.frame = None;
        }
    }

    fn find(&self, header: &MediaHeader) -> Option<&Vouched> {
        self.frames.iter().find(|known| known.frame.is_some_and(|facts| facts.header.frame == header.frame))
    }

    /// The hash of the shard of `header`, if a manifest has told it.
    pub(super) fn hash_of(&self, header: &MediaHeader) -> Result<Option<ShardHash>, Contradicted> {
        let Some(known) = self.find(header) else { return Ok(None) };
        let Some(facts) = known.frame.filter(|facts| facts.header == common(header)) else {
            return Err(Contradicted);
        };
        let slot = facts.order().slot_of(usize::from(header.shard)) as u64;
        if facts.plan.first_packet.checked_add(slot) != Some(header.packet) {
            return Err(Contradicted);
        }
        Ok(known.hash(header.shard))
    }

    /// Compares a manifest that may be anyone's with what is known.
    pub(super) fn has(&self, header: &MediaHeader, manifest: &Manifest<'_>) -> Known {
        let Some(known) = self.find(header) else { return Known::No };
        let facts = Facts::of(header, manifest.plan);
        let is_own = facts.which(header, manifest).is_some_and(|nth| facts.is_numbered(nth, header));
        if known.frame != Some(facts) || !is_own {
            return Known::Other;
        }
        let mut all = true;
        for (shard, hash) in manifest.each(header.shard) {
            match known.hash(shard) {
                Some(before) if before != hash => return Known::Other,
                Some(_) => {}
                None => all = false,
            }
        }
        if all { Known::Same } else { Known::No }
    }

    /// Keeps what a signed manifest says, in the place of the oldest frame if need be.
    pub(super) fn insert(&mut self, header: &MediaHeader, manifest: &Manifest<'_>) -> Result<(), Dropped> {
        let facts = Facts::of(header, manifest.plan);
        let nth = facts.which(header, manifest).ok_or(Dropped::Inconsistent)?;
        if !facts.is_numbered(nth, header) {
            return Err(Dropped::NotSigned);
        }
        let at =
            self.frames.iter().position(|known| known.frame == Some(facts)).or_else(|| self.oldest(header));
        let known = &mut self.frames[at.ok_or(Dropped::Late)?];
        if usize::from(header.data_shards) + usize::from(header.parity_shards) > known.hashes.len() {
            return Err(Dropped::TooLarge);
        }
        if known.frame != Some(facts) {
            known.frame = Some(facts);
            known.have.fill(0);
        }
        for (shard, hash) in manifest.each(header.shard) {
            known.hashes[usize::from(shard)] = hash;
            known.have[usize::from(shard) / 64] |= 1 << (shard % 64);
        }
        Ok(())
    }

    /// Where a new frame may go: a free place, or that of the oldest frame if the new one is newer.
    fn oldest(&self, header: &MediaHeader) -> Option<usize> {
        let Some(first) = self.frames.first()?.frame else { return Some(0) };
        let mut oldest = (0, first.header.frame);
        for (at, known) in self.frames.iter().enumerate() {
            let Some(facts) = known.frame else { return Some(at) };
            if oldest.1.is_newer_than(facts.header.frame) {
                oldest = (at, facts.header.frame);
            }
        }
        header.frame.is_newer_than(oldest.1).then_some(oldest.0)
    }
}

impl Vouched {
    fn hash(&self, shard: u16) -> Option<ShardHash> {
        let at = usize::from(shard);
        let have = self.have.get(at / 64)? & (1 << (at % 64)) != 0;
        if have { self.hashes.get(at).copied() } else { None }
    }
}
