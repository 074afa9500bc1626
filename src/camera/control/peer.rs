#![allow(unsafe_code, reason = "asks the kernel for a peer's groups, for which there is no safe call")]
//! Who is at the other end of a connection.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::libc;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// Groups that are asked for; a process of more is judged by the first ones.
const MOST_GROUPS: usize = 256;

/// A peer as the kernel knew it when it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Peer {
    pub(super) fn of(socket: BorrowedFd<'_>) -> io::Result<Self> {
        let credentials = getsockopt(&socket, PeerCredentials)?;
        Ok(Self { uid: credentials.uid(), gid: credentials.gid() })
    }
}

/// Whether the peer is in `group` besides its own group.
pub(super) fn has_group(socket: BorrowedFd<'_>, group: u32) -> bool {
    let mut groups: [libc::gid_t; MOST_GROUPS] = [0; MOST_GROUPS];
    let mut length = size_of_val(&groups) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to the array, and how many it were to `length`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    let count = (length as usize / size_of::<libc::gid_t>()).min(MOST_GROUPS);
    result == 0 && groups[..count].contains(&group)
}
