//! Options that change the pictures, and when they do.

use std::fs;

use sealcam::codec::Encoder;
use sealcam::picture::{Colour, RawFormat, RawPicture};

use crate::pictures::{decode, jpegs, psnr, size, split};
use crate::preload::Studio;
use crate::program::{Ended, Figures, Program, Room, free_port};

fn here() -> String {
    format!("127.0.0.1:{}", free_port())
}

/// Streams `clip` with options; what its viewer has got, what the camera said, and its figures.
fn stream(clip: &[Vec<u8>], files: &[(&str, &str)], options: &str) -> (Vec<Vec<u8>>, Ended, Figures) {
    let (room, at) = (Room::new("touched"), here());
    fs::write(room.path("clip.mjpeg"), clip.concat()).unwrap();
    for (name, text) in files {
        fs::write(room.path(name), text).unwrap();
    }
    let viewer = Program::viewer(room.viewer(&at, "--stdout --frames 10 --timeout 20"));
    let camera = Program::start(room.camera(&at, &format!("--source file:@clip.mjpeg {options}")));
    let viewer = viewer.succeeds();
    let camera = camera.ends_well();
    let images = split(&viewer.output).into_iter().map(<[u8]>::to_vec).collect();
    (images, camera, room.newest("camera.json"))
}

#[test]
fn only_a_lower_quality_touches_a_jpeg() {
    let clip = jpegs(5, 320, 240);
    for (quality, requantised) in [(95, false), (85, false), (84, true), (40, true)] {
        let (images, camera, sent) = stream(&clip, &[], &format!("--quality {quality}"));
        let frames = sent.n("frames");
        let expected = if requantised { (0, frames) } else { (frames, 0) };
        assert_eq!((sent.n("passed_through"), sent.n("requantised")), expected, "{quality}");
        assert_eq!(images.iter().all(|image| clip.contains(image)), !requantised, "{quality}");
        if requantised {
            let words = format!("requantised from quality 85 to {quality}");
            assert!(camera.told.contains(&words), "{}", camera.told);
            let original = decode(&clip[0]);
            let best =
                images.iter().map(|image| psnr(&decode(image).pixels, original.pixels.iter().copied()));
            assert!(best.fold(0.0, f64::max) > 30.0);
        }
        if quality == 40 {
            assert!(images[0].len() * 4 < clip[0].len() * 3, "{} of {}", images[0].len(), clip[0].len());
        }
    }
}

/// An image of four coloured quarters: red and green above, blue and white below.
fn quarters(width: usize, height: usize) -> Vec<u8> {
    let samples: Vec<u8> = (0..width * height)
        .flat_map(|at| match (at % width < width / 2, at / width < height / 2) {
            (true, true) => [200, 0, 0],
            (false, true) => [0, 200, 0],
            (true, false) => [0, 0, 200],
            (false, false) => [255, 255, 255],
        })
        .collect();
    let picture = RawPicture {
        samples: &samples,
        format: RawFormat::Rgb24,
        width: width as u32,
        height: height as u32,
        stride: width as u32 * 3,
        colour: Colour::JFIF,
    };
    Encoder::new().encode(&picture, 95).unwrap().to_vec()
}

#[track_caller]
fn assert_colour(jpeg: &[u8], (x, y): (usize, usize), expected: [u8; 3]) {
    let picture = decode(jpeg);
    let at = (y * picture.width as usize + x) * 3;
    let pixel = &picture.pixels[at..at + 3];
    let near = pixel.iter().zip(expected).all(|(got, expected)| got.abs_diff(expected) < 30);
    assert!(near, "{pixel:?} at {x},{y}, not {expected:?}");
}

const RED: [u8; 3] = [200, 0, 0];
const GREEN: [u8; 3] = [0, 200, 0];
const BLUE: [u8; 3] = [0, 0, 200];
const WHITE: [u8; 3] = [255, 255, 255];

