//! Signed manifests: that a frame is the camera's, and not that of another viewer with the media key.
//!
//! The camera signs the hashes of each frame's shards with Ed25519 (RFC 8032). The key is made at the stream's
//! start, never written down, and its public half given inside each viewer's session. What is signed:
//!
//! ```text
//! "sealcam 1 manifest" | version and type | epoch | stream id | frame header | plan | hashes
//! ```
//!
//! where the frame header is bytes 24 to 47 of the datagram. The manifest's own packet number is left out: each
//! is sent twice, ahead of the frame and near its end, and the signature made once. But the plan gives the packet
//! number of the frame's first datagram, and with it the two of each manifest: at any other number one is refused.
//! So nobody can seal a genuine one again where it would take the place of what is to come.
//!
//! A shard's hash is BLAKE3 of its plaintext and, in two bytes, its next restart interval, cut to 128 bits. Tags of
//! ChaCha20-Poly1305 would not do: a holder of the key can make another text with the same tag.
//!
//! A manifest that does not fit into one datagram is cut, and each part signed by itself, so that each can be
//! checked at once whatever becomes of the others. At 1,200 bytes that is a signature for 75 kB.

use core::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use heapless::Vec as FixedVec;

use crate::wire::{HASH_LEN, Manifest, MediaHeader, Plan, RestartIndex, SIGNATURE_LEN, ShardHash};

const LABEL: &[u8] = b"sealcam 1 manifest";

/// Shards in one manifest datagram, however large that may be.
pub const MAX_HASHES: usize = 128;

/// Bytes of the smallest datagrams that are signed: below, signatures would take most of the bytes.
pub const MIN_SIGNED_DATAGRAM: usize = 576;
const _: () = assert!(shards_per_manifest(MIN_SIGNED_DATAGRAM) > 16);

const SIGNED_MAX: usize = LABEL.len() + 16 + 24 + Plan::LEN + MAX_HASHES * HASH_LEN;

type Signed = FixedVec<u8, SIGNED_MAX>;

/// The hash of a shard's plaintext and next restart interval.
#[must_use]
pub fn shard_hash(plain: &[u8], next_restart: RestartIndex) -> ShardHash {
    let whole = blake3::Hasher::new().update(plain).update(&next_restart.to_bytes()).finalize();
    core::array::from_fn(|at| whole.as_bytes()[at])
}

/// How many shards one manifest datagram of at most `datagram` bytes covers; 0 if there is no room.
#[must_use]
pub const fn shards_per_manifest(datagram: usize) -> usize {
    let capacity = Manifest::capacity(datagram);
    if capacity > MAX_HASHES { MAX_HASHES } else { capacity }
}

/// In which order a frame's datagrams leave, and so are numbered: its manifests, its shards, the manifests
/// again, and then its last shard. That is the only one that may be shorter than the others, so all are one run.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// Manifests of the frame.
    pub manifests: usize,
    /// Data and parity shards, at least one.
    pub shards: usize,
}

impl Order {
    /// How many datagrams there are.
    #[must_use]
    pub const fn total(self) -> usize {
        self.shards + 2 * self.manifests
    }

    /// Where a shard stands.
    #[must_use]
    pub const fn slot_of(self, shard: usize) -> usize {
        if shard + 1 == self.shards { self.total() - 1 } else { self.manifests + shard }
    }

    /// Where the two copies of the `nth` manifest stand.
    #[must_use]
    pub const fn slots_of_manifest(self, nth: usize) -> [usize; 2] {
        [nth, self.manifests + self.shards - 1 + nth]
    }
}

/// What is signed. `None` if there are more hashes than any camera puts into one manifest.
fn signed(head: &[u8; MediaHeader::LEN], plan: Plan, hashes: &[u8]) -> Option<Signed> {
    let mut signed = Signed::new();
    let (public, frame) = head.split_at(24);
    for part in [LABEL, &public[..16], frame, &plan.to_bytes(), hashes] {
        signed.extend_from_slice(part).ok()?;
    }
    Some(signed)
}

/// The camera's side. The secret is wiped when dropped.
pub struct Signer(SigningKey);

