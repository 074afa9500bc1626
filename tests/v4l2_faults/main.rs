//! The V4L2 source under a fake camera that is preloaded into the process: see `tests/fake_camera/intercept.c`.
//!
//! Each test scripts what goes wrong at which frame, and checks that the right frames flow again and that
//! the right counter went up by as much as there were faults.
#![cfg(all(target_os = "linux", feature = "camera"))]
#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

#[path = "../fake_camera/mod.rs"]
mod fake_camera;
mod finding;

use fake_camera::counting::Counting;
use fake_camera::{Lab, Report, images};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Not a test: what [`Lab::run`] has run in a process of its own.
#[test]
fn child() {
    fake_camera::child::run();
}

const MJPG: &str = "mode MJPG 160x120 100\n";
const YUYV: &str = "mode YUYV 160x120 100\n";

/// Counters that are not 0, by name.
type Counts = &'static [(&'static str, u64)];

#[track_caller]
fn run(name: &str, scenario: &str, job: &str) -> Report {
    let lab = Lab::new(name);
    lab.scenario("scenario", scenario);
    lab.run(job)
}

#[test]
fn frames_arrive_bit_for_bit_through_the_c_librarys_ioctl() {
    let report = run("plain", MJPG, "frames=30");
    assert_eq!(report.frames.len(), 30);
    report.counted(&[]);
    report.saw_all_but(report.frames[29].number, &[]);
    assert!(report.seen.iter().any(|line| line == "VIDIOC_QUERYCAP"), "{:?}", report.seen);
    assert!(report.seen.iter().any(|line| line == "open nonblock cloexec"), "{:?}", report.seen);
    assert!(report.modes[0].starts_with("MJPG 160x120 at 100 fps from "), "{:?}", report.modes);
    assert!(report.frames.iter().all(|frame| frame.age < 500_000), "{report:#?}");
    assert!(report.has_told("took MJPG 160x120 at 100 fps of MJPG 160x120 (100 fps)"), "{:#?}", report.told);
}

#[test]
fn a_node_that_is_no_file_is_opened_all_the_same() {
    let lab = Lab::new("no-file");
    let images = lab.path("images").display().to_string();
    std::fs::write(lab.path("scenario"), format!("frames {images}\n{MJPG}at 5 unplug 100\n")).unwrap();
    let report = lab.run("path=/dev/fakevideo0 frames=10");
    report.counted(&[("reopened", 1)]);
    assert!(!std::path::Path::new("/dev/fakevideo0").exists());
}

#[test]
fn a_frame_costs_no_allocation() {
    for (name, scenario) in
        [("mjpg", MJPG), ("yuyv", YUYV), ("copied", "driver libcamera\nmode NV12 160x120\nfps 100\n")]
    {
        let report = run(&format!("allocations-{name}"), scenario, "frames=40");
        assert_eq!(report.counters["allocations"], 0, "{name}");
    }
}

#[test]
fn controls_are_set_after_every_opening_and_wrong_ones_only_warned_of() {
    let scenario = "mode MJPG 160x120 100\n\
        control 980900 1 0 255 1 128 Brightness\n\
        control 980918 3 0 2 1 1 Power Line Frequency\n\
        control 9a0902 1 3 2047 1 250 Exposure Time, Absolute\n\
        at 10 unplug 300\n";
    let job = "frames=20 control=exposure_time_absolute:500 control=power_line_frequency:Item_2 \
        control=brightness:256 control=hue:1 control=0x9a0924:1";
    let report = run("controls", scenario, job);
    let set: Vec<&String> = report.seen.iter().filter(|line| line.starts_with("VIDIOC_S_CTRL")).collect();
    // Menus first: they turn off what would hold the others.
    let once = ["VIDIOC_S_CTRL Power Line Frequency 2", "VIDIOC_S_CTRL Exposure Time, Absolute 500"];
    assert_eq!(set, [once, once].as_flattened(), "{report:#?}");
    for words in [
        "control brightness cannot be 256: it takes 0 to 255 in steps of 1, default 128",
        "control hue is no control of this camera, which has brightness, power_line_frequency, exposure",
        "takes a structure or a list (type 0x107), which cannot be set",
    ] {
        assert!(report.has_told(words), "{words}: {:#?}", report.told);
    }
    // libcamera's layer knows nothing of controls.
    let report =
        run("no-controls", "driver libcamera\nmode NV12 160x120\nfps 50\n", "frames=3 control=gain:1");
    assert!(report.has_told("gain: this camera has no controls that can be set"), "{:#?}", report.told);
}

