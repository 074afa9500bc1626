//! Pairing: camera and viewer exchange their public keys under a short code that a person carries over.
//!
//! SPAKE2 (RFC 9382, by the `spake2` crate) turns the code into a key that somebody in the middle does not
//! learn: each run lets an attacker try one code, and after three wrong ones the camera forgets it.
//!
//! ```text
//! viewer                                                    camera
//!   hello: channel, element of SPAKE2          ->
//!                                              <-  element of SPAKE2, token
//!   introduction: sealed(key, name), token     ->  here the camera knows that the viewer has the code
//!                                              <-  response: sealed(key, name, role)
//!   confirmation: tag over all before          ->  here it knows that the viewer knows that; it stores
//!                                              <-  done: tag over all before; the viewer stores
//! ```
//!
//! # What is bound to what
//!
//! The viewer's and the camera's messages are sealed under keys of their own, derived by HKDF-SHA-256 from
//! SPAKE2's result with the run's random id as the salt. Each seal covers a BLAKE2s hash of everything that was
//! said before in the run, byte for byte: both elements, both static keys, both names and the role. So each end
//! has seen a proof that the other knows the code and has seen the same run before it stores anything.
//!
//! # The code
//!
//! `CHANNEL-SECRET`. The channel is public: a datagram for another one is not looked at, and a code counts as wrong
//! only from where the camera's answer has arrived. Strangers can use up the three tries only by finding the
//! channel, one of 90,000, with [`WRONG_CHANNELS`] guesses from each address of their own; whoever has addresses
//! enough can do that, and keep people from pairing. A bound on networks, or on all guesses together, would make that
//! easier and not harder: a few datagrams would use it up. The secret has 30 bits where a person types it (a guess
//! succeeds once in 360 million), 130 where a QR code carries it.

mod code;
mod offer;
mod run;
mod searchers;

use core::fmt;

use blake2::Blake2s256;
use blake2::digest::Digest;
use hkdf::Hkdf;
use sha2::Sha256;
use spake2::rand_core::{TryCryptoRng, TryRng};
use spake2::{Ed25519Group, Identity, Password, Spake2};
use zeroize::{Zeroize, Zeroizing};

use super::identity::PublicKey;
use super::key_schedule::StreamKey;
use super::random::Random;
use super::seal::Seal;
use crate::wire::pairing::{Pairing, Step};
use crate::wire::{Name, Role, TAG_LEN};

pub use code::{Code, NotACode, SecretLength};
pub use offer::{Offer, OfferState, Said};
pub use run::{Failure, Output, Run};
pub use searchers::{SEARCHERS, WRONG_CHANNELS};

/// How long a code holds.
pub const CODE_LIFE: crate::time::Duration = crate::time::Duration::from_secs(120);

/// Wrong codes after which the right one is forgotten.
pub const TRIES: u8 = 3;

/// Bytes of an element of SPAKE2.
const ELEMENT_LEN: usize = 33;

/// Bytes of the token that the camera gives with its element, and the viewer's introduction has to show again: so
/// who only pretends to be at an address cannot have a code counted as wrong. It ends the datagram's body.
const TOKEN_LEN: usize = 8;

/// What one end learns of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partner {
    /// Its static key.
    pub key: PublicKey,
    /// What it calls itself.
    pub name: Name,
    /// What the viewer may do.
    pub role: Role,
}

/// Which end.
#[derive(Clone, Copy)]
enum Side {
    Viewer,
    Camera,
}

fn exchange(side: Side, code: &Code, random: &mut impl Random) -> (Spake2<Ed25519Group>, [u8; ELEMENT_LEN]) {
    let password = code.password();
    let (viewer, camera) = (Identity::new(b"sealcam 1 viewer"), Identity::new(b"sealcam 1 camera"));
    let password = Password::new(password.as_bytes());
    let (state, element) = match side {
        Side::Viewer => Spake2::start_a_with_rng(&password, &viewer, &camera, Drawn(random)),
        Side::Camera => Spake2::start_b_with_rng(&password, &viewer, &camera, Drawn(random)),
    };
    let mut bytes = [0; ELEMENT_LEN];
    bytes.copy_from_slice(&element);
    (state, bytes)
}

/// What both ends derive from SPAKE2's result, and what was said so far.
struct Secrets {
    by_viewer: Seal,
    by_camera: Seal,
    transcript: Transcript,
}

