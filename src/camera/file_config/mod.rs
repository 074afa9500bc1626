//! The configuration file of the service: TOML, every option of `sealcam stream` and what only a service has.
//!
//! ```toml
//! schema = 1
//!
//! [stream]
//! to = "192.168.1.20:5000"
//! key = "credential:secret.key"       # or a path
//! pace = 25                           # and interface, loopback, ttl, dscp, packet-size, frames, stats-json
//!
//! # or, in the place of [stream]:
//! [serve]
//! listen = "[::]:5004"                # and name, max-viewers, idle, signed, on-demand, group, announce, and what
//!                                     # [stream] has but `to` and `key`
//!
//! [[source]]                          # one or more; the first is sent at the start
//! name = "front"
//! source = "/dev/video0"
//! size = "1280x720"                   # and format, fps, quality, area, camera-config
//! controls = { power_line_frequency = "50 Hz", auto_exposure = 1, exposure_time_absolute = 200 }
//!
//! [service]
//! active = "front"                    # or "off"; and state, control, landlock
//!
//! [health]
//! listen = "127.0.0.1:9464"
//! ```
//!
//! Relative paths begin at the folder of the file. Unknown keys are refused, so that a mistyped one is not
//! without effect in silence.
//!
//! # Schema versions
//!
//! `schema` says which edition of these tables a file is written for; this is edition [`SCHEMA`]. New keys do
//! not make a new edition, for files without them mean what they meant. Where a key changes its name or its
//! meaning, the number goes up, and the tables of the edition before stay, as a module of their own that
//! fills in the same [`StreamDraft`]: older files go on working, and `sealcam check` prints them as a file of
//! the newest edition. A file of a newer edition is refused with the advice to update the program.

mod print;
mod tables;

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use super::config::{NamedSource, OFF, Setting, SourceDraft, SourceSpec, StreamConfig, StreamDraft};
use super::sandbox::Reach;
use super::settings_file::{SettingsError, SettingsFile};
use crate::exit::RunError;
use tables::Tables;

pub use print::Effective;

/// The edition of the tables that this program writes.
pub const SCHEMA: i64 = 1;

/// Settings of the service.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// The stream and its sources.
    pub stream: StreamConfig,
    /// Which source is sent at the start; `None` sends nothing until someone switches.
    pub active: Option<usize>,
    /// The name that the file gives for it, if it does.
    pub asked: Option<String>,
    /// Where the control socket is; `None` for [`super::control::default_path`].
    pub control: Option<PathBuf>,
    /// Whether the process gives up its access to files that it does not need.
    pub landlock: bool,
    /// Where figures and health are told over HTTP.
    pub health: Option<SocketAddr>,
}

impl ServiceConfig {
    /// The number and settings of the source called `name`.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<(usize, &NamedSource)> {
        self.stream.sources.iter().enumerate().find(|(_, source)| source.name == name)
    }
}

/// A configuration file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    error: SettingsError,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It has to be written otherwise.
    Wrong,
    /// Only a process that starts with it can use it.
    Restart,
}

