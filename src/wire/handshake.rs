//! The three datagrams of a handshake. What is in them: `proto::handshake`.
//!
//! None is longer than the first, so that nobody can have the camera send more to a spoofed address than was
//! sent to it. Reserved bytes are zero; what has others is malformed.

use super::{Malformed, SessionId, VERSION};

/// Bytes of Noise's first message of the pattern IK: an ephemeral key, a sealed static key, no payload.
pub const NOISE_OPENING_LEN: usize = 32 + 48 + 16;

/// Bytes of its second message: an ephemeral key and a sealed payload of [`ANSWER_PAYLOAD_LEN`].
pub const NOISE_ANSWER_LEN: usize = 32 + ANSWER_PAYLOAD_LEN + 16;

/// Bytes of what the camera says in the second message: a verdict, then three zeros.
pub const ANSWER_PAYLOAD_LEN: usize = 4;

/// Bytes of an authenticator of the flood gate.
pub const MAC_LEN: usize = 16;

/// Bytes of a sealed cookie.
pub const SEALED_COOKIE_LEN: usize = 24 + 16 + 16;

/// Which datagram of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// [`Opening`], from the viewer.
    Opening = 16,
    /// [`Answer`], from the camera.
    Answer = 17,
    /// [`CookieReply`], from a busy camera.
    Cookie = 18,
}

impl Step {
    pub(super) const fn from_wire(byte: u8) -> Option<Self> {
        match byte {
            16 => Some(Self::Opening),
            17 => Some(Self::Answer),
            18 => Some(Self::Cookie),
            _ => None,
        }
    }
}

const HEAD: usize = 4;
const OPENING_BODY: usize = HEAD + SessionId::LEN + NOISE_OPENING_LEN;
const OPENING_LEN: usize = OPENING_BODY + 2 * MAC_LEN;

fn head(step: Step) -> [u8; HEAD] {
    [VERSION, step as u8, 0, 0]
}

/// Takes a datagram of exactly `N` bytes whose head is that of `step`.
fn exactly<const N: usize>(datagram: &[u8], step: Step) -> Result<&[u8; N], Malformed> {
    let whole: &[u8; N] = datagram.try_into().map_err(|_| Malformed::Field("handshake length"))?;
    if whole[..HEAD] == head(step) { Ok(whole) } else { Err(Malformed::Field("handshake head")) }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> &[u8; N] {
    bytes[at..].first_chunk().unwrap_or_else(|| unreachable!("offsets lie within the datagram"))
}

/// The viewer's first datagram: 144 bytes.
///
/// ```text
/// version = 1, type = 16, 0, 0 | viewer's session id, 12 | Noise message 1, 96 | first MAC, 16 | second MAC, 16
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening<'a> {
    /// All before the authenticators, which they cover.
    pub body: &'a [u8; OPENING_BODY],
    /// See `proto::gate`.
    pub first_mac: &'a [u8; MAC_LEN],
    /// See `proto::gate`; zeros from a viewer that has no cookie.
    pub second_mac: &'a [u8; MAC_LEN],
}

impl<'a> Opening<'a> {
    /// Bytes on the wire.
    pub const LEN: usize = OPENING_LEN;
    /// Bytes before the authenticators.
    pub const BODY: usize = OPENING_BODY;

    /// Reads the datagram.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if length or head are wrong.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let whole = exactly::<OPENING_LEN>(datagram, Step::Opening)?;
        Ok(Self {
            body: part(whole, 0),
            first_mac: part(whole, Self::BODY),
            second_mac: part(whole, Self::BODY + MAC_LEN),
        })
    }

    /// What the authenticators cover.
    #[must_use]
    pub fn body_of(viewer: SessionId, noise: &[u8; NOISE_OPENING_LEN]) -> [u8; OPENING_BODY] {
        let mut body = [0; Self::BODY];
        body[..HEAD].copy_from_slice(&head(Step::Opening));
        body[HEAD..HEAD + SessionId::LEN].copy_from_slice(&viewer.to_bytes());
        body[HEAD + SessionId::LEN..].copy_from_slice(noise);
        body
    }

    /// Where the viewer wants its session's datagrams addressed.
    #[must_use]
    pub fn viewer(&self) -> SessionId {
        SessionId::from_bytes(*part(self.body, HEAD))
    }

    /// Noise's message.
    #[must_use]
    pub fn noise(&self) -> &'a [u8; NOISE_OPENING_LEN] {
        part(self.body, HEAD + SessionId::LEN)
    }

    /// Writes the datagram.
    #[must_use]
    pub fn to_bytes(self) -> [u8; OPENING_LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..Self::BODY].copy_from_slice(self.body);
        bytes[Self::BODY..Self::BODY + MAC_LEN].copy_from_slice(self.first_mac);
        bytes[Self::BODY + MAC_LEN..].copy_from_slice(self.second_mac);
        bytes
    }
}

