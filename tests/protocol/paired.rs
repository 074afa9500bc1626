//! Paired viewers coming, going, moving and being removed, in virtual time.

use sealcam::proto::connection::{Refusal, Standing};
use sealcam::proto::group::{Event, StreamFacts};
use sealcam::time::Duration;
use sealcam::wire::{Farewell, Grant, Role};

use crate::hall::Hall;
use crate::link::{Conditions, Loss};
use crate::random::for_seeds;

const SECOND: Duration = Duration::from_secs(1);

const BAD: Conditions = Conditions {
    loss: Loss::Random(0.2),
    duplicated: 0.1,
    corrupted: 0.02,
    truncated: 0.02,
    delay: Duration::from_millis(20),
    jitter: Duration::from_millis(30),
    bottleneck: None,
};

#[test]
fn the_first_picture_is_there_within_two_round_trips() {
    let mut hall = Hall::new(1, 1, Conditions { delay: Duration::from_millis(50), ..Conditions::CLEAN });
    hall.interval = Duration::from_millis(5);
    hall.run_for(SECOND);
    let began = hall.now;
    hall.start(0);
    hall.run_for(SECOND);
    let first = hall.viewers[0].frames[0].since(began);
    // Two round trips of 100 ms, and a frame that has just begun to leave when the viewer comes.
    assert!(first <= Duration::from_millis(200 + 2 * 5), "{first:?}");
    assert!(hall.watches(0) && hall.group.len() == 1);
    assert_eq!(hall.viewers[0].standing(hall.now), Some(Standing::In));
}

#[test]
fn a_busy_camera_takes_three() {
    let mut hall = Hall::new(1, 13, Conditions { delay: Duration::from_millis(50), ..Conditions::CLEAN });
    hall.interval = Duration::from_millis(5);
    hall.run_for(SECOND);
    let began = hall.now;
    hall.start_all();
    hall.run_for(SECOND);
    let counters = hall.group.counters();
    assert!(counters.gate.cookies > 0, "{counters:?}");
    for viewer in &hall.viewers {
        let first = viewer.frames[0].since(began);
        assert!(first <= Duration::from_millis(300 + 2 * 5), "{first:?}");
    }
}

#[test]
fn a_frame_is_sealed_once_whoever_watches() {
    let mut hall = Hall::new(2, 64, Conditions::CLEAN);
    hall.start_all();
    hall.run_for(SECOND * 5);
    let sealed = hall.sender.counters().datagrams;
    let arrived: u64 =
        hall.viewers.iter().map(|viewer| viewer.connection.as_ref().unwrap().counters().accepted).sum();
    assert!(hall.group.len() == 64 && arrived > sealed * 50, "{arrived} of {sealed} datagrams");
    assert!((0..64).all(|nth| hall.watches(nth)));
}

#[test]
fn a_key_change_loses_no_frame() {
    for_seeds(20, |seed| {
        let conditions =
            Conditions { jitter: Duration::from_millis(60), duplicated: 0.1, ..Conditions::CLEAN };
        let mut hall = Hall::new(seed, 3, conditions);
        hall.start_all();
        hall.run_for(SECOND * 2);
        let (sent, got) =
            (hall.frames_sent(), hall.viewers.iter().map(|v| v.frames.len()).collect::<Vec<_>>());
        // Two scheduled changes, and two handshakes of each viewer.
        hall.run_for(SECOND * 250);
        assert!(hall.group.counters().key_changes >= 2);
        assert!(hall.group.counters().confirmed >= 3 * 3);
        for (viewer, before) in hall.viewers.iter().zip(got) {
            let missed = (hall.frames_sent() - sent) - (viewer.frames.len() - before);
            assert!(missed <= 1, "{missed} frames missed: but for one on its way");
        }
    });
}

