//! The test scene as a source: raw pictures made here, at a steady rate.

use core::fmt;
use core::str::FromStr;
use std::os::fd::BorrowedFd;

use super::canvas::Layout;
use super::pace::Pace;
use super::scene::Scene;
use super::source::{Captured, Drops, Source, SourceError};
use crate::picture::Picture;
use crate::time::Instant;

/// What is asked of the test scene: `pattern[:WxH][@FPS]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PatternSpec {
    width: u32,
    height: u32,
    fps: f64,
}

impl Default for PatternSpec {
    fn default() -> Self {
        Self { width: 1280, height: 720, fps: 30.0 }
    }
}

impl PatternSpec {
    /// A scene of this size and rate.
    ///
    /// # Errors
    ///
    /// [`PatternError`] if the size is not even and within 64x48 to 3840x2160, or the rate not within
    /// 1 to 240 frames per second.
    pub fn new(width: u32, height: u32, fps: f64) -> Result<Self, PatternError> {
        let even = width.is_multiple_of(2) && height.is_multiple_of(2);
        if !even || !(64..=3840).contains(&width) || !(48..=2160).contains(&height) {
            return Err(PatternError::Size { width, height });
        }
        if !(1.0..=240.0).contains(&fps) {
            return Err(PatternError::Rate(fps));
        }
        Ok(Self { width, height, fps })
    }

    /// Columns of pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows of pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Frames per second.
    #[must_use]
    pub fn fps(&self) -> f64 {
        self.fps
    }
}

impl FromStr for PatternSpec {
    type Err = PatternError;

    /// Reads `pattern`, `pattern:640x480`, `pattern:640x480@25` or `pattern:@60`.
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let syntax = || PatternError::Syntax(text.to_owned());
        let rest = text.strip_prefix("pattern").ok_or_else(syntax)?;
        if rest.is_empty() {
            return Ok(Self::default());
        }
        let rest = rest.strip_prefix(':').ok_or_else(syntax)?;
        let (size, fps) = match rest.split_once('@') {
            Some((size, fps)) => (size, Some(fps)),
            None => (rest, None),
        };
        let Self { mut width, mut height, fps: mut rate } = Self::default();
        if !size.is_empty() {
            let (columns, rows) = size.split_once(['x', 'X']).ok_or_else(syntax)?;
            width = columns.parse().map_err(|_| syntax())?;
            height = rows.parse().map_err(|_| syntax())?;
        } else if fps.is_none() {
            return Err(syntax());
        }
        if let Some(fps) = fps {
            rate = fps.parse().map_err(|_| syntax())?;
        }
        Self::new(width, height, rate)
    }
}

impl fmt::Display for PatternSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pattern:{}x{}@{}", self.width, self.height, self.fps)
    }
}

/// What is wrong with a description of the test scene.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PatternError {
    /// Not of the form `pattern[:WxH][@FPS]`.
    Syntax(String),
    /// Columns or rows odd or out of range.
    Size {
        /// Columns asked for.
        width: u32,
        /// Rows asked for.
        height: u32,
    },
    /// Frames per second out of range.
    Rate(f64),
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(text) => {
                write!(f, "{text:?} is no test scene: write pattern:WxH@FPS, such as pattern:1280x720@30")
            }
            Self::Size { width, height } => {
                write!(f, "a test scene of {width}x{height}: both must be even, 64x48 to 3840x2160")
            }
            Self::Rate(fps) => write!(f, "a test scene at {fps} frames per second: must be 1 to 240"),
        }
    }
}

impl core::error::Error for PatternError {}

/// The test scene.
///
/// Frames come at whole multiples of the interval after the first call. A tick that is missed is left
/// out and counted as superseded; what moves goes on as if the frame had been lost, while the counter in
/// the picture counts the frames that were really made.
#[derive(Debug)]
pub struct PatternSource {
    spec: PatternSpec,
    layout: Layout,
    scene: Scene,
    pace: Pace,
    frames: u64,
    drops: Drops,
}

