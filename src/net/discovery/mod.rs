//! Finding cameras on the local network: multicast DNS ([RFC 6762]) and service discovery ([RFC 6763]).
//!
//! What is found is a hint where a camera may be, and no more: anybody on the network can say anything here.
//! Whether it is the camera, its key decides.
//!
//! | file | what lives there |
//! |---|---|
//! | here | the names, and what ties packets to sockets |
//! | `packet` | bytes to packets and back |
//! | `announcer` | a camera's part: what it says, and when; no socket |
//! | `browser` | a viewer's part: what it asks, and what it keeps; no socket |
//! | `sockets` | a socket for each interface and family |
//!
//! An announcement tells everyone on the local network the camera's name, its port, its addresses there, and
//! the fingerprint of its public key; it tells neither the key nor who watches.
//!
//! [RFC 6762]: https://www.rfc-editor.org/rfc/rfc6762
//! [RFC 6763]: https://www.rfc-editor.org/rfc/rfc6763

mod announcer;
mod browser;
mod packet;
mod sockets;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use super::Interface;
use crate::time::Instant;
use sockets::Sockets;

pub use announcer::{Announcer, Service};
pub use browser::{Browser, BrowserCounters, Found, Wanted};

/// The port of multicast DNS.
pub const PORT: u16 = 5353;

/// Datagrams of one socket that are taken in one turn: a flood must not hold up anything else.
const MOST_IN_A_TURN: usize = 16;

/// One of this machine's interfaces, as far as discovery goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbourhood {
    /// The kernel's number of the interface; 0 is the one that the routing table names.
    pub index: u32,
    /// Its name, if it is known.
    pub name: Option<String>,
    /// This machine's addresses there.
    pub addresses: Vec<IpAddr>,
}

/// Announces a camera on its interfaces. Never blocks, and nothing that the network does ends it.
#[derive(Debug)]
pub struct Announcing {
    announcer: Announcer,
    sockets: Sockets,
}

impl Announcing {
    /// Announces `service` at the addresses that `listen` covers, on `interface` or all of them.
    ///
    /// `None` if nobody else can come to `listen`: it is an address of the loopback interface.
    #[must_use]
    pub fn new(
        service: Service,
        listen: IpAddr,
        interface: Option<&Interface>,
        now: Instant,
    ) -> Option<Self> {
        let listen = listen.to_canonical();
        if listen.is_loopback() {
            return None;
        }
        let only = (!listen.is_unspecified()).then_some(Interface::Address(listen));
        let sockets = Sockets::new(only.or_else(|| interface.cloned()), false, now);
        Some(Self { announcer: Announcer::new(service, listen), sockets })
    }

    /// Does what is due; to be called a few times a second. Returns what is wrong, once.
    pub fn attend(&mut self, now: Instant) -> Option<String> {
        let Self { announcer, sockets } = self;
        if sockets.tend(now) {
            announcer.set_neighbourhoods(now, sockets.neighbourhoods());
        }
        sockets.receive(|replies, index, from, datagram| {
            if let Some(answer) = announcer.hear(now, index, from, datagram) {
                replies.send_to(index, &answer, from);
            }
        });
        while let Some((index, packet)) = announcer.poll_transmit(now) {
            sockets.send(index, &packet);
        }
        sockets.take_trouble()
    }

    /// Says that the camera is there no longer.
    pub fn end(&mut self) {
        for (index, packet) in self.announcer.goodbyes() {
            self.sockets.send(index, &packet);
        }
    }
}

/// Looks for cameras. Never blocks, and nothing that the network does ends it.
#[derive(Debug)]
pub struct Browsing {
    browser: Browser,
    sockets: Sockets,
}

impl Browsing {
    /// Looks for those `wanted`, on `interface` or all of them.
    #[must_use]
    pub fn new(wanted: Wanted, interface: Option<&Interface>, now: Instant) -> Self {
        Self { browser: Browser::new(wanted, now), sockets: Sockets::new(interface.cloned(), true, now) }
    }

    /// Does what is due; to be called a few times a second. Returns what is wrong, once.
    pub fn attend(&mut self, now: Instant) -> Option<String> {
        let Self { browser, sockets } = self;
        if sockets.tend(now) {
            browser.ask_again(now);
        }
        if let Some(query) = browser.poll_transmit(now) {
            for place in sockets.neighbourhoods() {
                sockets.send(place.index, &query);
            }
        }
        sockets.receive(|_, index, from, datagram| browser.hear(index, from, datagram));
        sockets.take_trouble()
    }

    /// What was found so far, in the order in which it came.
    #[must_use]
    pub fn found(&self) -> &[Found] {
        self.browser.found()
    }

    /// What has come.
    #[must_use]
    pub const fn counters(&self) -> BrowserCounters {
        self.browser.counters()
    }
}
