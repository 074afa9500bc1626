//! The configuration read again, at SIGHUP: what can be changed is changed in the same stream.
//!
//! | the file | what becomes of it |
//! |---|---|
//! | cannot be used, or asks for what cannot be had | nothing is changed |
//! | changes what only a start can (key, state, control socket, figures, Landlock) | "restart needed"; all else is changed |
//! | names a file or device that the process gave up at its start | "restart needed"; nothing is changed, for what the picture would be cannot be known |

use super::{Service, listen};
use crate::camera::file_config::{self, ServiceConfig};
use crate::camera::reload::{Plan, SourceChange, changed_sources, kept};
use crate::camera::run::Running;
use crate::exit::RunError;
use crate::time::Instant;

impl Service {
    /// Reads the file again and brings it into effect; a file that cannot be used changes nothing.
    pub(super) fn renew(&mut self, now: Instant, running: &mut Running) {
        let new = match file_config::read_within(&self.house.path, &self.house.reach) {
            Ok(new) => new,
            Err(why) => {
                if why.needs_restart() {
                    self.house.restart = vec![why.to_string()];
                }
                return log::error!("{why}; nothing is changed");
            }
        };
        if let Err(why) = self.change_to(new, now, running) {
            log::error!("{why}; nothing is changed");
        }
    }

    fn change_to(&mut self, new: ServiceConfig, now: Instant, running: &mut Running) -> Result<(), RunError> {
        let old = &self.house.config;
        let plan = Plan::new(old, running.stream.active(), &new);
        let restart: Vec<String> = plan.restart.iter().map(|key| format!("{key} has changed")).collect();
        let new = kept(old, new);
        let what = describe(&plan, old, &new);
        // What can fail comes first, so that it is all or nothing.
        let fresh = running.stream.prepare(&plan, &new.stream, now)?;
        let health = if plan.health { Some(new.health.map(listen).transpose()?) } else { None };
        if let Some(health) = health {
            self.doors.health = health;
        }
        let applied = running.stream.apply(&plan, &new.stream, fresh, now);
        self.house.config = new;
        for what in &restart {
            log::warn!("{what}: restart needed; the old value stays in effect until then, all else is new");
        }
        self.house.restart = restart;
        log::info!("{} read again: {what}", self.house.path.display());
        self.retry_at = None;
        if let (Err(why), Some(number)) = (applied, plan.active) {
            self.stand_in(number, &why.to_string(), now, &mut running.stream);
        } else if running.stream.stands_in() {
            self.retry_at = Some(now);
        }
        Ok(())
    }
}

/// What is done, for the log.
fn describe(plan: &Plan, old: &ServiceConfig, new: &ServiceConfig) -> String {
    let sources = changed_sources(&old.stream.sources, &new.stream.sources);
    let mut words: Vec<String> = Vec::new();
    if plan.network {
        words.push(format!("sending to {} from now on", new.stream.send.to));
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
