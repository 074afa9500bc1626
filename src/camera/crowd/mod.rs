//! Paired viewers: their socket, the list of who may come in, and a run of datagrams to each of them.
//!
//! | file | what it does |
//! |---|---|
//! | here | what is due in a turn: datagrams, the list, words for the log |
//! | `fan` | one run to all viewers |
//! | `sockets` | where viewers come to, the group, what the local network is told |
//! | `list` | who may come in |
//! | `pairing` | a code that is open, and who has used it |

mod fan;
mod list;
mod pairing;
mod sockets;

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use super::audience::PairedSettings;
use super::config::StreamConfig;
use crate::commands;
use crate::exit::RunError;
use crate::keys::KernelRandom;
use crate::keys::state::StateFolder;
use crate::keys::viewers::ViewersFile;
use crate::net::discovery::Announcing;
use crate::net::{ManySocket, SendCounters, Sent};
use crate::proto::group::{
    Asked, Event, Group, GroupCounters, GroupSettings, Request, StreamFacts, ViewerStatus,
};
use crate::proto::identity::{PublicKey, StaticSecret};
use crate::proto::key_schedule::StreamKey;
use crate::time::{Duration, Instant};
use crate::wire::{Control, DatagramType, Delivery, Name};
use fan::Fan;
use pairing::Door;

/// Batches of datagrams that are taken before the stream has its turn: a flood must not hold it up.
const BATCHES: usize = 2;

/// How often it is looked at whether the list has changed, and what the local network asks.
const LIST_INTERVAL: Duration = Duration::from_millis(200);

/// How often it is looked at whether the interface is still the same.
const LISTEN_INTERVAL: Duration = Duration::from_secs(1);

/// A media key serves for so long.
const KEY_LIFE: Duration = Duration::from_secs(120);

/// Requests that wait for the service at once.
const ASKED: usize = 16;

/// All paired viewers of a stream.
pub struct Crowd {
    socket: ManySocket,
    group: Group,
    fan: Fan,
    list: ViewersFile,
    state: StateFolder,
    look_at: Instant,
    listen_at: Instant,
    /// Why nobody can come in, so that it is said once.
    deaf: Option<String>,
    /// What is wrong with the list, so that it is said once.
    trouble: Option<String>,
    asked: heapless::Deque<Asked, ASKED>,
    /// Those who have come since the last frame was sealed.
    newcomers: Vec<SocketAddr>,
    random: KernelRandom,
    door: Door,
    announcing: Option<Announcing>,
    own: PublicKey,
    name: Name,
    out: Box<[u8]>,
    signed: bool,
}

/// What a crowd is made of.
pub struct Invitation {
    /// The camera's own key.
    pub secret: StaticSecret,
    /// Where the list is.
    pub state: StateFolder,
    /// What the camera calls itself.
    pub name: Name,
}

/// What the camera calls itself unless told otherwise: as the machine is called, if that makes a name.
#[must_use]
pub fn machine_name() -> Name {
    commands::machine_name()
        .unwrap_or_else(|| "camera".parse().unwrap_or_else(|_| unreachable!("it is a name")))
}

