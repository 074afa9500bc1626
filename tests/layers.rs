//! Imports point down only: this test reads the sources and holds the floors of the house.
//!
//! The table below is the one of `src/lib.rs`. A module may use its own room and any room below, never one
//! beside or above. Tests inside the sources are exempt: they may look wherever they like.

#[path = "layers/source.rs"]
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

/// Modules that belong together.
struct Room {
    name: &'static str,
    /// Floor and step: steps order the rooms of one floor of which one may use another.
    level: (u8, u8),
    /// Paths below `src/` without extension; a directory stands for all in it, and `*` for any rest of a
    /// name. The longest that fits a file counts.
    at: &'static [&'static str],
}

const HOUSE: &[Room] = &[
    room("time", (0, 0), &["time"]),
    room("picture", (0, 1), &["picture"]),
    room("area", (0, 1), &["area"]),
    room("wire", (0, 1), &["wire"]),
    room("jpeg", (0, 1), &["jpeg"]),
    // The parts of the protocol never use each other, but for these few of step 0.
    room("key schedule", (1, 0), &["proto/key_schedule"]),
    room("randomness", (1, 0), &["proto/random"]),
    room("budget", (1, 0), &["proto/budget"]),
    room("identity", (1, 1), &["proto/identity"]),
    room("seal", (1, 1), &["proto/seal"]),
    room("replay window", (1, 1), &["proto/replay"]),
    room("fragments", (1, 1), &["proto/fragment"]),
    room("slab", (1, 1), &["proto/slab"]),
    room("pacer", (1, 1), &["proto/pacer"]),
    room("reassembly", (1, 1), &["proto/reassembly"]),
    room("flood gate", (1, 1), &["proto/gate"]),
    room("handshake", (2, 0), &["proto/handshake"]),
    room("manifest", (2, 0), &["proto/manifest"]),
    room("session", (3, 0), &["proto/session"]),
    room("pairing", (2, 0), &["proto/pairing"]),
    room("outcomes", (2, 0), &["proto/outcome"]),
    room("paired media", (3, 0), &["proto/paired"]),
    room("streams", (3, 0), &["proto/streams"]),
    room("sender", (4, 0), &["proto/sender"]),
    room("receiver", (4, 0), &["proto/receiver"]),
    room("group", (4, 0), &["proto/group"]),
    room("connection", (4, 0), &["proto/connection"]),
    room("protocol", (4, 1), &["proto"]),
    room("clock", (5, 0), &["clock"]),
    room("exit", (5, 0), &["exit"]),
    room("live line", (5, 0), &["live"]),
    room("logging", (5, 0), &["logging"]),
    room("outlet queues", (5, 0), &["outlet"]),
    room("QR codes", (5, 0), &["qr"]),
    room("signals", (5, 0), &["signals"]),
    room("codec", (5, 1), &["codec"]),
    room("net", (5, 1), &["net"]),
    room("keys", (5, 1), &["keys"]),
    room("commands", (5, 2), &["commands"]),
    room("camera sources", (5, 1), &["camera"]),
    room("viewer outlets", (5, 1), &["viewer"]),
    room("camera run loop", (6, 0), CAMERA_RUN_LOOP),
    room("viewer run loop", (6, 0), VIEWER_RUN_LOOP),
    room("programs", (7, 0), &["bin"]),
];

const CAMERA_RUN_LOOP: &[&str] = &[
    "camera/args*",
    "camera/config*",
    "camera/control*",
    "camera/crowd*",
    "camera/demo*",
    "camera/file_config*",
    "camera/metrics*",
    "camera/open*",
    "camera/pair",
    "camera/pipeline*",
    "camera/reload*",
    "camera/reporter*",
    "camera/run*",
    "camera/sending*",
    "camera/service*",
    "camera/stats*",
    "camera/status*",
    "camera/streaming*",
    "camera/viewers*",
];

const VIEWER_RUN_LOOP: &[&str] = &[
    "viewer/args*",
    "viewer/cameras*",
    "viewer/condition*",
    "viewer/config*",
    "viewer/decode*",
    "viewer/listening*",
    "viewer/memory*",
    "viewer/network*",
    "viewer/outlets*",
    "viewer/pair",
    "viewer/paired*",
    "viewer/watch*",
];

