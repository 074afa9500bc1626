//! The state folder: a few small files that survive restarts and power loss.

use std::fmt;
use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::atomic::{self, is_link_refusal, options};

/// Most state files hold a line or two; a longer one is damaged.
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
    why: Why,
}

#[derive(Debug)]
enum Why {
    Io(io::Error),
    Link,
    NotAFolder,
    NotAFile,
    /// The user that the folder belongs to.
    Owner(u32),
    /// The same, for whoever would edit what is kept there.
    NotTheOwner(u32),
    /// The folder's or file's access rights.
    Loose(u32),
    /// The user that a file belongs to, and its access rights, which leave this user out.
    Unreadable(u32, u32),
    Damaged {
        what: &'static str,
        mend: &'static str,
    },
}

impl StateError {
    pub(super) fn damaged(path: &Path, what: &'static str, mend: &'static str) -> Self {
        Self { path: path.to_owned(), why: Why::Damaged { what, mend } }
    }

    pub(super) fn io(path: &Path, why: io::Error) -> Self {
        Self { path: path.to_owned(), why: why.into() }
    }
}

impl From<io::Error> for Why {
    fn from(why: io::Error) -> Self {
        if is_link_refusal(&why) { Self::Link } else { Self::Io(why) }
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "cannot keep state in {path}: ")?;
        match &self.why {
            Why::Io(why) => {
                write!(f, "{why}")?;
                match why.kind() {
                    io::ErrorKind::PermissionDenied
                    | io::ErrorKind::ReadOnlyFilesystem
                    | io::ErrorKind::NotFound => f.write_str("; name a writable folder with --state DIR"),
                    io::ErrorKind::StorageFull => f.write_str("; delete something there"),
                    _ => Ok(()),
                }
            }
            Why::Link => f.write_str("it is a symbolic link, which could lead anywhere; remove it"),
            Why::NotAFolder => f.write_str("it is no folder; name one with --state DIR"),
            Why::NotAFile => f.write_str("it is no regular file; move it away"),
            Why::NotTheOwner(owner) => write!(
                f,
                "the folder belongs to another user ({owner}); run the command as that user or as root (sudo), \
                 or name a folder of your own with --state DIR"
            ),
            Why::Owner(owner) => write!(
                f,
                "the folder belongs to another user ({owner}), who could change what is kept; \
                 name one of your own with --state DIR"
            ),
            Why::Loose(mode) => write!(
                f,
                "other users may write there (mode {mode:04o}) and could change what is kept; \
                 run `chmod go-w {path}`, or name another folder with --state DIR"
            ),
            Why::Unreadable(owner, mode) => write!(
                f,
                "this user may not read it: it belongs to user {owner} (mode {mode:04o}); `chown` gives it to the \
                 owner of the folder, `chmod u+r` lets its owner read it"
            ),
            Why::Damaged { what, mend } => write!(f, "{what}; {mend}"),
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
    /// [`StateError`] if it cannot be made, belongs to a user other than this one and root, or if others may
    /// write there: whoever can change a counter can have recordings accepted, or the camera refused.
    pub fn open(asked: Option<&Path>) -> Result<Self, StateError> {
        Self::open_checked(asked).map_err(|(path, why)| StateError { path, why })
    }

    /// As [`Self::open`], for commands that show or edit what is kept: root may do so in the folder of a
    /// service's user, and what it writes belongs to that user.
    ///
    /// # Errors
    ///
    /// As for [`Self::open`].
    pub fn open_to_edit(asked: Option<&Path>) -> Result<Self, StateError> {
        Self::open_checked(asked).or_else(|(path, why)| match why {
            Why::Owner(_) if is_root() => Ok(Self { path }),
            Why::Owner(owner) => Err(StateError { path, why: Why::NotTheOwner(owner) }),
            why => Err(StateError { path, why }),
        })
    }

    fn open_checked(asked: Option<&Path>) -> Result<Self, (PathBuf, Why)> {
        let path = asked.map_or_else(default_path, Path::to_owned);
        // Follows links: systemd's /var/lib/sealcam is one when the service has a user of its own.
        let checked = make(&path).and_then(|()| fs::metadata(&path)).map_err(Why::from);
        match checked.and_then(|folder| check(&folder)) {
            Ok(()) => Ok(Self { path }),
            Err(why) => Err((path, why)),
        }
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
    pub(super) fn read(&self, name: &str, mend: &'static str) -> Result<Option<String>, StateError> {
        self.read_up_to(LONGEST, name, mend)
    }

    /// As [`Self::read`], for a file of up to `longest` bytes that people edit too.
    ///
    /// # Errors
    ///
    /// As for [`Self::read`], and if others may write into the file.
    pub(super) fn read_up_to(
        &self,
        longest: u64,
        name: &str,
        mend: &'static str,
    ) -> Result<Option<String>, StateError> {
        let path = self.path.join(name);
        let file = match options().read(true).open(&path) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|why| unreadable(&path, why))?,
        };
        check_file(&file).map_err(|why| StateError { path: path.clone(), why })?;
        let mut bytes = Vec::new();
        file.take(longest + 1).read_to_end(&mut bytes).map_err(|why| StateError::io(&path, why))?;
        if bytes.len() as u64 > longest {
            return Err(StateError::damaged(&path, "the file is too long", mend));
        }
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| StateError::damaged(&path, "the file is no text", mend))
    }

    /// Replaces the file `name` as a whole: after a power loss there is the old text or the new one.
    ///
    /// On a full disk a short text is written over the old one where that lies, which needs no room: a camera
    /// whose disk has run full starts all the same.
    ///
    /// # Errors
    ///
    /// [`StateError`]; the old text is then still there.
    pub(super) fn replace(&self, name: &str, text: &str) -> Result<(), StateError> {
        let path = self.path.join(name);
        let written = match atomic::replace(&self.path, name, text.as_bytes()) {
            Err(why) if why.kind() == io::ErrorKind::StorageFull => {
                atomic::overwrite(&path, text).map_err(|_| why)
            }
            written => written,
        };
        written.map_err(|why| StateError::io(&path, why))
    }

    /// As [`Self::replace`], for what is too long or too precious to be written over: a full disk is an error.
    ///
    /// # Errors
    ///
    /// [`StateError`]; the old text is then still there.
    pub(super) fn replace_whole(&self, name: &str, text: &str) -> Result<(), StateError> {
        atomic::replace(&self.path, name, text.as_bytes())
            .map_err(|why| StateError::io(&self.path.join(name), why))
    }

    /// Deletes the file `name` if it is there.
    ///
    /// # Errors
    ///
    /// [`StateError`] if it cannot be deleted.
    pub(super) fn remove(&self, name: &str) -> Result<(), StateError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(StateError::io(&path, why)),
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
        let locked = atomic::lock_file(&self.path, &path).and_then(|file| file.lock().map(|()| file));
        locked.map_err(|why| StateError::io(&path, why))
    }

    /// The same, but `None` if another program has it.
    pub(super) fn try_lock(&self) -> Result<Option<File>, StateError> {
        let path = self.path.join(".lock");
        let file = atomic::lock_file(&self.path, &path).map_err(|why| StateError::io(&path, why))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(why)) => Err(StateError::io(&path, why)),
        }
    }
}

