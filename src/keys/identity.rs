//! This machine's own key, and the public keys of others as text.
//!
//! The secret half lies in the state folder, in a file that is made on first use and never overwritten. The
//! public half is text, `sealpub1...`, to be copied to the other end in the open.

use std::fmt;
use std::io;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::key_file::{self, KeyFileError};
use super::key_text::{self, NotThatKey, Sort};
use super::state::{StateError, StateFolder};
use crate::proto::identity::{PublicKey, StaticSecret};

const NAME: &str = "identity.key";

/// The key of this camera or viewer.
#[derive(Debug)]
pub struct Identity {
    /// The secret half, from which the public one follows.
    pub secret: StaticSecret,
    /// Whether it was made just now.
    pub is_new: bool,
}

/// Why there is no identity.
#[derive(Debug)]
pub enum IdentityError {
    /// Its file is not as it must be.
    File(KeyFileError),
    /// Its file cannot be written.
    State(StateError),
    /// The system has no randomness to make one of.
    Random(io::Error),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(why) => why.fmt(f),
            Self::State(why) => why.fmt(f),
            Self::Random(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for IdentityError {}

/// The file of the identity in this folder.
#[must_use]
pub fn path(state: &StateFolder) -> PathBuf {
    state.path().join(NAME)
}

/// Reads the identity in the state folder; makes one if there is none.
///
/// # Errors
///
/// [`IdentityError`] with the mend. A damaged file is left alone: whoever knows this machine by its key would
/// no longer know it by a new one.
pub fn load_or_create(state: &StateFolder) -> Result<Identity, IdentityError> {
    // Reading needs no lock, and so no folder that can be written to.
    if let Some(identity) = load(state)? {
        return Ok(identity);
    }
    let _lock = state.lock().map_err(IdentityError::State)?;
    if let Some(identity) = load(state)? {
        return Ok(identity);
    }
    let mut random = Zeroizing::new([0; StaticSecret::LEN]);
    super::random(&mut *random).map_err(IdentityError::Random)?;
    let secret = StaticSecret::from_bytes(*random);
    state.replace_whole(NAME, &key_file::text_of_secret(&secret)).map_err(IdentityError::State)?;
    Ok(Identity { secret, is_new: true })
}

fn load(state: &StateFolder) -> Result<Option<Identity>, IdentityError> {
    let secret = key_file::read_secret(&path(state)).map_err(IdentityError::File)?;
    Ok(secret.map(|secret| Identity { secret, is_new: false }))
}

/// The text of a public key: `sealpub1...`, 66 small letters and digits.
#[must_use]
pub fn public_key_to_text(key: &PublicKey) -> String {
    key_text::to_text(Sort::Public, key.as_bytes()).to_string()
}

/// Reads the text of a public key.
///
/// # Errors
///
/// [`NotAPublicKey`] with the mend; it does not repeat the text, which may be a secret pasted by mistake.
pub fn public_key_from_text(text: &str) -> Result<PublicKey, NotAPublicKey> {
    match key_text::from_text(Sort::Public, text) {
        Ok(key) => Ok(PublicKey::from_bytes(*key)),
        Err(why) => Err(NotAPublicKey(why)),
    }
}

/// Why a text is no public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAPublicKey(NotThatKey);

impl fmt::Display for NotAPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = "`sealcam identity` or `sealview identity` on its machine shows it";
        match &self.0 {
            NotThatKey::NotWhole => write!(
                f,
                "not a whole public key: something is missing, or a letter is wrong; copy all of it again, from \
                 sealpub1 on ({shown})"
            ),
            NotThatKey::Other(sort) => write!(
                f,
                "this is {sort}, which must never be given to anyone: what is wanted is the public key, which \
                 begins with sealpub1 ({shown}). If others may have seen the secret, make a new one"
            ),
            NotThatKey::Foreign(_) => {
                write!(f, "not a key of sealcam: a public key begins with sealpub1 ({shown})")
            }
            NotThatKey::Length => {
                write!(f, "a public key is {} bytes, and this is not ({shown})", key_text::LEN)
            }
        }
    }
}

impl std::error::Error for NotAPublicKey {}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
