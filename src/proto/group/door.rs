//! How viewers come in, and how they are heard.

use core::net::SocketAddr;

use super::member::{Member, Taken};
use super::terms::{Event, Ignored};
use super::{ACTIVE, Group, PER_KEY, Reply};
use crate::proto::gate::{Knock, Verdict as GateVerdict};
use crate::proto::handshake::{Opened, Verdict};
use crate::proto::random::Random;
use crate::proto::session::Session;
use crate::time::Instant;
use crate::wire::handshake::{CookieReply, Opening, Step};
use crate::wire::{Control, DatagramType, Farewell, Malformed, PublicHeader, SessionId};

impl Group {
    /// Takes in one datagram.
    ///
    /// # Errors
    ///
    /// [`Ignored`] with the cause, which is also counted.
    pub fn handle(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        random: &mut impl Random,
    ) -> Result<(), Ignored> {
        let handled = match DatagramType::of(datagram) {
            Ok(DatagramType::Handshake(Step::Opening)) => self.knock(now, from, datagram, random),
            Ok(DatagramType::Session) => self.hear(now, from, datagram, random),
            Ok(_) => Err(Ignored::Malformed(Malformed::Field("datagram for a camera"))),
            Err(why) => Err(Ignored::Malformed(why)),
        };
        match handled {
            Err(Ignored::Malformed(_)) => self.counters.malformed += 1,
            Err(Ignored::UnknownSession) => self.counters.unknown_session += 1,
            Err(Ignored::Forged) => self.counters.forged += 1,
            Err(Ignored::Replayed) => self.counters.replayed += 1,
            Err(Ignored::Refused) | Ok(()) => {}
        }
        handled
    }

    fn knock(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        random: &mut impl Random,
    ) -> Result<(), Ignored> {
        let opening = Opening::parse(datagram).map_err(Ignored::Malformed)?;
        if let Some(again) = self.half_open.answer_again(opening.first_mac, from, now) {
            again.into_iter().for_each(|answer| self.post(from, Reply::Answer(answer)));
            return Ok(());
        }
        let is_there = |member: &Member| member.path.is_some_and(|path| path.ip() == from.ip());
        let knock = Knock {
            from,
            known: self.members.iter().any(is_there),
            body: opening.body,
            first_mac: opening.first_mac,
            second_mac: opening.second_mac,
        };
        match self.gate.judge(now, &knock, |bytes| random.fill(bytes)) {
            GateVerdict::Pass => self.open(now, from, &opening, random),
            GateVerdict::Cookie(sealed) => {
                let reply = CookieReply { viewer: opening.viewer(), sealed };
                self.post(from, Reply::Cookie(reply.to_bytes()));
                Ok(())
            }
            GateVerdict::Stranger | GateVerdict::Limited => Err(Ignored::Refused),
        }
    }

    /// Whether there is no place for another viewer, not even that of one that is not heard.
    fn is_full(&self, now: Instant) -> bool {
        self.members.len() >= self.settings.max_viewers && self.longest_silent(now).is_none()
    }

    fn longest_silent(&self, now: Instant) -> Option<usize> {
        let silent = self.members.iter().enumerate().filter(|(_, member)| now.since(member.heard) >= ACTIVE);
        silent.min_by_key(|(_, member)| member.heard).map(|(at, _)| at)
    }

    fn open(
        &mut self,
        now: Instant,
        from: SocketAddr,
        opening: &Opening<'_>,
        random: &mut impl Random,
    ) -> Result<(), Ignored> {
        let opened = Opened::open(&self.secret, opening, random).map_err(|_| {
            self.counters.handshakes_failed += 1;
            Ignored::Refused
        })?;
        let viewer = opened.viewer();
        let is_member = self.members.iter().any(|member| member.who.key == viewer);
        let verdict = if !self.admitted.iter().any(|entry| entry.key == viewer) {
            self.counters.not_listed += 1;
            Verdict::NotListed
        } else if !is_member && self.is_full(now) {
            self.counters.full += 1;
            Verdict::Full
        } else {
            Verdict::Welcome
        };
        let id = SessionId::from_bytes(random.array());
        let (answer, keys) = opened.answer(verdict, id).map_err(|_| Ignored::Refused)?;
        let bytes = answer.to_bytes();
        if verdict == Verdict::Welcome {
            let session = Session::new(&keys, id, answer.viewer, now);
            self.half_open.add(viewer, from, session, bytes, *opening.first_mac);
        }
        self.post(from, Reply::Answer(bytes));
        Ok(())
    }

