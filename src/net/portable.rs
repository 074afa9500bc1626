#![allow(unsafe_code, reason = "if_nametoindex, which neither std nor socket2 offers")]
#![cfg_attr(
    target_os = "linux",
    allow(unreachable_pub, dead_code, reason = "on Linux only its tests use it")
)]
//! The receiver where there is no Linux: one datagram at a time, through socket2 and std.
//!
//! The interface is that of the Linux receiver. What is missing behind it: merged datagrams, the count
//! of datagrams lost to a full buffer, and other traffic of a group's port being left out where the
//! system cannot bind to a group.

use super::group::GroupInterface;
use super::interface::needs_scope;
use super::received::Memory;
use super::{Interface, NetError, Other, Ready, ReceiveCounters, ReceiveOptions};
use crate::time::Duration;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// Room for the longest datagram.
const MESSAGE_ROOM: usize = 65_536;
/// Most datagrams in one batch, so that a flood cannot hold the caller.
const MOST_DATAGRAMS: usize = 64;
/// How long a wait looks at the media alone if there is something else to wait for.
const SLICE: Duration = Duration::from_millis(20);

/// Receives media at an address or from a group.
///
/// [`wait`](Self::wait), then [`receive`](Self::receive) until it returns 0.
#[derive(Debug)]
pub struct MediaReceiver {
    options: ReceiveOptions,
    place: Place,
    socket: UdpSocket,
    granted: usize,
    memory: Memory,
    counters: ReceiveCounters,
}

/// Where to listen, with the interfaces as they are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    at: SocketAddr,
    /// Where a group is joined.
    on: GroupInterface,
}

impl MediaReceiver {
    /// Listens at the address, or joins the group.
    ///
    /// # Errors
    ///
    /// A [`NetError`] that says what is wrong; [`NetError::is_passing`] tells whether waiting may help.
    pub fn open(options: &ReceiveOptions) -> Result<Self, NetError> {
        let place = Place::resolve(options)?;
        let socket = place.open()?;
        // A system that grants less cuts the wish or refuses it; either way the grant is read.
        let _ = socket.set_recv_buffer_size(options.buffer);
        let granted = socket.recv_buffer_size().unwrap_or(0);
        Ok(Self {
            options: options.clone(),
            place,
            socket: socket.into(),
            granted,
            memory: Memory::new(MESSAGE_ROOM),
            counters: ReceiveCounters::default(),
        })
    }

    /// Takes what waits, at most one batch, and hands `each` datagram over with its source. Returns how
    /// many; 0: nothing waits. Never blocks.
    ///
    /// # Errors
    ///
    /// Only for a broken program, never for what the network does.
    pub fn receive(&mut self, mut each: impl FnMut(&[u8], SocketAddr)) -> io::Result<usize> {
        let mut datagrams = 0;
        for _ in 0..MOST_DATAGRAMS {
            self.counters.system_calls += 1;
            match self.socket.recv_from(&mut self.memory.0) {
                Ok((len, from)) => {
                    let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                    datagrams += 1;
                    self.counters.messages += 1;
                    self.counters.datagrams += 1;
                    self.counters.bytes += len as u64;
                    each(self.memory.0.get(..len).unwrap_or_default(), from);
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => break,
                    ErrorKind::InvalidInput => return Err(error),
                    // Windows reports ICMP here.
                    _ => self.counters.faults += 1,
                },
            }
        }
        Ok(datagrams)
    }

