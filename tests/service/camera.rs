//! A fake camera: unplugged and back, its controls, and no memory asked for per frame.

use std::fs;
use std::os::unix::fs::FileExt;

use crate::library::build;
use crate::receiver::Watching;
use crate::room::{Room, Service, wait_until};

const MODE: &str = "mode MJPG 160x120 50\n";
const CAMERA: &str = "[[source]]\nname = \"front\"\nsource = \"./video0\"\n";

#[test]
fn health_follows_the_camera_and_comes_back_with_it() {
    let room = Room::new();
    room.camera(&format!("{MODE}at 100 unplug 3000\n"));
    room.configure("", CAMERA);
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    viewer.sees("a picture", |frame| !frame.notice);
    wait_until("it is healthy", || room.is_healthy());
    viewer.sees("a notice", |frame| frame.notice);
    wait_until("it is not", || !room.is_healthy());
    let status = room.status();
    assert_eq!(status["health"]["healthy"], false);
    assert!(status["source"].as_str().unwrap().contains("camera unplugged"), "{status}");
    service.hears("STATUS=front: no signal");
    viewer.sees("a picture again", |frame| !frame.notice);
    wait_until("it is healthy again", || room.is_healthy());
    // Told as a warning if a rule cannot be made.
    assert!(!service.log().contains("Landlock:"), "{}", service.log());
    assert!(room.metric("sealcam_camera_events_total{event=\"reopened\"}") > 0.5);
    assert!(room.metric("sealcam_notices_total") > 0.5);
    assert!(room.metric("sealcam_frames_made_total{how=\"passed_through\"}") > 50.0);
    viewer.is_one_stream();
    let told = room.ask(&["status"]).said;
    for words in
        ["healthy: new frames are flowing", "source    MJPG 160x120 at 50 fps", "* front", "as they came"]
    {
        assert!(told.contains(words), "{words}:\n{told}");
    }
    service.stops();
    room.camera_log();
}

#[test]
fn controls_stand_in_the_file_and_change_without_reopening() {
    let room = Room::new();
    room.camera(&format!(
        "{MODE}control 980900 1 0 255 1 128 Brightness\ncontrol 980918 3 0 2 1 1 Power Line Frequency\n"
    ));
    let with = |controls: &str| format!("{CAMERA}controls = {{ {controls} }}\n");
    room.configure("", &with("brightness = 300, power_line_frequency = \"Item 1\", hue = 1"));
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    viewer.sees("a picture", |frame| !frame.notice);
    service.wait_for("control brightness cannot be 300: it takes 0 to 255 in steps of 1, default 128");
    service.wait_for("control hue is no control of this camera, which has brightness, power_line_frequency");
    assert!(room.camera_log().contains("VIDIOC_S_CTRL Power Line Frequency 1"));
    room.configure("", &with("brightness = 30"));
    service.reload();
    assert!(room.camera_log().contains("VIDIOC_S_CTRL Brightness 30"), "{}", room.camera_log());
    viewer.sees("more pictures", |frame| !frame.notice);
    assert_eq!(room.camera_log().matches("VIDIOC_STREAMON").count(), 1, "the camera was not opened again");
    service.stops();
}

#[test]
fn a_control_that_is_taken_out_goes_back_to_its_default() {
    let room = Room::new();
    room.camera(&format!(
        "{MODE}control 980900 1 0 255 1 128 Brightness\ncontrol 980901 5 0 9000000000 1 77 Large\n\
         control 9a0901 3 0 3 1 3 Auto Exposure\ncontrol 9a0902 1 3 2047 1 250 Exposure Time, Absolute\n\
         control 9a0920 7 0 31 1 0 Note\n"
    ));
    let with = |controls: &str| format!("{CAMERA}controls = {{ {controls} }}\n");
    let all = "auto_exposure = 1, exposure_time_absolute = 500, brightness = 7, large = 5000000000";
    let other = "[[source]]\nname = \"plain\"\nsource = \"./video0\"\ncontrols = { large = 1 }\n";
    room.configure("", &(with(all) + other));
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    viewer.sees("a picture", |frame| !frame.notice);
    let set = || -> Vec<String> {
        let log = room.camera_log();
        let calls = log.lines().filter_map(|line| line.strip_prefix("VIDIOC_S_"));
        calls.filter(|call| call.contains("CTRL")).map(ToOwned::to_owned).collect()
    };
    let of = |words: &[&str]| words.iter().map(|word| format!("CTRL {word}")).collect::<Vec<_>>();
    let start = [of(&["Auto Exposure 1", "Exposure Time, Absolute 500"]), of(&["Brightness 7"])].concat();
    let start = |from: &[String]| from.iter().filter(|line| start.contains(line)).count();
    assert_eq!(start(&set()), 3);
    assert!(set().contains(&"EXT_CTRLS Large 5000000000".to_owned()), "{:?}", set());
    // Two go, one of them held by a mode that goes as well: the value first.
    let before = set().len();
    room.configure("", &(with("brightness = 7, note = \"a\"") + other));
    service.reload();
    let expected =
        [of(&["Exposure Time, Absolute 250"]), vec!["EXT_CTRLS Large 77".into()], of(&["Auto Exposure 3"])];
    let mut after = set()[before..].to_vec();
    assert_eq!(after.pop(), Some("CTRL Brightness 7".into()));
    after[..2].sort_unstable();
    assert_eq!(after, expected.concat());
    service.wait_for("control auto_exposure is at its default again");
    service.wait_for("control note takes a text, which cannot be set from here");
    // Once is enough, and another source of the same camera has settings of its own.
    let before = set().len();
    service.reload();
    assert_eq!(set().len(), before);
    assert_eq!(room.ask(&["source", "plain"]).code, 0);
    assert_eq!(set()[before..], ["CTRL Brightness 128", "EXT_CTRLS Large 1"]);
    viewer.is_one_stream();
    service.stops();
}