/// What the floors up to [`CORE`] may not ask the system for.
const OUTSIDE: &[&str] = &["std/env", "std/fs", "std/io", "std/net", "std/process", "std/thread", "std/time"];
const CORE: u8 = 4;

const fn room(name: &'static str, level: (u8, u8), at: &'static [&'static str]) -> Room {
    Room { name, level, at }
}

/// The room that a module path like `proto/seal/Seal` leads into.
fn room_of(path: &str) -> Option<&'static Room> {
    let all = HOUSE.iter().flat_map(|room| room.at.iter().map(move |at| (room, at)));
    let fitting = all.filter(|(_, at)| match at.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => path.strip_prefix(**at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
    });
    fitting.max_by_key(|(_, at)| at.len()).map(|(room, _)| room)
}

/// Everything in `text`, the file `file` below `src/`, that the house does not allow.
fn violations(file: &str, text: &str) -> Vec<String> {
    let source = Source::read(file, text);
    if source.module.is_empty() {
        // lib.rs names the modules; it stands on no floor.
        return source
            .imports
            .iter()
            .map(|i| format!("src/{file}:{}: lib.rs is a map: no imports", i.line))
            .collect();
    }
    let Some(own) = room_of(&source.module.join("/")) else {
        return vec![format!("src/{file}:1: say on which floor it stands, in the table of tests/layers.rs")];
    };
    let mut found = vec![];
    for import in &source.imports {
        let path = import.path.join("/");
        let at = format!("src/{file}:{}: {}", import.line, import.path.join("::"));
        if import.path[0] == "std" {
            let asks = OUTSIDE
                .iter()
                .find(|out| path.strip_prefix(**out).is_some_and(|r| r.is_empty() || r.starts_with('/')));
            if own.level.0 <= CORE && asks.is_some() {
                found.push(format!(
                    "{at}: floors 0 to {CORE} ask nothing of the system: take it as an argument"
                ));
            }
            continue;
        }
        let Some(other) = room_of(&path) else { continue };
        if other.name != own.name && other.level >= own.level {
            let hint = match own.name {
                "camera sources" | "viewer outlets" => {
                    " (or is it a part of the run loop? say so in the table)"
                }
                _ => "",
            };
            found.push(format!(
                "{at}: {} (floor {}) may not use {} (floor {}): imports point down only{hint}",
                own.name, own.level.0, other.name, other.level.0
            ));
        }
    }
    found
}

