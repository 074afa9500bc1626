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

/// Names of a camera's controls have at most so many bytes (V4L2, `struct v4l2_query_ext_ctrl`), and so have the
/// items of menus.
const LONGEST_NAME: usize = 31;
/// Controls that are set at one source: more than cameras have, less than would cost anything.
const MOST_CONTROLS: usize = 64;
/// Pictures of so many pixels may be asked for whatever the source: those of 1920x1080.
const ALWAYS: u64 = 1920 * 1080;

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
        let seen = before.filter(|before| *before == number).and(running.stream.seen());
        let name = &self.config.stream.sources[number].name;
        // What is made smaller can be made as large as before.
        let most = most_pixels(picture, seen).max(self.pixels.get(name).copied().unwrap_or(ALWAYS));
        self.pixels.insert(name.clone(), most);
        wanted.check_pixels(most)?;
        let sets_controls = !wanted.controls.is_empty();
        wanted.apply(picture);
        if sets_controls && picture.controls.len() > MOST_CONTROLS {
            return Err(format!("control: at most {MOST_CONTROLS} are set at one source"));
        }
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

    /// Enlarging takes time and shows nothing more: a viewer may ask for no more than `most` pixels.
    fn check_pixels(&self, most: u64) -> Result<(), String> {
        let wanted = [
            ("size", self.size.map(|size| (size.width, size.height))),
            ("area", self.area.flatten().as_ref().map(Area::output_size)),
        ];
        for (what, size) in wanted {
            if let Some((width, height)) = size.filter(|size| pixels(*size) > most) {
                return Err(format!(
                    "{what}: {width}x{height} is more than has come from the source, and than 1920x1080: only the \
                     camera's own settings can ask for that"
                ));
            }
        }
        Ok(())
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

fn pixels((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

/// What may be asked for: as much as was asked for before, as comes (`seen`), or [`ALWAYS`].
fn most_pixels(before: &PictureSettings, seen: Option<(u32, u32)>) -> u64 {
    let asked = before.size.map(|size| (size.width, size.height));
    let area = before.area.as_ref().map(Area::output_size);
    [seen, asked, area].into_iter().flatten().map(pixels).fold(ALWAYS, u64::max)
}

fn control((name, value): (&String, &serde_json::Value)) -> Result<ControlSetting, String> {
    let item = value.as_str().unwrap_or_default();
    if let Some(wrong) = [name.as_str(), item].into_iter().find(|text| text.len() > LONGEST_NAME) {
        return Err(format!(
            "control {name:?}: {wrong:?} is longer than names are, {LONGEST_NAME} characters"
        ));
    }
    let value = match value {
        serde_json::Value::Bool(on) => ControlValue::Number((*on).into()),
        serde_json::Value::String(item) => ControlValue::Item(item.clone()),
        value => ControlValue::Number(value.as_i64().ok_or_else(|| {
            format!("control {name}: {value} is no whole number, true, false, or the name of a menu's item")
        })?),
    };
    Ok(ControlSetting { name: name.clone(), value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::control::{Request, parse_line};
    use crate::camera::file_config;
    use std::path::Path;

    fn asked(json: &str) -> Result<Wanted, String> {
        let line = format!(r#"{{"do":"tune",{json}}}"#);
        let Ok(Request::Tune(tune)) = parse_line(line.as_bytes()) else { panic!("{line}") };
        Wanted::check(&tune)
    }

    fn picture(line: &str) -> PictureSettings {
        let text = format!(
            "schema = 1\n[stream]\nto = \"127.0.0.1:5000\"\nkey = \"k\"\n[[source]]\nname = \"a\"\n{line}\n"
        );
        let config = file_config::parse(Path::new("c.toml"), &text).unwrap_or_else(|why| panic!("{why}"));
        config.stream.sources[0].picture.clone()
    }

    #[test]
    fn a_viewer_asks_for_no_more_pixels_than_come() {
        let square = r#""area":{"selected_rect":[[0,0],[9,0],[9,9],[0,9]],"visible_rect":[[0,0],[4096,0],[4096,4096],[0,4096]]}"#;
        // (asked for, the camera's own settings, what comes; allowed)
        let cases = [
            (r#""size":"1920x1080""#, "", None, true),
            (r#""size":"1920x1088""#, "", None, false),
            (r#""size":"8192x8192""#, "", Some((640, 480)), false),
            (r#""size":"3840x2160""#, "", Some((3840, 2160)), true),
            (r#""size":"3840x2160""#, "size = \"3840x2160\"", None, true),
            (square, "", Some((640, 480)), false),
            (square, "size = \"4096x4096\"", None, true),
            (r#""quality":40"#, "", None, true),
        ];
        for (json, line, seen, allowed) in cases {
            let outcome = asked(json).unwrap().check_pixels(most_pixels(&picture(line), seen));
            assert_eq!(outcome.is_ok(), allowed, "{json} {line} {seen:?}: {outcome:?}");
        }
    }

    #[test]
    fn names_of_controls_are_no_longer_than_those_of_cameras() {
        let long = "x".repeat(LONGEST_NAME + 1);
        for (name, value, good) in [
            ("gain", "1".to_owned(), true),
            (&long, "1".into(), false),
            ("power_line", format!("{long:?}"), false),
            ("power_line", "\"50 Hz\"".into(), true),
        ] {
            let json = format!(r#""controls":{{"{name}":{value}}}"#);
            assert_eq!(asked(&json).map(|_| ()).is_ok(), good, "{json}");
        }
    }
}
