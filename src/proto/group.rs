//! The camera's end of many paired viewers: who comes in, who may do what, who holds which media key.
//!
//! It does not send frames: the run loop seals each once with a [`Sender`](super::sender::Sender), under the key
//! from [`Group::take_media_key`], and sends it to all [`Group::recipients`]. One more viewer costs its sends.
//!
//! # From a first message to a viewer
//!
//! 1. The [gate](super::gate) looks at it, which costs a hash. A busy camera answers with a cookie.
//! 2. The [handshake](super::handshake) is opened and answered; nothing is kept but a half-open entry. A key that
//!    is not on the list gets a sealed refusal, and no entry.
//! 3. The viewer's first sealed datagram shows that it holds its keys and that it got the answer where that was
//!    sent. Now it is a member, gets the media key, and frames go to its address. Only now does a newer session
//!    of the same viewer take the place of an older one.
//!
//! # Limits
//!
//! | what | limit |
//! |---|---|
//! | first messages | those of the [gate](super::gate#limits) |
//! | half-open entries | [`HALF_OPEN`], each for [`HALF_OPEN_LIFE`] |
//! | handshake answers that wait to be sent | [`OUTBOX`]; more are dropped |
//! | viewers | as set, 64 unless told otherwise; [`PER_KEY`] programs with the same key |
//! | a viewer that is not heard | is let go after [`GroupSettings::idle`] |
//! | a session | [`SESSION_LIFE`]; viewers begin a new one after two minutes |
//! | a viewer's requests | one at a time, one in [`REQUEST_EVERY`] |
//! | a media key | two minutes, or 2^31 datagrams |
//! | a removed viewer | sees no frame sealed more than 300 ms after its removal |
//!
//! Until somebody has shown to be at an address, handshakes are answered there with nothing longer than what came,
//! and a sealed datagram of a viewer with no more than four challenges of 49 bytes, one in 250 ms.

mod door;
mod half_open;
mod media_keys;
mod member;
mod terms;

use core::fmt;
use core::net::SocketAddr;

use heapless::Deque;

use super::gate::Gate;
use super::identity::{PublicKey, StaticSecret};
use super::key_schedule::StreamKey;
use super::random::Random;
use super::session::Session;
use crate::time::{Duration, Instant};
use crate::wire::handshake::{Answer, CookieReply};
use crate::wire::{Control, Delivery, Farewell, Grant, Name};
use half_open::HalfOpens;
use media_keys::{MediaKeys, REMOVAL_GRACE, SCHEDULED_GRACE};
use member::Member;

pub use half_open::{HALF_OPEN, HALF_OPEN_LIFE};
pub use member::{Admitted, REQUEST_EVERY};
pub use terms::{Asked, Event, GroupCounters, GroupSettings, Ignored, Request, StreamFacts, ViewerStatus};

/// Handshake answers that wait to be sent at once.
pub const OUTBOX: usize = 32;

/// Programs that use one viewer's key at once; one more takes the place of the one that was silent the longest.
pub const PER_KEY: usize = 4;

/// A session ends after so long. Viewers begin a new one after two minutes; this is for those that do not.
pub const SESSION_LIFE: Duration = Duration::from_secs(180);

/// Who has not been heard for so long is not waited for when the key changes, and gives way when all places are
/// taken.
const ACTIVE: Duration = Duration::from_secs(3);

/// All viewers of one camera. Reads no clock and does no I/O. Allocates in [`Group::new`],
/// [`Group::set_admitted`], and a bounded time for each handshake that passes the gate.
pub struct Group {
    settings: GroupSettings,
    secret: StaticSecret,
    facts: StreamFacts,
    gate: Gate,
    admitted: Vec<Admitted>,
    half_open: HalfOpens,
    members: Vec<Member>,
    departing: Vec<(Session, SocketAddr, Farewell)>,
    keys: MediaKeys,
    outbox: Deque<(SocketAddr, Reply), OUTBOX>,
    events: Deque<Event, 64>,
    recipients: Vec<SocketAddr>,
    polled: usize,
    counters: GroupCounters,
    plain: Box<[u8]>,
}

enum Reply {
    Answer([u8; Answer::LEN]),
    Cookie([u8; CookieReply::LEN]),
}

