//! The viewer's end of a pairing: it comes in, stays in, and receives.
//!
//! It tries the camera's addresses in turn until one answers, confirms, and takes what the camera grants. A new
//! handshake replaces the session every two minutes; the one before serves until the camera has spoken in the
//! new one. When the camera falls silent the viewer knocks again, and goes on receiving should it come back.

mod attempt;
mod listening;
mod terms;

use core::fmt;
use core::net::SocketAddr;

use heapless::Vec as FixedVec;

use super::outcome::ReceiverCounters;
use super::paired::PairedReceiver;
use super::random::Random;
use super::reassembly::FrameInfo;
use super::session::Session;
use crate::time::{Duration, Instant};
use crate::wire::{Control, Delivery, Grant, Name, Role, SessionId};
use attempt::Attempt;

pub use terms::{ConnectionSettings, Handled, Refusal, Standing};

/// Addresses of a camera that are tried in turn.
pub const ADDRESSES: usize = 8;

/// A session is replaced after so long.
pub const SESSION_LIFE: Duration = Duration::from_secs(120);

/// How often the viewer says how things stand.
const STATUS_EVERY: Duration = Duration::from_millis(1_000);

/// The first time, or with a new key, it says so again after so long until the camera answers.
const STATUS_AGAIN: Duration = Duration::from_millis(100);

/// A camera that is not heard for so long may have forgotten the viewer.
pub const SILENCE: Duration = Duration::from_secs(3);

/// A camera whose media come but that does not answer may have another address: one where it is not heard. So
/// does one whose answers are lost; hence longer than [`SILENCE`].
pub const UNANSWERED: Duration = Duration::from_secs(5);

/// A camera that has refused is asked again after so long.
const REFUSED_FOR: Duration = Duration::from_secs(5);

/// One viewer's connection to one camera. Reads no clock and does no I/O. Allocates in [`Connection::new`] and
/// for each handshake.
pub struct Connection {
    settings: ConnectionSettings,
    addresses: FixedVec<SocketAddr, ADDRESSES>,
    attempt: Option<Attempt>,
    knock_at: Instant,
    /// The newest session; `fresh` until the camera has spoken in it.
    session: Option<Live>,
    before: Option<Live>,
    receiver: PairedReceiver,
    granted: Option<Grant>,
    role: Role,
    standing: Standing,
    heard: Instant,
    /// Where the last media came from, unless from a group.
    media_from: Option<SocketAddr>,
    status_at: Instant,
    status_after: Duration,
    /// Tells this program apart from others with the same key; drawn with the first session.
    instance: Option<u32>,
    path_answer: Option<([u8; 8], SocketAddr)>,
    request: Outgoing,
    reply: FixedVec<u8, { Control::MAX_TEXT }>,
    leaving: bool,
    plain: Box<[u8]>,
}

struct Live {
    session: Session,
    peer: SocketAddr,
    fresh: bool,
    /// Whether the camera has granted a key in it. A camera that has started anew counts its keys anew: what it
    /// granted before must not pass for what it would grant now.
    granted: bool,
}

/// The request that is under way.
#[derive(Default)]
struct Outgoing {
    number: u32,
    text: FixedVec<u8, { Control::MAX_TEXT }>,
    state: RequestState,
    send_at: Instant,
    after: Duration,
}

#[derive(Default, PartialEq, Eq)]
enum RequestState {
    #[default]
    None,
    Asked,
    Replied,
}

impl Outgoing {
    fn awaits(&self, number: u32) -> bool {
        self.number == number && self.state == RequestState::Asked
    }
}

/// A request is under way already, or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CannotAsk;

impl Connection {
    /// Knocks at `addresses`, of which the first [`ADDRESSES`] count.
    #[must_use]
    pub fn new(settings: ConnectionSettings, addresses: &[SocketAddr], now: Instant) -> Self {
        Self {
            receiver: PairedReceiver::new(settings.max_frame),
            settings,
            addresses: addresses.iter().copied().take(ADDRESSES).collect(),
            attempt: None,
            knock_at: now,
            session: None,
            before: None,
            granted: None,
            role: Role::View,
            standing: Standing::Knocking,
            heard: now,
            media_from: None,
            status_at: now,
            status_after: STATUS_AGAIN,
            instance: None,
            path_answer: None,
            request: Outgoing::default(),
            reply: FixedVec::new(),
            leaving: false,
            plain: vec![0; Control::MAX].into_boxed_slice(),
        }
    }

