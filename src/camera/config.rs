//! Settings of the camera, checked: whoever holds one can run.
//!
//! The command line and the [configuration file](super::file_config) both fill in a [`StreamDraft`], and one
//! check makes the settings of it.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::args::{SendingArgs, ServeArgs, StreamArgs};
pub use super::audience::{Audience, PairedSettings};
use super::config_sources::named_sources;
use super::destination::{Destination, HostName};
use super::pattern::{PatternError, PatternSpec};
pub use super::spelling::{Setting, Spelling};
use super::v4l2::{ControlSetting, FormatChoice};
pub use super::values::{CodePoint, Fps, Hops, KeyPlace, Percent, Quality, Size, SourceSpec};
use crate::area::Area;
use crate::exit::RunError;
use crate::net::{DEFAULT_DSCP, Interface, SendOptions};
use crate::proto::fragment;
use crate::proto::manifest::MIN_SIGNED_DATAGRAM;
use crate::time::Duration;

/// Quality of frames that are encoded here, unless something else is asked for.
pub const DEFAULT_QUALITY: u8 = 80;
/// How much of the frame interval a frame is spread over, unless something else is asked for.
pub const DEFAULT_PACE: u8 = 25;
/// What the only source is called, unless something else is asked for.
pub const DEFAULT_NAME: &str = "camera";
/// No source is called so: it is what one switches to for none.
pub const OFF: &str = "off";
/// Sources in one configuration: a datagram names its source in one byte.
pub const MOST_SOURCES: usize = 256;
/// Frames per second that the test scene has at least.
pub const SLOWEST_SCENE: f64 = 1.0;
/// Characters of a source's name.
pub const LONGEST_NAME: usize = 32;

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
    /// Controls of a V4L2 device.
    pub controls: Vec<ControlSetting>,
}

impl PictureSettings {
    /// The test scene `spec` in the size and at the rate that other settings ask for.
    ///
    /// # Errors
    ///
    /// [`PatternError`] if there is no such scene; settings that have been checked have one.
    pub fn scene(&self, spec: &PatternSpec) -> Result<PatternSpec, PatternError> {
        let (width, height) =
            self.size.map_or((spec.width(), spec.height()), |size| (size.width, size.height));
        PatternSpec::new(width, height, self.fps.unwrap_or(spec.fps()).max(SLOWEST_SCENE))
    }
}

/// A source with a name to switch to it.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedSource {
    /// 1 to 32 letters, digits, dots, hyphens and underscores.
    pub name: String,
    /// Where its pictures come from, and what is made of them.
    pub picture: PictureSettings,
    /// The file that the area was read from.
    pub area_file: Option<PathBuf>,
    /// The file with what to ask of the camera, which size and rate were read from.
    pub camera_config_file: Option<PathBuf>,
}

/// Settings of a stream.
#[derive(Debug, Clone)]
pub struct StreamConfig {
    /// The destination, and how to send there; to no address ([`Self::is_pending`]) while a name has not been
    /// looked up.
    pub send: SendOptions,
    /// The destination's name, if it is written as one.
    pub name: Option<HostName>,
    /// Who may watch.
    pub audience: Audience,
    /// What can be sent: 1 to [`MOST_SOURCES`] sources, with names of their own.
    pub sources: Vec<NamedSource>,
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
    /// What messages call these settings.
    pub spelling: Spelling,
}

impl StreamConfig {
    /// Whether the destination's name has not been looked up: nothing leaves then.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        matches!(self.audience, Audience::Shared(_)) && self.send.to.ip().is_unspecified()
    }

    /// Sends to `to` from now on, which is the address of the destination's name.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the other settings do not go with it; nothing is changed then.
    pub fn send_to(&mut self, to: SocketAddr) -> Result<(), ConfigError> {
        check_loopback(self.send.loopback, to)?;
        self.send.to = to;
        Ok(())
    }

    /// Whether to wait for what is not right at the moment instead of ending with a sentence: nobody reads that
    /// of a service, which is what files are for.
    #[must_use]
    pub fn is_patient(&self) -> bool {
        self.spelling == Spelling::Keys
    }

    /// The destination as it was written.
    #[must_use]
    pub fn destination(&self) -> String {
        match &self.audience {
            Audience::Paired(paired) => format!("paired viewers at {}", paired.listen),
            Audience::Shared(_) => {
                self.name.as_ref().map_or_else(|| self.send.to.to_string(), HostName::to_string)
            }
        }
    }
}

