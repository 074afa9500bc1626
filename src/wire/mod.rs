//! Datagrams of version 1: bytes to meaning and back.
//!
//! Pure functions over byte slices; no state, no keys. One file per family of datagram. Integers are
//! big-endian. Whatever parses is valid: no code behind the parser checks a range again.
//!
//! Every datagram begins with the same [`PublicHeader`], the only bytes that are looked at before the
//! authentication tag is. Golden vectors for writing another receiver are in `tests/vectors/`.

use core::fmt;

pub mod handshake;
mod manifest;
mod media;
pub mod pairing;
mod peer;
mod session;
mod stream_id;

pub use manifest::{HASH_LEN, Manifest, Plan, SIGNATURE_LEN, ShardHash};
pub use media::{CaptureOffset, Flags, FrameNumber, MediaHeader, RestartIndex};
pub use peer::{Name, NotAName, Role, UnknownRole};
pub use session::{Control, Delivery, Farewell, Grant, SessionId};
pub use stream_id::StreamId;

/// The only version there is; there is no negotiation.
pub const VERSION: u8 = 1;

/// The UDP port at which cameras meet paired viewers, unless they are told otherwise.
pub const DEFAULT_PORT: u16 = 5004;

/// Bytes of the Poly1305 tag that ends every sealed datagram (RFC 8439 section 2.8).
pub const TAG_LEN: usize = 16;

/// Smallest datagram size that a stream may be cut into, in bytes of UDP payload.
pub const MIN_DATAGRAM: usize = 128;

/// Largest datagram size that a stream may be cut into: UDP over IPv4 carries no more.
pub const MAX_DATAGRAM: usize = 65_507;

/// Bytes of the largest frame, whatever the datagram size.
pub const MAX_FRAME: usize = 16 << 20;

/// What a datagram carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatagramType {
    /// A piece of a frame, see [`MediaHeader`].
    Media,
    /// The signed hashes of a frame's shards, see [`Manifest`].
    Manifest,
    /// A control message of one viewer's session, see [`Control`].
    Session,
    /// A step of a handshake, see [`handshake`].
    Handshake(handshake::Step),
    /// A step of pairing, see [`pairing`].
    Pairing(pairing::Step),
    /// A type number that version 1 sets aside and this receiver does not understand:
    /// 3 resend request, 4 receiver report, 5 path probe, others from 16 to 31 for handshakes.
    Reserved(u8),
}

impl DatagramType {
    const MEDIA: u8 = 1;
    const MANIFEST: u8 = 2;
    const SESSION: u8 = 6;

    /// Looks at the first two bytes only.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if there are none, or version or type are unknown.
    pub const fn of(datagram: &[u8]) -> Result<Self, Malformed> {
        match datagram {
            [VERSION, kind, ..] => Self::from_wire(*kind),
            [version, _, ..] => Err(Malformed::Version(*version)),
            _ => Err(Malformed::Truncated { len: datagram.len() }),
        }
    }

    const fn from_wire(byte: u8) -> Result<Self, Malformed> {
        if let Some(step) = handshake::Step::from_wire(byte) {
            return Ok(Self::Handshake(step));
        }
        if let Some(step) = pairing::Step::from_wire(byte) {
            return Ok(Self::Pairing(step));
        }
        match byte {
            Self::MEDIA => Ok(Self::Media),
            Self::MANIFEST => Ok(Self::Manifest),
            Self::SESSION => Ok(Self::Session),
            3..=5 | 16..=31 => Ok(Self::Reserved(byte)),
            _ => Err(Malformed::Type(byte)),
        }
    }

    const fn to_wire(self) -> u8 {
        match self {
            Self::Media => Self::MEDIA,
            Self::Manifest => Self::MANIFEST,
            Self::Session => Self::SESSION,
            Self::Handshake(step) => step as u8,
            Self::Pairing(step) => step as u8,
            Self::Reserved(byte) => byte,
        }
    }
}

