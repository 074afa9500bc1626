//! A paired camera.

use std::io;
use std::thread;

use super::Overflow;
use super::inlet::Inlet;
use super::multicast::Multicast;
use crate::exit::RunError;
use crate::net::{Other, Ready};
use crate::proto::connection::{Connection, Handled, Standing};
use crate::proto::outcome::{Accepted, Dropped};
use crate::time::{Duration, Instant};
use crate::viewer::figures::Totals;
use crate::viewer::memory::AddressMemory;
use crate::viewer::paired::{Link, Peer, Scene, Situation, trouble};
use crate::viewer::report::Identity;
use crate::wire::{Delivery, MAX_FRAME};

/// Without a frame for so long, and for two and a half intervals between frames, something is wrong.
const QUIET: Duration = Duration::from_secs(2);

/// Connects to a paired camera.
pub struct PairedFeed {
    link: Link,
    multicast: Multicast,
    flow: Flow,
    book: Option<AddressMemory>,
    title: String,
    own_key: String,
    identity: Identity,
    told: Told,
}

/// When what came.
struct Flow {
    /// Anything of the camera's, or the start.
    heard: Instant,
    let_in: Option<Instant>,
    media: Option<Instant>,
    /// Since when media have come without a longer break.
    media_since: Instant,
    frame: Option<Instant>,
    interval: Duration,
}

/// What has been said, and is not said again.
#[derive(Default)]
struct Told {
    situation: Option<Situation>,
    unsigned: bool,
    overflow: Overflow,
}

impl PairedFeed {
    /// Begins to knock at the camera; with `multicast` its frames are received from its group.
    ///
    /// # Errors
    ///
    /// [`RunError`] with a sentence that names the mend.
    pub fn open(peer: Peer, multicast: bool, now: Instant) -> Result<Self, RunError> {
        let link = Link::open(&peer, MAX_FRAME, Delivery::Unicast, now)?;
        let own_key = peer.own_key();
        let Peer { target, book, interface, .. } = peer;
        let noted = target.known.map(|(name, address)| AddressMemory::start(book, name, address));
        let identity = Identity {
            address: link.addresses().first().map(ToString::to_string).unwrap_or_default(),
            key: target.key.fingerprint().to_string(),
            camera: target.title.clone(),
            ..Identity::default()
        };
        Ok(Self {
            link,
            multicast: Multicast::new(multicast, interface, now),
            flow: Flow::new(now),
            book: noted.transpose()?,
            title: target.title,
            own_key,
            identity,
            told: Told::default(),
        })
    }

