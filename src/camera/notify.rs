//! Tells systemd what the service does (`Type=notify`, sd_notify(3)); without effect under anything else.
//!
//! A manager that is busy or stopped takes no messages, and a socket that waits for it would hold up the
//! stream. What is told again anyway is therefore left out then; what is told once waits a moment.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use sd_notify::NotifyState;

use crate::time::Duration;

/// How long a message that is not told again may wait. The end must come within a second.
const PATIENCE: Duration = Duration::from_millis(250);

/// Whether a message waits for a manager that takes none at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Urgency {
    /// It is told again.
    Now,
    /// It is not.
    Soon,
}

/// Sends, and leaves it at a line in the log if nobody takes it.
fn tell(urgency: Urgency, states: &[NotifyState<'_>]) {
    let Some(to) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let mut text = String::new();
    for state in states {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{state}");
    }
    match send(&to, urgency, text.as_bytes()) {
        Ok(()) => {}
        Err(why) if urgency == Urgency::Now => log::debug!("systemd cannot be told: {why}"),
        Err(why) => log::warn!("systemd cannot be told {:?}: {why}", text.lines().next().unwrap_or_default()),
    }
}

/// Sends to a socket at a path or, with `@` in front, one of an abstract name.
fn send(to: &OsStr, urgency: Urgency, message: &[u8]) -> io::Result<()> {
    let to = match to.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(to)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&to)?;
    match urgency {
        Urgency::Now => socket.set_nonblocking(true)?,
        Urgency::Soon => socket.set_write_timeout(Some(PATIENCE))?,
    }
    socket.send(message).map(|_| ())
}

/// Sockets and control are up.
pub fn ready(status: &str) {
    tell(Urgency::Soon, &[NotifyState::Ready, NotifyState::Status(status)]);
}

/// What the service does, for `systemctl status`.
pub fn status(status: &str) {
    tell(Urgency::Now, &[NotifyState::Status(status)]);
}

/// The configuration is read again; [`ready`] follows.
///
/// systemd from 253 on matches the time with that of its signal (`Type=notify-reload`).
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(Urgency::Soon, &[NotifyState::Reloading, now]),
        Err(_) => tell(Urgency::Soon, &[NotifyState::Reloading]),
    }
}

/// The end has begun.
pub fn stopping() {
    tell(Urgency::Soon, &[NotifyState::Stopping]);
}

/// The service is alive.
pub fn watchdog() {
    tell(Urgency::Now, &[NotifyState::Watchdog]);
}

/// After how long without [`watchdog`] systemd restarts the service, if it does.
#[must_use]
pub fn watchdog_limit() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn paths_and_abstract_names_are_reached() {
        let folder = crate::keys::state::test_folder();
        let path = folder.path().join("notify");
        let name = format!("sealcam-notify-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        let cases = [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (UnixDatagram::bind_addr(&abstract_name).unwrap(), format!("@{name}").into()),
        ];
        for (manager, to) in cases {
            send(&to, Urgency::Now, b"READY=1\n").unwrap();
            let mut bytes = [0; 20];
            assert_eq!(manager.recv(&mut bytes).unwrap(), 8);
        }
    }

    #[test]
    fn a_manager_that_takes_nothing_holds_nobody_up() {
        let folder = crate::keys::state::test_folder();
        let path = folder.path().join("notify");
        let _manager = UnixDatagram::bind(&path).unwrap();
        let start = clock::now();
        let full = (0..100_000).find_map(|_| send(path.as_os_str(), Urgency::Now, b"WATCHDOG=1\n").err());
        assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
        let before = clock::now();
        assert!(send(path.as_os_str(), Urgency::Soon, b"READY=1\n").is_err());
        let waited = clock::now().since(before);
        assert!((PATIENCE..3 * PATIENCE).contains(&waited), "{waited:?}");
        assert!(clock::now().since(start) < 40 * PATIENCE);
    }
}
