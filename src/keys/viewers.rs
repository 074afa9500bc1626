//! Whom a camera lets in: the file `viewers` in its state folder.
//!
//! ```text
//! # NAME ROLE KEY
//! anna view sealpub1...
//! workshop tune sealpub1...
//! ```

use super::identity::public_key_to_text;
use super::list::{Entry, List, Words};
use super::list_file::ListFile;
use crate::proto::identity::PublicKey;
use crate::wire::{Name, Role};

/// The list of viewers.
pub type ViewersList = List<Viewer>;

/// The file of that list.
pub type ViewersFile = ListFile<Viewer>;

/// A viewer that is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    /// What it is called at this camera.
    pub name: Name,
    /// What it may do.
    pub role: Role,
    /// How it is known.
    pub key: PublicKey,
}

impl Entry for Viewer {
    const FILE: &'static str = "viewers";
    const KIND: &'static str = "viewer";
    const FORM: &'static str = "NAME ROLE KEY";
    const HEAD: &'static str = "\
        # Whom this camera lets in, one viewer a line: NAME ROLE KEY. A role is view, tune or admin;\n\
        # `sealview identity` shows the key. A running camera notices changes by itself.\n";

    fn name(&self) -> Name {
        self.name
    }

    fn key(&self) -> PublicKey {
        self.key
    }

    fn to_line(&self) -> String {
        format!("{} {} {}", self.name, self.role, public_key_to_text(&self.key))
    }

    fn parse(words: &mut Words<'_>) -> Result<Self, (usize, String)> {
        let name = words.read_name(Self::FORM)?;
        let role = words.read("role", Self::FORM, str::parse)?;
        Ok(Self { name, role, key: words.read_key(Self::FORM)? })
    }
}

#[cfg(test)]
#[path = "viewers_tests.rs"]
mod tests;
