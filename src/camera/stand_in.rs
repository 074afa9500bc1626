//! Stands in for a source that cannot be opened: says so in a NO SIGNAL picture once a second.

use std::os::fd::BorrowedFd;

use super::notice::Notice;
use super::source::{Captured, Drops, Source, SourceError};
use crate::picture::Picture;
use crate::time::{Duration, Instant};

/// From one notice to the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// A source of notices that tell why there is no other.
#[derive(Debug)]
pub struct StandIn {
    name: String,
    why: String,
    notice: Notice,
    since: Instant,
    due: Instant,
}

impl StandIn {
    /// For the source `name`, which cannot be opened, and `why`.
    #[must_use]
    pub fn new(name: &str, why: &str, now: Instant) -> Self {
        Self { name: name.to_owned(), why: why.to_owned(), notice: Notice::new(), since: now, due: now }
    }
}

impl Source for StandIn {
    fn describe(&self) -> String {
        format!("no signal from {}: {}", self.name, self.why)
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn wake_at(&self) -> Option<Instant> {
        Some(self.due)
    }

    fn next(&mut self, now: Instant) -> Result<Option<Captured<'_>>, SourceError> {
        if now < self.due {
            return Ok(None);
        }
        self.due = now + INTERVAL;
        let picture = self.notice.draw(&self.why, &self.name, now.since(self.since));
        Ok(Some(Captured {
            picture: Picture::Raw(picture),
            at: now,
            summary: None,
            restarts: &[],
            notice: true,
        }))
    }

    fn release(&mut self) {}

    fn drops(&self) -> Drops {
        Drops::default()
    }

    fn largest_frame(&self) -> usize {
        self.notice.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_so_once_a_second() {
        let start = Instant::from_millis(5_000);
        let mut source = StandIn::new("front", "it is a directory", start);
        let mut notices = 0;
        for millis in (0..10_000).step_by(100) {
            if let Ok(Some(captured)) = source.next(start + Duration::from_millis(millis)) {
                assert!(captured.notice);
                notices += 1;
            }
        }
        assert_eq!(notices, 10);
        assert_eq!(source.describe(), "no signal from front: it is a directory");
    }
}
