//! Outlets that write to a pipe or a file in order: frames to standard output, lines of statistics.

use super::frame::Frame;
use super::parts::write_all;
use super::queue::{Limit, Queue};
use super::worker::Worker;
use crate::time::Duration;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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

/// Whole JPEG images, one after the other, to a pipe.
///
/// Images without Huffman tables get the standard ones. When the reader is slow, whole frames are
/// left out, the oldest first: what it gets is never older than [`PIPE_QUEUE`].
#[derive(Debug)]
pub struct FramePipe {
    worker: Worker<Frame, OutputEnd>,
    written: Arc<AtomicU64>,
}

impl FramePipe {
    /// Starts to write to `out`, called `name` in messages.
    ///
    /// # Errors
    ///
    /// The system's, when it gives no thread.
    pub fn start(name: &str, mut out: impl Write + Send + 'static) -> io::Result<Self> {
        let written = Arc::new(AtomicU64::new(0));
        let (count, owned) = (Arc::clone(&written), name.to_owned());
        let worker = Worker::start("pipe", PIPE_QUEUE, move |queue: &Queue<Frame>| {
            drain(&owned, queue, |frame| {
                write_all(&mut out, &frame.with_tables())?;
                out.flush()?;
                count.fetch_add(1, Relaxed);
                Ok(())
            })
        })?;
        Ok(Self { worker, written })
    }

    /// Queues `frame`; never waits.
    pub fn offer(&self, frame: &Frame) {
        self.worker.offer(frame.clone(), frame.jpeg().len());
    }

    /// Frames written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Frames left out.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.worker.dropped()
    }

    /// How it ended, if it has ended by itself: the program has nothing to do any more if this was
    /// its only outlet.
    #[must_use]
    pub fn ended(&self) -> Option<OutputEnd> {
        self.worker.if_ended(end)
    }

    /// Writes what is queued, for at most [`PATIENCE`]; tells how that ended and how many frames were written
    /// in all.
    #[must_use]
    pub fn finish(self) -> (OutputEnd, u64) {
        let end = self.worker.finish(PATIENCE).unwrap_or(OutputEnd::ReaderStuck);
        (end, self.written.load(Relaxed))
    }
}

/// Lines of text to a file or a pipe: the statistics of `--stats-json`.
#[derive(Debug)]
pub struct LineOutput {
    worker: Worker<String, OutputEnd>,
}

impl LineOutput {
    /// Starts to write to `out`, called `name` in messages.
    ///
    /// # Errors
    ///
    /// The system's, when it gives no thread.
    pub fn start(name: &str, mut out: impl Write + Send + 'static) -> io::Result<Self> {
        let owned = name.to_owned();
        let worker = Worker::start("lines", LINE_QUEUE, move |queue: &Queue<String>| {
            drain(&owned, queue, |line| {
                out.write_all(line.as_bytes())?;
                out.flush()
            })
        })?;
        Ok(Self { worker })
    }

    /// Queues `line`, which has no line break yet; never waits.
    pub fn offer(&self, mut line: String) {
        line.push('\n');
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

fn drain<T>(name: &str, queue: &Queue<T>, mut write: impl FnMut(&T) -> io::Result<()>) -> OutputEnd {
    while let Some(item) = queue.wait_for_next() {
        match write(&item) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return OutputEnd::ReaderGone,
            Err(error) => return OutputEnd::Failed { name: name.to_owned(), reason: error.to_string() },
        }
    }
    OutputEnd::Complete
}

fn end(outcome: Option<&OutputEnd>) -> OutputEnd {
    let panicked = || OutputEnd::Failed { name: "output".into(), reason: "its thread panicked".into() };
    outcome.cloned().unwrap_or_else(panicked)
}

/// How far a reader may fall behind before frames are left out: a quarter of a second of most cameras.
pub const PIPE_QUEUE: Limit = Limit { items: 8, bytes: 32 << 20 };
/// Statistics that a reader has not taken yet.
pub const LINE_QUEUE: Limit = Limit { items: 64, bytes: 1 << 20 };
/// How long a reader may take for the rest when the program ends.
pub const PATIENCE: Duration = Duration::from_secs(1);
