//! One socket for many viewers: it hears all of them, and sends runs to each.

use super::batch::{Batcher, Calls, SendCounters, Sent};
use super::buffers::{self, Side};
use super::connect::{forbid_fragments, mark};
use super::links;
use super::place::Wildcard;
use super::sys;
use super::{Batching, Interface, MediaReceiver, NetError, ReceiveCounters, ReceiveOptions, SendOptions};
use nix::errno::Errno;
use socket2::{SockAddr, Socket};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::BorrowedFd;

/// The longest UDP payload over IPv4, the shorter of the two.
const LONGEST: usize = 65_507;

/// Where and how to meet viewers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManyOptions {
    /// The address to listen at; `[::]` is all addresses of both families.
    pub at: SocketAddr,
    /// The interface that viewers come in by if the address is a wildcard, whatever addresses it has.
    pub interface: Option<Interface>,
    /// How many routers a datagram may pass, 1..=255.
    pub ttl: Option<u8>,
    /// Differentiated services code point, 0..=63.
    pub dscp: u8,
    /// Bytes of datagrams that may wait in the kernel to be sent.
    pub send_buffer: usize,
}

impl ManyOptions {
    /// At `at`, everything else at its default.
    #[must_use]
    pub const fn new(at: SocketAddr) -> Self {
        // More than for one viewer: a run goes to all of them at once.
        Self { at, interface: None, ttl: None, dscp: super::DEFAULT_DSCP, send_buffer: 1 << 20 }
    }
}

/// Hears and answers many viewers. Nothing that the network does ends it.
#[derive(Debug)]
pub struct ManySocket {
    options: ManyOptions,
    /// The socket has all its options.
    prepared: bool,
    receiver: MediaReceiver,
    batcher: Batcher,
    /// Whether IPv4 addresses must be written as IPv6 ones (RFC 4291 section 2.5.5.2).
    maps_v4: bool,
}

impl ManySocket {
    /// Listens at the address.
    ///
    /// # Errors
    ///
    /// A [`NetError`] that says what is wrong.
    pub fn open(options: &ManyOptions) -> Result<Self, NetError> {
        if options.dscp > 63 {
            return Err(NetError::Dscp(options.dscp));
        }
        let mut options = options.clone();
        if let Some(named @ Interface::Address(_)) = &options.interface
            && options.at.ip().is_unspecified()
        {
            // It may get another address; its name stays.
            options.interface = Some(Interface::Name(links::find(named)?.name));
        }
        let receive =
            ReceiveOptions { interface: options.interface.clone(), ..ReceiveOptions::new(options.at) };
        let receiver = MediaReceiver::open_at(&receive, Wildcard::ComesInBy)?;
        prepare_all(&receiver, &options)?;
        let offload = sys::get_int(receiver.socket_ref(), libc::SOL_UDP, libc::UDP_SEGMENT).is_ok();
        let best = if offload { Batching::Segmentation } else { Batching::Messages };
        let (batcher, maps_v4) = (Batcher::new(best, LONGEST), options.at.is_ipv6());
        Ok(Self { options, prepared: true, receiver, batcher, maps_v4 })
    }

    /// Listens anew if the interface was unplugged and has returned. Says whether it does. Call about once a second;
    /// without an interface it costs nothing.
    ///
    /// The descriptor of [`as_fd`](Self::as_fd) is another one then.
    ///
    /// # Errors
    ///
    /// The interface is not there (yet), or the new socket could not be set up: call again later.
    pub fn tend(&mut self) -> Result<bool, NetError> {
        if self.options.interface.is_none() {
            return Ok(false);
        }
        self.prepared &= !self.receiver.renew_membership()?;
        if self.prepared {
            return Ok(false);
        }
        prepare_all(&self.receiver, &self.options)?;
        self.prepared = true;
        Ok(true)
    }

    /// Takes what waits, at most one batch, as [`MediaReceiver::receive`] does.
    ///
    /// # Errors
    ///
    /// Only for a broken program.
    pub fn receive(&mut self, each: impl FnMut(&[u8], SocketAddr)) -> io::Result<usize> {
        self.receiver.receive(each)
    }

    /// Sends one datagram; one that cannot be sent now is lost, as the network loses them.
    pub fn send_to(&mut self, datagram: &[u8], to: SocketAddr) -> bool {
        let to = self.written(to);
        self.batcher.counters.system_calls += 1;
        let sent = sys::send_one(self.receiver.as_fd(), Some(&to), datagram).is_ok();
        self.batcher.counters.datagrams += u64::from(sent);
        self.batcher.counters.bytes += if sent { datagram.len() as u64 } else { 0 };
        sent
    }

    /// Sends `run` to one viewer, as [`MediaSender::send_run`](super::MediaSender::send_run) does.
    ///
    /// # Panics
    ///
    /// If `datagram` is 0.
    pub fn send_run(&mut self, run: &[u8], datagram: usize, to: SocketAddr) -> Sent {
        let written = self.written(to);
        let mut kernel = Kernel { fd: self.receiver.as_fd(), to: &written, plain: to };
        self.batcher.send_run(&mut kernel, run, datagram)
    }

