//! A viewer's address book: the file `cameras` in its state folder.
//!
//! ```text
//! # NAME KEY [ADDR:PORT ...]
//! barn sealpub1... 192.168.1.30:5004 [2001:db8::30]:5004
//! ```

use std::net::SocketAddr;

use heapless::Vec;

use super::identity::public_key_to_text;
use super::list::{Entry, List, ListError, Words};
use super::list_file::ListFile;
use crate::proto::identity::PublicKey;
use crate::wire::Name;

/// The list of cameras.
pub type CamerasList = List<Camera>;

/// The file of that list.
pub type CamerasFile = ListFile<Camera>;

/// A camera that a viewer knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Camera {
    /// What it is called at this viewer.
    pub name: Name,
    /// How it is known.
    pub key: PublicKey,
    /// Where it was last reached, the newest first.
    pub addresses: Vec<SocketAddr, { Camera::ADDRESSES }>,
}

impl Camera {
    /// Most addresses that are kept.
    pub const ADDRESSES: usize = 4;

    /// A camera that was never reached.
    #[must_use]
    pub const fn new(name: Name, key: PublicKey) -> Self {
        Self { name, key, addresses: Vec::new() }
    }

    /// Puts `address` first; the oldest one gives way. Says whether that changes anything, so that the file need
    /// not be written on every connection.
    pub fn reached_at(&mut self, address: SocketAddr) -> bool {
        if self.addresses.first() == Some(&address) {
            return false;
        }
        self.addresses.retain(|known| *known != address);
        self.addresses.truncate(Self::ADDRESSES - 1);
        // There is room now.
        self.addresses.insert(0, address).ok();
        true
    }
}

impl CamerasFile {
    /// Keeps `address` as the newest of the camera `name`; a camera that was taken off the list meanwhile stays
    /// off it. The file is written only if that changes something.
    ///
    /// # Errors
    ///
    /// [`ListError`] if the list cannot be read or written.
    pub fn set_last_address(&self, name: Name, address: SocketAddr) -> Result<(), ListError> {
        self.edit(|list| {
            let Some(mut camera) = list.by_name(name).cloned() else { return Ok(()) };
            if camera.reached_at(address) { list.put(camera) } else { Ok(()) }
        })
    }
}

impl Entry for Camera {
    const FILE: &'static str = "cameras";
    const KIND: &'static str = "camera";
    const FORM: &'static str = "NAME KEY [ADDR:PORT ...]";
    const HEAD: &'static str = "\
        # The cameras that this viewer knows, one a line: NAME KEY [ADDR:PORT ...]. `sealcam identity` shows the key;\n\
        # up to four addresses where it was last reached follow, the newest first.\n";

    fn name(&self) -> Name {
        self.name
    }

    fn key(&self) -> PublicKey {
        self.key
    }

    fn to_line(&self) -> String {
        let mut line = format!("{} {}", self.name, public_key_to_text(&self.key));
        for address in &self.addresses {
            line += &format!(" {address}");
        }
        line
    }

    fn parse(words: &mut Words<'_>) -> Result<Self, (usize, String)> {
        let name = words.read_name(Self::FORM)?;
        let mut camera = Self::new(name, words.read_key(Self::FORM)?);
        while let Some((column, word)) = words.word() {
            let address: SocketAddr = word.parse().map_err(|_| {
                let form = "192.168.1.30:5004 or [2001:db8::30]:5004";
                (column, format!("not an address and port as in {form}"))
            })?;
            if camera.addresses.contains(&address) {
                return Err((column, "this address once more: take one of them out".into()));
            }
            if camera.addresses.push(address).is_err() {
                return Err((
                    column,
                    format!("more than {} addresses: take the last ones out", Self::ADDRESSES),
                ));
            }
        }
        Ok(camera)
    }
}

#[cfg(test)]
#[path = "cameras_tests.rs"]
mod tests;
