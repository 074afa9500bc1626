//! The handshake: how one viewer and the camera come to keys that only they have.
//!
//! `Noise_IK_25519_ChaChaPoly_BLAKE2s` (the Noise Protocol Framework, revision 34) with the prologue
//! `"sealcam 1"`. There is one version and one suite, so there is nothing that could be talked down.
//!
//! # What is bound to what
//!
//! * The viewer knows the camera's static key beforehand; message 1 is sealed to it, the viewer's static key
//!   within. Who is not the camera can neither read who knocks nor answer.
//! * The camera looks the viewer's key up in its list. Its verdict stands in message 2, sealed: only the
//!   holder of the viewer's secret and of that very handshake's ephemeral secret can read it.
//! * Both message's ephemeral keys, both static keys and the prologue are in the transcript hash with which
//!   every sealed part is authenticated. The session ids stand outside: they only say where datagrams go, and
//!   each session datagram is authenticated with the id it is sent to.
//! * Message 1 may be a recording. So nothing follows from it but message 2 and a half-open entry; only a
//!   datagram sealed with the resulting session key shows that the viewer is there, now, at that address.
//!
//! # What is lost when a key is stolen
//!
//! | stolen | the thief can | and cannot |
//! |---|---|---|
//! | viewer's static secret | be that viewer until it is removed | open what was recorded before, be the camera to that viewer |
//! | camera's static secret | be the camera to its viewers; read in recorded first messages whose they were | open recorded sessions or media, be a viewer to the camera |
//! | session keys | read and forge one viewer's control messages for two minutes; take the media keys delivered in it | be that viewer or camera in another session |
//! | a media key | watch for at most two minutes | make a signed frame |
//! | signing secret (in the camera's memory only) | forge frames, if it holds a media key too | anything after the camera's next start |
//!
//! Ephemeral secrets are wiped when the handshake ends, session keys when a new session has taken their place.

mod suite;

use core::fmt;

use snow::params::NoiseParams;
use snow::{Builder, HandshakeState};
use zeroize::Zeroizing;

use super::gate::{GateKeys, MacBytes, second_mac};
use super::identity::{PublicKey, StaticSecret};
use super::key_schedule::StreamKey;
use super::random::Random;
use crate::wire::SessionId;
use crate::wire::handshake::{
    ANSWER_PAYLOAD_LEN, Answer, CookieReply, MAC_LEN, NOISE_ANSWER_LEN, NOISE_OPENING_LEN, Opening,
};
use suite::Suite;

const PATTERN: &str = "Noise_IK_25519_ChaChaPoly_BLAKE2s";
const PROLOGUE: &[u8] = b"sealcam 1";

/// What the camera makes of a viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    /// It may come in.
    Welcome = 0,
    /// Its key is not on the list.
    NotListed = 1,
    /// There are as many viewers as the camera takes.
    Full = 2,
}

impl Verdict {
    const fn payload(self) -> [u8; ANSWER_PAYLOAD_LEN] {
        [self as u8, 0, 0, 0]
    }

    const fn from_payload(payload: [u8; ANSWER_PAYLOAD_LEN]) -> Option<Self> {
        match payload {
            [0, 0, 0, 0] => Some(Self::Welcome),
            [1, 0, 0, 0] => Some(Self::NotListed),
            [2, 0, 0, 0] => Some(Self::Full),
            _ => None,
        }
    }
}

/// The keys of one session, for the end that holds them.
#[derive(Debug)]
pub struct SessionKeys {
    /// Seals what this end sends.
    pub outgoing: StreamKey,
    /// Opens what the other end sends.
    pub incoming: StreamKey,
}

impl SessionKeys {
    fn of(noise: &mut HandshakeState, initiator: bool) -> Self {
        let (first, second) = noise.dangerously_get_raw_split();
        let (first, second) = (StreamKey::from_bytes(first), StreamKey::from_bytes(second));
        let (outgoing, incoming) = if initiator { (first, second) } else { (second, first) };
        Self { outgoing, incoming }
    }
}

/// A handshake message that does not open: another key, a forgery, or one that answers another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed;

fn builder<'a>(secret: &'a StaticSecret, random: &mut impl Random) -> Result<Builder<'a>, Failed> {
    let params: NoiseParams = PATTERN.parse().map_err(|_| Failed)?;
    let suite = Suite { ephemeral: Zeroizing::new(random.array()) };
    let builder = Builder::with_resolver(params, Box::new(suite));
    builder
        .prologue(PROLOGUE)
        .and_then(|builder| builder.local_private_key(secret.expose()))
        .map_err(|_| Failed)
}

/// The viewer's side of one handshake. Allocates in [`Initiator::new`].
pub struct Initiator {
    noise: HandshakeState,
    gate: GateKeys,
    id: SessionId,
    body: [u8; Opening::BODY],
    first_mac: MacBytes,
    cookie: Option<MacBytes>,
}

