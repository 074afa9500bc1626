//! What the camera says, and what follows from it.

use core::net::SocketAddr;

use super::terms::{Handled, Refusal, Standing};
use super::{Connection, Live, REFUSED_FOR, RequestState, STATUS_AGAIN};
use crate::proto::handshake::Verdict;
use crate::proto::outcome::Dropped;
use crate::proto::session::{Session, Unheard};
use crate::time::Instant;
use crate::wire::handshake::{Answer, CookieReply, Step};
use crate::wire::{Control, DatagramType, Delivery, Farewell, PublicHeader, SessionId};

impl Connection {
    /// Takes in one datagram.
    ///
    /// # Errors
    ///
    /// [`Dropped`] with the cause; of media it is also counted.
    pub fn handle(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Result<Handled, Dropped> {
        match DatagramType::of(datagram)? {
            DatagramType::Media | DatagramType::Manifest => {
                let accepted = self.receiver.handle(now, datagram)?;
                self.media_from = (self.settings.delivery == Delivery::Unicast).then_some(from);
                Ok(Handled::Media(accepted))
            }
            DatagramType::Session => self.hear(now, from, datagram).map(|()| Handled::Control),
            DatagramType::Handshake(Step::Answer) => {
                self.answered(now, from, &Answer::parse(datagram)?).map(|()| Handled::Control)
            }
            DatagramType::Handshake(Step::Cookie) => {
                let reply = CookieReply::parse(datagram)?;
                let attempt = self.attempt.as_mut().ok_or(Dropped::Unsupported)?;
                let taken = attempt.take_cookie(now, &reply);
                taken.then_some(Handled::Control).ok_or(Dropped::Forged)
            }
            _ => Err(Dropped::Unsupported),
        }
    }

    fn answered(&mut self, now: Instant, from: SocketAddr, answer: &Answer) -> Result<(), Dropped> {
        let attempt = self.attempt.as_mut().ok_or(Dropped::Unsupported)?;
        let (verdict, keys) = attempt.initiator.finish(answer).map_err(|_| Dropped::Forged)?;
        let own = attempt.initiator.id();
        self.attempt = None;
        let refusal = match verdict {
            Verdict::Welcome => {
                let session = Session::new(&keys, own, answer.camera, now);
                let live = Live { session, peer: from, fresh: true, granted: false };
                let before = self.session.replace(live);
                // One that the camera never spoke in is of no use.
                self.before = before.filter(|before| !before.fresh).or(self.before.take());
                self.status_at = now;
                self.status_after = STATUS_AGAIN;
                self.request.send_at = now;
                return Ok(());
            }
            Verdict::NotListed => Refusal::NotListed,
            Verdict::Full => Refusal::Full,
        };
        self.end(Standing::Refused(refusal), now);
        Ok(())
    }

    pub(super) fn end(&mut self, standing: Standing, now: Instant) {
        self.standing = standing;
        self.session = None;
        self.before = None;
        self.media_from = None;
        self.attempt = None;
        self.knock_at = now + REFUSED_FOR;
    }

    fn hear(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Result<(), Dropped> {
        let header = PublicHeader::parse(datagram)?;
        let id = SessionId::of(&header);
        let is_of = |live: &Option<Live>| live.as_ref().is_some_and(|live| live.session.id() == id);
        let newest = is_of(&self.session);
        let live = if newest { &mut self.session } else { &mut self.before };
        let live = live.as_mut().filter(|live| live.session.id() == id).ok_or(Dropped::OtherStream)?;
        let mut plain = core::mem::take(&mut self.plain);
        let heard = live.session.hear(&header, datagram, &mut plain);
        let result = match heard {
            Ok(heard) => {
                if newest {
                    live.fresh = false;
                    self.before = None;
                }
                self.heard = now;
                self.obey(now, from, &heard.message, newest, !heard.newest);
                Ok(())
            }
            Err(why) => Err(why.into()),
        };
        self.plain = plain;
        result
    }

    /// `newest` is of the session; of those said in it, `overtaken` ones tell how things stood.
    fn obey(&mut self, now: Instant, from: SocketAddr, message: &Control<'_>, newest: bool, overtaken: bool) {
        let counts = newest && !overtaken;
        match *message {
            Control::Grant(grant) => {
                let live = self.session.as_mut().filter(|_| newest);
                let is_first = live.is_some_and(|live| !core::mem::replace(&mut live.granted, true));
                if self.receiver.grant(&grant) || is_first {
                    self.status_at = now;
                }
                if counts || self.granted.is_none() {
                    self.role = grant.role;
                    self.granted = Some(grant);
                }
                self.standing = Standing::In;
            }
            Control::Alive(role) => {
                if counts {
                    self.role = role;
                }
                if self.granted.is_some() {
                    self.standing = Standing::In;
                }
            }
            Control::Reply { number, text } if self.request.awaits(number) => {
                self.reply = heapless::Vec::from_slice(text).unwrap_or_default();
                self.request.state = RequestState::Replied;
            }
            Control::PathChallenge(token) => self.path_answer = Some((token, from)),
            Control::Farewell(Farewell::Full) if newest => self.end(Standing::Refused(Refusal::Full), now),
            Control::Farewell(why) if newest => self.end(Standing::Ended(why), now),
            // A farewell to the session before, or what only viewers say.
            _ => {}
        }
    }
}

impl From<Unheard> for Dropped {
    fn from(why: Unheard) -> Self {
        match why {
            Unheard::Forged => Self::Forged,
            Unheard::Refused(why) => why.into(),
            Unheard::Malformed(why) => Self::Malformed(why),
        }
    }
}
