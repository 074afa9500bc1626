use super::*;
use crate::proto::manifest::Signer;
use crate::proto::random::{Counted, Random};
use crate::proto::sender::{OutgoingFrame, Sender, SenderSettings, Transmit};
use crate::wire::{Flags, Role};
use proptest::prelude::*;

const DATAGRAM: usize = 576;
const STREAM: StreamId = StreamId::new(3, [1; 8]);
const MAX_FRAME: usize = 60_000;

fn key(epoch: u16) -> [u8; 32] {
    [epoch as u8 + 1; 32]
}

fn grant(epoch: u16) -> Grant {
    Grant {
        epoch,
        key: key(epoch),
        stream: STREAM,
        signer: Some(Signer::new(&[9; 32]).public()),
        role: Role::View,
        datagram: DATAGRAM as u16,
        max_frame: MAX_FRAME as u32,
        group: None,
        camera: "barn".parse().unwrap(),
    }
}

fn camera(signed: bool) -> Sender {
    let settings = SenderSettings { datagram: DATAGRAM, max_frame: MAX_FRAME, pace_percent: 0 };
    let signer = signed.then(|| Signer::new(&[9; 32]));
    Sender::paired(settings, 0, &StreamKey::from_bytes(key(0)), STREAM, signer, Instant::ORIGIN).unwrap()
}

/// The datagrams of one frame in the order in which they leave.
fn datagrams(camera: &mut Sender, now: Instant, bytes: &[u8]) -> Vec<Vec<u8>> {
    let frame = OutgoingFrame { bytes, captured: now, restarts: &[], source: 0, flags: Flags::NONE };
    camera.queue(now, &frame).unwrap();
    let mut all = vec![];
    while let Transmit::Run { bytes, datagram } = camera.poll_transmit(now) {
        all.extend(bytes.chunks(datagram).map(<[u8]>::to_vec));
        let sent = bytes.len();
        camera.transmitted(sent);
    }
    all
}

fn picture(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Counted::new(seed).fill(&mut bytes);
    bytes
}

/// Hands all over, and returns the frames that became whole.
fn receive(receiver: &mut PairedReceiver, now: Instant, datagrams: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut frames = vec![];
    let mut buffer = vec![0; MAX_FRAME].into_boxed_slice();
    for datagram in datagrams {
        if receiver.handle(now, datagram) == Ok(Accepted::Frame) {
            let info = receiver.take_frame(&mut buffer).unwrap();
            frames.push(buffer[..info.len].to_vec());
        }
    }
    frames
}

/// What another viewer can make: `datagram` with other contents, properly sealed.
fn forged(datagram: &[u8], epoch: u16, packet: Option<u64>) -> Vec<u8> {
    sealed_again(datagram, epoch, packet, |plain| plain[0] ^= 1)
}

/// Also: the same contents under another packet number.
fn renumbered(datagram: &[u8], epoch: u16, packet: u64) -> Vec<u8> {
    sealed_again(datagram, epoch, Some(packet), |_| {})
}

fn sealed_again(datagram: &[u8], epoch: u16, packet: Option<u64>, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut again = datagram.to_vec();
    let seal = Seal::new(&StreamKey::from_bytes(key(epoch)));
    let mut public = PublicHeader::parse(datagram).unwrap();
    let mut plain = vec![0; datagram.len() - MediaHeader::OVERHEAD];
    seal.open(public.packet, &datagram[..MediaHeader::LEN], &datagram[MediaHeader::LEN..], &mut plain)
        .unwrap();
    change(&mut plain);
    public.packet = packet.unwrap_or(public.packet);
    again[..PublicHeader::LEN].copy_from_slice(&public.to_bytes());
    let (head, sealed) = again.split_at_mut(MediaHeader::LEN);
    seal.seal(public.packet, head, &plain, sealed);
    again
}

fn is_manifest(datagram: &[u8]) -> bool {
    DatagramType::of(datagram) == Ok(DatagramType::Manifest)
}

#[test]
fn signed_frames_arrive_whole_in_one_run_of_equal_datagrams() {
    let mut receiver = PairedReceiver::new(MAX_FRAME);
    assert!(receiver.grant(&grant(0)) && !receiver.grant(&grant(0)));
    let mut camera = camera(true);
    for (nth, len) in [1, 511, 512, 513, 5_000, 30_000, 60_000].into_iter().enumerate() {
        let bytes = picture(nth as u64, len);
        let now = Instant::from_millis(nth as u64 * 33);
        let all = datagrams(&mut camera, now, &bytes);
        assert!(all[..all.len() - 1].iter().all(|datagram| datagram.len() == DATAGRAM), "{len}");
        assert!(is_manifest(&all[0]) && !is_manifest(all.last().unwrap()));
        assert_eq!(receive(&mut receiver, now, &all), [bytes], "{len}");
    }
    let counters = receiver.counters();
    assert_eq!(counters.datagrams, counters.accepted);
    assert_eq!((counters.waited, counters.not_signed), (0, 0));
}

