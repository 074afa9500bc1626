//! Recorded, lost, doubled, reordered and damaged datagrams against the real programs.

use std::fs;

use sealcam::time::Duration;

use crate::pictures::{jpegs, missing, split};
use crate::program::{Ended, Program, Room, free_port, pause, wait_until};
use crate::relay::{Faults, Random, Relay, replay};

const SCENE: &str = "--source pattern:320x240@30";

fn viewer_at() -> String {
    format!("127.0.0.1:{}", free_port())
}

/// Streams for a moment through a recorder; what it recorded is yesterday's.
fn yesterday(room: &Room, at: &str) -> (Vec<Vec<u8>>, Ended) {
    let relay = Relay::start(at, Faults::default(), 0);
    let viewer = Program::viewer(room.viewer(at, ""));
    let camera = Program::start(room.camera(&relay.at(), &format!("{SCENE} --frames 20"))).succeeds();
    wait_until("the recorder has it", || {
        let sent = room.newest("camera.json").n("datagrams");
        relay.record().len() as u64 == sent
    });
    pause(100);
    let viewer = viewer.ends_well();
    assert_eq!(room.newest("viewer.json").n("whole"), 20, "{}\n{}", viewer.told, camera.told);
    (relay.record(), viewer)
}

#[test]
fn yesterdays_datagrams_are_refused_by_a_running_viewer_and_by_one_restarted() {
    let (room, at) = (Room::new("replay"), viewer_at());
    let (recorded, _) = yesterday(&room, &at);
    let datagrams = recorded.len() as u64;

    // Today's viewer has not seen today's camera yet: its state alone tells it.
    let viewer = Program::viewer(room.viewer(&at, "--timeout 20"));
    replay(&recorded, &at);
    wait_until("they are counted", || {
        let seen = room.figures("viewer.json").pop();
        seen.is_some_and(|seen| seen.n("replayed") + seen.n("stale") + seen.n("late") >= datagrams)
    });
    assert_eq!(room.newest("viewer.json").n("whole"), 0, "{}", viewer.told());

    // The camera of today is seen at once, and yesterday's datagrams change nothing.
    let relay = Relay::start(&at, Faults::default(), 0);
    let camera = Program::start(room.camera(&relay.at(), SCENE));
    camera.wait_for("are encoded");
    let took =
        wait_until("today's stream is followed", || viewer.told().matches("info: stream ").count() == 1);
    assert!(took < Duration::from_secs(2), "{took:?}");
    replay(&recorded, &at);
    let today = relay.record();
    replay(&today[..today.len() / 2], &at);
    pause(1200);
    let camera = camera.ends_well();
    pause(200);
    let viewer = viewer.ends_well();
    let (sent, seen) = (room.newest("camera.json"), room.newest("viewer.json"));
    let left = sent.n("frames") - sent.n("frames_abandoned");
    assert_eq!(seen.n("whole"), left, "{}\n{}", viewer.told, camera.told);
    assert!(seen.n("stale") >= datagrams, "{seen:?}");
    assert!(seen.n("replayed") + seen.n("late") >= today.len() as u64 / 2, "{seen:?}");
    assert!(seen.text("stream").starts_with("2-"), "{seen:?}");

    // One that has lost its state cannot know, and has said so.
    let fresh = Program::viewer(room.viewer(&at, "--state @empty --frames 10 --timeout 10"));
    assert!(fresh.has_told("cannot be told from the camera") || fresh.told().len() < 2000);
    replay(&recorded, &at);
    let fresh = fresh.succeeds();
    assert!(fresh.told.contains("a recording of an earlier one cannot be told"), "{}", fresh.told);
}

#[test]
fn a_camera_restarted_with_its_state_is_picked_up_at_once_and_one_without_is_refused() {
    let (room, at) = (Room::new("restart"), viewer_at());
    let viewer = Program::viewer(room.viewer(&at, ""));
    for start in 1..=3 {
        let camera = Program::start(room.camera(&at, SCENE));
        let told = || viewer.told().matches("info: stream ").count();
        let took = wait_until("the stream is followed", || told() == start);
        assert!(took < Duration::from_secs(2), "start {start}: {took:?}");
        camera.ends_well();
    }
    // The counter is gone: to the viewer this is what a recording looks like.
    fs::remove_dir_all(room.path("camera")).unwrap();
    let camera = Program::start(room.camera(&at, SCENE));
    viewer.wait_for("refusing an old stream");
    let viewer = viewer.ends_well();
    let line = viewer.told.lines().find(|line| line.contains("refusing an old stream")).unwrap();
    for words in ["below 3", "--forget", "recording", "second camera"] {
        assert!(line.contains(words), "{line}");
    }
    let before = room.newest("viewer.json");
    assert!(before.n("stale") > 0, "{before:?}");
    // Restarted it still knows; told to forget, it follows.
    let viewer = Program::start(room.viewer(&at, "--timeout 3")).wait();
    assert_eq!(viewer.code, Some(1), "{}", viewer.told);
    assert!(viewer.told.lines().last().unwrap().contains("--forget"), "{}", viewer.told);
    let viewer = Program::start(room.viewer(&at, "--forget --frames 10 --timeout 10")).succeeds();
    assert!(viewer.told.contains("info: stream 1-"), "{}", viewer.told);
    camera.ends_well();
    // And from then on as ever.
    let camera = Program::start(room.camera(&at, SCENE));
    Program::start(room.viewer(&at, "--frames 10 --timeout 10")).succeeds();
    camera.ends_well();
}

