use super::*;
use crate::wire::{Flags, PublicHeader};

const START: Instant = Instant::from_millis(10_000);

fn sender(max_frame: usize, pace_percent: u8) -> Sender {
    let settings = SenderSettings { datagram: 264, max_frame, pace_percent };
    Sender::new(settings, &SharedKey::from_bytes([3; 32]), StreamId::new(1, [4; 8]), START).unwrap()
}

fn frame(bytes: &[u8], at: Instant) -> OutgoingFrame<'_> {
    OutgoingFrame { bytes, captured: at, restarts: &[], source: 0, flags: Flags::NONE }
}

fn headers(run: &[u8], datagram: usize) -> Vec<MediaHeader> {
    run.chunks(datagram)
        .map(|bytes| MediaHeader::parse(PublicHeader::parse(bytes).unwrap(), bytes).unwrap().0)
        .collect()
}

#[test]
fn a_frame_becomes_one_run_and_numbers_go_on() {
    let mut sender = sender(1_000, 0);
    for first in [0, 4] {
        assert_eq!(sender.queue(START, &frame(&[1; 650], START)), Ok(4));
        let Transmit::Run { bytes, datagram } = sender.poll_transmit(START) else { panic!() };
        assert_eq!((bytes.len(), datagram), (3 * 264 + 64 + 50, 264));
        let packets: Vec<_> = headers(bytes, datagram).iter().map(|h| h.packet).collect();
        assert_eq!(packets, [first, first + 1, first + 2, first + 3]);
        let all = bytes.len();
        sender.transmitted(264);
        let Transmit::Run { bytes, .. } = sender.poll_transmit(START) else { panic!() };
        assert_eq!(bytes.len(), all - 264);
        sender.transmitted(all - 264);
        assert_eq!(sender.poll_transmit(START), Transmit::Idle);
    }
    assert_eq!(sender.counters().datagrams, 8);
    assert_eq!(sender.counters().abandoned, 0);
}

#[test]
fn a_newer_frame_gives_up_the_rest_of_the_older() {
    let mut sender = sender(1_000, 25);
    sender.queue(START, &frame(&[1; 1_000], START)).unwrap();
    let Transmit::Run { bytes, .. } = sender.poll_transmit(START) else { panic!() };
    let first = bytes.len();
    sender.transmitted(first);
    assert!(matches!(sender.poll_transmit(START), Transmit::Wait(_)));
    sender.queue(START, &frame(&[2; 200], START)).unwrap();
    assert_eq!(sender.counters().abandoned, 5 - first as u64 / 264);
    let Transmit::Run { bytes, datagram } = sender.poll_transmit(START) else { panic!() };
    let headers = headers(bytes, datagram);
    assert_eq!((headers[0].frame, headers[0].packet), (FrameNumber(1), 5));
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut sender = sender(1_000, 0);
    let too_large = sender.queue(START, &frame(&[0; 1_001], START));
    assert_eq!(too_large, Err(FrameTooLarge { len: 1_001, limit: 1_000 }));
    assert!(sender.queue(START, &frame(&[], START)).is_err());
    sender.make_room(2_000);
    assert_eq!(sender.queue(START, &frame(&[0; 1_001], START)), Ok(6));
    assert_eq!(sender.set_datagram(100), Err(DatagramSize { datagram: 100, least: 128 }));
    sender.set_datagram(128).unwrap();
    assert_eq!(sender.queue(START, &frame(&[0; 2_000], START)), Ok(32));
}

#[test]
fn shards_name_the_restart_interval_that_begins_in_them() {
    let mut sender = sender(1_000, 0);
    let restarts = [10, 20, 199, 400, 750];
    let frame = OutgoingFrame { restarts: &restarts, ..frame(&[0; 800], START) };
    sender.queue(START, &frame).unwrap();
    let Transmit::Run { bytes, datagram } = sender.poll_transmit(START) else { panic!() };
    let named: Vec<_> = headers(bytes, datagram).iter().map(|h| h.next_restart.number()).collect();
    assert_eq!(named, [Some(1), None, Some(4), Some(5)]);
}

#[test]
fn the_pace_follows_the_frame_interval() {
    let mut sender = sender(20_000, 50);
    let (mut at, bytes) = (START, vec![0; 20_000]);
    for _ in 0..30 {
        at += Duration::from_millis(40);
        sender.queue(at, &frame(&bytes, at)).unwrap();
    }
    let mut now = at;
    loop {
        match sender.poll_transmit(now) {
            Transmit::Run { bytes, .. } => {
                let len = bytes.len();
                sender.transmitted(len);
            }
            Transmit::Wait(until) => now = until,
            Transmit::Idle => break,
        }
    }
    let took = now.since(at).as_micros();
    assert!((19_000..=20_000).contains(&took), "{took} us");
}

#[test]
fn the_last_frame_can_be_sent_again_as_it_was() {
    let mut sender = sender(1_000, 0);
    assert!(!sender.repeat(START, Duration::ZERO), "there is none");
    sender.queue(START, &frame(&[1; 650], START)).unwrap();
    assert!(!sender.repeat(START, Duration::ZERO), "it is still leaving");
    let Transmit::Run { bytes, .. } = sender.poll_transmit(START) else { panic!() };
    let first = bytes.to_vec();
    sender.transmitted(first.len());
    assert!(sender.repeat(START, Duration::ZERO));
    let Transmit::Run { bytes, .. } = sender.poll_transmit(START) else { panic!() };
    assert_eq!(bytes, first);
    sender.transmitted(first.len());
    sender.set_key(1, &SharedKey::from_bytes([5; 32]).stream_key(StreamId::new(1, [4; 8])));
    assert!(!sender.repeat(START, Duration::ZERO), "whoever comes now has another key");
    sender.queue(START, &frame(&[1; 650], START)).unwrap();
    sender.abandon();
    assert!(sender.repeat(START, Duration::ZERO));
    sender.set_datagram(300).unwrap();
    assert!(!sender.repeat(START, Duration::ZERO), "its memory is gone");
}
