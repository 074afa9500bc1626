//! What to capture, in plain values.

use std::path::PathBuf;

use super::by_id::LINKS;
use super::controls::ControlSetting;
use super::formats::Size;
use super::negotiate::{FormatChoice, Wish};
use super::session::Request;
use crate::time::Duration;

/// What to capture, and how patiently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraSettings {
    /// The device node, or a link to it.
    pub path: PathBuf,
    /// Width and height in pixels; `None` takes the default of [`super::negotiate`].
    pub size: Option<Size>,
    /// Frames per second to ask for, at least 1.
    pub fps: Option<u32>,
    /// Which formats will do.
    pub format: FormatChoice,
    /// Buffers to share with the driver, 2..=32; at most 4 behind libcamera's compatibility layer.
    pub buffers: u32,
    /// Bytes of the largest JPEG frame that can be sent; larger ones are dropped and counted.
    pub max_frame: usize,
    /// A stream is silent after this time without a good frame, or five frame intervals if that is longer;
    /// the first frame after opening may take twice as long.
    pub patience: Duration,
    /// Back-off between attempts to open a device that is there but does not open.
    pub reopen: Reopen,
    /// Controls to set whenever the device has been opened.
    pub controls: Vec<ControlSetting>,
    /// Names of controls that were set before and are to have their defaults at the next opening, unless they
    /// are among those to set.
    pub undo: Vec<String>,
    /// A node that may not be opened is waited for without end, and another camera in the place of the one that
    /// was there is used after `take_other`: nobody is there to start again.
    pub patient: bool,
    /// How long another camera is left alone, in case the one that was there comes back: hubs and drivers take
    /// their time.
    pub take_other: Duration,
    /// Folder of the stable links `by-id` and `by-path`.
    pub links: PathBuf,
}

/// Back-off: `first`, then twice as long each time, up to `longest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reopen {
    /// Before the first attempt.
    pub first: Duration,
    /// Before each of the later attempts at most.
    pub longest: Duration,
}

impl CameraSettings {
    /// The defaults for a device: 4 buffers, frames up to 16 MiB, silent after 2 s, back-off from 100 ms
    /// to 1 s.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            size: None,
            fps: None,
            format: FormatChoice::Auto,
            buffers: 4,
            max_frame: 16 << 20,
            patience: Duration::from_secs(2),
            reopen: Reopen { first: Duration::from_millis(100), longest: Duration::from_secs(1) },
            controls: Vec::new(),
            undo: Vec::new(),
            patient: false,
            take_other: Duration::from_secs(30),
            links: LINKS.into(),
        }
    }

    pub(super) fn request(&self) -> Request {
        let wish = Wish { size: self.size, fps: self.fps, format: self.format, compatibility_layer: false };
        Request { wish, buffers: self.buffers.clamp(2, 32), max_frame: self.max_frame }
    }
}
