//! Signals as a descriptor to wait for, so that none interrupts anything.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Signals that are held back from killing the process and read from a descriptor instead.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// Holds back `signals` in this thread and those it starts from now on.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn hold(signals: &[Signal]) -> io::Result<Self> {
        let set: SigSet = signals.iter().copied().collect();
        set.thread_block()?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { fd })
    }

    /// The next signal that has come, if one has.
    ///
    /// # Errors
    ///
    /// If the descriptor cannot be read.
    pub fn next(&self) -> io::Result<Option<Signal>> {
        let info = self.fd.read_signal()?;
        Ok(info.and_then(|info| Signal::try_from(info.ssi_signo.cast_signed()).ok()))
    }

    /// Becomes readable when a signal comes.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