impl Unusable {
    /// Whether a restart of the service is what it takes.
    #[must_use]
    pub fn needs_restart(&self) -> bool {
        self.kind == Kind::Restart
    }
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Unusable {}

impl From<SettingsError> for Unusable {
    fn from(error: SettingsError) -> Self {
        Self { error, kind: Kind::Wrong }
    }
}

impl From<Unusable> for RunError {
    fn from(why: Unusable) -> Self {
        Self::Usage(why.to_string())
    }
}

/// Reads and checks a configuration file, and the files that it names but the key.
///
/// # Errors
///
/// [`Unusable`], as `FILE:LINE:COLUMN: problem` with the mend.
pub fn read(path: &Path) -> Result<ServiceConfig, Unusable> {
    read_within(path, &Reach::ALL)
}

/// As [`read`], in a process that can reach no more than `reach`.
///
/// # Errors
///
/// As [`read`]; files and devices out of reach are named before they are looked at.
pub fn read_within(path: &Path, reach: &Reach) -> Result<ServiceConfig, Unusable> {
    // What is relative in it begins at its folder, wherever that is named from.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    from_file(&SettingsFile::read(&path)?, reach)
}

/// As [`read`], from a text that is taken for the content of `path`.
///
/// # Errors
///
/// As [`read`].
pub fn parse(path: &Path, text: &str) -> Result<ServiceConfig, Unusable> {
    from_file(&SettingsFile::from_text(path, text), &Reach::ALL)
}

fn from_file(file: &SettingsFile, reach: &Reach) -> Result<ServiceConfig, Unusable> {
    check_schema(file)?;
    let tables: Tables = from_toml(file)?;
    let places = Places::of(&tables);
    let folder = file.path().parent().unwrap_or(Path::new(""));
    let active = tables.service.active.clone();
    let control = tables.service.control.as_ref().map(|path| tables::below(folder, path));
    let (landlock, health) = (tables.service.landlock, tables.health.listen.as_ref().map(|listen| listen.0));
    let draft = tables.draft(folder).map_err(|(at, why)| file.error_at(at, why.to_owned()))?;
    for (number, source) in draft.sources.iter().enumerate() {
        if let Err((setting, problem)) = within(reach, number, source) {
            let error = file.error_at(places.of_setting(setting), format!("{}: {problem}", setting.key()));
            return Err(Unusable { error, kind: Kind::Restart });
        }
    }
    let stream: StreamConfig = draft.try_into().map_err(|why: super::config::ConfigError| {
        let problem = match why.setting {
            // These name their own file.
            Setting::Area(_) | Setting::CameraConfig(_) => why.why,
            setting => format!("{}: {}", setting.key(), why.why),
        };
        Unusable::from(file.error_at(places.of_setting(why.setting), problem))
    })?;
    let asked = active.as_ref().map(|name| name.get_ref().clone());
    let mut config = ServiceConfig { stream, active: Some(0), asked, control, landlock, health };
    if let Some(name) = active {
        config.active = match config.source(name.as_ref()) {
            Some((number, _)) => Some(number),
            None if name.as_ref() == OFF => None,
            None => {
                let names: Vec<&str> = config.stream.sources.iter().map(|s| s.name.as_str()).collect();
                let problem = format!(
                    "active: no source is called {:?}; there are {}, and {OFF}",
                    name.as_ref(),
                    names.join(", ")
                );
                return Err(file.error_at(name.span().start, problem).into());
            }
        };
    }
    Ok(config)
}

/// Which setting of a source names what is out of `reach`, and the mend.
fn within(reach: &Reach, number: usize, source: &SourceDraft) -> Result<(), (Setting, String)> {
    let (spec, area) = (Setting::Source(number), Setting::Area(number));
    let named = match &source.source {
        SourceSpec::Device(path) => Some((spec, path, reach.has_device(path))),
        SourceSpec::File(path) => Some((spec, path, reach.has_file(path))),
        SourceSpec::Pattern(_) | SourceSpec::Stdin => None,
    };
    let area = source.area.as_ref().map(|path| (area, path, reach.has_file(path)));
    let asked = source.camera_config.as_ref();
    let asked = asked.map(|path| (Setting::CameraConfig(number), path, reach.has_file(path)));
    match [named, area, asked].into_iter().flatten().find(|(.., has)| !has) {
        None => Ok(()),
        Some((setting, path, _)) => {
            let why = "is outside of what the service has kept access to since its start (Landlock)";
            Err((setting, format!("restart needed: {} {why}", path.display())))
        }
    }
}

/// Looks at nothing but the edition, so that a file of another one is not called wrong for its keys.
fn check_schema(file: &SettingsFile) -> Result<(), SettingsError> {
    #[derive(Deserialize)]
    struct Edition {
        schema: Option<Spanned<i64>>,
        #[serde(flatten)]
        _rest: IgnoredAny,
    }
    let edition: Edition = from_toml(file)?;
    let Some(schema) = edition.schema else {
        let problem = format!("no schema: write `schema = {SCHEMA}` as the first line");
        return Err(file.error_at(0, problem));
    };
    let at = |problem| Err(file.error_at(schema.span().start, problem));
    match *schema.get_ref() {
        SCHEMA => Ok(()),
        newer if newer > SCHEMA => at(format!(
            "schema {newer} is of a newer sealcam; this one ({}) knows schema {SCHEMA}: update sealcam, or \
             write the file for schema {SCHEMA}",
            env!("CARGO_PKG_VERSION")
        )),
        unknown => at(format!("there never was a schema {unknown}: write `schema = {SCHEMA}`")),
    }
}

fn from_toml<T: for<'de> Deserialize<'de>>(file: &SettingsFile) -> Result<T, SettingsError> {
    toml::from_str(file.text()).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let problem = match error.message() {
            "duplicate key" => {
                let key = file.text().get(span.clone()).unwrap_or_default().trim();
                format!("a second key {key}: every key is there once")
            }
            message => for_people(message),
        };
        file.error_at(span.start, problem)
    })
}

