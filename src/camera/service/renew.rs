//! The configuration read again, at SIGHUP: what can be changed is changed in the same stream.
//!
//! | the file | what becomes of it |
//! |---|---|
//! | cannot be used, or asks for what cannot be had | nothing is changed |
//! | changes what only a start can (key, state, control socket, figures, Landlock) | "restart needed"; all else is changed |
//! | names a file or device that the process gave up at its start | "restart needed"; nothing is changed, for what the picture would be cannot be known |

use std::net::SocketAddr;

use super::lookup::{Lookup, Wanted};
use super::retry::RETRY;
use super::{Doors, Service, listen};
use crate::camera::file_config::{self, ServiceConfig};
use crate::camera::reload::{Plan, SourceChange, changed_sources, is_paired, kept};
use crate::camera::run::Running;
use crate::exit::RunError;
use crate::time::Instant;

impl Service {
    /// Reads the file again and brings it into effect; a file that cannot be used changes nothing.
    pub(super) fn renew(&mut self, now: Instant, running: &mut Running) {
        if let Some(crowd) = running.stream.crowd_mut() {
            crowd.reload(now);
        }
        let Some(path) = self.house.path.clone() else {
            return log::info!("there is no configuration file to be read again");
        };
        let new = match file_config::read_within(&path, &self.house.reach) {
            Ok(new) => new,
            Err(why) => {
                if why.needs_restart() {
                    self.house.restart = vec![why.to_string()];
                }
                return log::error!("{why}; nothing is changed");
            }
        };
        if let Err(why) = self.adopt(new, now, running) {
            log::error!("{why}; nothing is changed");
        }
    }

    fn adopt(&mut self, mut new: ServiceConfig, now: Instant, running: &mut Running) -> Result<(), RunError> {
        // Where one of both is for paired viewers, the old destination stays until a restart.
        let keeps = is_paired(&self.house.config, &new);
        let wanted = if keeps { None } else { Wanted::of(&mut new, &self.house.config)? };
        let why = self.house.path.as_ref().map(|path| format!("{} read again", path.display()));
        let why = why.unwrap_or_default();
        let restart = self.change_to(new, &why, now, running)?;
        self.house.pixels.clear();
        for what in &restart {
            log::warn!("{what}: restart needed; the old value stays in effect until then, all else is new");
        }
        self.house.restart = restart;
        if keeps {
            return Ok(());
        }
        let before = self.lookup.take();
        self.lookup = wanted.map(|wanted| Lookup::start(wanted, before, now));
        Ok(())
    }

    /// Brings `new` settings into effect, or changes nothing; `why` is for the log. Returns what waits for a restart.
    pub(super) fn change_to(
        &mut self,
        new: ServiceConfig,
        why: &str,
        now: Instant,
        running: &mut Running,
    ) -> Result<Vec<String>, RunError> {
        let old = &self.house.config;
        let plan = Plan::new(old, running.stream.active(), &new);
        let restart: Vec<String> = plan.restart.iter().map(|key| format!("{key} has changed")).collect();
        let new = kept(old, new);
        let what = describe(&plan, old, &new);
        // What can fail comes first, so that it is all or nothing.
        let fresh = running.stream.prepare(&plan, &new.stream, now)?;
        let before = old.health;
        if plan.health {
            self.doors.move_health(before, new.health)?;
        }
        if let Err(why) = running.stream.apply(&plan, &new.stream, fresh, now) {
            if plan.health
                && let Err(why) = self.doors.move_health(new.health, before)
            {
                log::error!("{why}");
            }
            self.retry_at = running.stream.stands_in().then(|| now + RETRY);
            return Err(why);
        }
        // The numbers of sources may have changed; their names tell which one it was.
        // A file that asks for another one, or for none, is obeyed.
        let same = self.house.config.asked == new.asked && running.stream.active().is_none();
        let paused = self.house.paused.take().filter(|_| same);
        let name = paused.and_then(|at| self.house.config.stream.sources.get(at)).map(|source| &source.name);
        let at = name.and_then(|name| new.source(name)).map(|(at, _)| at);
        self.house.paused = at.or_else(|| paused.and(new.active));
        self.house.config = new;
        log::info!("{why}: {what}");
        self.failure = None;
        self.retry_at = running.stream.stands_in().then_some(now);
        Ok(restart)
    }
}

impl Doors {
    /// Tells health at `to` instead of at `from`, or changes nothing.
    fn move_health(&mut self, from: Option<SocketAddr>, to: Option<SocketAddr>) -> Result<(), RunError> {
        // Two addresses of one port may be one place: one of them is any address.
        let overlaps = from.zip(to).is_some_and(|(from, to)| from.port() == to.port());
        if overlaps {
            self.health = None;
        }
        match to.map(listen).transpose() {
            Ok(health) => {
                self.health = health;
                Ok(())
            }
            Err(why) => {
                if overlaps {
                    let again = from.map(listen).transpose();
                    self.health = again.inspect_err(|why| log::error!("{why}")).ok().flatten();
                }
                Err(why)
            }
        }
    }
}

/// What is done, for the log.
fn describe(plan: &Plan, old: &ServiceConfig, new: &ServiceConfig) -> String {
    let sources = changed_sources(&old.stream.sources, &new.stream.sources);
    let mut words: Vec<String> = Vec::new();
    if plan.network {
        let pending = if new.stream.is_pending() { " as soon as it is found" } else { " from now on" };
        words.push(format!("sending to {}{pending}", new.stream.destination()));
    }
    if plan.packet_size && !plan.network {
        words.push("another packet size".into());
    }
    if plan.pace {
        words.push(format!("pace {} %", new.stream.pace_percent));
    }
    if plan.health {
        words.push("health told elsewhere".into());
    }
    if !sources.is_empty() {
        words.push(sources);
    }
    if plan.source == SourceChange::Open {
        let name = plan.active.map_or("off", |number| &new.stream.sources[number].name);
        words.push(format!("opening {name}"));
    }
    if words.is_empty() { "nothing has changed".into() } else { words.join(", ") }
}
