//! Numbers at the end of their range, which no test can reach by sending.

use sealcam::proto::key_schedule::SharedKey;
use sealcam::proto::receiver::{Accepted, Dropped, Receiver};
use sealcam::time::Instant;
use sealcam::wire::{FrameNumber, MAX_DATAGRAM, MediaHeader, StreamId};

use crate::craft::{header, sealed};

const NOW: Instant = Instant::from_millis(5_000);

fn receiver() -> (SharedKey, StreamId, Receiver) {
    let key = SharedKey::from_bytes([7; 32]);
    let stream = StreamId::new(u32::MAX, [9; 8]);
    let receiver = Receiver::new(key.clone(), 100_000, None, NOW);
    (key, stream, receiver)
}

#[test]
fn frame_numbers_go_on_behind_the_last_one() {
    let (key, stream, mut receiver) = receiver();
    let mut buffer = vec![0; receiver.max_frame()].into_boxed_slice();
    for nth in 0..8 {
        let number = (u32::MAX - 3).wrapping_add(nth);
        let datagram = sealed(&key, header(stream, u64::from(nth), number, 50), &[nth as u8; 50]);
        assert_eq!(receiver.handle(NOW, &datagram), Ok(Accepted::Frame), "{number:#x}");
        let info = receiver.take_frame(&mut buffer).unwrap();
        assert_eq!((info.number, buffer[0]), (FrameNumber(number), nth as u8));
    }
    let late = sealed(&key, header(stream, 8, u32::MAX, 50), &[0; 50]);
    assert_eq!(receiver.handle(NOW, &late), Err(Dropped::Late));
    assert_eq!(receiver.counters().frames_incomplete, 0);
}

#[test]
fn unfinished_frames_on_both_sides_of_the_wrap_give_way_to_newer_ones() {
    let (key, stream, mut receiver) = receiver();
    let half = |packet, number: u32, shard| {
        let header = MediaHeader { data_shards: 2, shard, ..header(stream, packet, number, 100) };
        sealed(&key, header, &[shard as u8; 50])
    };
    for (packet, number) in [(0, u32::MAX - 1), (1, u32::MAX), (2, 0), (3, 1), (4, 2)] {
        assert_eq!(receiver.handle(NOW, &half(packet, number, 0)), Ok(Accepted::Shard), "{number:#x}");
    }
    // The fifth took the place of the oldest, which is not the one with the smallest number.
    assert_eq!(receiver.handle(NOW, &half(5, u32::MAX - 1, 1)), Err(Dropped::Late));
    assert_eq!(receiver.handle(NOW, &half(6, u32::MAX, 1)), Ok(Accepted::Frame));
}

#[test]
fn packet_numbers_end_one_before_the_last() {
    let (key, stream, mut receiver) = receiver();
    let mut buffer = vec![0; receiver.max_frame()].into_boxed_slice();
    let cases = [
        (u64::MAX - 2, 1, Ok(Accepted::Frame)),
        (u64::MAX - 1, 2, Ok(Accepted::Frame)),
        (u64::MAX - 1, 3, Err(Dropped::Replayed)),
        (u64::MAX, 3, Err(Dropped::TooOld)),
        (u64::MAX - 8_194, 3, Err(Dropped::TooOld)),
        (u64::MAX - 8_192, 3, Ok(Accepted::Frame)),
        (0, 4, Err(Dropped::TooOld)),
    ];
    for (packet, frame, expected) in cases {
        let datagram = sealed(&key, header(stream, packet, frame, 20), &[1; 20]);
        assert_eq!(receiver.handle(NOW, &datagram), expected, "{packet:#x}");
        receiver.take_frame(&mut buffer);
    }
}

/// No socket delivers more, but the core does not know its callers.
#[test]
fn what_is_longer_than_any_datagram_is_malformed() {
    let (key, stream, mut receiver) = receiver();
    for len in [MAX_DATAGRAM, 70_000, 90_000] {
        let plain = vec![1; len];
        let datagram = sealed(&key, header(stream, 0, 0, len), &plain);
        let result = receiver.handle(NOW, &datagram);
        assert!(matches!(result, Err(Dropped::Malformed(_))), "{len}: {result:?}");
    }
}
