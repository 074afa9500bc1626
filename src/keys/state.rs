//! The state folder: a few small files that survive restarts and power loss.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// State files hold a line or two; a longer one is damaged.
const LONGEST: u64 = 4096;

/// A folder for what a program keeps between runs, readable by its owner only.
#[derive(Debug, Clone)]
pub struct StateFolder {
    path: PathBuf,
}

/// Why state cannot be kept.
#[derive(Debug)]
pub struct StateError {
    path: PathBuf,
    why: io::Error,
}

impl StateError {
    pub(super) fn damaged(path: &Path, what: &str, mend: &str) -> Self {
        let why = format!("{what}; {mend}");
        Self { path: path.to_owned(), why: io::Error::new(io::ErrorKind::InvalidData, why) }
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot keep state in {}: {}", self.path.display(), self.why)?;
        match self.why.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::NotFound => {
                f.write_str("; name a writable folder with --state DIR")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for StateError {}

impl StateFolder {
    /// Opens the folder `asked`, else the one that systemd gives, else the user's; makes it if needed.
    ///
    /// The user's is `$XDG_STATE_HOME/sealcam` or `~/.local/state/sealcam`, and `/var/lib/sealcam` for
    /// whoever has no home.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it cannot be made.
    pub fn open(asked: Option<&Path>) -> Result<Self, StateError> {
        let path = asked.map_or_else(default_path, Path::to_owned);
        make(&path).map_err(|why| StateError { path: path.clone(), why })?;
        Ok(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text in the file `name`, if there is one.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it cannot be read; with `mend` if it is too long or not text.
    pub(super) fn read(&self, name: &str, mend: &str) -> Result<Option<String>, StateError> {
        let path = self.path.join(name);
        let fail = |why| StateError { path: path.clone(), why };
        let file = match File::open(&path) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(fail)?,
        };
        let mut bytes = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(fail)?;
        if bytes.len() as u64 > LONGEST {
            return Err(StateError::damaged(&path, "the file is too long", mend));
        }
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| StateError::damaged(&path, "the file is no text", mend))
    }

    /// Replaces the file `name` as a whole: after a power loss there is the old text or the new one.
    ///
    /// # Errors
    ///
    /// [`StateError`]; the old text is then still there.
    pub(super) fn replace(&self, name: &str, text: &str) -> Result<(), StateError> {
        let path = self.path.join(name);
        let temporary = self.path.join(format!(".{name}.new"));
        let write = || -> io::Result<()> {
            let mut file = options().create(true).truncate(true).open(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            sync_folder(&self.path)
        };
        write().map_err(|why| StateError { path: path.clone(), why })
    }

    /// Deletes the file `name` if it is there.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it cannot be deleted.
    pub(super) fn remove(&self, name: &str) -> Result<(), StateError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(StateError { path, why }),
            _ => Ok(()),
        }
    }

    /// Keeps other processes out of the folder's files until the lock is dropped.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the lock file cannot be made or locked.
    pub(super) fn lock(&self) -> Result<File, StateError> {
        let path = self.path.join(".lock");
        let lock = || {
            let file = options().create(true).truncate(false).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        lock().map_err(|why| StateError { path: path.clone(), why })
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn default_path() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(given) = variable("STATE_DIRECTORY") {
        // systemd separates several folders by colons.
        let first = given.to_string_lossy().split(':').next().map(PathBuf::from);
        return first.unwrap_or(given);
    }
    if cfg!(windows) {
        let base = variable("LOCALAPPDATA").unwrap_or_else(|| PathBuf::from("."));
        return base.join("sealcam");
    }
    variable("XDG_STATE_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".local/state")))
        .unwrap_or_else(|| PathBuf::from("/var/lib"))
        .join("sealcam")
}

/// A folder of its own for one test, gone with it.
#[cfg(test)]
pub(crate) struct TestFolder(StateFolder);

#[cfg(test)]
impl TestFolder {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) const fn state(&self) -> &StateFolder {
        &self.0
    }
}

#[cfg(test)]
impl Drop for TestFolder {
    fn drop(&mut self) {
        fs::remove_dir_all(self.path()).ok();
    }
}

#[cfg(test)]
pub(crate) fn test_folder() -> TestFolder {
    let mut random = [0; 8];
    super::random(&mut random).unwrap();
    let name = format!("sealcam-test-{:016x}", u64::from_ne_bytes(random));
    TestFolder(StateFolder::open(Some(&std::env::temp_dir().join(name))).unwrap())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_replaced_as_a_whole() {
        let folder = test_folder();
        let state = folder.state();
        assert!(state.read("a", "mend it").unwrap().is_none());
        state.replace("a", "one, and longer").unwrap();
        state.replace("a", "two").unwrap();
        assert_eq!(state.read("a", "mend it").unwrap().as_deref(), Some("two"));
        // What a power loss left half written does not disturb the next time.
        fs::write(state.path().join(".a.new"), "tw").unwrap();
        assert_eq!(state.read("a", "mend it").unwrap().as_deref(), Some("two"));
        state.replace("a", "three").unwrap();
        assert_eq!(state.read("a", "mend it").unwrap().as_deref(), Some("three"));
        state.remove("a").unwrap();
        state.remove("a").unwrap();
        assert!(state.read("a", "mend it").unwrap().is_none());
    }

    #[test]
    fn a_folder_that_cannot_be_made_names_the_mend() {
        let why = StateFolder::open(Some(Path::new("/proc/nothing/here"))).unwrap_err().to_string();
        assert!(why.contains("/proc/nothing/here") && why.contains("--state DIR"), "{why}");
    }

    #[test]
    fn damage_names_the_mend_of_the_caller() {
        let folder = test_folder();
        for (bytes, what) in [(vec![b'1'; LONGEST as usize + 1], "too long"), (vec![0xff], "no text")] {
            fs::write(folder.path().join("a"), bytes).unwrap();
            let why = folder.state().read("a", "mend it").unwrap_err().to_string();
            assert!(why.contains(what) && why.contains("; mend it"), "{why}");
        }
    }
}
