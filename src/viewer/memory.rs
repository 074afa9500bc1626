//! What is kept in the state folder while frames come, by a thread of its own: a disk may take its time, the
//! network thread may not.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::exit::RunError;
use crate::keys::cameras::CamerasFile;
use crate::keys::seen::SeenFile;
use crate::outlet::queue::Latest;
use crate::proto::streams::Seen;
use crate::time::{Duration, Instant};
use crate::wire::Name;

/// How much of a stream could be replayed to a viewer that was killed.
const INTERVAL: Duration = Duration::from_secs(2);

/// A thread that stores the newest of what it is given.
struct Clerk<T> {
    latest: Arc<Latest<T>>,
    thread: JoinHandle<()>,
}

impl<T: Send + 'static> Clerk<T> {
    /// Starts the thread; `store` does the writing, and `consequence` says what follows if it fails.
    fn start<E: fmt::Display>(
        mut store: impl FnMut(T) -> Result<(), E> + Send + 'static,
        consequence: &'static str,
    ) -> Result<Self, RunError> {
        let latest = Arc::new(Latest::new());
        let theirs: Arc<Latest<T>> = Arc::clone(&latest);
        let thread = thread::Builder::new().name("memory".into()).spawn(move || {
            let mut told = false;
            while let Some(news) = theirs.wait_for_next() {
                match store(news) {
                    Ok(()) => told = false,
                    Err(why) if !told => {
                        told = true;
                        log::warn!("{why}; {consequence}");
                    }
                    Err(_) => {}
                }
            }
        });
        Ok(Self { latest, thread: thread.map_err(RunError::failed)? })
    }

    fn finish(self) {
        self.latest.close();
        // Only a panic could keep it from ending, and that is told on standard error.
        self.thread.join().ok();
    }
}

/// Writes down the newest packet number now and then, and a change of streams at once.
pub struct Memory {
    clerk: Clerk<Seen>,
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
        let consequence = "after a restart, a recording of now could not be refused";
        let clerk = Clerk::start(move |seen| file.store(seen), consequence)?;
        Ok(Self { clerk, noted, due: Instant::ORIGIN })
    }

    /// Notes `seen` if it is news and the time has come.
    pub fn note(&mut self, seen: Option<Seen>, now: Instant) {
        let Some(seen) = seen.filter(|seen| Some(*seen) != self.noted) else { return };
        let changed = self.noted.is_none_or(|noted| noted.stream != seen.stream);
        if changed || now >= self.due {
            self.due = now + INTERVAL;
            self.noted = Some(seen);
            self.clerk.latest.put(seen);
        }
    }

    /// Notes `seen` for good.
    pub fn finish(mut self, seen: Option<Seen>) {
        self.due = Instant::ORIGIN;
        self.note(seen, Instant::ORIGIN);
        self.clerk.finish();
    }
}

/// Writes down in the address book where a camera was reached.
pub struct AddressMemory {
    clerk: Clerk<SocketAddr>,
    noted: Option<SocketAddr>,
}

impl AddressMemory {
    /// Starts the thread, for the camera `name`. `noted` is the newest address that the book holds.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(book: CamerasFile, name: Name, noted: Option<SocketAddr>) -> Result<Self, RunError> {
        let consequence = "where the camera was reached is not remembered";
        let clerk = Clerk::start(move |address| book.set_last_address(name, address), consequence)?;
        Ok(Self { clerk, noted })
    }

    /// Notes that the camera was reached at `address`.
    pub fn note(&mut self, address: SocketAddr) {
        if self.noted != Some(address) {
            self.noted = Some(address);
            self.clerk.latest.put(address);
        }
    }

    /// Waits until all is written.
    pub fn finish(self) {
        self.clerk.finish();
    }
}
