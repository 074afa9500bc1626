//! Which run of which camera a datagram belongs to.

use core::fmt;

/// Names one stream: the camera's start counter, then 64 random bits.
///
/// The counter grows with every start of the camera and is kept in its state folder, so that a viewer
/// can refuse recordings of earlier streams without any clock. The random bits make the id, and with it
/// the stream's key, unique even when the state was lost.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamId {
    counter: u32,
    random: [u8; 8],
}

impl StreamId {
    /// Bytes on the wire.
    pub const LEN: usize = 12;

    /// The stream of the camera's `counter`-th start.
    #[must_use]
    pub const fn new(counter: u32, random: [u8; 8]) -> Self {
        Self { counter, random }
    }

    /// How often the camera had started.
    #[must_use]
    pub const fn counter(self) -> u32 {
        self.counter
    }

    /// Reads an id.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let [c0, c1, c2, c3, random @ ..] = bytes;
        Self { counter: u32::from_be_bytes([c0, c1, c2, c3]), random }
    }

    /// Writes the id.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&self.counter.to_be_bytes());
        bytes[4..].copy_from_slice(&self.random);
        bytes
    }

    /// Reads what [`StreamId`]'s `Display` wrote: `COUNTER-RANDOM`.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let (counter, random) = text.split_once('-')?;
        if random.len() != 16 || !random.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let random = u64::from_str_radix(random, 16).ok()?;
        Some(Self { counter: counter.parse().ok()?, random: random.to_be_bytes() })
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.counter, u64::from_be_bytes(self.random))
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_go_both_ways() {
        let id = StreamId::new(7, [0, 1, 2, 3, 4, 5, 6, 0xff]);
        assert_eq!(id.to_string(), "7-00010203040506ff");
        assert_eq!(StreamId::from_text(&id.to_string()), Some(id));
        assert_eq!(StreamId::from_bytes(id.to_bytes()), id);
        for wrong in ["", "7", "7-", "7-00010203040506f", "x-00010203040506ff", "7-+0010203040506ff"] {
            assert_eq!(StreamId::from_text(wrong), None, "{wrong}");
        }
    }
}
