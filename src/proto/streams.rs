//! Which stream a receiver follows.
//!
//! Under one shared key there may be several streams: the camera's present one, the ones before its
//! restarts, which anybody may have recorded, and those of a second camera that was given the same key.
//! A receiver stays with the stream it follows. It changes on an authentic datagram of a stream with a
//! higher start counter at once, and on one with the same counter after [`SILENCE`]. Streams with a
//! lower counter than the highest ever followed are refused; the caller keeps that number, as [`Seen`],
//! between runs. A receiver without it cannot tell a recording from a live camera.
//!
//! Whoever can send datagrams can name any number of streams. So at most [`CANDIDATES`] are remembered,
//! keys are derived at most [`DERIVATIONS_PER_SECOND`] times a second, and a stream that has proved
//! itself is never forgotten for one that has not. Some of the derivations are set aside for streams that
//! come a second time soon after they were turned away, as a camera does and random ids do not; else a
//! flood of those could keep a restarted camera waiting for as long as it lasts.
//!
//! One refused stream at a time is examined nevertheless, but never followed: only its tag tells whether it
//! is the camera's past or has to do with this key at all, and people must be told which.

use heapless::{HistoryBuf, Vec as FixedVec};

use super::budget::{Budget, Rate};
use super::key_schedule::SharedKey;
use super::outcome::Dropped;
use super::replay::ReplayWindow;
use super::seal::Seal;
use crate::time::{Duration, Instant};
use crate::wire::StreamId;

/// After this time without a datagram, another stream with the same start counter may take over.
pub const SILENCE: Duration = Duration::from_secs(2);

/// Streams that are remembered beside the followed one.
pub const CANDIDATES: usize = 4;

/// Bound on key derivations.
pub const DERIVATIONS_PER_SECOND: u32 = 50;

/// One second's worth at once.
const RATE: Rate = Rate {
    each: Duration::from_micros(1_000_000 / DERIVATIONS_PER_SECOND as u64),
    burst: DERIVATIONS_PER_SECOND,
};

/// Derivations that are set aside for streams that come again.
const RESERVE: u32 = 5;

/// Streams that were turned away and get a derivation set aside if they come again.
const REMEMBERED: usize = 16;

/// For so long the same refused stream is examined.
const EXAMINATION: Duration = Duration::from_millis(500);

/// What a receiver must keep between runs to refuse recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The stream followed last; its start counter is the lowest that is still accepted.
    pub stream: StreamId,
    /// The newest packet number taken from it.
    pub newest: u64,
}

/// Why a stream is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// Its start counter is lower than one that was followed: a recording, or a camera that lost its state.
    Stale,
    /// Too many unknown streams at once; one will be looked at when there is time.
    Throttled,
}

/// One stream: how to open it and what was taken from it.
pub(super) struct Stream {
    pub(super) id: StreamId,
    pub(super) seal: Seal,
    pub(super) window: ReplayWindow,
    pub(super) last_heard: Instant,
    /// A datagram of it has been opened.
    pub(super) proven: bool,
}

/// The followed stream and its rivals.
pub(super) struct Streams {
    key: SharedKey,
    followed: Option<Stream>,
    candidates: FixedVec<Stream, CANDIDATES>,
    /// A refused stream under examination; `last_heard` is when that began.
    stale: Option<Stream>,
    restored: Option<Seen>,
    lowest_counter: u32,
    /// New streams for which there was no time.
    turned_away: HistoryBuf<StreamId, REMEMBERED>,
    budget: Budget,
}

impl Stream {
    fn new(key: &SharedKey, id: StreamId, window: ReplayWindow, now: Instant) -> Self {
        Self { id, seal: Seal::new(&key.stream_key(id)), window, last_heard: now, proven: false }
    }
}

/// Where a stream was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Followed,
    Candidate(usize),
    /// Refused, but to be examined.
    Stale,
}

impl Streams {
    pub(super) fn new(key: SharedKey, restored: Option<Seen>) -> Self {
        Self {
            key,
            followed: None,
            candidates: FixedVec::new(),
            stale: None,
            restored,
            lowest_counter: restored.map_or(0, |seen| seen.stream.counter()),
            turned_away: HistoryBuf::new(),
            budget: Budget::FULL,
        }
    }

    pub(super) const fn followed(&self) -> Option<&Stream> {
        self.followed.as_ref()
    }

    pub(super) const fn lowest_counter(&self) -> u32 {
        self.lowest_counter
    }

