//! Other sources and settings in the same stream: packet numbers go on, and the receiver notices nothing
//! but the picture.

use std::path::PathBuf;

use super::output::Output;
use super::{Streaming, datagram, transmit};
use crate::camera::config::{NamedSource, SourceSpec, StreamConfig};
use crate::camera::open;
use crate::camera::rate_limit::FrameLimiter;
use crate::camera::reload::{Plan, SourceChange};
use crate::camera::sending;
use crate::camera::source::Source;
use crate::camera::stand_in::StandIn;
use crate::exit::RunError;
use crate::net::{MediaSender, NetError};
use crate::proto::fragment;
use crate::time::Instant;

/// What a reload needs that can fail, made before anything is changed.
pub struct Fresh {
    socket: Option<(MediaSender, Option<NetError>)>,
    datagram: Option<usize>,
    /// The source, unless it can only be opened when the one of the moment is closed.
    source: Option<Box<dyn Source>>,
}

impl Streaming {
    /// Sends source number `number` from now on. The source of the moment is let go.
    ///
    /// # Errors
    ///
    /// [`RunError`] if it cannot be opened; the source of the moment then stays. A camera that is merely
    /// not there is no error.
    pub fn open(&mut self, number: usize, now: Instant) -> Result<(), RunError> {
        let datagram = self.sender.datagram();
        let source = if self.shares_device(&self.config.sources[number].picture.source) {
            self.exchange(&self.config.clone(), number, datagram, now)?
        } else {
            self.make(&self.config, number, datagram, now)?
        };
        self.install(number, source, now);
        Ok(())
    }

    /// Opens a source that can only be had when the one of the moment is closed.
    ///
    /// # Errors
    ///
    /// [`RunError`] if it cannot be opened; the one of the moment is opened again then, or a notice is in its
    /// place.
    fn exchange(
        &mut self,
        config: &StreamConfig,
        number: usize,
        datagram: usize,
        now: Instant,
    ) -> Result<Box<dyn Source>, RunError> {
        let before = self.active;
        self.close();
        let made = self.make(config, number, datagram, now);
        if let (Err(_), Some(before)) = (&made, before) {
            match self.make(&self.config, before, self.sender.datagram(), now) {
                Ok(again) => self.install(before, again, now),
                Err(why) => self.stand_in(before, &why.to_string(), now),
            }
        }
        made
    }

    /// Says NO SIGNAL in place of source number `number`, which cannot be opened, and `why`.
    pub fn stand_in(&mut self, number: usize, why: &str, now: Instant) {
        self.close();
        let name = self.config.sources[number].name.clone();
        let stand_in = StandIn::new(&name, why, now);
        self.sender.make_room(stand_in.largest_frame());
        self.flow.open(now, stand_in.patience(), self.longest_interval(number));
        self.source = Some(Box::new(stand_in));
        self.standing_in = true;
        self.active = Some(number);
    }

    /// Sends nothing from now on. What has been sealed still leaves.
    pub fn close(&mut self) {
        if let Some(source) = self.source.take() {
            self.past = self.past + source.drops();
        }
        self.active = None;
        self.standing_in = false;
        self.flow.close();
    }

    fn make(
        &self,
        config: &StreamConfig,
        number: usize,
        datagram: usize,
        now: Instant,
    ) -> Result<Box<dyn Source>, RunError> {
        let largest = fragment::largest_frame(datagram).map_err(RunError::usage)?;
        let picture = &config.sources[number].picture;
        let touched = device_of(&picture.source).and_then(|device| self.touched.get(&device));
        let undo = touched.cloned().unwrap_or_default();
        let source = open::source(picture, largest, undo, config.is_patient(), now);
        source.map_err(|why| RunError::Usage(config.spelling.retell(&why.to_string())))
    }

    fn install(&mut self, number: usize, source: Box<dyn Source>, now: Instant) {
        self.retune(number);
        self.pipeline.forget_size();
        self.close();
        let largest = fragment::largest_frame(self.sender.datagram()).unwrap_or(0);
        self.sender.make_room(source.largest_frame().min(largest));
        log::info!("source: {}", source.describe());
        if source.largest_frame() > largest {
            log::warn!(
                "frames above {largest} bytes cannot be sent in datagrams of {} bytes and will be \
                 dropped; the source makes up to {} bytes: use a larger {}",
                self.sender.datagram(),
                source.largest_frame(),
                self.config.spelling.retell("--packet-size")
            );
        }
        self.flow.open(now, source.patience(), self.longest_interval(number));
        self.source = Some(source);
        self.active = Some(number);
        self.note_controls(number);
        self.told.oversized = false;
    }

