//! What others can send: recordings, floods, forgeries, rubbish.

use proptest::prelude::*;
use sealcam::proto::key_schedule::SharedKey;
use sealcam::proto::receiver::{Accepted, Dropped, Receiver, ReceiverCounters};
use sealcam::proto::streams::{DERIVATIONS_PER_SECOND, Seen};
use sealcam::time::{Duration, Instant};
use sealcam::wire::{CaptureOffset, Flags, FrameNumber, MediaHeader, RestartIndex, StreamId};

use crate::craft::{header, recording, sealed};
use crate::link::Conditions;
use crate::random::{Random, for_seeds};
use crate::world::{CameraPlan, START, World};

const MAX_FRAME: usize = 20_000;

fn key() -> SharedKey {
    SharedKey::from_bytes([0x11; 32])
}

fn stream(counter: u32) -> StreamId {
    StreamId::new(counter, [counter as u8; 8])
}

fn receiver(seen: Option<Seen>) -> Receiver {
    Receiver::new(key(), MAX_FRAME, seen, START)
}

/// A recording of 30 frames of up to 5 kB of the camera's `counter`-th start.
fn yesterday(counter: u32) -> Vec<Vec<u8>> {
    let mut random = Random::new(u64::from(counter));
    let frames: Vec<_> = (0..30).map(|_| random.between(1, 5_000)).collect();
    let frames: Vec<_> = frames.into_iter().map(|len| random.bytes(len)).collect();
    recording(&key(), stream(counter), &frames, 264, START)
}

/// Plays `datagrams` to `receiver`, frames taken, and says what that changed.
fn play(receiver: &mut Receiver, now: Instant, datagrams: &[Vec<u8>]) -> ReceiverCounters {
    let mut buffer = vec![0; MAX_FRAME].into_boxed_slice();
    let before = receiver.counters();
    for datagram in datagrams {
        if receiver.handle(now, datagram) == Ok(Accepted::Frame) {
            receiver.take_frame(&mut buffer).unwrap();
        }
    }
    let after = receiver.counters();
    ReceiverCounters {
        accepted: after.accepted - before.accepted,
        replayed: after.replayed - before.replayed,
        stale_stream: after.stale_stream - before.stale_stream,
        forged: after.forged - before.forged,
        ..after
    }
}

#[test]
fn a_recording_is_refused_by_the_viewer_that_saw_it() {
    let recorded = yesterday(5);
    let mut receiver = receiver(None);
    assert_eq!(play(&mut receiver, START, &recorded).accepted, recorded.len() as u64);
    // At once, and long after the stream has fallen silent; in order and backwards.
    for later in [0, 60, 100_000] {
        let mut again = recorded.clone();
        for _ in 0..2 {
            again.reverse();
            let result = play(&mut receiver, START + Duration::from_secs(later), &again);
            assert_eq!((result.accepted, result.replayed), (0, recorded.len() as u64));
        }
    }
    assert_eq!(receiver.counters().frames_whole, 30);
}

#[test]
fn recordings_of_earlier_streams_are_refused_by_a_running_viewer() {
    let mut receiver = receiver(None);
    play(&mut receiver, START, &yesterday(5));
    for later in [0, 60] {
        let now = START + Duration::from_secs(later);
        for counter in [1, 4] {
            let recorded = yesterday(counter);
            let result = play(&mut receiver, now, &recorded);
            assert_eq!((result.accepted, result.stale_stream), (0, recorded.len() as u64));
        }
    }
    assert_eq!(receiver.counters().stream_changes, 1);
}

#[test]
fn recordings_are_refused_by_a_viewer_started_again_with_its_state() {
    let recorded = yesterday(5);
    let mut first = receiver(None);
    play(&mut first, START, &recorded);
    let seen = first.seen();

    let later = START + Duration::from_secs(86_400);
    let mut second = Receiver::new(key(), MAX_FRAME, seen, later);
    let same = play(&mut second, later, &recorded);
    assert_eq!((same.accepted, same.replayed), (0, recorded.len() as u64));
    let old = yesterday(4);
    let older = play(&mut second, later, &old);
    assert_eq!((older.accepted, older.stale_stream), (0, old.len() as u64));
    assert_eq!(second.counters().frames_whole, 0);
    assert_eq!(second.seen(), seen, "and the state is kept");

    // The camera itself, restarted, is not shut out by that.
    let live = yesterday(6);
    assert_eq!(play(&mut second, later, &live).accepted, live.len() as u64);
}

