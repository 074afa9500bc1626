//! Frames to pictures that the graphics card takes, in the decoder's thread.
//!
//! At most one decoded picture waits to be drawn, and nothing is decoded while it waits. So a window
//! that is hidden, or drawn by a slow machine, costs no decoding in vain, and the picture that is
//! decoded next is the newest.

use super::super::frame::Frame;
use crate::outlet::queue::Latest;
use eframe::egui::{Color32, ColorImage, Vec2};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Turns JPEG images into pixels.
pub trait Decode: Send {
    /// Decodes one image, which may lack its Huffman tables. The pixels are lent until the next call.
    ///
    /// # Errors
    ///
    /// What is wrong with the image; the next one may be good.
    fn decode(&mut self, jpeg: &[u8]) -> Result<Rgb<'_>, String>;
}

/// A decoded picture: rows from top to bottom, 3 bytes a pixel, nothing between rows.
#[derive(Debug, Clone, Copy)]
pub struct Rgb<'a> {
    /// Columns of pixels, at least 1.
    pub width: usize,
    /// Rows of pixels, at least 1.
    pub height: usize,
    /// `width * height * 3` bytes.
    pub pixels: &'a [u8],
}

/// A picture ready for the graphics card.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub(super) image: Arc<ColorImage>,
    /// The frame's size; the image is smaller where the card takes no such large ones.
    pub(super) size: Vec2,
}

/// The place between the decoder's thread and the window's.
#[derive(Debug)]
pub(super) struct Pictures {
    place: Mutex<Place>,
    changed: Condvar,
    largest_side: AtomicUsize,
    shown: AtomicU64,
    undecodable: AtomicU64,
}

#[derive(Debug, Default)]
struct Place {
    picture: Option<Picture>,
    closed: bool,
}

impl Default for Pictures {
    fn default() -> Self {
        Self {
            place: Mutex::default(),
            changed: Condvar::new(),
            largest_side: AtomicUsize::new(SMALLEST_LIMIT),
            shown: AtomicU64::new(0),
            undecodable: AtomicU64::new(0),
        }
    }
}

impl Pictures {
    /// The newest picture, once.
    pub(super) fn take(&self) -> Option<Picture> {
        let picture = self.place.lock().unwrap_or_else(PoisonError::into_inner).picture.take()?;
        self.changed.notify_all();
        self.shown.fetch_add(1, Relaxed);
        Some(picture)
    }

    /// The longest side that the graphics card takes, in pixels.
    pub(super) fn limit_side(&self, pixels: usize) {
        self.largest_side.store(pixels.max(1), Relaxed);
    }

    pub(super) fn shown(&self) -> u64 {
        self.shown.load(Relaxed)
    }

    pub(super) fn undecodable(&self) -> u64 {
        self.undecodable.load(Relaxed)
    }

    /// Ends [`Pictures::decode_from`].
    pub(super) fn close(&self) {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }

    /// Decodes the newest of `frames` whenever the last picture was taken, until both are closed.
    /// `ready` is called after each picture.
    pub(super) fn decode_from(&self, frames: &Latest<Frame>, mut decoder: impl Decode, ready: impl Fn()) {
        let mut images = Images::default();
        while self.wait_until_taken() {
            let Some(frame) = frames.wait_for_next() else { return };
            match decoder.decode(frame.jpeg()) {
                Ok(rgb) => {
                    let size = Vec2::new(rgb.width as f32, rgb.height as f32);
                    let image = images.fill(rgb, self.largest_side.load(Relaxed));
                    self.place.lock().unwrap_or_else(PoisonError::into_inner).picture =
                        Some(Picture { image, size });
                    ready();
                }
                Err(reason) => {
                    // Told once in the log; the count tells the rest.
                    if self.undecodable.fetch_add(1, Relaxed) == 0 {
                        log::warn!("frame {} cannot be decoded: {reason}", frame.stamp().number);
                    }
                }
            }
        }
    }

    /// `false` when the window is closed.
    fn wait_until_taken(&self) -> bool {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |place: &mut Place| place.picture.is_some() && !place.closed;
        !self.changed.wait_while(place, waiting).unwrap_or_else(PoisonError::into_inner).closed
    }
}

/// Images that are used again once the graphics card has taken their pixels.
#[derive(Debug, Default)]
struct Images {
    ring: [Arc<ColorImage>; RING],
    next: usize,
}

