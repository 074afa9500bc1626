//! A paired camera's multicast group: joined if that is asked for, left to itself if nothing comes from it.

use std::io;
use std::net::SocketAddr;

use crate::net::{Interface, MediaReceiver, ReceiveCounters, ReceiveOptions};
use crate::proto::connection::Connection;
use crate::time::{Duration, Instant};
use crate::viewer::listening::Listening;
use crate::wire::Delivery;

/// After so long without a datagram the camera is asked to send to this viewer's own address again.
const GIVE_UP: Duration = Duration::from_secs(2);

/// Whether, where and since when frames come from a group.
pub(super) struct Multicast {
    interface: Option<Interface>,
    state: State,
    before: ReceiveCounters,
}

enum State {
    /// Not asked for.
    Off,
    /// As soon as the camera names a group.
    Wanted,
    Joined(Box<Joined>),
    /// Not from this group, or this lack of one.
    GivenUp(Option<SocketAddr>),
}

struct Joined {
    group: SocketAddr,
    socket: Listening,
    datagrams: u64,
    heard: Instant,
}

impl Multicast {
    pub(super) fn new(wanted: bool, interface: Option<Interface>) -> Self {
        let state = if wanted { State::Wanted } else { State::Off };
        Self { interface, state, before: ReceiveCounters::default() }
    }

    /// Joins and leaves, and tells the camera how the frames are wanted.
    pub(super) fn tend(&mut self, connection: &mut Connection, is_in: bool, now: Instant) {
        let group = connection.granted().and_then(|grant| grant.group);
        let group = group.filter(|group| group.ip().is_multicast());
        match &mut self.state {
            State::Off => {}
            State::Wanted if is_in => self.join(group, connection, now),
            State::Wanted => {}
            State::GivenUp(at) if is_in && *at != group => self.state = State::Wanted,
            State::GivenUp(_) => {}
            State::Joined(joined) if is_in && Some(joined.group) != group => {
                self.leave(connection, State::Wanted, now);
            }
            State::Joined(joined) => {
                let datagrams = joined.socket.counters().datagrams;
                // A camera that is silent altogether says nothing of its group.
                if !is_in || datagrams != joined.datagrams {
                    (joined.datagrams, joined.heard) = (datagrams, now);
                }
                let silent = now.since(joined.heard);
                if let Err(why) = joined.socket.tend(silent >= GIVE_UP / 2, now) {
                    log::debug!("{}: {why}", joined.group);
                }
                if silent >= GIVE_UP {
                    log::warn!(
                        "nothing comes from the group {}: receiving at this viewer's own address; does a switch or \
                         access point on the way keep multicast back, is --interface right?",
                        joined.group
                    );
                    self.leave(connection, State::GivenUp(group), now);
                }
            }
        }
    }

    fn join(&mut self, group: Option<SocketAddr>, connection: &mut Connection, now: Instant) {
        self.state = State::GivenUp(group);
        let Some(group) = group else {
            log::warn!("--multicast: the camera sends to no group: receiving at this viewer's own address");
            return;
        };
        let options = ReceiveOptions { interface: self.interface.clone(), ..ReceiveOptions::new(group) };
        match Listening::start(&options, now) {
            Ok(socket) => {
                log::info!("receiving from the group {group}");
                let joined = Joined { group, socket, datagrams: 0, heard: now };
                self.state = State::Joined(Box::new(joined));
                connection.set_delivery(now, Delivery::Group);
            }
            Err(why) => log::warn!("--multicast: {why}; receiving at this viewer's own address"),
        }
    }

    fn leave(&mut self, connection: &mut Connection, next: State, now: Instant) {
        self.before = self.counters();
        self.state = next;
        connection.set_delivery(now, Delivery::Unicast);
    }

    pub(super) fn receive(&mut self, each: impl FnMut(&[u8], SocketAddr)) -> io::Result<usize> {
        match &mut self.state {
            State::Joined(joined) => joined.socket.receive(each),
            _ => Ok(0),
        }
    }

    pub(super) fn socket(&self) -> Option<&MediaReceiver> {
        match &self.state {
            State::Joined(joined) => joined.socket.socket(),
            _ => None,
        }
    }

    pub(super) fn counters(&self) -> ReceiveCounters {
        match &self.state {
            State::Joined(joined) => self.before.and(joined.socket.counters()),
            _ => self.before,
        }
    }
}
