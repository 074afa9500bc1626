//! On one machine.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use sealcam::time::Duration;

use crate::pictures::{assert_in_order, decode, ff, jpegs, size, split};
use crate::program::{LONG, Program, Room, free_port, pause, wait_until};

/// Addresses of this machine, with a port of their own.
fn here() -> Vec<String> {
    let mut all = vec![v4(), format!("[::1]:{}", free_port())];
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("without IPv6: this machine has none");
        all.pop();
    }
    all
}

fn v4() -> String {
    format!("127.0.0.1:{}", free_port())
}

#[test]
fn the_test_scene_is_seen_and_the_figures_of_both_ends_agree() {
    for at in here() {
        let room = Room::new("scene");
        let viewer = Program::viewer(room.viewer(&at, "--stdout --snapshot @s.jpg"));
        let camera = room.camera(&at, "--source pattern:320x240@40 --frames 60");
        let camera = Program::start(camera).succeeds();
        wait_until("all frames are there", || split_count(&viewer) >= 60);
        // Figures are written every second: the newest are up to date at the end only.
        let viewer = viewer.ends_well();

        let (sent, seen) = (room.newest("camera.json"), room.newest("viewer.json"));
        assert_eq!((sent.0["last"].as_bool(), seen.0["final"].as_bool()), (Some(true), Some(true)));
        assert_eq!((sent.n("frames"), sent.n("encoded"), sent.n("passed_through")), (60, 60, 0));
        assert_eq!((seen.n("whole"), seen.n("incomplete"), seen.n("damaged")), (60, 0, 0));
        for zero in ["late", "forged", "replayed", "stale", "other_stream", "malformed", "overflowed"] {
            assert_eq!(seen.n(zero), 0, "{zero}");
        }
        assert_eq!(seen.n("datagrams"), sent.n("datagrams"));
        assert_eq!(seen.n("bytes"), sent.n("datagram_bytes"));
        assert_eq!(seen.n("picture_bytes"), sent.n("frame_bytes"));
        // Header and tag of each datagram.
        assert_eq!(sent.n("datagram_bytes"), sent.n("frame_bytes") + 64 * sent.n("datagrams"));
        assert_eq!((seen.n("width"), seen.n("height"), seen.n("piped")), (320, 240, 60));
        assert!(camera.told.contains(seen.text("stream")) && camera.told.contains(seen.text("key")));
        assert!(room.figures("camera.json").len() >= 2, "a line every second");

        let images = split(&viewer.output);
        assert_eq!(images.len(), 60);
        assert_eq!(images.iter().map(|image| image.len() as u64).sum::<u64>(), seen.n("picture_bytes"));
        assert_eq!(decode(images[59]).width, 320);
        assert_eq!(fs::read(room.path("s.jpg")).unwrap(), images[59], "the newest picture");
        assert!(images[0] != images[59]);
    }
}

fn split_count(viewer: &Program) -> usize {
    split(&viewer.output()).len()
}

#[test]
fn a_file_arrives_bit_for_bit_in_order() {
    for at in here() {
        let room = Room::new("file");
        let clip = jpegs(25, 640, 480);
        fs::write(room.path("clip.mjpeg"), clip.concat()).unwrap();
        let viewer =
            Program::viewer(room.viewer(&at, "--stdout --record @out.mjpeg --frames 60 --timeout 20"));
        let camera = Program::start(room.camera(&at, "--source file:@clip.mjpeg --fps 50"));
        let viewer = viewer.succeeds();
        let camera = camera.ends_well();
        let images = split(&viewer.output);
        assert_eq!(images.len(), 60);
        assert_in_order(&images, &clip);
        assert!(fs::read(room.path("out.mjpeg")).unwrap() == viewer.output, "the recording is the same");
        let (sent, seen) = (room.newest("camera.json"), room.newest("viewer.json"));
        assert_eq!(sent.n("passed_through"), sent.n("frames"));
        assert_eq!((seen.n("recorded"), seen.n("piped")), (60, 60));
        assert!(camera.told.contains("bit for bit"), "{}", camera.told);
    }
}