    /// Another address at which the camera may be: the next to be tried.
    pub fn add_address(&mut self, address: SocketAddr) {
        self.addresses.retain(|known| *known != address);
        if self.addresses.is_full() {
            self.addresses.pop();
        }
        self.addresses.insert(0, address).ok();
        if let Some(attempt) = &mut self.attempt {
            attempt.begin_round();
        }
    }

    /// The viewer's own address has changed: it makes itself heard from the new one.
    pub const fn network_changed(&mut self, now: Instant) {
        self.status_at = now;
        self.status_after = STATUS_AGAIN;
    }

    /// Asks the camera for something; the answer comes by [`Connection::take_reply`].
    ///
    /// # Errors
    ///
    /// [`CannotAsk`] while another request is under way, or if `text` exceeds [`Control::MAX_TEXT`].
    pub fn request(&mut self, now: Instant, text: &[u8], random: &mut impl Random) -> Result<(), CannotAsk> {
        let text = FixedVec::from_slice(text).map_err(|_| CannotAsk)?;
        if self.request.state == RequestState::Asked {
            return Err(CannotAsk);
        }
        // Of each run of the viewer others, so that the camera takes none for one of an earlier run.
        let number = u32::from_be_bytes(random.array());
        let state = RequestState::Asked;
        self.request = Outgoing { number, text, state, send_at: now, after: STATUS_AGAIN };
        Ok(())
    }

    /// The answer to the last request, once.
    pub fn take_reply(&mut self) -> Option<&[u8]> {
        if self.request.state != RequestState::Replied {
            return None;
        }
        self.request.state = RequestState::None;
        Some(&self.reply)
    }

    /// Says goodbye with one of the next datagrams: those that are due until [`is_leaving`](Self::is_leaving) says no.
    pub const fn leave(&mut self) {
        self.leaving = true;
    }

    /// Whether the goodbye has yet to be sent.
    #[must_use]
    pub const fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// How things stand.
    #[must_use]
    pub fn standing(&self, now: Instant) -> Standing {
        let silent = now.since(self.last_heard()) >= SILENCE;
        if self.standing == Standing::In && silent { Standing::Silent } else { self.standing }
    }

    /// Whether the camera has answered lately; media may come nevertheless.
    #[must_use]
    pub const fn is_answered(&self, now: Instant) -> bool {
        now.since(self.heard).as_micros() < UNANSWERED.as_micros()
    }

    fn last_heard(&self) -> Instant {
        self.receiver.last_heard().map_or(self.heard, |media| media.max(self.heard))
    }

    /// What the camera has granted last.
    #[must_use]
    pub const fn granted(&self) -> Option<&Grant> {
        self.granted.as_ref()
    }

    /// What the camera calls itself.
    #[must_use]
    pub fn camera_name(&self) -> Option<Name> {
        self.granted.as_ref().map(|grant| grant.camera)
    }