    /// Sends one datagram from the socket that receives, so that the answer finds the way back. Never blocks.
    ///
    /// # Errors
    ///
    /// What the system says: there may be no way there now, or for the moment no room.
    pub fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket
            .send_to(datagram, super::target::for_socket(self.place.at, to, self.place.on.index))
            .map(drop)
    }

    /// Waits until this socket or `second` has datagrams, as [`wait`](Self::wait) does for one.
    ///
    /// # Errors
    ///
    /// Only for a broken program.
    pub fn wait_with(&self, second: &Self, timeout: Duration, also: Option<Other<'_>>) -> io::Result<Ready> {
        // std waits for one socket: the second one, where most comes; the caller looks at both.
        second.wait(timeout.min(SLICE), also).map(|ready| Ready { media: true, ..ready })
    }

    /// Waits until there are datagrams, `also` may be readable, or `timeout` has passed.
    ///
    /// std can wait for one socket only. If there is something else, this returns after 20 ms at the
    /// latest and leaves it to the caller to look at it.
    ///
    /// # Errors
    ///
    /// Only for a broken program.
    pub fn wait(&self, timeout: Duration, also: Option<Other<'_>>) -> io::Result<Ready> {
        let timeout = if also.is_some() { timeout.min(SLICE) } else { timeout };
        self.socket.set_nonblocking(false)?;
        // No time at all would mean for ever.
        self.socket.set_read_timeout(Some(timeout.max(Duration::from_millis(1))))?;
        let peeked = self.socket.peek_from(&mut [0; 1]);
        self.socket.set_nonblocking(true)?;
        let silent = |error: &io::Error| {
            matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
        };
        // Windows complains that one byte is not enough for a datagram, which says that there is one.
        Ok(Ready { media: !peeked.as_ref().is_err_and(silent), also: also.is_some() })
    }

    /// Leaves the group and joins it again, on the interface that has the name now. Returns false if this
    /// is no group.
    ///
    /// # Errors
    ///
    /// The interface or the route is not there (yet): the receiver stays as it was, call again later.
    pub fn renew_membership(&mut self) -> Result<bool, NetError> {
        let place = Place::resolve(&self.options)?;
        if place != self.place {
            let renewed = Self::open(&self.options)?;
            *self = Self { counters: self.counters, ..renewed };
            return Ok(true);
        }
        if !place.at.ip().is_multicast() {
            return Ok(false);
        }
        let socket = socket2::SockRef::from(&self.socket);
        place.on.leave(&socket, place.at);
        place.on.join(&socket, place.at).map(|()| true)
    }

    /// Receive buffer granted \[bytes\].
    #[must_use]
    pub const fn granted(&self) -> usize {
        self.granted
    }

    /// What to tell the person in charge if the system granted a smaller receive buffer than asked for.
    #[must_use]
    pub fn buffer_warning(&self) -> Option<String> {
        (self.granted < self.options.buffer).then(|| {
            format!(
                "the system grants a receive buffer of {} bytes where {} were asked for: a frame's burst may not \
                 fit and is lost; on macOS `sysctl -w kern.ipc.maxsockbuf=` raises the limit",
                self.granted, self.options.buffer
            )
        })
    }

    /// What was taken so far.
    #[must_use]
    pub const fn counters(&self) -> ReceiveCounters {
        self.counters
    }

    /// The address and port that the socket is bound to.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }

    /// The socket, to wait for datagrams together with other things.
    #[cfg(unix)]
    #[must_use]
    pub fn as_fd(&self) -> Other<'_> {
        std::os::fd::AsFd::as_fd(&self.socket)
    }

    /// The socket, to wait for datagrams together with other things.
    #[cfg(windows)]
    #[must_use]
    pub fn as_fd(&self) -> Other<'_> {
        std::os::windows::io::AsSocket::as_socket(&self.socket)
    }
}

impl Place {
    fn resolve(options: &ReceiveOptions) -> Result<Self, NetError> {
        let mut place = Self { at: options.at, on: GroupInterface::default() };
        match &options.interface {
            None => {}
            Some(Interface::Address(IpAddr::V4(address))) if options.at.is_ipv4() => {
                place.on.address = Some(*address);
            }
            Some(Interface::Index(index)) => place.on.index = *index,
            Some(Interface::Name(name)) if index_of(name) != 0 => place.on.index = index_of(name),
            Some(asked) => {
                let existing =
                    "an IPv4 group takes an IPv4 address or an index, an IPv6 group a name or an index";
                return Err(NetError::NoInterface { asked: asked.clone(), existing: existing.to_owned() });
            }
        }
        if let (true, Some(address)) = (place.at.ip().is_unspecified(), place.on.address) {
            place.at.set_ip(address.into());
        }
        if let SocketAddr::V6(v6) = &mut place.at
            && needs_scope(*v6.ip())
        {
            if place.on.index != 0 {
                v6.set_scope_id(place.on.index);
            }
            if v6.scope_id() == 0 {
                let existing = "give its index".to_owned();
                return Err(NetError::InterfaceNeeded { address: options.at.ip(), existing });
            }
            place.on.index = v6.scope_id();
        }
        Ok(place)
    }

    fn open(&self) -> Result<Socket, NetError> {
        let at = self.at;
        let group = at.ip().is_multicast();
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))
            .map_err(NetError::system("open a UDP socket", at))?;
        socket.set_nonblocking(true).map_err(NetError::system("make the socket non-blocking", at))?;
        if group {
            share(&socket).map_err(NetError::system("share the group's port", at))?;
        }
        if at.is_ipv6() {
            socket.set_only_v6(!at.ip().is_unspecified()).map_err(NetError::system("choose IPv6", at))?;
        }
        let mut bind = at;
        if cfg!(windows) && group {
            bind.set_ip(if at.is_ipv4() {
                Ipv4Addr::UNSPECIFIED.into()
            } else {
                std::net::Ipv6Addr::UNSPECIFIED.into()
            });
        }
        socket.bind(&SockAddr::from(bind)).map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => NetError::InUse { at },
            ErrorKind::AddrNotAvailable => {
                NetError::NotHere { at, existing: "see the system's settings".to_owned() }
            }
            _ => NetError::System { doing: "listen", at, error },
        })?;
        if group {
            self.on.join(&socket, at)?;
        }
        Ok(socket)
    }
}

