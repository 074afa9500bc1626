//! What messages call a setting: an option to whoever typed a command, a key to whoever wrote a file.

/// Where the settings come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// A command line: `--packet-size`.
    Options,
    /// A configuration file: `packet-size`.
    Keys,
}

/// What is called alike in both.
const NAMES: [&str; 16] = [
    "area",
    "camera-config",
    "dscp",
    "format",
    "fps",
    "frames",
    "interface",
    "key",
    "loopback",
    "pace",
    "packet-size",
    "quality",
    "size",
    "source",
    "stats-json",
    "ttl",
];

/// A setting that is checked against others; sources are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// The destination.
    Destination,
    /// `--listen`.
    Listen,
    /// `--group`.
    Group,
    /// `--loopback`.
    Loopback,
    /// `--packet-size`.
    PacketSize,
    /// The list of sources.
    Sources,
    /// A source's name.
    Name(usize),
    /// What a source is.
    Source(usize),
    /// A source's `--camera-config`.
    CameraConfig(usize),
    /// A source's `--area`.
    Area(usize),
}

impl Setting {
    /// The option of the command line.
    pub(super) const fn option(self) -> &'static str {
        match self {
            Self::Destination => "ADDR:PORT",
            Self::Listen => "--listen",
            Self::Group => "--group",
            Self::Loopback => "--loopback",
            Self::PacketSize => "--packet-size",
            Self::Sources | Self::Name(_) | Self::Source(_) => "--source",
            Self::CameraConfig(_) => "--camera-config",
            Self::Area(_) => "--area",
        }
    }

    /// The key of the configuration file.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Destination => "to",
            Self::Listen => "listen",
            Self::Group => "group",
            Self::Loopback => "loopback",
            Self::PacketSize => "packet-size",
            Self::Sources | Self::Source(_) => "source",
            Self::Name(_) => "name",
            Self::CameraConfig(_) => "camera-config",
            Self::Area(_) => "area",
        }
    }
}

impl Spelling {
    /// A message that names options, for its reader. Commands, which stand in backticks, stay as they are.
    #[must_use]
    pub fn retell(self, message: &str) -> String {
        if self == Self::Options {
            return message.to_owned();
        }
        let mut told = String::with_capacity(message.len());
        for (number, part) in message.split('`').enumerate() {
            if number > 0 {
                told.push('`');
            }
            if number % 2 == 1 {
                told += part;
            } else {
                keys(part, &mut told);
            }
        }
        told
    }
}

/// Writes keys for options.
fn keys(mut rest: &str, told: &mut String) {
    while let Some(at) = rest.find("--") {
        told.push_str(&rest[..at]);
        rest = &rest[at + 2..];
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '-')).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        match name {
            // Its table is not one of the stream's.
            "state" => {
                told.push_str("`state` in [service]");
                rest = behind.strip_prefix(" DIR").unwrap_or(behind);
                continue;
            }
            name if NAMES.contains(&name) => told.push_str(name),
            name => {
                told.push_str("--");
                told.push_str(name);
            }
        }
        rest = behind;
    }
    told.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_keys_and_commands_stay() {
        let cases = [
            (
                "--packet-size: too large; lower --quality or --size",
                "packet-size: too large; lower quality or size",
            ),
            ("name a writable folder with --state DIR", "name a writable folder with `state` in [service]"),
            ("say which one (--interface)", "say which one (interface)"),
            (
                "or pipe: `a --codec x | sealcam stream --source - ...` (--source)",
                "or pipe: `a --codec x | sealcam stream --source - ...` (source)",
            ),
            ("rpicam-vid --codec mjpeg -o - --", "rpicam-vid --codec mjpeg -o - --"),
            ("an open ` --key", "an open ` --key"),
            ("", ""),
        ];
        for (message, expected) in cases {
            assert_eq!(Spelling::Keys.retell(message), expected);
            assert_eq!(Spelling::Options.retell(message), message);
        }
    }
}
