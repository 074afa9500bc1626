//! Naming a network interface.

use core::fmt;
use core::str::FromStr;
use std::net::{IpAddr, Ipv6Addr};

/// Longest name the kernel gives an interface: `IFNAMSIZ` less the terminating zero.
const LONGEST_NAME: usize = 15;

/// A network interface, named in one of three ways.
///
/// A name is the best of them: it is looked up anew whenever a socket is reopened, so an adapter that
/// was unplugged and returned under another index, or with another address, is found again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Interface {
    /// The one that has this address.
    Address(IpAddr),
    /// The one with this name: `eth0`, `wlan0`.
    Name(String),
    /// The one with this kernel index.
    Index(u32),
}

/// A text that cannot name an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnInterface {
    text: String,
    fault: &'static str,
}

impl FromStr for Interface {
    type Err = NotAnInterface;

    /// An address, a number (the index), or else a name as the kernel would allow it.
    ///
    /// Whether the interface exists is found out when a socket is opened: it may be plugged in later.
    ///
    /// # Errors
    ///
    /// [`NotAnInterface`] for a text which no interface can be called.
    fn from_str(text: &str) -> Result<Self, NotAnInterface> {
        let bad = |fault| NotAnInterface { text: text.to_owned(), fault };
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        if text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|b| b.is_ascii_digit()) {
            return match text.parse() {
                Ok(0) | Err(_) => Err(bad("interfaces are counted from 1")),
                Ok(index) => Ok(Self::Index(index)),
            };
        }
        match text {
            "" => Err(bad("empty")),
            "." | ".." => Err(bad("not a name")),
            _ if text.len() > LONGEST_NAME => Err(bad("a name has at most 15 characters")),
            _ if text.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control()) => {
                Err(bad("a name has no blanks, slashes or colons"))
            }
            _ => Ok(Self::Name(text.to_owned())),
        }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "with address {address}"),
            Self::Name(name) => f.write_str(name),
            Self::Index(index) => write!(f, "number {index}"),
        }
    }
}

impl fmt::Display for NotAnInterface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a network interface ({}): give its name, such as eth0, ",
            self.text, self.fault
        )?;
        f.write_str("or its address")?;
        #[cfg(target_os = "linux")]
        write!(f, "; there are: {}", super::links::existing())?;
        Ok(())
    }
}

impl std::error::Error for NotAnInterface {}

/// Whether the kernel wants to be told the interface: `fe80::/10`, and groups of interface-local or
/// link-local scope ([RFC 4291](https://www.rfc-editor.org/rfc/rfc4291#section-2.7)).
pub(super) fn needs_scope(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_unicast_link_local() || (first == 0xff && matches!(second & 0x0f, 1 | 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_that_need_an_interface() {
        let cases = [
            ("fe80::1", true),
            ("ff01::1", true),
            ("ff02::1", true),
            ("ff12::1", true),
            ("ff05::1", false),
            ("ff0e::1", false),
            ("2001:db8::1", false),
            ("::1", false),
        ];
        for (address, expected) in cases {
            assert_eq!(needs_scope(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn reads_addresses_indexes_and_names() {
        let name = |n: &str| Some(Interface::Name(n.to_owned()));
        let address = |a: &str| Some(Interface::Address(a.parse().unwrap()));
        let cases = [
            ("192.168.1.5", address("192.168.1.5")),
            ("fe80::1", address("fe80::1")),
            ("3", Some(Interface::Index(3))),
            ("wlan0", name("wlan0")),
            ("enx0011223344ab", name("enx0011223344ab")),
            ("br-lan.100", name("br-lan.100")),
            ("0", None),
            ("99999999999", None),
            ("", None),
            ("..", None),
            ("a name", None),
            ("eth/0", None),
            ("eth0:1", None),
            ("enx0011223344abc", None),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse().ok(), expected, "{text:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_impossible_name_is_answered_with_the_possible_ones() {
        let error = "eth 0".parse::<Interface>().unwrap_err().to_string();
        assert!(
            error.contains("\"eth 0\"") && error.contains("no blanks") && error.contains("lo ("),
            "{error}"
        );
    }
}
