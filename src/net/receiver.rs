//! The receiving socket: batches, merged datagrams, group membership.

use super::buffers::{self, Side};
use super::place::{Place, Wildcard};
use super::received::Memory;
use super::sys::{self, MOST_MESSAGES, Received};
use super::{NetError, Other, Ready, ReceiveCounters, ReceiveOptions};
use crate::time::Duration;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use socket2::Socket;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

/// Room for one message: the longest UDP payload, which the kernel also keeps to when it merges.
const MESSAGE_ROOM: usize = 65_536;
/// Errors reported by ICMP or by a lost interface that one call steps over.
const MOST_FAULTS: usize = 8;

/// Receives media at an address or from a group, in batches.
///
/// [`wait`](Self::wait), then [`receive`](Self::receive) until it returns 0. Where the sender used
/// segmentation offload, the kernel hands over whole trains of datagrams, which are cut here.
#[derive(Debug)]
pub struct MediaReceiver {
    options: ReceiveOptions,
    wildcard: Wildcard,
    place: Place,
    socket: Socket,
    /// Receive buffer granted \[bytes\].
    granted: usize,
    /// [`MOST_MESSAGES`] times [`MESSAGE_ROOM`]; the kernel touches only what it fills.
    memory: Memory,
    about: [Received; MOST_MESSAGES],
    /// The last batch was not full: nothing more waited.
    emptied: bool,
    /// The kernel's own count of lost datagrams as last seen; it wraps.
    lost_seen: u32,
    counters: ReceiveCounters,
}

impl MediaReceiver {
    /// Listens at the address, or joins the group.
    ///
    /// # Errors
    ///
    /// A [`NetError`] that says what is wrong; [`NetError::is_passing`] tells whether waiting may help.
    pub fn open(options: &ReceiveOptions) -> Result<Self, NetError> {
        Self::open_at(options, Wildcard::OwnAddress)
    }

    /// As [`open`](Self::open), and if the address is a wildcard, `wildcard` says what that is on an interface.
    pub(super) fn open_at(options: &ReceiveOptions, wildcard: Wildcard) -> Result<Self, NetError> {
        let place = Place::resolve(options, wildcard)?;
        let (socket, granted) = Self::socket(&place, options)?;
        let mut options = options.clone();
        // Where the system chose one, it stays.
        if let Some(bound) = socket.local_addr().ok().and_then(|bound| bound.as_socket()) {
            options.at.set_port(bound.port());
        }
        Ok(Self {
            options,
            wildcard,
            place,
            socket,
            granted,
            memory: Memory::new(MOST_MESSAGES * MESSAGE_ROOM),
            about: [Received::default(); MOST_MESSAGES],
            emptied: false,
            lost_seen: 0,
            counters: ReceiveCounters::default(),
        })
    }

    fn socket(place: &Place, options: &ReceiveOptions) -> Result<(Socket, usize), NetError> {
        let socket = place.open()?;
        let granted = buffers::ask(&socket, Side::Receive, options.buffer);
        // Kernels without them (before 5.0) just do not merge, or do not count.
        let _ = sys::set_int(&socket, libc::SOL_UDP, libc::UDP_GRO, 1);
        let _ = sys::set_int(&socket, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1);
        Ok((socket, granted))
    }

    /// Takes what waits, at most one batch, and hands `each` datagram over with its source. Returns how
    /// many; 0: nothing waits, or nothing did when the last batch was taken: the kernel is not asked again
    /// right after a batch that was not full. Never blocks, allocates nothing.
    ///
    /// # Errors
    ///
    /// Only for a broken program, never for what the network does.
    pub fn receive(&mut self, mut each: impl FnMut(&[u8], SocketAddr)) -> io::Result<usize> {
        if std::mem::take(&mut self.emptied) {
            return Ok(0);
        }
        let mut faults = 0;
        let messages = loop {
            self.counters.system_calls += 1;
            let (memory, about) = (&mut self.memory.0, &mut self.about);
            match sys::receive_many(self.socket.as_fd(), memory, MESSAGE_ROOM, about) {
                Ok(messages) => break messages,
                Err(Errno::EAGAIN) => return Ok(0),
                Err(error @ (Errno::EBADF | Errno::EFAULT | Errno::EINVAL | Errno::ENOTSOCK)) => {
                    return Err(error.into());
                }
                Err(_) => {
                    self.counters.faults += 1;
                    faults += 1;
                    if faults == MOST_FAULTS {
                        return Ok(0);
                    }
                }
            }
        };
        self.emptied = messages < MOST_MESSAGES;
        let before = self.counters.datagrams;
        for (about, bytes) in self.about.iter().zip(self.memory.0.chunks_exact(MESSAGE_ROOM)).take(messages) {
            self.counters.messages += 1;
            if let Some(lost) = about.lost {
                self.counters.lost += u64::from(lost.wrapping_sub(self.lost_seen));
                self.lost_seen = lost;
            }
            self.counters.cut += u64::from(about.cut);
            let (Some(bytes), Some(from)) = (bytes.get(..about.len), about.from) else { continue };
            cut(bytes, about, |datagram| {
                self.counters.datagrams += 1;
                self.counters.bytes += datagram.len() as u64;
                each(datagram, from);
            });
        }
        Ok(usize::try_from(self.counters.datagrams - before).unwrap_or(usize::MAX))
    }

