//! A source that cannot be opened: a notice is in its place, and opening is tried again.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::Service;
use crate::camera::config::SourceSpec;
use crate::camera::streaming::Streaming;
use crate::time::{Duration, Instant};

/// How often it is looked at whether there is something new at the source's path.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// It is tried again after this time whatever is there.
const RETRY_ANYWAY: Duration = Duration::from_secs(5);

/// What failed.
pub(super) struct Failure {
    /// The source's name, and why it cannot be opened: that is said once.
    what: (String, String),
    /// What was at its path then.
    there: Option<Thing>,
    tried_at: Instant,
}

/// What tells one thing at a path from the next: device, inode, device number, length and time of change.
type Thing = (u64, u64, u64, u64, i64, i64);

fn thing_at(spec: &SourceSpec) -> Option<Thing> {
    let (SourceSpec::Device(path) | SourceSpec::File(path)) = spec else { return None };
    let it = fs::metadata(path).ok()?;
    Some((it.dev(), it.ino(), it.rdev(), it.len(), it.mtime(), it.mtime_nsec()))
}

impl Service {
    /// Opens a source, or says in its place why that is not possible.
    pub(super) fn open(&mut self, number: usize, now: Instant, stream: &mut Streaming) {
        self.retry_at = None;
        if let Err(why) = stream.open(number, now) {
            self.stand_in(number, &why.to_string(), now, stream);
        }
    }

    pub(super) fn stand_in(&mut self, number: usize, why: &str, now: Instant, stream: &mut Streaming) {
        if self.failed(number, why, now, stream) {
            log::error!("source {}: {why}; trying again", stream.config().sources[number].name);
        }
        stream.stand_in(number, why, now);
    }

    /// Notes a failure; whether it is another one than before.
    fn failed(&mut self, number: usize, why: &str, now: Instant, stream: &Streaming) -> bool {
        let source = &stream.config().sources[number];
        let what = (source.name.clone(), why.to_owned());
        let new = self.failure.as_ref().is_none_or(|before| before.what != what);
        self.failure = Some(Failure { what, there: thing_at(&source.picture.source), tried_at: now });
        self.retry_at = Some(now + RETRY);
        new
    }

    /// Tries again to open what could not be opened, if that may go otherwise; its notice stays meanwhile.
    pub(super) fn retry(&mut self, now: Instant, stream: &mut Streaming) {
        self.retry_at = None;
        let Some(number) = stream.active().filter(|_| stream.stands_in()) else { return };
        let there = thing_at(&stream.config().sources[number].picture.source);
        let in_vain = |before: &Failure| before.there == there && now < before.tried_at + RETRY_ANYWAY;
        if self.failure.as_ref().is_some_and(in_vain) {
            self.retry_at = Some(now + RETRY);
        } else if let Err(why) = stream.open(number, now) {
            let why = why.to_string();
            if self.failed(number, &why, now, stream) {
                log::warn!("source {}: {why}; trying again", stream.config().sources[number].name);
                stream.stand_in(number, &why, now);
            }
        }
    }
}