/// The tail of a stream that a viewer did not see looks like that stream going on; once the camera has
/// started again it is refused.
#[test]
fn what_was_not_seen_of_an_earlier_stream_is_refused_once_a_newer_one_was() {
    let recorded = yesterday(5);
    let (seen, unseen) = recorded.split_at(recorded.len() / 2);
    let mut receiver = receiver(None);
    play(&mut receiver, START, seen);
    play(&mut receiver, START, &yesterday(6)[..1]);
    assert_eq!(play(&mut receiver, START + Duration::from_secs(60), unseen).accepted, 0);
}

#[test]
fn a_flood_of_stream_ids_neither_costs_keys_nor_hides_a_restarted_camera() {
    for_seeds(10, |seed| {
        let mut world = World::new(seed);
        let plan = CameraPlan { frame: (5_000, 10_000), ..CameraPlan::SMALL };
        world.add_camera(plan, &key(), 7);
        world.add_viewer(&key(), 10_000, Conditions::CLEAN, None);
        world.run_for(Duration::from_millis(300));
        world.restart_camera(0, 8);
        let (restarted, before) = (world.now, world.viewers[0].receiver.counters());
        let followed = world.cameras[0].stream;
        // 10,000 a second, ten times what the camera sends; half of them beyond its start counter.
        let mut flood = world.random.split();
        for _ in 0..40_000 {
            world.run_for(Duration::from_micros(flood.below(200)));
            let id = StreamId::new(7 + flood.below(4) as u32, flood.next().to_be_bytes());
            let mut bytes = header(id, flood.below(1_000), 0, 200).to_bytes().to_vec();
            bytes.extend(flood.bytes(216));
            world.hand_over(0, &bytes);
        }
        let frames = &world.viewers[0].frames;
        let first = frames.iter().find(|got| got.stream == followed).expect("the restarted camera is found");
        assert!(first.at.since(restarted) < Duration::from_secs(1), "{:?}", first.at.since(restarted));
        // Every stream id comes once, so each one that was looked at is one forged datagram.
        let derived = world.viewers[0].receiver.counters().forged - before.forged;
        assert!(derived <= u64::from(DERIVATIONS_PER_SECOND) * 5, "{derived} keys in 4 s");
        let after = frames.iter().filter(|got| got.stream == followed).count();
        assert!(after > 80, "{after} frames in spite of the flood");
    });
}

#[test]
fn forgeries_neither_displace_frames_nor_move_the_replay_window() {
    let frame = Random::new(3).bytes(1_000);
    let real = recording(&key(), stream(5), std::slice::from_ref(&frame), 264, START);
    let mut receiver = receiver(None);
    assert_eq!(receiver.handle(START, &real[0]), Ok(Accepted::Shard));

    let other = SharedKey::from_bytes([0x22; 32]);
    for packet in [1, 2, 3, 4, 5, 8_192, 1 << 40, u64::MAX - 1] {
        for number in [0, 1, 2, 3, 4, 5, 1 << 30] {
            let forged = sealed(&other, header(stream(5), packet, number, 200), &[0; 200]);
            assert_eq!(receiver.handle(START, &forged), Err(Dropped::Forged), "{packet} {number}");
            // With the bytes of a real one behind a header of one's own.
            let mut bytes = real[1].clone();
            bytes[..24].copy_from_slice(&header(stream(5), 50 + packet / 2, number, 0).to_bytes()[..24]);
            assert_eq!(receiver.handle(START, &bytes), Err(Dropped::Forged));
        }
    }
    let last = real.len() - 1;
    for datagram in &real[1..last] {
        assert_eq!(receiver.handle(START, datagram), Ok(Accepted::Shard));
    }
    assert_eq!(receiver.handle(START, &real[last]), Ok(Accepted::Frame));
    let mut buffer = vec![0; MAX_FRAME].into_boxed_slice();
    assert_eq!(receiver.take_frame(&mut buffer).map(|info| info.len), Some(1_000));
    assert_eq!(buffer[..1_000], frame);
    assert_eq!(receiver.seen(), Some(Seen { stream: stream(5), newest: last as u64 }));
}