    fn written(&self, to: SocketAddr) -> SockAddr {
        match to {
            SocketAddr::V4(v4) if self.maps_v4 => {
                SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port())).into()
            }
            to => to.into(),
        }
    }

    /// What to tell the person in charge if the system granted a smaller receive buffer than asked for.
    #[must_use]
    pub fn buffer_warning(&self) -> Option<String> {
        self.receiver.buffer_warning()
    }

    /// What was sent so far.
    #[must_use]
    pub const fn counters(&self) -> SendCounters {
        self.batcher.counters
    }

    /// What was taken so far.
    #[must_use]
    pub const fn received(&self) -> ReceiveCounters {
        self.receiver.counters()
    }

    /// The address and port that viewers come to.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.receiver.local_addr()
    }

    /// The socket, to wait for datagrams and for room in its buffer.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}

/// Everything that a socket needs besides being there.
fn prepare_all(receiver: &MediaReceiver, options: &ManyOptions) -> Result<(), NetError> {
    let at = receiver.local_addr().unwrap_or(options.at);
    let socket = receiver.socket_ref();
    let families: &[SocketAddr] = &[(Ipv6Addr::UNSPECIFIED, 0).into(), (Ipv4Addr::UNSPECIFIED, 0).into()];
    let both = at.is_ipv6() && at.ip().is_unspecified();
    for family in families.iter().filter(|family| both || family.is_ipv4() == at.is_ipv4()) {
        prepare(socket, *family, options).map_err(NetError::system("set up the socket", at))?;
    }
    buffers::ask(socket, Side::Send, options.send_buffer);
    Ok(())
}

fn prepare(socket: &Socket, family: SocketAddr, options: &ManyOptions) -> io::Result<()> {
    forbid_fragments(socket, family)?;
    mark(socket, family, options.dscp)?;
    match options.ttl.map(u32::from) {
        Some(ttl) if family.is_ipv4() => socket.set_ttl_v4(ttl),
        Some(ttl) => socket.set_unicast_hops_v6(ttl),
        None => Ok(()),
    }
}

/// The system calls towards one viewer.
struct Kernel<'a> {
    fd: BorrowedFd<'a>,
    to: &'a SockAddr,
    plain: SocketAddr,
}

impl Calls for Kernel<'_> {
    fn segmented(&mut self, bytes: &[u8], datagram: usize) -> Result<usize, Errno> {
        let segment = u16::try_from(datagram).map_err(|_| Errno::EMSGSIZE)?;
        sys::send_segmented(self.fd, Some(self.to), bytes, segment)
    }

    fn many(&mut self, bytes: &[u8], datagram: usize) -> Result<usize, Errno> {
        sys::send_many(self.fd, Some(self.to), bytes, datagram)
    }

    fn single(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        sys::send_one(self.fd, Some(self.to), bytes)
    }

    /// Asks the route by a socket of its own, for this one is not connected. Only when something was too large.
    fn limit(&self) -> Option<usize> {
        super::MediaSender::open(&SendOptions::new(self.plain)).ok()?.max_datagram()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn viewers_of_both_families_are_heard_and_get_whole_runs() {
        let mut many = ManySocket::open(&ManyOptions::new("[::]:0".parse().unwrap())).unwrap();
        let port = many.local_addr().unwrap().port();
        for place in ["127.0.0.1", "::1"] {
            let viewer = std::net::UdpSocket::bind((place, 0)).unwrap();
            viewer.set_read_timeout(Some(core::time::Duration::from_secs(5))).unwrap();
            viewer.send_to(b"hello", (place, port)).unwrap();
            let mut heard = None;
            while heard.is_none() {
                many.receive(|datagram, from| heard = Some((datagram.to_vec(), from))).unwrap();
            }
            let (said, from) = heard.unwrap();
            assert_eq!((said.as_slice(), from), (&b"hello"[..], viewer.local_addr().unwrap()));
            let run: Vec<u8> = (0..2_500).map(|at| (at / 1_000) as u8).collect();
            let sent = many.send_run(&run, 1_000, from);
            assert_eq!((sent.bytes, sent.outcome), (2_500, Outcome::All));
            assert!(many.send_to(b"bye", from));
            let mut buffer = [0; 2_000];
            for (nth, len) in [1_000, 1_000, 500].into_iter().enumerate() {
                assert_eq!(viewer.recv(&mut buffer).unwrap(), len);
                assert!(buffer[..len].iter().all(|byte| usize::from(*byte) == nth));
            }
            assert_eq!(viewer.recv(&mut buffer).unwrap(), 3);
        }
        assert_eq!(many.counters().datagrams, 8);
    }

    #[test]
    fn what_does_not_pass_is_told_with_the_routes_limit() {
        let mut many = ManySocket::open(&ManyOptions::new("127.0.0.1:0".parse().unwrap())).unwrap();
        let to = "127.0.0.1:9".parse().unwrap();
        let sent = many.send_run(&vec![0; 66_000], 66_000, to);
        assert!(matches!(sent.outcome, Outcome::TooLarge { limit: Some(_) }), "{sent:?}");
    }
}
