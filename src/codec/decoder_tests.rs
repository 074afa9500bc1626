use mozjpeg::{ColorSpace, Compress};

use super::testing::{COLOURS, FORMATS, Random, Rgb, psnr, without};
use super::{CodecError, Decoder, Encoder, PlanarPicture, RgbPicture};
use crate::picture::{Colour, RawFormat};

fn encode(format: RawFormat) -> Vec<u8> {
    let raw = Rgb::scene(210, 130).to_raw(format, Colour::JFIF, 0);
    Encoder::new().encode(&raw.picture(), 90).expect("a good picture").to_vec()
}

fn rows(picture: &PlanarPicture) -> Vec<Vec<u8>> {
    picture
        .planes()
        .iter()
        .map(|plane| (0..plane.rows()).flat_map(|y| plane.row(y).to_vec()).collect())
        .collect()
}

#[test]
fn planes_are_those_that_were_encoded() {
    let mut decoder = Decoder::new();
    let (mut decoded, mut loaded) = (PlanarPicture::new(), PlanarPicture::new());
    for format in FORMATS {
        for colour in COLOURS {
            let raw = Rgb::scene(211, 131).to_raw(format, colour, 0);
            loaded.load(&raw.picture()).expect("a good picture");
            let mut encoder = Encoder::new();
            let jpeg = encoder.encode(&raw.picture(), 95).expect("a good picture");
            decoder.decode_planar(jpeg, &mut decoded).expect("a good image");
            assert!(!decoded.damaged);
            assert_eq!((decoded.width(), decoded.height()), (211, 131));
            assert_eq!(decoded.is_grey(), format == RawFormat::Grey);
            for (one, other) in rows(&decoded).iter().zip(rows(&loaded)).filter(|(one, _)| !one.is_empty()) {
                assert!(psnr(one, &other) > 40.0, "{format} {colour:?}: {:.1}", psnr(one, &other));
            }
        }
    }
}

#[test]
fn planes_and_rgb_show_the_same() {
    let jpeg = encode(RawFormat::Grey);
    let (mut planar, mut rgb) = (PlanarPicture::new(), RgbPicture::default());
    let mut decoder = Decoder::new();
    decoder.decode_planar(&jpeg, &mut planar).expect("a good image");
    decoder.decode_rgb(&jpeg, &mut rgb).expect("a good image");
    let luma: Vec<u8> = rgb.pixels.iter().step_by(3).copied().collect();
    assert_eq!(rows(&planar)[0], luma);
}

#[test]
fn images_of_rgb_become_planes_of_luma_and_chroma() {
    let scene = Rgb::scene(100, 60);
    let mut with = Compress::new(ColorSpace::JCS_RGB);
    with.set_size(100, 60);
    with.set_fastest_defaults();
    with.set_color_space(ColorSpace::JCS_RGB);
    with.set_quality(97.0);
    let mut started = with.start_compress(Vec::new()).expect("memory");
    started.write_scanlines(scene.pixels.as_flattened()).expect("memory");
    let jpeg = started.finish().expect("memory");
    let (mut planar, mut expected) = (PlanarPicture::new(), PlanarPicture::new());
    Decoder::new().decode_planar(&jpeg, &mut planar).expect("a good image");
    expected.load(&scene.to_raw(RawFormat::Yuyv, Colour::JFIF, 0).picture()).expect("a good picture");
    assert!(psnr(&rows(&planar)[0], &rows(&expected)[0]) > 40.0);
    assert_eq!(planar.planes()[1].width(), 100);
}

#[test]
fn missing_huffman_tables_are_the_standard_ones() {
    let jpeg = encode(RawFormat::Yuyv);
    let bare = without(&jpeg, 0xc4);
    let mut decoder = Decoder::new();
    let (mut one, mut other) = (RgbPicture::default(), RgbPicture::default());
    decoder.decode_rgb(&jpeg, &mut one).expect("a good image");
    decoder.decode_rgb(&bare, &mut other).expect("a good image");
    assert_eq!(one, other);
    let (mut one, mut other) = (PlanarPicture::new(), PlanarPicture::new());
    decoder.decode_planar(&jpeg, &mut one).expect("a good image");
    decoder.decode_planar(&bare, &mut other).expect("a good image");
    assert_eq!(rows(&one), rows(&other));
    assert!(!other.damaged);
}

