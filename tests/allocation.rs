//! Once running, the protocol core allocates nothing: not per frame, not per datagram, not when it drops.

#![allow(unsafe_code, reason = "a global allocator that counts can only be implemented so")]
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is the finding")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;

use sealcam::proto::connection::{Connection, ConnectionSettings, Handled};
use sealcam::proto::group::{Admitted, Group, GroupSettings, StreamFacts};
use sealcam::proto::handshake::Initiator;
use sealcam::proto::identity::StaticSecret;
use sealcam::proto::key_schedule::SharedKey;
use sealcam::proto::manifest::Signer;
use sealcam::proto::random::Random;
use sealcam::proto::receiver::{Accepted, Receiver};
use sealcam::proto::sender::{OutgoingFrame, Sender, SenderSettings, Transmit};
use sealcam::time::{Duration, Instant};
use sealcam::wire::handshake::Opening;
use sealcam::wire::{Control, Delivery, Flags, Role, SessionId, StreamId};

struct Counting;

thread_local! {
    /// Allocations of this thread; the test harness has others.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: every call goes on to the system's allocator unchanged; counting touches a constant-initialised
// thread-local without a destructor, which neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's contract is that of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

/// What `work` returns and how often it allocated.
fn allocations<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = ALLOCATIONS.get();
    let result = work();
    (result, ALLOCATIONS.get() - before)
}

const START: Instant = Instant::from_millis(5_000);
const MAX_FRAME: usize = 200_000;

fn sender(key: &SharedKey, counter: u32) -> Sender {
    let settings = SenderSettings { datagram: 1_200, max_frame: MAX_FRAME, pace_percent: 25 };
    Sender::new(settings, key, StreamId::new(counter, [counter as u8; 8]), START).unwrap()
}

/// Sends `frame` at `now`; every run goes to `wire`. The datagrams leave when they are due.
fn send(sender: &mut Sender, now: Instant, frame: &[u8], wire: &mut Wire<'_>) {
    let restarts = [100, 2_000, 3_000];
    let frame =
        OutgoingFrame { bytes: frame, captured: now, restarts: &restarts, source: 0, flags: Flags::NONE };
    sender.queue(now, &frame).unwrap();
    let mut now = now;
    loop {
        match sender.poll_transmit(now) {
            Transmit::Run { bytes, datagram } => {
                let len = bytes.len();
                wire(now, &bytes[..len], datagram);
                sender.transmitted(len);
            }
            Transmit::Wait(until) => now = until,
            Transmit::Idle => return,
        }
    }
}

type Wire<'a> = dyn FnMut(Instant, &[u8], usize) + 'a;

#[test]
fn the_counter_counts() {
    let (_, made) = allocations(|| vec![Box::new(1u8), Box::new(2)]);
    assert_eq!(made, 3);
}

#[test]
fn frames_cross_both_ends_without_an_allocation() {
    let key = SharedKey::from_bytes([1; 32]);
    let frame = vec![0x42; MAX_FRAME];
    let mut sender = sender(&key, 1);
    let mut receiver = Receiver::new(key, MAX_FRAME, None, START);
    let mut buffer = vec![0; MAX_FRAME].into_boxed_slice();
    let (mut now, mut whole) = (START, 0);
    // From the very first datagram on: there is nothing to warm up.
    let ((), made) = allocations(|| {
        for nth in 0..60 {
            now += Duration::from_millis(33);
            let mut wire = |now: Instant, run: &[u8], datagram: usize| {
                for (at, datagram) in run.chunks(datagram).enumerate() {
                    if at == 2 && nth % 7 == 3 {
                        continue; // lost
                    }
                    if receiver.handle(now, datagram) == Ok(Accepted::Frame) {
                        receiver.take_frame(&mut buffer).unwrap();
                        whole += 1;
                    }
                }
            };
            send(&mut sender, now, &frame[..1_000 + nth * 3_000], &mut wire);
        }
    });
    assert!(whole > 45, "{whole} frames");
    assert_eq!(made, 0, "allocations in 60 frames");
}

