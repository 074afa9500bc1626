//! The sources of a configuration, checked.

use std::path::Path;

use super::area;
use super::camera_config::CameraConfig;
use super::config::{
    ConfigError, DEFAULT_NAME, LONGEST_NAME, MOST_SOURCES, NamedSource, OFF, PictureSettings, Setting,
    SourceDraft,
};
use super::values::{Fps, Quality, SourceSpec};
use crate::area::Area;

pub(super) fn named_sources(drafts: Vec<SourceDraft>) -> Result<Vec<NamedSource>, ConfigError> {
    if !(1..=MOST_SOURCES).contains(&drafts.len()) {
        let why = format!("{} sources: there must be 1 to {MOST_SOURCES}", drafts.len());
        return Err(ConfigError::of(Setting::Sources, why));
    }
    let only = drafts.len() == 1;
    let mut named: Vec<NamedSource> = Vec::with_capacity(drafts.len());
    for (number, draft) in drafts.into_iter().enumerate() {
        let wrong = |why: String| ConfigError::of(Setting::Name(number), why);
        let name = match draft.name.clone() {
            Some(name) => name,
            None if only => DEFAULT_NAME.to_owned(),
            None => return Err(wrong("several sources need a name each: write name = \"...\"".into())),
        };
        check_name(&name).map_err(wrong)?;
        if named.iter().any(|other| other.name == name) {
            return Err(wrong(format!("a second source called {name:?}: every name is there once")));
        }
        let (area_file, camera_config_file) = (draft.area.clone(), draft.camera_config.clone());
        named.push(NamedSource { name, picture: picture(number, draft)?, area_file, camera_config_file });
    }
    Ok(named)
}

fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name == OFF {
        return Err(format!("{OFF:?} is what one switches to for no source: choose another name"));
    }
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
        return Err(format!(
            "{name:?} is no name: 1 to {LONGEST_NAME} letters, digits, dots, hyphens or underscores"
        ));
    }
    Ok(())
}

fn picture(number: usize, draft: SourceDraft) -> Result<PictureSettings, ConfigError> {
    let asked = Setting::CameraConfig(number);
    let file = draft.camera_config.as_deref().map(|path| read_camera_config(asked, path)).transpose()?;
    let file = file.unwrap_or_default();
    let area = draft.area.as_deref().map(|path| read_area(Setting::Area(number), path)).transpose()?;
    let picture = PictureSettings {
        source: draft.source,
        format: draft.format,
        quality: draft.quality.map(Quality::get),
        fps: draft.fps.map(Fps::get).or(file.fps),
        size: draft.size.or(file.size),
        area,
        controls: draft.controls,
    };
    let mut size = picture.size.map(|size| (size.width, size.height));
    if let SourceSpec::Pattern(spec) = &picture.source {
        let scene = picture.scene(spec).map_err(|why| ConfigError::of(Setting::Source(number), why))?;
        size = Some((scene.width(), scene.height()));
    }
    if let (Some(area), Some(size)) = (&picture.area, size) {
        area.check_inside(size).map_err(|why| ConfigError::of(Setting::Area(number), why))?;
    }
    Ok(picture)
}

fn read_camera_config(asked: Setting, path: &Path) -> Result<CameraConfig, ConfigError> {
    CameraConfig::read(path).map_err(|why| ConfigError::of(asked, why))
}

fn read_area(asked: Setting, path: &Path) -> Result<Area, ConfigError> {
    area::read(path).map_err(|why| ConfigError::of(asked, why))
}
