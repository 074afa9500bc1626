//! A paired camera's multicast group: joined if that is asked for, done without as long as nothing comes from it.

use std::io;
use std::net::SocketAddr;

use crate::net::{Interface, MediaReceiver, ReceiveCounters, ReceiveOptions};
use crate::proto::connection::{Connection, Handled};
use crate::proto::outcome::Dropped;
use crate::time::{Duration, Instant};
use crate::viewer::listening::Listening;
use crate::wire::Delivery;

/// Where nothing comes for so long in the way that was asked for, the other one is tried.
const GIVE_UP: Duration = Duration::from_secs(2);
/// A camera that answers no more says nothing of its group: it answers every second.
const ANSWERS: Duration = Duration::from_millis(1_500);

/// A camera that sends frames does so within this time where it is asked to.
const PROMPT: Duration = Duration::from_millis(700);

/// Whether, where and since when frames come from a group.
pub(super) struct Multicast {
    interface: Option<Interface>,
    state: State,
    before: ReceiveCounters,
    heard: Heard,
}

/// What has come lately.
struct Heard {
    /// The last time anything but media came from the camera.
    answer: Instant,
    /// Media at this viewer's own address since that was looked at last.
    own: bool,
    /// The camera's datagrams from the group.
    group: bool,
}

enum State {
    /// Not asked for.
    Off,
    /// As soon as the camera names a group.
    Wanted,
    Joined(Box<Joined>),
    /// Not from this group, or this lack of one.
    Refused(Option<SocketAddr>),
}

struct Joined {
    group: SocketAddr,
    socket: Listening,
    /// The way that the camera was asked for.
    by: Delivery,
    asked_at: Instant,
    /// Since when nothing has come by it.
    silent_since: Instant,
    /// It was said that nothing comes from the group.
    told: bool,
}

impl Multicast {
    pub(super) fn new(wanted: bool, interface: Option<Interface>, now: Instant) -> Self {
        let state = if wanted { State::Wanted } else { State::Off };
        let heard = Heard { answer: now, own: false, group: false };
        Self { interface, state, before: ReceiveCounters::default(), heard }
    }

    /// Takes note of what came to this viewer's own address.
    pub(super) const fn note_own(&mut self, now: Instant, handled: Result<Handled, Dropped>) {
        match handled {
            Ok(Handled::Media(_)) => self.heard.own = true,
            Ok(_) => self.heard.answer = now,
            Err(_) => {}
        }
    }

    /// Joins and leaves, and tells the camera how the frames are wanted.
    pub(super) fn tend(&mut self, connection: &mut Connection, is_in: bool, now: Instant) {
        let group = connection.granted().and_then(|grant| grant.group);
        let group = group.filter(|group| group.ip().is_multicast());
        match &mut self.state {
            State::Off => {}
            State::Wanted if is_in => self.join(group, connection, now),
            State::Wanted => {}
            State::Refused(at) if is_in && *at != group => self.state = State::Wanted,
            State::Refused(_) => {}
            State::Joined(joined) if is_in && Some(joined.group) != group => {
                self.before = self.counters();
                self.state = State::Wanted;
                connection.set_delivery(now, Delivery::Unicast);
            }
            State::Joined(joined) => {
                let is_there = is_in && now.since(self.heard.answer) < ANSWERS;
                joined.choose(connection, &self.heard, is_there, now);
            }
        }
        (self.heard.own, self.heard.group) = (false, false);
    }

    fn join(&mut self, group: Option<SocketAddr>, connection: &mut Connection, now: Instant) {
        self.state = State::Refused(group);
        let Some(group) = group else {
            log::warn!("--multicast: the camera sends to no group: receiving at this viewer's own address");
            return;
        };
        let options = ReceiveOptions { interface: self.interface.clone(), ..ReceiveOptions::new(group) };
        match Listening::start(&options, now) {
            Ok(socket) => {
                log::info!("receiving from the group {group}");
                let by = Delivery::Group;
                let joined = Joined { group, socket, by, asked_at: now, silent_since: now, told: false };
                self.state = State::Joined(Box::new(joined));
                connection.set_delivery(now, by);
            }
            Err(why) => log::warn!("--multicast: {why}; receiving at this viewer's own address"),
        }
    }

    /// Takes one batch; `each` says whether a datagram is the camera's.
    pub(super) fn receive(
        &mut self,
        mut each: impl FnMut(&[u8], SocketAddr) -> Result<Handled, Dropped>,
    ) -> io::Result<usize> {
        let (State::Joined(joined), heard) = (&mut self.state, &mut self.heard) else { return Ok(0) };
        joined.socket.receive(|datagram, from| {
            // What has come to the own address too is the camera's as well.
            heard.group |= matches!(each(datagram, from), Ok(_) | Err(Dropped::Replayed));
        })
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

    #[cfg(test)]
    pub(super) fn delivery(&self) -> Option<Delivery> {
        match &self.state {
            State::Joined(joined) => Some(joined.by),
            _ => None,
        }
    }
}

impl Joined {
    /// Asks for the other way where nothing comes by the one that was asked for. If nothing comes by either, or not
    /// at once, the camera has sent nothing, and nothing is wrong with the group. A group that was given up is heard
    /// on, and asked for again once something comes from it, as it does as long as others use it.
    fn choose(&mut self, connection: &mut Connection, heard: &Heard, is_there: bool, now: Instant) {
        let comes = match self.by {
            Delivery::Group => heard.group,
            _ => heard.own,
        };
        if comes || !is_there {
            self.silent_since = now;
        }
        let silent = now.since(self.silent_since);
        let lacks_group = self.by != Delivery::Group || silent >= GIVE_UP / 2;
        if let Err(why) = self.socket.tend(lacks_group, now) {
            log::debug!("{}: {why}", self.group);
        }
        match self.by {
            Delivery::Group if silent >= GIVE_UP => self.ask_for(Delivery::Unicast, connection, now),
            Delivery::Group if comes && std::mem::take(&mut self.told) => {
                log::info!("receiving from the group {} again", self.group);
            }
            Delivery::Group => {}
            _ if heard.group || silent >= GIVE_UP => self.ask_for(Delivery::Group, connection, now),
            // It was silent altogether, and is so no longer.
            _ if comes && !self.told && now.since(self.asked_at) >= PROMPT => {
                self.ask_for(Delivery::Group, connection, now);
            }
            _ if comes && !std::mem::replace(&mut self.told, true) => log::warn!(
                "nothing comes from the group {}: receiving at this viewer's own address for now; does a switch or \
                 access point on the way keep multicast back, is --interface right?",
                self.group
            ),
            _ => {}
        }
    }

    fn ask_for(&mut self, by: Delivery, connection: &mut Connection, now: Instant) {
        (self.by, self.asked_at, self.silent_since) = (by, now, now);
        connection.set_delivery(now, by);
    }
}
