//! The destination's name: looked up beside the loop, which a silent name server would hold up otherwise.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;

use super::Service;
use crate::camera::destination::HostName;
use crate::camera::file_config::ServiceConfig;
use crate::camera::run::Running;
use crate::exit::RunError;
use crate::net::SendOptions;
use crate::time::{Duration, Instant};

/// How often it is looked at whether there is an answer.
const LOOK: Duration = Duration::from_millis(50);
/// From an answer that is of no use to the next question.
const RETRY: Duration = Duration::from_secs(1);

/// A name that is looked up until there is an answer that can be used.
pub(super) struct Lookup {
    wanted: Wanted,
    /// What the helper thread will say; `None` while it is waited for the time to ask again.
    asked: Option<Receiver<io::Result<Vec<SocketAddr>>>>,
    look_at: Instant,
    /// Why it failed the last time, which is said once.
    told: Option<String>,
}

/// Where a configuration wants the stream to go, and how.
pub(super) struct Wanted {
    name: HostName,
    send: SendOptions,
}

impl Wanted {
    /// What `new` wants looked up; until it is, `new` goes on to where `old` sends, if that is known.
    pub(super) fn of(new: &mut ServiceConfig, old: &ServiceConfig) -> Result<Option<Self>, RunError> {
        let Some(name) = new.stream.name.clone() else { return Ok(None) };
        let wanted = Self { send: new.stream.send.clone(), name };
        let old = &old.stream;
        if old.is_pending() {
            return Ok(Some(wanted));
        }
        if old.name.as_ref() == Some(&wanted.name) {
            new.stream.send_to(old.send.to)?;
        } else {
            new.stream.send = old.send.clone();
            new.stream.name.clone_from(&old.name);
        }
        Ok(Some(wanted))
    }

    /// At the start: `None` if the destination is an address.
    pub(super) fn at_first(config: &ServiceConfig) -> Option<Self> {
        let name = config.stream.name.clone()?;
        Some(Self { name, send: config.stream.send.clone() })
    }
}

impl Lookup {
    /// Looks up what is `wanted`; a question that has been asked already is not asked again.
    pub(super) fn start(wanted: Wanted, before: Option<Self>, now: Instant) -> Self {
        match before {
            Some(before) if before.wanted.name == wanted.name => Self { wanted, ..before },
            _ => Self { wanted, asked: None, look_at: now, told: None },
        }
    }

    /// When to call [`Lookup::take`] again.
    pub(super) const fn look_at(&self) -> Instant {
        self.look_at
    }

    /// The addresses, at least one, if there is an answer. Asks if it is time to.
    fn take(&mut self, now: Instant) -> Option<Vec<SocketAddr>> {
        if now < self.look_at {
            return None;
        }
        self.look_at = now + LOOK;
        let Some(asked) = &self.asked else {
            match ask(&self.wanted.name) {
                Ok(asked) => self.asked = Some(asked),
                Err(why) => self.failed(now, &why.to_string()),
            }
            return None;
        };
        match asked.try_recv() {
            Ok(Ok(found)) => return Some(found),
            Ok(Err(why)) => self.failed(now, &format!("it cannot be looked up: {why}")),
            Err(TryRecvError::Disconnected) => self.failed(now, "it could not be looked up"),
            Err(TryRecvError::Empty) => {}
        }
        None
    }

    /// Says why, and asks again later.
    fn failed(&mut self, now: Instant, why: &str) {
        self.asked = None;
        self.look_at = now + RETRY;
        if self.told.as_deref() != Some(why) {
            log::warn!("destination {}: {why}; trying again", self.wanted.name);
            self.told = Some(why.to_owned());
        }
    }
}

/// Asks in a thread of its own, which ends with the answer, whoever still waits for it.
fn ask(name: &HostName) -> io::Result<Receiver<io::Result<Vec<SocketAddr>>>> {
    let (answer, asked) = mpsc::sync_channel(1);
    let name = name.clone();
    thread::Builder::new().name("lookup".into()).spawn(move || {
        // Nobody may wait any more.
        answer.send(name.look_up()).ok();
    })?;
    Ok(asked)
}

impl Service {
    /// Brings the answer into effect, if there is one.
    pub(super) fn look_up(&mut self, now: Instant, running: &mut Running) {
        let Some(mut lookup) = self.lookup.take() else { return };
        if let Some(found) = lookup.take(now) {
            match self.found(&lookup.wanted, &found, now, running) {
                Ok(()) => return,
                Err(why) => lookup.failed(now, &why.to_string()),
            }
        }
        self.lookup = Some(lookup);
    }

    fn found(
        &mut self,
        wanted: &Wanted,
        found: &[SocketAddr],
        now: Instant,
        running: &mut Running,
    ) -> Result<(), RunError> {
        let mut new = self.house.config.clone();
        let same = new.stream.name.as_ref() == Some(&wanted.name);
        // A server may list several in any order.
        let to = if same && found.contains(&new.stream.send.to) { new.stream.send.to } else { found[0] };
        new.stream.name = Some(wanted.name.clone());
        new.stream.send = wanted.send.clone();
        new.stream.send_to(to)?;
        if new.stream.send == self.house.config.stream.send {
            self.house.config = new;
            return Ok(());
        }
        self.change_to(new, &format!("{} is {to}", wanted.name), now, running)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::file_config;
    use std::path::Path;

    fn config(to: &str) -> ServiceConfig {
        let text = format!("schema = 1\n[stream]\nto = \"{to}\"\nkey = \"k\"\n");
        file_config::parse(Path::new("c.toml"), &text).unwrap()
    }

    #[test]
    fn until_a_name_is_known_the_stream_goes_where_it_went() {
        let known = |text: &str, at: &str| {
            let mut config = config(text);
            config.stream.send_to(at.parse().unwrap()).unwrap();
            config
        };
        let nowhere = "0.0.0.0:5";
        // (old, new; name looked up, where the stream goes until then)
        let cases = [
            (config("10.0.0.1:5"), config("10.0.0.2:5"), None, "10.0.0.2:5"),
            (config("10.0.0.1:5"), config("viewer:5"), Some("viewer:5"), "10.0.0.1:5"),
            (known("viewer:5", "10.0.0.3:5"), config("viewer:5"), Some("viewer:5"), "10.0.0.3:5"),
            (known("viewer:5", "10.0.0.3:5"), config("other:5"), Some("other:5"), "10.0.0.3:5"),
            (known("viewer:5", "10.0.0.3:5"), config("10.0.0.1:5"), None, "10.0.0.1:5"),
            (config("viewer:5"), config("viewer:5"), Some("viewer:5"), nowhere),
            (config("viewer:5"), config("other:5"), Some("other:5"), nowhere),
            (config("viewer:5"), config("10.0.0.1:5"), None, "10.0.0.1:5"),
        ];
        for (at, (old, mut new, name, to)) in cases.into_iter().enumerate() {
            let wanted = Wanted::of(&mut new, &old).unwrap();
            assert_eq!(wanted.map(|wanted| wanted.name.to_string()).as_deref(), name, "case {at}");
            assert_eq!(new.stream.send.to.to_string(), to, "case {at}");
            assert_eq!(new.stream.is_pending(), to == nowhere, "case {at}");
        }
    }
}
