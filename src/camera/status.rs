//! What a service does: for people, as JSON, and for systemd in a line.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::board::Board;
use super::control::{SourceState, ViewerState};
use super::sandbox::Sandbox;
use super::stats::{Json, Percentiles};

/// What a service does at a moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// Of the program.
    pub version: String,
    /// The configuration file; empty if there is none.
    pub config: String,
    /// The number of the stream.
    pub stream: String,
    /// The destination.
    pub to: String,
    /// Fingerprint of the key.
    pub key: String,
    /// Bytes of a datagram.
    pub datagram: usize,
    /// Whether all is as it should be.
    pub health: Health,
    /// The source that is sent; none if the service is switched off.
    pub active: Option<String>,
    /// What it delivers.
    pub source: String,
    /// All sources.
    pub sources: Vec<SourceState>,
    /// Frames a second.
    pub fps: f64,
    /// Megabits a second.
    pub megabits: f64,
    /// All counts since the start.
    pub figures: Json,
    /// What the board tells.
    pub board: Board,
    /// What the process cannot do.
    pub sandbox: Sandbox,
    /// What the configuration file asks for since it was read again, and only a restart can give.
    #[serde(default)]
    pub restart_needed: Vec<String>,
    /// Paired viewers, if the stream is for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paired: Option<Paired>,
}

/// How things stand with paired viewers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paired {
    /// Whether frames are signed, so that no viewer can forge them for another.
    pub signed: bool,
    /// Who watches.
    pub viewers: Vec<ViewerState>,
    /// Handshakes that viewers have confirmed.
    pub confirmed: u64,
    /// Handshakes of keys that are not let in.
    pub not_listed: u64,
    /// Handshakes refused because there were enough viewers.
    pub full: u64,
    /// First messages answered with a cookie, because there were too many.
    pub cookies: u64,
    /// First messages of whoever does not know this camera's key, and too many from one prefix.
    pub turned_away: u64,
    /// Datagrams of sessions that did not open, were replayed, or of no session.
    pub refused: u64,
    /// Viewers that have moved to another address.
    pub moved: u64,
    /// Media keys that have taken over from another.
    pub key_changes: u64,
    /// Frames that nobody was there to see.
    pub unwatched: u64,
}

impl fmt::Display for Paired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frames = if self.signed { "frames are signed" } else { "frames are NOT SIGNED" };
        writeln!(
            f,
            "viewers   {} watching; {frames}; {} handshakes, {} not let in, {} turned away or asked to come back, \
             {} key changes",
            self.viewers.len(),
            self.confirmed,
            self.not_listed + self.full,
            self.turned_away + self.cookies,
            self.key_changes
        )?;
        for ViewerState { name, role, address, joined_s, .. } in &self.viewers {
            let address = address.as_deref().unwrap_or("no proven address yet");
            writeln!(f, "  {name}  {role}  {address}  for {} s", joined_s.unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Whether new pictures flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// They do, or are not to.
    pub healthy: bool,
    /// They are not to.
    pub idle: bool,
    /// In words.
    pub why: String,
    /// Seconds since the last new picture left; none before the first.
    pub since_new_frame: Option<f64>,
}

impl Status {
    /// For systemd: one line.
    #[must_use]
    pub fn line(&self) -> String {
        let name = self.active.as_deref().unwrap_or("off");
        if !self.health.healthy || self.active.is_none() {
            return format!("{name}: {}", self.health.why);
        }
        format!("{name}: {}, {:.1} fps, {:.2} Mbit/s to {}", self.source, self.fps, self.megabits, self.to)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = &self.figures;
        let state = if self.health.healthy { "healthy" } else { "NOT HEALTHY" };
        writeln!(f, "{state}: {}", self.health.why)?;
        if let Some(seconds) = self.health.since_new_frame {
            writeln!(f, "  last new frame {seconds:.2} s ago")?;
        }
        writeln!(f, "source    {}", self.source)?;
        for SourceState { name, source, active } in &self.sources {
            writeln!(f, "  {} {name}  {source}", if *active { "*" } else { " " })?;
        }
        writeln!(f, "sending   {:.1} fps, {:.2} Mbit/s to {}", self.fps, self.megabits, self.to)?;
        let Json { passed_through, requantised, encoded, notices, limited, .. } = figures;
        let sent = sent(figures);
        write!(f, "frames    {sent} sent; made: {passed_through} as they came, {requantised} requantised, ")?;
        writeln!(
            f,
            "{encoded} encoded ({notices} of all are notices); {limited} left out by the rate limit"
        )?;
        let causes = dropped(figures);
        let causes: Vec<String> = causes
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(cause, count)| format!("{count} {}", cause.replace('_', " ")))
            .collect();
        writeln!(f, "dropped   {}", if causes.is_empty() { "none".to_owned() } else { causes.join(", ") })?;
        let Json { datagrams, datagrams_abandoned, network, .. } = figures;
        write!(
            f,
            "network   {datagrams} datagrams of up to {} bytes, {datagrams_abandoned} given up; ",
            self.datagram
        )?;
        writeln!(
            f,
            "blocked {}, refused {}, no way {}",
            network.blocked, network.refused, network.unreachable
        )?;
        if let Some(Percentiles { p50, p99 }) = figures.capture_to_sent_us {
            let millis = |micros: u32| f64::from(micros) / 1e3;
            writeln!(f, "latency   capture to sent {:.1} ms (99 %: {:.1} ms)", millis(p50), millis(p99))?;
        }
        if let Some(paired) = &self.paired {
            write!(f, "{paired}")?;
        }
        board(f, &self.board)?;
        writeln!(f, "sandbox   {}", self.sandbox)?;
        for what in &self.restart_needed {
            writeln!(f, "restart   needed: {what}")?;
        }
        write!(f, "running   {:.0} s, version {}, ", figures.seconds, self.version)?;
        if !self.config.is_empty() {
            write!(f, "{}, ", self.config)?;
        }
        writeln!(f, "key {}, stream {}", self.key, self.stream)
    }
}

fn board(f: &mut fmt::Formatter<'_>, board: &Board) -> fmt::Result {
    let mut words: Vec<String> =
        board.temperatures.iter().map(|it| format!("{} {:.1} °C", it.sensor, it.celsius)).collect();
    if let Some(throttling) = board.throttling {
        let causes = |named: [(&'static str, bool); 4]| -> Vec<String> {
            named.iter().filter(|(_, on)| *on).map(|(cause, _)| cause.replace('_', " ")).collect()
        };
        let (now, before) = (causes(throttling.now.named()), causes(throttling.since_boot.named()));
        words.push(if now.is_empty() { "not throttled".into() } else { now.join(", ") });
        if !before.is_empty() {
            words.push(format!("since boot: {}", before.join(", ")));
        }
    }
    if words.is_empty() {
        return Ok(());
    }
    writeln!(f, "board     {}", words.join("; "))
}

/// Frames that the network took whole, or is about to.
#[must_use]
pub const fn sent(figures: &Json) -> u64 {
    figures.frames.saturating_sub(figures.frames_abandoned)
}

/// Frames that were lost, by cause; `abandoned`: the network did not take them.
#[must_use]
pub fn dropped(figures: &Json) -> [(&'static str, u64); 8] {
    let dropped = &figures.dropped;
    [
        ("superseded", dropped.superseded),
        ("flagged", dropped.flagged),
        ("empty", dropped.empty),
        ("truncated", dropped.truncated),
        ("malformed", dropped.malformed),
        ("oversized", dropped.oversized),
        ("failed", figures.failed),
        ("abandoned", figures.frames_abandoned),
    ]
}