/// What the compiler calls a type, in words.
fn for_people(message: &str) -> String {
    let message = message.replace('\n', ", ").replace("a nonzero u64", "a whole number from 1 on");
    let words = message.split(' ').map(|word| match word {
        "i64" | "u64" | "usize" => "a whole number",
        word => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Where in the text the settings stand that are checked against each other.
struct Places {
    /// `to` of a stream, `listen` of paired viewers, or their table.
    destination: Range<usize>,
    group: Option<Range<usize>>,
    loopback: Option<Range<usize>>,
    packet_size: Option<Range<usize>>,
    sources: Vec<SourcePlaces>,
}

struct SourcePlaces {
    table: Range<usize>,
    name: Option<Range<usize>>,
    source: Option<Range<usize>>,
    camera_config: Option<Range<usize>>,
    area: Option<Range<usize>>,
}

impl Places {
    fn of(tables: &Tables) -> Self {
        let stream = tables.stream.as_ref().map(Spanned::get_ref);
        let serve = tables.serve.as_ref();
        let table = serve.map_or(0..0, Spanned::span);
        let serve = serve.map(Spanned::get_ref);
        let listen = serve.and_then(|serve| serve.listen.as_ref()).map(Spanned::span);
        let loopback = stream.and_then(|s| s.loopback.as_ref()).or(serve.and_then(|s| s.loopback.as_ref()));
        let packet_size =
            stream.and_then(|s| s.packet_size.as_ref()).or(serve.and_then(|s| s.packet_size.as_ref()));
        let sources = tables.source.iter().map(|table| {
            let source = table.get_ref();
            SourcePlaces {
                table: table.span(),
                name: source.name.as_ref().map(Spanned::span),
                source: source.source.as_ref().map(Spanned::span),
                camera_config: source.camera_config.as_ref().map(Spanned::span),
                area: source.area.as_ref().map(Spanned::span),
            }
        });
        Self {
            destination: stream.map(|stream| stream.to.span()).or(listen).unwrap_or(table),
            group: serve.and_then(|serve| serve.group.as_ref()).map(Spanned::span),
            loopback: loopback.map(Spanned::span),
            packet_size: packet_size.map(Spanned::span),
            sources: sources.collect(),
        }
    }

    fn of_setting(&self, setting: Setting) -> usize {
        let source = |number: usize, place: fn(&SourcePlaces) -> &Option<Range<usize>>| {
            let source = self.sources.get(number)?;
            Some(place(source).clone().unwrap_or_else(|| source.table.clone()))
        };
        let place = match setting {
            Setting::Destination | Setting::Listen => Some(self.destination.clone()),
            Setting::Group => self.group.clone(),
            Setting::Loopback => self.loopback.clone(),
            Setting::PacketSize => self.packet_size.clone(),
            Setting::Sources => self.sources.last().map(|source| source.table.clone()),
            Setting::Name(number) => source(number, |places| &places.name),
            Setting::Source(number) => source(number, |places| &places.source),
            Setting::CameraConfig(number) => source(number, |places| &places.camera_config),
            Setting::Area(number) => source(number, |places| &places.area),
        };
        place.map_or(0, |place| place.start)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
