//! Files that hold a key nobody else may read: a shared one, or the secret half of an identity.
//!
//! One line of bech32m (BIP 350): `sealkey1...` or `sealid1...`, so that a mistyped or cut key is noticed.
//! Lines that begin with `#` say what the file is for. A key file is a regular file that nobody but its owner
//! may read, opened without following a link; all of that is checked on the open descriptor. Files below
//! `$CREDENTIALS_DIRECTORY` are accepted as systemd presents them.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::atomic::is_link_refusal;
use super::key_text::{self, NotThatKey, Sort};
use crate::proto::identity::StaticSecret;
use crate::proto::key_schedule::SharedKey;

/// A key file is far shorter; anything longer is something else.
const LONGEST: u64 = 4096;

/// Why a key file cannot be used or written.
#[derive(Debug)]
pub struct KeyFileError {
    path: PathBuf,
    /// The sort of key that was looked for.
    sort: Sort,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Io(io::Error),
    Exists,
    NotFound,
    Link,
    NotAFile,
    Loose(u32),
    Owner,
    Fernet,
    Pem,
    Empty,
    TooLong,
    NotText,
    NotAKey(NotThatKey),
    Surplus(usize),
}

impl KeyFileError {
    /// How to come by a key of the right sort.
    const fn new_one(&self) -> &'static str {
        match self.sort {
            Sort::Shared => "make a new key with `sealcam keygen --out NEW`",
            _ => {
                "put a copy of it back, or move the file away: a new identity is then made, and the other ends \
                 must be told its public key"
            }
        }
    }
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, new_one) = (self.path.display(), self.new_one());
        match &self.why {
            Why::Io(why) => write!(f, "key file {path}: {why}"),
            Why::Exists => write!(
                f,
                "key file {path} exists already and is never overwritten: choose another name with --out, \
                 or move the old key away"
            ),
            Why::NotFound => {
                write!(f, "key file {path} does not exist: make a key with `sealcam keygen --out {path}`")
            }
            Why::Link => {
                write!(f, "key file {path} is a symbolic link, which could be turned: name the file itself")
            }
            Why::NotAFile => write!(f, "key file {path} is not a regular file"),
            Why::Loose(mode) => write!(
                f,
                "key file {path} can be read by others than its owner (mode {mode:04o}): \
                 `chmod 600 {path}`, and make a new key if others may have read it"
            ),
            Why::Owner => {
                write!(f, "key file {path} belongs to another user: `chown \"$USER\" {path}`, or copy it")
            }
            Why::Fernet => write!(
                f,
                "key file {path} holds a Fernet key of the older Python scripts, which cannot be used: {new_one}"
            ),
            Why::Pem => write!(
                f,
                "key file {path} holds a PEM key or certificate of the older Python scripts, which cannot \
                 be used: {new_one}"
            ),
            Why::Empty => write!(f, "key file {path} holds no key: {new_one}"),
            Why::TooLong => write!(f, "key file {path} is longer than {LONGEST} bytes: not a key file"),
            Why::NotText => write!(f, "key file {path} is not text: not a key file of sealcam"),
            Why::NotAKey(why) => self.fmt_not_a_key(f, why),
            Why::Surplus(line) => {
                write!(f, "key file {path}, line {line}: a second key; a file holds exactly one")
            }
        }
    }
}

impl KeyFileError {
    fn fmt_not_a_key(&self, f: &mut fmt::Formatter<'_>, why: &NotThatKey) -> fmt::Result {
        let (path, prefix) = (self.path.display(), self.sort.prefix());
        match why {
            NotThatKey::Other(other) => {
                return write!(
                    f,
                    "key file {path} holds {other}, where {} is wanted: name the right file, or {}",
                    self.sort,
                    self.new_one()
                );
            }
            NotThatKey::NotWhole => {
                write!(f, "key file {path} is damaged: the line is not a whole key, or has a wrong letter")
            }
            NotThatKey::Foreign(hrp) => {
                write!(f, "key file {path} is damaged: it is a {hrp} key, not a {prefix} one")
            }
            NotThatKey::Length => write!(f, "key file {path} is damaged: a key is {} bytes", key_text::LEN),
        }?;
        match self.sort {
            Sort::Shared => {
                write!(f, "; copy it again from where it was made (one line that begins with {prefix}1)")
            }
            _ => write!(f, "; {}", self.new_one()),
        }
    }
}

impl std::error::Error for KeyFileError {}

/// Makes a new key from 32 random bytes and writes it to `path`, readable by the owner only.
///
/// # Errors
///
/// [`KeyFileError`] if the file exists already, whatever it is, or cannot be written; nothing is then
/// left behind.
pub fn create(path: &Path, random: &[u8; SharedKey::LEN]) -> Result<SharedKey, KeyFileError> {
    let key = SharedKey::from_bytes(*random);
    let fail = |why| KeyFileError { path: path.to_owned(), sort: Sort::Shared, why };
    let mut file = options_to_create().open(path).map_err(|why| match why.kind() {
        io::ErrorKind::AlreadyExists => fail(Why::Exists),
        _ => fail(Why::Io(why)),
    })?;
    let text = Zeroizing::new(format!(
        "# sealcam shared key, fingerprint {}\n\
         # Whoever holds this file can watch the stream and forge it. Copy it only to your viewers.\n\
         {}\n",
        key.fingerprint(),
        *key_text::to_text(Sort::Shared, key.expose())
    ));
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|why| {
        std::fs::remove_file(path).ok();
        fail(Why::Io(why))
    })?;
    Ok(key)
}