impl Images {
    /// `rgb` with sides of at most `largest_side` pixels: every second, third … pixel is left out
    /// as needed.
    fn fill(&mut self, rgb: Rgb<'_>, largest_side: usize) -> Arc<ColorImage> {
        let step = rgb.width.max(rgb.height).div_ceil(largest_side).max(1);
        let slot = &mut self.ring[self.next % RING];
        self.next = self.next.wrapping_add(1);
        if Arc::get_mut(slot).is_none() {
            *slot = Arc::default();
        }
        if let Some(image) = Arc::get_mut(slot) {
            image.size = [rgb.width.div_ceil(step), rgb.height.div_ceil(step)];
            image.source_size = Vec2::new(image.size[0] as f32, image.size[1] as f32);
            image.pixels.clear();
            image.pixels.reserve_exact(image.size[0] * image.size[1]);
            for row in rgb.pixels.chunks_exact(rgb.width * 3).step_by(step) {
                let pixels = row.as_chunks::<3>().0.iter().step_by(step);
                image.pixels.extend(pixels.map(|&[r, g, b]| Color32::from_rgb(r, g, b)));
            }
        }
        Arc::clone(slot)
    }
}

/// One on the card, one waiting, one being filled.
const RING: usize = 3;
/// What every OpenGL ES 2 card takes in practice; the window tells the real limit when it is open.
const SMALLEST_LIMIT: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_pictures_are_thinned_out() {
        // (width, height, largest side, size that comes out)
        let cases =
            [(4, 2, 4, [4, 2]), (4, 2, 3, [2, 1]), (5, 3, 4, [3, 2]), (9, 1, 2, [2, 1]), (1, 9, 1, [1, 1])];
        for (width, height, largest_side, size) in cases {
            let pixels: Vec<u8> = (0..width * height).flat_map(|n| [n as u8, 0, 255]).collect();
            let mut images = Images::default();
            let image = images.fill(Rgb { width, height, pixels: &pixels }, largest_side);
            assert_eq!(image.size, size, "{width}x{height} in {largest_side}");
            assert_eq!(image.pixels.len(), size[0] * size[1]);
            assert_eq!(image.pixels[0], Color32::from_rgb(0, 0, 255));
        }
    }

    #[test]
    fn images_are_used_again_once_they_are_free() {
        let pixels = [7; 12];
        let rgb = Rgb { width: 2, height: 2, pixels: &pixels };
        let mut images = Images::default();
        let kept = images.fill(rgb, 100);
        let address = |image: &Arc<ColorImage>| image.pixels.as_ptr();
        let free: Vec<_> = (0..2).map(|_| address(&images.fill(rgb, 100))).collect();
        let replaced = images.fill(rgb, 100);
        assert_ne!(address(&kept), address(&replaced), "an image in use was written over");
        let again: Vec<_> = (0..2).map(|_| address(&images.fill(rgb, 100))).collect();
        assert_eq!(free, again);
    }

    /// Tells an image's only scan byte, and refuses a 9.
    struct Reader(std::sync::mpsc::Sender<u64>);

    impl Decode for Reader {
        fn decode(&mut self, jpeg: &[u8]) -> Result<Rgb<'_>, String> {
            let number = jpeg[jpeg.len() - 3];
            self.0.send(number.into()).unwrap();
            if number == 9 {
                return Err("nine".to_owned());
            }
            Ok(Rgb { width: 1, height: 1, pixels: &[1, 2, 3] })
        }
    }

    /// The smallest image that is whole: one grey block whose only scan byte is `number`.
    fn image(number: u8) -> Vec<u8> {
        let head = [0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0];
        let scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, number, 0xff, 0xd9];
        [&head[..], &scan].concat()
    }

    #[test]
    fn nothing_is_decoded_while_a_picture_waits() {
        use crate::time::{Duration, Instant};
        use crate::viewer::frame::{FramePool, Stamp};
        let mut pool = FramePool::new(1 << 16);
        let mut frame = |number: u8| {
            let stamp =
                Stamp { stream: [0; 12], number: 0, captured: Duration::ZERO, arrived: Instant::ORIGIN };
            let image = image(number);
            let mut buffer = pool.buffer();
            buffer[..image.len()].copy_from_slice(&image);
            pool.adopt(buffer, image.len(), stamp).unwrap()
        };
        let (frames, pictures) = (Latest::new(), Pictures::default());
        let (decoded, seen) = std::sync::mpsc::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| pictures.decode_from(&frames, Reader(decoded), move || ready.send(()).unwrap()));
            frames.put(frame(1));
            is_ready.recv().unwrap();
            for number in 2..6 {
                frames.put(frame(number));
            }
            // The first picture waits for the window; of the others the newest is next.
            assert!(is_ready.recv_timeout(Duration::from_millis(20)).is_err());
            assert!(pictures.take().is_some());
            is_ready.recv().unwrap();
            assert!(pictures.take().is_some());
            frames.put(frame(9)); // cannot be decoded: the next one is awaited at once
            while pictures.undecodable() == 0 {
                std::thread::yield_now();
            }
            assert!(pictures.take().is_none(), "the picture before it stays");
            frames.put(frame(7));
            is_ready.recv().unwrap();
            frames.put(frame(8));
            pictures.close();
            frames.close();
        });
        assert_eq!(seen.iter().collect::<Vec<_>>(), [1, 5, 9, 7]);
        assert_eq!((pictures.shown(), pictures.undecodable()), (2, 1));
    }
}