#[test]
fn images_on_standard_input_arrive_until_their_writer_ends() {
    let (room, at) = (Room::new("stdin"), v4());
    let clip = jpegs(30, 320, 240);
    let viewer = Program::viewer(room.viewer(&at, "--stdout"));
    let mut camera = Program::start(room.camera(&at, "--source -"));
    let mut input = camera.input();
    for image in &clip {
        // In two pieces, as pipes have it.
        let (head, rest) = image.split_at(image.len() / 3);
        input.write_all(head).unwrap();
        pause(5);
        input.write_all(rest).unwrap();
        pause(15);
    }
    drop(input);
    let camera = camera.succeeds();
    assert!(camera.told.contains("the source has ended"), "{}", camera.told);
    let sent = room.newest("camera.json");
    assert_eq!(sent.n("frames") + sent.n("dropped.superseded"), 30);
    wait_until("all frames are there", || split_count(&viewer) as u64 == sent.n("frames"));
    let viewer = viewer.ends_well();
    let images = split(&viewer.output);
    assert_in_order(&images, &clip);
    assert_eq!(images.last().unwrap(), clip.last().unwrap(), "the last one is not lost");
}

#[test]
fn ffmpeg_is_a_camera_and_a_player() {
    let (room, at) = (Room::new("ffmpeg"), v4());
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args("-v error -re -f lavfi -i testsrc=size=320x240:rate=30 -frames:v 45 -f mjpeg -".split(' '));
    let Ok(mut ffmpeg) = ffmpeg.stdout(Stdio::piped()).stdin(Stdio::null()).spawn() else {
        eprintln!("skipped: ffmpeg is not installed");
        return;
    };
    let viewer = Program::viewer(room.viewer(&at, "--stdout"));
    let mut camera = Program::start(room.camera(&at, "--source -"));
    let (mut from, mut to) = (ffmpeg.stdout.take().unwrap(), camera.input());
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        to.write_all(&buffer[..count]).unwrap();
    }
    drop(to);
    assert!(ffmpeg.wait().unwrap().success());
    camera.succeeds();
    pause(200);
    let viewer = viewer.ends_well();
    let images = split(&viewer.output).len();
    assert!((40..=45).contains(&images), "{images}");
    let to_grey = "-v error -f mjpeg -i - -fps_mode passthrough -pix_fmt gray -f rawvideo -";
    let Some((raw, errors)) = ff("ffmpeg", to_grey, &viewer.output) else { return };
    assert_eq!((raw.len(), errors.as_str()), (images * 320 * 240, ""));
}

#[test]
fn a_viewer_that_sees_nothing_gives_up_when_told_to() {
    let (room, at) = (Room::new("timeout"), v4());
    let viewer = Program::start(room.viewer(&at, "--timeout 0.5")).wait();
    assert_eq!(viewer.code, Some(1), "{}", viewer.told);
    assert!(viewer.told.contains(&format!("waiting for the camera on {at}")), "{}", viewer.told);
    assert!(viewer.after < Duration::from_secs(5), "{:?}", viewer.after);

    // A camera that stops.
    let viewer = Program::viewer(room.viewer(&at, "--timeout 2.5"));
    Program::start(room.camera(&at, "--source pattern:160x120@30 --frames 5")).succeeds();
    let viewer = viewer.wait();
    assert_eq!(viewer.code, Some(1), "{}", viewer.told);
    assert!(viewer.told.contains("the camera has been silent for 2 s"), "{}", viewer.told);
    assert_eq!(room.newest("viewer.json").n("whole"), 5);
}

