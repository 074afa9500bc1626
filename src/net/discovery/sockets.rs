//! A socket for each interface and family, all at the port of multicast DNS.
//!
//! One for each interface, so that it is known where a question came from, and which addresses are the answer.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{MOST_IN_A_TURN, Neighbourhood, PORT, packet};
use crate::net::Interface;
use crate::net::group::GroupInterface;
use crate::time::{Duration, Instant};

const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// Interfaces that are served: a machine with containers has hundreds.
const MOST_INTERFACES: usize = 16;
/// How often it is looked at which there are.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Packets must come from the local network, and show it (RFC 6762 section 11).
const HOPS: u32 = 255;

/// The sockets. Nothing that goes wrong with them is for good.
#[derive(Debug)]
pub(super) struct Sockets {
    interface: Option<Interface>,
    /// Whether a port of the system's choice will do: those who only ask are answered there too.
    any_port: bool,
    places: Vec<Neighbourhood>,
    doors: Vec<Door>,
    look_at: Instant,
    trouble: Trouble,
    buffer: Box<[u8]>,
}

/// One socket.
#[derive(Debug)]
struct Door {
    index: u32,
    group: SocketAddr,
    socket: UdpSocket,
}

/// What is wrong, said once.
#[derive(Debug, Default)]
struct Trouble {
    now: Option<String>,
    told: bool,
}

/// The way back for answers to single ones.
pub(super) struct Replies<'a>(&'a [Door]);

impl Replies<'_> {
    /// Sends `packet` from the interface `index`; one that cannot be sent now is lost.
    pub(super) fn send_to(&self, index: u32, packet: &[u8], to: SocketAddr) {
        let door = self.0.iter().find(|door| door.index == index && door.group.is_ipv4() == to.is_ipv4());
        if let Some(door) = door {
            door.socket.send_to(packet, to).ok();
        }
    }
}

impl Sockets {
    /// Opens nothing yet: [`Sockets::tend`] does.
    pub(super) fn new(interface: Option<Interface>, any_port: bool, now: Instant) -> Self {
        Self {
            interface,
            any_port,
            places: Vec::new(),
            doors: Vec::new(),
            look_at: now,
            trouble: Trouble::default(),
            // One byte more, so that what is too long is not taken for what fits.
            buffer: vec![0; packet::LONGEST + 1].into_boxed_slice(),
        }
    }

    /// Looks which interfaces there are, now and then. Says whether they are others than before, or can be heard
    /// only now.
    pub(super) fn tend(&mut self, now: Instant) -> bool {
        if now < self.look_at {
            return false;
        }
        self.look_at = now + LOOK_EVERY;
        let places = neighbourhoods(self.interface.as_ref());
        let changed = places != self.places;
        let stays = |door: &Door| {
            let there =
                |places: &[Neighbourhood]| places.iter().find(|place| place.index == door.index).cloned();
            // A membership is lost with the interface; a new address is cause enough to make sure.
            there(&places).is_some_and(|place| Some(place) == there(&self.places))
        };
        self.doors.retain(stays);
        self.places = places;
        self.open_missing() || changed
    }

    fn open_missing(&mut self) -> bool {
        let before = self.doors.len();
        let mut trouble = self.places.is_empty().then(|| "no interface that can multicast is up".to_owned());
        for place in &self.places {
            for group in groups(place) {
                if self.doors.iter().any(|door| door.index == place.index && door.group == group) {
                    continue;
                }
                match open(place, group, self.any_port) {
                    Ok(socket) => self.doors.push(Door { index: place.index, group, socket }),
                    Err(why) => trouble = Some(format!("{group}: {why}")),
                }
            }
        }
        // Where one family works, the other need not.
        let works = !self.doors.is_empty();
        self.trouble.told &= !works;
        self.trouble.now = trouble.filter(|_| !works);
        self.doors.len() > before
    }

    /// The interfaces.
    pub(super) fn neighbourhoods(&self) -> &[Neighbourhood] {
        &self.places
    }

    /// What is wrong, once until all is well again.
    pub(super) fn take_trouble(&mut self) -> Option<String> {
        let why = self.trouble.now.take()?;
        (!std::mem::replace(&mut self.trouble.told, true)).then_some(why)
    }

    /// Sends `packet` to all at the interface `index`; what cannot be sent now is lost.
    pub(super) fn send(&self, index: u32, packet: &[u8]) {
        for door in self.doors.iter().filter(|door| door.index == index) {
            door.socket.send_to(packet, door.group).ok();
        }
    }

