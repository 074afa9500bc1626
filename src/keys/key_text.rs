//! Keys as text: one word of bech32m (BIP 350), so that a mistyped or cut key is noticed.
//!
//! The part before the first `1` says which sort of key it is; 32 bytes follow, and six letters of checksum.
//! All small letters or all capitals: a QR code of capitals is smaller.

use std::fmt;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use zeroize::Zeroizing;

/// Bytes of every sort of key.
pub(super) const LEN: usize = 32;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Camera and viewers hold the same.
    Shared,
    /// The secret half of a camera's or viewer's own key.
    Secret,
    /// The public half of it.
    Public,
}

impl Sort {
    const ALL: [Self; 3] = [Self::Shared, Self::Secret, Self::Public];

    /// What the text of such a key begins with, before the `1`.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Shared => "sealkey",
            Self::Secret => "sealid",
            Self::Public => "sealpub",
        }
    }

    fn hrp(self) -> Hrp {
        Hrp::parse_unchecked(self.prefix())
    }

    /// Which sort `text` claims to be, whole or not.
    fn claimed_by(text: &str) -> Option<Self> {
        let prefix = text.split('1').next()?;
        Self::ALL.into_iter().find(|sort| prefix.eq_ignore_ascii_case(sort.prefix()))
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shared => "a shared key",
            Self::Secret => "the secret half of an identity",
            Self::Public => "a public key",
        })?;
        write!(f, " ({}1...)", self.prefix())
    }
}

/// Why a text is no key of the sort asked for. It never quotes the text, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotThatKey {
    /// Something is missing, or a letter is wrong.
    NotWhole,
    /// It is, or was, a key of another sort.
    Other(Sort),
    /// A whole text of this kind, but of another program.
    Foreign(String),
    /// Not 32 bytes.
    Length,
}

/// The text of a key.
pub(super) fn to_text(sort: Sort, key: &[u8; LEN]) -> Zeroizing<String> {
    let encoded = bech32::encode::<Bech32m>(sort.hrp(), key);
    Zeroizing::new(encoded.unwrap_or_else(|_| unreachable!("32 bytes are within bech32m's length")))
}

/// Reads the text of a key.
pub(super) fn from_text(sort: Sort, text: &str) -> Result<Zeroizing<[u8; LEN]>, NotThatKey> {
    if let Some(other) = Sort::claimed_by(text).filter(|claimed| *claimed != sort) {
        return Err(NotThatKey::Other(other));
    }
    // The text of the library's error may quote the key; only its kind is told.
    let decoded = CheckedHrpstring::new::<Bech32m>(text).map_err(|_| NotThatKey::NotWhole)?;
    if decoded.hrp() != sort.hrp() {
        return Err(NotThatKey::Foreign(decoded.hrp().to_string()));
    }
    let mut key = Zeroizing::new([0; LEN]);
    let mut bytes = decoded.byte_iter();
    for byte in key.iter_mut() {
        *byte = bytes.next().ok_or(NotThatKey::Length)?;
    }
    if bytes.next().is_some() { Err(NotThatKey::Length) } else { Ok(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sort_comes_back_and_is_told_from_the_others() {
        for sort in Sort::ALL {
            let text = to_text(sort, &[9; LEN]);
            assert!(text.starts_with(sort.prefix()) && text.len() == sort.prefix().len() + 59, "{sort}");
            for other in Sort::ALL {
                let read = from_text(other, &text);
                if other == sort {
                    assert_eq!(read.as_deref(), Ok(&[9; LEN]));
                    assert_eq!(from_text(other, &text.to_uppercase()).as_deref(), Ok(&[9; LEN]));
                } else {
                    assert_eq!(read, Err(NotThatKey::Other(sort)));
                    assert_eq!(from_text(other, &text[..20]), Err(NotThatKey::Other(sort)), "cut");
                }
            }
        }
    }

    #[test]
    fn any_one_wrong_letter_is_noticed() {
        let text = to_text(Sort::Public, &[9; LEN]);
        for at in Sort::Public.prefix().len() + 1..text.len() {
            for letter in "qpzry9x8gf2tvdw0s3jn54khce6mua7l".chars() {
                let mut wrong = text.to_string();
                wrong.replace_range(at..=at, letter.encode_utf8(&mut [0; 4]));
                assert_eq!(from_text(Sort::Public, &wrong).is_ok(), wrong == *text, "{at}: {letter}");
            }
            assert_eq!(from_text(Sort::Public, &text[..at]), Err(NotThatKey::NotWhole), "cut");
        }
        let mixed = format!("S{}", &text[1..]);
        assert_eq!(from_text(Sort::Public, &mixed), Err(NotThatKey::NotWhole), "capitals and small letters");
    }
}
