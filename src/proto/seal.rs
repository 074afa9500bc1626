//! ChaCha20-Poly1305 (RFC 8439) over one datagram, from one buffer into another.

use core::fmt;

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit, Nonce, Tag};

use super::key_schedule::StreamKey;
use crate::wire::TAG_LEN;

/// Seals and opens the datagrams of one stream.
///
/// The nonce is the packet number, big-endian, behind four zero bytes. Whoever seals must never use a
/// packet number twice; [`Sender`](super::sender::Sender) counts.
pub struct Seal {
    cipher: ChaCha20Poly1305,
}

impl Seal {
    /// Keys the cipher. It wipes its key when dropped.
    #[must_use]
    pub fn new(key: &StreamKey) -> Self {
        Self { cipher: ChaCha20Poly1305::new(key.expose().into()) }
    }

    /// Seals `plain` into `sealed` in one pass, tag last; `aad` is authenticated with it.
    ///
    /// # Panics
    ///
    /// If `sealed` is not exactly [`TAG_LEN`] bytes longer than `plain`.
    pub fn seal(&self, packet: u64, aad: &[u8], plain: &[u8], sealed: &mut [u8]) {
        let (body, tag) = sealed.split_at_mut(plain.len());
        let buffers = InOutBuf::new(plain, body).unwrap_or_else(|_| unreachable!("split at that length"));
        let made = self
            .cipher
            .encrypt_inout_detached(&nonce(packet), aad, buffers)
            .unwrap_or_else(|_| unreachable!("a datagram is far below the cipher's limit of 256 GiB"));
        tag.copy_from_slice(&made);
    }

    /// Checks the tag, then opens `sealed` into `plain` in one pass.
    ///
    /// # Errors
    ///
    /// [`Forged`] if the tag does not fit: another key, or changed bytes. `plain` is then untouched.
    ///
    /// # Panics
    ///
    /// If `sealed` is not exactly [`TAG_LEN`] bytes longer than `plain`.
    pub fn open(&self, packet: u64, aad: &[u8], sealed: &[u8], plain: &mut [u8]) -> Result<(), Forged> {
        let (body, tag) = sealed.split_at(plain.len());
        let tag: &[u8; TAG_LEN] = tag.try_into().unwrap_or_else(|_| unreachable!("the caller's lengths"));
        let buffers = InOutBuf::new(body, plain).unwrap_or_else(|_| unreachable!("split at that length"));
        self.cipher.decrypt_inout_detached(&nonce(packet), aad, buffers, &Tag::from(*tag)).map_err(|_| Forged)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(..)")
    }
}

fn nonce(packet: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&packet.to_be_bytes());
    nonce.into()
}

/// The tag did not fit: another key, or the bytes were changed. Counted as loss, nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forged;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::key_schedule::SharedKey;
    use crate::wire::StreamId;

    fn seal() -> Seal {
        Seal::new(&SharedKey::from_bytes([1; 32]).stream_key(StreamId::new(1, [2; 8])))
    }

    #[test]
    fn what_was_changed_does_not_open_and_leaves_the_buffer_alone() {
        let (seal, plain) = (seal(), [0x55; 100]);
        let mut sealed = [0; 116];
        seal.seal(3, b"header", &plain, &mut sealed);
        let mut out = [0xee; 100];
        for at in 0..sealed.len() {
            let mut changed = sealed;
            changed[at] ^= 0x10;
            assert_eq!(seal.open(3, b"header", &changed, &mut out), Err(Forged));
        }
        assert_eq!(seal.open(4, b"header", &sealed, &mut out), Err(Forged));
        assert_eq!(seal.open(3, b"Header", &sealed, &mut out), Err(Forged));
        assert_eq!(out, [0xee; 100]);
        assert_eq!(seal.open(3, b"header", &sealed, &mut out), Ok(()));
        assert_eq!(out, plain);
    }

    /// RFC 8439 section 2.8.2, with the nonce layout of this protocol only where it fits: the key and
    /// nonce of the RFC go straight into the cipher that `Seal` holds.
    #[test]
    fn the_cipher_is_the_one_of_rfc_8439() {
        let key: [u8; 32] = core::array::from_fn(|i| 0x80 + i as u8);
        let nonce: [u8; 12] = [7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the \
                      future, sunscreen would be it.";
        let mut out = [0; 114];
        let tag = ChaCha20Poly1305::new(&key.into())
            .encrypt_inout_detached(&nonce.into(), &aad, InOutBuf::new(plain, &mut out).unwrap())
            .unwrap();
        assert_eq!(out[..4], [0xd3, 0x1a, 0x8d, 0x34]);
        assert_eq!(tag[..4], [0x1a, 0xe1, 0x0b, 0x59]);
        assert_eq!(tag[12..], [0xd0, 0x60, 0x06, 0x91]);
    }
}
