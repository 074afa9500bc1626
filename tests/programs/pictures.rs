//! Pictures to send, and what has become of them.

use std::io::Write;
use std::process::{Command, Stdio};

use sealcam::codec::{Decoder, Encoder, RgbPicture};
use sealcam::jpeg::{RestartOffsets, walk};
use sealcam::picture::{Colour, RawFormat, RawPicture};

/// Different JPEG images of one size.
pub(crate) fn jpegs(count: usize, width: usize, height: usize) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new();
    (0..count)
        .map(|number| {
            let sample = |at: usize| {
                let (x, y) = (at % width, at / width);
                (x * 200 / width + (y ^ (number * 37)) % 56) as u8
            };
            let samples: Vec<u8> = (0..width * height).map(sample).collect();
            encode(&mut encoder, &samples, width, height, 85)
        })
        .collect()
}

/// An image of noise, which no codec makes small.
pub(crate) fn noise(width: usize, height: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let samples: Vec<u8> = (0..width * height)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect();
    encode(&mut Encoder::new(), &samples, width, height, 100)
}

fn encode(encoder: &mut Encoder, samples: &[u8], width: usize, height: usize, quality: u8) -> Vec<u8> {
    let picture = RawPicture {
        samples,
        format: RawFormat::Grey,
        width: width as u32,
        height: height as u32,
        stride: width as u32,
        colour: Colour::JFIF,
    };
    encoder.encode(&picture, quality).unwrap().to_vec()
}

/// The JPEG images of a stream of them; what follows the last whole one is left out.
pub(crate) fn split(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut images = Vec::new();
    let mut restarts = RestartOffsets::new();
    while let Ok(summary) = walk(stream, &mut restarts) {
        let (image, rest) = stream.split_at(summary.len);
        images.push(image);
        stream = rest;
    }
    images
}

/// Asserts that `received` are images of `sent`, which go round, in order and unchanged; few are missing.
#[track_caller]
pub(crate) fn assert_in_order(received: &[&[u8]], sent: &[Vec<u8>]) {
    let missing = missing(received, sent);
    assert!(missing * 4 <= received.len(), "{missing} missing among {}", received.len());
}

/// Asserts that `received` are images of `sent`, which go round, in order and unchanged; how many are missing
/// between them.
#[track_caller]
pub(crate) fn missing(received: &[&[u8]], sent: &[Vec<u8>]) -> usize {
    let mut before: Option<usize> = None;
    let mut missing = 0;
    for (nth, image) in received.iter().enumerate() {
        let at = sent.iter().position(|other| other == image);
        let at = at.unwrap_or_else(|| panic!("image {nth} of {} is none that was sent", received.len()));
        if let Some(before) = before {
            let step = (at + sent.len() - before - 1) % sent.len();
            assert!(step < sent.len() / 2, "image {nth} is number {at}, after number {before}");
            missing += step;
        }
        before = Some(at);
    }
    missing
}

/// Decodes an image.
#[track_caller]
pub(crate) fn decode(jpeg: &[u8]) -> RgbPicture {
    let mut picture = RgbPicture::default();
    Decoder::new().decode_rgb(jpeg, &mut picture).unwrap();
    assert!(!picture.damaged);
    picture
}

pub(crate) fn size(jpeg: &[u8]) -> (u32, u32) {
    let summary = walk(jpeg, &mut RestartOffsets::new()).unwrap();
    (summary.width.into(), summary.height.into())
}

/// Peak signal-to-noise ratio of samples that differ from `expected` \[dB\].
#[track_caller]
pub(crate) fn psnr(got: &[u8], expected: impl ExactSizeIterator<Item = u8>) -> f64 {
    assert_eq!(got.len(), expected.len());
    let squares: u64 = got.iter().zip(expected).map(|(a, b)| u64::from(a.abs_diff(b)).pow(2)).sum();
    let mean = squares as f64 / got.len() as f64;
    10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10()
}

/// Runs ffmpeg or ffprobe with words as arguments; `None`, with a word about it, where it is missing.
pub(crate) fn ff(program: &str, args: &str, input: &[u8]) -> Option<(Vec<u8>, String)> {
    let child = Command::new(program)
        .args(args.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: {program} is not installed");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program}: {errors}");
    Some((output.stdout, errors))
}
