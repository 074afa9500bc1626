//! Being a member of a multicast group.

use super::NetError;
use socket2::{InterfaceIndexOrAddress, Socket};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The interface on which a group is joined; by default the one that the route to the group uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct GroupInterface {
    /// For an IPv4 group, if the interface was named by an address.
    pub(super) address: Option<Ipv4Addr>,
    /// Else its index; 0 is none.
    pub(super) index: u32,
}

impl GroupInterface {
    /// Joins the group `at`.
    pub(super) fn join(self, socket: &Socket, at: SocketAddr) -> Result<(), NetError> {
        let joined = match at.ip() {
            IpAddr::V4(group) => socket.join_multicast_v4_n(&group, &self.v4()),
            IpAddr::V6(group) => socket.join_multicast_v6(&group, self.index),
        };
        joined.map_err(|error| NetError::Unreachable { to: at, error })
    }

    /// Leaves the group `at`; without effect if it was not joined or the interface is gone.
    pub(super) fn leave(self, socket: &Socket, at: SocketAddr) {
        let _ = match at.ip() {
            IpAddr::V4(group) => socket.leave_multicast_v4_n(&group, &self.v4()),
            IpAddr::V6(group) => socket.leave_multicast_v6(&group, self.index),
        };
    }

    fn v4(self) -> InterfaceIndexOrAddress {
        match (self.address, self.index) {
            (Some(address), _) => InterfaceIndexOrAddress::Address(address),
            (None, 0) => InterfaceIndexOrAddress::Address(Ipv4Addr::UNSPECIFIED),
            (None, index) => InterfaceIndexOrAddress::Index(index),
        }
    }
}
