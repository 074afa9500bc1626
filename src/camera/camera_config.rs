//! `--camera-config FILE`: which size and rate to ask the camera for, as JSON.

use std::path::Path;

use serde::Deserialize;

use super::settings_file::{SettingsError, SettingsFile, Step};
use super::size::Size;

/// What to ask the camera for. What is not there is left to the camera.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CameraConfig {
    /// Columns and rows of pixels.
    pub size: Option<Size>,
    /// Frames per second, 1..=240.
    pub fps: Option<f64>,
}

/// As it stands in the file. Numbers are taken as they are, so that 0 or 640.5 get an answer of their
/// own instead of a parser's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    width: Option<f64>,
    height: Option<f64>,
    fps: Option<f64>,
}

const EXAMPLE: &str = r#"{"width": 640, "height": 360, "fps": 60}"#;

impl CameraConfig {
    /// Reads a file such as `{"width": 640, "height": 360, "fps": 60}`.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] with file, line, column and the mend.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        Self::from_file(&SettingsFile::read(path)?)
    }

    fn from_file(file: &SettingsFile) -> Result<Self, SettingsError> {
        let raw: Raw = file.parse(EXAMPLE)?;
        let width = raw.width.map(|value| pixels(file, "width", value)).transpose()?;
        let height = raw.height.map(|value| pixels(file, "height", value)).transpose()?;
        let alone = |given, missing| {
            let problem = format!("{given} without {missing}: give both, or neither for the camera's choice");
            Err(file.error(&[Step::Key(given)], problem))
        };
        let size = match (width, height) {
            (Some(width), Some(height)) => Some(Size { width, height }),
            (None, None) => None,
            (Some(_), None) => return alone("width", "height"),
            (None, Some(_)) => return alone("height", "width"),
        };
        if let Some(fps) = raw.fps.filter(|fps| !(1.0..=240.0).contains(fps)) {
            let problem = format!("fps {fps}: must be 1 to 240 frames per second");
            return Err(file.error(&[Step::Key("fps")], problem));
        }
        Ok(Self { size, fps: raw.fps })
    }
}

fn pixels(file: &SettingsFile, key: &str, value: f64) -> Result<u32, SettingsError> {
    if value.fract() == 0.0 && Size::SIDES.contains(&(value as u32)) {
        return Ok(value as u32);
    }
    let (least, most) = Size::SIDES.into_inner();
    let problem = format!("{key} {value}: must be a whole number of pixels, {least} to {most}");
    Err(file.error(&[Step::Key(key)], problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CameraConfig, String> {
        let file = SettingsFile::from_text(Path::new("camera.json"), text);
        CameraConfig::from_file(&file).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_are_read() {
        let of = |size: Option<(u32, u32)>, fps| {
            Ok(CameraConfig { size: size.map(|(width, height)| Size { width, height }), fps })
        };
        // (text, settings)
        let cases = [
            (EXAMPLE, of(Some((640, 360)), Some(60.0))),
            (r#"{"fps": 29.97}"#, of(None, Some(29.97))),
            (r#"{"width": 1280.0, "height": 720}"#, of(Some((1280, 720)), None)),
            (r#"{"width": null}"#, of(None, None)),
            ("\u{feff}{}\r\n", of(None, None)),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn wrong_settings_are_pointed_at() {
        // (text, message)
        let cases = [
            ("{\"width\": 0,\n \"height\": 360}", "camera.json:1:11: width 0: must be a whole number"),
            (
                "{\"width\": 8,\n \"height\": 8}",
                "camera.json:1:11: width 8: must be a whole number of pixels, 16 to 16384",
            ),
            ("{\"width\": 640,\n \"height\": 16385}", "camera.json:2:12: height 16385: must be a whole"),
            (r#"{"width": 640.5, "height": 360}"#, "camera.json:1:11: width 640.5: must be a whole"),
            (r#"{"width": -1, "height": 360}"#, "camera.json:1:11: width -1: must be"),
            (r#"{"width": 640}"#, "camera.json:1:11: width without height: give both"),
            (r#"{ "height": 360 }"#, "camera.json:1:13: height without width: give both"),
            (r#"{"fps": 0}"#, "camera.json:1:9: fps 0: must be 1 to 240"),
            ("{\n  \"fps\": 241\n}", "camera.json:2:10: fps 241: must be 1 to 240"),
            ("{\n  \"fsp\": 30\n}", "camera.json:2:7: unknown field `fsp`, expected one of `width`"),
            (
                r#"{"fps": "30"}"#,
                "camera.json:1:12: invalid type: string \"30\", expected f64; such a file is {",
            ),
            ("{\"fps\": 30,}", "camera.json:1:12: trailing comma; such a file is"),
            (r#"{"fps": 30} {}"#, "camera.json:1:13: trailing characters"),
            (r#"{"fps": 30, "fps": 31}"#, "camera.json:1:17: duplicate field `fps`"),
            ("", "camera.json:1:1: EOF while parsing a value; such a file is {\"width\": 640"),
            ("[640, 360", "camera.json:1:9: EOF while parsing a list"),
        ];
        for (text, expected) in cases {
            let message = read(text).unwrap_err();
            assert!(message.starts_with(expected), "{text}: {message}");
        }
    }
}
