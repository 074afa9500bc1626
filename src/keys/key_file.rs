//! Files that hold a shared key.
//!
//! One line of bech32m (BIP 350): `sealkey1...`, so that a mistyped or cut key is noticed. Lines that
//! begin with `#` say what the file is for. A key file is a regular file that nobody but its owner may
//! read, opened without following a link; all of that is checked on the open descriptor. Files below
//! `$CREDENTIALS_DIRECTORY` are accepted as systemd presents them.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use zeroize::{Zeroize, Zeroizing};

use crate::proto::key_schedule::SharedKey;

const PREFIX: &str = "sealkey";
/// A key file is far shorter; anything longer is something else.
const LONGEST: u64 = 4096;

/// Why a key file cannot be used or written.
#[derive(Debug)]
pub struct KeyFileError {
    path: PathBuf,
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
    NotAKey(String),
    Surplus(usize),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
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
                "key file {path} holds a Fernet key of the older Python scripts, which cannot be used: \
                 make a new key with `sealcam keygen --out NEW`"
            ),
            Why::Pem => write!(
                f,
                "key file {path} holds a PEM key or certificate of the older Python scripts, which cannot \
                 be used: make a new key with `sealcam keygen --out NEW`"
            ),
            Why::Empty => write!(f, "key file {path} holds no key: make one with `sealcam keygen --out NEW`"),
            Why::TooLong => write!(f, "key file {path} is longer than {LONGEST} bytes: not a key file"),
            Why::NotText => write!(f, "key file {path} is not text: not a key file of sealcam"),
            Why::NotAKey(why) => write!(
                f,
                "key file {path} is damaged: {why}; copy it again from where it was made \
                 (one line that begins with {PREFIX}1)"
            ),
            Why::Surplus(line) => {
                write!(f, "key file {path}, line {line}: a second key; a file holds exactly one")
            }
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
    let fail = |why| KeyFileError { path: path.to_owned(), why };
    let mut file = options_to_create().open(path).map_err(|why| match why.kind() {
        io::ErrorKind::AlreadyExists => fail(Why::Exists),
        _ => fail(Why::Io(why)),
    })?;
    let text = Zeroizing::new(format!(
        "# sealcam shared key, fingerprint {}\n\
         # Whoever holds this file can watch the stream and forge it. Copy it only to your viewers.\n\
         {}\n",
        key.fingerprint(),
        *to_text(&key)
    ));
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|why| {
        std::fs::remove_file(path).ok();
        fail(Why::Io(why))
    })?;
    Ok(key)
}

/// Reads the key in `path`.
///
/// # Errors
///
/// [`KeyFileError`] with the mend, if anything about the file is not as it must be.
pub fn read(path: &Path) -> Result<SharedKey, KeyFileError> {
    let fail = |why| KeyFileError { path: path.to_owned(), why };
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
    parse(&text).map_err(fail)
}

fn to_text(key: &SharedKey) -> Zeroizing<String> {
    let encoded = bech32::encode::<Bech32m>(Hrp::parse_unchecked(PREFIX), key.expose());
    Zeroizing::new(encoded.unwrap_or_else(|_| unreachable!("32 bytes are within bech32m's length")))
}

fn parse(text: &[u8]) -> Result<SharedKey, Why> {
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
    parse_line(line)
}