#[test]
fn dropping_and_changing_streams_allocate_nothing() {
    let key = SharedKey::from_bytes([1; 32]);
    let frame = vec![0x42; 10_000];
    let record = |key: &SharedKey, counter| {
        let mut all = vec![];
        let mut wire = |_: Instant, run: &[u8], size| all.extend(run.chunks(size).map(<[u8]>::to_vec));
        send(&mut sender(key, counter), START, &frame, &mut wire);
        all
    };
    let strangers: Vec<_> = (0..100).map(|n| record(&SharedKey::from_bytes([2; 32]), n)).collect();
    let own: Vec<_> = (1..6).map(|n| record(&key, n)).collect();
    let mut receiver = Receiver::new(key, MAX_FRAME, None, START);
    let mut buffer = vec![0; MAX_FRAME].into_boxed_slice();
    let mut now = START;
    let ((), made) = allocations(|| {
        for stream in &own {
            for datagrams in strangers.iter().chain([stream, stream, &own[0]]) {
                // Time for some new derivations, but not for all that are asked for.
                now += Duration::from_millis(10);
                for datagram in datagrams {
                    if receiver.handle(now, datagram) == Ok(Accepted::Frame) {
                        receiver.take_frame(&mut buffer).unwrap();
                    }
                    assert!(receiver.handle(now, &datagram[..30]).is_err());
                }
            }
            now += Duration::from_millis(100);
        }
    });
    let counters = receiver.counters();
    assert_eq!((counters.stream_changes, counters.frames_whole), (5, 5));
    assert!(counters.forged > 0 && counters.throttled > 0 && counters.replayed > 0, "{counters:?}");
    assert!(counters.stale_stream > 0 && counters.malformed > 0, "{counters:?}");
    assert_eq!(made, 0, "allocations in {} datagrams", counters.datagrams);
}

const CAMERA: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5004);

/// Numbers that are not random at all, but never the same.
struct Counted(u64);

impl Random for Counted {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            chunk.copy_from_slice(&self.0.to_be_bytes()[..chunk.len()]);
        }
    }
}

/// A camera and its paired viewers, without a network between them.
struct Hall {
    camera: StaticSecret,
    group: Group,
    sender: Sender,
    viewers: Vec<(SocketAddr, Connection)>,
    buffer: Box<[u8]>,
    out: Box<[u8]>,
    random: Counted,
    whole: usize,
}

impl Hall {
    fn new(viewers: u16) -> Self {
        let mut random = Counted(7);
        let camera = StaticSecret::generate(&mut random);
        let stream = StreamId::new(1, [1; 8]);
        let signer = Signer::new(&random.array());
        let facts = StreamFacts {
            stream,
            signer: Some(signer.public()),
            datagram: 1_200,
            max_frame: MAX_FRAME as u32,
        };
        let settings = GroupSettings {
            name: "barn".parse().unwrap(),
            max_viewers: 64,
            idle: Duration::from_secs(15),
            key_life: Duration::from_secs(10),
            multicast: None,
        };
        let mut group = Group::new(settings, camera.clone(), facts, START, &mut random);
        let secrets: Vec<_> = (0..viewers).map(|_| StaticSecret::generate(&mut random)).collect();
        let listed = secrets.iter().enumerate().map(|(nth, secret)| Admitted {
            key: secret.public(),
            name: format!("viewer-{nth}").parse().unwrap(),
            role: Role::View,
        });
        group.set_admitted(START, &listed.collect::<Vec<_>>(), &mut random);
        let (epoch, key) = group.take_media_key(0).unwrap();
        let settings = SenderSettings { datagram: 1_200, max_frame: MAX_FRAME, pace_percent: 25 };
        let sender = Sender::paired(settings, epoch, &key, stream, Some(signer), START).unwrap();
        let connect = |(port, secret): (u16, &StaticSecret)| {
            let settings = ConnectionSettings {
                identity: secret.clone(),
                camera: camera.public(),
                max_frame: MAX_FRAME,
                delivery: Delivery::Unicast,
            };
            (SocketAddr::from(([127, 0, 0, 1], 6_000 + port)), Connection::new(settings, &[CAMERA], START))
        };
        let viewers = (0..).zip(&secrets).map(connect).collect();
        let (buffer, out) = (vec![0; MAX_FRAME].into(), vec![0; Control::MAX_DATAGRAM].into());
        Self { camera, group, sender, viewers, buffer, out, random, whole: 0 }
    }

