//! Small JPEG images for the fake camera, made by libjpeg.

use std::fs;
use std::path::Path;

use mozjpeg::{ColorSpace, Compress};

pub(crate) const WIDTH: usize = 160;
pub(crate) const HEIGHT: usize = 120;
/// How many there are.
pub(crate) const COUNT: usize = 5;

/// Whether an image carries Huffman tables.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tables {
    Own,
    /// Left out, as many USB cameras do, which means the standard ones.
    Standard,
}

/// Writes the images into a folder.
pub(crate) fn write(folder: &Path, tables: Tables) {
    for number in 0..COUNT {
        let jpeg = image(number);
        let jpeg = if tables == Tables::Standard { without_tables(&jpeg) } else { jpeg };
        fs::write(folder.join(format!("{number}.jpg")), jpeg).unwrap();
    }
}

fn image(number: usize) -> Vec<u8> {
    let mut compress = Compress::new(ColorSpace::JCS_RGB);
    compress.set_size(WIDTH, HEIGHT);
    compress.set_fastest_defaults();
    compress.set_quality(80.0);
    let mut started = compress.start_compress(Vec::new()).unwrap();
    for y in 0..HEIGHT {
        let line: Vec<u8> = (0..WIDTH)
            .flat_map(|x| [(x * 255 / WIDTH) as u8, (y * 2) as u8, ((x ^ y) * (number + 1)) as u8])
            .collect();
        started.write_scanlines(&line).unwrap();
    }
    started.finish().unwrap()
}

/// Leaves out all DHT segments.
fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    const DHT: u8 = 0xc4;
    const SOS: u8 = 0xda;
    let mut left = jpeg[..2].to_vec();
    let mut at = 2;
    loop {
        let marker = jpeg[at + 1];
        let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if marker == SOS {
            left.extend_from_slice(&jpeg[at..]);
            return left;
        }
        if marker != DHT {
            left.extend_from_slice(&jpeg[at..end]);
        }
        at = end;
    }
}
