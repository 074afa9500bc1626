//! The viewer's end of a stream: datagrams in, whole frames out.

use core::fmt;

use super::key_schedule::{Fingerprint, SharedKey};
pub use super::outcome::{Accepted, Dropped, ReceiverCounters};
use super::reassembly::{FrameInfo, Reassembly};
use super::streams::{Found, SILENCE, Seen, Streams};
use crate::time::Instant;
use crate::wire::{DatagramType, MAX_DATAGRAM, MediaHeader, PublicHeader, StreamId, TAG_LEN};

/// How things stand, for telling people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing that looks like a stream has arrived yet.
    Waiting,
    /// A stream is arriving and opens.
    Live(StreamId),
    /// A stream is arriving and opens, but frame after frame lacks something.
    Lossy(StreamId),
    /// Datagrams arrive, but none opens: they are sealed with another key than this one.
    WrongKey(Fingerprint),
    /// Authentic datagrams arrive, but only of streams with a lower start counter than `lowest`.
    Stale {
        /// The start counter below which streams are refused.
        lowest: u32,
    },
    /// The stream stopped at this time.
    Silent {
        /// When the last datagram of it was accepted.
        since: Instant,
    },
}

/// Follows one camera's stream under a shared key.
///
/// Every datagram goes into [`handle`](Self::handle); when that says [`Accepted::Frame`], the frame is
/// taken with [`take_frame`](Self::take_frame). Reads no clock, does no I/O, allocates only in
/// [`new`](Self::new).
pub struct Receiver {
    streams: Streams,
    reassembly: Reassembly,
    fingerprint: Fingerprint,
    counters: ReceiverCounters,
    /// For checking a rival stream's tag without touching a frame.
    scratch: Box<[u8]>,
    last_forged: Recent,
    last_stale: Recent,
    last_whole: Whole,
}

/// The last frame that became whole, or the beginning of the stream.
struct Whole {
    at: Instant,
    /// Frames given up until then.
    incomplete: u64,
}

/// So many frames given up in a row are no accident.
const LOSSY: u64 = 3;

impl Receiver {
    /// Claims memory for frames of up to `max_frame` bytes. `seen` is what [`Receiver::seen`] said in an
    /// earlier run; without it a recording cannot be told from a live camera until one was seen.
    #[must_use]
    pub fn new(key: SharedKey, max_frame: usize, seen: Option<Seen>, now: Instant) -> Self {
        Self {
            fingerprint: key.fingerprint(),
            streams: Streams::new(key, seen),
            reassembly: Reassembly::new(max_frame),
            counters: ReceiverCounters::default(),
            scratch: vec![0; MAX_DATAGRAM].into_boxed_slice(),
            last_forged: Recent::default(),
            last_stale: Recent::default(),
            last_whole: Whole { at: now, incomplete: 0 },
        }
    }

    /// Takes in one datagram.
    ///
    /// # Errors
    ///
    /// [`Dropped`] with the cause, which is also counted.
    pub fn handle(&mut self, now: Instant, datagram: &[u8]) -> Result<Accepted, Dropped> {
        self.counters.datagrams += 1;
        let result = self.take_in(now, datagram);
        match result {
            Ok(_) => self.counters.accepted += 1,
            Err(why) => self.count(why, now),
        }
        result
    }

    fn take_in(&mut self, now: Instant, datagram: &[u8]) -> Result<Accepted, Dropped> {
        let public = PublicHeader::parse(datagram)?;
        if public.kind != DatagramType::Media || public.epoch != 0 {
            return Err(Dropped::Unsupported);
        }
        let mut found = self.streams.find(public.stream, now)?;
        let stream = self.streams.get(found).ok_or(Dropped::Throttled)?;
        stream.window.look(public.packet)?;
        let (header, aad, sealed) = MediaHeader::parse(public, datagram)?;
        match found {
            Found::Followed => {}
            Found::Stale => return Err(self.examine(&header, aad, sealed, now)),
            Found::Candidate(index) => {
                self.admit(index, &header, aad, sealed, now)?;
                found = Found::Followed;
            }
        }
        let stream = self.streams.get(found).ok_or(Dropped::Throttled)?;
        let place = self.reassembly.place(&header, sealed.len());
        let plain = match &place {
            Ok(place) => self.reassembly.bytes_mut(place),
            // Of no use, but the tag decides whether it is the stream's doing or a forger's.
            Err(_) => &mut self.scratch[..sealed.len() - TAG_LEN],
        };
        stream.seal.open(header.packet, aad, sealed, plain).map_err(|_| Dropped::Forged)?;
        stream.window.mark(header.packet);
        stream.last_heard = now;
        let place = place?;
        Ok(if self.reassembly.written(&header, &place) { Accepted::Frame } else { Accepted::Shard })
    }

