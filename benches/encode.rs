//! What the codec costs beside bare libjpeg: `cargo bench --bench encode`.
//!
//! Product and floor take turns on the same pictures in one run; figures are medians of the thread's
//! CPU time. `-- walk` takes only the walk over markers. Absolute times are of no use across machines:
//! the ratios are. Exits with 1 if one is over its bound.

#![allow(unsafe_code, reason = "calls libjpeg and the clock directly")]

mod bare_jpeg;
mod scene;

use std::io::{self, Write};
use std::process::ExitCode;

use bare_jpeg::{BareEncoder, BareTranscoder};
use scene::scene;
use sealcam::codec::{Decoder, Encoder, PlanarPicture, Requantiser, RgbPicture};
use sealcam::jpeg::{RestartOffsets, walk};
use sealcam::picture::{Colour, Matrix, Range, RawFormat, RawPicture};

const ROUNDS: usize = 41;

fn main() -> io::Result<ExitCode> {
    let mut out = io::stdout();
    let only_walk = std::env::args().any(|argument| argument == "walk");
    walking(&mut out)?;
    if only_walk {
        return Ok(ExitCode::SUCCESS);
    }
    let mut good = true;
    for (width, height) in [(1920, 1080), (1280, 720)] {
        let scenes: Vec<Vec<u8>> = (1..4).map(|seed| scene(width, height, seed)).collect();
        good &= encoding(&mut out, &scenes, width, height)?;
        good &= requantising(&mut out, &scenes, width, height)?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn encoding(out: &mut impl Write, scenes: &[Vec<u8>], width: u32, height: u32) -> io::Result<bool> {
    let mut bare = BareEncoder::new(width as usize, height as usize, 80);
    let (mut product, mut limited, mut turned) = (Encoder::new(), Encoder::new(), Encoder::new());
    let mut bytes = 0;
    for samples in scenes {
        let jpeg = product.encode(&yuyv(samples, width, height, Colour::JFIF), 80).expect("a good picture");
        assert!(jpeg == bare.encode_yuyv(samples), "product and floor must make equal bytes");
        bytes += jpeg.len();
    }
    let hd = Colour { matrix: Matrix::Bt709, range: Range::Limited };
    let [floor, ours, limited, turned] = medians(
        scenes,
        &mut [
            &mut |samples| keep(bare.encode_yuyv(samples)),
            &mut |samples| keep(product.encode(&yuyv(samples, width, height, Colour::JFIF), 80)),
            &mut |samples| keep(limited.encode(&yuyv(samples, width, height, Colour::default()), 80)),
            &mut |samples| keep(turned.encode(&yuyv(samples, width, height, hd), 80)),
        ],
    );
    writeln!(out, "encode YUYV {width}x{height} q80, {} kB a frame", bytes / scenes.len() / 1000)?;
    writeln!(out, "  bare libjpeg            {floor:8.0} us")?;
    let good = line(out, "product", ours, floor, Some(1.05))?;
    line(out, "product, limited range", limited, floor, None)?;
    line(out, "product, limited BT.709", turned, floor, None)?;
    Ok(good)
}

fn requantising(out: &mut impl Write, scenes: &[Vec<u8>], width: u32, height: u32) -> io::Result<bool> {
    let mut encoder = Encoder::new();
    let images: Vec<Vec<u8>> = scenes
        .iter()
        .map(|samples| {
            encoder.encode(&yuyv(samples, width, height, Colour::JFIF), 90).expect("a picture").to_vec()
        })
        .collect();
    let mut bare = BareTranscoder::new(width as usize, height as usize, 60);
    let (mut product, mut decoder) = (Requantiser::new(), Decoder::new());
    let (mut planes, mut rgb) = (PlanarPicture::new(), RgbPicture::default());
    let (mut before, mut theirs, mut ours, mut better) = (0, 0, 0, 0.0);
    for (image, samples) in images.iter().zip(scenes) {
        let mut luma_psnr = |jpeg: &[u8]| {
            decoder.decode_planar(jpeg, &mut planes).expect("a good image");
            luma_psnr(&planes, samples)
        };
        let (one, other) = (bare.transcode(image), product.requantise(image, 60).expect("a good image"));
        (before, theirs, ours) = (before + image.len(), theirs + one.len(), ours + other.len());
        better += (luma_psnr(other) - luma_psnr(one)) / scenes.len() as f64;
    }
    let [floor, requantised, planar, coloured] = medians(
        &images,
        &mut [
            &mut |image| keep(bare.transcode(image)),
            &mut |image| keep(product.requantise(image, 60)),
            &mut |image| decoder.decode_planar(image, &mut planes).expect("a good image"),
            &mut |image| Decoder::new().decode_rgb(image, &mut rgb).expect("a good image"),
        ],
    );
    let kilobytes = [before, theirs, ours].map(|sum| sum / images.len() / 1000);
    writeln!(out, "requantise {width}x{height} q90 to q60, {} kB a frame", kilobytes[0])?;
    writeln!(out, "  decode and encode YUV   {floor:8.0} us, {} kB", kilobytes[1])?;
    let good = line(out, "product", requantised, floor, Some(0.78))?;
    writeln!(out, "    {} kB, luma {better:+.2} dB", kilobytes[2])?;
    line(out, "decode to planes", planar, floor, None)?;
    line(out, "decode to RGB", coloured, floor, None)?;
    Ok(good && ours as f64 <= 1.01 * theirs as f64 && better >= -0.05)
}

fn walking(out: &mut impl Write) -> io::Result<()> {
    // About 200 kB at this quality.
    let samples = scene(1920, 1080, 5);
    let mut encoder = Encoder::new();
    let image = encoder.encode(&yuyv(&samples, 1920, 1080, Colour::JFIF), 70).expect("a good picture");
    let mut restarts = RestartOffsets::new();
    let [time] = medians(
        &[image.to_vec()],
        &mut [&mut |image| {
            for _ in 0..100 {
                std::hint::black_box(walk(std::hint::black_box(image), &mut restarts).expect("a good image"));
            }
        }],
    );
    let for_200 = time / 100.0 * 200_000.0 / image.len() as f64;
    writeln!(out, "walk over {} kB with {} restart markers", image.len() / 1000, restarts.as_slice().len())?;
    writeln!(out, "  product                 {for_200:8.1} us for 200 kB")
}

fn line(out: &mut impl Write, name: &str, time: f64, floor: f64, bound: Option<f64>) -> io::Result<bool> {
    let ratio = time / floor;
    let verdict = match bound {
        Some(bound) if ratio <= bound => format!(" (bound {bound})"),
        Some(bound) => format!(" OVER the bound of {bound}"),
        None => String::new(),
    };
    writeln!(out, "  {name:<23} {time:8.0} us, {ratio:.3}{verdict}")?;
    Ok(bound.is_none_or(|bound| ratio <= bound))
}

/// Lets no compiler think the result is not wanted.
fn keep<T>(result: T) {
    std::hint::black_box(result);
}

/// One way to do the work, for one input.
type Contestant<'a> = &'a mut dyn FnMut(&[u8]);

/// Median microseconds of each contestant over all inputs, by turns.
fn medians<const N: usize>(inputs: &[Vec<u8>], contestants: &mut [Contestant<'_>; N]) -> [f64; N] {
    let mut times = [const { Vec::new() }; N];
    for round in 0..ROUNDS + 2 {
        let input = &inputs[round % inputs.len()];
        for (contestant, times) in contestants.iter_mut().zip(&mut times) {
            let start = cpu_time();
            contestant(input);
            let spent = cpu_time() - start;
            if round >= 2 {
                times.push(spent);
            }
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

/// CPU time of this thread in microseconds.
fn cpu_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: fills the struct it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn yuyv(samples: &[u8], width: u32, height: u32, colour: Colour) -> RawPicture<'_> {
    RawPicture { samples, format: RawFormat::Yuyv, width, height, stride: 2 * width, colour }
}

fn luma_psnr(planes: &PlanarPicture, samples: &[u8]) -> f64 {
    let plane = &planes.planes()[0];
    let lines = samples.chunks_exact(2 * plane.width()).enumerate();
    let squares: f64 = lines
        .flat_map(|(row, line)| line.iter().step_by(2).zip(plane.row(row)))
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
        .sum();
    10.0 * (255.0 * 255.0 * (samples.len() / 2) as f64 / squares).log10()
}