    /// Finds the stream `id`, deriving its key if it is new.
    pub(super) fn find(&mut self, id: StreamId, now: Instant) -> Result<Found, Ignored> {
        if self.followed.as_ref().is_some_and(|stream| stream.id == id) {
            return Ok(Found::Followed);
        }
        if id.counter() < self.lowest_counter {
            return self.find_stale(id, now);
        }
        if let Some(known) = self.candidates.iter().position(|stream| stream.id == id) {
            return Ok(Found::Candidate(known));
        }
        let in_the_way = self.candidates.is_full().then(|| self.oldest(false).ok_or(Ignored::Throttled));
        let in_the_way = in_the_way.transpose()?;
        let again = self.turned_away.as_slice().contains(&id);
        let reserve = if again { 0 } else { RESERVE };
        if !self.budget.spend(now, RATE, reserve) {
            self.turned_away.write(id);
            return Err(Ignored::Throttled);
        }
        if let Some(oldest) = in_the_way {
            self.candidates.swap_remove(oldest);
        }
        let window = match self.restored {
            Some(seen) if seen.stream == id => ReplayWindow::after(seen.newest),
            _ => ReplayWindow::new(),
        };
        let stream = Stream::new(&self.key, id, window, now);
        self.candidates.push(stream).map_err(|_| Ignored::Throttled)?;
        Ok(Found::Candidate(self.candidates.len() - 1))
    }

    /// Whether it is the turn of the refused stream `id` to be examined.
    fn find_stale(&mut self, id: StreamId, now: Instant) -> Result<Found, Ignored> {
        if let Some(stale) = &self.stale {
            if stale.id == id {
                return Ok(Found::Stale);
            }
            if now.since(stale.last_heard) < EXAMINATION {
                return Err(Ignored::Stale);
            }
        }
        if !self.budget.spend(now, RATE, RESERVE) {
            return Err(Ignored::Stale);
        }
        self.stale = Some(Stream::new(&self.key, id, ReplayWindow::new(), now));
        Ok(Found::Stale)
    }

    pub(super) fn get(&mut self, found: Found) -> Option<&mut Stream> {
        match found {
            Found::Followed => self.followed.as_mut(),
            Found::Candidate(index) => self.candidates.get_mut(index),
            Found::Stale => self.stale.as_mut(),
        }
    }

    /// Whether an authentic datagram of `id` would make it the followed stream at `now`.
    pub(super) fn may_follow(&self, id: StreamId, now: Instant) -> bool {
        self.followed.as_ref().is_none_or(|followed| {
            id.counter() > followed.id.counter() || now.since(followed.last_heard) >= SILENCE
        })
    }

    /// Follows a candidate of which a datagram was authentic.
    pub(super) fn follow(&mut self, index: usize, now: Instant) {
        let mut stream = self.candidates.swap_remove(index);
        stream.proven = true;
        stream.last_heard = now;
        self.lowest_counter = self.lowest_counter.max(stream.id.counter());
        let before = self.followed.replace(stream);
        let lowest = self.lowest_counter;
        self.candidates.retain(|candidate| candidate.id.counter() >= lowest);
        // The stream left behind may come back, and must find its replay window again.
        if let Some(before) = before.filter(|before| before.id.counter() >= lowest) {
            if self.proven() + 1 >= CANDIDATES
                && let Some(oldest) = self.oldest(true)
            {
                self.candidates.swap_remove(oldest);
            }
            // A slot was freed by taking the new stream out, so this finds room.
            self.candidates.push(before).ok();
        }
    }

    /// A candidate's datagram was authentic, but another stream is followed. One slot is always left for
    /// newcomers, so that proven rivals cannot shut out a restarted camera.
    pub(super) fn prove(&mut self, index: usize, now: Instant) {
        let room = self.proven() + 1 < CANDIDATES;
        let stream = &mut self.candidates[index];
        stream.last_heard = now;
        stream.proven |= room;
    }

    /// What to keep for the next run.
    pub(super) fn seen(&self) -> Option<Seen> {
        let followed = self
            .followed
            .as_ref()
            .and_then(|stream| Some(Seen { stream: stream.id, newest: stream.window.newest()? }));
        followed.or(self.restored)
    }

    fn proven(&self) -> usize {
        self.candidates.iter().filter(|stream| stream.proven).count()
    }

    /// The candidate heard longest ago of those that are proven, or of those that are not.
    fn oldest(&self, proven: bool) -> Option<usize> {
        let such = self.candidates.iter().enumerate().filter(|(_, stream)| stream.proven == proven);
        such.min_by_key(|(_, stream)| stream.last_heard).map(|(index, _)| index)
    }
}

