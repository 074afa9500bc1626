//! Control messages: what is said inside one viewer's session.
//!
//! A session datagram is a [`PublicHeader`] of type 6, whose stream id is the receiver's session id and whose
//! epoch is 0, then one sealed message. All messages but requests and replies tell how things stand, so that
//! one that is lost is made good by the next.

mod fields;

use core::net::SocketAddr;

use super::{DatagramType, Malformed, Name, PublicHeader, Role, StreamId, TAG_LEN};
use fields::{Fields, Into};

/// Names one session at the end that receives its datagrams: 96 random bits, chosen by that end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; Self::LEN]);

impl SessionId {
    /// Bytes on the wire.
    pub const LEN: usize = StreamId::LEN;

    /// Takes random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Writes the id.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        self.0
    }

    /// The header of a datagram to that end.
    #[must_use]
    pub const fn header(self, packet: u64) -> PublicHeader {
        PublicHeader { kind: DatagramType::Session, epoch: 0, stream: StreamId::from_bytes(self.0), packet }
    }

    /// Whom the session datagram with this header is for.
    #[must_use]
    pub fn of(header: &PublicHeader) -> Self {
        Self(header.stream.to_bytes())
    }
}

/// How a viewer wants the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// Not at all, for now.
    Paused,
    /// To its own address.
    #[default]
    Unicast,
    /// From the multicast group that the camera has named.
    Group,
}

/// Why a session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Farewell {
    /// The viewer is no longer on the camera's list.
    Removed = 1,
    /// The camera stops.
    Stopping = 2,
    /// Other programs with the same key have taken its place.
    Displaced = 3,
    /// The camera has as many viewers as it takes.
    Full = 4,
}

/// Everything that a viewer needs to open frames.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Which media key this is.
    pub epoch: u16,
    /// The media key.
    pub key: [u8; 32],
    /// Which stream it is for.
    pub stream: StreamId,
    /// The Ed25519 key that signs the stream's manifests; `None` if the camera was told not to sign.
    pub signer: Option<[u8; 32]>,
    /// What the viewer may do.
    pub role: Role,
    /// Bytes of a full datagram.
    pub datagram: u16,
    /// Bytes of the largest frame that may come.
    pub max_frame: u32,
    /// Where frames are sent for all, if anywhere.
    pub group: Option<SocketAddr>,
    /// What the camera calls itself.
    pub camera: Name,
}

impl Grant {
    const LEN: usize = 2 + 32 + StreamId::LEN + 1 + 32 + 1 + 2 + 4 + ADDRESS_LEN + NAME_LEN;
}

impl core::fmt::Debug for Grant {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Grant(epoch {} of {})", self.epoch, self.stream)
    }
}

/// One control message.
///
/// ```text
/// from the viewer                            from the camera
///  1 status    instance, epoch, delivery     16 grant      see [`Grant`]
///  2 path answer   token, 8                  17 alive      role, 1
///  3 request   number, 4 | text              18 reply      number, 4 | text
///  4 leave                                   19 path challenge   token, 8
///                                            20 farewell   why, 1
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control<'a> {
    /// How things stand at the viewer.
    Status {
        /// Random: tells the programs apart that use one viewer's key at once.
        instance: u32,
        /// The newest media key that it holds.
        held: Option<u16>,
        /// How it wants the frames.
        delivery: Delivery,
    },
    /// The token of a challenge, sent from where the challenge came to.
    PathAnswer([u8; 8]),
    /// Something that the camera is asked to do.
    Request {
        /// Random: tells requests apart.
        number: u32,
        /// At most [`Control::MAX_TEXT`] bytes.
        text: &'a [u8],
    },
    /// The viewer goes.
    Leave,
    /// A media key and all that goes with it.
    Grant(Grant),
    /// The camera is there, in answer to a status; what the viewer may do.
    Alive(Role),
    /// What became of a request.
    Reply {
        /// The request's.
        number: u32,
        /// At most [`Control::MAX_TEXT`] bytes.
        text: &'a [u8],
    },
    /// Asks for its token, to see that the viewer is at this address.
    PathChallenge([u8; 8]),
    /// The session is over.
    Farewell(Farewell),
}

const ADDRESS_LEN: usize = 1 + 16 + 2;
const NAME_LEN: usize = 1 + Name::MAX;