impl Crowd {
    /// Opens the door.
    ///
    /// # Errors
    ///
    /// [`RunError`] with a sentence that names the mend.
    pub fn open(
        config: &StreamConfig,
        paired: &PairedSettings,
        invitation: Invitation,
        facts: StreamFacts,
        now: Instant,
    ) -> Result<Self, RunError> {
        let socket = sockets::listen(config, paired)?;
        let multicast = paired.group.map(|_| sockets::to_group(config)).transpose()?;
        let settings = GroupSettings {
            name: paired.name.unwrap_or(invitation.name),
            max_viewers: paired.max_viewers,
            idle: paired.idle,
            key_life: KEY_LIFE,
            multicast: paired.group,
        };
        let mut random = KernelRandom::new().map_err(RunError::failed)?;
        let (own, name) = (invitation.secret.public(), settings.name);
        // Not that of `listen`, which may be any.
        let port = socket.local_addr().map_or(paired.listen.port(), |at| at.port());
        let group = Group::new(settings, invitation.secret, facts, now, &mut random);
        let mut crowd = Self {
            socket,
            group,
            fan: Fan::new(paired.max_viewers, multicast),
            list: ViewersFile::new(invitation.state.clone()),
            state: invitation.state,
            look_at: now,
            listen_at: now,
            deaf: None,
            trouble: None,
            asked: heapless::Deque::new(),
            newcomers: Vec::with_capacity(paired.max_viewers),
            random,
            door: Door::default(),
            announcing: sockets::announcing(config, paired, name, own, port, now),
            own,
            name,
            out: vec![0; Control::MAX_DATAGRAM].into_boxed_slice(),
            signed: facts.signer.is_some(),
        };
        let list = crowd.list.read()?;
        if list.is_empty() {
            log::warn!(
                "nobody may watch yet: let viewers in with `sealcam pair`, or with `sealcam viewers add NAME KEY \
                 --state {}` and the key that `sealview identity` shows",
                crowd.state.path().display()
            );
        }
        crowd.admit(now, &list);
        Ok(crowd)
    }

    /// Does what is due: what viewers have sent, what they are owed, the list.
    ///
    /// # Errors
    ///
    /// [`RunError`] only for a broken program.
    pub fn attend(&mut self, now: Instant) -> Result<(), RunError> {
        let Self { socket, group, random, door, .. } = self;
        for _ in 0..BATCHES {
            let taken = socket.receive(|datagram, from| match DatagramType::of(datagram) {
                Ok(DatagramType::Pairing(_)) => door.hear(now, from, datagram, random),
                _ => {
                    group.handle(now, from, datagram, random).ok();
                }
            });
            if taken.map_err(RunError::failed)? == 0 {
                break;
            }
        }
        self.pair(now);
        if now >= self.look_at {
            self.look_at = now + LIST_INTERVAL;
            if self.list.changed() {
                self.reload(now);
            }
            self.announce(now);
        }
        self.speak(now);
        Ok(())
    }

    /// Mends what the network broke; once a frame or once a second.
    pub fn tend(&mut self, now: Instant) {
        if let Some(turn) = self.fan.tend(now) {
            log::warn!("the group: {turn}");
        }
        if now >= self.listen_at {
            self.listen_at = now + LISTEN_INTERVAL;
            self.listen_again();
        }
    }

    /// Stays at the interface that was asked for when it is unplugged and returns.
    fn listen_again(&mut self) {
        let trouble = match self.socket.tend() {
            Ok(false) => None,
            Ok(true) => {
                log::info!("the interface is another one: listening there now");
                None
            }
            Err(why) => Some(why.to_string()),
        };
        if let Some(why) = trouble.as_ref().filter(|_| self.deaf.is_none()) {
            log::warn!("viewers cannot come in for now: {why}; trying again");
        }
        self.deaf = trouble;
    }

    /// Tells the local network where the camera is. What goes wrong there keeps nobody from coming.
    fn announce(&mut self, now: Instant) {
        if let Some(why) = self.announcing.as_mut().and_then(|announcing| announcing.attend(now)) {
            log::warn!("the camera is not announced on the local network for now: {why}; trying again");
        }
    }

    fn speak(&mut self, now: Instant) {
        while let Some((len, to)) = self.group.poll_transmit(now, &mut self.out, &mut self.random) {
            self.socket.send_to(&self.out[..len], to);
        }
        while let Some(event) = self.group.poll_event() {
            self.tell(event);
        }
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Joined(name) => {
                log::info!("viewer {name} has come; {} watching", self.group.len());
                let all = self.group.viewers().filter(|viewer| viewer.name == name);
                let newest = all.max_by_key(|viewer| viewer.joined);
                let wants = newest.filter(|viewer| viewer.delivery == Delivery::Unicast);
                self.newcomers.extend(wants.and_then(|viewer| viewer.address));
            }
            Event::Moved(name, to) => log::info!("viewer {name} is at {to}"),
            Event::Left(name) => log::info!("viewer {name} has gone; {} watching", self.group.len()),
            Event::TimedOut(name) => {
                log::info!("viewer {name} is not heard any more; {} watching", self.group.len());
            }
            Event::Removed(name) => log::info!("viewer {name} is removed; {} watching", self.group.len()),
            Event::Asked(asked) => {
                if self.asked.push_back(asked).is_err() {
                    self.group.reply(asked, br#"{"ok":false,"error":"the camera is busy: ask again"}"#);
                }
            }
        }
    }

