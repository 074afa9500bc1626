//! The listening socket: made, guarded, and removed at the end.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};
use nix::unistd::geteuid;

use super::peer::{self, Peer};
use super::protocol::Reply;
use crate::camera::server::Listen;
use crate::exit::RunError;

/// Where the socket is unless the configuration says otherwise: in `$RUNTIME_DIRECTORY`, which systemd makes,
/// else in `/run/sealcam`.
#[must_use]
pub fn default_path() -> PathBuf {
    let given = std::env::var_os("RUNTIME_DIRECTORY").filter(|value| !value.is_empty());
    PathBuf::from(given.unwrap_or_else(|| "/run/sealcam".into())).join("control.sock")
}

/// Where a process has it that may not write there: in the user's own folder for such things, if there is one.
#[must_use]
pub fn user_path() -> Option<PathBuf> {
    let given = std::env::var_os("XDG_RUNTIME_DIR").filter(|value| !value.is_empty())?;
    Some(PathBuf::from(given).join("sealcam/control.sock"))
}

/// Where the service is to be spoken to: as `asked`, else the first of the usual places where there is a socket.
#[must_use]
pub fn find(asked: Option<&Path>) -> PathBuf {
    let usual = || [Some(PathBuf::from("/run/sealcam/control.sock")), user_path()].into_iter().flatten();
    let found = || usual().find(|path| path.exists()).or_else(|| usual().next());
    asked.map(Path::to_owned).or_else(found).unwrap_or_else(default_path)
}

/// A socket that only root, this user and one group can speak to.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode, so that another's socket at the same path is not removed.
    made: (u64, u64),
    group: u32,
}

impl ControlSocket {
    /// Makes the socket, of mode 0660, in place of one that a process has left behind.
    ///
    /// # Errors
    ///
    /// [`RunError`] if another service listens there, or the path cannot be used.
    pub fn make(path: &Path) -> Result<Self, RunError> {
        let wrong = |why: io::Error| {
            RunError::Failed(format!(
                "control socket {}: {why}; name another path with `control` in [service]",
                path.display()
            ))
        };
        if let Some(folder) = path.parent() {
            // If that fails, binding says so.
            fs::DirBuilder::new().mode(0o750).create(folder).ok();
        }
        clear(path)?;
        // So that there is no moment in which others may connect; nothing else runs in this process yet.
        let before = umask(Mode::from_bits_truncate(0o117));
        let bound = UnixListener::bind(path);
        umask(before);
        let listener = bound.map_err(wrong)?;
        listener.set_nonblocking(true).map_err(wrong)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(wrong)?;
        let data = fs::symlink_metadata(path).map_err(wrong)?;
        Ok(Self { listener, path: path.to_owned(), made: (data.dev(), data.ino()), group: data.gid() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn may_speak(&self, stream: &UnixStream) -> bool {
        Peer::of(stream.as_fd()).is_ok_and(|peer| {
            let known = peer.uid == 0 || peer.uid == geteuid().as_raw() || peer.gid == self.group;
            known || peer::has_group(stream.as_fd(), self.group)
        })
    }
}

/// Removes a socket at which nobody listens any more.
fn clear(path: &Path) -> Result<(), RunError> {
    let Ok(data) = fs::symlink_metadata(path) else { return Ok(()) };
    let shown = path.display();
    if !data.file_type().is_socket() {
        return Err(RunError::Usage(format!(
            "control socket {shown}: something else is at this path; name another with `control` in [service]"
        )));
    }
    if UnixStream::connect(path).is_ok() {
        return Err(RunError::Failed(format!(
            "control socket {shown}: a service is running with it already; `sealcam status --control {shown}` \
             shows it"
        )));
    }
    fs::remove_file(path).map_err(|why| RunError::Failed(format!("control socket {shown}: {why}")))
}

impl AsFd for ControlSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Listen for ControlSocket {
    type Stream = UnixStream;

    fn accept(&self) -> io::Result<(UnixStream, Option<Vec<u8>>)> {
        let (stream, _) = self.listener.accept()?;
        stream.set_nonblocking(true)?;
        let refusal = (!self.may_speak(&stream)).then(|| {
            Reply::refusal("permission denied: be root, the service's user, or in the socket's group")
                .to_line()
        });
        Ok((stream, refusal))
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|data| (data.dev(), data.ino()) == self.made);
        if ours {
            fs::remove_file(&self.path).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::state::test_folder;

    #[test]
    fn it_is_guarded_made_anew_and_removed() {
        let folder = test_folder();
        let path = folder.path().join("sub/control.sock");
        let socket = ControlSocket::make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o660);
        let client = UnixStream::connect(&path).unwrap();
        let (stream, refusal) = socket.accept().unwrap();
        assert!(refusal.is_none(), "this user may speak");
        assert_eq!(Peer::of(stream.as_fd()).unwrap().uid, geteuid().as_raw());
        drop((client, stream));
        let why = ControlSocket::make(&path).unwrap_err().to_string();
        assert!(why.contains("running with it already"), "{why}");
        drop(socket);
        assert!(!path.exists());
        // What a killed process leaves behind.
        drop(UnixListener::bind(&path).unwrap());
        drop(ControlSocket::make(&path).unwrap());
        fs::write(&path, "a file").unwrap();
        let why = ControlSocket::make(&path).unwrap_err().to_string();
        assert!(why.contains("something else") && path.exists(), "{why}");
    }

    #[test]
    fn a_path_that_cannot_be_used_names_the_mend() {
        let why = ControlSocket::make(Path::new("/proc/nothing/control.sock")).unwrap_err().to_string();
        assert!(why.contains("`control` in [service]"), "{why}");
    }
}
