//! A network in the middle that records, loses, doubles, reorders and damages datagrams, from a seed.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Of 1,000 datagrams, how many suffer what.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    /// Held back until some others have passed.
    pub(crate) held: u64,
    /// A copy in which one bit is another one goes ahead of it.
    pub(crate) shadowed: u64,
}

/// What has happened so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Passed {
    pub(crate) taken: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) held: u64,
    pub(crate) shadowed: u64,
}

/// A running relay; it ends with this.
pub(crate) struct Relay {
    at: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    over: AtomicBool,
    record: Mutex<Vec<Vec<u8>>>,
    passed: Mutex<Passed>,
}

/// SplitMix64: small, and good enough to pick victims.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn hits(&mut self, of_thousand: u64) -> bool {
        self.next() % 1000 < of_thousand
    }
}

impl Relay {
    /// Passes on to `to` what comes to [`Self::at`].
    pub(crate) fn start(to: &str, faults: Faults, seed: u64) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBuf, &(4 << 20)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let at = socket.local_addr().unwrap();
        let state = Arc::new(State {
            over: AtomicBool::new(false),
            record: Mutex::default(),
            passed: Mutex::default(),
        });
        let theirs = Arc::clone(&state);
        let to: SocketAddr = to.parse().unwrap();
        let thread = std::thread::spawn(move || pass(&socket, to, faults, Random(seed), &theirs));
        Self { at, state, thread: Some(thread) }
    }

    /// Where a camera sends to.
    pub(crate) fn at(&self) -> String {
        self.at.to_string()
    }

    /// Every datagram that has come so far.
    pub(crate) fn record(&self) -> Vec<Vec<u8>> {
        self.state.record.lock().unwrap().clone()
    }

    pub(crate) fn passed(&self) -> Passed {
        *self.state.passed.lock().unwrap()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn pass(socket: &UdpSocket, to: SocketAddr, faults: Faults, mut random: Random, state: &State) {
    let mut buffer = vec![0; 1 << 16];
    let mut held: Vec<(u64, Vec<u8>)> = Vec::new();
    while !state.over.load(Ordering::Relaxed) {
        let Ok((len, from)) = socket.recv_from(&mut buffer) else { continue };
        if from == to {
            continue;
        }
        let datagram = &buffer[..len];
        state.record.lock().unwrap().push(datagram.to_vec());
        let mut passed = state.passed.lock().unwrap();
        passed.taken += 1;
        let now = passed.taken;
        if random.hits(faults.lost) {
            passed.lost += 1;
        } else if random.hits(faults.held) {
            passed.held += 1;
            held.push((now + 1 + random.next() % 40, datagram.to_vec()));
        } else {
            if random.hits(faults.shadowed) {
                passed.shadowed += 1;
                let at = random.next() as usize % (len * 8);
                let mut copy = datagram.to_vec();
                copy[at / 8] ^= 1 << (at % 8);
                let _ = socket.send_to(&copy, to);
            }
            let _ = socket.send_to(datagram, to);
            if random.hits(faults.doubled) {
                passed.doubled += 1;
                let _ = socket.send_to(datagram, to);
            }
        }
        held.retain(|(due, datagram)| {
            let stays = *due > now;
            if !stays {
                let _ = socket.send_to(datagram, to);
            }
            stays
        });
    }
}

/// Sends datagrams to `to`, no faster than a receiver's buffer empties.
pub(crate) fn replay(datagrams: &[Vec<u8>], to: &str) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for (nth, datagram) in datagrams.iter().enumerate() {
        // Nobody may listen; that is the test's to notice.
        let _ = socket.send_to(datagram, to);
        if nth % 50 == 49 {
            crate::program::pause(2);
        }
    }
}
