use mozjpeg::{ColorSpace, Compress};

use super::testing::{Random, Rgb, look, psnr, without};
use super::{CodecError, Decoder, Encoder, Requantiser, RgbPicture};
use crate::jpeg::Process;
use crate::picture::{Colour, RawFormat};

fn encode(format: RawFormat, quality: u8) -> Vec<u8> {
    let raw = Rgb::scene(330, 250).to_raw(format, Colour::JFIF, 0);
    Encoder::new().encode(&raw.picture(), quality).expect("a good picture").to_vec()
}

fn decode(jpeg: &[u8]) -> Vec<u8> {
    let mut picture = RgbPicture::default();
    Decoder::new().decode_rgb(jpeg, &mut picture).expect("a good image");
    assert!(!picture.damaged);
    picture.pixels
}

#[test]
fn smaller_and_nearly_as_good_as_encoded_at_once() {
    let scene = Rgb::scene(330, 250);
    for (format, sampling_rows) in [(RawFormat::Yuyv, 8), (RawFormat::Nv12, 16), (RawFormat::Grey, 8)] {
        let (source, direct) = (encode(format, 90), encode(format, 60));
        let mut requantiser = Requantiser::new();
        let result = requantiser.requantise(&source, 60).expect("a good image");
        let (summary, restarts) = look(result);
        assert_eq!((summary.process, summary.quality), (Process::Baseline, Some(60)), "{format}");
        assert_eq!(summary.sampling, look(&source).0.sampling);
        assert_eq!(restarts, 250usize.div_ceil(sampling_rows) - 1);
        assert!(result.len() < source.len() * 7 / 10, "{} of {}", result.len(), source.len());
        let (got, best) = (psnr(&decode(result), &decode(&source)), psnr(&decode(&direct), &decode(&source)));
        assert!(got > best - 0.5, "{format}: {got:.2} dB for {best:.2}");
        if format != RawFormat::Grey {
            assert!(psnr(&decode(result), scene.pixels.as_flattened()) > 33.0);
        }
        assert_eq!(requantiser.warnings(), 0);
    }
}

#[test]
fn more_quality_than_there_is_changes_nothing_to_see() {
    let source = encode(RawFormat::Yuyv, 50);
    let mut requantiser = Requantiser::new();
    let result = requantiser.requantise(&source, 95).expect("a good image");
    assert_eq!(decode(result), decode(&source));
    assert_eq!(look(result).0.quality, Some(50));
}

#[test]
fn missing_huffman_tables_are_the_standard_ones() {
    let source = encode(RawFormat::Yuyv, 90);
    let bare = without(&source, 0xc4);
    assert!(!look(&bare).0.has_huffman_tables);
    let mut requantiser = Requantiser::new();
    let expected = requantiser.requantise(&source, 40).expect("a good image").to_vec();
    // An image with tables of its own in between must not leave them behind.
    let own = compress(|with| with.set_optimize_coding(true));
    requantiser.requantise(&own, 40).expect("a good image");
    assert_eq!(requantiser.requantise(&bare, 40), Ok(&expected[..]));
}

fn compress(set: impl FnOnce(&mut Compress)) -> Vec<u8> {
    let scene = Rgb::scene(200, 120);
    let mut with = Compress::new(ColorSpace::JCS_RGB);
    with.set_size(200, 120);
    with.set_fastest_defaults();
    with.set_quality(90.0);
    set(&mut with);
    let mut started = with.start_compress(Vec::new()).expect("memory");
    started.write_scanlines(scene.pixels.as_flattened()).expect("memory");
    started.finish().expect("memory")
}

#[test]
fn other_kinds_of_images_become_baseline() {
    let images = [
        compress(Compress::set_progressive_mode),
        compress(|with| with.set_chroma_sampling_pixel_sizes((1, 1), (1, 1))),
        compress(|with| with.set_chroma_sampling_pixel_sizes((1, 2), (1, 2))),
        compress(|with| with.set_color_space(ColorSpace::JCS_RGB)),
        compress(|with| with.set_optimize_coding(true)),
    ];
    let mut requantiser = Requantiser::new();
    for image in images {
        let result = requantiser.requantise(&image, 50).expect("a good image");
        assert_eq!(look(result).0.process, Process::Baseline);
        assert!(psnr(&decode(result), &decode(&image)) > 30.0);
        assert!(result.len() < image.len());
    }
}

#[test]
fn a_grey_image_may_claim_any_sampling() {
    let plain = encode(RawFormat::Grey, 90);
    let mut odd = plain.clone();
    let sof = odd.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame header");
    odd[sof + 11] = 0x22;
    let mut requantiser = Requantiser::new();
    let expected = requantiser.requantise(&plain, 50).map(decode);
    assert_eq!(requantiser.requantise(&odd, 50).map(decode), expected);
    let mut planes = [super::PlanarPicture::new(), super::PlanarPicture::new()];
    for (image, planes) in [&plain, &odd].into_iter().zip(&mut planes) {
        Decoder::new().decode_planar(image, planes).expect("a good image");
    }
    let [one, other] = planes.each_ref().map(|picture| &picture.planes()[0]);
    assert!((0..250).all(|row| one.row(row) == other.row(row)));
}

#[test]
fn tables_of_an_earlier_image_are_not_taken() {
    let good = encode(RawFormat::Yuyv, 90);
    let mut requantiser = Requantiser::new();
    assert!(requantiser.requantise(&good, 50).is_ok());
    let outcome = requantiser.requantise(&without(&good, 0xdb), 50).map(<[u8]>::len);
    assert!(matches!(outcome, Err(CodecError::Broken(_))), "{outcome:?}");
}

#[test]
fn damage_stays_with_the_damaged_image() {
    let sources =
        [encode(RawFormat::Yuyv, 80), encode(RawFormat::Nv12, 80), compress(Compress::set_progressive_mode)];
    let mut requantiser = Requantiser::new();
    let expected = requantiser.requantise(&sources[0], 30).expect("a good image").to_vec();
    let mut random = Random(0x5ea1_ca4d);
    let mut refused = 0;
    for round in 0..3000 {
        let damaged = random.damage(&sources[round % sources.len()]);
        match requantiser.requantise(&damaged, 30) {
            Ok(image) => drop(look(image)),
            Err(_) => refused += 1,
        }
        if round % 50 == 0 {
            assert_eq!(requantiser.requantise(&sources[0], 30), Ok(&expected[..]), "after round {round}");
        }
    }
    assert!(refused > 100, "{refused}");
    assert!(requantiser.warnings() > 1000, "{}", requantiser.warnings());
}

#[test]
fn what_is_no_image_is_refused() {
    let mut requantiser = Requantiser::new();
    for rubbish in [&[][..], &[0xff], &[0xff, 0xd8], &[0; 5000], b"GIF89a", &[0xff, 0xd8, 0xff, 0xd9]] {
        assert!(matches!(requantiser.requantise(rubbish, 50), Err(CodecError::Broken(_))), "{rubbish:?}");
    }
}