    /// Treats pictures as the settings of source number `number` say.
    fn retune(&mut self, number: usize) {
        let picture = &self.config.sources[number].picture;
        self.pipeline.retune(picture);
        self.limiter = open::limit(picture).map(FrameLimiter::new);
    }

    /// Remembers which controls are set now, for whoever opens the same camera next.
    fn note_controls(&mut self, number: usize) {
        let picture = &self.config.sources[number].picture;
        if let Some(device) = device_of(&picture.source) {
            let names = picture.controls.iter().map(|control| control.name.clone()).collect();
            self.touched.insert(device, names);
        }
    }

    /// Whether the source of the moment holds the device that `spec` names: only one can have it.
    fn shares_device(&self, spec: &SourceSpec) -> bool {
        let active = self.active.filter(|_| !self.standing_in);
        let active = active.and_then(|active| self.config.sources.get(active));
        match (active.map(|source| &source.picture.source), spec) {
            (Some(SourceSpec::Stdin), SourceSpec::Stdin) => true,
            (Some(held), wanted) => device_of(held).is_some_and(|held| device_of(wanted) == Some(held)),
            (None, _) => false,
        }
    }

    /// Makes what `plan` needs to bring `new` settings into effect, and changes nothing yet.
    ///
    /// # Errors
    ///
    /// [`RunError`] if something of it cannot be had.
    pub fn prepare(&self, plan: &Plan, new: &StreamConfig, now: Instant) -> Result<Fresh, RunError> {
        let socket = if plan.network { Some(sending::open(new)?) } else { None };
        let datagram = if plan.packet_size {
            let socket = socket.as_ref().map(|(socket, _)| socket).or(self.output.one());
            Some(match socket {
                Some(socket) => datagram::datagram_size(new, socket)?,
                None => new.packet_size.unwrap_or(datagram::ANYWHERE),
            })
        } else {
            None
        };
        if let (SourceChange::Retune, Some(number)) = (plan.source, plan.active) {
            let NamedSource { name, picture, .. } = &new.sources[number];
            let wrong = |why| RunError::Usage(format!("source {name}: area: {why}"));
            self.pipeline.check(picture).map_err(wrong)?;
        }
        let source = match plan.active {
            Some(number)
                if plan.source == SourceChange::Open
                    && !self.shares_device(&new.sources[number].picture.source) =>
            {
                Some(self.make(new, number, datagram.unwrap_or(self.sender.datagram()), now)?)
            }
            _ => None,
        };
        Ok(Fresh { socket, datagram, source })
    }

    /// Brings the `new` settings into effect.
    ///
    /// # Errors
    ///
    /// [`RunError`] if the source cannot be opened; nothing is changed then, but that there may be a notice
    /// in the place of a camera that cannot be opened again either.
    pub fn apply(
        &mut self,
        plan: &Plan,
        new: &StreamConfig,
        fresh: Fresh,
        now: Instant,
    ) -> Result<(), RunError> {
        let mut source = fresh.source;
        if let (SourceChange::Open, Some(number), None) = (plan.source, plan.active, &source) {
            let datagram = fresh.datagram.unwrap_or(self.sender.datagram());
            source = Some(self.exchange(new, number, datagram, now)?);
        }
        // From here on nothing fails.
        self.config = new.clone();
        self.told = transmit::Told::default();
        if let Some((socket, trouble)) = fresh.socket {
            sending::warn_of(&socket, trouble, new.spelling);
            self.give_up();
            if let Output::One(one) = &mut self.output {
                one.move_to(socket);
            }
        }
        if let Some(datagram) = fresh.datagram.filter(|datagram| *datagram != self.sender.datagram()) {
            self.give_up();
            self.set_datagram(datagram);
        }
        self.usual_datagram = datagram::wanted(new);
        self.sender.set_pace(new.pace_percent);
        match (plan.source, plan.active, source) {
            (SourceChange::Open, Some(number), Some(source)) => self.install(number, source, now),
            (SourceChange::Open, ..) => self.close(),
            (SourceChange::Retune, Some(number), _) => {
                self.active = Some(number);
                self.retune(number);
                self.flow.retime(self.longest_interval(number));
                if let Some(source) = &mut self.source {
                    source.set_controls(&new.sources[number].picture.controls);
                    self.note_controls(number);
                }
            }
            _ => self.active = plan.active,
        }
        Ok(())
    }
}

/// The node of a camera, whichever of its names is given.
fn device_of(spec: &SourceSpec) -> Option<PathBuf> {
    let SourceSpec::Device(path) = spec else { return None };
    Some(path.canonicalize().unwrap_or_else(|_| path.clone()))
}
