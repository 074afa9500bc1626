//! Conditions of the link and what must come through, as data.

use sealcam::proto::key_schedule::SharedKey;
use sealcam::time::Duration;

use crate::link::{Bottleneck, Conditions, Loss};
use crate::random::for_seeds;
use crate::world::{CameraPlan, World};

struct Scenario {
    camera: CameraPlan,
    link: Conditions,
    viewers: usize,
    frames: u32,
    seeds: u64,
    expect: Expect,
}

/// What each viewer must get, over all seeds.
#[derive(Debug, Clone, Copy)]
enum Expect {
    EveryFrame,
    /// 0.98 of what independent loss of single datagrams leaves whole, within four standard deviations.
    WhatLossLeaves(f64),
    /// This part of the frames, at least.
    AtLeast(f64),
    /// This part of the frames, at most.
    AtMost(f64),
}

const BASE: Scenario = Scenario {
    camera: CameraPlan::SMALL,
    link: Conditions::CLEAN,
    viewers: 1,
    frames: 40,
    seeds: 200,
    expect: Expect::EveryFrame,
};

const KEY: [u8; 32] = [0x3c; 32];

/// Frames that were sent and became whole, and what chance allows.
#[derive(Debug, Default)]
struct Outcome {
    sent: u64,
    whole: u64,
    expected: f64,
    variance: f64,
}

impl Scenario {
    #[track_caller]
    fn check(&self) {
        let mut all = Outcome::default();
        for_seeds(self.seeds, |seed| {
            let one = self.run(seed);
            if matches!(self.expect, Expect::EveryFrame) {
                assert_eq!(one.whole, one.sent, "every frame arrives");
            }
            all.sent += one.sent;
            all.whole += one.whole;
            all.expected += one.expected;
            all.variance += one.variance;
        });
        let rate = all.whole as f64 / all.sent as f64;
        match self.expect {
            Expect::EveryFrame => {}
            Expect::WhatLossLeaves(_) => {
                let least = 0.98 * all.expected - 4.0 * all.variance.sqrt();
                assert!(all.whole as f64 >= least, "at least {least:.0}: {all:?}");
            }
            Expect::AtLeast(least) => assert!(rate >= least, "{rate:.3} of the frames: {all:?}"),
            Expect::AtMost(most) => assert!(rate <= most, "{rate:.3} of the frames: {all:?}"),
        }
    }

    fn run(&self, seed: u64) -> Outcome {
        let key = SharedKey::from_bytes(KEY);
        let mut world = World::new(seed);
        let camera = world.add_camera(self.camera, &key, 1);
        world.cameras[camera].frames_left = self.frames;
        for _ in 0..self.viewers {
            world.add_viewer(&key, self.camera.frame.1, self.link, None);
        }
        world.run_for(self.camera.interval * self.frames + Duration::from_secs(1));

        let mut outcome = Outcome::default();
        let viewers = self.viewers as f64;
        for sent in world.sent() {
            outcome.sent += self.viewers as u64;
            if let Expect::WhatLossLeaves(loss) = self.expect {
                let whole = (1.0 - loss).powi(i32::from(sent.shards));
                outcome.expected += whole * viewers;
                outcome.variance += whole * (1.0 - whole) * viewers;
            }
        }
        outcome.whole = world.viewers.iter().map(|viewer| viewer.frames.len() as u64).sum();
        for viewer in &world.viewers {
            let (tally, counters) = (viewer.link.tally(), viewer.receiver.counters());
            assert_eq!(counters.datagrams, tally.delivered);
            assert_eq!(counters.frames_whole, viewer.frames.len() as u64);
            assert!(counters.accepted <= tally.sent - tally.lost - tally.overflowed);
            assert_eq!(counters.stream_changes, 1, "one camera, one stream");
        }
        outcome
    }
}

#[test]
fn on_a_clean_link_every_frame_arrives() {
    Scenario { viewers: 3, ..BASE }.check();
}

#[test]
fn frames_of_any_size_fit_datagrams_of_any_size() {
    // (datagram, smallest and largest frame)
    let cases = [(128, 1, 70), (128, 1, 9_000), (129, 60, 300), (1_200, 1, 3_000), (8_900, 1, 40_000)];
    for (datagram, smallest, largest) in cases {
        let camera = CameraPlan { datagram, frame: (smallest, largest), ..CameraPlan::SMALL };
        Scenario { camera, seeds: 20, ..BASE }.check();
    }
}