/// Reads the shared key in `path`.
///
/// # Errors
///
/// [`KeyFileError`] with the mend, if anything about the file is not as it must be.
pub fn read(path: &Path) -> Result<SharedKey, KeyFileError> {
    read_sort(path, Sort::Shared).map(|key| SharedKey::from_bytes(*key))
}

/// Reads the secret half of an identity in `path`, if there is one.
pub(super) fn read_secret(path: &Path) -> Result<Option<StaticSecret>, KeyFileError> {
    match read_sort(path, Sort::Secret) {
        Err(KeyFileError { why: Why::NotFound, .. }) => Ok(None),
        read => read.map(|key| Some(StaticSecret::from_bytes(*key))),
    }
}

/// What stands in the file of an identity.
pub(super) fn text_of_secret(secret: &StaticSecret) -> Zeroizing<String> {
    Zeroizing::new(format!(
        "# sealcam identity, fingerprint {}\n\
         # The secret half of this machine's key: copy it nowhere. `sealcam identity` or `sealview identity` shows\n\
         # the public half, which is what the other end needs.\n\
         {}\n",
        secret.public().fingerprint(),
        *key_text::to_text(Sort::Secret, secret.expose())
    ))
}

fn read_sort(path: &Path, sort: Sort) -> Result<Zeroizing<[u8; key_text::LEN]>, KeyFileError> {
    let fail = |why| KeyFileError { path: path.to_owned(), sort, why };
    let file = options_to_read().open(path).map_err(|why| {
        if is_link_refusal(&why) {
            return fail(Why::Link);
        }
        fail(if why.kind() == io::ErrorKind::NotFound { Why::NotFound } else { Why::Io(why) })
    })?;
    check(&file, is_credential(path)).map_err(fail)?;
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST as usize + 1));
    file.take(LONGEST + 1).read_to_end(&mut text).map_err(|why| fail(Why::Io(why)))?;
    if text.len() as u64 > LONGEST {
        return Err(fail(Why::TooLong));
    }
    parse(&text, sort).map_err(fail)
}

fn parse(text: &[u8], sort: Sort) -> Result<Zeroizing<[u8; key_text::LEN]>, Why> {
    let text = std::str::from_utf8(text).map_err(|_| Why::NotText)?;
    if text.contains("-----BEGIN") {
        return Err(Why::Pem);
    }
    let lines = text.lines().map(str::trim_end).enumerate();
    let mut keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let (_, line) = keys.next().ok_or(Why::Empty)?;
    if let Some((at, _)) = keys.next() {
        return Err(Why::Surplus(at + 1));
    }
    let looks_like_fernet = line.len() == 44
        && line.ends_with('=')
        && line.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=".contains(&b));
    if looks_like_fernet {
        return Err(Why::Fernet);
    }
    key_text::from_text(sort, line).map_err(Why::NotAKey)
}

/// Whether systemd put the file there, with access rights of its own making.
fn is_credential(path: &Path) -> bool {
    let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") else { return false };
    match (Path::new(&folder).canonicalize(), path.canonicalize()) {
        (Ok(folder), Ok(path)) => path.starts_with(folder),
        _ => false,
    }
}

#[cfg(unix)]
fn options_to_create() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
}

#[cfg(unix)]
fn options_to_read() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    // Without O_NONBLOCK a named pipe in the key's place would hold the program up.
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

#[cfg(unix)]
fn check(file: &File, credential: bool) -> Result<(), Why> {
    use std::os::unix::fs::MetadataExt;
    let meta = file.metadata().map_err(Why::Io)?;
    if !meta.is_file() {
        return Err(Why::NotAFile);
    }
    if credential {
        return Ok(());
    }
    let user = nix::unistd::geteuid();
    if meta.uid() != user.as_raw() && !user.is_root() {
        return Err(Why::Owner);
    }
    if meta.mode() & 0o077 != 0 {
        return Err(Why::Loose(meta.mode() & 0o7777));
    }
    Ok(())
}

#[cfg(not(unix))]
fn options_to_create() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    options
}

#[cfg(not(unix))]
fn options_to_read() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}

#[cfg(not(unix))]
fn check(file: &File, _: bool) -> Result<(), Why> {
    let meta = file.metadata().map_err(Why::Io)?;
    if meta.is_file() { Ok(()) } else { Err(Why::NotAFile) }
}

#[cfg(all(test, unix))]
#[path = "key_file_tests.rs"]
mod tests;