    pub(super) fn speak(&mut self, now: Instant) {
        self.link.speak(now);
    }

    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.link.connection.next_wake()
    }

    pub(super) fn wait(&self, timeout: Duration, also: Option<Other<'_>>) -> io::Result<Ready> {
        match (self.link.socket().socket(), self.multicast.socket()) {
            (Some(own), Some(group)) => own.wait_with(group, timeout, also),
            (Some(only), None) | (None, Some(only)) => only.wait(timeout, also),
            (None, None) => {
                thread::park_timeout(timeout);
                Ok(Ready { media: false, also: true })
            }
        }
    }

    /// Takes one batch; returns how many datagrams that were.
    pub(super) fn receive(&mut self, now: Instant, inlet: &mut Inlet) -> io::Result<usize> {
        let Self { link, multicast, flow, .. } = self;
        let own = link.receive(now, |connection, handled| {
            multicast.note_own(now, handled);
            flow.note(now, connection, handled, inlet);
        })?;
        let connection = &mut link.connection;
        let shared = multicast.receive(|datagram, from| {
            let handled = connection.handle(now, from, datagram);
            flow.note(now, connection, handled, inlet);
            handled
        })?;
        Ok(own + shared)
    }

    /// Everything that is done a few times a second.
    pub(super) fn tend(&mut self, now: Instant) -> Result<(), RunError> {
        self.link.tend(now)?;
        let is_in = self.link.connection.standing(now) == Standing::In;
        self.flow.let_in = if is_in { self.flow.let_in.or(Some(now)) } else { None };
        self.multicast.tend(&mut self.link.connection, is_in, now);
        self.tell(self.situation(now), now);
        self.told.overflow.tell(self.totals().overflowed);
        Ok(())
    }

    fn situation(&self, now: Instant) -> Situation {
        let Flow { heard, let_in, media, media_since, frame, interval } = self.flow;
        let standing = self.link.connection.standing(now);
        let Some(let_in) = let_in.filter(|_| standing == Standing::In) else {
            return Situation::of(standing, now.since(heard));
        };
        let quiet = QUIET.max(interval * 5 / 2);
        let recent = |at: Option<Instant>| at.is_some_and(|at| now.since(at) < quiet);
        match () {
            () if recent(frame) => Situation::Receiving,
            () if now.since(heard) >= QUIET => Situation::Silent,
            () if now.since(let_in) < quiet => Situation::Expecting,
            () if recent(media) && now.since(media_since) < quiet => Situation::Expecting,
            () if recent(media) => Situation::Lossy,
            () => Situation::Empty,
        }
    }

    pub(super) fn trouble(&self, now: Instant) -> Option<String> {
        self.link.socket().trouble().map(str::to_owned).or_else(|| self.words(self.situation(now), now))
    }

    fn words(&self, situation: Situation, now: Instant) -> Option<String> {
        let scene = Scene {
            camera: &self.title,
            addresses: self.link.addresses(),
            own_key: &self.own_key,
            unheard: now.since(self.flow.heard),
        };
        trouble(situation, &scene)
    }

    /// Says what has changed, once.
    fn tell(&mut self, situation: Situation, now: Instant) {
        if self.flow.let_in.is_some() {
            self.tell_session();
        }
        if self.told.situation.replace(situation) == Some(situation) {
            return;
        }
        match (situation, self.words(situation, now)) {
            (Situation::Receiving, _) => log::info!("frames come"),
            (_, None) => {}
            (situation, Some(text)) if situation.needs_someone() => log::error!("{text}"),
            (Situation::Knocking | Situation::Expecting, Some(text)) => log::info!("{text}"),
            (_, Some(text)) => log::warn!("{text}"),
        }
    }

    /// The camera has let this viewer in: notes and says who and where it is.
    fn tell_session(&mut self) {
        let connection = &self.link.connection;
        let (Some(peer), Some(grant)) = (connection.peer(), connection.granted()) else { return };
        if let Some(book) = &mut self.book {
            book.note(peer);
        }
        let address = std::mem::replace(&mut self.identity.address, peer.to_string());
        let stream = grant.stream.to_string();
        if self.identity.stream != stream {
            let (camera, role) = (grant.camera, connection.role());
            log::info!("{camera} at {peer} lets this viewer in, role {role}; stream {stream}");
            self.identity.stream = stream;
        } else if address != self.identity.address {
            log::info!("{} is at {peer} now", grant.camera);
        }
        self.identity.signed = connection.is_signed();
        if self.identity.signed == Some(false) && !std::mem::replace(&mut self.told.unsigned, true) {
            log::warn!(
                "the camera does not sign its frames: every viewer that it lets in could make frames that pass for \
                 the camera's"
            );
        }
    }

    pub(super) const fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn totals(&self) -> Totals {
        let counters = self.link.connection.counters();
        let (own, group) = (self.link.counters(), self.multicast.counters());
        Totals {
            datagrams: own.datagrams + group.datagrams,
            bytes: own.bytes + group.bytes,
            incomplete: counters.frames_incomplete,
            late: counters.late,
            forged: counters.forged,
            replayed: counters.replayed,
            stale: counters.stale_stream,
            other_stream: counters.other_stream,
            malformed: counters.malformed + counters.unplaced + counters.unknown_key,
            not_signed: counters.not_signed,
            overflowed: own.lost + group.lost,
        }
    }

    /// Says goodbye, and waits until what is to be remembered is written.
    pub(super) fn finish(mut self, now: Instant) {
        self.link.leave(now);
        if let Some(book) = self.book {
            book.finish();
        }
    }
}

impl Flow {
    const fn new(now: Instant) -> Self {
        let interval = Duration::ZERO;
        Self { heard: now, let_in: None, media: None, media_since: now, frame: None, interval }
    }

    fn note(
        &mut self,
        now: Instant,
        connection: &mut Connection,
        handled: Result<Handled, Dropped>,
        inlet: &mut Inlet,
    ) {
        let Ok(handled) = handled else { return };
        self.heard = now;
        let Handled::Media(accepted) = handled else { return };
        let before = self.media.replace(now);
        if before.is_none_or(|before| now.since(before) >= QUIET) {
            self.media_since = now;
        }
        if accepted == Accepted::Frame && inlet.accept(now, |buffer| connection.take_frame(buffer)) {
            self.interval = self.frame.map_or(Duration::ZERO, |before| now.since(before));
            self.frame = Some(now);
        }
    }
}

#[cfg(test)]
#[path = "paired_tests.rs"]
mod tests;