    /// Hands over what has come, with the interface and the sender.
    pub(super) fn receive(&mut self, mut each: impl FnMut(&Replies<'_>, u32, SocketAddr, &[u8])) {
        let Self { doors, buffer, .. } = self;
        for door in doors.iter() {
            for _ in 0..MOST_IN_A_TURN {
                // Whatever else is wrong: the next look at the interfaces tells.
                let Ok((len, from)) = door.socket.recv_from(buffer) else { break };
                if is_from(door.index, from) {
                    each(&Replies(doors), door.index, from, &buffer[..len]);
                }
            }
        }
    }
}

/// Older kernels hand a group's datagrams to the sockets of all interfaces.
fn is_from(index: u32, from: SocketAddr) -> bool {
    match from {
        SocketAddr::V6(v6) => index == 0 || v6.scope_id() == 0 || v6.scope_id() == index,
        SocketAddr::V4(_) => true,
    }
}

/// The groups that are heard at an interface: of each family of which it has an address.
fn groups(place: &Neighbourhood) -> impl Iterator<Item = SocketAddr> + use<> {
    let any = place.addresses.is_empty();
    let v4 = any || place.addresses.iter().any(IpAddr::is_ipv4);
    let v6 = any || place.addresses.iter().any(IpAddr::is_ipv6);
    let group_v4 = SocketAddr::from((GROUP_V4, PORT));
    let group_v6 = SocketAddr::V6(SocketAddrV6::new(GROUP_V6, PORT, 0, place.index));
    v4.then_some(group_v4).into_iter().chain(v6.then_some(group_v6))
}

fn open(place: &Neighbourhood, group: SocketAddr, any_port: bool) -> io::Result<UdpSocket> {
    match open_at(place, group, PORT) {
        // Another program has the port for itself.
        Err(why) if any_port && why.kind() == io::ErrorKind::AddrInUse => open_at(place, group, 0),
        opened => opened,
    }
}

fn open_at(place: &Neighbourhood, group: SocketAddr, port: u16) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(group), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if port != 0 {
        socket.set_reuse_address(true)?;
        #[cfg(all(unix, not(target_os = "linux")))]
        socket.set_reuse_port(true)?;
    }
    // Not allowed everywhere; without it, the senders' addresses tell the interface.
    #[cfg(target_os = "linux")]
    socket.bind_device(place.name.as_deref().map(str::as_bytes)).ok();
    if group.is_ipv4() {
        prepare_v4(&socket, place)?;
    } else {
        socket.set_only_v6(true)?;
        socket.set_multicast_if_v6(place.index)?;
        socket.set_multicast_hops_v6(HOPS)?;
        socket.set_unicast_hops_v6(HOPS)?;
        socket.set_multicast_loop_v6(true)?;
    }
    socket.bind(&SockAddr::from(bind_address(group, port)))?;
    if port != 0 {
        let on = GroupInterface { address: None, index: place.index };
        on.join(&socket, group).map_err(io::Error::other)?;
    }
    Ok(socket.into())
}

fn prepare_v4(socket: &Socket, place: &Neighbourhood) -> io::Result<()> {
    let own = place.addresses.iter().find_map(|address| match address {
        IpAddr::V4(v4) => Some(*v4),
        IpAddr::V6(_) => None,
    });
    #[cfg(target_os = "linux")]
    {
        socket.set_multicast_all_v4(false)?;
        let own = own.unwrap_or(Ipv4Addr::UNSPECIFIED);
        crate::net::sys::set_multicast_interface_v4(socket, place.index, own)?;
    }
    #[cfg(not(target_os = "linux"))]
    if let Some(own) = own {
        socket.set_multicast_if_v4(&own)?;
    }
    socket.set_multicast_ttl_v4(HOPS)?;
    socket.set_ttl_v4(HOPS)?;
    socket.set_multicast_loop_v4(true)
}

/// On Linux the group itself: nothing is heard then but what was sent to it, so nobody from afar can make this
/// machine answer.
fn bind_address(group: SocketAddr, port: u16) -> SocketAddr {
    if port != 0 && cfg!(target_os = "linux") {
        return group;
    }
    let any: IpAddr =
        if group.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(any, port)
}

/// The interface that was named, or all that can multicast and are not this machine's own.
#[cfg(target_os = "linux")]
fn neighbourhoods(named: Option<&Interface>) -> Vec<Neighbourhood> {
    use crate::net::links;
    let found = match named {
        Some(named) => links::find(named).into_iter().collect(),
        None => links::all(),
    };
    let fits = |link: &links::Link| named.is_some() || (link.multicasts && !link.loopback);
    let found = found.into_iter().filter(|link| link.index != 0 && !link.addresses.is_empty() && fits(link));
    found
        .take(MOST_INTERFACES)
        .map(|link| Neighbourhood { index: link.index, name: Some(link.name), addresses: link.addresses })
        .collect()
}

/// The one of the routing table.
#[cfg(not(target_os = "linux"))]
fn neighbourhoods(named: Option<&Interface>) -> Vec<Neighbourhood> {
    let index = match named {
        Some(Interface::Index(index)) => *index,
        _ => 0,
    };
    let addresses = match named {
        Some(Interface::Address(address)) => vec![*address],
        _ => Vec::new(),
    };
    vec![Neighbourhood { index, name: None, addresses }]
}