impl Initiator {
    /// Begins a handshake with `camera`; its session's datagrams are to be sent to `id`.
    ///
    /// # Errors
    ///
    /// [`Failed`] if `camera` is no key that anyone can have made honestly.
    pub fn new(
        secret: &StaticSecret,
        camera: &PublicKey,
        id: SessionId,
        random: &mut impl Random,
    ) -> Result<Self, Failed> {
        let builder = builder(secret, random)?.remote_public_key(camera.as_bytes()).map_err(|_| Failed)?;
        let mut noise = builder.build_initiator().map_err(|_| Failed)?;
        let mut message = [0; NOISE_OPENING_LEN];
        let len = noise.write_message(&[], &mut message).map_err(|_| Failed)?;
        debug_assert_eq!(len, NOISE_OPENING_LEN);
        let gate = GateKeys::new(camera.as_bytes());
        let body = Opening::body_of(id, &message);
        Ok(Self { noise, first_mac: gate.first_mac(&body), gate, id, body, cookie: None })
    }

    /// Which session this would be.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// The first datagram; the same each time but for the cookie.
    #[must_use]
    pub fn opening(&self) -> [u8; Opening::LEN] {
        let second =
            self.cookie.map_or([0; MAC_LEN], |cookie| second_mac(&cookie, &self.body, &self.first_mac));
        Opening { body: &self.body, first_mac: &self.first_mac, second_mac: &second }.to_bytes()
    }

    /// Takes a busy camera's cookie; says whether it is one.
    pub fn take_cookie(&mut self, reply: &CookieReply) -> bool {
        let cookie = (reply.viewer == self.id)
            .then(|| self.gate.open_cookie(&self.first_mac, &reply.sealed))
            .flatten();
        self.cookie = cookie.or(self.cookie);
        cookie.is_some()
    }

    /// Reads the camera's answer. After an error another answer may still be right.
    ///
    /// # Errors
    ///
    /// [`Failed`] if it is not the camera's answer to this handshake.
    pub fn finish(&mut self, answer: &Answer) -> Result<(Verdict, SessionKeys), Failed> {
        if answer.viewer != self.id || self.noise.is_handshake_finished() {
            return Err(Failed);
        }
        let mut payload = [0; NOISE_ANSWER_LEN];
        let len = self.noise.read_message(&answer.noise, &mut payload).map_err(|_| Failed)?;
        let payload = payload[..len].first_chunk().ok_or(Failed)?;
        let verdict = Verdict::from_payload(*payload).ok_or(Failed)?;
        Ok((verdict, SessionKeys::of(&mut self.noise, true)))
    }
}

impl fmt::Debug for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Initiator({:?})", self.id)
    }
}

/// A first message that the camera has opened: somebody has, or once had, the secret of that viewer.
pub struct Opened {
    noise: HandshakeState,
    viewer: PublicKey,
    id: SessionId,
}

impl Opened {
    /// Opens a first message, which costs two multiplications on the curve. Allocates.
    ///
    /// # Errors
    ///
    /// [`Failed`] if it was not made for this camera.
    pub fn open(
        secret: &StaticSecret,
        opening: &Opening<'_>,
        random: &mut impl Random,
    ) -> Result<Self, Failed> {
        let mut noise = builder(secret, random)?.build_responder().map_err(|_| Failed)?;
        let mut payload = [0; NOISE_OPENING_LEN];
        let len = noise.read_message(opening.noise(), &mut payload).map_err(|_| Failed)?;
        let viewer = noise.get_remote_static().and_then(|key| key.try_into().ok()).ok_or(Failed)?;
        if len > 0 {
            return Err(Failed);
        }
        Ok(Self { noise, viewer: PublicKey::from_bytes(viewer), id: opening.viewer() })
    }

    /// Whose key it is.
    #[must_use]
    pub const fn viewer(&self) -> PublicKey {
        self.viewer
    }

    /// Answers, which costs two more.
    ///
    /// # Errors
    ///
    /// [`Failed`] if the viewer's keys are none that anyone can have made honestly.
    pub fn answer(mut self, verdict: Verdict, camera: SessionId) -> Result<(Answer, SessionKeys), Failed> {
        let mut answer = Answer { viewer: self.id, camera, noise: [0; NOISE_ANSWER_LEN] };
        let len = self.noise.write_message(&verdict.payload(), &mut answer.noise).map_err(|_| Failed)?;
        debug_assert_eq!(len, NOISE_ANSWER_LEN);
        Ok((answer, SessionKeys::of(&mut self.noise, false)))
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened(by {})", self.viewer.fingerprint())
    }
}

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
