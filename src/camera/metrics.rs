//! Figures in the text format of Prometheus (exposition format 0.0.4). Names are stable.
//!
//! | name | kind | what |
//! |---|---|---|
//! | `sealcam_info{version,stream}` | gauge | always 1 |
//! | `sealcam_healthy` | gauge | 1 while new frames flow, or none are to |
//! | `sealcam_idle` | gauge | 1 while switched off |
//! | `sealcam_running_seconds` | gauge | since the stream began |
//! | `sealcam_last_new_frame_seconds` | gauge | since a new frame last left; absent before the first |
//! | `sealcam_source_active{source}` | gauge | 1 for the source that is sent, 0 for the others |
//! | `sealcam_frames_total` | counter | frames that the network took whole |
//! | `sealcam_frame_bytes_total` | counter | bytes of all frames made, those given up included |
//! | `sealcam_frames_made_total{how}` | counter | `passed_through`, `requantised`, `encoded` |
//! | `sealcam_notices_total` | counter | NO SIGNAL pictures among the frames made |
//! | `sealcam_frames_limited_total` | counter | left out by the limit of the rate |
//! | `sealcam_frames_dropped_total{cause}` | counter | `superseded`, `flagged`, `empty`, `truncated`, `malformed`, `oversized`, `failed`, `abandoned` (made, and not taken by the network) |
//! | `sealcam_camera_events_total{event}` | counter | `timeout`, `io_error`, `reopened` |
//! | `sealcam_datagrams_total`, `sealcam_datagram_bytes_total` | counter | what the network took |
//! | `sealcam_datagrams_abandoned_total` | counter | what it did not take in time |
//! | `sealcam_network_events_total{event}` | counter | `blocked`, `refused`, `too_large`, `unreachable`, `reopened` |
//! | `sealcam_stage_seconds{stage,quantile}` | gauge | capture to `taken`, `sealed`, `sent`; over the last 256 frames, absent before the first |
//! | `sealcam_temperature_celsius{sensor}` | gauge | where the board tells |
//! | `sealcam_throttled{cause}`, `sealcam_throttled_since_boot{cause}` | gauge | 1 if so, where the board tells |

use std::fmt::{Display, Write as _};

use super::stats::Percentiles;
use super::status::{Status, dropped, sent};

/// The figures of a moment.
#[must_use]
pub fn text(status: &Status) -> String {
    let mut page = Page(String::with_capacity(4096));
    let figures = &status.figures;
    let info = [("version", status.version.as_str()), ("stream", status.stream.as_str())];
    page.head("info", "gauge", "Version of the program and number of the stream");
    page.line("info", &info, 1);
    page.one("healthy", "gauge", "New frames flow, or none are to", u8::from(status.health.healthy));
    page.one("idle", "gauge", "Switched off", u8::from(status.health.idle));
    page.one("running_seconds", "gauge", "Since the stream began", figures.seconds);
    if let Some(seconds) = status.health.since_new_frame {
        page.one("last_new_frame_seconds", "gauge", "Since a new frame last left", seconds);
    }
    page.head("source_active", "gauge", "The source that is sent");
    for source in &status.sources {
        page.line("source_active", &[("source", &source.name)], u8::from(source.active));
    }
    page.one("frames_total", "counter", "Frames sent", sent(figures));
    page.one("frame_bytes_total", "counter", "Bytes of the frames made", figures.frame_bytes);
    let made = [
        ("passed_through", figures.passed_through),
        ("requantised", figures.requantised),
        ("encoded", figures.encoded),
    ];
    page.several("frames_made_total", "counter", "Frames by how they were made", "how", &made);
    page.one("notices_total", "counter", "Notices among the frames made", figures.notices);
    page.one("frames_limited_total", "counter", "Frames left out by the limit of the rate", figures.limited);
    page.several("frames_dropped_total", "counter", "Frames lost", "cause", &dropped(figures));
    camera_and_network(&mut page, status);
    board(&mut page, status);
    page.0
}

fn camera_and_network(page: &mut Page, status: &Status) {
    let figures = &status.figures;
    let camera = [
        ("timeout", figures.dropped.timeouts),
        ("io_error", figures.dropped.io_errors),
        ("reopened", figures.dropped.reopened),
    ];
    page.several("camera_events_total", "counter", "What befell the camera", "event", &camera);
    page.one("datagrams_total", "counter", "Datagrams that the network took", figures.datagrams);
    page.one("datagram_bytes_total", "counter", "Bytes of those datagrams", figures.datagram_bytes);
    let abandoned = figures.datagrams_abandoned;
    page.one("datagrams_abandoned_total", "counter", "Datagrams not taken in time", abandoned);
    let network = &figures.network;
    let events = [
        ("blocked", network.blocked),
        ("refused", network.refused),
        ("too_large", network.too_large),
        ("unreachable", network.unreachable),
        ("reopened", network.reopened),
    ];
    page.several("network_events_total", "counter", "What befell the network", "event", &events);
    page.head("stage_seconds", "gauge", "Time from capture, over the last frames");
    let stages = [
        ("taken", figures.capture_to_taken_us),
        ("sealed", figures.capture_to_sealed_us),
        ("sent", figures.capture_to_sent_us),
    ];
    for (stage, times) in stages {
        let Some(Percentiles { p50, p99 }) = times else { continue };
        for (quantile, micros) in [("0.5", p50), ("0.99", p99)] {
            page.line("stage_seconds", &[("stage", stage), ("quantile", quantile)], f64::from(micros) / 1e6);
        }
    }
}

fn board(page: &mut Page, status: &Status) {
    let board = &status.board;
    if !board.temperatures.is_empty() {
        page.head("temperature_celsius", "gauge", "Temperatures of the board");
    }
    for it in &board.temperatures {
        page.line("temperature_celsius", &[("sensor", &it.sensor)], it.celsius);
    }
    let Some(throttling) = board.throttling else { return };
    let count = |named: [(&'static str, bool); 4]| named.map(|(cause, on)| (cause, u64::from(on)));
    let now = count(throttling.now.named());
    page.several("throttled", "gauge", "The processor is held back", "cause", &now);
    let before = count(throttling.since_boot.named());
    page.several(
        "throttled_since_boot",
        "gauge",
        "It was, since the board was switched on",
        "cause",
        &before,
    );
}

/// Text that grows. Writing to a String does not fail.
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP sealcam_{name} {help}\n# TYPE sealcam_{name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "sealcam_{name}");
        for (at, (label, text)) in labels.iter().enumerate() {
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{escaped}\"", if at == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.line(name, &[], value);
    }

    fn several(&mut self, name: &str, kind: &str, help: &str, label: &str, values: &[(&'static str, u64)]) {
        self.head(name, kind, help);
        for (text, value) in values {
            self.line(name, &[(label, text)], value);
        }
    }
}