#[test]
fn bad_buffers_are_dropped_and_counted_by_cause() {
    // (name, scenario, counters, frames that must not appear)
    let cases: [(&str, &str, Counts, &[u64]); 14] = [
        ("flag", "at 5-7 flag", &[("flagged", 3)], &[5, 6, 7]),
        ("empty", "at 5-6 empty", &[("empty", 2)], &[5, 6]),
        ("junk", "at 5 junk", &[("malformed", 1)], &[5]),
        ("first-junk", "at 1-4 junk", &[("malformed", 4)], &[1, 2, 3, 4]),
        ("cut", "at 5-6 cut 1\nat 8 cut 1000", &[("truncated", 3)], &[5, 6, 8]),
        ("short", "at 5 used 1", &[("truncated", 1)], &[5]),
        ("pad", "at 5-9 pad 5000", &[], &[]),
        ("noise", "at 5-9 garbage 5000", &[], &[]),
        ("boast", "at 5 used 4294967295", &[], &[]),
        ("eintr", "at 5 eintr 3", &[], &[]),
        ("eintr-long", "at 5 eintr 100", &[], &[]),
        ("eio", "at 5 eio 3\nat 9 eio 1", &[("io_errors", 4)], &[]),
        (
            "mixed",
            "at 3 flag\nat 4 empty\nat 5 junk\nat 6 cut 9",
            &[("empty", 1), ("flagged", 1), ("malformed", 1), ("truncated", 1)],
            &[3, 4, 5, 6],
        ),
        ("all", "at 1-1 flag\nat 2-9 empty", &[("empty", 8), ("flagged", 1)], &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ];
    for (name, faults, counters, missing) in cases {
        let report = run(name, &format!("{MJPG}{faults}\n"), "frames=20 patience=2000");
        report.counted(counters);
        report.saw_all_but(report.frames[19].number, missing);
        assert!(report.notices.is_empty(), "{name}: {:?}", report.notices);
    }
}

#[test]
fn raw_frames_need_all_their_bytes() {
    // (name, scenario, counters, frames that must not appear)
    let cases: [(&str, &str, Counts, &[u64]); 5] = [
        ("raw-cut", "at 5 cut 1", &[("truncated", 1)], &[5]),
        ("raw-empty", "at 5 empty", &[("empty", 1)], &[5]),
        ("raw-flag", "at 5 flag", &[("flagged", 1)], &[5]),
        ("raw-pad", "at 5 pad 64", &[], &[]),
        ("raw-boast", "at 5 used 4294967295", &[], &[]),
    ];
    for (name, faults, counters, missing) in cases {
        let report = run(name, &format!("{YUYV}stride 32\n{faults}\n"), "frames=12");
        report.counted(counters);
        report.saw_all_but(report.frames[11].number, missing);
        assert_eq!(report.frames[0].kind, "YUYV 160x120");
    }
}

#[test]
fn every_raw_format_is_taken_as_it_lies() {
    for code in ["YUYV", "UYVY", "NV12", "YU12", "RGB3", "GREY"] {
        let report = run(&format!("raw-{code}"), &format!("mode {code} 64x48 100\nstride 16\n"), "frames=5");
        let name = if code == "RGB3" { "RGB24" } else { code };
        assert_eq!(report.frames[0].kind, format!("{name} 64x48"));
        report.counted(&[]);
    }
}

#[test]
fn a_format_with_impossible_lines_is_passed_over() {
    // 2^31 bytes more in each line: of 32 bits of the product, the size without them is left.
    let modes = "mode YUYV 320x240 100\nmode MJPG 160x120 100\nstride 2147483648\n";
    let report = run("impossible-lines", modes, "frames=5 size=320x240");
    assert_eq!(report.frames[0].kind, "JPEG 160x120");
    assert!(report.has_told("YUYV 320x240 at 100 fps is offered, but VIDIOC_S_FMT"), "{:#?}", report.told);
}

#[test]
fn frames_too_large_to_send_are_counted() {
    let report = run("oversized", MJPG, "frames=5 max=100 limit=500 patience=5000");
    assert!(report.frames.is_empty());
    assert!(report.counters["oversized"] > 5, "{report:#?}");
}

#[test]
fn the_newest_frame_wins_when_the_program_is_slow() {
    let report = run("slow", MJPG, "frames=5 hold=100");
    assert!(report.counters["superseded"] >= 5, "{report:#?}");
    report.counted(&[]);
    // The last one is handed over although three more have been waiting since long: it is fresh.
    assert!(report.frames.iter().all(|frame| frame.age < 150_000), "{report:#?}");
}

#[test]
fn images_without_huffman_tables_pass() {
    let lab = Lab::new("tables");
    images::write(&lab.path("images"), images::Tables::Standard);
    lab.scenario("scenario", MJPG);
    let report = lab.run("frames=10");
    assert_eq!(report.frames.len(), 10);
    report.counted(&[]);
}

#[test]
fn a_silent_camera_is_restarted() {
    // A pause of the camera itself, and a stream that only a restart wakes.
    for (name, fault) in [("silence", "silence 1200"), ("stuck", "stuck")] {
        let report = run(name, &format!("{MJPG}at 10 {fault}\n"), "frames=30 patience=400");
        assert_eq!(report.frames.len(), 30);
        report.counted(&[("timeouts", 1)]);
        assert!(report.has_noticed("no frame for 0.4 s"), "{:?}", report.notices);
        assert!(report.gap_before(10) >= 400, "{report:#?}");
        let starts = report.seen.iter().filter(|line| line.starts_with("VIDIOC_STREAMON")).count();
        assert_eq!(starts, 2, "{:?}", report.seen);
        assert!(report.seen.iter().all(|line| line != "close") || report.seen.last().unwrap() == "close");
    }
}

#[test]
fn a_camera_that_a_restart_does_not_wake_is_reopened() {
    // The stop is refused, so the buffers stay with the driver and cannot be queued again.
    let report = run("off-busy", &format!("{MJPG}at 10 off-busy 1\nat 10 stuck\n"), "frames=30 patience=300");
    assert_eq!(report.frames.len(), 30);
    report.counted(&[("reopened", 1), ("timeouts", 1)]);
    // Stuck again right after the restart.
    let report = run("stuck-twice", &format!("{MJPG}at 10-11 stuck\n"), "frames=30 patience=300");
    report.counted(&[("reopened", 1), ("timeouts", 2)]);
}

#[test]
fn only_broken_frames_are_no_picture() {
    let report = run("broken", &format!("{MJPG}at 10-120 junk\n"), "frames=30 patience=400");
    assert_eq!(report.frames.len(), 30);
    assert!(report.has_noticed("only broken frames for 0.4 s"), "{:?}", report.notices);
    assert!(report.counters["timeouts"] >= 1);
}

#[test]
fn repeated_io_errors_restart_then_reopen() {
    // (errors, counters)
    let cases: [(u64, Counts, usize); 3] = [
        (4, &[("io_errors", 4)], 1),
        (7, &[("io_errors", 7)], 2),
        (12, &[("io_errors", 12), ("reopened", 1)], 3),
    ];
    for (errors, counters, starts) in cases {
        let name = format!("eio-{errors}");
        let report = run(&name, &format!("{MJPG}at 10 eio {errors}\n"), "frames=30 patience=1000");
        report.counted(counters);
        let met = report.seen.iter().filter(|line| line.starts_with("VIDIOC_STREAMON")).count();
        assert_eq!(met, starts, "{errors}: {:?}", report.seen);
    }
}

#[test]
fn a_buffer_that_could_not_be_given_back_is_given_back_later() {
    const LAYER: &str = "driver libcamera\nmode NV12 160x120\nfps 100\n";
    // (name, driver and mode, whether some frames are flagged, how long each frame is kept in ms): a slow
    // program gives back good ones for newer ones, and bad ones while it has a good one.
    let cases = [
        ("qbuf-lent", MJPG, false, 0),
        ("qbuf-superseded", MJPG, false, 35),
        ("qbuf-flagged", MJPG, true, 35),
        ("qbuf-layer", LAYER, false, 0),
        ("qbuf-layer-slow", LAYER, false, 35),
    ];
    for (name, camera, flagged, hold) in cases {
        let flags: String = (1..12).filter(|_| flagged).map(|n| format!("at {} flag\n", n * 3)).collect();
        let errors: String = (1..=8).map(|n| format!("at {} qbuf-eio 1\n", n * 6)).collect();
        let report =
            run(name, &format!("{camera}{flags}{errors}"), &format!("frames=60 patience=500 hold={hold}"));
        assert_eq!(report.counters["io_errors"], 8, "{name}: {report:#?}");
        assert_eq!(report.counters["timeouts"], 0, "{name}: {report:#?}");
        let starts = report.seen.iter().filter(|line| line.starts_with("VIDIOC_STREAMON")).count();
        assert_eq!(starts, 1, "{name}: {:?}", report.seen);
        let last = &report.frames[59];
        assert!(last.age < 200_000, "{name}: {last:?}");
    }
}

#[test]
fn a_full_usb_bus_gets_a_smaller_mode() {
    let modes = "mode MJPG 1280x720 100\nmode MJPG 640x480 100\nmode MJPG 160x120 100\n";
    let report = run("nospace", &format!("{modes}nospace 640x480\n"), "frames=10");
    assert!(report.modes[0].starts_with("MJPG 160x120"), "{:?}", report.modes);
    assert!(
        report.has_told("no bandwidth left for MJPG 1280x720 at 100 fps; trying MJPG 640x480"),
        "{:#?}",
        report.told
    );
    let report = run("nospace-at-all", &format!("{modes}nospace 1x1\n"), "frames=1 limit=300");
    assert!(report.has_noticed("USB bandwidth"), "{:?}", report.notices);
}

#[test]
fn names_that_are_not_text_and_unknown_controls_do_no_harm() {
    let report = run("names", &format!("card Cam\\xe9ra \\xff\\xfe\nbus \\x80\n{MJPG}"), "frames=5");
    assert_eq!(report.frames.len(), 5);
    assert!(report.modes[0].contains("Cam\u{fffd}ra"), "{:?}", report.modes);
    let lab = Lab::new("listing");
    lab.scenario(
        "scenario",
        &format!("card Cam\\xe9ra\n{MJPG}mode YUYV 32x32-640x480/2x2 5 60\nmode pBAA 64x64\n"),
    );
    let report = lab.run("devices");
    let text = report.text.join("\n");
    for line in [
        "video0  Cam\u{fffd}ra (uvcvideo, usb-fake-1)",
        "    MJPG 160x120  100 fps",
        "    YUYV 32x32 to 640x480  5 to 60 fps",
        "    pBAA Format \u{fffd} pBAA (not used)",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn ranges_of_sizes_are_taken_at_the_wanted_size() {
    let scenario = "mode YUYV 32x32-640x480/16x2 5 60\nfps 100\n";
    let report = run("range", scenario, "frames=3 size=200x100 fps=25");
    assert!(
        report.modes[0].starts_with("YUYV 208x100 at 25 fps")
            || report.modes[0].starts_with("YUYV 192x100 at 25 fps"),
        "{:?}",
        report.modes
    );
    assert!(report.has_told("200x100 cannot be had"), "{:#?}", report.told);
}

#[test]
fn stamps_that_cannot_be_are_replaced() {
    for stamp in ["unknown", "zero", "future"] {
        let report = run(&format!("stamp-{stamp}"), &format!("{MJPG}stamp {stamp}\n"), "frames=3");
        assert!(report.frames.iter().all(|frame| frame.age == 0), "{stamp}: {report:#?}");
    }
}

#[test]
fn libcameras_layer_gets_its_buffers_back_in_order() {
    let layer = "driver libcamera\nfps 100\n";
    // Raw formats are preferred; marks of error stay on a buffer and do not decide.
    let modes = "mode MJPG 160x120\nmode UYVY 160x120\nmode NV12 160x120\n";
    let report = run("layer", &format!("{layer}{modes}at 3 flag\nat 9 cut 1\n"), "frames=30 buffers=8");
    assert_eq!(report.frames.len(), 30);
    assert_eq!(report.frames[0].kind, "NV12 160x120");
    report.counted(&[("truncated", 1)]);
    report.saw_all_but(report.frames[29].number, &[9]);
    assert!(report.has_told("marked as erroneous; it is used"), "{:#?}", report.told);
    assert!(report.seen.iter().any(|line| line == "VIDIOC_REQBUFS 4"), "{:?}", report.seen);

    let report = run("layer-mjpeg", &format!("{layer}{modes}"), "frames=10 format=mjpeg");
    assert_eq!(report.frames[0].kind, "JPEG 160x120");
    let report = run("layer-slow", &format!("{layer}{modes}"), "frames=5 hold=100");
    assert!(report.counters["superseded"] >= 3, "{report:#?}");
    let report = run("layer-stuck", &format!("{layer}{modes}at 5 stuck\n"), "frames=10 patience=300");
    report.counted(&[("reopened", 1), ("timeouts", 1)]);
    let report = run("layer-old", &format!("{layer}layer old\n{modes}"), "frames=5");
    assert_eq!(report.frames.len(), 5);
}
