//! Settings of the camera, checked: whoever holds one can run.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::area;
use super::args::StreamArgs;
use super::camera_config::CameraConfig;
use super::pattern::PatternSpec;
use super::size::Size;
use super::v4l2::FormatChoice;
use crate::area::Area;
use crate::exit::RunError;
use crate::net::SendOptions;
use crate::proto::fragment;

/// Quality of frames that are encoded here, unless something else is asked for.
pub const DEFAULT_QUALITY: u8 = 80;

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

/// Reads a frame rate, 0.1..=240 frames per second.
///
/// # Errors
///
/// A sentence that names the range.
pub fn fps(text: &str) -> Result<f64, String> {
    let fps: f64 = text.parse().map_err(|_| format!("{text:?} is no number of frames per second"))?;
    if (0.1..=240.0).contains(&fps) { Ok(fps) } else { Err(format!("{fps} is not within 0.1 to 240")) }
}

/// What a picture is to be turned into, and from what.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureSettings {
    /// Where frames come from.
    pub source: SourceSpec,
    /// What to take from a V4L2 device.
    pub format: FormatChoice,
    /// JPEG quality; `None` leaves JPEG frames alone and takes [`DEFAULT_QUALITY`] for raw ones.
    pub quality: Option<u8>,
    /// Most frames per second.
    pub fps: Option<f64>,
    /// Size of the pictures before any area is cut out.
    pub size: Option<Size>,
    /// The area to rectify.
    pub area: Option<Area>,
}

/// Settings of `sealcam stream`.
#[derive(Debug, Clone)]
pub struct StreamConfig {
    /// The destination, and how to send there.
    pub send: SendOptions,
    /// The key file.
    pub key: PathBuf,
    /// What to send.
    pub picture: PictureSettings,
    /// Bytes of a full datagram; `None` chooses by the route.
    pub packet_size: Option<usize>,
    /// How much of the frame interval a frame is spread over, in percent.
    pub pace_percent: u8,
    /// Stop after this many frames.
    pub frames: Option<u64>,
    /// Where figures go.
    pub stats_json: Option<PathBuf>,
    /// Where state is kept.
    pub state: Option<PathBuf>,
}

impl TryFrom<StreamArgs> for StreamConfig {
    type Error = RunError;

    fn try_from(args: StreamArgs) -> Result<Self, RunError> {
        let file = args.camera_config.as_deref().map(read_camera_config).transpose()?.unwrap_or_default();
        let area = args.area.as_deref().map(read_area).transpose()?;
        let source = args.source.parse().map_err(|why: String| of_option("--source", why))?;
        let picture = PictureSettings {
            source,
            format: args.format,
            quality: args.quality,
            fps: args.fps.or(file.fps),
            size: args.size.or(file.size),
            area,
        };
        if let Some(size) = args.packet_size {
            fragment::shard_len(size).map_err(|why| of_option("--packet-size", why))?;
        }
        let to = destination(&args.destination)?;
        if args.loopback && !to.ip().is_multicast() {
            return Err(of_option(
                "--loopback",
                format!("only means something for a multicast group, and {} is none", to.ip()),
            ));
        }
        let send = SendOptions {
            interface: args.interface,
            loopback: args.loopback,
            ttl: args.ttl,
            dscp: args.dscp,
            ..SendOptions::new(to)
        };
        Ok(Self {
            send,
            key: args.key,
            picture,
            packet_size: args.packet_size,
            pace_percent: args.pace,
            frames: args.frames.map(Into::into),
            stats_json: args.stats_json,
            state: args.state,
        })
    }
}

fn read_camera_config(path: &Path) -> Result<CameraConfig, RunError> {
    CameraConfig::read(path).map_err(|why| of_option("--camera-config", why))
}

fn read_area(path: &Path) -> Result<Area, RunError> {
    area::read(path).map_err(|why| of_option("--area", why))
}

