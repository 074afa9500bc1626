//! What was seen of a key's streams, kept in the state folder by a thread of its own: a disk may take
//! its time, the network thread may not.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::exit::RunError;
use crate::keys::seen::SeenFile;
use crate::outlet::queue::Latest;
use crate::proto::streams::Seen;
use crate::time::{Duration, Instant};

/// How much of a stream could be replayed to a viewer that was killed.
const INTERVAL: Duration = Duration::from_secs(2);

/// Writes down the newest packet number now and then, and a change of streams at once.
pub struct Memory {
    latest: Arc<Latest<Seen>>,
    thread: JoinHandle<()>,
    noted: Option<Seen>,
    due: Instant,
}

impl Memory {
    /// Starts the thread. `noted` is what the file holds.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(file: SeenFile, noted: Option<Seen>) -> Result<Self, RunError> {
        let latest = Arc::new(Latest::new());
        let theirs: Arc<Latest<Seen>> = Arc::clone(&latest);
        let thread = thread::Builder::new().name("memory".into()).spawn(move || {
            let mut told = false;
            while let Some(seen) = theirs.wait_for_next() {
                match file.store(seen) {
                    Ok(()) => told = false,
                    Err(why) if !told => {
                        told = true;
                        log::warn!("{why}; after a restart, a recording of now could not be refused");
                    }
                    Err(_) => {}
                }
            }
        });
        Ok(Self { latest, thread: thread.map_err(RunError::failed)?, noted, due: Instant::ORIGIN })
    }

    /// Notes `seen` if it is news and the time has come.
    pub fn note(&mut self, seen: Option<Seen>, now: Instant) {
        let Some(seen) = seen.filter(|seen| Some(*seen) != self.noted) else { return };
        let changed = self.noted.is_none_or(|noted| noted.stream != seen.stream);
        if changed || now >= self.due {
            self.due = now + INTERVAL;
            self.noted = Some(seen);
            self.latest.put(seen);
        }
    }

    /// Notes `seen` for good.
    pub fn finish(mut self, seen: Option<Seen>) {
        self.due = Instant::ORIGIN;
        self.note(seen, Instant::ORIGIN);
        self.latest.close();
        // Only a panic could keep it from ending, and that is told on standard error.
        self.thread.join().ok();
    }
}
