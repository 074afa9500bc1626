//! Values of settings, each valid once it exists: the command line and the configuration file take the
//! same types, and neither is checked a second time.

use core::fmt;
use core::str::FromStr;
use std::path::PathBuf;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::pattern::PatternSpec;
pub use super::size::Size;

/// A whole number from `LOW` to `HIGH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Within<const LOW: u8, const HIGH: u8>(u8);

/// JPEG quality.
pub type Quality = Within<1, 100>;
/// A share of a whole.
pub type Percent = Within<0, 100>;
/// How many routers a datagram may pass.
pub type Hops = Within<1, 255>;
/// A differentiated services code point.
pub type CodePoint = Within<0, 63>;

impl<const LOW: u8, const HIGH: u8> Within<LOW, HIGH> {
    /// The number, if it is within the range.
    ///
    /// # Errors
    ///
    /// A sentence that names the range.
    pub fn new(number: i64) -> Result<Self, String> {
        match u8::try_from(number) {
            Ok(small) if (LOW..=HIGH).contains(&small) => Ok(Self(small)),
            _ => Err(format!("{number} is not within {LOW} to {HIGH}")),
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl<const LOW: u8, const HIGH: u8> FromStr for Within<LOW, HIGH> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number: i64 = text.parse().map_err(|_| format!("{text:?} is no whole number"))?;
        Self::new(number)
    }
}

impl<const LOW: u8, const HIGH: u8> fmt::Display for Within<LOW, HIGH> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de, const LOW: u8, const HIGH: u8> Deserialize<'de> for Within<LOW, HIGH> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(i64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Frames per second, 0.1 to 240.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Fps(f64);

impl Fps {
    /// The rate, if it is within the range.
    ///
    /// # Errors
    ///
    /// A sentence that names the range.
    pub fn new(fps: f64) -> Result<Self, String> {
        if (0.1..=240.0).contains(&fps) {
            Ok(Self(fps))
        } else {
            Err(format!("{fps} is not within 0.1 to 240"))
        }
    }

    /// Frames per second.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Fps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::new(text.parse().map_err(|_| format!("{text:?} is no number of frames per second"))?)
    }
}

impl<'de> Deserialize<'de> for Fps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = Fps;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of frames per second")
            }

            fn visit_i64<E: Error>(self, fps: i64) -> Result<Fps, E> {
                Fps::new(fps as f64).map_err(E::custom)
            }

            fn visit_u64<E: Error>(self, fps: u64) -> Result<Fps, E> {
                Fps::new(fps as f64).map_err(E::custom)
            }

            fn visit_f64<E: Error>(self, fps: f64) -> Result<Fps, E> {
                Fps::new(fps).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// Where frames come from.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceSpec {
    /// A V4L2 device.
    Device(PathBuf),
    /// The test scene; its size may be left to `--size`.
    Pattern(PatternSpec),
    /// A file or a folder.
    File(PathBuf),
    /// Motion JPEG on standard input.
    Stdin,
}

impl FromStr for SourceSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::Stdin);
        }
        if text == "pattern" || text.starts_with("pattern:") {
            return text.parse().map(Self::Pattern).map_err(|why| format!("{why}"));
        }
        if let Some(path) = text.strip_prefix("file:") {
            return match path {
                "" => Err("file: needs a path behind it, such as file:clip.mjpeg".into()),
                path => Ok(Self::File(path.into())),
            };
        }
        if text.contains('/') {
            return Ok(Self::Device(text.into()));
        }
        Err(format!(
            "{text:?} is no source: write /dev/videoN, pattern[:WxH@FPS], file:PATH or - for standard input"
        ))
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(path) => write!(f, "{}", path.display()),
            Self::Pattern(spec) => write!(f, "{spec}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// Where a shared key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// In this file.
    File(PathBuf),
    /// In systemd's credential of this name (`LoadCredential=`), written `credential:NAME`.
    Credential(String),
}

impl KeyPlace {
    /// The path of the key file.
    ///
    /// # Errors
    ///
    /// A sentence with the mend if this process was given no credentials.
    pub fn path(&self) -> Result<PathBuf, String> {
        match self {
            Self::File(path) => Ok(path.clone()),
            Self::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                    format!(
                        "credential:{name} is there only in a service that systemd starts with \
                         LoadCredential={name}:PATH; else name the file itself"
                    )
                })?;
                Ok(PathBuf::from(folder).join(name))
            }
        }
    }
}

impl FromStr for KeyPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(name) = text.strip_prefix("credential:") else {
            return if text.is_empty() {
                Err("a key file needs a name".into())
            } else {
                Ok(Self::File(text.into()))
            };
        };
        // A name is one step of a path, so that it stays within the folder of credentials.
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            return Err(format!(
                "{text:?} names no credential: write credential:NAME, NAME as after LoadCredential="
            ));
        }
        Ok(Self::Credential(name.to_owned()))
    }
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Credential(name) => write!(f, "credential:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_held_to_their_range() {
        assert_eq!("100".parse::<Quality>().map(Quality::get), Ok(100));
        assert_eq!(Hops::new(255).map(Hops::get), Ok(255));
        for (text, why) in [
            ("0", "0 is not within 1 to 100"),
            ("101", "101 is not"),
            ("-1", "-1 is"),
            ("a", "no whole number"),
        ] {
            assert!(text.parse::<Quality>().unwrap_err().contains(why), "{text}");
        }
        for text in ["0.1", "240", "29.97"] {
            assert!(text.parse::<Fps>().is_ok(), "{text}");
        }
        for text in ["0", "nan", "inf", "240.1", "x"] {
            assert!(text.parse::<Fps>().is_err(), "{text}");
        }
    }

    #[test]
    fn sources_and_keys_are_told_by_how_they_are_written() {
        assert_eq!("/dev/v4l/by-id/x".parse(), Ok(SourceSpec::Device("/dev/v4l/by-id/x".into())));
        assert_eq!("-".parse(), Ok(SourceSpec::Stdin));
        assert_eq!("file:a b".parse(), Ok(SourceSpec::File("a b".into())));
        assert_eq!("a/key".parse(), Ok(KeyPlace::File("a/key".into())));
        assert_eq!("credential:key".parse(), Ok(KeyPlace::Credential("key".into())));
        for text in ["", "credential:", "credential:../x", "credential:a/b"] {
            assert!(text.parse::<KeyPlace>().is_err(), "{text}");
        }
    }
}