#[test]
fn a_removed_viewer_is_out_and_an_unresponsive_one_delays_nothing() {
    let mut hall = Hall::new(3, 3, Conditions::CLEAN);
    hall.interval = Duration::from_millis(20);
    hall.start_all();
    hall.run_for(SECOND * 2);
    // The third hangs: it hears nothing and says nothing, but its session is still there.
    hall.viewers[2].connection = None;
    let keys = hall.group.counters().key_changes;
    hall.remove(1);
    hall.run_for(Duration::from_millis(400));
    assert_eq!(hall.group.counters().key_changes, keys + 1);
    assert_eq!(hall.viewers[1].standing(hall.now), Some(Standing::Ended(Farewell::Removed)));
    assert!(hall.events.contains(&Event::Removed("viewer-1".parse().unwrap())));
    assert!(hall.watches(0), "the first goes on");
    // It knocks again, and is refused.
    hall.run_for(SECOND * 8);
    assert_eq!(hall.viewers[1].standing(hall.now), Some(Standing::Refused(Refusal::NotListed)));
    assert!(hall.watches(0) && !hall.watches(1));
    // Let in again, it comes back by itself.
    hall.readmit(1);
    hall.run_for(SECOND * 8);
    assert!(hall.watches(1));
}

#[test]
fn a_viewer_that_moves_keeps_its_session() {
    let mut hall = Hall::new(4, 2, Conditions { delay: Duration::from_millis(20), ..Conditions::CLEAN });
    hall.start_all();
    hall.run_for(SECOND * 2);
    let confirmed = hall.group.counters().confirmed;
    let now = hall.now;
    hall.viewers[0].moves(now);
    hall.run_for(SECOND);
    assert!(hall.watches(0), "it watches on from its new address");
    assert_eq!(hall.group.counters().confirmed, confirmed, "without a new handshake");
    assert_eq!(hall.group.counters().moved, 1);
    let address = hall.viewers[0].address;
    assert!(hall.events.contains(&Event::Moved("viewer-0".parse().unwrap(), address)));
    // The address of a translator changes without the viewer's knowing.
    hall.viewers[1].address.set_port(9);
    hall.run_for(SECOND * 2);
    assert!(hall.watches(1) && hall.group.counters().moved == 2);
    assert_eq!(hall.group.counters().confirmed, confirmed);
}

#[test]
fn the_camera_takes_as_many_as_it_was_told_and_lets_the_silent_go() {
    let mut hall = Hall::with_settings(5, 3, Conditions::CLEAN, 2, true);
    hall.start(0);
    hall.start(1);
    hall.run_for(SECOND);
    hall.start(2);
    hall.run_for(SECOND);
    assert_eq!(hall.viewers[2].standing(hall.now), Some(Standing::Refused(Refusal::Full)));
    hall.viewers[0].connection = None;
    hall.run_for(SECOND * 25);
    assert!(hall.events.contains(&Event::TimedOut("viewer-0".parse().unwrap())));
    assert!(hall.watches(1) && hall.watches(2), "its place was taken");
    hall.viewers[1].connection.as_mut().unwrap().leave();
    hall.run_for(SECOND);
    assert!(hall.events.contains(&Event::Left("viewer-1".parse().unwrap())));
    assert_eq!(hall.group.len(), 1);
}

#[test]
fn requests_are_carried_out_once_and_answered_whatever_is_lost() {
    for_seeds(50, |seed| {
        let mut hall = Hall::new(seed, 1, BAD);
        hall.viewers[0].role = Role::Tune;
        hall.publish_list();
        hall.start(0);
        hall.run_for(SECOND * 4);
        let now = hall.now;
        hall.viewers[0].connection.as_mut().unwrap().request(now, b"quality 70", &mut hall.random).unwrap();
        let mut carried_out = 0;
        for _ in 0..200 {
            hall.run_for(Duration::from_millis(100));
            for event in std::mem::take(&mut hall.events) {
                if let Event::Asked(asked) = event {
                    let request = hall.group.request(asked).unwrap();
                    assert_eq!((request.role, request.text), (Role::Tune, &b"quality 70"[..]));
                    carried_out += 1;
                    hall.group.reply(asked, b"done");
                }
            }
        }
        assert_eq!(carried_out, 1);
        assert_eq!(hall.viewers[0].connection.as_mut().unwrap().take_reply(), Some(&b"done"[..]));
    });
}

