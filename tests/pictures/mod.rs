//! JPEG images for tests.

use mozjpeg::{ColorSpace, Compress};
use sealcam::time::{Duration, Instant};
use sealcam::viewer::frame::{Frame, FramePool, Stamp};

/// An image whose pixel at column x and row y is `colour(x, y)`, with the standard Huffman tables.
pub(crate) fn jpeg(width: usize, height: usize, colour: impl Fn(usize, usize) -> [u8; 3]) -> Vec<u8> {
    let mut compress = Compress::new(ColorSpace::JCS_RGB);
    compress.set_size(width, height);
    compress.set_fastest_defaults();
    compress.set_optimize_coding(false);
    compress.set_quality(90.0);
    let mut started = compress.start_compress(Vec::new()).expect("an encoder");
    let pixels: Vec<u8> =
        (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| colour(x, y)).collect();
    started.write_scanlines(&pixels).expect("pixels");
    started.finish().expect("an image")
}

/// An image of one shade.
pub(crate) fn grey(width: usize, height: usize, shade: u8) -> Vec<u8> {
    jpeg(width, height, |_, _| [shade; 3])
}

/// `jpeg` as many USB cameras send it: without its Huffman tables.
pub(crate) fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    let mut bare = jpeg[..2].to_vec();
    let mut at = 2;
    loop {
        let (marker, len) = (jpeg[at + 1], usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]])));
        if marker != 0xc4 {
            bare.extend_from_slice(&jpeg[at..at + 2 + len]);
        }
        at += 2 + len;
        if marker == 0xda {
            bare.extend_from_slice(&jpeg[at..]);
            return bare;
        }
    }
}

/// Frames of one stream.
pub(crate) struct Stream {
    pool: FramePool,
    number: u64,
}

impl Stream {
    pub(crate) fn new() -> Self {
        Self { pool: FramePool::new(1 << 20), number: 0 }
    }

    /// The next frame, captured so many microseconds after the stream's start.
    pub(crate) fn frame(&mut self, jpeg: &[u8], micros: u64) -> Frame {
        self.number += 1;
        let stamp = Stamp {
            stream: [1; 12],
            number: self.number,
            captured: Duration::from_micros(micros),
            arrived: Instant::from_micros(9_000_000 + micros),
        };
        let mut buffer = self.pool.buffer();
        buffer[..jpeg.len()].copy_from_slice(jpeg);
        self.pool.adopt(buffer, jpeg.len(), stamp).expect("a whole image")
    }
}
