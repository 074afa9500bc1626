//! The file of a [`List`]: read, watched for changes, and replaced as a whole.

use std::fs::{self, Metadata};
use std::marker::PhantomData;
use std::path::PathBuf;

use super::list::{Entry, List, ListError};
use super::state::StateFolder;

/// Most bytes of a list's file: room for a full list and as many remarks.
const LONGEST: u64 = 256 * 1024;
const MEND: &str = "shorten it, or put back a copy";

/// A list's file in the state folder.
///
/// A program that runs on reads it once, then again whenever [`Self::changed`] says so; commands change it with
/// [`Self::edit`], and a running program notices by itself.
#[derive(Debug)]
pub struct ListFile<E> {
    state: StateFolder,
    /// What the file looked like before it was last read; nothing if that failed for want of the system.
    read: Option<Stamp>,
    kind: PhantomData<fn() -> E>,
}

impl<E: Entry> ListFile<E> {
    /// The file in this folder; it need not be there yet.
    #[must_use]
    pub const fn new(state: StateFolder) -> Self {
        Self { state, read: None, kind: PhantomData }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.state.path().join(E::FILE)
    }

    /// Reads the list; a file that is not there is an empty one.
    ///
    /// # Errors
    ///
    /// [`ListError`] with place and mend. Nothing of a file with a mistake is taken: a line that was left out
    /// could be the one that matters.
    pub fn read(&mut self) -> Result<List<E>, ListError> {
        // Looked at first: what is written meanwhile is then read once more, and never missed.
        let stamp = self.stamp();
        let read = self.load();
        self.read = if matches!(&read, Err(why) if why.is_of_the_system()) { None } else { Some(stamp) };
        read
    }

    /// Whether the file is another than the one last read, or was never read: one look at its metadata, cheap
    /// enough for every turn of a loop.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.read != Some(self.stamp())
    }

    /// Reads the list, has `change` change it, and writes it, while no other program does. If `change` or the
    /// writing fails, the file stays as it is.
    ///
    /// # Errors
    ///
    /// [`ListError`]: what `change` says, or why the list cannot be read or written.
    pub fn edit<T>(&self, change: impl FnOnce(&mut List<E>) -> Result<T, ListError>) -> Result<T, ListError> {
        let _lock = self.state.lock()?;
        self.edit_locked(change)
    }

    /// As [`Self::edit`], for a loop that must not wait for another program.
    ///
    /// # Errors
    ///
    /// [`ListError::Busy`] while another program changes the list; else as [`Self::edit`].
    pub fn edit_at_once<T>(
        &self,
        change: impl FnOnce(&mut List<E>) -> Result<T, ListError>,
    ) -> Result<T, ListError> {
        let _lock = self.state.try_lock()?.ok_or(ListError::Busy)?;
        self.edit_locked(change)
    }

    fn edit_locked<T>(
        &self,
        change: impl FnOnce(&mut List<E>) -> Result<T, ListError>,
    ) -> Result<T, ListError> {
        let mut list = self.load()?;
        let before = list.to_text();
        let result = change(&mut list)?;
        if before.is_empty() && !list.is_empty() {
            list.head();
        }
        let text = list.to_text();
        if text.len() as u64 > LONGEST {
            return Err(ListError::Refused(format!(
                "{} would become longer than {LONGEST} bytes: take remarks or {}s out of it",
                self.path().display(),
                E::KIND
            )));
        }
        if text != before {
            self.state.replace_whole(E::FILE, &text)?;
        }
        Ok(result)
    }

    fn load(&self) -> Result<List<E>, ListError> {
        let text = self.state.read_up_to(LONGEST, E::FILE, MEND)?.unwrap_or_default();
        List::parse(&self.path(), &text)
    }

    fn stamp(&self) -> Stamp {
        Stamp(fs::symlink_metadata(self.path()).ok().as_ref().map(look))
    }
}

/// What tells one version of a file from another; nothing if there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(Option<[u64; 6]>);

/// A file that was replaced has another number; one that was written over has other times.
#[cfg(unix)]
fn look(meta: &Metadata) -> [u64; 6] {
    use std::os::unix::fs::MetadataExt;
    let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()].map(i64::cast_unsigned);
    [meta.ino(), meta.len(), times[0], times[1], times[2], times[3]]
}

#[cfg(not(unix))]
fn look(meta: &Metadata) -> [u64; 6] {
    let since = |time: std::time::SystemTime| time.duration_since(std::time::UNIX_EPOCH).ok();
    let time = meta.modified().ok().and_then(since).unwrap_or_default();
    [0, meta.len(), time.as_secs(), u64::from(time.subsec_nanos()), 0, 0]
}

#[cfg(test)]
#[path = "list_file_tests.rs"]
mod tests;