impl Group {
    /// A group with nobody in it, nor on its list.
    pub fn new(
        settings: GroupSettings,
        secret: StaticSecret,
        facts: StreamFacts,
        now: Instant,
        random: &mut impl Random,
    ) -> Self {
        let gate = Gate::new(secret.public().as_bytes(), &random.array(), now);
        Self {
            gate,
            secret,
            facts,
            admitted: Vec::new(),
            half_open: HalfOpens::new(),
            members: Vec::with_capacity(settings.max_viewers),
            departing: Vec::with_capacity(settings.max_viewers),
            keys: MediaKeys::new(now, random),
            outbox: Deque::new(),
            events: Deque::new(),
            recipients: Vec::with_capacity(settings.max_viewers + 1),
            polled: 0,
            counters: GroupCounters::default(),
            plain: vec![0; Control::MAX].into_boxed_slice(),
            settings,
        }
    }

    /// Replaces the list of those who may come in. Who is no longer on it is out at once, and the media key
    /// changes, whether that viewer is in or not: one that has just gone still holds the key. Who has another role
    /// has it from now on.
    pub fn set_admitted(&mut self, now: Instant, admitted: &[Admitted], random: &mut impl Random) {
        let is_listed = |key: &PublicKey| admitted.iter().any(|entry| entry.key == *key);
        let mut removed = false;
        for before in self.admitted.iter().filter(|before| !is_listed(&before.key)) {
            self.half_open.forget(&before.key);
            removed = true;
        }
        self.admitted.clear();
        self.admitted.extend_from_slice(admitted);
        for at in (0..self.members.len()).rev() {
            let listed = admitted.iter().find(|entry| entry.key == self.members[at].who.key);
            if let Some(entry) = listed {
                let member = &mut self.members[at];
                member.owes_alive |= member.who.role != entry.role;
                member.who = *entry;
            } else {
                self.part(at, Farewell::Removed, Event::Removed);
            }
        }
        if removed {
            self.change_key(now, REMOVAL_GRACE, random);
        }
    }

    /// The camera cuts datagrams of another size from now on, or sends larger frames.
    pub fn set_facts(&mut self, now: Instant, facts: StreamFacts) {
        if facts == self.facts {
            return;
        }
        self.facts = facts;
        for member in &mut self.members {
            // Granted again until it says that it holds the key.
            member.held = None;
            member.hurry_grant(now);
        }
    }

    fn change_key(&mut self, now: Instant, grace: Duration, random: &mut impl Random) {
        self.keys.begin(now, grace, random);
        for member in &mut self.members {
            member.hurry_grant(now);
        }
    }

    fn part(&mut self, at: usize, why: Farewell, event: fn(Name) -> Event) {
        let member = self.members.swap_remove(at);
        self.tell(event(member.who.name));
        if let Some(path) = member.path {
            self.departing.push((member.session, path, why));
        }
    }

    /// Keeps the newest if nobody asks.
    fn tell(&mut self, event: Event) {
        if self.events.is_full() {
            self.events.pop_front();
        }
        self.events.push_back(event).ok();
    }

    /// Sends all away: the camera stops.
    pub fn stop(&mut self) {
        while !self.members.is_empty() {
            self.part(0, Farewell::Stopping, Event::Left);
        }
    }

