//! Opens the source that the settings name.

use super::canvas::Layout;
use super::config::{PictureSettings, SLOWEST_SCENE, SourceSpec};
use super::file::FileSource;
use super::pattern::PatternSource;
use super::pipe::PipeSource;
use super::source::Source;
use super::v4l2::{Camera, CameraSettings};
use crate::exit::RunError;
use crate::time::Instant;

/// Opens the source. JPEG frames of a camera above `max_frame` bytes are dropped and counted; its controls
/// called as in `undo` get their defaults unless the settings name them. `patient`: a camera that may not be
/// opened, or another one in its place, is lived with.
///
/// # Errors
///
/// [`RunError`] with a sentence that names the mend; a camera that is merely not there yet is no error.
pub fn source(
    settings: &PictureSettings,
    max_frame: usize,
    undo: Vec<String>,
    patient: bool,
    now: Instant,
) -> Result<Box<dyn Source>, RunError> {
    Ok(match &settings.source {
        SourceSpec::Device(path) => {
            let camera = CameraSettings {
                size: settings.size.map(|size| (size.width, size.height)),
                // Asked for whole frames per second; the limit takes care of the rest.
                fps: settings.fps.map(|fps| fps.ceil() as u32),
                format: settings.format,
                max_frame,
                controls: settings.controls.clone(),
                undo,
                patient,
                ..CameraSettings::new(path)
            };
            Box::new(Camera::open(camera, now).map_err(RunError::usage)?)
        }
        SourceSpec::Pattern(spec) => {
            let scene =
                settings.scene(spec).map_err(|why| RunError::Usage(format!("{}: {why}", settings.source)))?;
            Box::new(PatternSource::new(scene, Layout::Yuyv))
        }
        SourceSpec::File(path) => {
            let file = FileSource::open(path, settings.fps);
            Box::new(file.map_err(RunError::usage)?)
        }
        SourceSpec::Stdin => Box::new(PipeSource::stdin(now).map_err(RunError::usage)?),
    })
}

/// Frames per second that the frames of the source still have to be thinned out to.
///
/// Files and the test scene come at the wanted rate by themselves; thinned out again, they would lose frames
/// whenever the machine is late with one and makes up for it.
#[must_use]
pub fn limit(settings: &PictureSettings) -> Option<f64> {
    let comes_at_any_rate = match &settings.source {
        SourceSpec::Device(_) | SourceSpec::Stdin => false,
        SourceSpec::File(_) => true,
        SourceSpec::Pattern(_) => settings.fps.is_some_and(|fps| fps >= SLOWEST_SCENE),
    };
    settings.fps.filter(|_| !comes_at_any_rate)
}
