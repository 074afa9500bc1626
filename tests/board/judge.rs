//! What a received frame is, by means other than the program's own: a marker walk and ffmpeg.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// The length of the JPEG at the start of `bytes`, once it is all there.
pub(crate) fn jpeg_length(bytes: &[u8]) -> Option<usize> {
    assert!(
        bytes.starts_with(&[0xff, 0xd8]) || bytes.len() < 2,
        "no JPEG: {:02x?}",
        &bytes[..bytes.len().min(8)]
    );
    let mut at = 2;
    loop {
        let marker = *bytes.get(at + 1)?;
        if bytes[at] != 0xff || marker == 0x00 || (0xd0..=0xd7).contains(&marker) {
            at += 1; // inside the coded picture
        } else if marker == 0xd9 {
            return Some(at + 2);
        } else {
            at += 2 + usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]));
        }
    }
}

/// The JPEGs of a stream of JPEGs.
pub(crate) fn jpegs_in(mut stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (jpeg, rest) = stream.split_at_checked(jpeg_length(stream)?)?;
        stream = rest;
        Some(jpeg)
    })
}

/// Width and height from the frame header.
fn size_of(jpeg: &[u8]) -> (usize, usize) {
    let mut at = 2;
    while !(0xc0..=0xc2).contains(&jpeg[at + 1]) {
        at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    }
    let number = |i: usize| usize::from(u16::from_be_bytes([jpeg[at + i], jpeg[at + i + 1]]));
    (number(7), number(5))
}

/// A picture as JPEG means it: full-range BT.601, chroma at half the width.
pub(crate) struct Picture {
    width: usize,
    height: usize,
    /// Y, Cb, Cr, each row by row without padding.
    planes: [Vec<u8>; 3],
}

impl Picture {
    /// Decodes with ffmpeg, which is not the library that encoded it.
    pub(crate) fn from_jpeg(jpeg: &[u8]) -> Self {
        let (width, height) = size_of(jpeg);
        let mut ffmpeg = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "mjpeg", "-i", "-", "-frames:v", "1"])
            .args(["-f", "rawvideo", "-pix_fmt", "yuvj422p", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("ffmpeg runs");
        let mut stdin = ffmpeg.stdin.take().expect("piped");
        let bytes = jpeg.to_vec();
        // It may stop reading before the last byte.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
        let output = ffmpeg.wait_with_output().expect("ffmpeg ends");
        writer.join().expect("the writer ends");
        let half = width.div_ceil(2);
        assert_eq!(output.stdout.len(), (width + 2 * half) * height, "ffmpeg could not decode a frame");
        let (luma, chroma) = output.stdout.split_at(width * height);
        let (cb, cr) = chroma.split_at(half * height);
        Self { width, height, planes: [luma.to_vec(), cb.to_vec(), cr.to_vec()] }
    }

    /// From packed 4:2:2 in the range of television: luma 16..=235, chroma 16..=240.
    pub(crate) fn from_limited_range_yuyv(width: usize, height: usize, yuyv: &[u8]) -> Self {
        assert_eq!(yuyv.len(), width * height * 2, "a whole YUYV picture");
        let luma = |y: u8| ((f64::from(y) - 16.0) * 255.0 / 219.0).round().clamp(0.0, 255.0) as u8;
        let chroma = |c: u8| ((f64::from(c) - 128.0) * 255.0 / 224.0 + 128.0).round().clamp(0.0, 255.0) as u8;
        let every = |first: usize, step: usize, expand: &dyn Fn(u8) -> u8| {
            yuyv.iter().skip(first).step_by(step).map(|sample| expand(*sample)).collect()
        };
        Self { width, height, planes: [every(0, 2, &luma), every(1, 4, &chroma), every(3, 4, &chroma)] }
    }

    pub(crate) fn is_size_of(&self, other: &Self) -> bool {
        (self.width, self.height) == (other.width, other.height)
    }

    /// Similarity of the least similar plane [dB], so that a wrong hue is not outweighed by right brightness.
    pub(crate) fn psnr(&self, other: &Self) -> f64 {
        assert!(
            self.is_size_of(other),
            "{}x{} and {}x{}",
            self.width,
            self.height,
            other.width,
            other.height
        );
        let plane = |a: &[u8], b: &[u8]| {
            let squares: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
            10.0 * (255.0 * 255.0 * a.len() as f64 / (squares.max(1) as f64)).log10()
        };
        self.planes.iter().zip(&other.planes).map(|(a, b)| plane(a, b)).fold(f64::INFINITY, f64::min)
    }
}