#[test]
fn several_programs_may_use_one_key() {
    let mut hall = Hall::new(8, 6, Conditions::CLEAN);
    let secret = hall.viewers[0].secret.clone();
    for viewer in &mut hall.viewers[1..] {
        viewer.secret = secret.clone();
    }
    for nth in 0..4 {
        hall.start(nth);
        hall.run_for(SECOND);
    }
    assert!((0..4).all(|nth| hall.watches(nth)) && hall.group.len() == 4);
    // One too many: it takes the place of one of them, and is told so.
    hall.start(4);
    hall.run_for(SECOND);
    assert!(hall.watches(4) && hall.group.len() == 4);
    let displaced =
        |nth: &usize| hall.viewers[*nth].standing(hall.now) == Some(Standing::Ended(Farewell::Displaced));
    assert_eq!((0..4).filter(displaced).count(), 1);
    // A removal puts all of them out.
    hall.viewers.truncate(5);
    hall.viewers.iter_mut().for_each(|viewer| viewer.listed = false);
    hall.publish_list();
    hall.run_for(SECOND);
    assert!(hall.group.is_empty());
}

#[test]
fn two_programs_with_one_key_that_come_at_once_both_come_in() {
    let mut hall = Hall::new(9, 2, Conditions { delay: Duration::from_millis(50), ..Conditions::CLEAN });
    hall.viewers[1].secret = hall.viewers[0].secret.clone();
    hall.start_all();
    hall.run_for(SECOND);
    assert!((0..2).all(|nth| hall.watches(nth)) && hall.group.len() == 2);
}

#[test]
fn a_full_camera_tells_another_program_with_a_key_that_is_in() {
    let mut hall = Hall::with_settings(10, 3, Conditions::CLEAN, 2, true);
    hall.viewers[2].secret = hall.viewers[0].secret.clone();
    hall.start(0);
    hall.start(1);
    hall.run_for(SECOND);
    hall.start(2);
    hall.run_for(SECOND);
    assert_eq!(hall.viewers[2].standing(hall.now), Some(Standing::Refused(Refusal::Full)));
    assert_eq!(hall.group.counters().full, 1);
    assert!(hall.watches(0) && hall.watches(1) && hall.group.len() == 2);
}

#[test]
fn a_request_outlives_the_session_that_it_came_by() {
    let mut hall = Hall::new(11, 1, Conditions::CLEAN);
    hall.start(0);
    hall.run_for(SECOND);
    let now = hall.now;
    hall.viewers[0].connection.as_mut().unwrap().request(now, b"one", &mut hall.random).unwrap();
    hall.run_for(SECOND);
    let asked = |event: &Event| if let Event::Asked(asked) = event { Some(*asked) } else { None };
    let one = hall.events.iter().find_map(asked).unwrap();
    let confirmed = hall.group.counters().confirmed;
    hall.run_for(SECOND * 121);
    assert!(hall.group.counters().confirmed > confirmed);
    hall.group.reply(one, b"done");
    hall.run_for(SECOND);
    assert_eq!(hall.viewers[0].connection.as_mut().unwrap().take_reply(), Some(&b"done"[..]));
}

#[test]
fn requests_are_not_taken_faster_than_told() {
    let mut hall = Hall::new(12, 1, Conditions::CLEAN);
    hall.start(0);
    hall.run_for(SECOND);
    let mut carried_out = 0;
    let began = hall.now;
    while hall.now < began + SECOND {
        let now = hall.now;
        let connection = hall.viewers[0].connection.as_mut().unwrap();
        connection.take_reply();
        connection.request(now, b"again", &mut hall.random).ok();
        hall.run_for(Duration::from_millis(1));
        for event in std::mem::take(&mut hall.events) {
            if let Event::Asked(asked) = event {
                hall.group.reply(asked, b"done");
                carried_out += 1;
            }
        }
    }
    let counters = hall.group.counters();
    assert_eq!(counters.requests, carried_out);
    assert!((5..=20).contains(&carried_out) && counters.requests_too_soon > 0, "{counters:?}");
}

#[test]
fn a_new_session_whose_first_words_are_lost_is_followed_by_another() {
    let mut hall = Hall::new(13, 1, Conditions { delay: Duration::from_millis(10), ..Conditions::CLEAN });
    hall.start(0);
    hall.run_for(SECOND * 119);
    while hall.group.half_open() == 0 {
        hall.run_for(Duration::from_millis(1));
    }
    let confirmed = hall.group.counters().confirmed;
    hall.viewers[0].up.set_conditions(Conditions { loss: Loss::Random(1.0), ..Conditions::CLEAN });
    hall.run_for(SECOND * 6);
    hall.viewers[0].up.set_conditions(Conditions::CLEAN);
    hall.run_for(SECOND * 4);
    assert_eq!(hall.group.counters().confirmed, confirmed + 1);
    assert!(hall.viewers[0].frames.windows(2).all(|pair| pair[1].since(pair[0]) < SECOND), "it watched on");
}

