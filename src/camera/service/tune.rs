//! Another picture on request, while the stream goes on. It holds until the service starts again or reads its
//! file: what is to stay belongs into the file.

use super::House;
use super::answers::{number_of, switch};
use crate::area::Area;
use crate::camera::area;
use crate::camera::config::{OFF, PictureSettings};
use crate::camera::control::{Reply, Tune};
use crate::camera::file_config::ServiceConfig;
use crate::camera::reload::Plan;
use crate::camera::run::Running;
use crate::camera::v4l2::{ControlSetting, ControlValue};
use crate::camera::values::{Fps, Quality};
use crate::time::Instant;

impl House {
    /// Changes what `tune` says, all of it or nothing.
    pub(super) fn tune(&mut self, now: Instant, tune: &Tune, running: &mut Running) -> Result<Reply, String> {
        let wanted = Wanted::check(tune)?;
        let before = running.stream.active();
        let number = match &tune.source {
            Some(name) if name == OFF => return Err(format!("{OFF} cannot be tuned: name a source")),
            Some(name) => number_of(name, &running.stream)?,
            // One that is closed until somebody watches is tuned too.
            None => before.or(self.paused).ok_or("no source is sent: switch to one first")?,
        };
        let mut new = self.config.clone();
        let picture = &mut new.stream.sources[number].picture;
        wanted.apply(picture);
        let size = picture.size.map(|size| (size.width, size.height));
        if let (Some(area), Some(size)) = (&picture.area, size) {
            area.check_inside(size).map_err(|why| format!("area: {why}"))?;
        }
        if let Some(name) = &tune.source {
            switch(name, now, &mut running.stream)?;
        }
        if let Err(why) = self.bring_in(now, new, running) {
            let back = before.filter(|before| *before != number);
            if let Some(name) = back.map(|at| running.stream.config().sources[at].name.clone()) {
                switch(&name, now, &mut running.stream).ok();
            }
            return Err(why);
        }
        if tune.source.is_some() {
            self.paused = None;
        }
        let picture = running.stream.describe();
        log::info!("tuned: {picture}");
        Ok(Reply { ok: true, picture: Some(picture), ..Reply::default() })
    }

    fn bring_in(&mut self, now: Instant, new: ServiceConfig, running: &mut Running) -> Result<(), String> {
        let mut plan = Plan::new(&self.config, running.stream.active(), &new);
        plan.active = running.stream.active();
        let fresh = running.stream.prepare(&plan, &new.stream, now).map_err(|why| why.to_string())?;
        running.stream.apply(&plan, &new.stream, fresh, now).map_err(|why| why.to_string())?;
        self.config = new;
        Ok(())
    }
}

/// What is asked for, checked.
struct Wanted {
    quality: Option<u8>,
    fps: Option<f64>,
    size: Option<crate::camera::size::Size>,
    area: Option<Option<Area>>,
    controls: Vec<ControlSetting>,
}

impl Wanted {
    fn check(tune: &Tune) -> Result<Self, String> {
        let quality = tune.quality.map(|quality| Quality::new(quality.into()));
        let fps = tune.fps.map(|fps| fps.to_string().parse::<Fps>());
        let area = tune.area.as_ref().map(|area| match area {
            serde_json::Value::Null => Ok(None),
            area => area::parse(&area.to_string()).map(Some).map_err(|why| why.to_string()),
        });
        Ok(Self {
            quality: quality.transpose().map_err(|why| format!("quality: {why}"))?.map(Quality::get),
            fps: fps.transpose().map_err(|why| format!("fps: {why}"))?.map(Fps::get),
            size: tune.size.as_deref().map(str::parse).transpose().map_err(|why| format!("size: {why}"))?,
            area: area.transpose()?,
            controls: tune.controls.iter().map(control).collect::<Result<_, _>>()?,
        })
    }

    fn apply(self, picture: &mut PictureSettings) {
        picture.quality = self.quality.or(picture.quality);
        picture.fps = self.fps.or(picture.fps);
        picture.size = self.size.or(picture.size);
        if let Some(area) = self.area {
            picture.area = area;
        }
        for control in self.controls {
            picture.controls.retain(|before| before.name != control.name);
            picture.controls.push(control);
        }
    }
}

fn control((name, value): (&String, &serde_json::Value)) -> Result<ControlSetting, String> {
    let value = match value {
        serde_json::Value::Bool(on) => ControlValue::Number((*on).into()),
        serde_json::Value::String(item) => ControlValue::Item(item.clone()),
        value => ControlValue::Number(value.as_i64().ok_or_else(|| {
            format!("control {name}: {value} is no whole number, true, false, or the name of a menu's item")
        })?),
    };
    Ok(ControlSetting { name: name.clone(), value })
}
