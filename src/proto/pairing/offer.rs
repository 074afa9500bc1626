//! The camera's side: one code that is open for a while.

use core::fmt;
use core::net::IpAddr;

use heapless::Vec as FixedVec;
use spake2::{Ed25519Group, Spake2};

use super::searchers::Searchers;
use super::{
    CODE_LIFE, Code, ELEMENT_LEN, PARTNER_LEN, Partner, Secrets, Side, TOKEN_LEN, TRIES, exchange,
    partner_from_bytes, partner_to_bytes, token,
};
use crate::proto::random::Random;
use crate::time::{Duration, Instant};
use crate::wire::SessionId;
use crate::wire::pairing::{Pairing, Step};

/// Runs at once; a new one takes the place of the oldest.
const RUNS: usize = 4;

/// A run costs work with keys, so one may begin only so often.
const RUN_EVERY: Duration = Duration::from_millis(50);

/// What has become of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferState {
    /// The code holds until then, and may be wrong so many times more.
    Open(Instant, u8),
    /// It has been used.
    Used,
    /// Too many wrong codes came.
    Burnt,
    /// Its time is over.
    Expired,
}

/// What is to be done with a datagram's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Send it back.
    Reply(Pairing),
    /// Both ends have shown that they know the code: store this viewer, then send what [`Offer::stored`] gives.
    Store(Partner),
    /// Nothing: not for this offer, or not right.
    Nothing,
}

/// A code that viewers may use, once.
pub struct Offer {
    code: Code,
    own: Partner,
    expires: Instant,
    tries: u8,
    used: bool,
    next_run: Instant,
    runs: FixedVec<One, RUNS>,
    searchers: Searchers,
}

/// One viewer's run.
struct One {
    id: SessionId,
    state: State,
    /// What was heard last and said to it: said again when it is heard again.
    heard: Pairing,
    said: Pairing,
}

enum State {
    /// The element has been sent.
    Element(Option<Spake2<Ed25519Group>>, [u8; ELEMENT_LEN]),
    /// The response has been sent.
    Response(Secrets, Partner),
    /// It waits for the viewer's being stored.
    Confirmed(Secrets),
    Done,
}

impl Offer {
    /// Opens `code` for [`CODE_LIFE`]; `own` is what the camera says of itself, and the role that the viewer gets.
    #[must_use]
    pub fn new(code: Code, own: Partner, now: Instant) -> Self {
        let expires = now + CODE_LIFE;
        let (runs, searchers) = (FixedVec::new(), Searchers::default());
        Self { code, own, expires, tries: TRIES, used: false, next_run: now, runs, searchers }
    }

    /// How things stand.
    #[must_use]
    pub fn state(&self, now: Instant) -> OfferState {
        match () {
            () if self.used => OfferState::Used,
            () if self.tries == 0 => OfferState::Burnt,
            () if now >= self.expires => OfferState::Expired,
            () => OfferState::Open(self.expires, self.tries),
        }
    }

    /// The code, for whoever pairs.
    #[must_use]
    pub const fn code(&self) -> &Code {
        &self.code
    }

    /// Takes in a datagram that seems to come from `from`.
    pub fn handle(&mut self, now: Instant, from: IpAddr, heard: &Pairing, random: &mut impl Random) -> Said {
        let known = self.runs.iter().position(|run| run.id == heard.run);
        if let Some(run) = known.map(|at| &self.runs[at])
            && run.heard == *heard
            && !matches!(run.state, State::Confirmed(_))
        {
            return Said::Reply(run.said);
        }
        // Only a run that has come to its end may still ask for its last word.
        if !matches!(self.state(now), OfferState::Open(..)) {
            return Said::Nothing;
        }
        match (heard.step, known) {
            (Step::Hello, None) => self.begin(now, from, heard, random).map_or(Said::Nothing, Said::Reply),
            (Step::Introduction, Some(at)) => self.introduced(at, heard),
            (Step::Confirmation, Some(at)) => self.confirmed(at, heard),
            _ => Said::Nothing,
        }
    }