#[test]
fn another_viewers_forgery_is_never_taken_and_shuts_nothing_out() {
    let mut receiver = PairedReceiver::new(MAX_FRAME);
    receiver.grant(&grant(0));
    let mut camera = camera(true);
    let (now, bytes) = (Instant::from_millis(5), picture(1, 20_000));
    let all = datagrams(&mut camera, now, &bytes);
    let mut with_forgeries = vec![];
    for datagram in &all {
        // Before and after the true one, under its own number and under others.
        with_forgeries.extend([forged(datagram, 0, None), forged(datagram, 0, Some(7_000))]);
        with_forgeries.push(datagram.clone());
        with_forgeries.push(forged(datagram, 0, Some(7_001)));
    }
    assert_eq!(receive(&mut receiver, now, &with_forgeries), [bytes]);
    let counters = receiver.counters();
    assert_eq!(counters.accepted, all.len() as u64, "{counters:?}");
    assert_eq!(
        counters.datagrams,
        counters.accepted + counters.not_signed + counters.replayed + counters.late
    );

    // The true datagrams of a frame, moved to numbers far ahead.
    let bytes = picture(3, 20_000);
    let all = datagrams(&mut camera, now, &bytes);
    let ahead: Vec<_> = all.iter().map(|datagram| renumbered(datagram, 0, 1 << 40)).collect();
    assert!(receive(&mut receiver, now, &ahead).is_empty());
    assert_eq!(receive(&mut receiver, now, &all), [bytes]);

    // A frame of its own, with a manifest signed by its own key.
    let settings = SenderSettings { datagram: DATAGRAM, max_frame: MAX_FRAME, pace_percent: 0 };
    let stream_key = StreamKey::from_bytes(key(0));
    let own = Some(Signer::new(&[8; 32]));
    let mut forger = Sender::paired(settings, 0, &stream_key, STREAM, own, now).unwrap();
    for nth in 0..5 {
        let forgery = datagrams(&mut forger, now, &picture(nth, 3_000));
        assert!(receive(&mut receiver, now, &forgery).is_empty());
    }
    let bytes = picture(2, 20_000);
    let next = datagrams(&mut camera, Instant::from_millis(40), &bytes);
    assert_eq!(receive(&mut receiver, now, &next), [bytes], "the replay window was not poisoned");
}

#[test]
fn without_signatures_frames_arrive_too() {
    let mut receiver = PairedReceiver::new(MAX_FRAME);
    receiver.grant(&Grant { signer: None, ..grant(0) });
    assert!(!receiver.is_signed());
    let mut camera = camera(false);
    let bytes = picture(1, 20_000);
    let all = datagrams(&mut camera, Instant::ORIGIN, &bytes);
    assert!(!all.iter().any(|datagram| is_manifest(datagram)));
    assert_eq!(receive(&mut receiver, Instant::ORIGIN, &all), [bytes]);
}

#[test]
fn a_new_key_takes_over_and_the_old_one_opens_only_older_frames() {
    let mut receiver = PairedReceiver::new(MAX_FRAME);
    let mut camera = camera(true);
    let now = Instant::from_millis(1);
    receiver.grant(&grant(0));
    let pictures: Vec<_> = (0..4).map(|nth| picture(nth, 2_000)).collect();
    let old: Vec<_> = pictures[..3].iter().map(|picture| datagrams(&mut camera, now, picture)).collect();
    camera.set_key(1, &StreamKey::from_bytes(key(1)));
    let new = datagrams(&mut camera, now, &pictures[3]);

    assert_eq!(receive(&mut receiver, now, &old[0]), [pictures[0].clone()]);
    let (head, rest) = new.split_at(1);
    assert!(receive(&mut receiver, now, head).is_empty());
    assert_eq!(receiver.counters().unknown_key, 1, "not yet granted");
    assert!(receiver.grant(&grant(1)));
    assert_eq!(receiver.newest_epoch(), Some(1));
    // The new key takes over while a frame under the old one is still on its way.
    assert!(receive(&mut receiver, now, &old[1][..2]).is_empty());
    assert!(receive(&mut receiver, now, &rest[..rest.len() - 1]).is_empty());
    assert_eq!(receive(&mut receiver, now, &old[1][2..]), [pictures[1].clone()]);
    // Newer frames do not count under the old key, whoever has signed them.
    let mut stays = self::camera(true);
    let late: Vec<_> = (0..6).map(|_| datagrams(&mut stays, now, &pictures[0])).collect();
    assert!(late[3..].iter().all(|late| receive(&mut receiver, now, late).is_empty()));
    assert!(receive(&mut receiver, now + OVERLAP, &old[2]).is_empty(), "its time is over");
    assert!(!receiver.grant(&grant(0)), "an old key does not come back");
}

