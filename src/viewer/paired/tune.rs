//! `sealview tune`: changes the picture of a paired camera.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::errand::Errand;
use super::requests::{Reply, Request, Tuning, printable};
use crate::commands::say;
use crate::exit::RunError;
use crate::viewer::args::TuneArgs;

/// An area's file has four corners twice.
const LONGEST_AREA: usize = 4096;

/// Does what `sealview tune` was asked to.
///
/// # Errors
///
/// [`RunError`] with a sentence that names the mend.
pub fn tune(args: TuneArgs) -> Result<(), RunError> {
    let tuning = Tuning {
        quality: args.quality,
        fps: args.fps,
        size: args.size,
        source: args.source,
        area: args.area.as_deref().map(area).transpose()?,
        controls: args.controls.iter().map(|text| control(text)).collect::<Result<BTreeMap<_, _>, _>>()?,
    };
    if tuning == Tuning::default() {
        return Err(RunError::Usage(
            "nothing to change: give --quality, --fps, --size, --source, --area or --control".into(),
        ));
    }
    let mut errand = Errand::begin(&args.peer.try_into()?)?;
    let reply = errand.ask(&Request::Tune(tuning));
    errand.end();
    say(&as_text(&reply?))
}

/// The area in the file, or none for `off`.
fn area(path: &Path) -> Result<Value, RunError> {
    if path == Path::new("off") {
        return Ok(Value::Null);
    }
    let wrong = |why: &str| RunError::Usage(format!("--area: {}: {why}", path.display()));
    let text = fs::read(path).map_err(|why| wrong(&why.to_string()))?;
    if text.len() > LONGEST_AREA {
        return Err(wrong("too long to be an area: it is four corners, twice"));
    }
    match serde_json::from_slice(&text) {
        Ok(area @ Value::Object(_)) => Ok(area),
        Ok(_) => Err(wrong(r#"no area: write {"selected_rect":[...],"visible_rect":[...]}"#)),
        Err(why) => Err(wrong(&why.to_string())),
    }
}

/// Reads `NAME=VALUE`: a number, `true`, `false`, or the name of a menu's item.
fn control(text: &str) -> Result<(String, Value), RunError> {
    let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.trim().is_empty()) else {
        return Err(RunError::Usage(format!(
            "--control: {text:?} is no name and value: write it as in brightness=120"
        )));
    };
    let value = match value.trim() {
        "true" => 1.into(),
        "false" => 0.into(),
        value => value.parse::<i64>().map_or_else(|_| value.into(), Value::from),
    };
    Ok((name.trim().to_owned(), value))
}

/// What the camera says beyond that it was done.
fn as_text(reply: &Reply) -> String {
    let lines: String = reply.rest.iter().map(|(name, value)| line(name, value)).collect();
    if lines.is_empty() { "Done.\n".into() } else { lines }
}

fn line(name: &str, value: &Value) -> String {
    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("{} {}\n", printable(name), printable(&value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_camera_is_not_asked_for_nothing() {
        use crate::viewer::args::{Cli, Command};
        use clap::Parser;
        let ask = |line: &str| {
            let cli =
                Cli::try_parse_from(["sealview", "tune", "barn"].into_iter().chain(line.split_whitespace()));
            let Command::Tune(args) = cli.unwrap().command else { panic!("{line}") };
            tune(*args).unwrap_err()
        };
        for (line, words) in [
            ("", "nothing to change"),
            ("--area /nonexistent/area.json", "--area: /nonexistent/area.json"),
            ("--control gain", "brightness=120"),
        ] {
            assert!(matches!(ask(line), RunError::Usage(why) if why.contains(words)), "{line}");
        }
    }

    #[test]
    fn controls_are_numbers_switches_or_items() {
        let cases = [
            ("brightness=120", json!(120)),
            ("focus=-3", json!(-3)),
            ("white_balance_automatic=true", json!(1)),
            ("white_balance_automatic = false", json!(0)),
            ("power_line_frequency=50 Hz", json!("50 Hz")),
        ];
        for (text, expected) in cases {
            let (name, value) = control(text).unwrap();
            assert_eq!((name.as_str(), value), (text.split('=').next().unwrap().trim(), expected));
        }
        for wrong in ["brightness", "=3", ""] {
            assert!(control(wrong).unwrap_err().to_string().contains("brightness=120"), "{wrong}");
        }
    }

    #[test]
    fn answers_are_shown_as_they_are() {
        assert_eq!(as_text(&Reply::parse(br#"{"ok":true}"#).unwrap()), "Done.\n");
        let reply = Reply::parse(br#"{"ok":true,"quality":70,"source":"front"}"#).unwrap();
        assert_eq!(as_text(&reply), "quality 70\nsource front\n");
    }
}
