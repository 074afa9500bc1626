//! Small files that are replaced as a whole: after a power loss there is the old text or the new one.
//!
//! Root may write in a folder of another user, a service's for instance. What it makes there belongs to that
//! user, as if the service had made it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Bytes that every disk writes as a whole.
pub(super) const SECTOR: usize = 512;

/// Where the new text of the file `name` stands until it is whole.
pub(super) fn temporary(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!(".{name}.new"))
}

/// Replaces the file `name` in `folder`. If that fails, the old file is as it was and nothing lies beside it.
pub(super) fn replace(folder: &Path, name: &str, text: &[u8]) -> io::Result<()> {
    let (path, temporary) = (folder.join(name), temporary(folder, name));
    let write = || {
        let mut file = fresh(&temporary)?;
        hand_over(&file, folder, Some(&path))?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    };
    match write() {
        Ok(()) => sync_folder(folder),
        Err(why) => {
            if !is_link_refusal(&why) {
                fs::remove_file(&temporary).ok();
            }
            Err(why)
        }
    }
}

/// Writes over a file that is there. No disk tears a single sector in two when the power fails.
pub(super) fn overwrite(path: &Path, text: &str) -> io::Result<()> {
    if text.len() > SECTOR {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let mut file = options().write(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)?;
    file.sync_all()
}

/// The lock file of `folder`, made if it is not there.
pub(super) fn lock_file(folder: &Path, path: &Path) -> io::Result<File> {
    match options().write(true).create_new(true).open(path) {
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => options().write(true).open(path),
        made => made.and_then(|file| hand_over(&file, folder, None).map(|()| file)),
    }
}

/// For the files: private ones, and never through a link that somebody has put in their place. Nor does a
/// named pipe there hold the program up.
pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

/// A new file in the place of what a power loss may have left there. Written into that, the text could end
/// up wherever a hard link of the folder's owner leads.
fn fresh(path: &Path) -> io::Result<File> {
    match fs::symlink_metadata(path) {
        Ok(old) if old.is_symlink() => return options().write(true).open(path),
        Ok(_) => fs::remove_file(path)?,
        Err(_) => {}
    }
    options().write(true).create_new(true).open(path)
}

/// Gives what root has made to the owner of the file that it replaces, or else of the folder, readable by
/// whom that file was.
#[cfg(unix)]
fn hand_over(file: &File, folder: &Path, old: Option<&Path>) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let old = old.and_then(|old| fs::symlink_metadata(old).ok()).filter(fs::Metadata::is_file);
    let readers = old.as_ref().map_or(0, |old| old.mode() & 0o044);
    if readers != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600 | readers))?;
    }
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let owner = old.map_or_else(|| fs::metadata(folder), Ok)?;
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    fchown(file, Some(owner.uid()), Some(owner.gid()))
}

#[cfg(not(unix))]
fn hand_over(_: &File, _: &Path, _: Option<&Path>) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
pub(super) fn is_link_refusal(why: &io::Error) -> bool {
    why.raw_os_error() == Some(libc::ELOOP)
}

#[cfg(not(unix))]
pub(super) fn is_link_refusal(_: &io::Error) -> bool {
    false
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[path = "atomic_tests.rs"]
mod tests;
