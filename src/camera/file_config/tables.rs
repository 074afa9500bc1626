//! The tables of a configuration file of schema 1, as they stand in it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use toml::Spanned;

use super::StreamDraft;
use crate::camera::config::{AudienceDraft, PairedSettings, SourceDraft, Spelling};
use crate::camera::v4l2::{ControlSetting, ControlValue, FormatChoice};
use crate::camera::values::{CodePoint, Fps, Hops, KeyPlace, Percent, Quality, Size, SourceSpec, Within};
use crate::net::Interface;
use crate::time::Duration;
use crate::wire::Name;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Tables {
    /// Checked before.
    #[serde(rename = "schema")]
    _schema: i64,
    pub(super) stream: Option<Spanned<StreamTable>>,
    pub(super) serve: Option<Spanned<ServeTable>>,
    #[serde(default)]
    pub(super) source: Vec<Spanned<SourceTable>>,
    #[serde(default)]
    pub(super) service: ServiceTable,
    #[serde(default)]
    pub(super) health: HealthTable,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct StreamTable {
    pub(super) to: Spanned<String>,
    key: Text<KeyPlace>,
    pub(super) packet_size: Option<Spanned<usize>>,
    pace: Option<Percent>,
    interface: Option<Text<Interface>>,
    pub(super) loopback: Option<Spanned<bool>>,
    ttl: Option<Hops>,
    dscp: Option<CodePoint>,
    frames: Option<NonZeroU64>,
    stats_json: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ServeTable {
    pub(super) listen: Option<Spanned<Text<SocketAddr>>>,
    name: Option<Text<Name>>,
    max_viewers: Option<Within<1, 255>>,
    idle: Option<Within<3, 255>>,
    signed: Option<bool>,
    on_demand: Option<bool>,
    pub(super) group: Option<Spanned<Text<SocketAddr>>>,
    announce: Option<bool>,
    pub(super) packet_size: Option<Spanned<usize>>,
    pace: Option<Percent>,
    interface: Option<Text<Interface>>,
    pub(super) loopback: Option<Spanned<bool>>,
    ttl: Option<Hops>,
    dscp: Option<CodePoint>,
    frames: Option<NonZeroU64>,
    stats_json: Option<PathBuf>,
}

impl ServeTable {
    /// As a table of a stream, and who may watch.
    fn split(self) -> (Sending, PairedSettings) {
        let usual = PairedSettings::DEFAULT;
        let paired = PairedSettings {
            listen: self.listen.map_or(usual.listen, |listen| listen.into_inner().0),
            name: self.name.map(|name| name.0),
            max_viewers: self.max_viewers.map_or(usual.max_viewers, |most| most.get().into()),
            idle: self.idle.map_or(usual.idle, |idle| Duration::from_secs(idle.get().into())),
            signed: self.signed.unwrap_or(usual.signed),
            on_demand: self.on_demand.unwrap_or(usual.on_demand),
            group: self.group.map(|group| group.into_inner().0),
            announce: self.announce.unwrap_or(usual.announce),
        };
        let sending = Sending {
            packet_size: self.packet_size.map(Spanned::into_inner),
            pace: self.pace,
            interface: self.interface.map(|interface| interface.0),
            loopback: self.loopback.is_some_and(Spanned::into_inner),
            ttl: self.ttl,
            dscp: self.dscp,
            frames: self.frames,
            stats_json: self.stats_json,
        };
        (sending, paired)
    }
}

/// What both kinds of table say.
struct Sending {
    packet_size: Option<usize>,
    pace: Option<Percent>,
    interface: Option<Interface>,
    loopback: bool,
    ttl: Option<Hops>,
    dscp: Option<CodePoint>,
    frames: Option<NonZeroU64>,
    stats_json: Option<PathBuf>,
}

impl StreamTable {
    fn split(self) -> (Sending, String, KeyPlace) {
        let sending = Sending {
            packet_size: self.packet_size.map(Spanned::into_inner),
            pace: self.pace,
            interface: self.interface.map(|interface| interface.0),
            loopback: self.loopback.is_some_and(Spanned::into_inner),
            ttl: self.ttl,
            dscp: self.dscp,
            frames: self.frames,
            stats_json: self.stats_json,
        };
        (sending, self.to.into_inner(), self.key.0)
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct SourceTable {
    pub(super) name: Option<Spanned<String>>,
    pub(super) source: Option<Spanned<Text<SourceSpec>>>,
    format: Option<Text<FormatChoice>>,
    size: Option<Text<Size>>,
    fps: Option<Fps>,
    quality: Option<Quality>,
    pub(super) area: Option<Spanned<PathBuf>>,
    pub(super) camera_config: Option<Spanned<PathBuf>>,
    #[serde(default)]
    controls: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct ServiceTable {
    state: Option<PathBuf>,
    pub(super) control: Option<PathBuf>,
    pub(super) active: Option<Spanned<String>>,
    pub(super) landlock: bool,
}

impl Default for ServiceTable {
    fn default() -> Self {
        Self { state: None, control: None, active: None, landlock: true }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct HealthTable {
    pub(super) listen: Option<Listen>,
}

impl Tables {
    /// What the tables ask for; relative paths begin at `folder`.
    ///
    /// # Errors
    ///
    /// Where, and what is wrong, if there is not exactly one of `[stream]` and `[serve]`.
    pub(super) fn draft(self, folder: &Path) -> Result<StreamDraft, (usize, &'static str)> {
        let Self { stream, serve, mut source, service, .. } = self;
        if source.is_empty() {
            source.push(Spanned::new(0..0, SourceTable::default()));
        }
        let below = |path: PathBuf| below(folder, &path);
        let (sending, audience) = match (stream, serve) {
            (Some(stream), None) => {
                let (sending, to, key) = stream.into_inner().split();
                let key = match key {
                    KeyPlace::File(path) => KeyPlace::File(below(path)),
                    credential @ KeyPlace::Credential(_) => credential,
                };
                (sending, AudienceDraft::Shared { to, key })
            }
            (None, Some(serve)) => {
                let (sending, paired) = serve.into_inner().split();
                (sending, AudienceDraft::Paired(paired))
            }
            (Some(_), Some(serve)) => {
                let why = "both [stream] and [serve]: a service does one; remove the other";
                return Err((serve.span().start, why));
            }
            (None, None) => {
                let why = "neither [stream] nor [serve]: write [stream] with `to` and `key`, to send to one \
                           address or group, or [serve] for paired viewers";
                return Err((0, why));
            }
        };
        Ok(StreamDraft {
            audience,
            sources: source.into_iter().map(|table| table.into_inner().draft(folder)).collect(),
            packet_size: sending.packet_size,
            pace: sending.pace,
            interface: sending.interface,
            loopback: sending.loopback,
            ttl: sending.ttl,
            dscp: sending.dscp,
            frames: sending.frames,
            stats_json: sending
                .stats_json
                .map(|path| if path.as_os_str() == "-" { path } else { below(path) }),
            state: service.state.map(below),
            spelling: Spelling::Keys,
        })
    }
}

impl SourceTable {
    fn draft(self, folder: &Path) -> SourceDraft {
        let source = match self.source.map(|source| source.into_inner().0) {
            None => SourceSpec::Device("/dev/video0".into()),
            Some(SourceSpec::Device(path)) => SourceSpec::Device(below(folder, &path)),
            Some(SourceSpec::File(path)) => SourceSpec::File(below(folder, &path)),
            Some(other) => other,
        };
        let file = |path: Spanned<PathBuf>| below(folder, path.get_ref());
        SourceDraft {
            name: self.name.map(Spanned::into_inner),
            source,
            format: self.format.map_or(FormatChoice::Auto, |format| format.0),
            quality: self.quality,
            fps: self.fps,
            size: self.size.map(|size| size.0),
            area: self.area.map(file),
            camera_config: self.camera_config.map(file),
            controls: self
                .controls
                .into_iter()
                .map(|(name, value)| ControlSetting { name, value: value.0 })
                .collect(),
        }
    }
}

/// A path from `folder` on, without the dots of `./video0`.
pub(super) fn below(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path).components().collect()
}

/// A value that is written as a text.
pub(super) struct Text<T>(T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// An address and a port; a port alone is one of this machine, for this machine.
pub(super) struct Listen(pub(super) SocketAddr);

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Address;

        impl Visitor<'_> for Address {
            type Value = Listen;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a port of this machine, such as 9464, or an address such as \"192.168.1.5:9464\"",
                )
            }

            fn visit_i64<E: Error>(self, port: i64) -> Result<Listen, E> {
                match u16::try_from(port) {
                    Ok(port @ 1..) => Ok(Listen((IpAddr::from(Ipv4Addr::LOCALHOST), port).into())),
                    _ => Err(E::custom(format!("{port} is no port: 1 to 65535"))),
                }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Listen, E> {
                match text.parse::<SocketAddr>() {
                    Ok(address) if address.port() != 0 => Ok(Listen(address)),
                    _ => Err(E::custom(format!(
                        "{text:?} is no address with a port, such as \"127.0.0.1:9464\""
                    ))),
                }
            }
        }
        deserializer.deserialize_any(Address)
    }
}

/// The value of a control.
struct Value(ControlValue);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl Visitor<'_> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, true or false, or the name of a menu's item")
            }

            fn visit_bool<E: Error>(self, on: bool) -> Result<Value, E> {
                Ok(Value(ControlValue::Number(on.into())))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
                Ok(Value(ControlValue::Number(number)))
            }

            fn visit_str<E: Error>(self, item: &str) -> Result<Value, E> {
                Ok(Value(ControlValue::Item(item.to_owned())))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