#[test]
fn another_datagram_size_is_told_whatever_is_lost() {
    let mut hall = Hall::new(14, 1, BAD);
    hall.start(0);
    hall.run_for(SECOND * 4);
    let granted = |hall: &Hall| *hall.viewers[0].connection.as_ref().unwrap().granted().unwrap();
    let Grant { stream, signer, max_frame, .. } = granted(&hall);
    hall.group.set_facts(hall.now, StreamFacts { stream, signer, datagram: 400, max_frame });
    hall.run_for(SECOND * 4);
    assert_eq!(granted(&hall).datagram, 400);
}

#[test]
fn a_stopping_camera_says_so() {
    let mut hall = Hall::new(6, 2, Conditions::CLEAN);
    hall.start_all();
    hall.run_for(SECOND);
    hall.group.stop();
    hall.run_for(Duration::from_millis(50));
    assert!(
        (0..2).all(|nth| hall.viewers[nth].standing(hall.now) == Some(Standing::Ended(Farewell::Stopping)))
    );
    assert!(hall.group.is_empty());
}

/// Everything at once; afterwards, over a good link, whoever may watch watches, and nobody else.
fn turmoil(seed: u64, viewers: usize, steps: usize) {
    let mut hall = Hall::new(seed, viewers, BAD);
    if hall.random.chance(0.3) {
        hall.set_conditions(Conditions {
            loss: Loss::Bursty { to_bad: 0.02, to_good: 0.1, bad_loss: 0.9 },
            ..BAD
        });
    }
    if hall.random.chance(0.2) {
        hall.viewers[1].secret = hall.viewers[0].secret.clone();
        hall.publish_list();
    }
    for _ in 0..steps {
        let nth = hall.random.below(viewers as u64) as usize;
        let now = hall.now;
        match hall.random.below(10) {
            0..=3 if hall.viewers[nth].connection.is_none() => hall.start(nth),
            0 => {
                if let Some(connection) = &mut hall.viewers[nth].connection {
                    connection.leave();
                }
                hall.run_for(Duration::from_millis(5));
                hall.viewers[nth].connection = None;
            }
            1 => hall.viewers[nth].connection = None,
            4..=5 => hall.viewers[nth].moves(now),
            6 => hall.remove(nth),
            7 => hall.readmit(nth),
            8 => {
                let jump = [40, 3_000, 16_000, 130_000][hall.random.below(4) as usize];
                hall.jump(Duration::from_millis(jump));
            }
            // About when keys and sessions are replaced.
            9 => {
                let almost = 112_000 + hall.random.below(8_000);
                hall.jump(Duration::from_millis(almost));
                let now = hall.now;
                hall.viewers[nth].moves(now);
            }
            _ => {}
        }
        let pause = hall.random.below(800);
        hall.run_for(Duration::from_millis(pause));
    }
    hall.set_conditions(Conditions::CLEAN);
    for nth in 0..viewers {
        if hall.viewers[nth].connection.is_none() || nth.is_multiple_of(2) {
            hall.start(nth);
        }
    }
    // A viewer that was refused asks again after five seconds.
    hall.run_for(SECOND * 18);
    for nth in 0..viewers {
        let viewer = &hall.viewers[nth];
        assert_eq!(hall.watches(nth), viewer.listed, "viewer {nth} stands {:?}", viewer.standing(hall.now));
        if !viewer.listed {
            assert_eq!(
                viewer.standing(hall.now),
                Some(Standing::Refused(Refusal::NotListed)),
                "viewer {nth}"
            );
        }
    }
    let listed = hall.viewers.iter().filter(|viewer| viewer.listed).count();
    assert_eq!(hall.group.len(), listed);
}

#[test]
fn turmoil_wedges_nobody() {
    for_seeds(1_000, |seed| turmoil(seed, 4, 12));
}

#[test]
fn more_turmoil_wedges_nobody() {
    for_seeds(1_000, |seed| turmoil(seed + 1_000_000, 3, 10));
}

#[test]
fn turmoil_among_64_wedges_nobody() {
    for_seeds(8, |seed| turmoil(seed, 64, 120));
}