#[test]
fn the_key_in_use_is_never_pushed_out() {
    let mut receiver = PairedReceiver::new(MAX_FRAME);
    let mut camera = camera(true);
    receiver.grant(&grant(0));
    let bytes = picture(1, 1_000);
    let now = Instant::ORIGIN;
    assert_eq!(receive(&mut receiver, now, &datagrams(&mut camera, now, &bytes)).len(), 1);
    for epoch in 1..20 {
        assert!(receiver.grant(&grant(epoch)));
    }
    assert_eq!(receive(&mut receiver, now, &datagrams(&mut camera, now, &bytes)).len(), 1);
    camera.set_key(19, &StreamKey::from_bytes(key(19)));
    assert_eq!(receive(&mut receiver, now, &datagrams(&mut camera, now, &bytes)).len(), 1);
}

#[test]
fn forged_signatures_are_looked_at_no_more_than_so_often() {
    let (mut camera, now) = (camera(true), Instant::from_millis(1_000));
    let mut receiver = PairedReceiver::new(MAX_FRAME);
    receiver.grant(&grant(0));
    let settings = SenderSettings { datagram: DATAGRAM, max_frame: MAX_FRAME, pace_percent: 0 };
    let other = Some(Signer::new(&[8; 32]));
    let mut forger = Sender::paired(settings, 0, &StreamKey::from_bytes(key(0)), STREAM, other, now).unwrap();
    let manifest = datagrams(&mut forger, now, &[1; 100]).swap_remove(0);
    let honest = datagrams(&mut camera, now, &[2; 100]);
    for _ in 0..FORGERIES.burst {
        assert_eq!(receiver.handle(now, &manifest), Err(Dropped::NotSigned));
    }
    assert!(receive(&mut receiver, now, &honest).is_empty(), "not even looked at");
    // Time makes up for it, and honest ones cost nothing.
    let later = now + FORGERIES.each;
    for nth in 1..300 {
        let honest = datagrams(&mut camera, later, &picture(nth, 100));
        assert_eq!(receive(&mut receiver, later, &honest).len(), 1);
    }
}

proptest! {
    /// However a frame's datagrams are shuffled, doubled and mixed with forgeries, it arrives as it was sent as
    /// long as each shard came, and one of the two copies of each manifest.
    #[test]
    fn order_does_not_matter(seed in any::<u64>(), len in 1usize..40_000) {
        let mut receiver = PairedReceiver::new(MAX_FRAME);
        receiver.grant(&grant(0));
        let mut camera = camera(true);
        let bytes = picture(seed, len);
        let mut all = datagrams(&mut camera, Instant::ORIGIN, &bytes);
        let manifests = all.iter().filter(|datagram| is_manifest(datagram)).count() / 2;
        let random = &mut Counted::new(seed);
        if random.next().is_multiple_of(2) {
            all.drain(..manifests);
        }
        for nth in 0..all.len() {
            if random.next().is_multiple_of(3) {
                all.push(all[nth].clone());
            }
            if random.next().is_multiple_of(4) {
                all.push(forged(&all[nth], 0, random.next().is_multiple_of(2).then_some(9_000 + nth as u64)));
            }
        }
        for at in (1..all.len()).rev() {
            all.swap(at, (random.next() % (at as u64 + 1)) as usize);
        }
        let frames = receive(&mut receiver, Instant::ORIGIN, &all);
        prop_assert_eq!(frames, [bytes], "{:?}", receiver.counters());
    }

    /// Bytes from anywhere never make it panic.
    #[test]
    fn noise_is_dropped(kind in 1u8..3, mut bytes in prop::collection::vec(any::<u8>(), 0..1_300)) {
        let mut receiver = PairedReceiver::new(MAX_FRAME);
        receiver.grant(&grant(0));
        if bytes.len() > 16 {
            bytes[..4].copy_from_slice(&[1, kind, 0, 0]);
            bytes[4..16].copy_from_slice(&STREAM.to_bytes());
        }
        prop_assert!(receiver.handle(Instant::ORIGIN, &bytes).is_err());
    }
}