/// Lets several receivers on this machine join one group.
fn share(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    // The BSDs want both.
    #[cfg(all(unix, not(target_os = "linux")))]
    socket.set_reuse_port(true)?;
    Ok(())
}

/// The index of an interface, 0 if there is none of that name.
#[cfg(unix)]
fn index_of(name: &str) -> u32 {
    let Ok(name) = std::ffi::CString::new(name) else { return 0 };
    // SAFETY: `name` is a string that ends in a zero, which the call only reads.
    unsafe { libc::if_nametoindex(name.as_ptr()) }
}

/// Interfaces have no short names here.
#[cfg(not(unix))]
const fn index_of(_name: &str) -> u32 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(2);

    fn open(at: &str, interface: Option<&str>) -> Result<MediaReceiver, NetError> {
        let interface = interface.map(|text| text.parse().unwrap());
        MediaReceiver::open(&ReceiveOptions { interface, ..ReceiveOptions::new(at.parse().unwrap()) })
    }

    fn collect(receiver: &mut MediaReceiver) -> Vec<(Vec<u8>, SocketAddr)> {
        let mut got = Vec::new();
        assert!(receiver.wait(SOON, None).unwrap().media, "nothing came");
        while receiver.receive(|datagram, from| got.push((datagram.to_vec(), from))).unwrap() > 0 {}
        got
    }

    #[test]
    fn datagrams_arrive_with_their_source() {
        for (at, ip) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1"), ("[::]:0", "127.0.0.1")] {
            let mut receiver = open(at, None).unwrap();
            let ip: IpAddr = ip.parse().unwrap();
            let sender = UdpSocket::bind((ip, 0)).unwrap();
            let to = (ip, receiver.local_addr().unwrap().port());
            for datagram in [vec![1; 1200], vec![], vec![2; 60_000]] {
                sender.send_to(&datagram, to).unwrap();
                assert_eq!(collect(&mut receiver), [(datagram, sender.local_addr().unwrap())]);
            }
            assert_eq!(receiver.counters().datagrams, 3);
            assert_eq!(receiver.counters().bytes, 61_200);
            assert!(!receiver.renew_membership().unwrap(), "no group");
        }
    }

    #[test]
    fn a_batch_ends_so_that_a_flood_cannot_hold_the_caller() {
        let mut receiver = open("127.0.0.1:0", None).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..=MOST_DATAGRAMS {
            sender.send_to(b"x", receiver.local_addr().unwrap()).unwrap();
        }
        assert_eq!(receiver.receive(|_, _| ()).unwrap(), MOST_DATAGRAMS);
        assert_eq!(receiver.receive(|_, _| ()).unwrap(), 1);
        assert_eq!(receiver.receive(|_, _| ()).unwrap(), 0);
    }

    #[test]
    fn a_wait_ends_by_itself_and_sooner_with_something_else_to_look_at() {
        let receiver = open("127.0.0.1:0", None).unwrap();
        assert_eq!(receiver.wait(Duration::ZERO, None).unwrap(), Ready::default());
        let other = Some(receiver.as_fd());
        assert_eq!(
            receiver.wait(Duration::from_secs(600), other).unwrap(),
            Ready { media: false, also: true }
        );
    }

    #[test]
    fn several_receivers_join_a_group_by_address_name_or_index() {
        let mut first = open("239.255.77.9:0", Some("127.0.0.1")).unwrap();
        let to = first.local_addr().unwrap();
        let mut second = open(&to.to_string(), Some("lo")).unwrap();
        let mut third = open(&to.to_string(), Some(&index_of("lo").to_string())).unwrap();
        let sender = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        sender.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
        for _ in 0..2 {
            sender.send_to(b"to all", &to.into()).unwrap();
            for receiver in [&mut first, &mut second, &mut third] {
                assert_eq!(collect(receiver)[0].0, b"to all");
                assert!(receiver.renew_membership().unwrap());
            }
        }
    }

    #[test]
    fn what_cannot_be_opened_is_explained() {
        let taken = open("127.0.0.1:0", None).unwrap();
        let taken = taken.local_addr().unwrap().to_string();
        let _taken = UdpSocket::bind(&taken);
        let cases = [
            ("203.0.113.7:5004", None, "no interface has that address"),
            ("239.1.1.1:5004", Some("nosuch0"), "no network interface nosuch0"),
            ("[ff02::1234]:5004", None, "link-local"),
            (taken.as_str(), None, "another program"),
        ];
        for (at, interface, words) in cases {
            let error = open(at, interface).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
