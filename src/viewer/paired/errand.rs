//! An errand: to connect to a camera, ask it something, and leave.

use super::requests::{Reply, Request};
use super::words::{Scene, Situation, trouble};
use super::{Link, Peer};
use crate::clock;
use crate::exit::RunError;
use crate::proto::connection::Standing;
use crate::time::{Duration, Instant};
use crate::viewer::config::PeerConfig;
use crate::wire::Delivery;

/// An answer takes no longer.
const LIMIT: Duration = Duration::from_secs(10);
/// How often the socket is looked after.
const TURN: Duration = Duration::from_millis(100);
/// No frames are asked for.
const NO_FRAMES: usize = 1 << 10;

/// On the way to a camera, to ask it something.
pub(super) struct Errand {
    link: Link,
    title: String,
    own_key: String,
    heard: Instant,
    limit: Duration,
}

impl Errand {
    /// Sets out.
    pub(super) fn begin(config: &PeerConfig) -> Result<Self, RunError> {
        Self::to(&Peer::find(config)?, LIMIT)
    }

    fn to(peer: &Peer, limit: Duration) -> Result<Self, RunError> {
        let now = clock::now();
        let link = Link::open(peer, NO_FRAMES, Delivery::Paused, now)?;
        Ok(Self { link, title: peer.target.title.clone(), own_key: peer.own_key(), heard: now, limit })
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Reply, RunError> {
        let text = request.to_text()?;
        let begun = clock::now();
        if !self.link.ask(begun, &text) {
            return Err(RunError::Failed("one question at a time".into()));
        }
        loop {
            let now = clock::now();
            if let Some(reply) = self.link.connection.take_reply() {
                return Reply::parse(reply);
            }
            self.check(now, begun)?;
            self.link.tend(now)?;
            self.link.speak(now);
            self.wait(now)?;
        }
    }

    fn wait(&mut self, now: Instant) -> Result<(), RunError> {
        let due = self.link.connection.next_wake().map_or(TURN, |wake| wake.since(now).min(TURN));
        let timeout = due.max(Duration::from_millis(1));
        match self.link.socket().socket() {
            Some(socket) => drop(socket.wait(timeout, None).map_err(RunError::failed)?),
            None => std::thread::park_timeout(timeout),
        }
        let now = clock::now();
        let mut heard = self.heard;
        let taken = self.link.receive(now, |_, handled| {
            if handled.is_ok() {
                heard = now;
            }
        });
        self.heard = heard;
        taken.map(drop).map_err(RunError::failed)
    }

    /// Gives up where there is nothing to wait for, or no longer.
    fn check(&self, now: Instant, begun: Instant) -> Result<(), RunError> {
        let standing = self.link.connection.standing(now);
        let over = now.since(begun) >= self.limit;
        if !over && !matches!(standing, Standing::Refused(_) | Standing::Ended(_)) {
            return Ok(());
        }
        let trouble = match self.link.socket().trouble() {
            Some(text) => text.to_owned(),
            None if standing == Standing::In => format!(
                "{} lets this viewer in, but does not answer the question: its version may not know it",
                self.title
            ),
            None => self.words(Situation::of(standing, now.since(self.heard))),
        };
        let waited = if over { format!("no answer for {} s: ", self.limit.as_secs()) } else { String::new() };
        Err(RunError::Failed(waited + &trouble))
    }

    fn words(&self, situation: Situation) -> String {
        let scene = Scene {
            camera: &self.title,
            addresses: self.link.addresses(),
            own_key: &self.own_key,
            unheard: clock::now().since(self.heard),
        };
        trouble(situation, &scene).unwrap_or_default()
    }

    /// Leaves.
    pub(super) fn end(mut self) {
        self.link.leave(clock::now());
    }
}

#[cfg(test)]
#[path = "errand_tests.rs"]
mod tests;