#[test]
fn every_changed_bit_and_every_missing_byte_is_noticed() {
    let real = recording(&key(), stream(5), &[vec![0x5a; 100]], 128, START);
    let mut receiver = receiver(None);
    receiver.handle(START, &real[0]).unwrap();
    let real = &real[1];
    for bit in 0..real.len() * 8 {
        let mut changed = real.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        // Plenty of time between them, so that changed stream ids are looked at, too.
        let now = START + Duration::from_millis(20 * bit as u64);
        assert!(receiver.handle(now, &changed).is_err(), "bit {bit}");
    }
    for len in 0..real.len() {
        assert!(receiver.handle(START, &real[..len]).is_err(), "{len} bytes");
    }
    let longer = [real.as_slice(), &[0]].concat();
    assert!(receiver.handle(START, &longer).is_err());
    assert_eq!(receiver.handle(START, real), Ok(Accepted::Frame));
}

/// Headers that are well-formed more often than chance would have it.
fn any_header() -> impl Strategy<Value = MediaHeader> {
    let numbers = (0..3u32, 0..40u64, prop_oneof![0..6u32, any::<u32>()]);
    let shards = (0..6u16, 0..6u16, prop_oneof![4 => Just(0u16), 1 => any::<u16>()]);
    let rest = (prop_oneof![1..400u32, any::<u32>()], 0..2u8, any::<bool>());
    (numbers, shards, rest).prop_map(|(numbers, shards, rest)| MediaHeader {
        epoch: 0,
        stream: stream(numbers.0),
        packet: numbers.1,
        frame: FrameNumber(numbers.2),
        shard: shards.0,
        data_shards: shards.1,
        parity_shards: shards.2,
        source: rest.1,
        flags: if rest.2 { Flags::NOTICE } else { Flags::NONE },
        frame_len: rest.0,
        captured: CaptureOffset::default(),
        next_restart: RestartIndex::NONE,
    })
}

/// Each datagram ends in exactly one counter.
fn adds_up(c: &ReceiverCounters) -> bool {
    let dropped = c.malformed + c.forged + c.replayed + c.stale_stream + c.other_stream;
    c.datagrams == c.accepted + dropped + c.throttled + c.late + c.unplaced
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_dropped_and_counted(
        datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..50),
        typed in any::<bool>(),
    ) {
        let mut receiver = receiver(None);
        for mut bytes in datagrams {
            if typed && bytes.len() >= 4 {
                bytes[..4].copy_from_slice(&[1, 1, 0, 0]);
            }
            prop_assert!(receiver.handle(START, &bytes).is_err());
        }
        prop_assert!(adds_up(&receiver.counters()));
        prop_assert_eq!(receiver.counters().accepted, 0);
    }

    /// A holder of the key can forge pictures, but not break the viewer: whatever is sealed in whatever
    /// order at whatever time, even backwards, nothing panics and all is counted.
    #[test]
    fn a_holder_of_the_key_can_send_anything(
        datagrams in prop::collection::vec(
            (any_header(), 1..300usize, 0..10_000u64, any::<bool>(), any::<bool>()), 1..80),
    ) {
        let mut receiver = receiver(None);
        let mut buffer = vec![0; MAX_FRAME].into_boxed_slice();
        for (header, len, at, fitting, taken) in datagrams {
            let shard = (header.frame_len as usize / usize::from(header.data_shards.max(1))).clamp(1, 2_000);
            let plain = vec![1; if fitting { shard } else { len }];
            let result = receiver.handle(Instant::from_millis(at), &sealed(&key(), header, &plain));
            if result == Ok(Accepted::Frame) && taken {
                prop_assert!(receiver.take_frame(&mut buffer).is_some());
            }
            let _any = receiver.condition(Instant::from_millis(at));
        }
        prop_assert!(adds_up(&receiver.counters()));
    }
}
