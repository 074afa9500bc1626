//! Figures in words: one line for a terminal, one JSON object for a program, a table for the window.

use super::figures::Report;
use serde::Serialize;
use std::fmt;

/// Who is being watched, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Identity {
    /// Where the stream comes in: "239.1.2.3:5000".
    pub address: String,
    /// The stream's id in hexadecimal digits; empty while there is none.
    pub stream: String,
    /// The fingerprint of the shared key, or of a paired camera's.
    pub key: String,
    /// What a paired camera is called; empty under a shared key.
    pub camera: String,
    /// Whether a paired camera signs its frames; not known before it has let this viewer in.
    pub signed: Option<bool>,
}

impl Report {
    /// One JSON object without a line break.
    ///
    /// | field | meaning |
    /// |---|---|
    /// | `final` | `true` in the last object only |
    /// | `address`, `stream`, `key` | where from, stream id (hex, empty before the first), key fingerprint |
    /// | `camera`, `signed` | a paired camera's name, and whether it signs its frames; else empty and `null` |
    /// | `seconds` | since the start |
    /// | `fps`, `mbit_per_s` | whole frames a second, megabits in them a second, over the last 2 s |
    /// | `jitter_ms` | interarrival jitter of frames, RFC 3550 section 6.4.1 |
    /// | `width`, `height` | of the newest frame; 0 before the first |
    /// | `whole`, `damaged`, `incomplete` | frames since the start |
    /// | `notices` | of the whole frames, those that say NO SIGNAL |
    /// | `picture_bytes` | bytes in whole frames |
    /// | `datagrams`, `bytes` | received, with UDP payload, since the start |
    /// | `late`, `forged`, `replayed`, `stale`, `other_stream`, `malformed`, `not_signed`, `overflowed` | datagrams refused or lost, since the start |
    /// | `shown`, `recorded`, `record_dropped`, `piped`, `pipe_dropped` | frames at the outlets |
    ///
    /// Fields may be added; these keep their names and meanings.
    #[must_use]
    pub fn json(&self, identity: &Identity, last: bool) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            r#final: bool,
            #[serde(flatten)]
            identity: &'a Identity,
            #[serde(flatten)]
            report: Report,
        }
        let rounded = Report {
            seconds: round(self.seconds),
            fps: round(self.fps),
            mbit_per_s: round(self.mbit_per_s),
            jitter_ms: round(self.jitter_ms),
            ..*self
        };
        // Strings and numbers under fixed names: there is nothing in it that can fail.
        serde_json::to_string(&Line { r#final: last, identity, report: rounded }).unwrap_or_default()
    }

    /// Rows of name and value for the window.
    #[must_use]
    pub fn rows(&self, identity: &Identity) -> Vec<(&'static str, String)> {
        let mut rows = vec![
            ("rate", format!("{:.1} fps  {:.1} Mbit/s", self.fps, self.mbit_per_s)),
            ("jitter", format!("{:.1} ms", self.jitter_ms)),
        ];
        let totals = &self.totals;
        rows.extend([
            ("frames", format!("{} whole, {} incomplete", self.whole, totals.incomplete)),
            (
                "datagrams",
                format!(
                    "{} late, {} forged, {} replayed, {} stale",
                    totals.late, totals.forged, totals.replayed, totals.stale
                ),
            ),
            ("picture", format!("{} x {}", self.width, self.height)),
            ("stream", identity.stream.clone()),
            ("key", identity.key.clone()),
        ]);
        if let Some(signed) = identity.signed {
            let words = if signed { "the camera signs its frames" } else { UNSIGNED };
            rows.push(("signed", words.into()));
        }
        if totals.not_signed > 0 {
            rows.push(("not signed", format!("{} datagrams of another viewer", totals.not_signed)));
        }
        if self.damaged > 0 {
            rows.insert(3, ("damaged", format!("{} frames", self.damaged)));
        }
        let outlets = &self.outlets;
        if outlets.recorded + outlets.record_dropped > 0 {
            let (recorded, dropped) = (outlets.recorded, outlets.record_dropped);
            rows.push(("recorded", format!("{recorded} frames, {dropped} left out")));
        }
        rows
    }
}

