use super::testing::{COLOURS, FORMATS, Rgb, look, psnr};
use super::{CodecError, Decoder, Encoder, RgbPicture};
use crate::jpeg::{Process, Sampling};
use crate::picture::{Colour, RawFormat};

fn decode(jpeg: &[u8]) -> RgbPicture {
    let mut picture = RgbPicture::default();
    Decoder::new().decode_rgb(jpeg, &mut picture).expect("a good image");
    assert!(!picture.damaged);
    picture
}

/// What RGB a format can carry: its luma, if it has no chroma.
fn carried(scene: &Rgb, format: RawFormat) -> Vec<u8> {
    if format != RawFormat::Grey {
        return scene.pixels.as_flattened().to_vec();
    }
    let luma =
        |[r, g, b]: [u8; 3]| (0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b)).round();
    scene.pixels.iter().flat_map(|&pixel| [luma(pixel) as u8; 3]).collect()
}

#[test]
fn every_format_and_colour_survives() {
    let scene = Rgb::scene(320, 240);
    let mut encoder = Encoder::new();
    for format in FORMATS {
        for colour in COLOURS {
            if format == RawFormat::Grey && colour.matrix != Colour::JFIF.matrix {
                continue; // grey has no chroma to turn luma by
            }
            let raw = scene.to_raw(format, colour, 0);
            let jpeg = encoder.encode(&raw.picture(), 92).expect("a good picture");
            let quality = psnr(&decode(jpeg).pixels, &carried(&scene, format));
            assert!(quality > 36.0, "{format} {colour:?}: {quality:.1} dB");
        }
    }
}

#[test]
fn known_colours_come_out_as_they_went_in() {
    let patches =
        [[0; 3], [255; 3], [128; 3], [255, 0, 0], [0, 255, 0], [0, 0, 255], [20, 90, 200], [200, 180, 40]];
    let mut encoder = Encoder::new();
    for patch in patches {
        let scene = Rgb::solid(32, 32, patch);
        for format in FORMATS.into_iter().filter(|&format| format != RawFormat::Grey) {
            for colour in COLOURS {
                let raw = scene.to_raw(format, colour, 0);
                let jpeg = encoder.encode(&raw.picture(), 95).expect("a good picture");
                let seen = decode(jpeg).pixels;
                let off = seen.iter().zip(patch.iter().cycle()).map(|(a, b)| a.abs_diff(*b)).max();
                assert!(off <= Some(5), "{format} {colour:?} {patch:?} became {:?}", &seen[..3]);
            }
        }
    }
}

#[test]
fn any_size_is_whole_to_the_edge() {
    let mut encoder = Encoder::new();
    for (width, height) in
        [(1, 1), (2, 1), (1, 2), (3, 3), (15, 17), (16, 16), (17, 15), (33, 31), (161, 119)]
    {
        let scene = Rgb::from_fn(width, height, |x, y| [(60 + x) as u8, (90 + y) as u8, 100]);
        for format in FORMATS {
            let raw = scene.to_raw(format, Colour::JFIF, 0);
            let jpeg = encoder.encode(&raw.picture(), 97).expect("a good picture");
            let (summary, _) = look(jpeg);
            assert_eq!((usize::from(summary.width), usize::from(summary.height)), (width, height));
            let seen = decode(jpeg).pixels;
            let off = seen.iter().zip(carried(&scene, format)).map(|(a, b)| a.abs_diff(b)).max();
            assert!(off <= Some(8), "{format} {width}x{height}: {off:?}");
        }
    }
}

#[test]
fn rubbish_behind_lines_does_not_matter() {
    let scene = Rgb::scene(70, 35);
    for format in FORMATS {
        let (tight, padded) =
            (scene.to_raw(format, Colour::default(), 0), scene.to_raw(format, Colour::default(), 58));
        assert_ne!(tight.stride, padded.stride);
        let expected = Encoder::new().encode(&tight.picture(), 80).map(<[u8]>::to_vec);
        assert_eq!(Encoder::new().encode(&padded.picture(), 80).map(<[u8]>::to_vec), expected, "{format}");
    }
}

#[test]
fn a_stride_of_exactly_an_odd_width_is_enough() {
    for format in [RawFormat::Nv12, RawFormat::Yu12, RawFormat::Grey] {
        let mut raw = Rgb::solid(33, 33, [90, 90, 90]).to_raw(format, Colour::JFIF, 0);
        raw.stride = 33;
        raw.samples.truncate(format.picture_len(33, 33) as usize);
        let mut encoder = Encoder::new();
        let jpeg = encoder.encode(&raw.picture(), 90).expect("a good picture");
        assert_eq!(look(jpeg).0.width, 33, "{format}");
    }
}