#[test]
fn a_truncated_image_shows_what_there_is() {
    let jpeg = encode(RawFormat::Yuyv);
    let mut decoder = Decoder::new();
    let (mut whole, mut part) = (RgbPicture::default(), RgbPicture::default());
    decoder.decode_rgb(&jpeg, &mut whole).expect("a good image");
    decoder.decode_rgb(&jpeg[..jpeg.len() / 2], &mut part).expect("half an image");
    assert!(part.damaged && !whole.damaged);
    let quarter = whole.pixels.len() / 4;
    assert_eq!(whole.pixels[..quarter], part.pixels[..quarter]);
    decoder.decode_rgb(&jpeg[..jpeg.len() - 2], &mut part).expect("an image without EOI");
    assert!(part.damaged);

    let (mut whole, mut part) = (PlanarPicture::new(), PlanarPicture::new());
    decoder.decode_planar(&jpeg, &mut whole).expect("a good image");
    decoder.decode_planar(&jpeg[..jpeg.len() / 2], &mut part).expect("half an image");
    assert!(part.damaged && !whole.damaged);
    let quarter = whole.width() * whole.height() / 4;
    assert_eq!(rows(&whole)[0][..quarter], rows(&part)[0][..quarter]);
}

#[test]
fn a_claimed_size_is_checked_before_memory_is_claimed() {
    let mut jpeg = encode(RawFormat::Yuyv);
    let sof = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame header");
    jpeg[sof + 5..sof + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    let expected = Err(CodecError::Size { width: 65_500, height: 65_500 });
    let mut decoder = Decoder::new();
    let mut rgb = RgbPicture::default();
    assert_eq!(decoder.decode_rgb(&jpeg, &mut rgb), expected);
    assert_eq!(rgb.pixels.capacity(), 0);
    assert_eq!(decoder.decode_planar(&jpeg, &mut PlanarPicture::new()), expected);
}

#[test]
fn an_image_of_endless_scans_is_given_up() {
    let mut with = Compress::new(ColorSpace::JCS_GRAYSCALE);
    with.set_size(64, 64);
    with.set_fastest_defaults();
    with.set_progressive_mode();
    let mut started = with.start_compress(Vec::new()).expect("memory");
    started.write_scanlines(&[99; 64 * 64]).expect("memory");
    let jpeg = started.finish().expect("memory");
    let last = jpeg.windows(2).rposition(|pair| pair == [0xff, 0xda]).expect("a scan");
    let scan = &jpeg[last..jpeg.len() - 2];
    let bomb = [&jpeg[..last], &scan.repeat(1000), &[0xff, 0xd9]].concat();
    let mut decoder = Decoder::new();
    let mut picture = PlanarPicture::new();
    assert!(matches!(decoder.decode_planar(&bomb, &mut picture), Err(CodecError::Broken(_))));
    decoder.decode_planar(&jpeg, &mut picture).expect("a good image");
}

#[test]
fn damage_stays_with_the_damaged_image() {
    let sources = [encode(RawFormat::Yuyv), encode(RawFormat::Nv12), encode(RawFormat::Grey)];
    let mut decoder = Decoder::new();
    let (mut rgb, mut planar) = (RgbPicture::default(), PlanarPicture::new());
    decoder.decode_rgb(&sources[0], &mut rgb).expect("a good image");
    decoder.decode_planar(&sources[0], &mut planar).expect("a good image");
    let (good_rgb, good_planes) = (rgb.clone(), rows(&planar));
    let mut random = Random(0xdec0de);
    for round in 0..3000 {
        let damaged = random.damage(&sources[round % sources.len()]);
        let _ = decoder.decode_rgb(&damaged, &mut rgb);
        let _ = decoder.decode_planar(&damaged, &mut planar);
        if round % 50 == 0 {
            decoder.decode_rgb(&sources[0], &mut rgb).expect("a good image");
            decoder.decode_planar(&sources[0], &mut planar).expect("a good image");
            assert!(rgb == good_rgb && rows(&planar) == good_planes, "after round {round}");
        }
    }
}