fn check_loopback(loopback: bool, to: SocketAddr) -> Result<(), ConfigError> {
    if loopback && !to.ip().is_multicast() {
        let why = format!("only means something for a multicast group, and {} is none", to.ip());
        return Err(ConfigError::of(Setting::Loopback, why));
    }
    Ok(())
}

/// Settings of a stream as they were written: each valid by itself, not yet checked against the others.
#[derive(Debug, Clone)]
pub struct StreamDraft {
    /// `ADDR:PORT`, and where the key is; or the settings of paired viewers.
    pub audience: AudienceDraft,
    /// What can be sent.
    pub sources: Vec<SourceDraft>,
    /// Bytes of a full datagram.
    pub packet_size: Option<usize>,
    /// How much of the frame interval a frame is spread over.
    pub pace: Option<Percent>,
    /// Where to send from.
    pub interface: Option<Interface>,
    /// Whether receivers on this machine hear a group.
    pub loopback: bool,
    /// How many routers a datagram may pass.
    pub ttl: Option<Hops>,
    /// Differentiated services code point.
    pub dscp: Option<CodePoint>,
    /// Stop after this many frames.
    pub frames: Option<std::num::NonZeroU64>,
    /// Where figures go.
    pub stats_json: Option<PathBuf>,
    /// Where state is kept.
    pub state: Option<PathBuf>,
    /// What messages call these settings.
    pub spelling: Spelling,
}

/// Who may watch, as it was written.
#[derive(Debug, Clone)]
pub enum AudienceDraft {
    /// Whoever holds a key.
    Shared {
        /// `ADDR:PORT`.
        to: String,
        /// Where the key is.
        key: KeyPlace,
    },
    /// Viewers that were let in.
    Paired(PairedSettings),
}

/// A source as it was written.
#[derive(Debug, Clone)]
pub struct SourceDraft {
    /// Its name; only the one source of a configuration may do without.
    pub name: Option<String>,
    /// Where frames come from.
    pub source: SourceSpec,
    /// What to take from a V4L2 device.
    pub format: FormatChoice,
    /// JPEG quality.
    pub quality: Option<Quality>,
    /// Most frames per second.
    pub fps: Option<Fps>,
    /// Picture size.
    pub size: Option<Size>,
    /// File with the area to rectify.
    pub area: Option<PathBuf>,
    /// File with what to ask of the camera.
    pub camera_config: Option<PathBuf>,
    /// Controls of a V4L2 device.
    pub controls: Vec<ControlSetting>,
}

/// A setting that cannot be used: which one, why, and the mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Which one.
    pub setting: Setting,
    /// Why, and the mend.
    pub why: String,
}

impl ConfigError {
    pub(super) fn of(setting: Setting, why: impl fmt::Display) -> Self {
        Self { setting, why: why.to_string() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting.option(), self.why)
    }
}

impl std::error::Error for ConfigError {}

impl From<ConfigError> for RunError {
    fn from(why: ConfigError) -> Self {
        Self::Usage(why.to_string())
    }
}

impl From<StreamArgs> for StreamDraft {
    fn from(args: StreamArgs) -> Self {
        let key = KeyPlace::File(args.key);
        Self::of(AudienceDraft::Shared { to: args.destination, key }, args.sending)
    }
}

impl From<ServeArgs> for StreamDraft {
    fn from(args: ServeArgs) -> Self {
        let paired = PairedSettings {
            listen: args.listen,
            name: args.name,
            max_viewers: args.max_viewers.into(),
            idle: Duration::from_secs(args.idle.into()),
            signed: !args.unsigned,
            on_demand: args.on_demand,
            group: args.group,
            announce: !args.no_announce,
        };
        Self::of(AudienceDraft::Paired(paired), args.sending)
    }
}

