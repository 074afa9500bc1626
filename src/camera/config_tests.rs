//! Settings from command lines, good and bad.

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
    let [source] = &config.sources[..] else { panic!("{config:?}") };
    assert_eq!(
        (source.name.as_str(), source.picture.source.to_string().as_str()),
        ("camera", "pattern:640x480@15")
    );
}
