//! The network interfaces of this machine.

use super::interface::needs_scope;
use super::{Interface, NetError};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use std::net::IpAddr;
use std::path::Path;

/// One interface, as it was when [`all`] looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) loopback: bool,
    /// Whether it is up and can multicast.
    pub(super) multicasts: bool,
}

impl Link {
    /// The address that datagrams to `to` should come from: of its family, link-local if it is.
    pub(super) fn source_for(&self, to: IpAddr) -> Option<IpAddr> {
        let of_family = || self.addresses.iter().copied().filter(|a| a.is_ipv4() == to.is_ipv4());
        of_family().find(|a| is_link_local(*a) == is_link_local(to)).or_else(|| of_family().next())
    }

    /// Whether this is a Wi-Fi interface.
    pub(super) fn is_wifi(&self) -> bool {
        is_wifi(Path::new("/sys/class/net"), &self.name)
    }
}

/// All interfaces, in the kernel's order; empty if the kernel does not tell.
pub(super) fn all() -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for entry in getifaddrs().into_iter().flatten() {
        // A labelled address calls itself eth0:1.
        let name = entry.interface_name.split(':').next().unwrap_or_default();
        let at = links.iter().position(|l| l.name == name).unwrap_or_else(|| {
            links.push(Link {
                name: name.to_owned(),
                index: if_nametoindex(name).unwrap_or(0),
                addresses: Vec::new(),
                loopback: entry.flags.contains(InterfaceFlags::IFF_LOOPBACK),
                multicasts: entry.flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_MULTICAST),
            });
            links.len() - 1
        });
        let address = entry.address.as_ref().and_then(|a| {
            let v4 = a.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
            v4.or_else(|| a.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
        });
        if let Some(link) = links.get_mut(at) {
            link.addresses.extend(address);
        }
    }
    links
}

/// The one that `asked` names.
pub(super) fn find(asked: &Interface) -> Result<Link, NetError> {
    let matches = |link: &Link| match asked {
        Interface::Address(address) => link.addresses.contains(address),
        Interface::Name(name) => link.name == *name,
        Interface::Index(index) => link.index == *index,
    };
    all()
        .into_iter()
        .find(|l| l.index != 0 && matches(l))
        .ok_or_else(|| NetError::NoInterface { asked: asked.clone(), existing: existing() })
}

/// The one that has `address`.
pub(super) fn with_address(address: IpAddr) -> Option<Link> {
    all().into_iter().find(|l| l.addresses.contains(&address))
}

/// The interfaces for a message: `eth0 (192.168.1.5, fe80::1), lo (127.0.0.1, ::1)`.
pub(super) fn existing() -> String {
    let describe = |link: Link| {
        let addresses: Vec<_> = link.addresses.iter().map(ToString::to_string).collect();
        let addresses = if addresses.is_empty() { "no address".to_owned() } else { addresses.join(", ") };
        format!("{} ({addresses})", link.name)
    };
    let links: Vec<_> = all().into_iter().map(describe).collect();
    if links.is_empty() { "none".to_owned() } else { links.join(", ") }
}

/// Whether an address is one of those that every interface has its own of.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => needs_scope(v6),
    }
}

fn is_wifi(class: &Path, name: &str) -> bool {
    // `wireless` comes from the old wireless extensions, `phy80211` from every cfg80211 driver.
    ["phy80211", "wireless"].iter().any(|entry| class.join(name).join(entry).exists())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn the_loopback_interface_is_found_by_name_index_and_address() {
        let by_name = find(&Interface::Name("lo".into())).unwrap();
        assert!(by_name.loopback && by_name.addresses.contains(&Ipv4Addr::LOCALHOST.into()), "{by_name:?}");
        assert_eq!(find(&Interface::Index(by_name.index)).unwrap(), by_name);
        assert_eq!(find(&Interface::Address(Ipv4Addr::LOCALHOST.into())).unwrap(), by_name);
        assert_eq!(with_address(Ipv4Addr::LOCALHOST.into()), Some(by_name));
    }

    #[test]
    fn an_interface_that_is_not_there_is_answered_with_those_that_are() {
        for asked in ["nosuch0", "203.0.113.77", "2001:db8::77", "4000000"] {
            let error = find(&asked.parse().unwrap()).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(asked) && text.contains("lo (127.0.0.1"), "{text}");
            assert!(error.is_passing(), "it may be plugged in later");
        }
    }

    #[test]
    fn the_source_address_has_the_family_and_the_scope_of_the_destination() {
        let ip = |s: &str| s.parse::<IpAddr>().unwrap();
        let link = Link {
            name: "eth0".into(),
            index: 2,
            addresses: vec![ip("192.0.2.1"), ip("fe80::1"), ip("2001:db8::1")],
            loopback: false,
            multicasts: true,
        };
        let cases = [
            ("192.0.2.9", "192.0.2.1"),
            ("239.1.1.1", "192.0.2.1"),
            ("fe80::9", "fe80::1"),
            ("ff02::9", "fe80::1"),
            ("ff05::9", "2001:db8::1"),
            ("2001:db8::9", "2001:db8::1"),
        ];
        for (to, from) in cases {
            assert_eq!(link.source_for(ip(to)), Some(ip(from)), "to {to}");
        }
        let v4_only = Link { addresses: vec![ip("192.0.2.1")], ..link };
        assert_eq!(v4_only.source_for(ip("2001:db8::9")), None);
    }

    #[test]
    fn wifi_is_told_by_its_entries_in_sysfs() {
        let class = std::env::temp_dir().join(format!("sealcam-wifi-{}", std::process::id()));
        for folder in ["wlan0/phy80211", "wlan1/wireless", "eth0/device"] {
            std::fs::create_dir_all(class.join(folder)).unwrap();
        }
        let found = ["wlan0", "wlan1", "eth0", "gone0"].map(|name| is_wifi(&class, name));
        std::fs::remove_dir_all(&class).unwrap();
        assert_eq!(found, [true, true, false, false]);
    }
}