    /// All that is said at `now`, and a frame.
    fn turn(&mut self, now: Instant, frame: &[u8]) {
        let Self { group, sender, viewers, buffer, out, random, whole, .. } = self;
        for (from, viewer) in viewers.iter_mut() {
            while let Some((len, _)) = viewer.poll_transmit(now, out, random) {
                group.handle(now, *from, &out[..len], random).ok();
            }
        }
        while let Some((len, to)) = group.poll_transmit(now, out, random) {
            if let Some((_, viewer)) = viewers.iter_mut().find(|(at, _)| *at == to) {
                viewer.handle(now, CAMERA, &out[..len]).ok();
            }
        }
        while group.poll_event().is_some() {}
        if let Some((epoch, key)) = group.take_media_key(sender.sealed_under_key()) {
            sender.set_key(epoch, &key);
        }
        let mut wire = |now: Instant, run: &[u8], size: usize| {
            for to in group.recipients() {
                let Some((_, viewer)) = viewers.iter_mut().find(|(at, _)| at == to) else { continue };
                for datagram in run.chunks(size) {
                    if viewer.handle(now, CAMERA, datagram) == Ok(Handled::Media(Accepted::Frame)) {
                        viewer.take_frame(buffer).unwrap();
                        *whole += 1;
                    }
                }
            }
        };
        send(sender, now, frame, &mut wire);
    }
}

#[test]
fn paired_viewers_are_served_without_an_allocation() {
    let mut hall = Hall::new(3);
    let frame = vec![0x42; MAX_FRAME];
    let mut now = START;
    for _ in 0..60 {
        now += Duration::from_millis(33);
        hall.turn(now, &frame[..100]);
    }
    assert_eq!(hall.group.len(), 3);
    let (keys, before) = (hall.group.counters().key_changes, hall.whole);
    // Signed frames, what is said in the sessions, and two changes of the media key.
    let ((), made) = allocations(|| {
        for nth in 0..600 {
            now += Duration::from_millis(33);
            hall.turn(now, &frame[..1_000 + nth * 100]);
        }
    });
    assert!(hall.whole - before > 3 * 590, "{} frames", hall.whole - before);
    assert!(hall.group.counters().key_changes >= keys + 2);
    assert_eq!(made, 0, "allocations in 600 frames");
}

#[test]
fn a_flood_of_first_messages_allocates_nothing_but_for_those_that_the_gate_lets_through() {
    let mut hall = Hall::new(0);
    let opening = |hall: &mut Hall| {
        let secret = StaticSecret::generate(&mut hall.random);
        let id = SessionId::from_bytes(hall.random.array());
        Initiator::new(&secret, &hall.camera.public(), id, &mut hall.random).unwrap().opening()
    };
    let openings: Vec<_> = (0..200).map(|_| opening(&mut hall)).collect();
    let mut flood = |openings: &[[u8; Opening::LEN]]| {
        for (nth, opening) in (0..).zip(openings) {
            let from = SocketAddr::from(([10, 0, nth, 1], 5));
            hall.group.handle(START, from, opening, &mut hall.random).ok();
            while hall.group.poll_transmit(START, &mut hall.out, &mut hall.random).is_some() {}
        }
    };
    let (first, then) = openings.split_at(50);
    let ((), made) = allocations(|| flood(first));
    assert!(made > 0, "a handshake costs memory for a while");
    let ((), made) = allocations(|| flood(then));
    assert_eq!(made, 0, "the gate is busy");
    assert!(hall.group.counters().gate.cookies > 150);
}
