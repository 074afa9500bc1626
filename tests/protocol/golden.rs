//! Golden files: written, compared, and read again.

use std::path::PathBuf;
use std::{env, fs};

use sealcam::proto::outcome::Dropped;
use sealcam::proto::sender::OutgoingFrame;
use sealcam::time::Duration;
use sealcam::wire::Flags;

use crate::random::Random;
use crate::world::START;

/// A frame of the vectors.
pub(crate) struct GivenFrame {
    pub(crate) bytes: Vec<u8>,
    pub(crate) restarts: Vec<u32>,
    /// Since the stream's start.
    pub(crate) captured: Duration,
    pub(crate) source: u8,
    pub(crate) flags: Flags,
}

impl GivenFrame {
    /// Of bytes that look like a scan: no 0xFF but those of the restart markers at `restarts`.
    pub(crate) fn new(len: usize, restarts: &[u32], millis: u64, source: u8, flags: Flags) -> Self {
        let mut bytes = Random::new(len as u64).bytes(len);
        bytes.iter_mut().for_each(|byte| *byte &= 0x7f);
        for (nth, at) in restarts.iter().enumerate() {
            bytes[*at as usize..][..2].copy_from_slice(&[0xff, 0xd0 + (nth % 8) as u8]);
        }
        let captured = Duration::from_micros(millis * 1000 + 345);
        Self { bytes, restarts: restarts.to_vec(), captured, source, flags }
    }

    pub(crate) fn outgoing(&self) -> OutgoingFrame<'_> {
        OutgoingFrame {
            bytes: &self.bytes,
            captured: START + self.captured,
            restarts: &self.restarts,
            source: self.source,
            flags: self.flags,
        }
    }

    /// What a reader must come to, but for the bytes.
    pub(crate) fn facts(&self) -> [(&'static str, String); 4] {
        let restarts: Vec<_> = self.restarts.iter().map(u32::to_string).collect();
        [
            ("restart-markers-at", if restarts.is_empty() { "-".into() } else { restarts.join(" ") }),
            ("captured-us", self.captured.as_micros().to_string()),
            ("source", self.source.to_string()),
            ("notice", u8::from(self.flags.is_notice()).to_string()),
        ]
    }
}

/// The word for a cause in the lists of what must be dropped.
pub(crate) fn cause(why: Dropped) -> &'static str {
    match why {
        Dropped::Malformed(_) => "malformed",
        Dropped::Unsupported => "unsupported",
        Dropped::Inconsistent => "inconsistent",
        Dropped::Forged => "forged",
        Dropped::Replayed => "replayed",
        Dropped::TooOld => "too-old",
        Dropped::Late => "late",
        Dropped::TooLarge => "too-large",
        Dropped::StaleStream => "stale-stream",
        Dropped::OtherStream => "other-stream",
        Dropped::UnknownKey => "unknown-key",
        Dropped::NotSigned => "not-signed",
        other => unreachable!("no case for {other:?}"),
    }
}

/// One line of such a list.
pub(crate) fn must_drop(case: &str, datagram: &[u8], why: Dropped) -> String {
    let datagram = if datagram.is_empty() { "-".into() } else { hex(datagram) };
    format!("{} | {case} | {datagram}\n", cause(why))
}

/// Holds the files to `texts`, or writes them anew if `SEALCAM_WRITE_VECTORS` is set.
pub(crate) fn hold(texts: &[(&str, String)]) {
    let mut written = vec![];
    for (name, text) in texts {
        let path = path(name);
        if env::var_os("SEALCAM_WRITE_VECTORS").is_some() {
            fs::write(&path, text).unwrap();
            written.push(path);
            continue;
        }
        let golden = fs::read_to_string(&path).unwrap();
        for (number, (golden, made)) in golden.lines().zip(text.lines()).enumerate() {
            assert_eq!(golden, made, "{name}, line {}", number + 1);
        }
        assert_eq!(golden.lines().count(), text.lines().count(), "{name}");
    }
    assert!(written.is_empty(), "{written:?} written anew: look at the difference, then run without");
}

/// A golden file of lines like `name = value`.
pub(crate) struct Golden(String);

impl Golden {
    pub(crate) fn read(name: &str) -> Self {
        Self(fs::read_to_string(path(name)).unwrap())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.0.lines().filter_map(|line| line.split_once(" = "));
        named.filter(|(key, _)| *key == name).map(|(_, value)| value).collect()
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(byte).collect()
}
