//! Once running, the protocol core allocates nothing: not per frame, not per datagram, not when it drops.

#![allow(unsafe_code, reason = "a global allocator that counts can only be implemented so")]
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is the finding")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use sealcam::proto::key_schedule::SharedKey;
use sealcam::proto::receiver::{Accepted, Receiver};
use sealcam::proto::sender::{OutgoingFrame, Sender, SenderSettings, Transmit};
use sealcam::time::{Duration, Instant};
use sealcam::wire::{Flags, StreamId};

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