impl<'a> Control<'a> {
    /// Bytes of the longest text.
    pub const MAX_TEXT: usize = 1024;
    /// Bytes of the longest message.
    pub const MAX: usize = 1 + 4 + Self::MAX_TEXT;
    /// Bytes of the longest session datagram.
    pub const MAX_DATAGRAM: usize = PublicHeader::LEN + Self::MAX + TAG_LEN;

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if it is none.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (kind, rest) = bytes.split_first().ok_or(Malformed::Truncated { len: 0 })?;
        let mut fields = Fields(rest);
        let message = match kind {
            1 => {
                Self::Status { instance: fields.u32()?, held: fields.epoch()?, delivery: fields.delivery()? }
            }
            2 => Self::PathAnswer(fields.take()?),
            3 => Self::Request { number: fields.u32()?, text: fields.text()? },
            4 => Self::Leave,
            16 => Self::Grant(fields.grant()?),
            17 => Self::Alive(fields.role()?),
            18 => Self::Reply { number: fields.u32()?, text: fields.text()? },
            19 => Self::PathChallenge(fields.take()?),
            20 => Self::Farewell(fields.farewell()?),
            _ => return Err(Malformed::Field("control message")),
        };
        if fields.0.is_empty() { Ok(message) } else { Err(Malformed::Field("control message length")) }
    }

    /// Writes the message to the start of `out` and returns its length.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`Control::MAX`] or a text longer than [`Control::MAX_TEXT`].
    pub fn write(&self, out: &mut [u8]) -> usize {
        let mut into = Into { out, len: 0 };
        match *self {
            Self::Status { instance, held, delivery } => {
                let epoch = held.unwrap_or(0).to_be_bytes();
                into.put(&[1]).put(&instance.to_be_bytes());
                into.put(&[u8::from(held.is_some())]).put(&epoch).put(&[delivery as u8])
            }
            Self::PathAnswer(token) => into.put(&[2]).put(&token),
            Self::Request { number, text } => into.put(&[3]).put(&number.to_be_bytes()).put(text),
            Self::Leave => into.put(&[4]),
            Self::Grant(ref grant) => into.put(&[16]).grant(grant),
            Self::Alive(role) => into.put(&[17, role.to_wire()]),
            Self::Reply { number, text } => into.put(&[18]).put(&number.to_be_bytes()).put(text),
            Self::PathChallenge(token) => into.put(&[19]).put(&token),
            Self::Farewell(why) => into.put(&[20, why as u8]),
        };
        into.len
    }
}

const _: () = assert!(Grant::LEN < Control::MAX && Control::MAX_DATAGRAM <= 1200);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grant(group: Option<SocketAddr>) -> Grant {
        Grant {
            epoch: 7,
            key: [1; 32],
            stream: StreamId::new(2, [3; 8]),
            signer: Some([4; 32]),
            role: Role::Tune,
            datagram: 1200,
            max_frame: 1 << 20,
            group,
            camera: "barn".parse().unwrap(),
        }
    }

    #[test]
    fn every_message_goes_both_ways() {
        let text = [b'x'; Control::MAX_TEXT];
        let group = SocketAddr::from(([239, 1, 2, 3], 5004));
        for message in [
            Control::Status { instance: 0, held: None, delivery: Delivery::Paused },
            Control::Status { instance: 7, held: Some(9), delivery: Delivery::Group },
            Control::PathAnswer([5; 8]),
            Control::Request { number: 1, text: b"quality 70" },
            Control::Request { number: 2, text: &text },
            Control::Leave,
            Control::Grant(grant(None)),
            Control::Grant(grant(Some(group))),
            Control::Grant(Grant { signer: None, ..grant(Some("[ff05::1]:9".parse().unwrap())) }),
            Control::Alive(Role::Admin),
            Control::Reply { number: 3, text: b"" },
            Control::PathChallenge([6; 8]),
            Control::Farewell(Farewell::Displaced),
        ] {
            let mut out = [0xee; Control::MAX];
            let len = message.write(&mut out);
            assert_eq!(Control::parse(&out[..len]), Ok(message));
            if !matches!(message, Control::Request { .. } | Control::Reply { .. }) {
                assert!(Control::parse(&out[..len - 1]).is_err(), "{message:?} cut");
                assert!(Control::parse(&[&out[..len], &[0]].concat()).is_err(), "{message:?} and more");
            }
        }
    }

    #[test]
    fn a_key_is_not_printed() {
        assert!(!format!("{:?}", Control::Grant(grant(None))).contains("1, 1"));
    }

    proptest! {
        /// Whatever parses is written as it was.
        #[test]
        fn what_parses_is_canonical(kind in 0u8..24, mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            bytes.insert(0, kind);
            if let Ok(message) = Control::parse(&bytes) {
                let mut out = [0; Control::MAX];
                let len = message.write(&mut out);
                prop_assert_eq!(&out[..len], &bytes[..]);
            }
        }
    }
}
