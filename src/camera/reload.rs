//! What a changed configuration means for a stream that runs: decisions on plain settings.

use super::config::{NamedSource, PictureSettings, SourceSpec, StreamConfig};
use super::file_config::ServiceConfig;

/// What is to be done, and what cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The socket is opened anew.
    pub network: bool,
    /// Frames are cut into datagrams of another size.
    pub packet_size: bool,
    /// Frames are spread over another time.
    pub pace: bool,
    /// Where health is told.
    pub health: bool,
    /// Which source is to be sent: its new number.
    pub active: Option<usize>,
    /// What that means for the one of the moment.
    pub source: SourceChange,
    /// Keys whose change waits for a restart; the old value stays in effect.
    pub restart: Vec<&'static str>,
}

/// What becomes of the source of the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceChange {
    /// It goes on as it is.
    Keep,
    /// It goes on, and its pictures are treated otherwise, or the camera's controls are set.
    Retune,
    /// It is closed, and one is opened if any is to be sent.
    Open,
}

impl Plan {
    /// Compares the settings in effect with `new` ones while source number `active` of the old is sent.
    ///
    /// Whoever switched sources keeps what was chosen, unless the file now says something else than it did.
    #[must_use]
    pub fn new(old: &ServiceConfig, active: Option<usize>, new: &ServiceConfig) -> Self {
        let (before, after) = (&old.stream, &new.stream);
        let network = before.send != after.send && !is_paired(old, new);
        let target = target(old, active, new);
        let source = match (active.map(|at| &before.sources[at]), target.map(|at| &after.sources[at])) {
            (None, None) => SourceChange::Keep,
            (Some(old), Some(new)) if old.name == new.name => change(&old.picture, &new.picture),
            _ => SourceChange::Open,
        };
        Self {
            network,
            packet_size: network || before.packet_size != after.packet_size,
            pace: before.pace_percent != after.pace_percent,
            health: old.health != new.health,
            active: target,
            source,
            restart: restart(old, new),
        }
    }
}

/// The number in `new` of the source that is to be sent.
fn target(old: &ServiceConfig, active: Option<usize>, new: &ServiceConfig) -> Option<usize> {
    if old.asked != new.asked {
        return new.active;
    }
    new.source(&old.stream.sources[active?].name).map_or(new.active, |(at, _)| Some(at))
}

/// What the change of one source's settings asks for.
fn change(old: &PictureSettings, new: &PictureSettings) -> SourceChange {
    if old == new {
        return SourceChange::Keep;
    }
    let asked_of_it = match new.source {
        SourceSpec::Device(_) => {
            // Asked of the camera when it is opened.
            (old.format, old.size, old.fps) != (new.format, new.size, new.fps)
        }
        SourceSpec::Pattern(_) => (old.size, old.fps) != (new.size, new.fps),
        SourceSpec::File(_) => old.fps != new.fps,
        SourceSpec::Stdin => false,
    };
    if old.source != new.source || asked_of_it { SourceChange::Open } else { SourceChange::Retune }
}

/// Whether one of both is for paired viewers: where the stream goes then waits for a restart.
#[must_use]
pub fn is_paired(old: &ServiceConfig, new: &ServiceConfig) -> bool {
    [old, new].iter().any(|config| config.stream.audience.paired().is_some())
}

/// Settings that only the start of the process can put into effect.
fn restart(old: &ServiceConfig, new: &ServiceConfig) -> Vec<&'static str> {
    let (before, after) = (&old.stream, &new.stream);
    let paired = is_paired(old, new);
    let changed = [
        ("stream.key", before.audience != after.audience && !paired),
        ("serve", paired && (before.audience != after.audience || before.send != after.send)),
        ("stream.frames", before.frames != after.frames),
        ("stream.stats-json", before.stats_json != after.stats_json),
        ("service.state", before.state != after.state),
        ("service.control", old.control != new.control),
        ("service.landlock", old.landlock != new.landlock),
    ];
    changed.into_iter().filter_map(|(key, changed)| changed.then_some(key)).collect()
}