impl PatternSource {
    /// Draws the scene's background; the memory for one picture is claimed here.
    #[must_use]
    pub fn new(spec: PatternSpec, layout: Layout) -> Self {
        let PatternSpec { width, height, fps } = spec;
        let label = format!("sealcam test scene {width}x{height} at {fps} fps");
        let scene = Scene::new(layout, width, height, fps, &label);
        Self { spec, layout, scene, pace: Pace::new(fps), frames: 0, drops: Drops::default() }
    }
}

impl Source for PatternSource {
    fn describe(&self) -> String {
        let PatternSpec { width, height, fps } = self.spec;
        let layout = match self.layout {
            Layout::Yu12 => "YU12",
            Layout::Yuyv => "YUYV",
        };
        format!("{layout} {width}x{height} at {fps} fps from the test scene")
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn wake_at(&self) -> Option<Instant> {
        Some(self.pace.due())
    }

    fn next(&mut self, now: Instant) -> Result<Option<Captured<'_>>, SourceError> {
        let Some(tick) = self.pace.tick(now) else { return Ok(None) };
        let start = self.pace.start().unwrap_or(now);
        self.scene.draw(tick, self.frames, now.since(start));
        self.frames += 1;
        self.drops.superseded = (tick + 1).saturating_sub(self.frames);
        Ok(Some(Captured {
            picture: Picture::Raw(self.scene.canvas().picture()),
            at: now,
            summary: None,
            restarts: &[],
            notice: false,
        }))
    }

    fn release(&mut self) {}

    fn drops(&self) -> Drops {
        self.drops
    }

    fn largest_frame(&self) -> usize {
        self.scene.canvas().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_read() {
        // (text, width, height, fps)
        let cases = [
            ("pattern", 1280, 720, 30.0),
            ("pattern:640x480", 640, 480, 30.0),
            ("pattern:64x48@1", 64, 48, 1.0),
            ("pattern:3840x2160@240", 3840, 2160, 240.0),
            ("pattern:@29.97", 1280, 720, 29.97),
        ];
        for (text, width, height, fps) in cases {
            let spec: PatternSpec = text.parse().unwrap();
            assert_eq!(spec, PatternSpec { width, height, fps }, "{text}");
            assert_eq!(spec.to_string().parse(), Ok(spec));
        }
    }

    #[test]
    fn wrong_descriptions_name_the_mend() {
        // (text, part of the message)
        let cases = [
            ("patern", "write pattern:WxH@FPS"),
            ("pattern:", "write pattern:WxH@FPS"),
            ("pattern 640x480", "write pattern:WxH@FPS"),
            ("pattern:640", "write pattern:WxH@FPS"),
            ("pattern:640x", "write pattern:WxH@FPS"),
            ("pattern:640x480@", "write pattern:WxH@FPS"),
            ("pattern:-640x480", "write pattern:WxH@FPS"),
            ("pattern:641x480", "must be even"),
            ("pattern:62x48", "64x48 to 3840x2160"),
            ("pattern:3842x2160", "64x48 to 3840x2160"),
            ("pattern:640x480@0", "must be 1 to 240"),
            ("pattern:640x480@241", "must be 1 to 240"),
            ("pattern:640x480@NaN", "must be 1 to 240"),
        ];
        for (text, part) in cases {
            let error = text.parse::<PatternSpec>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn frames_come_at_their_rate_and_late_ones_are_left_out() {
        let spec = PatternSpec::new(64, 48, 100.0).unwrap();
        let mut source = PatternSource::new(spec, Layout::Yuyv);
        let at = |millis: u64| Instant::from_millis(5000 + millis);
        assert_eq!(source.wake_at(), Some(Instant::ORIGIN));
        assert!(source.next(at(0)).unwrap().is_some());
        assert!(source.next(at(9)).unwrap().is_none());
        assert_eq!(source.wake_at(), Some(at(10)));
        let captured = source.next(at(10)).unwrap().unwrap();
        assert_eq!(captured.at, at(10));
        assert!(source.next(at(55)).unwrap().is_some());
        assert!(source.next(at(56)).unwrap().is_none());
        assert_eq!(source.drops().superseded, 3);
        assert_eq!(source.wake_at(), Some(at(60)));
        assert_eq!(source.largest_frame(), 64 * 48 * 2);
        assert_eq!(source.describe(), "YUYV 64x48 at 100 fps from the test scene");
    }
}