    fn post(&mut self, to: SocketAddr, reply: Reply) {
        if self.outbox.push_back((to, reply)).is_err() {
            self.counters.outbox_full += 1;
        }
    }

    fn hear(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        random: &mut impl Random,
    ) -> Result<(), Ignored> {
        let header = PublicHeader::parse(datagram).map_err(Ignored::Malformed)?;
        let id = SessionId::of(&header);
        let mut plain = core::mem::take(&mut self.plain);
        let result = if let Some(at) = self.members.iter().position(|member| member.session.id() == id) {
            let heard = self.members[at].session.hear(&header, datagram, &mut plain);
            heard.map_err(Ignored::from).map(|heard| {
                self.obey(now, at, from, &heard.message, heard.newest, random);
            })
        } else if let Some(at) = self.half_open.find(id, now) {
            let heard = self.half_open.get_mut(at).session.hear(&header, datagram, &mut plain);
            heard
                .map_err(Ignored::from)
                .and_then(|heard| self.confirm(now, at, from, &heard.message, random).ok_or(Ignored::Refused))
        } else {
            Err(Ignored::UnknownSession)
        };
        self.plain = plain;
        result
    }

    /// The viewer has shown that it holds the keys of a half-open handshake.
    fn confirm(
        &mut self,
        now: Instant,
        half: usize,
        from: SocketAddr,
        message: &Control<'_>,
        random: &mut impl Random,
    ) -> Option<()> {
        // It says first how things stand: whatever else comes first has overtaken that, and is said again.
        let Control::Status { instance, .. } = *message else { return None };
        let half = self.half_open.take(half);
        // The list may have changed since.
        let who = *self.admitted.iter().find(|entry| entry.key == half.viewer)?;
        let same = |member: &Member| member.who.key == half.viewer;
        let known = self.members.iter().position(|member| member.is(half.viewer, instance));
        let programs = self.members.iter().filter(|member| same(member)).count();
        if known.is_some_and(|at| half.session.since() < self.members[at].session.since()) {
            return None;
        }
        if known.is_none() && programs >= PER_KEY {
            // Most likely it is one that has ended without a word.
            let own = self.members.iter().enumerate().filter(|(_, member)| same(member));
            if let Some((at, _)) = own.min_by_key(|(_, member)| member.heard) {
                self.part(at, Farewell::Displaced, Event::Left);
            }
        } else if known.is_none() && self.members.len() >= self.settings.max_viewers {
            // Whoever is not heard gives way before its time.
            let Some(at) = self.longest_silent(now) else {
                // Another program of a viewer that is in, which the opening did not tell.
                self.counters.full += 1;
                self.departing.push((half.session, from, Farewell::Full));
                return None;
            };
            self.part(at, Farewell::Displaced, Event::TimedOut);
        }
        let at = match known {
            Some(at) => {
                self.members[at].renew(half.session, now);
                at
            }
            None => {
                self.members.push(Member::new(who, instance, half.session, now));
                self.tell(Event::Joined(who.name));
                self.members.len() - 1
            }
        };
        self.counters.confirmed += 1;
        if from == half.from {
            // The answer went there and came back.
            self.members[at].path = Some(from);
            self.members[at].challenge = None;
        }
        self.obey(now, at, from, message, true, random);
        Some(())
    }

    fn obey(
        &mut self,
        now: Instant,
        at: usize,
        from: SocketAddr,
        message: &Control<'_>,
        newest: bool,
        random: &mut impl Random,
    ) {
        let member = &mut self.members[at];
        member.heard = now;
        if newest && member.path != Some(from) {
            member.challenge(from, now, random);
        }
        match *message {
            Control::Status { held, delivery, .. } => {
                // One that was overtaken tells how things stood.
                if newest {
                    member.held = held;
                    member.delivery = delivery;
                }
                member.owes_alive = true;
            }
            Control::PathAnswer(token) => {
                let known = member.path.is_some();
                if member.answered(token, from) {
                    member.hurry_grant(now);
                    self.counters.moved += u64::from(known);
                    let name = member.who.name;
                    self.tell(Event::Moved(name, from));
                }
            }
            Control::Request { number, text } => match member.take_request(now, number, text) {
                Taken::New => self.counters.requests += 1,
                Taken::Again => {}
                Taken::TooSoon => self.counters.requests_too_soon += 1,
            },
            Control::Leave => {
                let member = self.members.swap_remove(at);
                self.tell(Event::Left(member.who.name));
            }
            // The camera's own messages: a viewer that sends them is mistaken.
            _ => self.counters.malformed += 1,
        }
    }
}