    /// Lets a rival stream take over if the datagram is authentic and the time has come for it.
    fn admit(
        &mut self,
        index: usize,
        header: &MediaHeader,
        aad: &[u8],
        sealed: &[u8],
        now: Instant,
    ) -> Result<(), Dropped> {
        let may_follow = self.streams.may_follow(header.stream, now);
        let Some(rival) = self.streams.get(Found::Candidate(index)) else { return Err(Dropped::Throttled) };
        if rival.proven && !may_follow {
            // Known to be another camera; not worth another look at the tag.
            return Err(Dropped::OtherStream);
        }
        let plain = &mut self.scratch[..sealed.len() - TAG_LEN];
        rival.seal.open(header.packet, aad, sealed, plain).map_err(|_| Dropped::Forged)?;
        if !may_follow {
            self.streams.prove(index, now);
            return Err(Dropped::OtherStream);
        }
        self.streams.follow(index, now);
        self.reassembly.reset();
        self.last_whole = Whole { at: now, incomplete: self.reassembly.incomplete() };
        self.counters.stream_changes += 1;
        Ok(())
    }

    /// Finds out whether a refused stream is authentic: then people are told of a camera's past, and else
    /// of another key. It is dropped in either case.
    fn examine(&mut self, header: &MediaHeader, aad: &[u8], sealed: &[u8], now: Instant) -> Dropped {
        let Some(stale) = self.streams.get(Found::Stale) else { return Dropped::StaleStream };
        if !stale.proven {
            let plain = &mut self.scratch[..sealed.len() - TAG_LEN];
            if stale.seal.open(header.packet, aad, sealed, plain).is_err() {
                return Dropped::Forged;
            }
            stale.proven = true;
        }
        self.last_stale.note(now);
        self.counters.stale_authentic += 1;
        Dropped::StaleStream
    }

    fn count(&mut self, why: Dropped, now: Instant) {
        if why == Dropped::Forged {
            self.last_forged.note(now);
        }
        self.counters.count(why);
    }

    /// Takes the frame that has just become whole: its bytes are the first [`FrameInfo::len`] of `buffer`
    /// afterwards, and the memory that `buffer` was goes into its place. No byte is copied.
    ///
    /// # Panics
    ///
    /// If `buffer` is shorter than [`Receiver::max_frame`].
    pub fn take_frame(&mut self, buffer: &mut Box<[u8]>) -> Option<FrameInfo> {
        let info = self.reassembly.take(buffer)?;
        self.counters.frames_whole += 1;
        if let Some(stream) = self.streams.followed() {
            self.last_whole = Whole { at: stream.last_heard, incomplete: self.reassembly.incomplete() };
        }
        Some(info)
    }

    /// Bytes of the largest frame there is memory for.
    #[must_use]
    pub const fn max_frame(&self) -> usize {
        self.reassembly.max_frame()
    }

    /// What has happened so far.
    #[must_use]
    pub const fn counters(&self) -> ReceiverCounters {
        let mut counters = self.counters;
        counters.frames_incomplete = self.reassembly.incomplete();
        counters
    }

    /// What to keep for the next run.
    #[must_use]
    pub fn seen(&self) -> Option<Seen> {
        self.streams.seen()
    }

    /// How things stand at `now`.
    #[must_use]
    pub fn condition(&self, now: Instant) -> Condition {
        let followed = self.streams.followed();
        if let Some(stream) = followed
            && now.since(stream.last_heard) < SILENCE
        {
            let lost = self.reassembly.incomplete() - self.last_whole.incomplete;
            let lossy = lost >= LOSSY && now.since(self.last_whole.at) >= SILENCE;
            return if lossy { Condition::Lossy(stream.id) } else { Condition::Live(stream.id) };
        }
        // A stale stream has proved that its key is this one; a forged datagram proves nothing.
        if self.last_stale.is_within_silence(now) {
            return Condition::Stale { lowest: self.streams.lowest_counter() };
        }
        if self.last_forged.is_within_silence(now) {
            return Condition::WrongKey(self.fingerprint);
        }
        followed.map_or(Condition::Waiting, |stream| Condition::Silent { since: stream.last_heard })
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver(key {})", self.fingerprint)
    }
}

/// When something last happened, and whether it happened more than once.
#[derive(Debug, Clone, Copy, Default)]
struct Recent {
    last: Option<Instant>,
    repeated: bool,
}

impl Recent {
    fn note(&mut self, now: Instant) {
        self.repeated = self.is_recent(now);
        self.last = Some(now);
    }

    /// More than once, lately: a single stray datagram says nothing.
    fn is_within_silence(&self, now: Instant) -> bool {
        self.repeated && self.is_recent(now)
    }

    fn is_recent(&self, now: Instant) -> bool {
        self.last.is_some_and(|last| now.since(last) < SILENCE)
    }
}
