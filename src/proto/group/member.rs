//! One viewer of a group: its session, its address, and what it is owed.

use core::net::SocketAddr;

use heapless::Vec as FixedVec;

use super::media_keys::MediaKeys;
use crate::proto::identity::PublicKey;
use crate::proto::random::Random;
use crate::proto::session::Session;
use crate::time::{Duration, Instant};
use crate::wire::{Control, Delivery, Name, Role};

/// A viewer that the camera lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    /// Its key.
    pub key: PublicKey,
    /// What it is called.
    pub name: Name,
    /// What it may do.
    pub role: Role,
}

/// A challenge is sent so often, then the new address is given up.
const CHALLENGES: u8 = 4;
const CHALLENGE_EVERY: Duration = Duration::from_millis(250);

/// A key that has not been acknowledged is sent again after so long, then twice as long, up to
/// [`GRANT_AT_MOST`].
const GRANT_AFTER: Duration = Duration::from_millis(100);
const GRANT_AT_MOST: Duration = Duration::from_millis(1_600);

type Text = FixedVec<u8, { Control::MAX_TEXT }>;

pub(super) struct Member {
    pub(super) who: Admitted,
    /// Which program of that viewer.
    pub(super) instance: u32,
    pub(super) session: Session,
    /// Where it has shown to be; nothing but challenges goes elsewhere.
    pub(super) path: Option<SocketAddr>,
    pub(super) challenge: Option<Challenge>,
    pub(super) held: Option<u16>,
    pub(super) delivery: Delivery,
    pub(super) joined: Instant,
    pub(super) heard: Instant,
    pub(super) owes_alive: bool,
    grant_at: Instant,
    grant_after: Duration,
    grant_current_first: bool,
    request: Request,
}

pub(super) struct Challenge {
    pub(super) token: [u8; 8],
    pub(super) to: SocketAddr,
    left: u8,
    next: Instant,
}

/// Between one request of a viewer and its next.
pub const REQUEST_EVERY: Duration = Duration::from_millis(50);

/// The last request: one at a time, and each is carried out once.
#[derive(Default)]
struct Request {
    number: Option<u32>,
    text: Text,
    at: Option<Instant>,
    told: bool,
    reply: Option<Text>,
    owes_reply: bool,
}

/// What became of a request.
pub(super) enum Taken {
    /// It is to be carried out.
    New,
    /// It was taken before.
    Again,
    /// Not taken; it will be asked again.
    TooSoon,
}

impl Member {
    pub(super) fn new(who: Admitted, instance: u32, session: Session, now: Instant) -> Self {
        Self {
            who,
            instance,
            session,
            path: None,
            challenge: None,
            held: None,
            delivery: Delivery::default(),
            joined: now,
            heard: now,
            owes_alive: false,
            grant_at: now,
            grant_after: GRANT_AFTER,
            grant_current_first: true,
            request: Request::default(),
        }
    }

    /// Whether it is that program of that viewer.
    pub(super) fn is(&self, viewer: PublicKey, instance: u32) -> bool {
        self.who.key == viewer && self.instance == instance
    }

    /// A newer handshake of the same viewer has been confirmed.
    pub(super) fn renew(&mut self, session: Session, now: Instant) {
        self.hurry_grant(now);
        self.session = session;
    }

    /// There is a new key: it goes out at once.
    pub(super) const fn hurry_grant(&mut self, now: Instant) {
        self.grant_at = now;
        self.grant_after = GRANT_AFTER;
    }

    /// The viewer was heard from another address than its own: it is to show that it is there.
    pub(super) fn challenge(&mut self, to: SocketAddr, now: Instant, random: &mut impl Random) {
        if self.challenge.as_ref().is_none_or(|challenge| challenge.to != to) {
            self.challenge = Some(Challenge { token: random.array(), to, left: CHALLENGES, next: now });
        }
    }

    /// Takes a token back; says whether the viewer has moved.
    pub(super) fn answered(&mut self, token: [u8; 8], from: SocketAddr) -> bool {
        let right = self.challenge.take_if(|challenge| challenge.token == token && challenge.to == from);
        if right.is_some() {
            self.path = Some(from);
        }
        right.is_some()
    }