    /// What has happened, one at a time. A request stays with its viewer until it is told here, however much
    /// else happens meanwhile.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front().or_else(|| {
            self.members.iter_mut().find_map(|member| {
                let number = member.untold_request()?;
                Some(Event::Asked(Asked { viewer: member.who.key, instance: member.instance, number }))
            })
        })
    }

    /// What is asked for; `None` if the viewer has gone or asks for something else by now.
    #[must_use]
    pub fn request(&self, asked: Asked) -> Option<Request<'_>> {
        let member = self.members.iter().find(|member| member.is(asked.viewer, asked.instance))?;
        let text = member.request(asked.number)?;
        Some(Request { name: member.who.name, role: member.who.role, text })
    }

    /// Answers a request, with at most [`Control::MAX_TEXT`] bytes.
    pub fn reply(&mut self, asked: Asked, text: &[u8]) {
        let mut members = self.members.iter_mut();
        if let Some(member) = members.find(|member| member.is(asked.viewer, asked.instance)) {
            member.reply(asked.number, text);
        }
    }

    /// Does what is due at `now`, and writes the next datagram to the start of `out`: its length, and where it
    /// goes. To be called until it says `None`.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`Control::MAX_DATAGRAM`].
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        out: &mut [u8],
        random: &mut impl Random,
    ) -> Option<(usize, SocketAddr)> {
        if let Some((to, reply)) = self.outbox.pop_front() {
            let bytes: &[u8] = match &reply {
                Reply::Answer(answer) => answer,
                Reply::Cookie(cookie) => cookie,
            };
            out[..bytes.len()].copy_from_slice(bytes);
            return Some((bytes.len(), to));
        }
        if let Some((mut session, to, why)) = self.departing.pop() {
            return Some((session.say(&Control::Farewell(why), out), to));
        }
        self.housekeeping(now, random);
        for _ in 0..self.members.len() {
            self.polled = (self.polled + 1) % self.members.len();
            let (facts, settings) = (&self.facts, &self.settings);
            let grant = |epoch: &media_keys::Epoch, role| {
                Control::Grant(Grant {
                    epoch: epoch.number,
                    key: *epoch.key,
                    stream: facts.stream,
                    signer: facts.signer,
                    role,
                    datagram: facts.datagram,
                    max_frame: facts.max_frame,
                    group: settings.multicast,
                    camera: settings.name,
                })
            };
            let sent = self.members[self.polled].poll(now, &self.keys, grant, out);
            if sent.is_some() {
                return sent;
            }
        }
        None
    }

    fn housekeeping(&mut self, now: Instant, random: &mut impl Random) {
        for at in (0..self.members.len()).rev() {
            let member = &self.members[at];
            let over = now.since(member.session.since()) >= SESSION_LIFE;
            if over || now.since(member.heard) >= self.settings.idle {
                let member = self.members.swap_remove(at);
                self.tell(Event::TimedOut(member.who.name));
            }
        }
        if self.keys.is_old(now, self.settings.key_life.saturating_sub(SCHEDULED_GRACE)) {
            self.change_key(now, SCHEDULED_GRACE, random);
        }
        let members = &self.members;
        let all_hold = |epoch| {
            let mut active = members.iter().filter(|member| now.since(member.heard) < ACTIVE);
            active.all(|member| member.held == Some(epoch))
        };
        if self.keys.turn(now, all_hold) {
            self.counters.key_changes += 1;
        }
    }

    /// When [`Group::poll_transmit`] has something to do at the latest.
    #[must_use]
    pub fn next_wake(&self) -> Instant {
        if !self.outbox.is_empty() || !self.departing.is_empty() {
            return Instant::ORIGIN;
        }
        let idle = self
            .members
            .iter()
            .map(|member| (member.heard + self.settings.idle).min(member.session.since() + SESSION_LIFE));
        let due = self.members.iter().filter_map(|member| member.next_due(&self.keys));
        idle.chain(due)
            .fold(self.keys.next_change(self.settings.key_life.saturating_sub(SCHEDULED_GRACE)), Instant::min)
    }

    /// The media key to seal with from the next frame on, if it is another than before: to be asked before each
    /// frame. `sealed` is how many datagrams were sealed under the one before.
    pub fn take_media_key(&mut self, sealed: u64) -> Option<(u16, StreamKey)> {
        self.keys.count_sealed(sealed);
        self.keys.take_news().map(|epoch| (epoch.number, StreamKey::from_bytes(*epoch.key)))
    }

    /// Where frames go.
    pub fn recipients(&mut self) -> &[SocketAddr] {
        self.recipients.clear();
        let wants = |delivery| move |member: &&Member| member.delivery == delivery;
        if let Some(group) = self.settings.multicast
            && self.members.iter().any(|member| wants(Delivery::Group)(&member))
        {
            self.recipients.push(group);
        }
        let unicast = self.members.iter().filter(wants(Delivery::Unicast));
        self.recipients.extend(unicast.filter_map(|member| member.path));
        // A program that has started anew is there twice for a while, at one address.
        self.recipients.sort_unstable();
        self.recipients.dedup();
        &self.recipients
    }

    /// Whether anybody wants frames.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.members.iter().any(|member| member.delivery != Delivery::Paused)
    }

    /// How many viewers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// All viewers.
    pub fn viewers(&self) -> impl Iterator<Item = ViewerStatus> + '_ {
        self.members.iter().map(|member| ViewerStatus {
            name: member.who.name,
            role: member.who.role,
            address: member.path,
            delivery: member.delivery,
            joined: member.joined,
            heard: member.heard,
        })
    }

    /// Handshakes that are half open.
    #[must_use]
    pub fn half_open(&self) -> usize {
        self.half_open.len()
    }

    /// What has come so far.
    #[must_use]
    pub fn counters(&self) -> GroupCounters {
        GroupCounters { gate: self.gate.counters(), ..self.counters }
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({} viewers of {} admitted)", self.members.len(), self.admitted.len())
    }
}
