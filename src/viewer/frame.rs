//! One whole JPEG image as it was received, shared between the outlets.

use crate::jpeg::{self, Defect, RestartOffsets, Summary};
use crate::time::{Duration, Instant};
use std::sync::{Arc, Mutex, PoisonError};

/// Where and when a frame belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The stream that it is part of; capture times of two streams cannot be compared.
    pub stream: [u8; 12],
    /// Its number in that stream.
    pub number: u64,
    /// When the camera took it, since that stream's start.
    pub captured: Duration,
    /// When it was whole here.
    pub arrived: Instant,
}

/// A whole JPEG image. A clone is another handle on the same bytes; the bytes go back to the
/// [`FramePool`] with the last handle.
#[derive(Debug, Clone)]
pub struct Frame {
    held: Arc<Held>,
}

#[derive(Debug)]
struct Held {
    jpeg: Vec<u8>,
    stamp: Stamp,
    summary: Summary,
    home: Arc<Spare>,
}

impl Frame {
    /// The image as received, SOI to EOI; it may lack its Huffman tables.
    #[must_use]
    pub fn jpeg(&self) -> &[u8] {
        &self.held.jpeg
    }

    /// The image in three parts to be written one after the other: the standard Huffman tables
    /// stand in the middle where the camera left them out, else that part is empty.
    #[must_use]
    pub fn with_tables(&self) -> [&[u8]; 3] {
        jpeg::with_tables(&self.held.jpeg, &self.held.summary)
    }

    /// Where and when it belongs.
    #[must_use]
    pub fn stamp(&self) -> &Stamp {
        &self.held.stamp
    }

    /// Width and height in pixels, never 0.
    #[must_use]
    pub fn size(&self) -> (u16, u16) {
        (self.held.summary.width, self.held.summary.height)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.jpeg));
    }
}

/// Makes frames out of received bytes, in buffers that are used again.
///
/// It puts no limit on the frames in use: the queues of the outlets do that. The buffers that wait
/// for their next frame are limited to [`SPARE_BUFFERS`] and [`SPARE_BYTES`].
#[derive(Debug, Default)]
pub struct FramePool {
    spare: Arc<Spare>,
    restarts: RestartOffsets,
}

impl FramePool {
    /// An empty pool.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Copies `jpeg` into a frame, without the padding after its end.
    ///
    /// # Errors
    ///
    /// What is wrong with `jpeg`, if it is no whole JPEG image: no outlet could use it.
    pub fn keep(&mut self, jpeg: &[u8], stamp: Stamp) -> Result<Frame, Defect> {
        let summary = jpeg::walk(jpeg, &mut self.restarts)?;
        let mut buffer = self.spare.take();
        buffer.clear();
        buffer.extend_from_slice(&jpeg[..summary.len]);
        Ok(Frame { held: Arc::new(Held { jpeg: buffer, stamp, summary, home: Arc::clone(&self.spare) }) })
    }
}

/// Buffers without a frame.
#[derive(Debug, Default)]
struct Spare {
    buffers: Mutex<Vec<Vec<u8>>>,
}

impl Spare {
    fn take(&self) -> Vec<u8> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, buffer: Vec<u8>) {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: usize = buffers.iter().map(Vec::capacity).sum();
        if buffers.len() < SPARE_BUFFERS && bytes + buffer.capacity() <= SPARE_BYTES {
            buffers.push(buffer);
        }
    }
}

/// The most buffers that wait for their next frame.
pub const SPARE_BUFFERS: usize = 8;
/// The most bytes in buffers that wait for their next frame.
pub const SPARE_BYTES: usize = 32 << 20;
