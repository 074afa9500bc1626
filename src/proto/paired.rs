//! The media that a paired viewer receives: under keys that change, and signed by the camera.
//!
//! Other viewers hold the same media keys. So where the camera signs, a shard is taken only once its hash
//! stands in a manifest that the camera has signed: before that it enters neither the frame nor the replay
//! window. Shards that come ahead of their manifest wait in bounded memory.
//!
//! A new key takes over with the first datagram under it that counts. The one before then still opens frames
//! that are older than that datagram's, for [`OVERLAP`]: so nothing in flight is lost, and who holds only the
//! old key can neither read what comes nor add to it.

mod manifests;
mod waiting;

use core::fmt;

use heapless::Vec as FixedVec;

use super::budget::{Budget, Rate};
use super::key_schedule::StreamKey;
use super::manifest::{Checker, shard_hash};
use super::outcome::{Accepted, Dropped, ReceiverCounters};
use super::reassembly::{FrameInfo, Reassembly};
use super::replay::ReplayWindow;
use super::seal::Seal;
use crate::time::{Duration, Instant};
use crate::wire::{
    DatagramType, FrameNumber, Grant, MAX_DATAGRAM, Manifest, MediaHeader, PublicHeader, StreamId, TAG_LEN,
};
use manifests::{Known, Manifests};
use waiting::Waiting;

/// How long a media key still opens older frames once another has taken over.
pub const OVERLAP: Duration = Duration::from_secs(2);

/// Signatures that do not fit, of manifests that only another viewer can have made: 2,000 a second are looked at,
/// which takes a tenth of a PC's core. While there are more, all new manifests are dropped unseen.
const FORGERIES: Rate = Rate { each: Duration::from_micros(500), burst: 200 };

/// Media keys held at once: the one in use, the one before, and those that are to come.
const KEYS: usize = 4;

/// Receives one camera's media. Allocates only in [`PairedReceiver::new`].
pub struct PairedReceiver {
    stream: Option<Stream>,
    keys: FixedVec<MediaKey, KEYS>,
    turn: Option<Turn>,
    reassembly: Reassembly,
    manifests: Manifests,
    waiting: Waiting,
    forgeries: Budget,
    scratch: Box<[u8]>,
    counters: ReceiverCounters,
    last_heard: Option<Instant>,
}

struct Stream {
    id: StreamId,
    signer: Option<[u8; 32]>,
    checker: Option<Checker>,
}

struct MediaKey {
    epoch: u16,
    seal: Seal,
    window: ReplayWindow,
}

/// When the key in use took over.
#[derive(Clone, Copy)]
struct Turn {
    epoch: u16,
    at: Instant,
    frame: FrameNumber,
}

/// Whether epoch `a` comes after `b`; epochs wrap.
pub(super) const fn is_later(a: u16, b: u16) -> bool {
    let ahead = a.wrapping_sub(b);
    ahead != 0 && ahead < 1 << 15
}

impl PairedReceiver {
    /// Claims memory for frames of up to `max_frame` bytes.
    #[must_use]
    pub fn new(max_frame: usize) -> Self {
        Self {
            stream: None,
            keys: FixedVec::new(),
            turn: None,
            reassembly: Reassembly::new(max_frame),
            manifests: Manifests::new(max_frame),
            waiting: Waiting::new(),
            forgeries: Budget::FULL,
            scratch: vec![0; MAX_DATAGRAM].into_boxed_slice(),
            counters: ReceiverCounters::default(),
            last_heard: None,
        }
    }

    /// Takes a media key that came inside the session. Says whether it is new.
    pub fn grant(&mut self, grant: &Grant) -> bool {
        let same = self.stream.as_ref().is_some_and(|s| s.id == grant.stream && s.signer == grant.signer);
        if !same {
            self.begin(grant);
        }
        if self.keys.iter().any(|key| key.epoch == grant.epoch) || self.is_past(grant.epoch) {
            return false;
        }
        if self.keys.is_full() {
            self.forget_one();
        }
        let key = StreamKey::from_bytes(grant.key);
        let seal = Seal::new(&key);
        self.keys.push(MediaKey { epoch: grant.epoch, seal, window: ReplayWindow::new() }).is_ok()
    }

    fn begin(&mut self, grant: &Grant) {
        self.counters.stream_changes += u64::from(self.stream.is_some());
        self.stream = Some(Stream {
            id: grant.stream,
            signer: grant.signer,
            checker: grant.signer.and_then(|key| Checker::new(&key)),
        });
        self.keys.clear();
        self.turn = None;
        self.reassembly.reset();
        self.manifests.clear();
        self.waiting.clear();
    }

