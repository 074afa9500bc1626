//! Thirty images to play: one after the other in a file, in an AVI file, and in memory.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::Path;

use sealcam::codec::Encoder;
use sealcam::picture::{Colour, RawFormat, RawPicture};

use crate::scene::scene;

const WIDTH: u32 = 1920;
const HEIGHT: u32 = 1080;
/// What a USB camera makes of 1080p.
const TARGET: usize = 195_000;
const COUNT: u64 = 30;
/// Frames that the AVI file lists: the images over and over, for two minutes.
const LISTED: u32 = 120 * 30;
/// What a datagram of the floor carries.
const PIECE: usize = 1400 - 64;

/// The images.
pub(crate) struct Images {
    images: Vec<Vec<u8>>,
}

impl Images {
    /// Makes camera-like pictures and encodes them.
    pub(crate) fn new() -> Self {
        let mut encoder = Encoder::new();
        let images = (0..COUNT).map(|seed| {
            let samples = scene(WIDTH, HEIGHT, seed);
            let (format, colour, stride) = (RawFormat::Yuyv, Colour::JFIF, 2 * WIDTH);
            let (width, height) = (WIDTH, HEIGHT);
            let picture = RawPicture { samples: &samples, format, width, height, stride, colour };
            let mut encode = |quality| encoder.encode(&picture, quality).expect("a good picture").to_vec();
            let (mut low, mut high) = (1_u8, 100_u8);
            while high - low > 1 {
                let middle = low.midpoint(high);
                *if encode(middle).len() > TARGET { &mut high } else { &mut low } = middle;
            }
            // The floor could not see where an image ends that fills its last datagram.
            while encode(low).len() % PIECE == 0 {
                low -= 1;
            }
            encode(low)
        });
        Self { images: images.collect() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.images.iter().map(Vec::as_slice)
    }

    pub(crate) fn mean_len(&self) -> f64 {
        self.images.iter().map(Vec::len).sum::<usize>() as f64 / self.images.len() as f64
    }

    pub(crate) fn largest(&self) -> usize {
        self.images.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The images one after the other.
    pub(crate) fn write_plain(&self, path: &Path) -> io::Result<()> {
        fs::write(path, self.images.concat())
    }

    /// An AVI file whose index names the same images over and over.
    pub(crate) fn write_avi(&self, path: &Path) -> io::Result<()> {
        let mut movie = b"movi".to_vec();
        let mut places = Vec::new();
        for image in &self.images {
            places.push((movie.len() as u32, image.len() as u32));
            chunk(&mut movie, b"00dc", image);
        }
        let mut index = Vec::new();
        for (offset, len) in places.iter().cycle().take(LISTED as usize) {
            index.extend_from_slice(b"00dc");
            words(&mut index, &[0x10, *offset, *len]);
        }
        let mut body = b"AVI ".to_vec();
        chunk(&mut body, b"LIST", &self.avi_header());
        chunk(&mut body, b"LIST", &movie);
        chunk(&mut body, b"idx1", &index);
        let mut riff = Vec::new();
        chunk(&mut riff, b"RIFF", &body);
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(&riff)?;
        file.flush()
    }

    fn avi_header(&self) -> Vec<u8> {
        let largest = self.largest() as u32;
        let mut main = Vec::new();
        words(&mut main, &[33_333, largest * 30, 0, 0x10, LISTED, 0, 1, largest, WIDTH, HEIGHT, 0, 0, 0, 0]);
        let mut stream = b"vidsMJPG".to_vec();
        words(&mut stream, &[0, 0, 0, 1, 30, 0, LISTED, largest, u32::MAX, 0, 0, WIDTH | HEIGHT << 16]);
        let mut format = Vec::new();
        words(
            &mut format,
            &[40, WIDTH, HEIGHT, 1 | 24 << 16, u32::from_le_bytes(*b"MJPG"), largest, 0, 0, 0, 0],
        );
        let mut list = b"strl".to_vec();
        chunk(&mut list, b"strh", &stream);
        chunk(&mut list, b"strf", &format);
        let mut header = b"hdrl".to_vec();
        chunk(&mut header, b"avih", &main);
        chunk(&mut header, b"LIST", &list);
        header
    }
}

fn words(to: &mut Vec<u8>, words: &[u32]) {
    words.iter().for_each(|word| to.extend_from_slice(&word.to_le_bytes()));
}

fn chunk(to: &mut Vec<u8>, name: &[u8; 4], body: &[u8]) {
    to.extend_from_slice(name);
    words(to, &[body.len() as u32]);
    to.extend_from_slice(body);
    if !body.len().is_multiple_of(2) {
        to.push(0);
    }
}

/// Where images that follow each other without a gap lie.
pub(crate) fn split(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    for end in 2..=bytes.len() {
        if bytes[end - 2..end] == [0xff, 0xd9]
            && (end == bytes.len() || bytes[end..].starts_with(&[0xff, 0xd8]))
        {
            ranges.push(start..end);
            start = end;
        }
    }
    ranges
}