#[test]
fn a_size_that_the_source_lacks_is_scaled_to() {
    let clip = [quarters(320, 240)];
    for (wanted, (width, height)) in [("160x120", (160, 120)), ("200x90", (200, 90)), ("640x480", (640, 480))]
    {
        let (images, camera, sent) = stream(&clip, &[], &format!("--size {wanted} --quality 90"));
        assert_eq!(size(&images[0]), (width as u32, height as u32));
        for (place, colour) in [
            ((width / 4, height / 4), RED),
            ((width * 3 / 4, height / 4), GREEN),
            ((width / 4, height * 3 / 4), BLUE),
            ((width * 3 / 4, height * 3 / 4), WHITE),
        ] {
            assert_colour(&images[0], place, colour);
        }
        assert_eq!(sent.n("encoded"), sent.n("frames"));
        assert!(camera.told.contains(&format!("transformed to {wanted}")), "{}", camera.told);
    }
    // The size that it has touches nothing.
    let (images, _, sent) = stream(&clip, &[], "--size 320x240");
    assert_eq!((sent.n("passed_through"), &images[0]), (sent.n("frames"), &clip[0]));
}

#[test]
fn an_area_is_rectified() {
    let clip = [quarters(320, 240)];
    // The lower half, a trapezium around its middle, and the whole, each onto a rectangle of its own.
    let cases = [
        ("[[0,120],[320,120],[320,240],[0,240]]", "[[0,0],[160,0],[160,60],[0,60]]", (160, 60), BLUE, WHITE),
        (
            "[[100,10],[220,10],[300,110],[20,110]]",
            "[[0,0],[200,0],[200,100],[0,100]]",
            (200, 100),
            RED,
            GREEN,
        ),
    ];
    for (selected, visible, expected, left, right) in cases {
        let area = format!("{{\"selected_rect\": {selected}, \"visible_rect\": {visible}}}");
        let (images, camera, sent) = stream(&clip, &[("area.json", &area)], "--area @area.json --quality 95");
        assert_eq!(size(&images[0]), expected, "{}", camera.told);
        let (width, height) = (expected.0 as usize, expected.1 as usize);
        for y in [2, height / 2, height - 3] {
            assert_colour(&images[0], (width / 5, y), left);
            assert_colour(&images[0], (width * 4 / 5, y), right);
        }
        assert_eq!(sent.n("encoded"), sent.n("frames"));
    }
}

#[test]
fn the_frame_rate_limit_goes_by_capture_time() {
    let clip = jpegs(5, 160, 120);
    let studio = Studio::showing("rate", clip, "mode MJPG 160x120 60\n");
    let at = here();
    let viewer = Program::viewer(studio.room.viewer(&at, "--stdout --frames 30 --timeout 20"));
    // The driver cannot do 15, so a quarter of its frames are sent.
    let camera = Program::start(studio.camera(&at, "--fps 15"));
    let viewer = viewer.succeeds();
    camera.ends_well();
    let numbers: Vec<u64> = split(&viewer.output).iter().map(|image| studio.number_of(image)).collect();
    let mean = (numbers[29] - numbers[0]) as f64 / 29.0;
    assert!((3.7..4.6).contains(&mean), "{mean}: {numbers:?}");
    assert!(studio.room.newest("camera.json").n("limited") > 60);
}

#[test]
fn a_camera_configuration_chooses_the_mode_and_options_win_over_it() {
    let studio = Studio::new("config", "mode MJPG 640x480 30 60\nmode MJPG 320x240 25 50\n");
    fs::write(studio.room.path("c.json"), "{\"width\": 320, \"height\": 240, \"fps\": 25}").unwrap();
    for (options, words) in [
        ("--camera-config @c.json", "took MJPG 320x240 at 25 fps"),
        ("--camera-config @c.json --fps 50", "took MJPG 320x240 at 50 fps"),
        ("--camera-config @c.json --size 640x480 --fps 60", "took MJPG 640x480 at 60 fps"),
    ] {
        let camera = Program::start(studio.camera(&here(), options));
        camera.wait_for(words);
        camera.ends_well();
    }
}
