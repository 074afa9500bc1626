//! The socket of a paired viewer: it sends and receives, and outlives changes of the network.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::exit::RunError;
use crate::net::{Interface, MediaReceiver, NetError, ReceiveCounters, ReceiveOptions};
use crate::time::{Duration, Instant};

/// Between one new socket and the next.
const RETRY: Duration = Duration::from_secs(1);
/// Where nothing could be sent for so long, a new socket may: the one at hand may hold on to an address that this
/// machine has no longer.
const PATIENCE: Duration = Duration::from_millis(400);

/// A socket at a port of the system's choice.
#[derive(Debug)]
pub struct PairedSocket {
    options: ReceiveOptions,
    socket: Option<MediaReceiver>,
    /// Why there is no socket, or nothing can be sent.
    trouble: Option<String>,
    /// Since when nothing could be sent.
    failing: Option<Instant>,
    act_at: Instant,
    /// What the sockets before have taken.
    before: ReceiveCounters,
}

impl PairedSocket {
    /// Opens a socket by which `addresses` are reached; those that it cannot reach are taken out. There may be none yet.
    ///
    /// # Errors
    ///
    /// [`RunError`] for what no waiting mends.
    pub fn open(
        addresses: &mut Vec<SocketAddr>,
        interface: Option<&Interface>,
        now: Instant,
    ) -> Result<Self, RunError> {
        let both = keep_reachable(addresses, interface)?;
        let at = |ip: IpAddr| ReceiveOptions {
            interface: interface.cloned(),
            ..ReceiveOptions::new(SocketAddr::new(ip, 0))
        };
        let own_v6 = match interface {
            Some(Interface::Address(own)) => own.is_ipv6(),
            Some(_) => false,
            None => true,
        };
        // Where none is known yet, as many as possible are to be reached.
        let has_v6 = addresses.iter().any(SocketAddr::is_ipv6) || (addresses.is_empty() && own_v6);
        let ip = if has_v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let mut this = Self {
            options: at(ip),
            socket: None,
            trouble: None,
            failing: None,
            act_at: now + RETRY,
            before: ReceiveCounters::default(),
        };
        match this.renew() {
            Err(why) if both => {
                // A kernel without IPv6.
                log::debug!("{why}; trying IPv4 alone");
                this.options = at(Ipv4Addr::UNSPECIFIED.into());
                addresses.retain(SocketAddr::is_ipv4);
                this.renew()?;
            }
            opened => opened?,
        }
        if let Some(warning) = this.socket.as_ref().and_then(MediaReceiver::buffer_warning) {
            log::warn!("{warning}");
        }
        Ok(this)
    }

    /// Whether datagrams to `address` can be sent from here.
    #[must_use]
    pub fn reaches(&self, address: SocketAddr) -> bool {
        // The wildcard of IPv6 serves both families, an interface's own address does not.
        let own = self.options.at;
        address.is_ipv6() == own.is_ipv6() || (own.is_ipv6() && self.options.interface.is_none())
    }

    /// Opens a new socket in the place of the old one.
    pub(super) fn renew(&mut self) -> Result<(), RunError> {
        self.before = self.counters();
        self.socket = None;
        match MediaReceiver::open(&self.options) {
            Ok(socket) => self.socket = Some(socket),
            Err(why) if why.is_passing() => self.note(why.to_string()),
            Err(why @ NetError::InterfaceNeeded { .. }) => return Err(RunError::usage(why)),
            Err(why) => return Err(RunError::failed(why)),
        }
        Ok(())
    }

    /// The first trouble is told; others until all is well again come of it.
    fn note(&mut self, trouble: String) {
        if self.trouble.is_none() {
            log::warn!("{trouble}; trying again until it works");
            self.trouble = Some(trouble);
        }
    }

    /// Sends one datagram, if that is possible now.
    pub fn send(&mut self, now: Instant, datagram: &[u8], to: SocketAddr) {
        let Some(socket) = &self.socket else { return };
        match socket.send_to(datagram, to) {
            Ok(()) => {
                self.failing = None;
                if self.trouble.take().is_some() {
                    log::info!("the network is back");
                }
            }
            Err(why) if is_of_the_moment(&why) => {}
            Err(why) => {
                log::debug!("sending to {to}: {why}");
                let since = *self.failing.get_or_insert(now);
                if now.since(since) >= PATIENCE {
                    self.note(format!("cannot send to {to}: {why}; is the network up?"));
                }
            }
        }
    }

    /// Opens a new socket if the one at hand is of no use any more. Says whether it did.
    ///
    /// # Errors
    ///
    /// [`RunError`] for what no waiting mends.
    pub fn tend(&mut self, now: Instant) -> Result<bool, RunError> {
        let fails = self.failing.is_some_and(|since| now.since(since) >= PATIENCE);
        if now < self.act_at || (self.socket.is_some() && !fails) {
            return Ok(false);
        }
        self.act_at = now + RETRY;
        self.renew()?;
        Ok(self.socket.is_some())
    }

    /// Hands over the datagrams of one batch, and returns how many they were.
    ///
    /// # Errors
    ///
    /// Only for a broken program.
    pub fn receive(&mut self, each: impl FnMut(&[u8], SocketAddr)) -> io::Result<usize> {
        self.socket.as_mut().map_or(Ok(0), |socket| socket.receive(each))
    }