/// Why a file cannot be opened; whose it is, if that is why.
fn unreadable(path: &Path, why: io::Error) -> StateError {
    #[cfg(unix)]
    if let (io::ErrorKind::PermissionDenied, Ok(file)) = (why.kind(), fs::symlink_metadata(path)) {
        use std::os::unix::fs::MetadataExt;
        let why = Why::Unreadable(file.uid(), file.mode() & 0o7777);
        return StateError { path: path.to_owned(), why };
    }
    StateError::io(path, why)
}

#[cfg(unix)]
fn check(folder: &Metadata) -> Result<(), Why> {
    use std::os::unix::fs::MetadataExt;
    let user = nix::unistd::geteuid().as_raw();
    if !folder.is_dir() {
        return Err(Why::NotAFolder);
    }
    // Root can change anything anyway.
    if folder.uid() != user && folder.uid() != 0 {
        return Err(Why::Owner(folder.uid()));
    }
    if folder.mode() & 0o022 != 0 {
        return Err(Why::Loose(folder.mode() & 0o7777));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check(folder: &Metadata) -> Result<(), Why> {
    if folder.is_dir() { Ok(()) } else { Err(Why::NotAFolder) }
}

/// Whoever can write into a file need not be able to write into the folder.
fn check_file(file: &File) -> Result<(), Why> {
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(Why::NotAFile);
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&meta);
        if mode & 0o022 != 0 {
            return Err(Why::Loose(mode & 0o7777));
        }
    }
    Ok(())
}

#[cfg(unix)]
fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[cfg(not(unix))]
const fn is_root() -> bool {
    false
}

/// Makes the folder, for its owner only; one that is there stays as it is.
fn make(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
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
#[path = "state_tests.rs"]
mod tests;