#[test]
fn both_end_cleanly_within_a_second_whenever_they_are_told_to() {
    const SECOND: Duration = Duration::from_secs(1);
    let room = Room::new("end");
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let at = v4();
        // (source, what it says when it is at work)
        for (source, words) in [
            ("pattern:160x120@30", "are encoded"),
            ("pattern:1280x720@1", "are encoded"),
            ("-", "source:"),
            ("/dev/nosuchvideo", "waiting for it"),
        ] {
            let viewer = Program::viewer(room.viewer(&at, ""));
            let camera = Program::start(room.camera(&at, &format!("--source {source}")));
            camera.wait_for(words);
            pause(100);
            for program in [camera, viewer] {
                program.signal(signal);
                let ended = program.wait();
                assert_eq!(ended.code, Some(0), "{source}: {}", ended.told);
                assert!(ended.after < SECOND, "{source}: {:?}: {}", ended.after, ended.told);
                assert!(ended.told.contains(&format!("{signal}: stopping")), "{}", ended.told);
            }
        }
    }
}

#[test]
fn a_pipe_whose_reader_goes_ends_the_viewer_without_a_failure() {
    // Whether frames still come or not.
    for frames in ["", "--frames 20"] {
        a_pipe_whose_reader_goes(frames);
    }
}

fn a_pipe_whose_reader_goes(frames: &str) {
    let (room, at) = (Room::new("reader"), v4());
    let mut viewer = room.viewer(&at, "--stdout");
    let mut viewer = viewer.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    pause(500);
    let camera = Program::start(room.camera(&at, &format!("--source pattern:320x240@30 {frames}")));
    let mut head = vec![0; 20_000];
    let mut reader = viewer.stdout.take().unwrap();
    reader.read_exact(&mut head).unwrap();
    let camera = if frames.is_empty() {
        Some(camera)
    } else {
        camera.succeeds();
        None
    };
    drop(reader);
    assert!(head.starts_with(&[0xff, 0xd8]));
    // The pipe is closed now.
    let start = sealcam::clock::now();
    let status = loop {
        if let Some(status) = viewer.try_wait().unwrap() {
            break status;
        }
        if crate::program::since(start) > LONG {
            viewer.kill().unwrap();
        }
        pause(10);
    };
    let mut told = String::new();
    viewer.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(status.code(), Some(0), "{told}");
    assert!(told.contains("the reader has closed the pipe"), "{told}");
    assert!(crate::program::since(start) < Duration::from_secs(3));
    if let Some(camera) = camera {
        camera.ends_well();
    }
}

#[test]
fn a_camera_says_whether_anybody_listens() {
    for at in here() {
        let room = Room::new("listeners");
        let camera = Program::start(room.camera(&at, "--source pattern:160x120@30"));
        let took = camera.wait_for("nobody listens at the destination: start sealview there");
        assert!(took < Duration::from_secs(3), "{took:?}");
        let viewer = Program::viewer(room.viewer(&at, "--timeout 20"));
        viewer.wait_for("info: stream ");
        camera.wait_for("somebody listens at the destination now");
        viewer.ends_well();
        let camera = camera.ends_well();
        assert!(camera.told.contains("dropped 0"), "no frame is lost to that: {}", camera.told);
    }
}

#[test]
fn sizes_of_datagrams_and_frames_have_no_bad_places() {
    // The smallest image, and lengths around what fits into one datagram.
    let room = Room::new("sizes");
    let clip = jpegs(3, 16, 16);
    let padded: Vec<Vec<u8>> = (0..40)
        .map(|n| {
            // A comment segment makes an image as long as wanted.
            let (mut image, comment) = (clip[n % 3].clone(), vec![b'x'; n * 2 + 1]);
            let mut segment = vec![0xff, 0xfe, 0, (comment.len() + 2) as u8];
            segment.extend(comment);
            image.splice(2..2, segment);
            image
        })
        .collect();
    fs::write(room.path("clip.mjpeg"), padded.concat()).unwrap();
    let at = v4();
    for packet_size in [128, 129, 700, 65_507] {
        let viewer = Program::viewer(room.viewer(&at, "--stdout --frames 80 --timeout 20"));
        let args = format!("--source file:@clip.mjpeg --fps 120 --pace 0 --packet-size {packet_size}");
        let camera = Program::start(room.camera(&at, &args));
        let images = viewer.succeeds().output;
        assert_in_order(&split(&images), &padded);
        camera.ends_well();
        assert_eq!(size(split(&images)[0]), (16, 16));
    }
}