fn parse_line(line: &str) -> Result<SharedKey, Why> {
    let looks_like_fernet = line.len() == 44
        && line.ends_with('=')
        && line.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=".contains(&b));
    if looks_like_fernet {
        return Err(Why::Fernet);
    }
    // The text of the library's error may quote the key; only its kind is told.
    let decoded = CheckedHrpstring::new::<Bech32m>(line)
        .map_err(|_| Why::NotAKey("the line is not a whole key, or has a wrong letter".into()))?;
    if decoded.hrp() != Hrp::parse_unchecked(PREFIX) {
        return Err(Why::NotAKey(format!("it is a {} key, not a {PREFIX} one", decoded.hrp())));
    }
    let mut bytes = Zeroizing::new([0; SharedKey::LEN]);
    let mut decoded = decoded.byte_iter();
    let wrong = || Why::NotAKey(format!("a key is {} bytes", SharedKey::LEN));
    for byte in bytes.iter_mut() {
        *byte = decoded.next().ok_or_else(wrong)?;
    }
    if decoded.next().is_some() {
        bytes.zeroize();
        return Err(wrong());
    }
    Ok(SharedKey::from_bytes(*bytes))
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
fn is_link_refusal(why: &io::Error) -> bool {
    why.raw_os_error() == Some(libc::ELOOP)
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
fn is_link_refusal(_: &io::Error) -> bool {
    false
}

#[cfg(not(unix))]
fn check(file: &File, _: bool) -> Result<(), Why> {
    let meta = file.metadata().map_err(Why::Io)?;
    if meta.is_file() { Ok(()) } else { Err(Why::NotAFile) }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::keys::state::test_folder;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn refusal(path: &Path) -> String {
        read(path).err().map(|why| why.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_key_comes_back_and_is_never_overwritten() {
        let folder = test_folder();
        let path = folder.path().join("secret.key");
        let made = create(&path, &[7; 32]).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(read(&path).unwrap().expose(), made.expose());
        let again = create(&path, &[8; 32]).unwrap_err().to_string();
        assert!(again.contains("never overwritten"), "{again}");
        assert_eq!(read(&path).unwrap().expose(), &[7; 32]);
    }

    #[test]
    fn files_that_could_be_read_or_turned_by_others_are_refused_with_the_mend() {
        let folder = test_folder();
        let path = folder.path().join("secret.key");
        assert!(refusal(&path).contains("sealcam keygen"));
        create(&path, &[7; 32]).unwrap();
        for mode in [0o640, 0o604, 0o660, 0o601] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            assert!(refusal(&path).contains("chmod 600"), "{mode:o}");
        }
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
        assert!(read(&path).is_ok());
        let link = folder.path().join("link.key");
        symlink(&path, &link).unwrap();
        assert!(refusal(&link).contains("symbolic link"));
        assert!(refusal(folder.path()).contains("not a regular file"));
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(refusal(&pipe).contains("not a regular file"));
    }

    #[test]
    fn what_is_not_a_key_is_named() {
        let good = (*to_text(&SharedKey::from_bytes([9; 32]))).clone();
        let other = bech32::encode::<Bech32m>(Hrp::parse_unchecked("sealview"), &[9; 32]).unwrap();
        let short = bech32::encode::<Bech32m>(Hrp::parse_unchecked(PREFIX), &[9; 31]).unwrap();
        let long = bech32::encode::<Bech32m>(Hrp::parse_unchecked(PREFIX), &[9; 33]).unwrap();
        let mut typo = good.clone();
        typo.replace_range(20..21, if &good[20..21] == "q" { "p" } else { "q" });
        let cases = [
            ("tRQhcPXAzcKQJVBlQ8kFmd5s3MmZTmm1wX0cO1xXyzQ=".to_owned(), "Fernet"),
            ("-----BEGIN PRIVATE KEY-----\nMC4C\n".to_owned(), "PEM"),
            (String::new(), "holds no key"),
            ("# only a remark\n\n".to_owned(), "holds no key"),
            (typo, "damaged"),
            (good[..good.len() - 1].to_owned(), "damaged"),
            (other, "sealview key"),
            (short, "32 bytes"),
            (long, "32 bytes"),
            (format!("{good}\n{good}\n"), "line 2: a second key"),
            ("x".repeat(5_000), "longer than 4096"),
        ];
        let folder = test_folder();
        for (nth, (text, why)) in cases.into_iter().enumerate() {
            let path = folder.path().join(nth.to_string());
            let mut file = options_to_create().open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let refusal = refusal(&path);
            assert!(refusal.contains(why) && !refusal.contains(&good[10..30]), "{refusal}, not {why}");
        }
        let path = folder.path().join("binary");
        options_to_create().open(&path).unwrap().write_all(&[0xff; 32]).unwrap();
        assert!(refusal(&path).contains("not text"));
        let path = folder.path().join("windows");
        options_to_create()
            .open(&path)
            .unwrap()
            .write_all(format!("# note\r\n{good}\r\n").as_bytes())
            .unwrap();
        assert_eq!(read(&path).unwrap().expose(), &[9; 32]);
    }
}
