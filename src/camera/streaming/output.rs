//! Where sealed datagrams go: to one address or group, or to paired viewers.

use std::os::fd::BorrowedFd;

use crate::camera::crowd::Crowd;
use crate::net::{MediaSender, SendCounters, Sent};
use crate::time::Instant;

/// The network's side of a stream.
pub(super) enum Output {
    /// One address or group.
    One(Box<MediaSender>),
    /// Whoever has come.
    Many(Box<Crowd>),
}

impl Output {
    /// Sends a run as far as the network takes it.
    pub(super) fn send_run(&mut self, run: &[u8], datagram: usize) -> Sent {
        match self {
            Self::One(socket) => socket.send_run(run, datagram),
            Self::Many(crowd) => crowd.send_run(run, datagram),
        }
    }

    /// What was being sent is given up.
    pub(super) fn give_up(&mut self) {
        if let Self::Many(crowd) = self {
            crowd.give_up();
        }
    }

    /// Mends what the network broke.
    pub(super) fn tend(&mut self, now: Instant) {
        match self {
            Self::One(socket) => {
                if let Some(turn) = socket.tend(now) {
                    log::warn!("{turn}");
                }
            }
            Self::Many(crowd) => crowd.tend(now),
        }
    }

    pub(super) fn counters(&self) -> SendCounters {
        match self {
            Self::One(socket) => socket.counters(),
            Self::Many(crowd) => crowd.sent(),
        }
    }

    /// The socket in which there was no room.
    pub(super) fn full(&self) -> BorrowedFd<'_> {
        match self {
            Self::One(socket) => socket.as_fd(),
            Self::Many(crowd) => crowd.full(),
        }
    }

    /// The socket to the one destination.
    pub(super) const fn one(&self) -> Option<&MediaSender> {
        match self {
            Self::One(socket) => Some(socket),
            Self::Many(_) => None,
        }
    }

    pub(super) const fn crowd(&self) -> Option<&Crowd> {
        match self {
            Self::One(_) => None,
            Self::Many(crowd) => Some(crowd),
        }
    }

    pub(super) const fn crowd_mut(&mut self) -> Option<&mut Crowd> {
        match self {
            Self::One(_) => None,
            Self::Many(crowd) => Some(crowd),
        }
    }
}
