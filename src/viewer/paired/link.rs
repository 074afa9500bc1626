//! The connection to a paired camera over a socket.

use std::io;
use std::net::SocketAddr;

use super::Peer;
use super::search::{HINTS, Search};
use super::socket::PairedSocket;
use crate::exit::RunError;
use crate::keys::KernelRandom;
use crate::net::ReceiveCounters;
use crate::proto::connection::{ADDRESSES, Connection, ConnectionSettings, Handled, Standing};
use crate::proto::outcome::Dropped;
use crate::time::Instant;
use crate::wire::{Control, Delivery};

/// A connection and its socket.
pub struct Link {
    /// The protocol's side.
    pub connection: Connection,
    socket: PairedSocket,
    random: KernelRandom,
    out: Box<[u8]>,
    /// Those known from the start, and behind them the hints of the local network.
    addresses: Vec<SocketAddr>,
    known: usize,
    search: Search,
    title: String,
}

impl Link {
    /// Begins to knock at the addresses of `peer`, with memory for frames of `max_frame` bytes.
    ///
    /// # Errors
    ///
    /// [`RunError`] for what no waiting mends.
    pub fn open(peer: &Peer, max_frame: usize, delivery: Delivery, now: Instant) -> Result<Self, RunError> {
        let mut addresses = peer.target.addresses.clone();
        let socket = PairedSocket::open(&mut addresses, peer.interface.as_ref(), now)?;
        let (identity, camera) = (peer.identity.clone(), peer.target.key);
        let settings = ConnectionSettings { identity, camera, max_frame, delivery };
        let fingerprint = camera.fingerprint().to_string();
        Ok(Self {
            connection: Connection::new(settings, &addresses, now),
            socket,
            random: KernelRandom::new().map_err(RunError::failed)?,
            out: vec![0; Control::MAX_DATAGRAM].into_boxed_slice(),
            known: addresses.len(),
            addresses,
            search: Search::new(fingerprint, peer.interface.clone(), now),
            title: peer.target.title.clone(),
        })
    }

    /// The addresses that are tried.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Sends all that is due.
    pub fn speak(&mut self, now: Instant) {
        while let Some((len, to)) = self.connection.poll_transmit(now, &mut self.out, &mut self.random) {
            self.socket.send(now, &self.out[..len], to);
        }
    }

    /// Asks the camera for something. Says whether that could be sent on its way.
    pub fn ask(&mut self, now: Instant, text: &[u8]) -> bool {
        self.connection.request(now, text, &mut self.random).is_ok()
    }

    /// Takes one batch, and tells `each` what became of every datagram; returns how many those were.
    ///
    /// # Errors
    ///
    /// Only for a broken program.
    pub fn receive(
        &mut self,
        now: Instant,
        mut each: impl FnMut(&mut Connection, Result<Handled, Dropped>),
    ) -> io::Result<usize> {
        let connection = &mut self.connection;
        self.socket.receive(|datagram, from| {
            let handled = connection.handle(now, from, datagram);
            each(connection, handled);
        })
    }

    /// Looks after the socket; to be called a few times a second.
    ///
    /// # Errors
    ///
    /// [`RunError`] for what no waiting mends.
    pub fn tend(&mut self, now: Instant) -> Result<(), RunError> {
        if self.socket.tend(now)? {
            // The camera must learn where this viewer is now; the session goes on.
            self.connection.network_changed(now);
        }
        self.search(now);
        Ok(())
    }

    /// Looks for the camera where it is not known to be, if it does not answer.
    fn search(&mut self, now: Instant) {
        let Self { connection, socket, search, addresses, known, .. } = self;
        let is_found = match connection.standing(now) {
            Standing::In => connection.is_answered(now),
            // It was found, only to refuse.
            Standing::Refused(_) => true,
            Standing::Knocking | Standing::Silent | Standing::Ended(_) => false,
        };
        let hint = search.tend(now, is_found, &addresses[..*known], |address| socket.reaches(*address));
        let Some(hint) = hint else { return };
        log::info!("{} may be at {hint}, as the local network says: trying there too", self.title);
        addresses.truncate(*known);
        connection.add_address(hint);
        // What was known before comes first, and is not pushed out by hints.
        let kept = ADDRESSES - HINTS;
        for address in addresses.iter().take(kept).rev() {
            connection.add_address(*address);
        }
        addresses.extend(search.hints());
    }

    /// Says goodbye, once, if there is anyone to say it to.
    pub fn leave(&mut self, now: Instant) {
        if self.connection.peer().is_none() {
            return;
        }
        self.connection.leave();
        // Something else may be due before it.
        while self.connection.is_leaving()
            && let Some((len, to)) = self.connection.poll_transmit(now, &mut self.out, &mut self.random)
        {
            self.socket.send(now, &self.out[..len], to);
        }
    }

    /// The socket, to wait for datagrams.
    #[must_use]
    pub const fn socket(&self) -> &PairedSocket {
        &self.socket
    }

    /// What has come so far.
    #[must_use]
    pub fn counters(&self) -> ReceiveCounters {
        self.socket.counters()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{PLAIN, TestCamera};
    use super::*;
    use crate::clock;
    use crate::keys::state::TestFolder;
    use crate::proto::group::Event;
    use crate::proto::outcome::Accepted;
    use crate::time::Duration;

    /// Runs until `enough` more frames have come.
    #[track_caller]
    fn receive(link: &mut Link, enough: u32) {
        let mut buffer = vec![0; 100_000].into_boxed_slice();
        let (start, mut frames) = (clock::now(), 0);
        while frames < enough {
            let now = clock::now();
            assert!(now.since(start) < Duration::from_secs(20), "{frames} frames");
            link.tend(now).unwrap();
            link.speak(now);
            link.socket().socket().unwrap().wait(Duration::from_millis(20), None).unwrap();
            link.receive(now, |connection, handled| {
                if handled == Ok(Handled::Media(Accepted::Frame)) {
                    frames += u32::from(connection.take_frame(&mut buffer).is_some());
                }
            })
            .unwrap();
        }
    }

    /// A camera, and a link by which frames have come.
    fn watched() -> (TestCamera, Link, TestFolder) {
        let camera = TestCamera::start(PLAIN);
        let (peer, folder) = camera.viewer(None);
        camera.admit(&[peer.identity.public()]);
        let mut link = Link::open(&peer, 100_000, Delivery::Unicast, clock::now()).unwrap();
        receive(&mut link, 2);
        (camera, link, folder)
    }

    #[test]
    fn a_session_outlives_its_socket() {
        let (camera, mut link, _folder) = watched();
        let before = link.socket().socket().unwrap().local_addr();
        link.socket.renew().unwrap();
        link.connection.network_changed(clock::now());
        receive(&mut link, 2);
        assert_ne!(link.socket().socket().unwrap().local_addr(), before);
        assert_eq!(link.connection.standing(clock::now()), Standing::In);
        let events = camera.events();
        assert!(matches!(events[..], [Event::Joined(_), Event::Moved(..)]), "{events:?}");
        link.leave(clock::now());
    }

    #[test]
    fn a_goodbye_is_said_whatever_else_is_due() {
        let (camera, mut link, _folder) = watched();
        // By then it is to be said how things stand.
        link.leave(clock::now() + Duration::from_secs(5));
        let start = clock::now();
        while !camera.events().iter().any(|event| matches!(event, Event::Left(_))) {
            assert!(clock::now().since(start) < Duration::from_secs(5), "the camera has not heard it");
        }
    }
}