#[test]
fn three_mebibytes_arrive_in_one_piece() {
    for datagram in [128, 1_472, 8_900] {
        let camera = CameraPlan { datagram, frame: (3 << 20, 3 << 20), ..CameraPlan::SMALL };
        Scenario { camera, frames: 2, seeds: 1, ..BASE }.check();
    }
}

#[test]
fn doubles_and_overtaking_change_nothing() {
    // Less than what the pace leaves of the frame interval, so no frame overtakes another.
    let link = Conditions { duplicated: 0.3, jitter: Duration::from_millis(20), ..Conditions::CLEAN };
    Scenario { link, viewers: 2, ..BASE }.check();
}

#[test]
fn frames_that_overtake_each_other_cost_only_the_older_ones() {
    let link = Conditions { jitter: Duration::from_millis(60), ..Conditions::CLEAN };
    Scenario { link, expect: Expect::AtLeast(0.25), ..BASE }.check();
}

#[test]
fn independent_loss_costs_no_more_than_it_must() {
    for loss in [0.001, 0.01, 0.05, 0.2] {
        let link =
            Conditions { loss: Loss::Random(loss), jitter: Duration::from_millis(5), ..Conditions::CLEAN };
        Scenario { link, expect: Expect::WhatLossLeaves(loss), ..BASE }.check();
    }
}

#[test]
fn bursts_of_loss_cost_fewer_frames_than_the_same_loss_spread() {
    // 2 % on average: one part in fifty of the time in a state where all is lost.
    let bursts = Loss::Bursty { to_bad: 0.002, to_good: 0.098, bad_loss: 1.0 };
    let camera = CameraPlan { frame: (2_000, 4_000), ..CameraPlan::SMALL };
    let link = Conditions { loss: bursts, ..Conditions::CLEAN };
    // Spread, (1 - 0.02)^15 leaves 0.74.
    Scenario { camera, link, expect: Expect::AtLeast(0.9), ..BASE }.check();
}

#[test]
fn damage_is_loss_and_nothing_more() {
    let link = Conditions { corrupted: 0.02, truncated: 0.02, ..Conditions::CLEAN };
    Scenario { link, expect: Expect::WhatLossLeaves(0.04), ..BASE }.check();
}

#[test]
fn everything_at_once() {
    let link = Conditions {
        loss: Loss::Bursty { to_bad: 0.01, to_good: 0.3, bad_loss: 0.7 },
        duplicated: 0.05,
        corrupted: 0.01,
        truncated: 0.01,
        jitter: Duration::from_millis(8),
        ..Conditions::CLEAN
    };
    Scenario { link, viewers: 2, expect: Expect::AtLeast(0.7), ..BASE }.check();
}

/// 150 datagrams into a queue of 64 that is emptied at twice the stream's rate.
#[test]
fn pacing_brings_frames_through_a_short_queue() {
    let bottleneck = Some(Bottleneck { datagrams_per_second: 10_000, queue: 64 });
    let link = Conditions { bottleneck, ..Conditions::CLEAN };
    let camera = CameraPlan { frame: (30_000, 30_000), ..CameraPlan::SMALL };
    let at_once = CameraPlan { pace_percent: 0, ..camera };
    Scenario { camera: at_once, link, seeds: 10, expect: Expect::AtMost(0.0), ..BASE }.check();
    let paced = CameraPlan { pace_percent: 50, ..camera };
    Scenario { camera: paced, link, seeds: 10, ..BASE }.check();
}

/// A busy board wakes its programs late. Pacing must then give way, not lose every frame's end.
#[test]
fn a_camera_that_wakes_late_still_sends_whole_frames() {
    for (lateness, fps) in [(2, 30), (6, 30), (5, 60), (8, 60)] {
        let camera = CameraPlan {
            frame: (20_000, 30_000),
            interval: Duration::from_micros(1_000_000 / fps),
            lateness: Duration::from_millis(lateness),
            ..CameraPlan::SMALL
        };
        // All but the first, whose interval can only be assumed.
        Scenario { camera, seeds: 5, expect: Expect::AtLeast(0.975), ..BASE }.check();
    }
}
