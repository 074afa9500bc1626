//! The state folder: a few small files that survive restarts and power loss.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// State files hold a line or two; a longer one is damaged.
const LONGEST: u64 = 4096;

/// Bytes that every disk writes as a whole.
const SECTOR: usize = 512;

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
    /// The user that the folder belongs to.
    Owner(u32),
    /// The folder's access rights.
    Loose(u32),
    Damaged {
        what: &'static str,
        mend: &'static str,
    },
}

impl StateError {
    pub(super) fn damaged(path: &Path, what: &'static str, mend: &'static str) -> Self {
        Self { path: path.to_owned(), why: Why::Damaged { what, mend } }
    }

    fn io(path: &Path, why: io::Error) -> Self {
        let why = if is_link_refusal(&why) { Why::Link } else { Why::Io(why) };
        Self { path: path.to_owned(), why }
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
        let path = asked.map_or_else(default_path, Path::to_owned);
        make(&path).map_err(|why| StateError::io(&path, why))?;
        // Follows links: systemd's /var/lib/sealcam is one when the service has a user of its own.
        let folder = fs::metadata(&path).map_err(|why| StateError::io(&path, why))?;
        match check(&folder) {
            Ok(()) => Ok(Self { path }),
            Err(why) => Err(StateError { path, why }),
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
        let path = self.path.join(name);
        let file = match options().read(true).open(&path) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|why| StateError::io(&path, why))?,
        };
        let mut bytes = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|why| StateError::io(&path, why))?;
        if bytes.len() as u64 > LONGEST {
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
        let temporary = self.path.join(format!(".{name}.new"));
        let write = || -> io::Result<()> {
            let mut file = options().write(true).create(true).truncate(true).open(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            sync_folder(&self.path)
        };
        let written = match write() {
            Err(why) if why.kind() == io::ErrorKind::StorageFull => {
                fs::remove_file(&temporary).ok();
                overwrite(&path, text).map_err(|_| why)
            }
            written => written,
        };
        written.map_err(|why| StateError::io(&path, why))
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
        let lock = || {
            let file = options().write(true).create(true).truncate(false).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        lock().map_err(|why| StateError::io(&path, why))
    }
}

/// Writes over a file that is there. No disk tears a single sector in two when the power fails.
fn overwrite(path: &Path, text: &str) -> io::Result<()> {
    if text.len() > SECTOR {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let mut file = options().write(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)?;
    file.sync_all()
}

/// For the files: private ones, and never through a link that somebody has put in their place.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW);
    options
}

#[cfg(unix)]
fn is_link_refusal(why: &io::Error) -> bool {
    why.raw_os_error() == Some(libc::ELOOP)
}

#[cfg(not(unix))]
fn is_link_refusal(_: &io::Error) -> bool {
    false
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

/// Makes the folder, for its owner only; one that is there stays as it is.
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
#[path = "state_tests.rs"]
mod tests;
