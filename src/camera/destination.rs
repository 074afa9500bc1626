//! Where a stream goes, as it is written: an address, or a name that is looked up when it is needed.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// Where a stream goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// `192.168.1.20:5000`
    Address(SocketAddr),
    /// `viewer.example:5000`
    Name(HostName),
}

/// A host's name and a port other than 0, which have not been looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName {
    host: String,
    port: u16,
}

impl HostName {
    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Asks the system for the addresses of this name, at least one. That may take half a minute.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        let found: Vec<SocketAddr> = (self.host.as_str(), self.port)
            .to_socket_addrs()?
            .filter(|address| !address.ip().is_unspecified())
            .collect();
        if found.is_empty() { Err(io::Error::other("a name without an address")) } else { Ok(found) }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fail = |why: &str| {
            format!(
                "{text:?} {why}: write an address and a port, such as 192.168.1.20:5000 or [fe80::1]:5000"
            )
        };
        let (destination, port) = match text.parse::<SocketAddr>() {
            Ok(address) => (Self::Address(address), address.port()),
            Err(_) => {
                let (host, port) = text.rsplit_once(':').ok_or_else(|| fail("is no destination"))?;
                let port = port.parse().map_err(|_| fail("is no destination"))?;
                if !is_name(host) {
                    return Err(fail("is no destination"));
                }
                (Self::Name(HostName { host: host.to_owned(), port }), port)
            }
        };
        if port == 0 {
            return Err(fail("has port 0"));
        }
        match destination {
            Self::Address(address) if address.ip().is_unspecified() => {
                Err(fail("is where to listen, not where to send"))
            }
            destination => Ok(destination),
        }
    }
}

/// Letters, digits, hyphens, dots and underscores; what ends in a number is an address with a mistake in it.
fn is_name(host: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    let is_number = last.chars().all(|c| c.is_ascii_digit());
    (1..=253).contains(&host.len()) && host.chars().all(plain) && !is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_told_from_mistakes() {
        let good =
            ["192.168.1.20:5000", "[fe80::1]:5000", "239.1.2.3:1", "viewer:5000", "a-b.c_d.example.:9"];
        for text in good {
            let destination: Destination = text.parse().unwrap_or_else(|why| panic!("{why}"));
            let again = match &destination {
                Destination::Address(address) => address.to_string(),
                Destination::Name(name) => name.to_string(),
            };
            assert_eq!(again, text);
        }
        // (text, words)
        let bad = [
            ("127.0.0.1", "is no destination"),
            ("viewer", "is no destination"),
            ("viewer:", "is no destination"),
            ("viewer:70000", "is no destination"),
            (":5000", "is no destination"),
            ("fe80::1:5000", "is no destination"),
            ("a b:5000", "is no destination"),
            ("300.1.1.1:5000", "is no destination"),
            ("http://viewer:5000", "is no destination"),
            ("viewer:0", "has port 0"),
            ("1.2.3.4:0", "has port 0"),
            ("0.0.0.0:1", "where to listen"),
        ];
        for (text, words) in bad {
            let why = text.parse::<Destination>().unwrap_err();
            assert!(why.starts_with(&format!("{text:?} {words}")) || why.contains(words), "{why}");
            assert!(why.contains("such as 192.168.1.20:5000"), "{why}");
        }
    }
}
