//! The real camera program under a fake V4L2 camera, as its viewer sees it.

use std::fs;

use sealcam::time::Duration;

use crate::images::{self, Tables};
use crate::pictures::{decode, ff, jpegs, psnr, size, split};
use crate::preload::{Studio, comment};
use crate::program::{Program, Room, SEALCAM, free_port, pause, wait_until};

const MJPG: &str = "mode MJPG 160x120 50\n";

fn here() -> String {
    format!("127.0.0.1:{}", free_port())
}

#[test]
fn the_cameras_images_arrive_bit_for_bit() {
    let (studio, at) = (Studio::new("pass-through", "mode MJPG 160x120 100\n"), here());
    let viewer = Program::viewer(studio.room.viewer(&at, "--stdout --frames 80 --timeout 20"));
    let camera = Program::start(studio.camera(&at, ""));
    let viewer = viewer.succeeds();
    let camera = camera.ends_well();
    let numbers: Vec<u64> = split(&viewer.output).iter().map(|image| studio.number_of(image)).collect();
    assert_eq!(numbers.len(), 80);
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    let sent = studio.room.newest("camera.json");
    assert_eq!(sent.n("passed_through"), sent.n("frames"));
    assert_eq!((sent.n("encoded"), sent.n("requantised"), sent.n("notices")), (0, 0, 0));
    for words in ["took MJPG 160x120 at 100 fps", "frames are sent as the camera made them, bit for bit"] {
        assert!(camera.told.contains(words), "{words}: {}", camera.told);
    }
    studio.log();
}

#[test]
fn bad_buffers_are_counted_by_cause_and_never_shown() {
    let faults = "at 10 flag\nat 14-15 empty\nat 18 junk\nat 22 cut 9\nat 26-40 pad 5000\nat 44 eio 2\nat 46 eintr 3\n";
    let (studio, at) = (Studio::new("faults", &format!("{MJPG}{faults}")), here());
    let viewer = Program::viewer(studio.room.viewer(&at, "--stdout"));
    let camera = Program::start(studio.camera(&at, ""));
    wait_until("frame 60 has come", || {
        split(&viewer.output()).last().is_some_and(|image| studio.number_of(image) >= 60)
    });
    camera.ends_well();
    pause(200);
    let viewer = viewer.ends_well();
    let numbers: Vec<u64> = split(&viewer.output).iter().map(|image| studio.number_of(image)).collect();
    for bad in [10, 14, 15, 18, 22] {
        assert!(!numbers.contains(&bad), "{bad} in {numbers:?}");
    }
    let sent = studio.room.newest("camera.json");
    let dropped =
        ["flagged", "empty", "malformed", "truncated", "oversized", "io_errors", "timeouts", "reopened"]
            .map(|name| sent.n(&format!("dropped.{name}")));
    assert_eq!(dropped, [1, 2, 1, 1, 0, 2, 0, 0], "{sent:?}");
    assert_eq!(sent.n("frames") - sent.n("frames_abandoned"), numbers.len() as u64);
    let last = *numbers.last().unwrap();
    assert_eq!(last - 5 - sent.n("dropped.superseded"), numbers.len() as u64, "{numbers:?}");
    assert!(viewer.told.contains("incomplete 0"), "{}", viewer.told);
    studio.log();
}

/// Whether a decoded picture says NO SIGNAL: bright letters on a grey bar across, darkness around it.
fn says_no_signal(jpeg: &[u8]) -> bool {
    if size(jpeg) != (640, 360) {
        return false;
    }
    let picture = decode(jpeg);
    let bright = |rows: std::ops::Range<usize>| {
        let samples = &picture.pixels[rows.start * 640 * 3..rows.end * 640 * 3];
        samples.iter().filter(|sample| **sample > 180).count() * 100 / samples.len()
    };
    (15..60).contains(&bright(80..143)) && bright(0..55) == 0 && bright(200..230) >= 1
}

