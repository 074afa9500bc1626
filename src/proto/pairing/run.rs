//! The viewer's side: one run of pairing.

use core::fmt;

use spake2::{Ed25519Group, Spake2};

use super::{
    Code, ELEMENT_LEN, PARTNER_LEN, Partner, Secrets, Side, exchange, partner_from_bytes, partner_to_bytes,
};
use crate::proto::random::Random;
use crate::time::{Duration, Instant};
use crate::wire::SessionId;
use crate::wire::pairing::{Pairing, Step};

/// What was said is said again after so long.
const AGAIN: Duration = Duration::from_millis(300);

/// A run that has come to no end by then never will.
const LIFE: Duration = Duration::from_secs(10);

/// One try with one code.
pub struct Run {
    id: SessionId,
    own: Partner,
    state: State,
    hello: Pairing,
    said: Pairing,
    say_at: Instant,
    until: Instant,
    refused: bool,
}

enum State {
    Hello(Option<Spake2<Ed25519Group>>),
    Introduced(Secrets),
    Confirming(Secrets, Partner),
    Ended,
}

/// What a datagram has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Nothing yet.
    Wait,
    /// Both ends have shown that they know the code, and the camera has stored the viewer: store the camera.
    Paired(Partner),
}

/// Why a run ended in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No camera answered on that channel.
    NoAnswer,
    /// A camera answered, and does not know this code: it is mistyped, or somebody is in the middle.
    WrongCode,
    /// The camera knows the code and fell silent before it was done; it may or may not have stored the viewer.
    Unfinished,
}

impl Run {
    /// Begins; `own` is what the viewer says of itself (its role is the camera's to say).
    pub fn new(code: &Code, own: Partner, now: Instant, random: &mut impl Random) -> Self {
        let id = SessionId::from_bytes(random.array());
        let (state, element) = exchange(Side::Viewer, code, random);
        let mut hello = Pairing { step: Step::Hello, run: id, body: [0; Pairing::BODY] };
        hello.body[..4].copy_from_slice(&code.channel().to_be_bytes());
        hello.body[4..4 + ELEMENT_LEN].copy_from_slice(&element);
        let state = State::Hello(Some(state));
        Self { id, own, state, hello, said: hello, say_at: now, until: now + LIFE, refused: false }
    }

    /// The datagram to send now, if one is due.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Pairing> {
        if now < self.say_at || matches!(self.state, State::Ended) {
            return None;
        }
        self.say_at = now + AGAIN;
        Some(self.said)
    }

    /// When the next one is.
    #[must_use]
    pub const fn next_wake(&self) -> Instant {
        self.say_at
    }

    /// Takes in a datagram.
    pub fn handle(&mut self, now: Instant, heard: &Pairing) -> Output {
        if heard.run != self.id {
            return Output::Wait;
        }
        match (core::mem::replace(&mut self.state, State::Ended), heard.step) {
            (State::Hello(state), Step::Element) => self.state = self.introduce(now, state, heard),
            (State::Introduced(secrets), Step::Response) => {
                self.state = self.confirm(now, secrets, heard);
            }
            (State::Confirming(mut secrets, camera), Step::Done) => {
                if secrets.hear(Side::Camera, 1, heard, &mut []).is_some() {
                    return Output::Paired(camera);
                }
                self.state = State::Confirming(secrets, camera);
            }
            (state, _) => self.state = state,
        }
        Output::Wait
    }

    fn introduce(&mut self, now: Instant, state: Option<Spake2<Ed25519Group>>, element: &Pairing) -> State {
        let secrets =
            state.and_then(|state| Secrets::new(state, &self.hello, element, &element.body[..ELEMENT_LEN]));
        // An element that is none, from whoever: there is no second one for this run.
        let Some(mut secrets) = secrets else { return State::Ended };
        self.said = secrets.say(Side::Viewer, 0, Step::Introduction, element, &partner_to_bytes(&self.own));
        self.say_at = now;
        State::Introduced(secrets)
    }

    fn confirm(&mut self, now: Instant, mut secrets: Secrets, response: &Pairing) -> State {
        let mut plain = [0; PARTNER_LEN];
        let heard = secrets.hear(Side::Camera, 0, response, &mut plain);
        let Some(camera) = heard.and_then(|()| partner_from_bytes(&plain)) else {
            // Anyone can send that, so the true one is still waited for.
            self.refused = true;
            return State::Introduced(secrets);
        };
        self.said = secrets.say(Side::Viewer, 1, Step::Confirmation, response, &[]);
        self.say_at = now;
        State::Confirming(secrets, camera)
    }

    /// Why it is in vain, once it is.
    #[must_use]
    pub fn failure(&self, now: Instant) -> Option<Failure> {
        let over = now >= self.until;
        match &self.state {
            State::Hello(_) => over.then_some(Failure::NoAnswer),
            State::Introduced(_) if self.refused => {
                // The true response would have come by now.
                (now >= self.say_at || over).then_some(Failure::WrongCode)
            }
            State::Introduced(_) => over.then_some(Failure::WrongCode),
            State::Confirming(..) => over.then_some(Failure::Unfinished),
            State::Ended => Some(Failure::WrongCode),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAnswer => {
                "no camera answers with this code: is `sealcam pair` still showing it, and is the \
                               address right?"
            }
            Self::WrongCode => {
                "the camera does not accept this code: it is mistyped, or somebody on the network \
                                answers in the camera's place; ask for a new one with `sealcam pair`"
            }
            Self::Unfinished => {
                "the camera fell silent before pairing was done: `sealcam pair` there tells if something is wrong; \
                 pair again with a new code"
            }
        })
    }
}

impl core::error::Error for Failure {}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run({:?})", self.id)
    }
}
