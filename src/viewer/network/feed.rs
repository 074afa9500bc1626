//! Where frames come from: a stream under a shared key, or a paired camera.

use std::io;

use super::inlet::Inlet;
use super::paired::PairedFeed;
use super::shared::SharedFeed;
use crate::exit::RunError;
use crate::net::{Other, Ready};
use crate::time::{Duration, Instant};
use crate::viewer::figures::Totals;
use crate::viewer::report::Identity;

/// Where frames come from.
pub enum Feed {
    /// A stream under a shared key.
    Shared(Box<SharedFeed>),
    /// A paired camera.
    Paired(Box<PairedFeed>),
}

impl Feed {
    /// Sends what is due.
    pub(super) fn speak(&mut self, now: Instant) {
        if let Self::Paired(feed) = self {
            feed.speak(now);
        }
    }

    /// When there is something to send at the latest.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        match self {
            Self::Shared(_) => None,
            Self::Paired(feed) => feed.next_wake(),
        }
    }

    /// Waits for datagrams, for `also`, or for `timeout`.
    pub(super) fn wait(&self, timeout: Duration, also: Option<Other<'_>>) -> io::Result<Ready> {
        match self {
            Self::Shared(feed) => feed.wait(timeout, also),
            Self::Paired(feed) => feed.wait(timeout, also),
        }
    }

    /// Takes what has come, one batch, and gives whole frames to `inlet`; returns how many datagrams that were.
    pub(super) fn receive(&mut self, now: Instant, inlet: &mut Inlet) -> io::Result<usize> {
        match self {
            Self::Shared(feed) => feed.receive(now, inlet),
            Self::Paired(feed) => feed.receive(now, inlet),
        }
    }

    /// Everything that is done a few times a second.
    pub(super) fn tend(&mut self, now: Instant) -> Result<(), RunError> {
        match self {
            Self::Shared(feed) => feed.tend(now),
            Self::Paired(feed) => feed.tend(now),
        }
    }

    /// Why there is no picture, or no new one.
    pub(super) fn trouble(&self, now: Instant) -> Option<String> {
        match self {
            Self::Shared(feed) => feed.trouble(now),
            Self::Paired(feed) => feed.trouble(now),
        }
    }

    /// Who is being watched.
    pub(super) const fn identity(&self) -> &Identity {
        match self {
            Self::Shared(feed) => feed.identity(),
            Self::Paired(feed) => feed.identity(),
        }
    }

    /// What has come so far.
    pub(super) fn totals(&self) -> Totals {
        match self {
            Self::Shared(feed) => feed.totals(),
            Self::Paired(feed) => feed.totals(),
        }
    }

    /// Takes leave.
    pub(super) fn finish(self, now: Instant) {
        match self {
            Self::Shared(feed) => feed.finish(),
            Self::Paired(feed) => feed.finish(now),
        }
    }
}
