//! Recordings of the real viewer, as other programs read them.

use std::fs;

use nix::sys::signal::Signal;

use crate::pictures::{assert_in_order, ff, jpegs, size, split};
use crate::program::{Program, Room, free_port, pause, wait_until};

#[test]
fn a_matroska_recording_has_every_frame_and_its_time() {
    let (room, at) = (Room::new("mkv"), format!("127.0.0.1:{}", free_port()));
    let clip = jpegs(20, 320, 240);
    fs::write(room.path("clip.mjpeg"), clip.concat()).unwrap();
    let viewer = Program::viewer(room.viewer(&at, "--record @x.mkv --frames 50 --timeout 20"));
    let camera = Program::start(room.camera(&at, "--source file:@clip.mjpeg --fps 25"));
    let viewer = viewer.succeeds();
    camera.ends_well();
    assert!(viewer.told.contains("recorded 50 frames in "), "{}", viewer.told);
    let file = room.path("x.mkv").display().to_string();
    let probe = "-v error -show_entries packet=pts_time -of csv=p=0 ".to_owned() + &file;
    let Some((times, errors)) = ff("ffprobe", &probe, b"") else { return };
    assert_eq!(errors, "");
    let times: Vec<f64> =
        String::from_utf8(times).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(times.len(), 50);
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    let seconds = times[49] - times[0];
    // A loaded machine may skip a beat of the clip; 49 intervals are 1.96 s.
    assert!((1.9..4.0).contains(&seconds), "{seconds}");
    // The images are in it as they were sent.
    let copy = format!("-v error -i {file} -c copy -f mjpeg -");
    let (images, _) = ff("ffmpeg", &copy, b"").unwrap();
    assert_in_order(&split(&images), &clip);
}

#[test]
fn a_recording_whose_viewer_was_killed_still_plays() {
    for name in ["x.mkv", "x.mjpeg"] {
        let (room, at) = (Room::new("killed"), format!("127.0.0.1:{}", free_port()));
        let camera = Program::start(room.camera(&at, "--source pattern:320x240@30"));
        let viewer = Program::viewer(room.viewer(&at, &format!("--record @{name}")));
        wait_until("there is something in it", || {
            fs::metadata(room.path(name)).is_ok_and(|file| file.len() > 300_000)
        });
        viewer.signal(Signal::SIGKILL);
        assert_eq!(viewer.wait().code, None);
        camera.ends_well();
        let long = fs::metadata(room.path(name)).unwrap().len();
        let count = format!(
            "-v error -count_frames -show_entries stream=nb_read_frames -of csv=p=0 {}",
            room.path(name).display()
        );
        let Some((frames, errors)) = ff("ffprobe", &count, b"") else { return };
        let frames: u64 = String::from_utf8(frames).unwrap().trim().parse().unwrap();
        assert!(frames >= 5 && frames * 100_000 > long, "{frames} frames in {long} bytes");
        // Only the last frame may be cut off.
        assert!(errors.lines().count() <= 3, "{errors}");
    }
}

#[test]
fn two_viewers_of_one_group_record_the_same() {
    let (room, port) = (Room::new("group"), free_port());
    let clip = jpegs(10, 320, 240);
    fs::write(room.path("clip.mjpeg"), clip.concat()).unwrap();
    let at = format!("239.255.77.1:{port}");
    let [first, second] = [1, 2].map(|n| {
        let args = format!(
            "--interface 127.0.0.1 --stdout --frames 30 --timeout 20 --state @v{n} --stats-json @v{n}.json"
        );
        Program::viewer(room.viewer(&at, &args))
    });
    let args = "--source file:@clip.mjpeg --loopback --interface 127.0.0.1";
    let camera = Program::start(room.camera(&at, args));
    let outputs = [first, second].map(|viewer| viewer.succeeds().output);
    camera.ends_well();
    for output in &outputs {
        let images = split(output);
        assert_eq!(images.len(), 30);
        assert_in_order(&images, &clip);
        assert_eq!(size(images[0]), (320, 240));
    }
    pause(0);
}
