//! Cameras that are not there, come back, or are others than they were; and nodes that are none.

use super::{MJPG, run};
use crate::fake_camera::Lab;

#[test]
fn an_unplugged_camera_comes_back() {
    let report = run("unplug", &format!("{MJPG}at 10 unplug 1500\n"), "frames=30");
    assert_eq!(report.frames.len(), 30);
    report.counted(&[("reopened", 1)]);
    assert!(report.has_noticed("camera unplugged"), "{:?}", report.notices);
    assert!(report.notices.len() >= 2, "one at once, then one a second: {:?}", report.notices);
    let gap = report.gap_before(10);
    assert!((1500..3500).contains(&gap), "back within two seconds of its return: {gap} ms");
}

#[test]
fn a_renumbered_camera_is_found_by_its_stable_name_in_another_mode() {
    let lab = Lab::new("renumbered");
    let link = format!("link {}\n", lab.path("v4l/by-id/usb-Fake-index0").display());
    let next = lab.path("next").display().to_string();
    lab.scenario("scenario", &format!("{link}{MJPG}at 10 unplug 400 {next}\n"));
    lab.scenario("next", &format!("{link}mode YUYV 320x240 100\n"));
    let text = std::fs::read_to_string(lab.path("next")).unwrap().replace("video0", "video2");
    std::fs::write(lab.path("next"), text).unwrap();
    let report = lab.run("frames=30");
    report.counted(&[("reopened", 1)]);
    assert_eq!(report.frames[0].kind, "JPEG 160x120");
    assert_eq!(report.frames[29].kind, "YUYV 320x240");
    assert!(report.modes[1].starts_with("YUYV 320x240"), "{:?}", report.modes);
    assert!(report.counters["largest"] >= 320 * 240 * 2);
}

#[test]
fn another_camera_under_the_old_number_is_not_taken() {
    const A: &str = "by-id/usb-Fake_A-index0";
    const C: &str = "by-id/usb-Fake_C-index0";
    const SOCKET: &str = "by-path/usb-0:1-index0";
    // (name, link of the camera, link of the other one, what else there is to say of that one)
    let cases = [
        ("other", Some(A), None, "card Somebody Else\n"),
        ("same-model", Some(A), Some(C), ""),
        ("same-model-late-link", Some(A), Some(C), "late link\n"),
        ("same-socket", Some(SOCKET), Some(SOCKET), "card Somebody Else\n"),
        ("no-links", None, None, "card Somebody Else\n"),
    ];
    for (name, link, other, more) in cases {
        let lab = Lab::new(name);
        std::fs::create_dir_all(lab.path("v4l/by-path")).unwrap();
        let line = |link: Option<&str>| {
            link.map_or_else(String::new, |link| {
                format!("link {}\n", lab.path(&format!("v4l/{link}")).display())
            })
        };
        let next = lab.path("next").display().to_string();
        lab.scenario("scenario", &format!("{}{MJPG}at 10 unplug 300 {next}\n", line(link)));
        lab.scenario("next", &format!("{}{more}{MJPG}", line(other)));
        let report = lab.run("frames=30 limit=2500");
        assert!(report.frames.iter().all(|frame| frame.number < 10), "{name}: {report:#?}");
        assert!(report.has_noticed("another camera is at this device"), "{name}: {:?}", report.notices);
    }
}

#[test]
fn another_camera_is_taken_in_the_end_by_whoever_waits() {
    let lab = Lab::new("other-in-the-end");
    let next = lab.path("next").display().to_string();
    lab.scenario("scenario", &format!("{MJPG}at 10 unplug 300 {next}\n"));
    lab.scenario("next", &format!("card Somebody Else\n{MJPG}"));
    let report = lab.run("frames=30 other=1000");
    assert_eq!(report.frames.len(), 30, "{report:#?}");
    assert!(report.has_noticed("another camera is at this device"), "{:?}", report.notices);
    assert!(report.modes.last().unwrap().contains("Somebody Else"), "{:?}", report.modes);
    assert!(report.gap_before(10) >= 1300, "{report:#?}");
    assert!(report.has_told("has not come back; taking the one that is"), "{:#?}", report.told);
    report.counted(&[("reopened", 1)]);
}

