//! The settings that are in effect, as a configuration file of the newest schema.

use std::fmt::{self, Display};

use super::{SCHEMA, ServiceConfig};
use crate::camera::config::{
    Audience, DEFAULT_QUALITY, NamedSource, OFF, PairedSettings, SourceSpec, StreamConfig,
};
use crate::camera::control;
use crate::camera::v4l2::{ControlSetting, ControlValue};
use crate::net::Interface;

/// Prints every setting with its value; what is chosen at run time stands in a comment. The result is a
/// configuration file again.
pub struct Effective<'a>(pub &'a ServiceConfig);

impl Display for Effective<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ServiceConfig { stream: config, active, asked: _, control, landlock, health } = self.0;
        writeln!(f, "schema = {SCHEMA}\n")?;
        stream(f, config)?;
        for settings in &config.sources {
            source(f, settings)?;
        }
        let active = active.and_then(|number| config.sources.get(number)).map_or(OFF, |source| &source.name);
        writeln!(f, "\n[service]\nactive = {}", Quoted(active))?;
        match &config.state {
            Some(path) => writeln!(f, "state = {}", Quoted(path.display()))?,
            None => writeln!(f, "# state: $STATE_DIRECTORY, else ~/.local/state/sealcam")?,
        }
        let default = control::default_path();
        writeln!(f, "control = {}", Quoted(control.as_ref().unwrap_or(&default).display()))?;
        writeln!(f, "landlock = {landlock}\n\n[health]")?;
        match health {
            Some(address) => writeln!(f, "listen = {}", Quoted(address)),
            None => writeln!(f, "# listen: not at all"),
        }
    }
}

fn stream(f: &mut fmt::Formatter<'_>, config: &StreamConfig) -> fmt::Result {
    let send = &config.send;
    match &config.audience {
        Audience::Shared(key) => {
            writeln!(f, "[stream]\nto = {}\nkey = {}", Quoted(config.destination()), Quoted(key))?;
        }
        Audience::Paired(paired) => serve(f, paired)?,
    }
    match config.packet_size {
        Some(size) => writeln!(f, "packet-size = {size}")?,
        None => writeln!(f, "# packet-size: what the route is known to carry, else 1200")?,
    }
    writeln!(f, "pace = {}", config.pace_percent)?;
    match &send.interface {
        Some(interface) => writeln!(f, "interface = {}", Quoted(Written(interface)))?,
        None => writeln!(f, "# interface: as the routing table says")?,
    }
    writeln!(f, "loopback = {}", send.loopback)?;
    match send.ttl {
        Some(ttl) => writeln!(f, "ttl = {ttl}")?,
        None => writeln!(f, "# ttl: 1 for a group, else the system's")?,
    }
    writeln!(f, "dscp = {}", send.dscp)?;
    if let Some(frames) = config.frames {
        writeln!(f, "frames = {frames}")?;
    }
    if let Some(path) = &config.stats_json {
        writeln!(f, "stats-json = {}", Quoted(path.display()))?;
    }
    Ok(())
}

fn serve(f: &mut fmt::Formatter<'_>, paired: &PairedSettings) -> fmt::Result {
    writeln!(f, "[serve]\nlisten = {}", Quoted(paired.listen))?;
    match &paired.name {
        Some(name) => writeln!(f, "name = {}", Quoted(name))?,
        None => writeln!(f, "# name: the machine's")?,
    }
    writeln!(f, "max-viewers = {}\nidle = {}", paired.max_viewers, paired.idle.as_secs())?;
    writeln!(f, "signed = {}\non-demand = {}", paired.signed, paired.on_demand)?;
    writeln!(f, "announce = {}", paired.announce)?;
    match &paired.group {
        Some(group) => writeln!(f, "group = {}", Quoted(group)),
        None => writeln!(f, "# group: none"),
    }
}

fn source(f: &mut fmt::Formatter<'_>, source: &NamedSource) -> fmt::Result {
    // Size and rate are printed as they are, wherever they were read from.
    let NamedSource { name, picture, area_file, camera_config_file: _ } = source;
    writeln!(f, "\n[[source]]\nname = {}", Quoted(name))?;
    match &picture.source {
        SourceSpec::Stdin => writeln!(f, "source = \"-\"")?,
        source => writeln!(f, "source = {}", Quoted(source))?,
    }
    writeln!(f, "format = {}", Quoted(picture.format))?;
    match picture.size {
        Some(size) => writeln!(f, "size = {}", Quoted(size))?,
        None => writeln!(f, "# size: the source's")?,
    }
    match picture.fps {
        Some(fps) => writeln!(f, "fps = {fps:?}")?,
        None => writeln!(f, "# fps: the source's")?,
    }
    match picture.quality {
        Some(quality) => writeln!(f, "quality = {quality}")?,
        None => writeln!(f, "# quality: JPEG frames as the camera made them, others {DEFAULT_QUALITY}")?,
    }
    if let Some(path) = area_file {
        writeln!(f, "area = {}", Quoted(path.display()))?;
    }
    if !picture.controls.is_empty() {
        writeln!(f, "[source.controls]")?;
    }
    for ControlSetting { name, value } in &picture.controls {
        match value {
            ControlValue::Number(number) => writeln!(f, "{} = {number}", Quoted(name))?,
            ControlValue::Item(item) => writeln!(f, "{} = {}", Quoted(name), Quoted(item))?,
        }
    }
    Ok(())
}

/// An interface as it is written in a configuration, where people are told a sentence otherwise.
struct Written<'a>(&'a Interface);

impl Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Interface::Address(address) => address.fmt(f),
            Interface::Name(name) => f.write_str(name),
            Interface::Index(index) => index.fmt(f),
        }
    }
}

/// A basic string of TOML.
struct Quoted<T>(T);

impl<T: Display> Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for character in self.0.to_string().chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                character if character.is_control() => write!(f, "\\u{:04x}", u32::from(character))?,
                character => write!(f, "{character}")?,
            }
        }
        f.write_str("\"")
    }
}