#[test]
fn rows_end_with_restart_markers() {
    // (format, sampling, MCU width, MCU height)
    let cases = [
        (RawFormat::Yuyv, Sampling::S422, 16, 8),
        (RawFormat::Uyvy, Sampling::S422, 16, 8),
        (RawFormat::Rgb24, Sampling::S422, 16, 8),
        (RawFormat::Nv12, Sampling::S420, 16, 16),
        (RawFormat::Yu12, Sampling::S420, 16, 16),
        (RawFormat::Grey, Sampling::Grey, 8, 8),
    ];
    let scene = Rgb::scene(200, 100);
    for (format, sampling, across, down) in cases {
        let mut encoder = Encoder::new();
        let raw = scene.to_raw(format, Colour::JFIF, 0);
        let (summary, restarts) = look(encoder.encode(&raw.picture(), 75).expect("a good picture"));
        assert_eq!(summary.sampling, Some(sampling), "{format}");
        assert_eq!(summary.process, Process::Baseline);
        assert_eq!(usize::from(summary.restart_interval), 200usize.div_ceil(across), "{format}");
        assert_eq!(restarts, 100usize.div_ceil(down) - 1, "{format}");
        assert!(summary.has_huffman_tables);
    }
}

#[test]
fn every_quality_is_baseline_and_its_own() {
    let raw = Rgb::scene(48, 32).to_raw(RawFormat::Yuyv, Colour::JFIF, 0);
    let mut encoder = Encoder::new();
    for quality in 1..=100 {
        let (summary, _) = look(encoder.encode(&raw.picture(), quality).expect("a good picture"));
        assert_eq!((summary.process, summary.quality), (Process::Baseline, Some(quality)));
    }
    let ends = [(0, 1), (255, 100)];
    for (asked, given) in ends {
        let (summary, _) = look(encoder.encode(&raw.picture(), asked).expect("a good picture"));
        assert_eq!(summary.quality, Some(given));
    }
}

#[test]
fn what_was_before_leaves_no_trace() {
    let mut encoder = Encoder::new();
    for (round, &(width, height)) in
        [(64, 48), (300, 200), (17, 301), (64, 48), (1, 1)].iter().cycle().take(15).enumerate()
    {
        let format = FORMATS[round % FORMATS.len()];
        let raw = Rgb::scene(width, height).to_raw(format, COLOURS[round % 3], 4);
        let quality = (round * 17 % 100) as u8;
        let fresh = Encoder::new().encode(&raw.picture(), quality).map(<[u8]>::to_vec);
        assert_eq!(encoder.encode(&raw.picture(), quality).map(<[u8]>::to_vec), fresh);
    }
}

#[test]
fn a_picture_that_outgrows_the_buffer_is_encoded_again() {
    let mut random = super::testing::Random(7);
    let mut raw = Rgb::solid(640, 480, [0; 3]).to_raw(RawFormat::Yuyv, Colour::JFIF, 0);
    raw.samples.fill_with(|| random.below(256) as u8);
    let mut encoder = Encoder::new();
    let jpeg = encoder.encode(&raw.picture(), 100).expect("a good picture").to_vec();
    assert!(jpeg.len() > 640 * 480, "noise at the highest quality is large: {}", jpeg.len());
    look(&jpeg);
    assert_eq!(encoder.encode(&raw.picture(), 100).map(<[u8]>::to_vec), Ok(jpeg));
}

#[test]
fn contradictions_are_named() {
    let good = Rgb::scene(64, 48).to_raw(RawFormat::Yu12, Colour::JFIF, 0);
    let mut encoder = Encoder::new();
    let mut short = good.picture();
    short.samples = &good.samples[..good.samples.len() - 1];
    assert_eq!(
        encoder.encode(&short, 80).map(<[u8]>::len),
        Err(CodecError::Short { len: 4607, least: 4608 })
    );
    let narrow = crate::picture::RawPicture { stride: 63, ..good.picture() };
    assert_eq!(
        encoder.encode(&narrow, 80).map(<[u8]>::len),
        Err(CodecError::Stride { stride: 63, least: 64 })
    );
    for (width, height) in [(0, 48), (64, 0), (65_501, 1), (65_000, 65_000)] {
        let odd = crate::picture::RawPicture { width, height, stride: u32::MAX, ..good.picture() };
        assert_eq!(encoder.encode(&odd, 80).map(<[u8]>::len), Err(CodecError::Size { width, height }));
    }
    assert!(encoder.encode(&good.picture(), 80).is_ok());
}
