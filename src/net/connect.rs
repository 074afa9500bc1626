//! Opens the socket of a sender: options, source, connection.

use super::buffers::{self, Side};
use super::interface::needs_scope;
use super::links::{self, Link};
use super::{Interface, NetError, SendOptions, sys};
use nix::errno::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Bytes of IP and UDP headers before the payload.
const HEADERS_V4: usize = 20 + 8;
const HEADERS_V6: usize = 40 + 8;
/// Longest IP packet: a 16-bit length.
const LONGEST_PACKET: usize = 65_535;
/// `TC_PRIO_INTERACTIVE_BULK` of `linux/pkt_sched.h`: the class of best effort in the default queue.
const PRIORITY: libc::c_int = 4;

/// A connected socket, and what was found out on the way.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: Socket,
    pub(super) to: SocketAddr,
    /// The interface that the datagrams leave by, if known.
    pub(super) link: Option<Link>,
    /// Send buffer granted \[bytes\].
    pub(super) granted: usize,
    /// Whether the kernel knows segmentation offload. One that does not would ignore the control
    /// message and send the whole run as one datagram.
    pub(super) offload: bool,
}

impl Connection {
    /// Opens and connects, the interface looked up anew.
    pub(super) fn open(options: &SendOptions) -> Result<Self, NetError> {
        let link = options.interface.as_ref().map(links::find).transpose()?;
        let to = scoped(options.to, link.as_ref())?;
        let mut connection = Self::unconnected(options, to)?;
        if to.ip().is_multicast() {
            connection.aim_group(options, link.as_ref())?;
        } else if let Some(link) = &link {
            connection.bind_to(link, options)?;
        }
        connection.socket.connect(&to.into()).map_err(|error| refused("connect", to, error))?;
        connection.link = link.or_else(|| connection.link_of_source());
        Ok(connection)
    }

    /// A socket with every option that needs no network. Sending on it fails as on a lost network.
    pub(super) fn unconnected(options: &SendOptions, to: SocketAddr) -> Result<Self, NetError> {
        if options.dscp > 63 {
            return Err(NetError::Dscp(options.dscp));
        }
        let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))
            .map_err(NetError::system("open a UDP socket", to))?;
        socket.set_nonblocking(true).map_err(NetError::system("make the socket non-blocking", to))?;
        forbid_fragments(&socket, to).map_err(NetError::system("forbid fragments", to))?;
        mark(&socket, to, options.dscp).map_err(NetError::system("set the DSCP", to))?;
        limit_hops(&socket, to, options).map_err(NetError::system("set the hop limit", to))?;
        let granted = buffers::ask(&socket, Side::Send, options.buffer);
        let offload = sys::get_int(&socket, libc::SOL_UDP, libc::UDP_SEGMENT).is_ok();
        Ok(Self { socket, to, link: None, granted, offload })
    }

    /// Sends to the group out of `link`, and lets this machine hear it if asked to.
    fn aim_group(&self, options: &SendOptions, link: Option<&Link>) -> Result<(), NetError> {
        let (socket, to) = (&self.socket, self.to);
        let fail = |doing| NetError::system(doing, to);
        if to.is_ipv4() {
            socket.set_multicast_loop_v4(options.loopback).map_err(fail("set multicast loopback"))?;
        } else {
            socket.set_multicast_loop_v6(options.loopback).map_err(fail("set multicast loopback"))?;
        }
        let Some(link) = link else { return Ok(()) };
        if to.is_ipv4() {
            let source = match source(link, options)? {
                IpAddr::V4(source) => source,
                IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
            };
            sys::set_multicast_interface_v4(socket, link.index, source)
        } else {
            socket.set_multicast_if_v6(link.index)
        }
        .map_err(|error| refused("choose the interface for multicast", to, error))?;
        match options.interface {
            // The kernel chooses well among the addresses of an interface, but here one was named.
            Some(Interface::Address(IpAddr::V6(_))) => self.bind_to(link, options),
            _ => Ok(()),
        }
    }

    fn bind_to(&self, link: &Link, options: &SendOptions) -> Result<(), NetError> {
        let mut from = SocketAddr::new(source(link, options)?, 0);
        if let SocketAddr::V6(v6) = &mut from
            && needs_scope(*v6.ip())
        {
            v6.set_scope_id(link.index);
        }
        self.socket.bind(&SockAddr::from(from)).map_err(|error| refused("bind to the interface", from, error))
    }

    fn link_of_source(&self) -> Option<Link> {
        let local = self.socket.local_addr().ok()?.as_socket()?;
        links::with_address(local.ip())
    }

    /// The largest IP packet on the route now \[bytes\], if there is a route.
    pub(super) fn mtu(&self) -> Option<usize> {
        path_mtu(&self.socket, self.to)
    }

    /// The largest UDP payload on the route now, if there is a route.
    pub(super) fn max_datagram(&self) -> Option<usize> {
        self.mtu().map(|mtu| mtu.min(LONGEST_PACKET).saturating_sub(headers(self.to)))
    }

    /// The largest UDP payload of any route.
    pub(super) const fn longest(&self) -> usize {
        LONGEST_PACKET - headers(self.to)
    }

    /// Whether the address that datagrams come from still belongs to this machine.
    pub(super) fn source_is_ours(&self) -> bool {
        let Ok(mut local) = self.socket.local_addr() else { return true };
        let Some(mut address) = local.as_socket() else { return true };
        address.set_port(0);
        local = address.into();
        Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))
            .and_then(|probe| probe.bind(&local))
            .map_or_else(|error| error.kind() != io::ErrorKind::AddrNotAvailable, |()| true)
    }
}