    /// The socket itself, to wait for datagrams.
    #[must_use]
    pub const fn socket(&self) -> Option<&MediaReceiver> {
        self.socket.as_ref()
    }

    /// Why nothing can be sent or heard at all.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// What has come so far.
    #[must_use]
    pub fn counters(&self) -> ReceiveCounters {
        self.before.and(self.socket.as_ref().map(MediaReceiver::counters).unwrap_or_default())
    }
}

/// Keeps those addresses that one socket reaches. Says whether IPv4 and IPv6 are among them.
fn keep_reachable(addresses: &mut Vec<SocketAddr>, interface: Option<&Interface>) -> Result<bool, RunError> {
    if addresses.is_empty() {
        return Ok(interface.is_none());
    }
    // A socket that is bound to an interface has an address of one family.
    let v4 = match interface {
        Some(Interface::Address(own)) => Some(own.is_ipv4()),
        Some(_) => addresses.first().map(SocketAddr::is_ipv4),
        None => None,
    };
    let Some(v4) = v4 else {
        let of_v4 = addresses.iter().filter(|address| address.is_ipv4()).count();
        return Ok(of_v4 > 0 && of_v4 < addresses.len());
    };
    let all: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    addresses.retain(|address| address.is_ipv4() == v4);
    if addresses.is_empty() {
        return Err(RunError::Usage(format!(
            "--interface: from an {} address the camera cannot be reached at {}; name the interface instead",
            if v4 { "IPv4" } else { "IPv6" },
            all.join(", ")
        )));
    }
    Ok(false)
}

/// Whether a send failed for reasons that say nothing of the way.
fn is_of_the_moment(why: &io::Error) -> bool {
    #[cfg(unix)]
    if why.raw_os_error() == Some(libc::ENOBUFS) {
        return true;
    }
    matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    const START: Instant = Instant::from_millis(5_000);

    fn addresses(text: &str) -> Vec<SocketAddr> {
        text.split_whitespace().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn answers_come_back_to_the_socket_that_has_asked() {
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let camera = UdpSocket::bind(at).unwrap();
            let to = camera.local_addr().unwrap();
            // Of both families, so that the socket is one for both.
            let mut all = vec![to, "192.0.2.1:9".parse().unwrap(), "[2001:db8::1]:9".parse().unwrap()];
            let mut socket = PairedSocket::open(&mut all, None, START).unwrap();
            socket.send(START, b"knock", to);
            let mut buffer = [0; 9];
            let (len, from) = camera.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..len], b"knock");
            camera.send_to(b"who?", from).unwrap();
            assert!(socket.socket().unwrap().wait(Duration::from_secs(5), None).unwrap().media);
            let mut got = vec![];
            socket.receive(|datagram, from| got.push((datagram.to_vec(), from))).unwrap();
            assert_eq!(got, [(b"who?".to_vec(), to)]);
        }
    }

    #[test]
    fn an_interface_decides_which_addresses_are_reached() {
        let both = "[2001:db8::1]:5004 10.0.0.1:5004";
        let cases = [
            (None, both, Some(both), true),
            (None, "10.0.0.1:5004", Some("10.0.0.1:5004"), false),
            (Some("127.0.0.1"), both, Some("10.0.0.1:5004"), false),
            (Some("::1"), both, Some("[2001:db8::1]:5004"), false),
            (Some("eth0"), both, Some("[2001:db8::1]:5004"), false),
            (Some("::1"), "10.0.0.1:5004", None, false),
        ];
        for (interface, given, kept, both) in cases {
            let interface: Option<Interface> = interface.map(|text| text.parse().unwrap());
            let mut left = addresses(given);
            let outcome = keep_reachable(&mut left, interface.as_ref());
            match kept {
                Some(kept) => assert_eq!((outcome, left), (Ok(both), addresses(kept)), "{interface:?}"),
                None => assert!(outcome.unwrap_err().to_string().contains("--interface")),
            }
        }
    }

    #[test]
    fn a_way_that_is_lost_is_looked_for_again() {
        let lost = "[2001:db8:0:ffff::1]:9".parse().unwrap();
        let here = UdpSocket::bind("[::1]:0").unwrap().local_addr().unwrap();
        let interface: Interface = "::1".parse().unwrap();
        let mut socket = PairedSocket::open(&mut vec![lost], Some(&interface), START).unwrap();
        // From the loopback address nothing leaves the machine.
        let mut now = START;
        for _ in 0..20 {
            socket.send(now, b"x", lost);
            now += Duration::from_millis(100);
        }
        if socket.trouble().is_none() {
            return; // A machine with odd routes.
        }
        assert!(socket.trouble().unwrap().contains("is the network up?"));
        let before = socket.socket().unwrap().local_addr();
        assert!(socket.tend(now).unwrap());
        assert_ne!(socket.socket().unwrap().local_addr(), before);
        assert!(!socket.tend(now).unwrap(), "not at once again");
        socket.send(now, b"x", here);
        assert_eq!(socket.trouble(), None);
        assert!(!socket.tend(now + Duration::from_secs(9)).unwrap());
    }
}
