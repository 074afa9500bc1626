//! Once warm, the real camera program asks for no memory: not per frame, not for its figures; the C library's
//! own `malloc` included.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use crate::pictures::jpegs;
use crate::preload::Studio;
use crate::program::{Program, free_port, wait_until};

/// Frames after which everything is as large as it gets.
const WARM: u64 = 60;
/// Frames over which nothing may be asked for.
const WATCHED: u64 = 250;

/// Streams from the fake camera into nowhere and counts.
#[track_caller]
fn asks_for_nothing(name: &str, scenario: &str, options: &str, counted: &str) {
    let studio = Studio::showing(name, jpegs(5, 320, 240), scenario);
    let camera = Program::start(studio.counted_camera(&format!("127.0.0.1:{}", free_port()), options));
    let frames = || studio.room.figures("camera.json").pop().map_or(0, |sent| sent.n(counted));
    wait_until("it is warm", || frames() >= WARM);
    let counts = OpenOptions::new().read(true).write(true).open(studio.room.path("counts")).unwrap();
    let asked = || {
        let mut bytes = [0; 8];
        counts.read_exact_at(&mut bytes, 0).unwrap();
        u64::from_ne_bytes(bytes)
    };
    let (before, first) = (asked(), frames());
    assert!(before > 100, "the counter counts: {before}");
    // From now on each is told with where it came from.
    counts.write_all_at(&1_u64.to_ne_bytes(), 8).unwrap();
    wait_until("enough frames were watched", || frames() >= first + WATCHED);
    let after = asked();
    counts.write_all_at(&0_u64.to_ne_bytes(), 8).unwrap();
    assert_eq!(after, before, "{name}: memory was asked for in {WATCHED} frames:\n{}", camera.told());
    camera.ends_well();
    studio.log();
}

#[test]
fn passing_through_asks_for_nothing() {
    asks_for_nothing("alloc-pass", "mode MJPG 320x240 100\n", "", "passed_through");
}

#[test]
fn encoding_asks_for_nothing() {
    asks_for_nothing("alloc-yuyv", "mode YUYV 320x240 100\n", "", "encoded");
    asks_for_nothing("alloc-layer", "driver libcamera\nfps 100\nmode NV12 320x240\n", "--pace 0", "encoded");
}

#[test]
fn requantising_asks_for_nothing() {
    asks_for_nothing("alloc-requantise", "mode MJPG 320x240 100\n", "--quality 50", "requantised");
}

#[test]
fn transforming_asks_for_nothing() {
    asks_for_nothing("alloc-scale", "mode MJPG 320x240 100\n", "--size 160x120", "encoded");
}