impl StreamDraft {
    fn of(audience: AudienceDraft, args: SendingArgs) -> Self {
        let source = SourceDraft {
            name: None,
            source: args.source,
            format: args.format,
            quality: args.quality,
            fps: args.fps,
            size: args.size,
            area: args.area,
            camera_config: args.camera_config,
            controls: Vec::new(),
        };
        Self {
            audience,
            sources: vec![source],
            packet_size: args.packet_size,
            pace: Some(args.pace),
            interface: args.interface,
            loopback: args.loopback,
            ttl: args.ttl,
            dscp: Some(args.dscp),
            frames: args.frames,
            stats_json: args.stats_json,
            state: args.state,
            spelling: Spelling::Options,
        }
    }
}

impl TryFrom<StreamArgs> for StreamConfig {
    type Error = ConfigError;

    fn try_from(args: StreamArgs) -> Result<Self, ConfigError> {
        StreamDraft::from(args).try_into()
    }
}

impl TryFrom<ServeArgs> for StreamConfig {
    type Error = ConfigError;

    fn try_from(args: ServeArgs) -> Result<Self, ConfigError> {
        StreamDraft::from(args).try_into()
    }
}

impl TryFrom<StreamDraft> for StreamConfig {
    type Error = ConfigError;

    fn try_from(draft: StreamDraft) -> Result<Self, ConfigError> {
        let sources = named_sources(draft.sources)?;
        if let Some(size) = draft.packet_size {
            check_packet_size(size, &draft.audience)?;
        }
        let (to, name, audience) = audience(draft.audience, draft.loopback)?;
        let send = SendOptions {
            interface: draft.interface,
            loopback: draft.loopback,
            ttl: draft.ttl.map(Hops::get),
            dscp: draft.dscp.map_or(DEFAULT_DSCP, CodePoint::get),
            ..SendOptions::new(to)
        };
        Ok(Self {
            send,
            name,
            audience,
            sources,
            packet_size: draft.packet_size,
            pace_percent: draft.pace.map_or(DEFAULT_PACE, Percent::get),
            frames: draft.frames.map(Into::into),
            stats_json: draft.stats_json,
            state: draft.state,
            spelling: draft.spelling,
        })
    }
}

fn check_packet_size(size: usize, audience: &AudienceDraft) -> Result<(), ConfigError> {
    let wrong = |why: &dyn fmt::Display| ConfigError::of(Setting::PacketSize, why);
    fragment::shard_len(size).map_err(|why| wrong(&why))?;
    let signed = matches!(audience, AudienceDraft::Paired(PairedSettings { signed: true, .. }));
    if signed && size < MIN_SIGNED_DATAGRAM {
        return Err(wrong(&format!(
            "{size} is too small for signed frames, which need {MIN_SIGNED_DATAGRAM} at least; use a larger one"
        )));
    }
    Ok(())
}

type Addressed = (SocketAddr, Option<HostName>, Audience);

/// Where frames go, and who may watch.
fn audience(draft: AudienceDraft, loopback: bool) -> Result<Addressed, ConfigError> {
    match draft {
        AudienceDraft::Shared { to, key } => {
            let to = to.parse().map_err(|why: String| ConfigError::of(Setting::Destination, why))?;
            let (to, name) = match to {
                Destination::Address(to) => {
                    check_loopback(loopback, to)?;
                    (to, None)
                }
                Destination::Name(name) => ((Ipv4Addr::UNSPECIFIED, name.port()).into(), Some(name)),
            };
            Ok((to, name, Audience::Shared(key)))
        }
        AudienceDraft::Paired(paired) => {
            let to = paired.group.unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into());
            if paired.group.is_some_and(|group| !group.ip().is_multicast() || group.port() == 0) {
                let why = format!("{to} is no multicast group with a port, such as 239.1.2.3:5000");
                return Err(ConfigError::of(Setting::Group, why));
            }
            if paired.listen.port() == 0 || paired.listen.ip().is_multicast() {
                let why = format!("{} is no address with a port to listen at", paired.listen);
                return Err(ConfigError::of(Setting::Listen, why));
            }
            check_loopback(loopback, to)?;
            Ok((to, None, Audience::Paired(paired)))
        }
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