#[test]
fn an_unplugged_camera_gives_notice_and_comes_back() {
    let (studio, at) = (Studio::new("unplug", &format!("{MJPG}at 30 unplug 2500\n")), here());
    let viewer = Program::viewer(studio.room.viewer(&at, "--stdout --record @x.mkv"));
    let camera = Program::start(studio.camera(&at, ""));
    camera.wait_for("camera unplugged");
    wait_until("notice is given", || {
        split(&viewer.output()).last().is_some_and(|image| says_no_signal(image))
    });
    let since_plugged = wait_until("it is back", || {
        split(&viewer.output()).last().and_then(|image| comment(image)).is_some_and(|(number, _)| number > 30)
    });
    // It was plugged in again 2.5 s after it was unplugged.
    assert!(since_plugged < Duration::from_millis(4500), "{since_plugged:?}");
    assert!(camera.has_told("picture after"), "{}", camera.told());
    pause(300);
    camera.ends_well();
    pause(200);
    let viewer = viewer.ends_well();
    let images = split(&viewer.output);
    let notices = images.iter().filter(|image| says_no_signal(image)).count() as u64;
    assert!((2..=4).contains(&notices), "one at once, then one a second: {notices}");
    assert!(images.iter().all(|image| says_no_signal(image) || studio.number_of(image) > 0));
    let (sent, seen) = (studio.room.newest("camera.json"), studio.room.newest("viewer.json"));
    assert_eq!((sent.n("notices"), sent.n("dropped.reopened")), (notices, 1));
    assert_eq!(seen.n("notices"), notices);
    // A recording has only the camera's pictures, in one file.
    assert_eq!(seen.n("recorded"), seen.n("whole") - notices);
    assert!(!studio.room.path("x-2.mkv").exists(), "{}", viewer.told);
    studio.log();
}

#[test]
fn a_snapshot_shows_that_there_is_no_camera() {
    let (room, at) = (Room::new("no-camera"), here());
    let viewer = Program::viewer(room.viewer(&at, "--snapshot @s.jpg --frames 2 --timeout 10"));
    let camera = Program::start(room.camera(&at, "--source /dev/nosuchvideo"));
    viewer.succeeds();
    assert!(says_no_signal(&fs::read(room.path("s.jpg")).unwrap()));
    let camera = camera.ends_well();
    assert!(camera.told.contains("/dev/nosuchvideo: camera not found; waiting for it"), "{}", camera.told);
}

#[test]
fn another_size_after_a_replug_is_followed_and_recorded_in_a_file_of_its_own() {
    let studio = Studio::new("geometry", "");
    let next = studio.room.path("next").display().to_string();
    studio.scenario("scenario", &format!("{MJPG}at 20 unplug 300 {next}\n"));
    let large = jpegs(5, 320, 240);
    studio.show("large", &large);
    let frames = studio.room.path("large").display().to_string();
    studio.scenario("next", &format!("mode MJPG 320x240 50\nframes {frames}\n"));
    let at = here();
    let viewer = Program::viewer(studio.room.viewer(&at, "--stdout --record @x.mkv"));
    let camera = Program::start(studio.camera(&at, ""));
    wait_until("the larger ones come", || {
        split(&viewer.output()).iter().filter(|image| size(image) == (320, 240)).count() > 10
    });
    camera.ends_well();
    viewer.ends_well();
    for (file, expected) in [("x.mkv", "160,120"), ("x-2.mkv", "320,240")] {
        let probe = "-v error -show_entries stream=width,height -of csv=p=0 ";
        let path = studio.room.path(file);
        let Some((found, _)) = ff("ffprobe", &format!("{probe}{}", path.display()), b"") else { return };
        assert_eq!(String::from_utf8(found).unwrap().trim(), expected, "{file}");
    }
    studio.log();
}