#[test]
fn two_settings_of_one_camera_are_switched_between() {
    let room = Room::new();
    room.camera("mode MJPG 160x120 50\nmode YUYV 160x120 50\n");
    let second = CAMERA.replace("front", "raw") + "format = \"yuyv\"\n";
    let third = CAMERA.replace("front", "nv12") + "format = \"nv12\"\n";
    room.configure("", &format!("{CAMERA}{second}{third}"));
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    viewer.sees("JPEG frames", |frame| frame.source == 0 && !frame.notice);
    assert_eq!(room.ask(&["source", "raw"]).code, 0);
    viewer.sees("raw frames", |frame| frame.source == 1 && !frame.notice);
    // Only one can have the camera, so it was closed first; what cannot be opened gives it back.
    let refused = room.ask(&["source", "nv12"]);
    assert!(refused.code == 1 && refused.told.contains("nv12"), "{}", refused.told);
    viewer.sees("raw frames again", |frame| frame.source == 1 && !frame.notice);
    wait_until("it is healthy", || room.is_healthy());
    viewer.is_one_stream();
    service.stops();
    room.camera_log();
}

#[test]
fn a_slow_silent_camera_says_so_before_the_watchdog_does() {
    let room = Room::new();
    room.camera("mode MJPG 160x120 1\nat 1 stuck\n");
    room.configure("", CAMERA);
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::launch(&room, |command| {
        command.env("WATCHDOG_USEC", "900000");
    });
    service.hears("READY=1");
    let start = sealcam::clock::now();
    viewer.sees("a notice meanwhile", |frame| frame.notice);
    assert!(crate::room::since(start) < sealcam::time::Duration::from_millis(3_500));
    service.takes();
    crate::room::pause(2_000);
    service.takes();
    assert!(!service.log().contains("the watchdog is not fed"), "{}", service.log());
    service.stops();
}

#[test]
fn a_camera_that_may_not_be_opened_is_waited_for_with_one_line() {
    let room = Room::new();
    room.camera(&format!("{MODE}denied 30\n"));
    room.configure("", CAMERA);
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    viewer.sees("a notice", |frame| frame.notice);
    viewer.sees("a picture in the end", |frame| !frame.notice);
    assert_eq!(service.log().matches("permission denied").count(), 1, "{}", service.log());
    assert!(!service.log().contains("trying again"), "{}", service.log());
    service.stops();
}

#[test]
fn another_camera_is_taken_when_it_is_asked_for() {
    let room = Room::new();
    room.camera(&format!("{MODE}at 20 unplug 300 {}\n", room.path("next").display()));
    let first = fs::read_to_string(room.path("scenario")).unwrap();
    let next: Vec<&str> = first.lines().filter(|line| !line.starts_with("at ")).collect();
    fs::write(room.path("next"), next.join("\n") + "\ncard Somebody Else\n").unwrap();
    room.configure("", CAMERA);
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    viewer.sees("a picture", |frame| !frame.notice);
    wait_until("another camera is there", || {
        room.ask(&["status"]).said.contains("another camera is at this device")
    });
    assert_eq!(room.ask(&["source", "front"]).code, 0);
    viewer.sees("its picture", |frame| !frame.notice);
    assert!(room.status()["source"].as_str().unwrap().contains("Somebody Else"));
    viewer.is_one_stream();
    service.stops();
}

#[test]
fn a_frame_asks_for_no_memory() {
    let room = Room::new();
    room.camera("mode MJPG 160x120 100\n");
    room.configure("stats-json = \"figures\"", CAMERA);
    let counts = room.path("counts");
    let mut service = Service::launch(&room, |command| {
        let libraries = [build("fake_camera"), build("malloc_counter")];
        command.env("LD_PRELOAD", libraries.map(|path| path.display().to_string()).join(":"));
        command.env("MALLOC_COUNTER", &counts);
    });
    let frames = || {
        let text = fs::read_to_string(room.path("figures")).unwrap_or_default();
        let last =
            text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()).next_back();
        last.map_or(0, |line| line["frames"].as_u64().unwrap())
    };
    let asked = || {
        let mut bytes = [0; 8];
        fs::File::open(&counts).unwrap().read_exact_at(&mut bytes, 0).unwrap();
        u64::from_ne_bytes(bytes)
    };
    wait_until("it is warm", || frames() >= 100);
    // Lines for systemd and of figures ask for some now and then: not in every second. What one frame in ten
    // asked for would be in all of them.
    let mut windows = Vec::new();
    for _ in 0..6 {
        let (before, first) = (asked(), frames());
        wait_until("a hundred frames were watched", || frames() >= first + 100);
        windows.push(asked() - before);
    }
    assert!(windows.iter().any(|times| *times < 10), "{windows:?} times in 100 frames each");
    service.stops();
}