/// The line for a terminal: rates, then counts; counts of trouble only when there was some.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fps, mbit_per_s, jitter_ms, whole, totals, outlets, .. } = self;
        write!(f, "{fps:5.1} fps  {mbit_per_s:.1} Mbit/s  jitter {jitter_ms:.1} ms")?;
        write!(f, "  whole {whole}  incomplete {}", totals.incomplete)?;
        let trouble = [
            ("late", totals.late),
            ("notices", self.notices),
            ("damaged", self.damaged),
            ("forged", totals.forged),
            ("replayed", totals.replayed),
            ("of old streams", totals.stale),
            ("of other cameras", totals.other_stream),
            ("malformed", totals.malformed),
            ("not signed", totals.not_signed),
            ("overflowed", totals.overflowed),
            ("recorded", outlets.recorded),
            ("not recorded", outlets.record_dropped),
            ("not piped", outlets.pipe_dropped),
        ];
        trouble.iter().filter(|(_, count)| *count > 0).try_for_each(|(name, n)| write!(f, "  {name} {n}"))
    }
}

/// What frames are worth that are not signed.
const UNSIGNED: &str = "not signed: any viewer could make such frames";

/// To a thousandth: more digits would only be noise in the file.
fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::super::figures::{OutletTotals, Totals};
    use super::*;

    fn sample() -> Report {
        Report {
            seconds: 10.000_04,
            fps: 29.94,
            mbit_per_s: 18.2468,
            jitter_ms: 1.2,
            width: 1280,
            height: 720,
            whole: 299,
            picture_bytes: 22_800_000,
            totals: Totals { datagrams: 20_000, bytes: 24_000_000, ..Totals::default() },
            ..Report::default()
        }
    }

    fn identity() -> Identity {
        Identity {
            address: "239.1.2.3:5000".into(),
            stream: "00a1".into(),
            key: "k7 \"x\"".into(),
            ..Identity::default()
        }
    }

    #[test]
    fn the_line_is_short_while_all_is_well() {
        assert_eq!(sample().to_string(), " 29.9 fps  18.2 Mbit/s  jitter 1.2 ms  whole 299  incomplete 0");
        let troubled = Report {
            totals: Totals { incomplete: 2, forged: 7, ..Totals::default() },
            outlets: OutletTotals { recorded: 290, record_dropped: 9, ..OutletTotals::default() },
            ..sample()
        };
        assert_eq!(
            troubled.to_string(),
            " 29.9 fps  18.2 Mbit/s  jitter 1.2 ms  whole 299  incomplete 2  forged 7  \
             recorded 290  not recorded 9"
        );
    }

    #[test]
    fn the_json_object_has_the_documented_fields() {
        let text = sample().json(&identity(), true);
        assert!(!text.contains('\n'));
        let object: serde_json::Value = serde_json::from_str(&text).unwrap();
        let names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
        let mut documented: Vec<&str> = "final address stream key camera signed seconds fps mbit_per_s jitter_ms \
            width height whole notices damaged incomplete late picture_bytes datagrams \
            bytes forged replayed stale other_stream malformed not_signed overflowed shown recorded record_dropped piped pipe_dropped"
            .split_whitespace()
            .collect();
        documented.sort_unstable();
        let mut sorted = names;
        sorted.sort_unstable();
        assert_eq!(sorted, documented);
        assert_eq!(object["final"], true);
        assert_eq!(object["key"], "k7 \"x\"");
        assert_eq!(object["mbit_per_s"], 18.247);
        assert_eq!(object["seconds"], 10.0);
    }

    #[test]
    fn the_table_names_trouble_only_when_there_is_some() {
        let names = |report: &Report| -> Vec<_> {
            report.rows(&identity()).into_iter().map(|(name, _)| name).collect()
        };
        let quiet = ["rate", "jitter", "frames", "datagrams", "picture", "stream", "key"];
        assert_eq!(names(&sample()), quiet);
        let troubled = Report { damaged: 1, ..sample() };
        assert!(names(&troubled).contains(&"damaged"));
        let unsigned = Identity { signed: Some(false), ..identity() };
        let rows = sample().rows(&unsigned);
        assert!(rows.iter().any(|(name, words)| *name == "signed" && words.contains("any viewer")));
    }
}