#[test]
fn raw_frames_decode_to_the_right_picture() {
    // (lines of the scenario, what a sample of luma becomes)
    let limited: fn(u8) -> u8 = |y| ((f64::from(y) - 16.0) * 255.0 / 219.0).round().clamp(0.0, 255.0) as u8;
    for (name, scenario, meaning) in [
        ("limited", "mode YUYV 160x120 50\nstride 32\n", limited),
        ("full", "mode YUYV 160x120 50\ncolour 8 0 1\n", |y| y),
        ("uyvy", "mode UYVY 160x120 50\n", limited),
        ("grey", "mode GREY 160x120 50\ncolour 8 0 1\n", |y| y),
    ] {
        let (studio, at) = (Studio::new(name, scenario), here());
        let viewer = Program::viewer(studio.room.viewer(&at, "--stdout --frames 12 --timeout 20"));
        let camera = Program::start(studio.camera(&at, "--quality 95"));
        let viewer = viewer.succeeds();
        camera.ends_well();
        let picture = decode(split(&viewer.output)[11]);
        assert_eq!((picture.width, picture.height), (160, 120));
        // The first pixels hold the frame's number, and the frames differ: the best of all is meant.
        let got: Vec<u8> = picture.pixels.chunks_exact(3).map(|pixel| pixel[1]).skip(160).collect();
        let best = (0..64_usize)
            .map(|number| {
                let sample = |at: usize| meaning((at % 160 + at / 160 + 1 + 4 * number) as u8);
                psnr(&got, (0..got.len()).map(sample))
            })
            .fold(0.0, f64::max);
        assert!(best > 33.0, "{name}: {best:.1} dB");
        let sent = studio.room.newest("camera.json");
        assert_eq!(sent.n("encoded"), sent.n("frames"));
        studio.log();
    }
}

#[test]
fn a_node_with_only_bayer_data_is_refused_with_both_ways_out() {
    let (studio, at) =
        (Studio::new("bayer", "driver unicam\nmode pBAA 1640x1232\nmode BG10 1640x1232\n"), here());
    let camera = Program::start(studio.camera(&at, "")).wait();
    assert_eq!(camera.code, Some(2), "{}", camera.told);
    for words in ["pBAA, BG10", "libcamerify", "rpicam-vid", "sealcam stream --source -"] {
        assert!(camera.told.contains(words), "{words}: {}", camera.told);
    }
}

#[test]
fn libcameras_layer_is_served_by_its_rules() {
    for modes in ["mode NV12 160x120\n", "mode MJPG 160x120\n"] {
        let scenario = format!("driver libcamera\nfps 50\n{modes}at 5 flag\nat 20 cut 1\n");
        let (studio, at) = (Studio::new("layer", &scenario), here());
        let viewer = Program::viewer(studio.room.viewer(&at, "--stdout --frames 30 --timeout 20"));
        let camera = Program::start(studio.camera(&at, ""));
        let viewer = viewer.succeeds();
        camera.ends_well();
        assert!(split(&viewer.output).iter().all(|image| size(image) == (160, 120)));
        assert_eq!(studio.room.newest("camera.json").n("dropped.truncated"), 1);
        assert!(studio.log().contains("VIDIOC_REQBUFS 4\n"));
    }
}

#[test]
fn images_without_huffman_tables_leave_the_viewer_with_them() {
    let (studio, at) = (Studio::new("tables", MJPG), here());
    images::write(&studio.room.path("images"), Tables::Standard);
    let args = "--stdout --record @x.mkv --snapshot @s.jpg --frames 20 --timeout 20";
    let viewer = Program::viewer(studio.room.viewer(&at, args));
    let camera = Program::start(studio.camera(&at, ""));
    let viewer = viewer.succeeds();
    camera.ends_well();
    let sent = studio.room.newest("camera.json");
    assert_eq!(sent.n("passed_through"), sent.n("frames"));
    let dht = |jpeg: &[u8]| jpeg.windows(2).any(|pair| pair == [0xff, 0xc4]);
    assert!(split(&viewer.output).iter().all(|image| dht(image)));
    assert!(dht(&fs::read(studio.room.path("s.jpg")).unwrap()));
    for (input, bytes) in
        [("-", viewer.output.as_slice()), (&studio.room.path("x.mkv").display().to_string(), b"")]
    {
        let form = if input == "-" { "-f mjpeg" } else { "" };
        let to_grey = format!("-v error {form} -i {input} -fps_mode passthrough -pix_fmt gray -f rawvideo -");
        let Some((raw, errors)) = ff("ffmpeg", &to_grey, bytes) else { return };
        assert_eq!((raw.len(), errors.as_str()), (20 * 160 * 120, ""), "{input}");
    }
}

#[test]
fn the_cameras_of_this_machine_can_be_listed() {
    let room = Room::new("devices");
    let listed = Program::start(room.command(SEALCAM, "devices", "")).succeeds();
    assert!(!listed.output.is_empty(), "{}", listed.told);
}
