//! Lines of text to a pipe or a file: the figures of `--stats-json`.

use super::queue::{Limit, Queue};
use super::worker::Worker;
use crate::time::Duration;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// How an output came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputEnd {
    /// Everything was written.
    Complete,
    /// The reader closed its end: it has what it wanted, this is no error.
    ReaderGone,
    /// The reader did not take the rest in time; the last frame may be cut off.
    ReaderStuck,
    /// Writing failed.
    Failed {
        /// What was written to.
        name: String,
        /// The system's words.
        reason: String,
    },
}

impl fmt::Display for OutputEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("all is written"),
            Self::ReaderGone => f.write_str("the reader has closed the pipe"),
            Self::ReaderStuck => f.write_str("the reader of the pipe does not read"),
            Self::Failed { name, reason } => write!(f, "{name}: cannot write: {reason}"),
        }
    }
}

/// Lines of text to a file or a pipe: the statistics of `--stats-json`.
///
/// The memory of lines that were written is used again.
#[derive(Debug)]
pub struct LineOutput {
    worker: Worker<Vec<u8>, OutputEnd>,
    spare: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl LineOutput {
    /// Starts to write to `out`, called `name` in messages.
    ///
    /// # Errors
    ///
    /// The system's, when it gives no thread.
    pub fn start(name: &str, mut out: impl Write + Send + 'static) -> io::Result<Self> {
        let owned = name.to_owned();
        let spare = Arc::new(Mutex::new(Vec::with_capacity(SPARE_LINES)));
        let written = Arc::clone(&spare);
        let worker = Worker::start("lines", LINE_QUEUE, move |queue: &Queue<Vec<u8>>| {
            drain(&owned, queue, |mut line| {
                out.write_all(&line)?;
                out.flush()?;
                line.clear();
                let mut spare = written.lock().unwrap_or_else(PoisonError::into_inner);
                if spare.len() < SPARE_LINES {
                    spare.push(line);
                }
                Ok(())
            })
        })?;
        Ok(Self { worker, spare })
    }

    /// Queues the line that `fill` writes, without its line break; never waits.
    pub fn offer(&self, fill: impl FnOnce(&mut Vec<u8>)) {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut line = spare.unwrap_or_else(|| Vec::with_capacity(LINE_LEN));
        fill(&mut line);
        line.push(b'\n');
        let bytes = line.len();
        self.worker.offer(line, bytes);
    }

    /// How it ended, if it has ended by itself.
    #[must_use]
    pub fn ended(&self) -> Option<OutputEnd> {
        self.worker.if_ended(end)
    }

    /// Writes what is queued, for at most [`PATIENCE`].
    #[must_use]
    pub fn finish(self) -> OutputEnd {
        self.worker.finish(PATIENCE).unwrap_or(OutputEnd::ReaderStuck)
    }
}

pub(crate) fn drain<T>(
    name: &str,
    queue: &Queue<T>,
    mut write: impl FnMut(T) -> io::Result<()>,
) -> OutputEnd {
    while let Some(item) = queue.wait_for_next() {
        match write(item) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return OutputEnd::ReaderGone,
            Err(error) => return OutputEnd::Failed { name: name.to_owned(), reason: error.to_string() },
        }
    }
    OutputEnd::Complete
}

pub(crate) fn end(outcome: Option<&OutputEnd>) -> OutputEnd {
    let panicked = || OutputEnd::Failed { name: "output".into(), reason: "its thread panicked".into() };
    outcome.cloned().unwrap_or_else(panicked)
}

/// Lines whose memory waits for the next ones.
const SPARE_LINES: usize = 2;
/// A line is usually no longer.
const LINE_LEN: usize = 2048;
/// Statistics that a reader has not taken yet.
pub const LINE_QUEUE: Limit = Limit { items: 64, bytes: 1 << 20 };
/// How long a reader may take for the rest when the program ends.
pub const PATIENCE: Duration = Duration::from_secs(1);
