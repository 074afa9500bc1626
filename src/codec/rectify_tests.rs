use super::super::testing::{Rgb, psnr};
use super::super::{Decoder, Encoder, RgbPicture, Scaler};
use super::*;
use crate::picture::{Colour, RawFormat};

fn rectangle(left: f64, top: f64, width: f64, height: f64) -> [[f64; 2]; 4] {
    [[left, top], [left + width, top], [left + width, top + height], [left, top + height]]
}

fn planar(scene: &Rgb, format: RawFormat) -> PlanarPicture {
    let mut picture = PlanarPicture::new();
    picture.load(&scene.to_raw(format, Colour::JFIF, 0).picture()).expect("a good picture");
    picture
}

fn largest_difference(raw: &RawPicture<'_>, picture: &PlanarPicture) -> u8 {
    let plane = &picture.planes()[0];
    (0..plane.rows())
        .flat_map(|y| raw.samples[y * raw.stride as usize..].iter().zip(plane.row(y)))
        .map(|(a, b)| a.abs_diff(*b))
        .max()
        .expect("samples")
}

#[test]
fn the_whole_picture_onto_itself_is_itself() {
    for (width, height) in [(64, 48), (65, 49), (321, 17)] {
        let scene = Rgb::scene(width, height);
        for format in [RawFormat::Yuyv, RawFormat::Yu12, RawFormat::Grey] {
            let picture = planar(&scene, format);
            let whole = rectangle(0.0, 0.0, width as f64, height as f64);
            let area = Area::new(whole, whole).expect("a good area");
            let mut rectifier = Rectifier::new(&area, (width as u32, height as u32)).expect("inside");
            let raw = rectifier.rectify(&picture).expect("the right size");
            assert!(largest_difference(&raw, &picture) <= 1, "{format} {width}x{height}");
            assert_eq!(raw.colour, Colour::JFIF);
            if format == RawFormat::Yu12 {
                let chroma = &raw.samples[raw.stride as usize * height..];
                assert!(
                    chroma[..width / 2]
                        .iter()
                        .zip(picture.planes()[1].row(0))
                        .all(|(a, b)| a.abs_diff(*b) <= 1)
                );
            }
        }
    }
}

#[test]
fn a_known_perspective_is_undone() {
    // A chequered board of 8x8 fields, seen through this homography:
    let view = [[90.0, 12.0, 30.0], [8.0, 80.0, 20.0], [0.25, 0.1, 1.0]];
    let project = |u: f64, v: f64| {
        let [x, y, w] = view.map(|[a, b, c]| a * u + b * v + c);
        [x / w, y / w]
    };
    let board = |u: f64, v: f64| if ((u * 8.0) as i32 + (v * 8.0) as i32) % 2 == 0 { 220u8 } else { 40 };
    // The picture of it, made by solving for u and v of each pixel.
    let scene = Rgb::from_fn(160, 140, |x, y| {
        let (x, y) = (x as f64 + 0.5, y as f64 + 0.5);
        let [a, b] = [view[0], view[1]];
        let (m, n) =
            ([a[0] - 0.25 * x, a[1] - 0.1 * x, x - a[2]], [b[0] - 0.25 * y, b[1] - 0.1 * y, y - b[2]]);
        let det = m[0] * n[1] - m[1] * n[0];
        let (u, v) = ((m[2] * n[1] - m[1] * n[2]) / det, (m[0] * n[2] - m[2] * n[0]) / det);
        if (0.0..1.0).contains(&u) && (0.0..1.0).contains(&v) { [board(u, v); 3] } else { [128; 3] }
    });
    let corners = [project(0.0, 0.0), project(1.0, 0.0), project(1.0, 1.0), project(0.0, 1.0)];
    let area = Area::new(corners, rectangle(5.0, 7.0, 80.0, 80.0)).expect("a good area");
    assert_eq!(area.output_size(), (80, 80));
    let picture = planar(&scene, RawFormat::Grey);
    let mut rectifier = Rectifier::new(&area, (160, 140)).expect("inside");
    let raw = rectifier.rectify(&picture).expect("the right size");
    for (row, column) in (0..80).flat_map(|row| (0..80).map(move |column| (row, column))) {
        if (2..8).contains(&(row % 10)) && (2..8).contains(&(column % 10)) {
            let expected = board((column as f64 + 0.5) / 80.0, (row as f64 + 0.5) / 80.0);
            let got = raw.samples[row * 80 + column];
            assert!(got.abs_diff(expected) <= 2, "row {row} column {column}: {got} for {expected}");
        }
    }
}