/// `new`, but with the old values of what waits for a restart.
#[must_use]
pub fn kept(old: &ServiceConfig, new: ServiceConfig) -> ServiceConfig {
    let paired = is_paired(old, &new);
    let stream = StreamConfig {
        audience: old.stream.audience.clone(),
        send: if paired { old.stream.send.clone() } else { new.stream.send },
        name: if paired { old.stream.name.clone() } else { new.stream.name },
        frames: old.stream.frames,
        stats_json: old.stream.stats_json.clone(),
        state: old.stream.state.clone(),
        ..new.stream
    };
    ServiceConfig { stream, control: old.control.clone(), landlock: old.landlock, ..new }
}

/// Names what differs between two lists of sources, for one line of the log.
#[must_use]
pub fn changed_sources(old: &[NamedSource], new: &[NamedSource]) -> String {
    let find = |list: &[NamedSource], name: &str| list.iter().find(|it| it.name == name).cloned();
    let mut words = Vec::new();
    for source in new {
        match find(old, &source.name) {
            None => words.push(format!("source {} added", source.name)),
            Some(before) if before != *source => words.push(format!("source {} changed", source.name)),
            Some(_) => {}
        }
    }
    let gone = old.iter().filter(|source| find(new, &source.name).is_none());
    words.extend(gone.map(|source| format!("source {} gone", source.name)));
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::config::{Audience, KeyPlace};
    use crate::camera::file_config;
    use std::path::Path;

    /// A configuration with two sources; `line` goes to the table that it names, `{}`-less keys to `[stream]`.
    fn config(stream: &str, front: &str, rest: &str) -> ServiceConfig {
        let text = format!(
            "schema = 1\n[stream]\nto = \"127.0.0.1:5000\"\nkey = \"k\"\n{stream}\n\
             [[source]]\nname = \"front\"\n{front}\n\
             [[source]]\nname = \"back\"\nsource = \"pattern:64x48\"\n{rest}\n"
        );
        file_config::parse(Path::new("c.toml"), &text).unwrap_or_else(|why| panic!("{why}"))
    }

    fn plain() -> ServiceConfig {
        config("", "", "")
    }

    #[test]
    fn the_same_file_changes_nothing() {
        let nothing = Plan {
            network: false,
            packet_size: false,
            pace: false,
            health: false,
            active: Some(0),
            source: SourceChange::Keep,
            restart: Vec::new(),
        };
        assert_eq!(Plan::new(&plain(), Some(0), &plain()), nothing);
    }

    #[test]
    fn each_change_has_its_own_effect() {
        use SourceChange::{Keep, Open, Retune};
        // (stream, front, rest; network, packet size, pace, health, source, restart)
        type Case =
            (&'static str, &'static str, &'static str, [bool; 4], SourceChange, &'static [&'static str]);
        let cases: [Case; 16] = [
            ("pace = 0", "", "", [false, false, true, false], Keep, &[]),
            ("frames = 7", "", "", [false; 4], Keep, &["stream.frames"]),
            ("packet-size = 1000", "", "", [false, true, false, false], Keep, &[]),
            ("dscp = 0", "", "", [true, true, false, false], Keep, &[]),
            ("interface = \"lo\"", "", "", [true, true, false, false], Keep, &[]),
            ("", "quality = 50", "", [false; 4], Retune, &[]),
            ("", "controls = { gain = 1 }", "", [false; 4], Retune, &[]),
            ("", "fps = 10", "", [false; 4], Open, &[]),
            ("", "size = \"64x48\"", "", [false; 4], Open, &[]),
            ("", "source = \"/dev/video2\"", "", [false; 4], Open, &[]),
            ("", "source = \"pattern\"", "", [false; 4], Open, &[]),
            // The one that is not sent.
            ("", "", "quality = 50", [false; 4], Keep, &[]),
            ("", "", "[health]\nlisten = 9464", [false, false, false, true], Keep, &[]),
            ("", "", "[service]\nstate = \"s\"", [false; 4], Keep, &["service.state"]),
            ("", "", "[service]\ncontrol = \"c\"", [false; 4], Keep, &["service.control"]),
            (
                "stats-json = \"f\"",
                "",
                "[service]\nlandlock = false",
                [false; 4],
                Keep,
                &["stream.stats-json", "service.landlock"],
            ),
        ];
        for (stream, front, rest, [network, packet_size, pace, health], source, restart) in cases {
            let new = config(stream, front, rest);
            let plan = Plan::new(&plain(), Some(0), &new);
            let expected = Plan {
                network,
                packet_size,
                pace,
                health,
                active: Some(0),
                source,
                restart: restart.to_vec(),
            };
            assert_eq!(plan, expected, "{stream} {front} {rest}");
        }
    }

    #[test]
    fn a_key_waits_for_a_restart_and_the_old_one_stays() {
        let old = plain();
        let mut new = config("pace = 1", "", "");
        new.stream.audience = Audience::Shared(KeyPlace::File("other".into()));
        assert_eq!(Plan::new(&old, Some(0), &new).restart, ["stream.key"]);
        let kept = kept(&old, new.clone());
        assert_eq!((kept.stream.audience.clone(), kept.stream.pace_percent), (old.stream.audience, 1));
        // Asked again, it is told again.
        assert_eq!(Plan::new(&kept, Some(0), &new).restart, ["stream.key"]);
    }

    #[test]
    fn what_paired_viewers_come_by_waits_for_a_restart_and_is_told_as_often_as_it_is_asked() {
        let paired = |serve: &str| {
            let text = format!("schema = 1\n[serve]\n{serve}\n[[source]]\nname = \"front\"\n");
            file_config::parse(Path::new("c.toml"), &text).unwrap_or_else(|why| panic!("{why}"))
        };
        let old = paired("");
        for line in ["listen = \"[::]:5010\"", "group = \"239.1.2.3:5000\"", "max-viewers = 2"] {
            let new = paired(line);
            let plan = Plan::new(&old, Some(0), &new);
            assert_eq!((plan.restart, plan.network), (vec!["serve"], false), "{line}");
            let kept = kept(&old, new.clone());
            assert_eq!((&kept.stream.audience, &kept.stream.send), (&old.stream.audience, &old.stream.send));
            assert_eq!(Plan::new(&kept, Some(0), &new).restart, ["serve"], "{line}");
            assert_eq!(Plan::new(&kept, Some(0), &old).restart, Vec::<&str>::new(), "back again: {line}");
        }
        // From one kind of viewers to the other.
        let shared = plain();
        for (before, after, key) in [(&old, &shared, "serve"), (&shared, &old, "serve")] {
            let kept = kept(before, after.clone());
            assert_eq!(kept.stream.destination(), before.stream.destination());
            assert_eq!(Plan::new(&kept, Some(0), after).restart, [key]);
        }
    }

    #[test]
    fn what_was_switched_to_stays_unless_the_file_says_otherwise() {
        let back = || config("", "", "[service]\nactive = \"back\"");
        let off = || config("", "", "[service]\nactive = \"off\"");
        let swapped = {
            let mut config = plain();
            config.stream.sources.reverse();
            config
        };
        let without_back = {
            let mut config = plain();
            config.stream.sources.pop();
            config
        };
        use SourceChange::{Keep, Open};
        // (old, sent, new; to be sent, change)
        let cases = [
            (plain(), Some(1), plain(), Some(1), Keep),
            (plain(), None, plain(), None, Keep),
            (plain(), Some(0), back(), Some(1), Open),
            (plain(), Some(1), back(), Some(1), Keep),
            (plain(), Some(0), off(), None, Open),
            (off(), Some(0), off(), Some(0), Keep),
            (off(), None, plain(), Some(0), Open),
            (plain(), Some(0), swapped.clone(), Some(1), Keep),
            (plain(), Some(1), swapped, Some(0), Keep),
            (plain(), Some(1), without_back, Some(0), Open),
        ];
        for (at, (old, sent, new, target, source)) in cases.into_iter().enumerate() {
            let plan = Plan::new(&old, sent, &new);
            assert_eq!((plan.active, plan.source), (target, source), "case {at}");
        }
    }

    #[test]
    fn the_log_names_the_sources_that_changed() {
        let old = plain().stream.sources;
        let mut new = config("", "quality = 1", "").stream.sources;
        new[1].name = "rear".into();
        assert_eq!(changed_sources(&old, &new), "source front changed, source rear added, source back gone");
        assert_eq!(changed_sources(&old, &old), "");
    }
}