#[test]
fn a_renumbered_camera_keeps_its_name_when_another_has_its_old_number() {
    let lab = Lab::new("kept-name");
    let link = |name: &str| lab.path(&format!("v4l/by-id/usb-Fake_{name}-index0")).display().to_string();
    let [first, returned, other] = ["video0", "returned", "other"].map(|n| lab.path(n).display().to_string());
    let (a, c) = (link("A"), link("C"));
    lab.scenario("scenario", &format!("link {a}\n{MJPG}at 10 unplug 300 {returned}\n"));
    // It comes back as video1, for the other one is video0 now; then it goes again.
    let moved = lab.path("video1").display().to_string();
    lab.scenario(
        "returned",
        &format!("node {moved}\nlink {a}\nbeside {first} {c}\n{MJPG}at 20 unplug 300 {other}\n"),
    );
    lab.scenario("other", &format!("link {c}\ncard Somebody Else\n{MJPG}"));
    let report = lab.run("frames=40 limit=3000");
    assert!(report.frames.iter().any(|frame| frame.number >= 10), "found as video1: {report:#?}");
    assert!(report.frames.iter().all(|frame| frame.number < 20), "{report:#?}");
    assert!(report.has_noticed("another camera is at this device"), "{:?}", report.notices);
    report.counted(&[("reopened", 1)]);
}

#[test]
fn a_camera_that_is_not_there_yet_is_waited_for() {
    let report = run("absent", &format!("{MJPG}absent 1500\n"), "frames=10");
    assert_eq!(report.frames.len(), 10);
    report.counted(&[]);
    assert!(report.has_noticed("camera not found"), "{:?}", report.notices);
    assert!((1400..3500).contains(&report.frames[0].millis), "{report:#?}");
}

#[test]
fn a_busy_camera_is_waited_for() {
    let report = run("busy", &format!("{MJPG}busy 3\n"), "frames=10");
    assert_eq!(report.frames.len(), 10);
    assert!(report.has_noticed("device busy: another program uses the camera"), "{:?}", report.notices);
}

#[test]
fn a_closed_node_is_waited_for_a_moment_only() {
    let report = run("denied", &format!("{MJPG}denied 3\n"), "frames=10");
    assert_eq!(report.frames.len(), 10);
    let report = run("denied-for-good", &format!("{MJPG}denied 1000\n"), "frames=10");
    let why = report.failed.unwrap();
    assert!(why.contains("permission denied") && why.contains("usermod -aG video"), "{why}");
}

#[test]
fn nodes_that_never_work_are_refused_with_what_to_do() {
    // (name, scenario, words of the sentence)
    let cases: [(&str, &str, &[&str]); 5] = [
        (
            "bayer",
            "driver unicam\nmode pBAA 1640x1232\nmode BG10 1640x1232\n",
            &["raw data (pBAA, BG10)", "libcamerify", CSI_PIPE],
        ),
        ("mplane", "driver rp1-cfe\ncaps mplane\n", &["several planes", "libcamerify", CSI_PIPE]),
        ("meta", "caps meta\n", &["data about pictures", "libcamerify", CSI_PIPE]),
        ("h264", "mode H264 1280x720 30\n", &["offers only H264", "takes MJPG, YUYV"]),
        ("none", "caps output\n", &["not for capture", "sealcam devices"]),
    ];
    for (name, scenario, words) in cases {
        let why = run(name, scenario, "frames=1").failed.unwrap_or_default();
        for word in words {
            assert!(why.contains(word), "{name}: {why}");
        }
    }
    let why = run("forced", MJPG, "format=yuyv").failed.unwrap();
    assert!(why.contains("--format yuyv") && why.contains("but MJPG"), "{why}");
    let why = run("file", MJPG, "path=/dev/null").failed.unwrap();
    assert!(why.contains("/dev/null: not a V4L2 device"), "{why}");
}

const CSI_PIPE: &str = "rpicam-vid --codec mjpeg -o - | sealcam stream --source - ...";