/// `to`, told the interface where it means nothing without.
pub(super) fn scoped(to: SocketAddr, link: Option<&Link>) -> Result<SocketAddr, NetError> {
    // An IPv4 address in IPv6 clothes would get IPv6 options on IPv4 packets.
    let mut to = match to.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::new(v4.into(), to.port()),
        IpAddr::V6(_) => to,
    };
    if let SocketAddr::V6(v6) = &mut to
        && needs_scope(*v6.ip())
        && let Some(link) = link
    {
        v6.set_scope_id(link.index);
    }
    match to {
        SocketAddr::V6(v6) if needs_scope(*v6.ip()) && v6.scope_id() == 0 => {
            Err(NetError::InterfaceNeeded { address: to.ip(), existing: links::existing() })
        }
        to => Ok(to),
    }
}

/// The address of `link` to send from: the one named, if one was.
fn source(link: &Link, options: &SendOptions) -> Result<IpAddr, NetError> {
    let to = options.to.ip().to_canonical();
    match options.interface {
        Some(Interface::Address(named)) if named.is_ipv4() == to.is_ipv4() => Ok(named),
        _ => link.source_for(to).ok_or_else(|| NetError::NoAddress {
            interface: link.name.clone(),
            family: if to.is_ipv4() { "IPv4" } else { "IPv6" },
        }),
    }
}

const fn headers(to: SocketAddr) -> usize {
    if to.is_ipv4() { HEADERS_V4 } else { HEADERS_V6 }
}

fn path_mtu(socket: &Socket, to: SocketAddr) -> Option<usize> {
    let mtu = if to.is_ipv4() {
        sys::get_int(socket, libc::IPPROTO_IP, libc::IP_MTU)
    } else {
        sys::get_int(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU)
    };
    mtu.ok().map(|mtu| mtu.unsigned_abs() as usize)
}

/// Sets don't-fragment on every datagram; one that is too large is answered with `EMSGSIZE`.
pub(super) fn forbid_fragments(socket: &Socket, to: SocketAddr) -> io::Result<()> {
    if to.is_ipv4() {
        return sys::set_int(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO);
    }
    sys::set_int(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_DO)?;
    sys::set_int(socket, libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, 1)
}

pub(super) fn mark(socket: &Socket, to: SocketAddr, dscp: u8) -> io::Result<()> {
    let class = u32::from(dscp) << 2;
    if to.is_ipv4() { socket.set_tos_v4(class) } else { socket.set_tclass_v6(class) }?;
    // For IPv4 the kernel also derives the queueing priority from what these bits meant before DSCP:
    // AF41 would go to the band of bulk traffic, behind everything else.
    if dscp == 0 { Ok(()) } else { sys::set_int(socket, libc::SOL_SOCKET, libc::SO_PRIORITY, PRIORITY) }
}

fn limit_hops(socket: &Socket, to: SocketAddr, options: &SendOptions) -> io::Result<()> {
    match (to.ip().is_multicast(), options.ttl.map(u32::from)) {
        (true, ttl) if to.is_ipv4() => socket.set_multicast_ttl_v4(ttl.unwrap_or(1)),
        (true, ttl) => socket.set_multicast_hops_v6(ttl.unwrap_or(1)),
        (false, Some(ttl)) if to.is_ipv4() => socket.set_ttl_v4(ttl),
        (false, Some(ttl)) => socket.set_unicast_hops_v6(ttl),
        (false, None) => Ok(()),
    }
}

/// Tells a network that is not there yet from a step that can never work.
fn refused(doing: &'static str, to: SocketAddr, error: io::Error) -> NetError {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(
            Errno::ENETUNREACH
            | Errno::EHOSTUNREACH
            | Errno::ENETDOWN
            | Errno::EADDRNOTAVAIL
            | Errno::ENODEV
            | Errno::ENXIO
            | Errno::EINVAL,
        ) => NetError::Unreachable { to, error },
        _ => NetError::System { doing, at: to, error },
    }
}
