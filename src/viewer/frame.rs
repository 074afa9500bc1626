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
    /// Longer than the image: as long as the largest one may be.
    buffer: Box<[u8]>,
    stamp: Stamp,
    summary: Summary,
    home: Arc<Spare>,
}

impl Frame {
    /// The image as received, SOI to EOI; it may lack its Huffman tables.
    #[must_use]
    pub fn jpeg(&self) -> &[u8] {
        // `adopt` has checked the length.
        self.held.buffer.get(..self.held.summary.len).unwrap_or_default()
    }

    /// The image in three parts to be written one after the other: the standard Huffman tables
    /// stand in the middle where the camera left them out, else that part is empty.
    #[must_use]
    pub fn with_tables(&self) -> [&[u8]; 3] {
        jpeg::with_tables(self.jpeg(), &self.held.summary)
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
        self.home.give_back(std::mem::take(&mut self.buffer));
    }
}

/// Makes frames out of received bytes without copying them, in buffers that are used again.
///
/// It puts no limit on the frames in use: the queues of the outlets do that. At most [`SPARE_BUFFERS`]
/// wait for their next frame. Only the pages of a buffer that were ever written to take memory.
#[derive(Debug)]
pub struct FramePool {
    spare: Arc<Spare>,
    buffer_len: usize,
    restarts: RestartOffsets,
}

impl FramePool {
    /// A pool of buffers for frames of up to `buffer_len` bytes.
    #[must_use]
    pub fn new(buffer_len: usize) -> Self {
        Self { spare: Arc::default(), buffer_len, restarts: RestartOffsets::new() }
    }

    /// A buffer to receive into, with anything in it.
    #[must_use]
    pub fn buffer(&self) -> Box<[u8]> {
        self.spare.take().unwrap_or_else(|| vec![0; self.buffer_len].into_boxed_slice())
    }

    /// Makes a frame of the image in the first `len` bytes of `buffer`; padding behind it does not count.
    ///
    /// # Errors
    ///
    /// What is wrong with the image, if it is no whole one: no outlet could use it.
    pub fn adopt(&mut self, buffer: Box<[u8]>, len: usize, stamp: Stamp) -> Result<Frame, Defect> {
        match jpeg::walk(buffer.get(..len).unwrap_or_default(), &mut self.restarts) {
            Ok(summary) => {
                Ok(Frame { held: Arc::new(Held { buffer, stamp, summary, home: Arc::clone(&self.spare) }) })
            }
            Err(defect) => {
                self.spare.give_back(buffer);
                Err(defect)
            }
        }
    }
}

/// Buffers without a frame.
#[derive(Debug, Default)]
struct Spare {
    buffers: Mutex<Vec<Box<[u8]>>>,
}

impl Spare {
    /// The one that was in use last: its memory is warm.
    fn take(&self) -> Option<Box<[u8]>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, buffer: Box<[u8]>) {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.len() < SPARE_BUFFERS {
            buffers.push(buffer);
        }
    }
}

/// The most buffers that wait for their next frame.
pub const SPARE_BUFFERS: usize = 8;