    /// What this viewer may do there.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Where the camera has answered from.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.session.as_ref().map(|live| live.peer)
    }

    /// How the frames are wanted from now on.
    pub fn set_delivery(&mut self, now: Instant, delivery: Delivery) {
        if self.settings.delivery != delivery {
            self.settings.delivery = delivery;
            self.network_changed(now);
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
        if let Some(live) = &mut self.session {
            // Before anything else: a new session begins with it.
            if self.status_at <= now {
                self.status_at = now + if live.fresh { self.status_after } else { STATUS_EVERY };
                self.status_after = (self.status_after * 2).min(STATUS_EVERY);
                let held = self.receiver.newest_epoch().filter(|_| live.granted);
                let instance = *self.instance.get_or_insert_with(|| u32::from_be_bytes(random.array()));
                let status = Control::Status { instance, held, delivery: self.settings.delivery };
                return Some((live.session.say(&status, out), live.peer));
            }
            if core::mem::take(&mut self.leaving) {
                let sent = live.session.say(&Control::Leave, out);
                let peer = live.peer;
                self.end(Standing::Knocking, now);
                self.knock_at = Instant::from_micros(u64::MAX);
                return Some((sent, peer));
            }
            if let Some((token, to)) = self.path_answer.take() {
                return Some((live.session.say(&Control::PathAnswer(token), out), to));
            }
            let request = &mut self.request;
            if request.state == RequestState::Asked && request.send_at <= now && !live.fresh {
                request.send_at = now + request.after;
                request.after = (request.after * 2).min(STATUS_EVERY);
                let message = Control::Request { number: request.number, text: &request.text };
                return Some((live.session.say(&message, out), live.peer));
            }
        }
        self.poll_knock(now, out, random)
    }

    /// Knocks, if there is no session, or none that will do for long.
    fn poll_knock(
        &mut self,
        now: Instant,
        out: &mut [u8],
        random: &mut impl Random,
    ) -> Option<(usize, SocketAddr)> {
        let next = self.next_knock()?;
        if now < next {
            return None;
        }
        if self.attempt.as_ref().is_none_or(|attempt| attempt.is_over(now)) {
            let id = SessionId::from_bytes(random.array());
            let attempt = Attempt::new(&self.settings.identity, &self.settings.camera, id, now, random);
            let Some(attempt) = attempt else {
                self.knock_at = now + REFUSED_FOR;
                return None;
            };
            self.attempt = Some(attempt);
        }
        let peer = self.session.as_ref().map(|live| live.peer);
        // A camera that has moved is where its media come from now.
        let elsewhere = self.media_from.filter(|from| Some(*from) != peer);
        let known: FixedVec<SocketAddr, 2> = peer.into_iter().chain(elsewhere).collect();
        let attempt = self.attempt.as_mut()?;
        let (opening, to) = attempt.knock(now, &known, &self.addresses)?;
        out[..opening.len()].copy_from_slice(&opening);
        Some((opening.len(), to))
    }

    fn next_knock(&self) -> Option<Instant> {
        if let Some(attempt) = &self.attempt {
            return Some(attempt.next);
        }
        let live = self.session.as_ref().map(|live| {
            // What comes by the session before says nothing of one that the camera has not spoken in.
            let since = live.session.since();
            let heard = |at: Instant| if live.fresh { since } else { at.max(since) };
            let silent = (heard(self.last_heard()) + SILENCE).min(heard(self.heard) + UNANSWERED);
            silent.min(live.session.since() + SESSION_LIFE)
        });
        Some(live.unwrap_or(self.knock_at)).filter(|_| !self.addresses.is_empty() || live.is_some())
    }

    /// When [`Connection::poll_transmit`] has something to do at the latest.
    #[must_use]
    pub fn next_wake(&self) -> Option<Instant> {
        let mut wake = self.next_knock();
        if let Some(live) = &self.session {
            let at_once = (self.leaving || self.path_answer.is_some()).then_some(Instant::ORIGIN);
            let asks = self.request.state == RequestState::Asked && !live.fresh;
            let request = asks.then_some(self.request.send_at);
            wake = [wake, at_once, request, Some(self.status_at)].into_iter().flatten().min();
        }
        wake
    }

    /// Takes the frame that has just become whole, as [`PairedReceiver::take_frame`] does.
    ///
    /// # Panics
    ///
    /// If `buffer` is shorter than [`ConnectionSettings::max_frame`].
    pub fn take_frame(&mut self, buffer: &mut Box<[u8]>) -> Option<FrameInfo> {
        self.receiver.take_frame(buffer)
    }

    /// What has happened to media so far.
    #[must_use]
    pub const fn counters(&self) -> ReceiverCounters {
        self.receiver.counters()
    }

    /// Whether the camera signs its frames; `None` before it has granted a key.
    #[must_use]
    pub fn is_signed(&self) -> Option<bool> {
        self.granted.as_ref().map(|_| self.receiver.is_signed())
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({:?})", self.standing)
    }
}
