//! Frames to standard output.

use super::frame::Frame;
use super::parts::write_all;
use crate::outlet::lines::{OutputEnd, PATIENCE, drain, end};
use crate::outlet::queue::{Limit, Queue};
use crate::outlet::worker::Worker;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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

/// How far a reader may fall behind before frames are left out: a quarter of a second of most cameras.
pub const PIPE_QUEUE: Limit = Limit { items: 8, bytes: 32 << 20 };