/// The camera's answer: 80 bytes.
///
/// ```text
/// version = 1, type = 17, 0, 0 | viewer's session id, 12 | camera's session id, 12 | Noise message 2, 52
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// From the opening.
    pub viewer: SessionId,
    /// Where the camera wants the session's datagrams addressed.
    pub camera: SessionId,
    /// Noise's message.
    pub noise: [u8; NOISE_ANSWER_LEN],
}

impl Answer {
    /// Bytes on the wire.
    pub const LEN: usize = HEAD + 2 * SessionId::LEN + NOISE_ANSWER_LEN;

    /// Reads the datagram.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if length or head are wrong.
    pub fn parse(datagram: &[u8]) -> Result<Self, Malformed> {
        let whole = exactly::<{ Self::LEN }>(datagram, Step::Answer)?;
        Ok(Self {
            viewer: SessionId::from_bytes(*part(whole, HEAD)),
            camera: SessionId::from_bytes(*part(whole, HEAD + SessionId::LEN)),
            noise: *part(whole, HEAD + 2 * SessionId::LEN),
        })
    }

    /// Writes the datagram.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let (start, ids) = bytes.split_at_mut(HEAD);
        start.copy_from_slice(&head(Step::Answer));
        ids[..SessionId::LEN].copy_from_slice(&self.viewer.to_bytes());
        ids[SessionId::LEN..2 * SessionId::LEN].copy_from_slice(&self.camera.to_bytes());
        ids[2 * SessionId::LEN..].copy_from_slice(&self.noise);
        bytes
    }
}

/// A busy camera's answer: 72 bytes.
///
/// ```text
/// version = 1, type = 18, 0, 0 | viewer's session id, 12 | sealed cookie, 56
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CookieReply {
    /// From the opening.
    pub viewer: SessionId,
    /// See `proto::gate`.
    pub sealed: [u8; SEALED_COOKIE_LEN],
}

impl CookieReply {
    /// Bytes on the wire.
    pub const LEN: usize = HEAD + SessionId::LEN + SEALED_COOKIE_LEN;

    /// Reads the datagram.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if length or head are wrong.
    pub fn parse(datagram: &[u8]) -> Result<Self, Malformed> {
        let whole = exactly::<{ Self::LEN }>(datagram, Step::Cookie)?;
        Ok(Self {
            viewer: SessionId::from_bytes(*part(whole, HEAD)),
            sealed: *part(whole, HEAD + SessionId::LEN),
        })
    }

    /// Writes the datagram.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..HEAD].copy_from_slice(&head(Step::Cookie));
        bytes[HEAD..HEAD + SessionId::LEN].copy_from_slice(&self.viewer.to_bytes());
        bytes[HEAD + SessionId::LEN..].copy_from_slice(&self.sealed);
        bytes
    }
}

// No answer is longer than its request.
const _: () = assert!(Answer::LEN <= Opening::LEN && CookieReply::LEN <= Opening::LEN);
const _: () = assert!(Opening::LEN == 144 && Answer::LEN == 80 && CookieReply::LEN == 72);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_go_both_ways_and_nothing_else_is_taken() {
        let id = SessionId::from_bytes([3; 12]);
        let body = Opening::body_of(id, &[7; NOISE_OPENING_LEN]);
        let opening = Opening { body: &body, first_mac: &[1; 16], second_mac: &[2; 16] };
        let bytes = opening.to_bytes();
        assert_eq!(Opening::parse(&bytes), Ok(opening));
        assert_eq!((opening.viewer(), opening.noise()), (id, &[7; NOISE_OPENING_LEN]));
        let answer = Answer { viewer: id, camera: SessionId::from_bytes([4; 12]), noise: [9; 52] };
        assert_eq!(Answer::parse(&answer.to_bytes()), Ok(answer));
        let cookie = CookieReply { viewer: id, sealed: [5; 56] };
        assert_eq!(CookieReply::parse(&cookie.to_bytes()), Ok(cookie));

        assert!(Opening::parse(&bytes[1..]).is_err() && Opening::parse(&answer.to_bytes()).is_err());
        assert!(Answer::parse(&cookie.to_bytes()).is_err() && CookieReply::parse(&bytes).is_err());
        for at in 0..HEAD {
            let mut wrong = bytes;
            wrong[at] ^= 1;
            assert!(Opening::parse(&wrong).is_err(), "byte {at}");
        }
    }
}