    /// The next thing that a viewer asks for.
    pub fn next_request(&mut self) -> Option<(Asked, Request<'_>)> {
        while let Some(asked) = self.asked.pop_front() {
            // It may have gone meanwhile.
            if self.group.request(asked).is_some() {
                return self.group.request(asked).map(|request| (asked, request));
            }
        }
        None
    }

    /// Answers it.
    pub fn reply(&mut self, asked: Asked, text: &[u8]) {
        self.group.reply(asked, text);
    }

    /// The media key to seal with from the next frame on, if it is another than before.
    pub fn take_media_key(&mut self, sealed: u64) -> Option<(u16, StreamKey)> {
        self.group.take_media_key(sealed)
    }

    /// Datagrams have another size from now on, or frames may be larger.
    pub fn set_facts(&mut self, now: Instant, facts: StreamFacts) {
        self.group.set_facts(now, facts);
    }

    /// Sends a run to all who watch. [`Sent::bytes`] is all of it or nothing: after
    /// [`Outcome::Blocked`](crate::net::Outcome) the same run, or a longer one, is to be given again.
    pub fn send_run(&mut self, run: &[u8], datagram: usize) -> Sent {
        self.fan.send_run(&mut self.socket, run, datagram, || self.group.recipients())
    }

    /// Whether somebody has come who has seen no frame yet.
    #[must_use]
    pub fn has_newcomers(&mut self) -> bool {
        if !self.newcomers.is_empty() {
            // Some may have gone again, or been put out.
            let recipients = self.group.recipients();
            self.newcomers.retain(|newcomer| recipients.contains(newcomer));
        }
        !self.newcomers.is_empty()
    }

    /// What is sent from now on is the last frame once more, for those who have just come.
    pub fn repeat_for_newcomers(&mut self) {
        self.fan.only_to(&self.newcomers);
        self.newcomers.clear();
    }

    /// What is sent from now on is a new frame, for all.
    pub fn begin_frame(&mut self) {
        self.newcomers.clear();
        self.fan.only_to(&[]);
    }

    /// The largest datagram that the path of some viewer carries, if one was too large for it lately.
    pub const fn take_limit(&mut self) -> Option<usize> {
        self.fan.take_limit()
    }

    /// The run that is under way is given up.
    pub fn give_up(&mut self) {
        self.fan.reset();
    }

    /// Whether anybody wants frames.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.group.is_watched()
    }

    /// Says goodbye to all.
    pub fn stop(&mut self, now: Instant) {
        self.group.stop();
        self.speak(now);
        if let Some(announcing) = &mut self.announcing {
            announcing.end();
        }
    }

    /// Who watches.
    pub fn viewers(&self) -> impl Iterator<Item = ViewerStatus> + '_ {
        self.group.viewers()
    }

    /// What has come.
    #[must_use]
    pub fn counters(&self) -> GroupCounters {
        self.group.counters()
    }

    /// What was sent, to all together.
    #[must_use]
    pub fn sent(&self) -> SendCounters {
        self.fan.counters(self.socket.counters())
    }

    /// Whether frames are signed.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        self.signed
    }

    /// When to be attended to at the latest.
    #[must_use]
    pub fn wake_at(&self) -> Instant {
        self.group.next_wake().min(self.look_at)
    }

    /// The socket, to wait for datagrams.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The socket in which there was no room: that one, or the group's.
    #[must_use]
    pub fn full(&self) -> BorrowedFd<'_> {
        self.fan.full().unwrap_or(self.socket.as_fd())
    }
}