    /// Sends one datagram from the socket that receives, so that the answer finds the way back. Never blocks.
    ///
    /// # Errors
    ///
    /// What the system says: there may be no way there now, or for the moment no room.
    pub fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.send_to(datagram, &self.place.target(to).into()).map(drop)
    }

    /// Waits until this socket or `second` has datagrams, as [`wait`](Self::wait) does for one.
    ///
    /// # Errors
    ///
    /// Only for a broken program.
    pub fn wait_with(&self, second: &Self, timeout: Duration, also: Option<Other<'_>>) -> io::Result<Ready> {
        let [first, second, other] =
            poll([self.as_fd(), second.as_fd(), also.unwrap_or(self.as_fd())], timeout)?;
        Ok(Ready { media: first || second, also: also.is_some() && other })
    }

    /// Waits until there are datagrams, `also` is readable, or `timeout` has passed. A signal ends it
    /// early, with nothing ready.
    ///
    /// # Errors
    ///
    /// Only for a broken program.
    pub fn wait(&self, timeout: Duration, also: Option<Other<'_>>) -> io::Result<Ready> {
        let [media, other] = poll([self.as_fd(), also.unwrap_or(self.as_fd())], timeout)?;
        Ok(Ready { media, also: also.is_some() && other })
    }

    /// Leaves the group and joins it again, on the interface that has the name or address now. Returns
    /// false if this is no group and nothing changed.
    ///
    /// A switch or an access point that forgot the membership learns of it, and an adapter that came back
    /// under another index is used again. Call it after some seconds of silence, or when an interface
    /// returns. Where the place to listen at moved, a new socket is opened; the descriptor of
    /// [`as_fd`](Self::as_fd) is another one then.
    ///
    /// # Errors
    ///
    /// The interface or the route is not there (yet): the receiver stays as it was, call again later.
    pub fn renew_membership(&mut self) -> Result<bool, NetError> {
        let place = Place::resolve(&self.options, self.wildcard)?;
        if !place.is_bound_like(&self.place) {
            let (socket, granted) = Self::socket(&place, &self.options)?;
            (self.place, self.socket, self.granted, self.lost_seen) = (place, socket, granted, 0);
            return Ok(true);
        }
        if !place.is_group() {
            return Ok(false);
        }
        self.place.leave(&self.socket);
        place.join(&self.socket)?;
        self.place = place;
        Ok(true)
    }

    /// Receive buffer granted \[bytes\].
    #[must_use]
    pub const fn granted(&self) -> usize {
        self.granted
    }

    /// What to tell the person in charge if the system granted a smaller receive buffer than asked for.
    #[must_use]
    pub fn buffer_warning(&self) -> Option<String> {
        buffers::warning(Side::Receive, self.options.buffer, self.granted)
    }

    /// What was taken so far.
    #[must_use]
    pub const fn counters(&self) -> ReceiveCounters {
        self.counters
    }

    /// The address and port that the socket is bound to.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()?.as_socket()
    }

    /// The socket itself, for whoever also sends from it.
    pub(super) const fn socket_ref(&self) -> &Socket {
        &self.socket
    }

    /// The socket, to wait for datagrams together with other things.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Which of `fds` are readable by the end of `timeout`; none if a signal ended the wait. One may stand there twice.
fn poll<const N: usize>(fds: [BorrowedFd<'_>; N], timeout: Duration) -> io::Result<[bool; N]> {
    let mut polled = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    match ppoll(&mut polled, Some(TimeSpec::from_duration(timeout)), None) {
        Ok(_) => Ok(polled.map(|fd| fd.any().unwrap_or(false))),
        Err(Errno::EINTR) => Ok([false; N]),
        Err(error) => Err(error.into()),
    }
}

/// Cuts a message into the datagrams that the kernel merged. What a full buffer cut short is left out:
/// no half datagram is handed over.
fn cut(bytes: &[u8], about: &Received, mut each: impl FnMut(&[u8])) {
    match about.segment {
        Some(segment) if about.cut => bytes.chunks_exact(segment).for_each(each),
        // An empty datagram is a datagram, but no chunk.
        Some(segment) if !bytes.is_empty() => bytes.chunks(segment).for_each(each),
        _ if about.cut => {}
        _ => each(bytes),
    }
}
