//! Which stream a viewer follows: restarts, rivals, other keys, silence.

use sealcam::proto::key_schedule::SharedKey;
use sealcam::proto::receiver::Condition;
use sealcam::proto::streams::SILENCE;
use sealcam::time::{Duration, Instant};

use crate::link::{Conditions, Loss};
use crate::random::for_seeds;
use crate::world::{CameraPlan, World};

const SEEDS: u64 = 100;

const LOSSY: Conditions = Conditions {
    loss: Loss::Random(0.03),
    duplicated: 0.02,
    corrupted: 0.01,
    jitter: Duration::from_millis(4),
    ..Conditions::CLEAN
};

fn key(byte: u8) -> SharedKey {
    SharedKey::from_bytes([byte; 32])
}

/// One viewer on a lossy link, and a camera that has started `counter` times.
fn world(seed: u64, counter: u32) -> World {
    let mut world = World::new(seed);
    world.add_camera(CameraPlan::SMALL, &key(1), counter);
    world.add_viewer(&key(1), 2_000, LOSSY, None);
    world
}

fn some_time(world: &mut World, least: u64, most: u64) -> Duration {
    Duration::from_millis(least + world.random.below(most - least))
}

/// When the viewer got its first frame of the stream that `camera` sends now.
fn first_frame(world: &World, camera: usize) -> Option<Instant> {
    let stream = world.cameras[camera].stream;
    world.viewers[0].frames.iter().find(|frame| frame.stream == stream).map(|frame| frame.at)
}

fn frames_of(world: &World, camera: usize) -> usize {
    let stream = world.cameras[camera].stream;
    world.viewers[0].frames.iter().filter(|frame| frame.stream == stream).count()
}

#[test]
fn a_restarted_camera_is_followed_at_once() {
    for_seeds(SEEDS, |seed| {
        let mut world = world(seed, 5);
        let first = some_time(&mut world, 100, 3_000);
        world.run_for(first);
        world.restart_camera(0, 6);
        let restarted = world.now;
        world.run_for(Duration::from_secs(3));
        let took = first_frame(&world, 0).expect("the new stream is followed").since(restarted);
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(world.condition(0), Condition::Live(world.cameras[0].stream));
        assert_eq!(world.viewers[0].receiver.counters().stream_changes, 2);
    });
}

#[test]
fn a_camera_that_lost_its_state_is_refused_and_that_is_said() {
    for_seeds(SEEDS, |seed| {
        let mut world = world(seed, 5);
        world.run_for(Duration::from_millis(1_000));
        world.restart_camera(0, 4);
        world.run_for(SILENCE + Duration::from_millis(500));
        assert_eq!(frames_of(&world, 0), 0);
        assert_eq!(world.condition(0), Condition::Stale { lowest: 5 });
        assert!(world.viewers[0].receiver.counters().stale_stream > 20);
        world.restart_camera(0, 6);
        world.run_for(Duration::from_millis(500));
        assert!(frames_of(&world, 0) > 0);
    });
}

#[test]
fn a_viewer_started_again_with_its_state_goes_on_where_it_was() {
    for_seeds(SEEDS, |seed| {
        let mut world = world(seed, 5);
        let first = some_time(&mut world, 500, 2_000);
        world.run_for(first);
        let seen = world.viewers[0].receiver.seen();
        world.viewers.clear();
        world.run_for(Duration::from_millis(700));
        world.add_viewer(&key(1), 2_000, LOSSY, seen);
        let restarted = world.now;
        world.run_for(Duration::from_secs(2));
        let took = first_frame(&world, 0).expect("the same stream is followed").since(restarted);
        assert!(took < Duration::from_secs(1), "{took:?}");
    });
}

