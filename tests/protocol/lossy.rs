//! Loss that hits every frame: nothing becomes whole, and that must be told.

use sealcam::proto::key_schedule::SharedKey;
use sealcam::proto::receiver::{Accepted, Condition, Dropped, Receiver};
use sealcam::proto::sender::{OutgoingFrame, Sender, SenderSettings, Transmit};
use sealcam::time::{Duration, Instant};
use sealcam::wire::{Flags, StreamId};

const START: Instant = Instant::from_millis(9_000);
const INTERVAL: Duration = Duration::from_millis(40);

fn ends() -> (Sender, Receiver) {
    let key = SharedKey::from_bytes([6; 32]);
    let settings = SenderSettings { datagram: 264, max_frame: 2_000, pace_percent: 0 };
    let sender = Sender::new(settings, &key, StreamId::new(1, [1; 8]), START).unwrap();
    (sender, Receiver::new(key, 2_000, None, START))
}

/// The datagrams of one frame.
fn frame(sender: &mut Sender, at: Instant) -> Vec<Vec<u8>> {
    let bytes = [at.as_micros() as u8; 1_000];
    let frame = OutgoingFrame { bytes: &bytes, captured: at, restarts: &[], source: 0, flags: Flags::NONE };
    sender.queue(at, &frame).unwrap();
    let Transmit::Run { bytes, datagram } = sender.poll_transmit(at) else { panic!("all at once") };
    let datagrams = bytes.chunks(datagram).map(<[u8]>::to_vec).collect();
    let len = bytes.len();
    sender.transmitted(len);
    datagrams
}

#[test]
fn frames_that_all_lack_something_are_counted_and_told() {
    let (mut sender, mut receiver) = ends();
    let mut now = START;
    for number in 0..100 {
        for (shard, datagram) in frame(&mut sender, now).iter().enumerate() {
            if shard != number % 5 {
                assert_eq!(receiver.handle(now, datagram), Ok(Accepted::Shard));
            }
        }
        now += INTERVAL;
    }
    let counters = receiver.counters();
    assert_eq!(counters.frames_whole, 0);
    assert!((95..100).contains(&counters.frames_incomplete), "{}", counters.frames_incomplete);
    assert!(matches!(receiver.condition(now), Condition::Lossy(_)));

    // One whole frame, and all is well again.
    for datagram in frame(&mut sender, now) {
        receiver.handle(now, &datagram).unwrap();
    }
    let mut buffer = vec![0; 2_000].into_boxed_slice();
    assert!(receiver.take_frame(&mut buffer).is_some());
    assert!(matches!(receiver.condition(now), Condition::Live(_)));
    assert_eq!(receiver.counters().frames_incomplete, 100);
}

/// A datagram without a place counts by its tag: late if it is authentic, and then never again; else forged.
#[test]
fn what_comes_late_is_only_late_if_it_is_authentic() {
    let (mut sender, mut receiver) = ends();
    let first = frame(&mut sender, START);
    let second = frame(&mut sender, START + INTERVAL);
    let mut buffer = vec![0; 2_000].into_boxed_slice();
    for datagram in &second {
        receiver.handle(START, datagram).unwrap();
    }
    assert!(receiver.take_frame(&mut buffer).is_some());
    let mut forged = first[0].clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(receiver.handle(START, &forged), Err(Dropped::Forged));
    assert_eq!(receiver.handle(START, &first[0]), Err(Dropped::Late));
    assert_eq!(receiver.handle(START, &first[0]), Err(Dropped::Replayed));
    assert_eq!((receiver.counters().late, receiver.counters().forged), (1, 1));
}
