//! Tells systemd what the service does (`Type=notify`, sd_notify(3)); without effect under anything else.

use sd_notify::NotifyState;

use crate::time::Duration;

/// Sends, and leaves it at a line in the log if nobody takes it.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(why) = sd_notify::notify(states) {
        log::debug!("systemd cannot be told: {why}");
    }
}

/// Sockets and control are up.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// What the service does, for `systemctl status`.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// The configuration is read again; [`ready`] follows.
///
/// systemd from 253 on matches the time with that of its signal (`Type=notify-reload`).
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The end has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The service is alive.
pub fn watchdog() {
    tell(&[NotifyState::Watchdog]);
}

/// After how long without [`watchdog`] systemd restarts the service, if it does.
#[must_use]
pub fn watchdog_limit() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero())
}