#[test]
fn two_cameras_with_one_key_are_told_apart() {
    let (room, at) = (Room::new("two"), viewer_at());
    let viewer = Program::viewer(room.viewer(&at, ""));
    let first = Program::start(room.camera(&at, SCENE));
    viewer.wait_for("info: stream 1-");
    let mut other = room.camera(&at, &format!("{SCENE} --stats-json @other.json"));
    // Its own state folder, so the same start counter.
    let args: Vec<_> = other.get_args().map(std::ffi::OsStr::to_owned).collect();
    let position = args.iter().position(|arg| arg == "--state").unwrap() + 1;
    other = std::process::Command::new(other.get_program());
    other.args(
        args.iter().enumerate().map(|(nth, arg)| {
            if nth == position { room.path("other").into_os_string() } else { arg.clone() }
        }),
    );
    let second = Program::start(other);
    viewer.wait_for("another camera sends with the same key");
    pause(500);
    let viewer = viewer.ends_well();
    assert_eq!(viewer.told.matches("info: stream ").count(), 1, "it stays with the first: {}", viewer.told);
    assert!(room.newest("viewer.json").n("other_stream") > 0);
    first.ends_well();
    second.ends_well();
}

#[test]
fn a_bad_network_costs_frames_but_never_shows_a_wrong_one() {
    let seed = Random(u64::from(std::process::id())).next();
    eprintln!("seed {seed}");
    let (room, at) = (Room::new("bad-network"), viewer_at());
    let clip = jpegs(31, 160, 120);
    fs::write(room.path("clip.mjpeg"), clip.concat()).unwrap();
    let faults = Faults { lost: 10, doubled: 50, held: 50, shadowed: 50 };
    let relay = Relay::start(&at, faults, seed);
    let viewer = Program::viewer(room.viewer(&at, "--stdout"));
    let args = "--source file:@clip.mjpeg --fps 60 --packet-size 600 --frames 240";
    Program::start(room.camera(&relay.at(), args)).succeeds();
    pause(500);
    let viewer = viewer.ends_well();
    let (sent, seen, passed) = (room.newest("camera.json"), room.newest("viewer.json"), relay.passed());
    assert_eq!(sent.n("limited"), 0, "the clip comes at its rate by itself");
    assert_eq!(passed.taken, sent.n("datagrams"), "the relay itself has lost some");
    let images = split(&viewer.output);
    // Frames that were seen in part before the first whole one count too.
    let missing = missing(&images, &clip) as u64;
    assert!((missing..=missing + 3).contains(&seen.n("incomplete")), "{missing}: {seen:?}, seed {seed}");
    assert_eq!(images.len() as u64, seen.n("whole"));
    assert!(seen.n("whole") >= 120, "{seen:?}, seed {seed}");
    assert!(
        seen.n("incomplete") > 0 && seen.n("whole") + seen.n("incomplete") <= 240,
        "{seen:?}, {passed:?}"
    );
    // Every damaged copy is refused, by its tag or before, whatever bit it is.
    let refused = ["forged", "malformed", "replayed", "late", "stale", "other_stream"];
    let refused: u64 = refused.iter().map(|name| seen.n(name)).sum();
    assert!(refused >= passed.shadowed + passed.doubled, "{seen:?}, {passed:?}, seed {seed}");
    assert!(
        seen.n("forged") > 0 && seen.n("replayed") + seen.n("late") >= passed.doubled,
        "{seen:?}, {passed:?}"
    );
    assert_eq!(viewer.told.matches("info: stream ").count(), 1, "{}", viewer.told);
}

#[test]
fn noise_from_strangers_does_no_harm() {
    let seed = Random(u64::from(std::process::id()) + 1).next();
    eprintln!("seed {seed}");
    let (room, at) = (Room::new("noise"), viewer_at());
    let viewer = Program::viewer(room.viewer(&at, ""));
    let camera = Program::start(room.camera(&at, SCENE));
    viewer.wait_for("info: stream ");
    let mut random = Random(seed);
    let noise: Vec<Vec<u8>> = (0..3000)
        .map(|nth| {
            let len = (random.next() % 1500) as usize;
            let mut datagram: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
            // Half of them look like the first bytes of a stream.
            if nth % 2 == 0 && len > 4 {
                datagram[..4].copy_from_slice(&[1, 0, 0, 0]);
            }
            datagram
        })
        .collect();
    let before = room.figures("viewer.json").pop().map_or(0, |seen| seen.n("whole"));
    replay(&noise, &at);
    pause(1200);
    camera.ends_well();
    pause(200);
    let viewer = viewer.ends_well();
    let (sent, seen) = (room.newest("camera.json"), room.newest("viewer.json"));
    assert!(seen.n("whole") > before + 20, "{seen:?}");
    assert!(seen.n("whole") + 3 >= sent.n("frames"), "seed {seed}: {sent:?} {seen:?}");
    assert!(seen.n("malformed") + seen.n("forged") + seen.n("stale") >= 2900, "seed {seed}: {seen:?}");
    assert_eq!(viewer.told.matches("info: stream ").count(), 1, "{}", viewer.told);
}
