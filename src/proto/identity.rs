//! Who is who: the static X25519 key pairs (RFC 7748) of cameras and viewers.

use core::fmt;

use blake2::Blake2s256;
use blake2::digest::Digest;
use x25519_dalek::{PublicKey as Point, StaticSecret as Scalar};

use super::key_schedule::Fingerprint;
use super::random::Random;

const FINGERPRINT_LABEL: &[u8] = b"sealcam 1 identity";

/// The secret half of a camera's or viewer's key: 32 bytes, wiped when dropped, never printed.
#[derive(Clone)]
pub struct StaticSecret(Scalar);

impl StaticSecret {
    /// Bytes of a secret.
    pub const LEN: usize = 32;

    /// A new key.
    pub fn generate(random: &mut impl Random) -> Self {
        Self::from_bytes(random.array())
    }

    /// Takes 32 bytes that nobody can guess. They are clamped where they are used (RFC 7748 section 5).
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(Scalar::from(bytes))
    }

    /// The secret itself, for writing a key file.
    #[must_use]
    pub fn expose(&self) -> &[u8; Self::LEN] {
        self.0.as_bytes()
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(Point::from(&self.0).to_bytes())
    }
}

impl fmt::Debug for StaticSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StaticSecret(of {})", self.public().fingerprint())
    }
}

/// The public half of a camera's or viewer's key.
///
/// Not a secret, but whoever knows a camera's can make it do the work of a handshake.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; Self::LEN]);

impl PublicKey {
    /// Bytes of a key.
    pub const LEN: usize = 32;

    /// Takes the bytes of a key. Any are one; those of small order make every handshake fail.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes of the key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Eight bytes of a BLAKE2s hash of the key: for people to compare, not for programs.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let hash: [u8; 32] =
            Blake2s256::new().chain_update(FINGERPRINT_LABEL).chain_update(self.0).finalize().into();
        Fingerprint::cut_from(&hash)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7748 section 6.1.
    #[test]
    fn the_public_half_is_that_of_rfc_7748() {
        let secret = [
            0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
            0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a,
        ];
        let public = StaticSecret::from_bytes(secret).public();
        assert_eq!(public.as_bytes()[..8], [0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54]);
        assert_eq!(public.as_bytes()[28..], [0xaa, 0x9b, 0x4e, 0x6a]);
    }

    #[test]
    fn the_secret_is_not_printed() {
        let secret = StaticSecret::from_bytes([0x5a; 32]);
        let shown = format!("{secret:?}");
        assert!(!shown.contains("5a5a") && !shown.contains("90, 90"), "{shown}");
        assert!(shown.contains(&secret.public().fingerprint().to_string()), "{shown}");
    }
}