impl Secrets {
    /// `None` if the other's element is none.
    fn new(state: Spake2<Ed25519Group>, hello: &Pairing, element: &Pairing, theirs: &[u8]) -> Option<Self> {
        let mut shared = state.finish(theirs).ok()?;
        let hkdf = Hkdf::<Sha256>::new(Some(&hello.run.to_bytes()), &shared);
        shared.as_mut_slice().zeroize();
        let key = |info: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            hkdf.expand(info, &mut *key).unwrap_or_else(|_| unreachable!("32 bytes are one hash"));
            Seal::new(&StreamKey::from_bytes(*key))
        };
        let mut transcript = Transcript([0; 32]);
        transcript.add(hello);
        transcript.add(element);
        Some(Self {
            by_viewer: key(b"sealcam 1 pairing viewer"),
            by_camera: key(b"sealcam 1 pairing camera"),
            transcript,
        })
    }

    fn seal_of(&self, side: Side) -> &Seal {
        match side {
            Side::Viewer => &self.by_viewer,
            Side::Camera => &self.by_camera,
        }
    }

    /// Seals `plain` as message `number` of one end, and adds it to what was said.
    fn say(&mut self, side: Side, number: u64, step: Step, like: &Pairing, plain: &[u8]) -> Pairing {
        let mut said = Pairing { step, run: like.run, body: [0; Pairing::BODY] };
        if step == Step::Introduction {
            said.body[Pairing::BODY - TOKEN_LEN..].copy_from_slice(token(like));
        }
        self.seal_of(side).seal(number, &self.transcript.0, plain, &mut said.body[..plain.len() + TAG_LEN]);
        self.transcript.add(&said);
        said
    }

    /// Opens what the other end has sealed so, and adds it to what was said; `None` if it is not right.
    fn hear(&mut self, side: Side, number: u64, heard: &Pairing, plain: &mut [u8]) -> Option<()> {
        let (sealed, rest) = heard.body.split_at(plain.len() + TAG_LEN);
        self.seal_of(side).open(number, &self.transcript.0, sealed, plain).ok()?;
        let padding = rest.len() - if heard.step == Step::Introduction { TOKEN_LEN } else { 0 };
        if rest[..padding].iter().any(|byte| *byte != 0) {
            return None;
        }
        self.transcript.add(heard);
        Some(())
    }
}

/// The token at the end of an element or an introduction.
fn token(of: &Pairing) -> &[u8] {
    &of.body[Pairing::BODY - TOKEN_LEN..]
}

/// A running hash of all messages.
struct Transcript([u8; 32]);

impl Transcript {
    fn add(&mut self, said: &Pairing) {
        self.0 = Blake2s256::new().chain_update(self.0).chain_update(said.to_bytes()).finalize().into();
    }
}

/// A key, a name and a role, as they are sealed.
const PARTNER_LEN: usize = 32 + 1 + Name::MAX + 1;

fn partner_to_bytes(partner: &Partner) -> [u8; PARTNER_LEN] {
    let mut bytes = [0; PARTNER_LEN];
    let name = partner.name.as_str().as_bytes();
    bytes[..32].copy_from_slice(partner.key.as_bytes());
    // At most 32.
    bytes[32] = name.len() as u8;
    bytes[33..33 + name.len()].copy_from_slice(name);
    bytes[PARTNER_LEN - 1] = partner.role.to_wire();
    bytes
}

fn partner_from_bytes(bytes: &[u8; PARTNER_LEN]) -> Option<Partner> {
    let (key, rest) = bytes.split_first_chunk::<32>()?;
    let [len, rest @ ..] = rest else { return None };
    let (name, rest) = rest.split_at_checked(usize::from(*len))?;
    let [padding @ .., role] = rest else { return None };
    if padding.iter().any(|byte| *byte != 0) {
        return None;
    }
    Some(Partner {
        key: PublicKey::from_bytes(*key),
        name: core::str::from_utf8(name).ok()?.parse().ok()?,
        role: Role::from_wire(*role)?,
    })
}

/// The core's randomness in the clothes that `spake2` knows.
struct Drawn<'a, R>(&'a mut R);

impl<R: Random> TryRng for Drawn<'_, R> {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_le_bytes(self.0.array()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_le_bytes(self.0.array()))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(dst);
        Ok(())
    }
}

impl<R: Random> TryCryptoRng for Drawn<'_, R> {}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

#[cfg(test)]
#[path = "pairing_tests.rs"]
mod tests;