/// A setting that cannot be used: names the option, and the mend.
fn of_option(option: &str, why: impl fmt::Display) -> RunError {
    RunError::Usage(format!("{option}: {why}"))
}

/// Reads `ADDR:PORT`; a host name is looked up once, here.
fn destination(text: &str) -> Result<SocketAddr, RunError> {
    let fail = |why: &str| {
        of_option(
            "ADDR:PORT",
            format!(
                "{text:?} {why}: write an address and a port, such as 192.168.1.20:5000 or [fe80::1]:5000"
            ),
        )
    };
    let address = match text.parse::<SocketAddr>() {
        Ok(address) => address,
        Err(_) => text
            .to_socket_addrs()
            .map_err(|why| fail(&format!("is no destination ({why})")))?
            .next()
            .ok_or_else(|| fail("is a name without an address"))?,
    };
    if address.port() == 0 {
        return Err(fail("has port 0"));
    }
    if address.ip().is_unspecified() {
        return Err(fail("is where to listen, not where to send"));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::args::{Cli, Command};
    use clap::{CommandFactory, Parser};

    fn config(line: &str) -> Result<StreamConfig, String> {
        let words = ["sealcam", "stream", "--key", "k"].into_iter().chain(line.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|why| why.to_string())?;
        let Command::Stream(args) = cli.command else { panic!("{line}") };
        StreamConfig::try_from(*args).map_err(|why| why.to_string())
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_settings_name_the_option_and_the_mend() {
        let cases = [
            ("127.0.0.1", "ADDR:PORT"),
            ("127.0.0.1:0", "port 0"),
            ("0.0.0.0:5000", "where to listen"),
            ("127.0.0.1:5000 --loopback", "--loopback"),
            ("127.0.0.1:5000 --packet-size 127", "--packet-size"),
            ("127.0.0.1:5000 --packet-size 65508", "--packet-size"),
            ("127.0.0.1:5000 --source webcam", "--source"),
            ("127.0.0.1:5000 --source file:", "--source"),
            ("127.0.0.1:5000 --source pattern:1x1", "--source"),
            ("127.0.0.1:5000 --size 640", "--size"),
            ("127.0.0.1:5000 --size 8x8", "--size"),
            ("127.0.0.1:5000 --fps 0", "--fps"),
            ("127.0.0.1:5000 --fps nan", "--fps"),
            ("127.0.0.1:5000 --quality 0", "--quality"),
            ("127.0.0.1:5000 --quality 101", "--quality"),
            ("127.0.0.1:5000 --pace 101", "--pace"),
            ("127.0.0.1:5000 --ttl 0", "--ttl"),
            ("127.0.0.1:5000 --dscp 64", "--dscp"),
            ("127.0.0.1:5000 --format h264", "--format"),
            ("127.0.0.1:5000 --frames 0", "--frames"),
            ("127.0.0.1:5000 --area /nowhere/area.json", "/nowhere/area.json"),
            ("127.0.0.1:5000 --camera-config /nowhere/c.json", "/nowhere/c.json"),
        ];
        for (line, names) in cases {
            let why = config(line).expect_err(line);
            assert!(why.contains(names), "{line}: {why}");
        }
    }

    #[test]
    fn good_settings_are_taken() {
        let config =
            config("[ff02::1]:5000 --interface lo --loopback --ttl 3 --source pattern:640x480@15 --pace 0")
                .unwrap();
        assert!(config.send.loopback && config.send.to.is_ipv6());
        assert_eq!((config.send.ttl, config.pace_percent, config.packet_size), (Some(3), 0, None));
        assert_eq!(config.picture.source.to_string(), "pattern:640x480@15");
        assert_eq!("/dev/v4l/by-id/x".parse(), Ok(SourceSpec::Device("/dev/v4l/by-id/x".into())));
        assert_eq!("-".parse(), Ok(SourceSpec::Stdin));
    }
}
