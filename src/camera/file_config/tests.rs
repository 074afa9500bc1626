//! Configuration files, good and bad.

use super::*;
use crate::camera::config::{Audience, KeyPlace, SourceSpec};
use crate::camera::v4l2::{ControlSetting, ControlValue};

const LEAST: &str = "schema = 1\n[stream]\nto = \"127.0.0.1:5000\"\nkey = \"k\"\n";

const FULL: &str = r#"
schema = 1
[stream]
to = "239.1.2.3:5000"
key = "credential:secret.key"
packet-size = 1400
pace = 0
interface = "eth0"
loopback = true
ttl = 3
dscp = 0
frames = 9
stats-json = "-"

[[source]]
name = "front"
source = "/dev/v4l/by-id/usb-cam"
format = "mjpeg"
size = "1280x720"
fps = 30
quality = 60
controls = { power_line_frequency = "50 Hz", auto_exposure = 1, focus_automatic_continuous = false, 0x9a0902 = 200 }

[[source]]
name = "back"
source = "pattern:640x480@15"
fps = 29.97

[service]
active = "back"
state = "state"
control = "/run/x.sock"
landlock = false

[health]
listen = 9464
"#;

fn read(text: &str) -> Result<ServiceConfig, String> {
    parse(Path::new("/etc/sealcam/sealcam.toml"), text).map_err(|why| why.to_string())
}

#[test]
fn every_key_is_taken() {
    let config = read(FULL).unwrap();
    let stream = &config.stream;
    assert_eq!(stream.send.to.to_string(), "239.1.2.3:5000");
    assert_eq!(stream.audience, Audience::Shared(KeyPlace::Credential("secret.key".into())));
    assert_eq!((stream.packet_size, stream.pace_percent, stream.frames), (Some(1400), 0, Some(9)));
    assert_eq!((stream.send.loopback, stream.send.ttl, stream.send.dscp), (true, Some(3), 0));
    assert_eq!(stream.state.as_deref(), Some(Path::new("/etc/sealcam/state")));
    assert_eq!(stream.stats_json.as_deref(), Some(Path::new("-")));
    let [front, back] = &stream.sources[..] else { panic!("{stream:?}") };
    assert_eq!(front.picture.source, SourceSpec::Device("/dev/v4l/by-id/usb-cam".into()));
    assert_eq!((front.picture.quality, front.picture.fps), (Some(60), Some(30.0)));
    let control = |name: &str, value| ControlSetting { name: name.into(), value };
    let expected = [
        control("0x9a0902", ControlValue::Number(200)),
        control("auto_exposure", ControlValue::Number(1)),
        control("focus_automatic_continuous", ControlValue::Number(0)),
        control("power_line_frequency", ControlValue::Item("50 Hz".into())),
    ];
    assert_eq!(front.picture.controls, expected);
    assert_eq!((back.name.as_str(), back.picture.fps), ("back", Some(29.97)));
    assert_eq!((config.active, config.landlock), (Some(1), false));
    assert_eq!(config.health.map(|at| at.to_string()).as_deref(), Some("127.0.0.1:9464"));
    assert_eq!(config.control.as_deref(), Some(Path::new("/run/x.sock")));
}

#[test]
fn little_is_needed() {
    let config = read(LEAST).unwrap();
    assert_eq!(config.stream.audience, Audience::Shared(KeyPlace::File("/etc/sealcam/k".into())));
    assert_eq!((config.stream.pace_percent, config.stream.send.dscp), (25, 34));
    let [source] = &config.stream.sources[..] else { panic!("{config:?}") };
    assert_eq!((source.name.as_str(), source.picture.source.to_string().as_str()), ("camera", "/dev/video0"));
    assert_eq!((config.active, config.landlock, config.health), (Some(0), true, None));
    let off = read(&format!("{LEAST}[service]\nactive = \"off\"\n")).unwrap();
    assert_eq!(off.active, None);
}

#[test]
fn what_is_printed_means_the_same() {
    for text in [FULL, LEAST] {
        let config = read(text).unwrap();
        let printed = Effective(&config).to_string();
        let again = read(&printed).unwrap_or_else(|why| panic!("{why}\n{printed}"));
        // The defaults of these are printed with their names.
        let control = config.control.clone().or_else(|| again.control.clone());
        let named = ServiceConfig { control, asked: again.asked.clone(), ..config };
        assert_eq!(format!("{again:?}"), format!("{named:?}"), "{printed}");
    }
}