/// The fixed start of every datagram: 24 bytes, in clear and authenticated.
///
/// ```text
///  0               1               2               3
/// +---------------+---------------+---------------+---------------+
/// |  version = 1  |     type      |           key epoch           |
/// +---------------+---------------+---------------+---------------+
/// |                 stream id: start counter                      |
/// +---------------+---------------+---------------+---------------+
/// |                 stream id: 64 random bits                     |
/// |                                                               |
/// +---------------+---------------+---------------+---------------+
/// |                 packet number, 64 bits                        |
/// |                                                               |
/// +---------------+---------------+---------------+---------------+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicHeader {
    /// What follows.
    pub kind: DatagramType,
    /// Which media key of the stream; 0 with a shared key.
    pub epoch: u16,
    /// Which run of which camera.
    pub stream: StreamId,
    /// Counts the datagrams sealed under one key from 0; the nonce is made of it.
    pub packet: u64,
}

impl PublicHeader {
    /// Bytes on the wire.
    pub const LEN: usize = 24;

    /// Reads the header at the start of `datagram`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the bytes are too few for a sealed datagram or more than [`MAX_DATAGRAM`], or
    /// version or type are unknown.
    pub const fn parse(datagram: &[u8]) -> Result<Self, Malformed> {
        if datagram.len() < Self::LEN + TAG_LEN {
            return Err(Malformed::Truncated { len: datagram.len() });
        }
        if datagram.len() > MAX_DATAGRAM {
            return Err(Malformed::TooLong { len: datagram.len() });
        }
        let Some((head, _)) = datagram.split_first_chunk::<{ Self::LEN }>() else {
            return Err(Malformed::Truncated { len: datagram.len() });
        };
        let [version, kind, e0, e1, id @ .., p0, p1, p2, p3, p4, p5, p6, p7] = *head;
        if version != VERSION {
            return Err(Malformed::Version(version));
        }
        let kind = match DatagramType::from_wire(kind) {
            Ok(kind) => kind,
            Err(malformed) => return Err(malformed),
        };
        Ok(Self {
            kind,
            epoch: u16::from_be_bytes([e0, e1]),
            stream: StreamId::from_bytes(id),
            packet: u64::from_be_bytes([p0, p1, p2, p3, p4, p5, p6, p7]),
        })
    }

    /// Writes the header.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0] = VERSION;
        bytes[1] = self.kind.to_wire();
        bytes[2..4].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[4..16].copy_from_slice(&self.stream.to_bytes());
        bytes[16..].copy_from_slice(&self.packet.to_be_bytes());
        bytes
    }
}

/// Why bytes are not a datagram of this version. Always the network's or the peer's doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// Shorter than its headers and the tag.
    Truncated {
        /// Bytes that came.
        len: usize,
    },
    /// More than [`MAX_DATAGRAM`]: buffers behind the parser rely on that bound.
    TooLong {
        /// Bytes that came.
        len: usize,
    },
    /// Another version than [`VERSION`].
    Version(u8),
    /// A type that version 1 does not know.
    Type(u8),
    /// No data shard, or data and parity together more than 65,535.
    ShardCounts {
        /// Data shards.
        data: u16,
        /// Parity shards.
        parity: u16,
    },
    /// The shard's index is not below the number of shards.
    ShardIndex {
        /// The index that was given.
        shard: u16,
        /// Data and parity shards of the frame.
        shards: u16,
    },
    /// A frame of no bytes, or of more than [`MAX_FRAME`].
    FrameLength(u32),
    /// A flag that version 1 does not know.
    Flags(u8),
    /// A field holds what version 1 gives no meaning, or the whole has a wrong length.
    Field(&'static str),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { len } => write!(f, "{len} bytes are too few for a datagram"),
            Self::TooLong { len } => write!(f, "{len} bytes are too many for a datagram"),
            Self::Version(v) => write!(f, "version {v}, not {VERSION}"),
            Self::Type(t) => write!(f, "unknown datagram type {t}"),
            Self::ShardCounts { data, parity } => {
                write!(f, "{data} data and {parity} parity shards do not make a frame")
            }
            Self::ShardIndex { shard, shards } => write!(f, "shard {shard} of {shards}"),
            Self::FrameLength(len) => write!(f, "a frame of {len} bytes"),
            Self::Flags(bits) => write!(f, "unknown flags {bits:#04x}"),
            Self::Field(name) => write!(f, "no such {name}"),
        }
    }
}

impl core::error::Error for Malformed {}