    fn begin(
        &mut self,
        now: Instant,
        from: IpAddr,
        hello: &Pairing,
        random: &mut impl Random,
    ) -> Option<Pairing> {
        let (channel, rest) = hello.body.split_first_chunk()?;
        let channel = u32::from_be_bytes(*channel);
        if !self.searchers.may_ask(from) {
            return None;
        }
        if channel != self.code.channel() {
            self.searchers.count(from, channel);
            return None;
        }
        if now < self.next_run {
            return None;
        }
        let theirs: &[u8; ELEMENT_LEN] = rest.first_chunk()?;
        self.next_run = now + RUN_EVERY;
        let (state, element) = exchange(Side::Camera, &self.code, random);
        let mut said = Pairing { step: Step::Element, run: hello.run, body: [0; Pairing::BODY] };
        said.body[..ELEMENT_LEN].copy_from_slice(&element);
        said.body[Pairing::BODY - TOKEN_LEN..].copy_from_slice(&random.array::<TOKEN_LEN>());
        if self.runs.is_full() {
            // Never one whose viewer has shown that it knows the code.
            let first = self.runs.iter().position(|run| matches!(run.state, State::Element(..)))?;
            self.runs.remove(first);
        }
        let state = State::Element(Some(state), *theirs);
        self.runs.push(One { id: hello.run, state, heard: *hello, said }).ok()?;
        Some(said)
    }

    fn introduced(&mut self, at: usize, heard: &Pairing) -> Said {
        let run = &mut self.runs[at];
        let State::Element(state, theirs) = &mut run.state else { return Said::Nothing };
        if token(heard) != token(&run.said) {
            return Said::Nothing;
        }
        let secrets = state.take().and_then(|state| Secrets::new(state, &run.heard, &run.said, theirs));
        let mut plain = [0; PARTNER_LEN];
        let viewer = secrets.and_then(|mut secrets| {
            secrets.hear(Side::Viewer, 0, heard, &mut plain)?;
            Some((secrets, partner_from_bytes(&plain)?))
        });
        let Some((mut secrets, viewer)) = viewer else {
            // One guess a run, and it was wrong.
            self.tries -= 1;
            let refusal = Pairing { step: Step::Response, run: heard.run, body: [0; Pairing::BODY] };
            self.runs.swap_remove(at);
            return Said::Reply(refusal);
        };
        // The viewer asks for no role; it gets the one that was offered.
        let viewer = Partner { role: self.own.role, ..viewer };
        let said = secrets.say(Side::Camera, 0, Step::Response, heard, &partner_to_bytes(&self.own));
        (run.heard, run.said, run.state) = (*heard, said, State::Response(secrets, viewer));
        Said::Reply(said)
    }

    fn confirmed(&mut self, at: usize, heard: &Pairing) -> Said {
        if self.runs.iter().any(|run| matches!(run.state, State::Confirmed(_))) {
            // The code is good for one viewer, and that is being stored.
            return Said::Nothing;
        }
        let run = &mut self.runs[at];
        let state = core::mem::replace(&mut run.state, State::Done);
        match state {
            State::Response(mut secrets, viewer) => {
                if secrets.hear(Side::Viewer, 1, heard, &mut []).is_none() {
                    // Anyone can send that; the true one may still come.
                    run.state = State::Response(secrets, viewer);
                    return Said::Nothing;
                }
                run.heard = *heard;
                run.state = State::Confirmed(secrets);
                Said::Store(viewer)
            }
            other => {
                run.state = other;
                Said::Nothing
            }
        }
    }

    /// The viewer has been stored: the code has been used, and this is the last word to it.
    pub fn stored(&mut self) -> Option<Pairing> {
        let run = self.runs.iter_mut().find(|run| matches!(run.state, State::Confirmed(_)))?;
        let State::Confirmed(mut secrets) = core::mem::replace(&mut run.state, State::Done) else {
            return None;
        };
        run.said = secrets.say(Side::Camera, 1, Step::Done, &run.heard, &[]);
        self.used = true;
        Some(run.said)
    }

    /// Lets the next run begin at once.
    #[cfg(test)]
    pub(super) const fn next_run_now(&mut self) {
        self.next_run = Instant::ORIGIN;
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offer({:?}, {} runs)", self.code, self.runs.len())
    }
}