#[test]
fn wrong_files_are_pointed_into() {
    let with = |line: &str| format!("{LEAST}{line}\n");
    // (text, message without the file's name)
    let cases = [
        ("".into(), "1:1: no schema: write `schema = 1` as the first line"),
        ("schema = 2\n[new]\n".into(), "1:10: schema 2 is of a newer sealcam; this one ("),
        ("schema = 0".into(), "1:10: there never was a schema 0"),
        ("schema = \"1\"".into(), "1:10: invalid type: string \"1\", expected a whole number"),
        ("schema = 1".into(), "1:1: neither [stream] nor [serve]"),
        ("schema = 1\n[stream]\nto = \"127.0.0.1:1\"".into(), "2:1: missing field `key`"),
        (with("pac = 1"), "5:1: unknown field `pac`, expected one of `to`, `key`, `packet-size`, `pace`"),
        (with("pace = 101"), "5:8: 101 is not within 0 to 100"),
        (with("ttl = 0"), "5:7: 0 is not within 1 to 255"),
        (with("packet-size = 127"), "5:15: packet-size: "),
        (with("loopback = true"), "5:12: loopback: only means something for a multicast group"),
        (with("frames = 0"), "5:10: invalid value: integer `0`, expected a whole number from 1 on"),
        (with("packet-size = true"), "5:15: invalid type: boolean `true`, expected a whole number"),
        (with("interface = \"a b\""), "5:13: "),
        (with("[sorce]"), "5:2: unknown field `sorce`, expected one of `schema`, `stream`, `serve`"),
        (with("[[source]]\nquality = 0"), "6:11: 0 is not within 1 to 100"),
        (with("[[source]]\nfps = 300.5"), "6:7: 300.5 is not within 0.1 to 240"),
        (with("[[source]]\nsize = \"8x8\""), "6:8: a picture of 8x8: both must be 16 to 16384"),
        (with("[[source]]\nformat = \"h264\""), "6:10: "),
        (with("[[source]]\nsource = \"webcam\""), "6:10: \"webcam\" is no source"),
        (with("[[source]]\nsource = \"pattern\"\nsize = \"65x49\""), "6:10: source: "),
        (with("[[source]]\nname = \"a b\""), "6:8: name: \"a b\" is no name"),
        (with("[[source]]\nname = \"off\""), "6:8: name: \"off\" is what one switches to"),
        (with("[[source]]\n[[source]]"), "5:1: name: several sources need a name each"),
        (with("[[source]]\nname=\"a\"\n[[source]]\nname=\"a\""), "8:6: name: a second source called \"a\""),
        (with("[[source]]\narea = \"none.json\""), "6:8: /etc/sealcam/none.json: No such file"),
        (
            with("[[source]]\ncontrols = { a = 1.5 }"),
            "6:18: invalid type: floating point `1.5`, expected a whole",
        ),
        (
            with("[service]\nactive = \"back\""),
            "6:10: active: no source is called \"back\"; there are camera, and off",
        ),
        (with("[health]\nlisten = 70000"), "6:10: 70000 is no port"),
        (with("[health]\nlisten = \"localhost:1\""), "6:10: \"localhost:1\" is no address"),
        (
            "schema = 1\n[stream]\nto = \"127.0.0.1\"\nkey = \"k\"".into(),
            "3:6: to: \"127.0.0.1\" is no destination",
        ),
        (
            "schema = 1\n[stream]\nto = \"0.0.0.0:1\"\nkey = \"k\"".into(),
            "3:6: to: \"0.0.0.0:1\" is where to listen",
        ),
        (
            "schema = 1\n[stream]\nto = \"1.2.3.4:1\"\nkey = \"credential:\"".into(),
            "4:7: \"credential:\" names no",
        ),
        ("schema = 1\nschema = 1".into(), "2:1: a second key schema: every key is there once"),
        ("schema = 1\n[stream\n".into(), "2:8: unclosed table"),
    ];
    for (text, expected) in cases {
        let why = read(&text).expect_err(&text);
        let expected = format!("/etc/sealcam/sealcam.toml:{expected}");
        assert!(why.starts_with(&expected), "{text}\n{why}\n{expected}");
    }
}

/// What fuzzing does with any bytes, over the good file with every byte changed and cut at every place.
#[test]
fn no_text_makes_it_panic() {
    for at in 0..FULL.len() {
        let _ = read(&FULL[..at]);
        let mut bytes = FULL.as_bytes().to_vec();
        bytes[at] = bytes[at].wrapping_add(1) & 0x7f;
        let _ = read(&String::from_utf8_lossy(&bytes));
    }
}
