//! Key files and what is kept between runs.
//!
//! A key file is one line of text that only its owner can read; see [`key_file`]. Beside it each program
//! keeps a few small files in its state folder: the camera its start counter and the list of its viewers, the
//! viewer its address book and the newest stream it has seen, so that recordings can be refused without trusting any
//! clock, and both their own key.

mod atomic;
pub mod cameras;
pub mod identity;
pub mod key_file;
mod key_text;
pub mod list;
pub mod list_file;
pub mod seen;
pub mod start_counter;
pub mod state;
pub mod viewers;

use crate::proto::random::Random;

/// The kernel's generator, for the protocol.
#[derive(Debug)]
pub struct KernelRandom(());

impl KernelRandom {
    /// Makes sure that there is randomness.
    ///
    /// # Errors
    ///
    /// As for [`random`].
    pub fn new() -> std::io::Result<Self> {
        random(&mut [0; 1]).map(|()| Self(()))
    }
}

impl Random for KernelRandom {
    /// # Panics
    ///
    /// If the system has none to give, though it had before: nothing can be kept secret then.
    fn fill(&mut self, bytes: &mut [u8]) {
        random(bytes).unwrap_or_else(|why| panic!("{why}"));
    }
}

/// Fills `bytes` with randomness from the operating system.
///
/// # Errors
///
/// If the system has none to give, which on Linux means that it has only just begun to boot.
#[allow(clippy::disallowed_methods, reason = "this is the edge that asks the system for randomness")]
pub fn random(bytes: &mut [u8]) -> std::io::Result<()> {
    getrandom::fill(bytes).map_err(|why| std::io::Error::other(format!("no randomness: {why}")))
}