#[test]
fn of_two_cameras_with_one_key_the_viewer_stays_with_the_live_one() {
    for_seeds(SEEDS, |seed| {
        let mut world = world(seed, 5);
        world.run_for(Duration::from_millis(300));
        let rival = world.add_camera(CameraPlan::SMALL, &key(1), 5);
        world.run_for(Duration::from_secs(5));
        assert_eq!(frames_of(&world, rival), 0, "the first one is alive");
        assert!(world.viewers[0].receiver.counters().other_stream > 100);

        // The first falls silent: the rival takes over after two seconds, not before.
        world.cameras[0].on = false;
        let silent = world.now;
        world.run_for(SILENCE + Duration::from_secs(1));
        let took = first_frame(&world, rival).expect("the rival is followed").since(silent);
        let short = Duration::from_millis(100); // the first one's last frame was up to this long ago
        assert!(took + short > SILENCE && took < SILENCE + Duration::from_millis(500), "{took:?}");

        // The first one comes back as the stream it was: now the rival is the live one.
        let before = frames_of(&world, 0);
        world.cameras[0].on = true;
        world.run_for(Duration::from_secs(3));
        assert_eq!(frames_of(&world, 0), before);
        world.cameras[rival].on = false;
        world.run_for(SILENCE + Duration::from_secs(1));
        assert!(frames_of(&world, 0) > before, "and is followed again when that one is silent");
    });
}

#[test]
fn another_key_is_told_within_two_seconds() {
    for_seeds(SEEDS, |seed| {
        let mut world = World::new(seed);
        world.add_camera(CameraPlan::SMALL, &key(2), 5);
        world.add_viewer(&key(1), 2_000, LOSSY, None);
        assert_eq!(world.condition(0), Condition::Waiting);
        world.run_for(Duration::from_secs(2));
        assert_eq!(world.condition(0), Condition::WrongKey(key(1).fingerprint()));
        assert!(world.viewers[0].frames.is_empty());
        assert_eq!(world.viewers[0].receiver.counters().accepted, 0);
        // Once the right camera is there, the other one is noise.
        let right = world.add_camera(CameraPlan::SMALL, &key(1), 1);
        world.run_for(Duration::from_secs(2));
        assert_eq!(world.condition(0), Condition::Live(world.cameras[right].stream));
        assert!(frames_of(&world, right) > 30);
    });
}

/// A viewer that has seen its own camera start often must not take a stranger for that camera's past.
#[test]
fn another_key_is_told_although_its_camera_started_less_often() {
    for_seeds(SEEDS, |seed| {
        let mut world = world(seed, 9);
        world.run_for(Duration::from_millis(500));
        let seen = world.viewers[0].receiver.seen();
        world.cameras.clear();
        world.viewers.clear();
        world.add_viewer(&key(1), 2_000, LOSSY, seen);
        world.add_camera(CameraPlan::SMALL, &key(2), 1);
        world.run_for(Duration::from_secs(2));
        assert_eq!(world.condition(0), Condition::WrongKey(key(1).fingerprint()));
    });
}

#[test]
fn a_stream_that_stops_is_silent_since_then_and_goes_on_when_it_does() {
    for_seeds(SEEDS, |seed| {
        let mut world = world(seed, 5);
        world.run_for(Duration::from_secs(1));
        world.cameras[0].on = false;
        let stopped = world.now;
        world.run_for(SILENCE + Duration::from_millis(100));
        let Condition::Silent { since } = world.condition(0) else { panic!("{:?}", world.condition(0)) };
        let before = stopped.since(since) + since.since(stopped);
        assert!(before < Duration::from_millis(150), "since {since}, stopped {stopped}");
        let frames = frames_of(&world, 0);
        world.cameras[0].on = true;
        world.run_for(Duration::from_millis(500));
        assert!(frames_of(&world, 0) > frames);
    });
}

#[test]
fn jumps_of_the_clock_do_no_harm() {
    for_seeds(SEEDS, |seed| {
        let mut world = world(seed, 5);
        for seconds in [1, 60, 86_400, 10 * 365 * 86_400] {
            world.run_for(Duration::from_secs(1));
            let frames = frames_of(&world, 0);
            world.jump(Duration::from_secs(seconds));
            world.run_for(Duration::from_secs(1));
            assert!(frames_of(&world, 0) > frames + 15, "{seconds} s");
            assert_eq!(world.condition(0), Condition::Live(world.cameras[0].stream));
        }
    });
}