fn sources(below: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    for entry in fs::read_dir(below).expect("the sources are beside the tests") {
        let path = entry.expect("an entry of the folder").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Whether a file beside it declares `file` as its tests, by `#[path]`.
fn is_test_by_path(file: &str, files: &[(String, String)]) -> bool {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    let declaration = format!("#[cfg(test)]\n#[path = \"{name}\"]\n");
    let beside = files.iter().filter(|(other, _)| other.rsplit_once('/').unwrap_or(("", "")).0 == folder);
    beside.into_iter().any(|(_, text)| text.contains(&declaration))
}

#[test]
fn imports_point_down_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: Vec<(String, String)> = sources(&root)
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).expect("below src").to_string_lossy().replace('\\', "/");
            (name, fs::read_to_string(path).expect("a readable source"))
        })
        .collect();
    assert!(files.len() > 20, "only {} files below {}", files.len(), root.display());
    let tests: Vec<String> =
        files.iter().flat_map(|(file, text)| Source::read(file, text).test_modules).collect();
    let is_test = |file: &str| {
        let module = source::module_of(file).join("/");
        let declared = tests.iter().any(|test| {
            module.strip_prefix(test.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        declared || is_test_by_path(file, &files)
    };
    let found: Vec<_> = files
        .iter()
        .filter(|(file, _)| !is_test(file))
        .flat_map(|(file, text)| violations(file, text))
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_room_has_a_door() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let modules: Vec<String> = sources(&root)
        .iter()
        .map(|path| path.strip_prefix(&root).expect("below src").to_string_lossy().replace('\\', "/"))
        .map(|file| source::module_of(&file).join("/"))
        .collect();
    for at in HOUSE.iter().flat_map(|room| room.at) {
        let leads_in = |module: &String| match at.strip_suffix('*') {
            Some(start) => module.starts_with(start),
            None => module.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        };
        assert!(modules.iter().any(leads_in), "nothing in src/ is called {at}");
    }
}

#[test]
fn what_points_up_or_sideways_is_caught() {
    // (file, text, part of the message; none if it is allowed)
    let cases = [
        ("wire/media.rs", "use crate::time::Duration;", None),
        (
            "wire/media.rs",
            "use crate::jpeg;",
            Some("src/wire/media.rs:1: jpeg: wire (floor 0) may not use jpeg"),
        ),
        ("time.rs", "use crate::{\n    wire::{StreamId},\n};", Some("src/time.rs:2: wire::StreamId")),
        ("wire/media.rs", "use crate::{time::{self, Duration}, wire::{self}};", None),
        ("proto/seal.rs", "use super::key_schedule::StreamKey;", None),
        ("proto/key_schedule.rs", "use super::seal::Seal;", Some("seal::Seal")),
        ("proto/pacer.rs", "use super::{slab::Slab, super::time::Instant};", Some("proto::slab::Slab")),
        ("proto/pacer.rs", "fn f() { crate::proto::replay::look() }", Some("replay window (floor 1)")),
        ("proto/receiver.rs", "use super::streams::{Found, Streams}; use crate::wire;", None),
        ("proto/streams.rs", "use super::receiver::Receiver;", Some("floor 4")),
        ("proto/receiver.rs", "use super::sender;", Some("may not use sender (floor 4)")),
        ("proto/sender.rs", "use std::time::Instant;", Some("ask nothing of the system")),
        ("proto/sender.rs", "fn f() { std::thread::yield_now() }", Some("std::thread::yield_now")),
        ("proto/mod.rs", "pub mod seal;\npub use seal::Seal;", None),
        ("net/sender.rs", "use crate::clock; use super::sys; use std::net::SocketAddr;", None),
        ("net/sender.rs", "use crate::keys::state::StateFolder;", Some("net (floor 5) may not use keys")),
        ("camera/v4l2/queue.rs", "use super::super::source::Source; use crate::camera::pace;", None),
        ("camera/v4l2/queue.rs", "use crate::camera::config::Config;", Some("camera run loop (floor 6)")),
        ("camera/source.rs", "use crate::codec::Encoder;", Some("codec")),
        ("camera/mod.rs", "pub mod run;\npub use run::run;", Some("src/camera/mod.rs:2: camera::run::run")),
        ("camera/run.rs", "use super::config::Config; use crate::net::MediaSender;", None),
        ("camera/run/turn.rs", "use crate::viewer::config::Config;", Some("viewer run loop")),
        ("bin/sealcam.rs", "use sealcam::camera::run;", None),
        ("viewer/window/mod.rs", "mod app { use super::network::Network; }", None),
        (
            "viewer/window/mod.rs",
            "mod app { use super::super::network::Network; }",
            Some("viewer::network::Network"),
        ),
        ("lib.rs", "pub mod wire;\nuse crate::wire::StreamId;", Some("a map")),
        ("new_thing.rs", "", Some("src/new_thing.rs:1: say on which floor it stands")),
        // What is no import.
        ("time.rs", "//! See [`x`](crate::wire).\n/* crate::wire */ const A: &str = \"crate::wire\";", None),
        ("time.rs", "const A: &str = r#\"a\" crate::wire\"#; const B: char = '\"'; // crate::wire", None),
        (
            "time.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::wire;\n}\n#[cfg(test)]\nuse crate::jpeg;",
            None,
        ),
        ("time.rs", "#[cfg(test)]\nmod tests { fn a() {} }\nuse crate::wire;", Some("src/time.rs:3: wire")),
    ];
    for (file, text, expected) in cases {
        let found = violations(file, text);
        match expected {
            None => assert!(found.is_empty(), "{file}: {text}\n{found:?}"),
            Some(part) => {
                assert!(found.len() == 1 && found[0].contains(part), "{file}: {text}\n{found:?}");
            }
        }
    }
}
