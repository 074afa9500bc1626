//! What the programs cost while there is nothing to do.

use crate::preload::Studio;
use crate::program::{Program, Room, free_port, pause};

const WATCHED_MS: u64 = 4000;

/// Asserts that a program uses less than `percent` of a processor and wakes up at most `wakes` times a second.
#[track_caller]
fn rests(name: &str, program: &Program, percent: f64, wakes: u64) {
    let (cpu, sleeps) = (program.cpu_seconds(), program.sleeps());
    pause(WATCHED_MS);
    let seconds = WATCHED_MS as f64 / 1000.0;
    let used = (program.cpu_seconds() - cpu) / seconds * 100.0;
    let woken = (program.sleeps() - sleeps) as f64 / seconds;
    eprintln!("{name}: {used:.1} % of a processor, {woken:.1} wake-ups a second");
    assert!(used <= percent, "{name}: {used:.1} % of a processor");
    assert!(woken <= wakes as f64, "{name}: {woken:.1} wake-ups a second");
}

#[test]
fn nothing_runs_in_circles_while_there_is_nothing_to_do() {
    let at = format!("127.0.0.1:{}", free_port());
    let room = Room::new("idle");
    let studio = Studio::new("idle-stuck", "mode MJPG 160x120 30\nat 5-100000 stuck\n");
    let viewer = Program::viewer(room.viewer(&at, ""));
    let absent = Program::start(room.camera(&at, "--source /dev/nosuchvideo --stats-json @absent.json"));
    let elsewhere = format!("127.0.0.1:{}", free_port());
    let silent = Program::start(studio.camera(&elsewhere, ""));
    let mut pipe = Program::start(room.camera(&elsewhere, "--source - --state @p --stats-json @pipe.json"));
    let held_open = pipe.input();
    let lonely = Program::viewer(room.viewer(&elsewhere.replace("127.0.0.1", "127.0.0.2"), "--state @l"));
    absent.wait_for("waiting for it");
    silent.wait_for("starting the stream again");
    viewer.wait_for("info: stream ");
    // Side by side, to save time; a debug build on a busy machine takes several times what it should.
    std::thread::scope(|scope| {
        scope.spawn(|| rests("a camera that is not there", &absent, 5.0, 20));
        scope.spawn(|| rests("a camera that is silent", &silent, 5.0, 20));
        scope.spawn(|| rests("a pipe without frames", &pipe, 2.0, 5));
        scope.spawn(|| rests("a viewer of notices", &viewer, 5.0, 40));
        scope.spawn(|| rests("a viewer without a stream", &lonely, 3.0, 15));
    });
    drop(held_open);
    for program in [absent, silent, viewer, lonely] {
        program.ends_well();
    }
}

#[test]
fn a_camera_whose_network_takes_nothing_waits_for_it() {
    let Some(lab) = crate::hosts::lan() else { return };
    let room = Room::new("blocked");
    // Each frame is 4 s of what the link carries.
    if !lab.tc("a", "qdisc add dev va root tbf rate 100kbit burst 2kb latency 60s") {
        eprintln!("skipped: no token bucket filter in this kernel");
        return;
    }
    let clip = crate::pictures::jpegs(3, 640, 480);
    std::fs::write(room.path("clip.mjpeg"), clip.concat()).unwrap();
    let camera = crate::hosts::on(
        &lab,
        "a",
        room.camera("10.77.1.2:5004", "--source file:@clip.mjpeg --fps 10 --pace 0"),
    );
    camera.wait_for("bit for bit");
    pause(1000);
    rests("a camera on a blocked link", &camera, 10.0, 300);
    camera.ends_well();
    let sent = room.newest("camera.json");
    assert!(sent.n("network.blocked") > 0 && sent.n("frames_abandoned") > 0, "{sent:?}");
}
