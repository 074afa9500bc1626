//! Sending from a socket that receives: the destination as its family wants it.

use super::interface::needs_scope;
use std::net::{IpAddr, SocketAddr};

/// `to` for a socket of the family of `local`: an IPv6 socket takes an IPv4 address in IPv6 clothes, and what is
/// link-local needs the interface `index`, unless it names one itself.
pub(super) fn for_socket(local: SocketAddr, to: SocketAddr, index: u32) -> SocketAddr {
    match to {
        SocketAddr::V6(mut v6) if needs_scope(*v6.ip()) && v6.scope_id() == 0 => {
            v6.set_scope_id(index);
            v6.into()
        }
        SocketAddr::V4(v4) if local.is_ipv6() => {
            SocketAddr::new(IpAddr::V6(v4.ip().to_ipv6_mapped()), v4.port())
        }
        to => to,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_dressed_for_the_socket() {
        let cases = [
            ("0.0.0.0:0", "10.0.0.1:5004", 3, "10.0.0.1:5004"),
            ("[::]:0", "10.0.0.1:5004", 3, "[::ffff:10.0.0.1]:5004"),
            ("[::]:0", "[2001:db8::1]:5004", 3, "[2001:db8::1]:5004"),
            ("[::]:0", "[fe80::1]:5004", 3, "[fe80::1%3]:5004"),
            ("[::]:0", "[fe80::1%7]:5004", 3, "[fe80::1%7]:5004"),
        ];
        for (local, to, index, expected) in cases {
            let dressed = for_socket(local.parse().unwrap(), to.parse().unwrap(), index);
            assert_eq!(dressed, expected.parse().unwrap(), "{to} from {local}");
        }
    }
}