#[test]
fn a_cut_of_a_decoded_image_goes_back_into_the_encoder() {
    let scene = Rgb::scene(320, 200);
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
    let jpeg = encoder.encode(&scene.to_raw(RawFormat::Yuyv, Colour::default(), 0).picture(), 95);
    let mut picture = PlanarPicture::new();
    decoder.decode_planar(jpeg.expect("a good picture"), &mut picture).expect("a good image");
    let area = Area::new(rectangle(40.0, 20.0, 160.0, 120.0), rectangle(0.0, 0.0, 160.0, 120.0));
    let mut rectifier = Rectifier::new(&area.expect("a good area"), (320, 200)).expect("inside");
    let cut = rectifier.rectify(&picture).expect("the right size");
    let mut rgb = RgbPicture::default();
    decoder.decode_rgb(encoder.encode(&cut, 95).expect("a good picture"), &mut rgb).expect("a good image");
    assert_eq!((rgb.width, rgb.height), (160, 120));
    let expected = Rgb::from_fn(160, 120, |x, y| scene.pixels[(y + 20) * 320 + x + 40]);
    let quality = psnr(&rgb.pixels, expected.pixels.as_flattened());
    assert!(quality > 35.0, "{quality:.1} dB");
}

#[test]
fn pictures_without_all_of_the_area_are_refused() {
    let good = rectangle(0.0, 0.0, 100.0, 80.0);
    let area = Area::new(good, good).expect("a good area");
    let outside = AreaError::Outside { corner: 1, at: [100.0, 0.0], width: 99, height: 80 };
    assert_eq!(Rectifier::new(&area, (99, 80)).err(), Some(outside));
    assert!(Rectifier::new(&area, (100, 80)).is_ok());
}

#[test]
fn another_size_than_prepared_for_is_refused() {
    let area =
        Area::new(rectangle(0.0, 0.0, 16.0, 16.0), rectangle(0.0, 0.0, 16.0, 16.0)).expect("a good area");
    let mut rectifier = Rectifier::new(&area, (64, 48)).expect("inside");
    let other = planar(&Rgb::scene(48, 64), RawFormat::Yuyv);
    let expected = CodecError::Geometry { expected: (64, 48), found: (48, 64) };
    assert_eq!(rectifier.rectify(&other).err(), Some(expected));
    // Sampling may change from picture to picture, size may not.
    for format in [RawFormat::Yuyv, RawFormat::Nv12, RawFormat::Grey, RawFormat::Yuyv] {
        assert!(rectifier.rectify(&planar(&Rgb::scene(64, 48), format)).is_ok());
    }
}

#[test]
fn scaling_keeps_ramps_and_means() {
    let ramp = |width: usize, height: usize| {
        Rgb::from_fn(width, height, |x, y| {
            [((x as f64 + 0.5) / width as f64 * 200.0 + (y as f64 + 0.5) / height as f64 * 50.0).round()
                as u8; 3]
        })
    };
    for (from, to) in [
        ((64, 48), (64, 48)),
        ((640, 480), (320, 240)),
        ((640, 480), (201, 77)),
        ((100, 60), (300, 250)),
        ((99, 61), (33, 200)),
    ] {
        let mut scaler = Scaler::new((to.0 as u32, to.1 as u32)).expect("a good size");
        let raw = scaler.scale(&planar(&ramp(from.0, from.1), RawFormat::Yuyv)).expect("a good picture");
        assert_eq!((raw.width as usize, raw.height as usize, raw.format), (to.0, to.1, RawFormat::Yu12));
        let expected = planar(&ramp(to.0, to.1), RawFormat::Grey);
        assert!(largest_difference(&raw, &expected) <= 2, "{from:?} to {to:?}");
        let chroma = &raw.samples[raw.stride as usize * to.1..];
        assert!(chroma.iter().all(|value| value.abs_diff(128) <= 1));
    }
}

#[test]
fn shrinking_leaves_no_moire() {
    let fine = Rgb::from_fn(256, 256, |x, y| if (x + y) % 2 == 0 { [255; 3] } else { [0; 3] });
    let mut scaler = Scaler::new((64, 64)).expect("a good size");
    let raw = scaler.scale(&planar(&fine, RawFormat::Grey)).expect("a good picture");
    assert!(raw.samples.iter().all(|value| value.abs_diff(128) <= 1));
    assert_eq!(raw.format, RawFormat::Grey);
    assert!(Scaler::new((0, 5)).is_err());
    assert!(scaler.scale(&PlanarPicture::new()).is_err());
}