impl From<Ignored> for Dropped {
    fn from(why: Ignored) -> Self {
        match why {
            Ignored::Stale => Self::StaleStream,
            Ignored::Throttled => Self::Throttled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_millis(60_000);

    fn streams(restored: Option<Seen>) -> Streams {
        Streams::new(SharedKey::from_bytes([1; 32]), restored)
    }

    fn id(counter: u32, random: u64) -> StreamId {
        StreamId::new(counter, random.to_be_bytes())
    }

    fn candidate(streams: &mut Streams, id: StreamId, now: Instant) -> usize {
        match streams.find(id, now) {
            Ok(Found::Candidate(index)) => index,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_higher_counter_takes_over_at_once_and_lower_ones_are_stale_from_then_on() {
        let mut streams = streams(None);
        let first = candidate(&mut streams, id(5, 0), START);
        streams.follow(first, START);
        assert!(streams.may_follow(id(6, 0), START));
        assert!(!streams.may_follow(id(5, 1), START));
        assert!(streams.may_follow(id(5, 1), START + SILENCE));
        let next = candidate(&mut streams, id(6, 0), START);
        streams.follow(next, START);
        assert_eq!(streams.find(id(5, 0), START), Ok(Found::Stale));
        assert_eq!(streams.find(id(5, 1), START), Err(Ignored::Stale), "one at a time");
        assert_eq!(streams.find(id(5, 1), START + EXAMINATION), Ok(Found::Stale));
        assert!(streams.candidates.is_empty());
    }

    #[test]
    fn a_restored_state_refuses_what_was_seen() {
        let seen = Seen { stream: id(5, 7), newest: 100 };
        let mut streams = streams(Some(seen));
        assert_eq!(streams.find(id(4, 0), START), Ok(Found::Stale));
        let same = streams.find(seen.stream, START).unwrap();
        let window = &streams.get(same).unwrap().window;
        assert!(window.look(100).is_err() && window.look(101).is_ok());
        assert_eq!(streams.seen(), Some(seen));
    }

    #[test]
    fn a_stream_that_comes_back_finds_its_window_again() {
        let mut streams = streams(None);
        let one = candidate(&mut streams, id(5, 1), START);
        streams.get(Found::Candidate(one)).unwrap().window.mark(9);
        streams.follow(one, START);
        let two = candidate(&mut streams, id(5, 2), START);
        streams.follow(two, START + SILENCE);
        // Strangers come and go.
        for random in 100..140 {
            streams.find(id(5, random), START + SILENCE).unwrap();
        }
        let back = streams.find(id(5, 1), START + SILENCE).unwrap();
        assert!(streams.get(back).unwrap().window.look(9).is_err());
    }

    #[test]
    fn derivations_are_bounded() {
        let mut streams = streams(None);
        let at = |now| move |random: &u64| (now, id(1, *random));
        let mut derived = 0;
        for (now, id) in (0..500).collect::<Vec<_>>().iter().map(at(START)) {
            derived += u32::from(streams.find(id, now).is_ok());
        }
        assert_eq!(derived, DERIVATIONS_PER_SECOND - 5);
        let later = START + Duration::from_millis(100);
        for (now, id) in (500..900).collect::<Vec<_>>().iter().map(at(later)) {
            derived += u32::from(streams.find(id, now).is_ok());
        }
        assert_eq!(derived, DERIVATIONS_PER_SECOND);
        // What is set aside is for those who come again, and no more than that.
        let again = id(1, 10_000);
        assert_eq!(streams.find(again, later), Err(Ignored::Throttled));
        for (now, id) in (900..910).collect::<Vec<_>>().iter().map(at(later)) {
            assert_eq!(streams.find(id, now), Err(Ignored::Throttled));
        }
        assert!(streams.find(again, later).is_ok());
        for (now, id) in (0..20).map(|n| 920 + n / 2).collect::<Vec<_>>().iter().map(at(later)) {
            derived += u32::from(streams.find(id, now).is_ok());
        }
        assert_eq!(derived + 1, DERIVATIONS_PER_SECOND + 5);
    }

    #[test]
    fn proven_rivals_leave_room_for_a_restarted_camera() {
        let mut streams = streams(None);
        let own = candidate(&mut streams, id(5, 0), START);
        streams.follow(own, START);
        for random in 1..6 {
            let rival = candidate(&mut streams, id(5, random), START);
            streams.prove(rival, START);
        }
        let restarted = candidate(&mut streams, id(6, 0), START);
        streams.follow(restarted, START);
        assert_eq!(streams.followed().unwrap().id, id(6, 0));
    }

    #[test]
    fn rivals_that_take_turns_leave_room_for_a_restarted_camera() {
        let mut streams = streams(None);
        let mut now = START;
        for random in 0..6 {
            let rival = candidate(&mut streams, id(5, random), now);
            streams.prove(rival, now);
            streams.follow(rival, now);
            for other in 10..13 {
                let other = candidate(&mut streams, id(5, other), now);
                streams.prove(other, now);
            }
            now += SILENCE;
        }
        assert!(matches!(streams.find(id(6, 0), now), Ok(Found::Candidate(_))));
    }
}
