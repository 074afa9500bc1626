//! The stream of a camera under a shared key.

use std::io;
use std::mem::{Discriminant, discriminant};
use std::net::SocketAddr;

use super::Overflow;
use super::inlet::Inlet;
use crate::exit::RunError;
use crate::keys::key_file;
use crate::keys::seen::SeenFile;
use crate::keys::state::StateFolder;
use crate::net::{Other, Ready};
use crate::proto::receiver::{Accepted, Condition, Receiver};
use crate::time::{Duration, Instant};
use crate::viewer::condition::trouble;
use crate::viewer::config::WatchConfig;
use crate::viewer::figures::Totals;
use crate::viewer::listening::Listening;
use crate::viewer::memory::Memory;
use crate::viewer::report::Identity;
use crate::wire::MAX_FRAME;

/// Listens for a stream under a shared key.
pub struct SharedFeed {
    at: SocketAddr,
    socket: Listening,
    receiver: Receiver,
    memory: Memory,
    identity: Identity,
    told: Told,
}

/// What has been said, and is not said again.
#[derive(Default)]
struct Told {
    condition: Option<Discriminant<Condition>>,
    other_stream: bool,
    stale: bool,
    overflow: Overflow,
}

impl SharedFeed {
    /// Opens what `config` asks for.
    ///
    /// # Errors
    ///
    /// [`RunError`] with a sentence that names the mend.
    pub fn open(config: &WatchConfig, now: Instant) -> Result<Self, RunError> {
        let key = key_file::read(&config.key).map_err(|why| RunError::Usage(format!("--key: {why}")))?;
        let state = StateFolder::open(config.state.as_deref()).map_err(RunError::failed)?;
        let file = SeenFile::new(state, key.fingerprint());
        if config.forget {
            file.forget().map_err(RunError::failed)?;
        }
        let seen = file.load().map_err(RunError::failed)?;
        let at = config.receive.at;
        let socket = Listening::start(&config.receive, now)?;

        let begun = if socket.trouble().is_none() { "listening on" } else { "waiting to listen on" };
        log::info!("{begun} {at}, key {}", key.fingerprint());
        if seen.is_none() {
            log::info!(
                "this key has not been used here before: until a stream has been seen, a recording of an \
                 earlier one cannot be told from the camera"
            );
        }
        let identity =
            Identity { address: at.to_string(), key: key.fingerprint().to_string(), ..Identity::default() };
        Ok(Self {
            at,
            socket,
            receiver: Receiver::new(key, MAX_FRAME, seen, now),
            memory: Memory::start(file, seen)?,
            identity,
            told: Told::default(),
        })
    }

    pub(super) fn wait(&self, timeout: Duration, also: Option<Other<'_>>) -> io::Result<Ready> {
        self.socket.wait(timeout, also)
    }

    /// Takes one batch; returns how many datagrams that were.
    pub(super) fn receive(&mut self, now: Instant, inlet: &mut Inlet) -> io::Result<usize> {
        let receiver = &mut self.receiver;
        self.socket.receive(|datagram, _| {
            if receiver.handle(now, datagram) == Ok(Accepted::Frame) {
                inlet.accept(now, |buffer| receiver.take_frame(buffer));
            }
        })
    }

    /// Everything that is done a few times a second.
    pub(super) fn tend(&mut self, now: Instant) -> Result<(), RunError> {
        let condition = self.receiver.condition(now);
        self.tell(condition, now);
        let silent = !matches!(condition, Condition::Live(_) | Condition::Lossy(_));
        self.socket.tend(silent, now)?;
        self.memory.note(self.receiver.seen(), now);
        Ok(())
    }

    pub(super) fn trouble(&self, now: Instant) -> Option<String> {
        let condition = self.receiver.condition(now);
        self.socket.trouble().map(str::to_owned).or_else(|| trouble(condition, self.at, now))
    }

    pub(super) const fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn totals(&self) -> Totals {
        let counters = self.receiver.counters();
        let socket = self.socket.counters();
        Totals {
            datagrams: counters.datagrams,
            bytes: socket.bytes,
            incomplete: counters.frames_incomplete,
            late: counters.late,
            forged: counters.forged,
            replayed: counters.replayed,
            stale: counters.stale_stream,
            other_stream: counters.other_stream,
            malformed: counters.malformed + counters.unplaced + counters.throttled,
            not_signed: 0,
            overflowed: socket.lost,
        }
    }

    pub(super) fn finish(self) {
        self.memory.finish(self.receiver.seen());
    }

    /// Says what has changed, once.
    fn tell(&mut self, condition: Condition, now: Instant) {
        self.tell_condition(condition, now);
        if !self.told.other_stream && self.receiver.counters().other_stream > 0 {
            self.told.other_stream = true;
            log::warn!(
                "another camera sends with the same key to {}: give every camera a key of its own",
                self.at
            );
        }
        if !self.told.stale
            && matches!(condition, Condition::Live(_))
            && self.receiver.counters().stale_authentic > 0
        {
            self.told.stale = true;
            log::warn!(
                "datagrams of an older stream under the same key arrive too and are refused: a recording, or a \
                 second camera (give every camera a key of its own)"
            );
        }
        self.told.overflow.tell(self.socket.counters().lost);
    }

    fn tell_condition(&mut self, condition: Condition, now: Instant) {
        let kind = discriminant(&condition);
        let before = self.told.condition.replace(kind);
        match (condition, trouble(condition, self.at, now)) {
            (Condition::Live(stream), _) => {
                let stream = stream.to_string();
                if self.identity.stream != stream {
                    log::info!("stream {stream}");
                    self.identity.stream = stream;
                } else if before != Some(kind) {
                    log::info!("the stream is back");
                }
            }
            // The words may count seconds; the log is told once.
            _ if before == Some(kind) => {}
            (Condition::WrongKey(_) | Condition::Stale { .. }, Some(text)) => log::error!("{text}"),
            (Condition::Lossy(_), Some(text)) => log::warn!("{text}"),
            (_, text) => log::info!("{}", text.unwrap_or_default()),
        }
    }
}