    pub(super) fn take_request(&mut self, now: Instant, number: u32, text: &[u8]) -> Taken {
        let request = &mut self.request;
        if request.number == Some(number) {
            // It is asked again because the reply was lost.
            request.owes_reply = request.reply.is_some();
            return Taken::Again;
        }
        if request.at.is_some_and(|before| now.since(before) < REQUEST_EVERY) {
            return Taken::TooSoon;
        }
        // The parser holds texts to that length.
        let text = Text::from_slice(text).unwrap_or_default();
        *request = Request { number: Some(number), text, at: Some(now), ..Request::default() };
        Taken::New
    }

    /// A request that nobody has been told of yet: its number.
    pub(super) fn untold_request(&mut self) -> Option<u32> {
        let request = &mut self.request;
        request.number.filter(|_| !core::mem::replace(&mut request.told, true))
    }

    pub(super) fn request(&self, number: u32) -> Option<&[u8]> {
        (self.request.number == Some(number) && self.request.reply.is_none()).then_some(&*self.request.text)
    }

    pub(super) fn reply(&mut self, number: u32, text: &[u8]) {
        if self.request.number == Some(number) {
            let text = &text[..text.len().min(Control::MAX_TEXT)];
            self.request.reply = Text::from_slice(text).ok();
            self.request.owes_reply = true;
        }
    }

    /// Writes the next datagram that it is owed to `out`.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        keys: &MediaKeys,
        grant: impl FnOnce(&super::media_keys::Epoch, Role) -> Control<'static>,
        out: &mut [u8],
    ) -> Option<(usize, SocketAddr)> {
        if let Some(sent) = self.poll_challenge(now, out) {
            return Some(sent);
        }
        let path = self.path?;
        if core::mem::take(&mut self.owes_alive) {
            return Some((self.session.say(&Control::Alive(self.who.role), out), path));
        }
        if let Some(epoch) = self.due_grant(now, keys) {
            return Some((self.session.say(&grant(epoch, self.who.role), out), path));
        }
        let request = &mut self.request;
        if core::mem::take(&mut request.owes_reply)
            && let (Some(number), Some(text)) = (request.number, &request.reply)
        {
            let reply = Control::Reply { number, text };
            return Some((self.session.say(&reply, out), path));
        }
        None
    }

    fn poll_challenge(&mut self, now: Instant, out: &mut [u8]) -> Option<(usize, SocketAddr)> {
        let challenge = self.challenge.as_mut().filter(|challenge| challenge.next <= now)?;
        if challenge.left == 0 {
            self.challenge = None;
            return None;
        }
        challenge.left -= 1;
        challenge.next = now + CHALLENGE_EVERY;
        let (token, to) = (challenge.token, challenge.to);
        Some((self.session.say(&Control::PathChallenge(token), out), to))
    }

    /// The key that it lacks, when it is time to send it.
    fn due_grant<'k>(&mut self, now: Instant, keys: &'k MediaKeys) -> Option<&'k super::media_keys::Epoch> {
        if self.held == Some(keys.newest().number) || now < self.grant_at {
            return None;
        }
        // Who has none needs the one in use before the one to come, but each may be lost.
        let first = keys.next.is_some() && self.held.is_none() && self.grant_current_first;
        self.grant_current_first = !first;
        if !first {
            self.grant_at = now + self.grant_after;
            self.grant_after = (self.grant_after * 2).min(GRANT_AT_MOST);
        }
        Some(if first { &keys.current } else { keys.newest() })
    }

    /// When there is something to send at the earliest, if nothing comes from it.
    pub(super) fn next_due(&self, keys: &MediaKeys) -> Option<Instant> {
        let challenge = self.challenge.as_ref().map(|challenge| challenge.next);
        let owes = self.owes_alive || self.request.owes_reply;
        let lacks = self.held != Some(keys.newest().number);
        let grant = (self.path.is_some() && lacks).then_some(self.grant_at);
        let at_once = (self.path.is_some() && owes).then_some(Instant::ORIGIN);
        [challenge, grant, at_once].into_iter().flatten().min()
    }
}