impl Signer {
    /// From 32 bytes that nobody can guess, drawn for one stream.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// What viewers check with.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs `hashes`, at most [`MAX_HASHES`], for the frame in `head`.
    #[must_use]
    pub fn sign(&self, head: &[u8; MediaHeader::LEN], plan: Plan, hashes: &[u8]) -> [u8; SIGNATURE_LEN] {
        let signed = signed(head, plan, hashes);
        self.0.sign(&signed.unwrap_or_else(|| unreachable!("the camera keeps to the limit"))).to_bytes()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(..)")
    }
}

/// The viewer's side.
#[derive(Clone)]
pub struct Checker(VerifyingKey);

impl Checker {
    /// For the camera's public key; `None` if it is no point of the curve, or one of small order.
    #[must_use]
    pub fn new(public: &[u8; 32]) -> Option<Self> {
        VerifyingKey::from_bytes(public).ok().filter(|key| !key.is_weak()).map(Self)
    }

    /// Whether the camera has signed this.
    #[must_use]
    pub fn is_signed(&self, head: &[u8; MediaHeader::LEN], manifest: &Manifest<'_>) -> bool {
        let Some(signed) = signed(head, manifest.plan, manifest.hashes) else { return false };
        self.0.verify_strict(&signed, &Signature::from_bytes(manifest.signature)).is_ok()
    }
}

impl fmt::Debug for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checker(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { shard_len: 1136, manifests: 1, first_packet: 70 };

    #[test]
    fn only_what_the_camera_has_signed_counts() {
        let signer = Signer::new(&[9; 32]);
        let checker = Checker::new(&signer.public()).unwrap();
        let (head, hashes) = ([5; MediaHeader::LEN], [7; 4 * HASH_LEN]);
        let plan = PLAN;
        let signature = signer.sign(&head, plan, &hashes);
        let manifest = Manifest { plan, hashes: &hashes, signature: &signature };
        assert!(checker.is_signed(&head, &manifest));
        for at in 0..head.len() {
            let mut other = head;
            other[at] ^= 1;
            let number_of_the_packet = (16..24).contains(&at);
            assert_eq!(checker.is_signed(&other, &manifest), number_of_the_packet, "byte {at}");
        }
        for at in 0..hashes.len() {
            let mut other = hashes;
            other[at] ^= 1;
            assert!(!checker.is_signed(&head, &Manifest { hashes: &other, ..manifest }), "byte {at}");
        }
        assert!(!checker.is_signed(&head, &Manifest { hashes: &hashes[HASH_LEN..], ..manifest }));
        assert!(!checker.is_signed(&head, &Manifest { plan: Plan { shard_len: 1134, ..plan }, ..manifest }));
        assert!(!checker.is_signed(&head, &Manifest { plan: Plan { first_packet: 71, ..plan }, ..manifest }));
        assert!(!checker.is_signed(&head, &Manifest { plan: Plan { manifests: 2, ..plan }, ..manifest }));
        for at in 0..SIGNATURE_LEN {
            let mut other = signature;
            other[at] ^= 1;
            assert!(!checker.is_signed(&head, &Manifest { signature: &other, ..manifest }), "byte {at}");
        }
        assert!(!Checker::new(&Signer::new(&[8; 32]).public()).unwrap().is_signed(&head, &manifest));
    }

    #[test]
    fn keys_under_which_anything_is_signed_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(Checker::new(&identity).is_none() && Checker::new(&[0; 32]).is_none());
        let too_many = [0; (MAX_HASHES + 1) * HASH_LEN];
        let checker = Checker::new(&Signer::new(&[9; 32]).public()).unwrap();
        let manifest = Manifest { plan: PLAN, hashes: &too_many, signature: &[0; SIGNATURE_LEN] };
        assert!(!checker.is_signed(&[0; MediaHeader::LEN], &manifest));
        assert_eq!(shards_per_manifest(1200), 66);
        assert_eq!(shards_per_manifest(9000), MAX_HASHES);
        assert_eq!(shards_per_manifest(140), 0);
    }

    #[test]
    fn a_hash_covers_all_that_a_shard_says() {
        let hash = shard_hash(b"shard", RestartIndex::NONE);
        assert_eq!(hash, blake3::hash(b"shard\xff\xff").as_bytes()[..HASH_LEN]);
        assert_ne!(hash, shard_hash(b"shard", RestartIndex::new(3)));
        assert_ne!(hash, shard_hash(b"Shard", RestartIndex::NONE));
    }
}
