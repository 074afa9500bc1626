//! Where a receiver listens: an address to bind, an interface to bind to, a group to join on an interface.

use super::group::GroupInterface;
use super::links::{self, Link};
use super::{Interface, NetError, ReceiveOptions};
use nix::errno::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};

/// What a wildcard address means where an interface is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wildcard {
    /// The interface's own address, wherever what is sent to it comes in.
    OwnAddress,
    /// Whatever comes in by the interface, to any of its addresses, of both families if the wildcard is of both.
    ComesInBy,
}

/// What the options mean with the interfaces as they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The one interface that is heard, by its name and index.
    by: Option<(String, u32)>,
    /// What the socket is bound to: for a group, the group itself, so that nothing else sent to the
    /// port is heard.
    pub(super) bind: SocketAddr,
    /// Where a group is joined.
    on: GroupInterface,
}

impl Place {
    /// Looks the interface up.
    pub(super) fn resolve(options: &ReceiveOptions, wildcard: Wildcard) -> Result<Self, NetError> {
        let link = options.interface.as_ref().map(links::find).transpose()?;
        let mut bind = super::connect::scoped(options.at, link.as_ref())?;
        let scope = match bind {
            SocketAddr::V6(v6) => v6.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        let index = link.as_ref().map_or(scope, |l| l.index);
        let mut by = None;
        if let (true, Some(link)) = (bind.ip().is_unspecified(), link) {
            if wildcard == Wildcard::ComesInBy {
                by = Some((link.name, link.index));
            } else {
                bind.set_ip(listen_address(&link, options)?);
                bind = super::connect::scoped(bind, Some(&link))?;
            }
        }
        Ok(Self { by, bind, on: GroupInterface { address: None, index } })
    }

    /// Whether a socket at the `other` place hears the same.
    pub(super) fn is_bound_like(&self, other: &Self) -> bool {
        // A link that has been given another name is the same.
        let index = |place: &Self| place.by.as_ref().map(|(_, index)| *index);
        (self.bind, index(self)) == (other.bind, index(other))
    }

    /// Whether this is a group.
    pub(super) fn is_group(&self) -> bool {
        self.bind.ip().is_multicast()
    }

    /// `to` as a socket here takes it.
    pub(super) fn target(&self, to: SocketAddr) -> SocketAddr {
        super::target::for_socket(self.bind, to, self.on.index)
    }

    /// Opens a socket here and joins the group, if it is one.
    pub(super) fn open(&self) -> Result<Socket, NetError> {
        let at = self.bind;
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))
            .map_err(NetError::system("open a UDP socket", at))?;
        socket.set_nonblocking(true).map_err(NetError::system("make the socket non-blocking", at))?;
        if self.is_group() {
            // Several receivers of one group on one machine, each of which gets every datagram. With a
            // single address the second one would take the datagrams away from the first.
            socket.set_reuse_address(true).map_err(NetError::system("share the group's port", at))?;
        }
        hear_own_groups_only(&socket, at).map_err(NetError::system("leave out others' groups", at))?;
        if let Some((name, _)) = &self.by {
            hear_only(&socket, name, at)?;
        }
        socket.bind(&SockAddr::from(at)).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => NetError::InUse { at },
            io::ErrorKind::AddrNotAvailable => NetError::NotHere { at, existing: links::existing() },
            _ if error.raw_os_error() == Some(Errno::ENODEV as i32) => {
                NetError::Unreachable { to: at, error }
            }
            _ => NetError::System { doing: "listen", at, error },
        })?;
        if self.is_group() {
            self.join(&socket)?;
        }
        Ok(socket)
    }

    /// Joins the group.
    pub(super) fn join(&self, socket: &Socket) -> Result<(), NetError> {
        self.on.join(socket, self.bind)
    }

    /// Leaves the group; without effect if it was not joined or the interface is gone.
    pub(super) fn leave(&self, socket: &Socket) {
        self.on.leave(socket, self.bind);
    }
}

/// Leaves out what comes in by other interfaces, even if it is sent to an address of this one.
fn hear_only(socket: &Socket, name: &str, at: SocketAddr) -> Result<(), NetError> {
    socket.bind_device(Some(name.as_bytes())).map_err(|error| {
        match error.raw_os_error().map(Errno::from_raw) {
            // Since Linux 5.7 everybody may.
            Some(Errno::EPERM) => NetError::OnlyRoot { interface: name.to_owned() },
            Some(Errno::ENODEV) => NetError::Unreachable { to: at, error },
            _ => NetError::System { doing: "listen on one interface", at, error },
        }
    })
}

/// The address of `link` to listen at: the one named, if one was.
fn listen_address(link: &Link, options: &ReceiveOptions) -> Result<IpAddr, NetError> {
    let wildcard = options.at.ip();
    if let Some(Interface::Address(named)) = options.interface
        && named.is_ipv4() == wildcard.is_ipv4()
    {
        return Ok(named);
    }
    link.source_for(wildcard).ok_or_else(|| NetError::NoAddress {
        interface: link.name.clone(),
        family: if wildcard.is_ipv4() { "IPv4" } else { "IPv6" },
    })
}

/// By default Linux delivers a group's datagrams to every socket bound to their port, whoever joined.
fn hear_own_groups_only(socket: &Socket, at: SocketAddr) -> io::Result<()> {
    if at.is_ipv4() {
        return socket.set_multicast_all_v4(false);
    }
    socket.set_only_v6(!at.ip().is_unspecified())?;
    match socket.set_multicast_all_v6(false) {
        // Younger than the rest: Linux 4.20.
        Err(error) if error.raw_os_error() == Some(Errno::ENOPROTOOPT as i32) => Ok(()),
        result => result,
    }
}
