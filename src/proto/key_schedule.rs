//! Which key is made of which, by HKDF-SHA-256 (RFC 5869).

use core::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::wire::StreamId;

/// Version, purpose and direction of a key, as HKDF's `info`.
const MEDIA_INFO: &[u8] = b"sealcam 1 media camera-to-viewer";
const FINGERPRINT_INFO: &[u8] = b"sealcam 1 fingerprint";

/// The key that a camera and its viewers share: 32 bytes, wiped when dropped, never printed.
#[derive(Clone)]
pub struct SharedKey([u8; Self::LEN]);

impl SharedKey {
    /// Bytes of a key.
    pub const LEN: usize = 32;

    /// Takes 32 bytes that nobody can guess.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The secret itself, for writing a key file.
    #[must_use]
    pub const fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The key of one stream: HKDF with the stream id as the salt.
    #[must_use]
    pub fn stream_key(&self, stream: StreamId) -> StreamKey {
        let mut key = StreamKey([0; SharedKey::LEN]);
        expand(Some(&stream.to_bytes()), &self.0, MEDIA_INFO, &mut key.0);
        key
    }

    /// Tells keys apart without giving anything away.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut bytes = [0; Fingerprint::LEN];
        expand(None, &self.0, FINGERPRINT_INFO, &mut bytes);
        Fingerprint(bytes)
    }
}

fn expand(salt: Option<&[u8]>, key: &[u8], info: &[u8], out: &mut [u8]) {
    let (mut pseudorandom_key, hkdf) = Hkdf::<Sha256>::extract(salt, key);
    pseudorandom_key.as_mut_slice().zeroize();
    // RFC 5869 section 2.3 bounds the output at 255 hashes; every caller asks for at most one.
    hkdf.expand(info, out).unwrap_or_else(|_| unreachable!("at most 32 bytes"));
}

/// HMAC's state is two of SHA-256, from which keys could be derived. sha2's feature `zeroize` has them wiped
/// when dropped; without it this does not build. hkdf and hmac have none of their own: what they copied on
/// the stack stays there until it is used again.
const _: () = {
    const fn is_wiped<T: ZeroizeOnDrop>() {}
    is_wiped::<Sha256>();
};

impl Drop for SharedKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedKey({})", self.fingerprint())
    }
}

/// The key of one stream, wiped when dropped, never printed.
pub struct StreamKey([u8; SharedKey::LEN]);

impl StreamKey {
    /// Takes a key that a handshake or a random generator has made.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; SharedKey::LEN]) -> Self {
        Self(bytes)
    }

    /// The secret itself.
    #[must_use]
    pub const fn expose(&self) -> &[u8; SharedKey::LEN] {
        &self.0
    }
}

impl Drop for StreamKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKey(..)")
    }
}

/// Eight bytes derived from a key, safe to show: two ends compare them to see whose key differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; Self::LEN]);

impl Fingerprint {
    /// Bytes of a fingerprint.
    pub const LEN: usize = 8;

    /// The start of a hash.
    #[must_use]
    pub(super) fn cut_from(hash: &[u8; 32]) -> Self {
        Self(core::array::from_fn(|at| hash[at]))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g, h, i] = self.0;
        write!(f, "{a:02x}{b:02x}-{c:02x}{d:02x}-{e:02x}{g:02x}-{h:02x}{i:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_has_a_key_of_its_own() {
        let key = SharedKey::from_bytes([7; 32]);
        let first = key.stream_key(StreamId::new(1, [0; 8]));
        assert_ne!(first.expose(), key.stream_key(StreamId::new(2, [0; 8])).expose());
        assert_ne!(first.expose(), key.stream_key(StreamId::new(1, [1; 8])).expose());
        assert_ne!(
            first.expose(),
            SharedKey::from_bytes([8; 32]).stream_key(StreamId::new(1, [0; 8])).expose()
        );
        assert_eq!(first.expose(), key.stream_key(StreamId::new(1, [0; 8])).expose());
    }

    #[test]
    fn secrets_are_not_printed() {
        let key = SharedKey::from_bytes([0x5a; 32]);
        let shown = format!("{key:?} {:?}", key.stream_key(StreamId::new(1, [0; 8])));
        assert!(!shown.contains("5a5a") && !shown.contains("90, 90"), "{shown}");
    }
}