    fn is_past(&self, epoch: u16) -> bool {
        self.turn.is_some_and(|turn| is_later(turn.epoch, epoch))
    }

    /// Makes room for another key: the oldest goes, but never the one in use.
    fn forget_one(&mut self) {
        let in_use = self.turn.map(|turn| turn.epoch);
        let mut oldest: Option<(usize, u16)> = None;
        for (at, key) in self.keys.iter().enumerate().filter(|(_, key)| Some(key.epoch) != in_use) {
            if oldest.is_none_or(|(_, than)| is_later(than, key.epoch)) {
                oldest = Some((at, key.epoch));
            }
        }
        if let Some((at, _)) = oldest {
            self.keys.swap_remove(at);
        }
    }

    /// The newest media key held, for the camera to know.
    #[must_use]
    pub fn newest_epoch(&self) -> Option<u16> {
        self.keys.iter().map(|key| key.epoch).reduce(|a, b| if is_later(b, a) { b } else { a })
    }

    /// Which stream is received.
    #[must_use]
    pub fn stream(&self) -> Option<StreamId> {
        self.stream.as_ref().map(|stream| stream.id)
    }

    /// Whether frames are signed by the camera.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.signer.is_some())
    }

    /// When the last datagram came that counted.
    #[must_use]
    pub const fn last_heard(&self) -> Option<Instant> {
        self.last_heard
    }

    /// Takes in one media or manifest datagram.
    ///
    /// # Errors
    ///
    /// [`Dropped`] with the cause, which is also counted.
    pub fn handle(&mut self, now: Instant, datagram: &[u8]) -> Result<Accepted, Dropped> {
        self.counters.datagrams += 1;
        let result = self.take_in(now, datagram);
        match result {
            Ok(_) => self.counters.accepted += 1,
            Err(why) => self.counters.count(why),
        }
        result
    }

    fn take_in(&mut self, now: Instant, datagram: &[u8]) -> Result<Accepted, Dropped> {
        let public = PublicHeader::parse(datagram)?;
        let is_manifest = match public.kind {
            DatagramType::Media => false,
            DatagramType::Manifest => true,
            _ => return Err(Dropped::Unsupported),
        };
        let stream = self.stream.as_ref().ok_or(Dropped::UnknownKey)?;
        if stream.id != public.stream {
            return Err(Dropped::OtherStream);
        }
        let signed = stream.signer.is_some();
        let key = self.keys.iter().position(|key| key.epoch == public.epoch).ok_or(Dropped::UnknownKey)?;
        self.keys[key].window.look(public.packet)?;
        let (header, aad, sealed) = if is_manifest {
            Manifest::parse_head(public, datagram)?
        } else {
            MediaHeader::parse(public, datagram)?
        };
        if self.is_past(header.epoch) && !self.turn.is_some_and(|turn| turn.leaves(header.frame, now)) {
            return Err(Dropped::UnknownKey);
        }
        match (is_manifest, signed) {
            (true, true) => self.take_manifest(now, key, &header, aad, sealed),
            (false, true) => self.take_signed(now, key, &header, aad, sealed),
            (false, false) => self.take_unsigned(now, key, &header, aad, sealed),
            (true, false) => Err(Dropped::Unsupported),
        }
    }

    fn take_unsigned(
        &mut self,
        now: Instant,
        key: usize,
        header: &MediaHeader,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Accepted, Dropped> {
        let place = self.reassembly.place(header, sealed.len());
        let plain = match &place {
            Ok(place) => self.reassembly.bytes_mut(place),
            Err(_) => &mut self.scratch[..sealed.len() - TAG_LEN],
        };
        self.keys[key].seal.open(header.packet, aad, sealed, plain).map_err(|_| Dropped::Forged)?;
        self.count_in(now, key, header);
        let place = place?;
        Ok(if self.reassembly.written(header, &place) { Accepted::Frame } else { Accepted::Shard })
    }

    fn take_manifest(
        &mut self,
        now: Instant,
        key: usize,
        header: &MediaHeader,
        aad: &[u8; MediaHeader::LEN],
        sealed: &[u8],
    ) -> Result<Accepted, Dropped> {
        let plain = &mut self.scratch[..sealed.len() - TAG_LEN];
        self.keys[key].seal.open(header.packet, aad, sealed, plain).map_err(|_| Dropped::Forged)?;
        let manifest = Manifest::parse(header, plain)?;
        match self.manifests.has(header, &manifest) {
            Known::Same => {
                self.count_in(now, key, header);
                return Ok(Accepted::Shard);
            }
            Known::Other => return Err(Dropped::NotSigned),
            Known::No => {}
        }
        // Before the signature is looked at, which takes longer than all else: is the frame still wanted?
        self.reassembly.is_wanted(header)?;
        let checker = self.stream.as_ref().and_then(|stream| stream.checker.as_ref());
        if !is_signed(checker, &mut self.forgeries, now, aad, &manifest) {
            return Err(Dropped::NotSigned);
        }
        self.manifests.insert(header, &manifest)?;
        self.reassembly.claim(header, usize::from(manifest.plan.shard_len))?;
        self.count_in(now, key, header);
        Ok(self.take_waiting(now, header.frame))
    }

    fn take_signed(
        &mut self,
        now: Instant,
        key: usize,
        header: &MediaHeader,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Accepted, Dropped> {
        let Ok(Some(hash)) = self.manifests.hash_of(header) else {
            return self.have_wait(key, header, aad, sealed);
        };
        let place = self.reassembly.place(header, sealed.len());
        let writable = place.as_ref().ok().filter(|place| !self.reassembly.is_taken(header, place));
        let Some(place) = writable else {
            let plain = &mut self.scratch[..sealed.len() - TAG_LEN];
            self.keys[key].seal.open(header.packet, aad, sealed, plain).map_err(|_| Dropped::Forged)?;
            return Err(place.err().map_or(Dropped::Replayed, Dropped::from));
        };
        let plain = self.reassembly.bytes_mut(place);
        self.keys[key].seal.open(header.packet, aad, sealed, plain).map_err(|_| Dropped::Forged)?;
        if shard_hash(plain, header.next_restart) != hash {
            return Err(Dropped::NotSigned);
        }
        self.count_in(now, key, header);
        Ok(if self.reassembly.written(header, place) { Accepted::Frame } else { Accepted::Shard })
    }

    /// Keeps a shard until the manifest of its frame comes, unless that has come and says otherwise.
    fn have_wait(
        &mut self,
        key: usize,
        header: &MediaHeader,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Accepted, Dropped> {
        let plain = &mut self.scratch[..sealed.len() - TAG_LEN];
        self.keys[key].seal.open(header.packet, aad, sealed, plain).map_err(|_| Dropped::Forged)?;
        if self.manifests.hash_of(header).is_err() {
            return Err(Dropped::NotSigned);
        }
        self.reassembly.is_wanted(header)?;
        if self.waiting.push(header, plain) { Ok(Accepted::Shard) } else { Err(Dropped::Replayed) }
    }

    /// The datagram is the camera's: it is not taken again, and its key may take over.
    fn count_in(&mut self, now: Instant, key: usize, header: &MediaHeader) {
        self.keys[key].window.mark(header.packet);
        self.last_heard = Some(now);
        let takes_over = self.turn.is_none_or(|turn| is_later(header.epoch, turn.epoch));
        if takes_over {
            self.turn = Some(Turn { epoch: header.epoch, at: now, frame: header.frame });
        }
    }

    /// Takes the frame that has just become whole: its bytes are the first [`FrameInfo::len`] of `buffer`
    /// afterwards, and the memory that `buffer` was goes into its place. No byte is copied.
    ///
    /// # Panics
    ///
    /// If `buffer` is shorter than the `max_frame` given at the start.
    pub fn take_frame(&mut self, buffer: &mut Box<[u8]>) -> Option<FrameInfo> {
        let info = self.reassembly.take(buffer)?;
        self.counters.frames_whole += 1;
        Some(info)
    }

    /// What has happened so far.
    #[must_use]
    pub const fn counters(&self) -> ReceiverCounters {
        let mut counters = self.counters;
        counters.frames_incomplete = self.reassembly.incomplete();
        counters
    }
}

/// Whether the camera has signed the manifest; says no unseen while there are too many that it has not.
fn is_signed(
    checker: Option<&Checker>,
    forgeries: &mut Budget,
    now: Instant,
    aad: &[u8; MediaHeader::LEN],
    manifest: &Manifest<'_>,
) -> bool {
    let mut spent = *forgeries;
    if !spent.spend(now, FORGERIES, 0) {
        return false;
    }
    let signed = checker.is_some_and(|checker| checker.is_signed(aad, manifest));
    if !signed {
        *forgeries = spent;
    }
    signed
}

impl Turn {
    /// Whether the key before may still open that frame.
    const fn leaves(&self, frame: FrameNumber, now: Instant) -> bool {
        self.frame.is_newer_than(frame) && now.since(self.at).as_micros() < OVERLAP.as_micros()
    }
}

impl fmt::Debug for PairedReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PairedReceiver({} keys of {:?})", self.keys.len(), self.stream())
    }
}

#[cfg(test)]
#[path = "paired_tests.rs"]
mod tests;
