//! What each further viewer costs, and what signing costs: `cargo bench --bench viewers`, or `-- quick`.
//!
//! A frame is sealed and signed once and sent from one socket to each viewer's over loopback, in datagrams of 1,200
//! bytes. All contestants take turns in one run, on the same frames; figures are medians of the thread's
//! CPU time, which on loopback holds the kernel's work of receiving too. Absolute times are of no use across
//! machines: the ratios are.

mod measure;

use std::io::{self, Write};
use std::net::SocketAddr;

use measure::{built_for, clock as time_of, median, percentile};
use sealcam::clock;
use sealcam::net::{ManyOptions, ManySocket, MediaReceiver, Outcome, ReceiveOptions};
use sealcam::proto::key_schedule::StreamKey;
use sealcam::proto::manifest::{Signer, shard_hash};
use sealcam::proto::sender::{OutgoingFrame, Sender, SenderSettings, Transmit};
use sealcam::time::Instant;
use sealcam::wire::{Flags, MediaHeader, RestartIndex, StreamId};

const DATAGRAM: usize = 1200;
const VIEWERS: [usize; 4] = [1, 8, 32, 64];
const SENT_FRAME: usize = 100_000;
const SIGNED_FRAMES: [usize; 3] = [30_000, 100_000, 300_000];
/// Frames that take turns, so that none stays in the nearest cache.
const FRAMES: usize = 6;
/// Rounds before those that count.
const WARM_UP: usize = 20;

fn main() -> io::Result<()> {
    let quick = std::env::args().any(|argument| argument == "quick");
    let rounds = if quick { 101 } else { 1001 };
    let mut out = io::stdout();
    writeln!(out, "datagrams of {DATAGRAM} bytes, medians of {rounds} rounds by turns, {}", built_for())?;
    viewers(&mut out, rounds)?;
    signing(&mut out, rounds)
}

/// Frames of `len` bytes; what is in them makes no difference to the cipher.
fn frames(len: usize) -> Vec<Vec<u8>> {
    let byte = |nth: usize, at: usize| (at.wrapping_mul(2_654_435_761) >> 13) as u8 ^ nth as u8;
    (0..FRAMES).map(|nth| (0..len).map(|at| byte(nth, at)).collect()).collect()
}

/// Times of one contestant.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    /// Adds the CPU time that `work` takes of this thread.
    fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = time_of(libc::CLOCK_THREAD_CPUTIME_ID);
        let result = work();
        self.0.push(time_of(libc::CLOCK_THREAD_CPUTIME_ID) - start);
        result
    }

    fn counted(&self) -> &[f64] {
        &self.0[WARM_UP..]
    }

    fn median(&self) -> f64 {
        median(self.counted())
    }

    /// The middle 80 % of the ratios to `other`, round by round.
    fn ratios(&self, other: &Self) -> (f64, f64) {
        let ratios: Vec<f64> = self.counted().iter().zip(other.counted()).map(|(a, b)| a / b).collect();
        (percentile(&ratios, 10), percentile(&ratios, 90))
    }
}

fn sender(largest: usize, signed: bool) -> Sender {
    let settings = SenderSettings { datagram: DATAGRAM, max_frame: largest, pace_percent: 0 };
    let signer = signed.then(|| Signer::new(&[9; 32]));
    let (key, stream) = (StreamKey::from_bytes([7; 32]), StreamId::new(1, *b"measured"));
    Sender::paired(settings, 0, &key, stream, signer, clock::now()).expect("a good size")
}

fn queue(sender: &mut Sender, now: Instant, bytes: &[u8]) {
    let frame = OutgoingFrame { bytes, captured: now, restarts: &[], source: 0, flags: Flags::NONE };
    sender.queue(now, &frame).expect("there is room");
}

/// Lets all that has been sealed leave by `each`; returns its bytes.
fn leave(sender: &mut Sender, now: Instant, mut each: impl FnMut(&[u8], usize)) -> usize {
    let mut total = 0;
    while let Transmit::Run { bytes, datagram } = sender.poll_transmit(now) {
        each(bytes, datagram);
        let len = bytes.len();
        total += len;
        sender.transmitted(len);
    }
    total
}

/// The sockets of `count` viewers, and where they are.
fn listen(count: usize) -> Vec<(MediaReceiver, SocketAddr)> {
    let listen = |_| {
        let viewer = MediaReceiver::open(&ReceiveOptions::new(loopback())).expect("loopback");
        let at = viewer.local_addr().expect("it is bound");
        (viewer, at)
    };
    (0..count).map(listen).collect()
}

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn viewers(out: &mut impl Write, rounds: usize) -> io::Result<()> {
    let frames = frames(SENT_FRAME);
    let mut camera = ManySocket::open(&ManyOptions::new(loopback())).expect("loopback");
    let mut all = listen(VIEWERS.into_iter().max().unwrap_or(1));
    let mut sender = sender(SENT_FRAME, true);
    let mut sealing = Times::default();
    let mut whole = VIEWERS.map(|_| Times::default());
    for round in 0..rounds + WARM_UP {
        let frame = &frames[round % FRAMES];
        // Whoever comes later finds the frame in a nearer cache: they change places.
        for turn in 0..=VIEWERS.len() {
            let turn = (turn + round) % (VIEWERS.len() + 1);
            let now = clock::now();
            let Some(count) = VIEWERS.get(turn) else {
                sealing.measure(|| queue(&mut sender, now, frame));
                leave(&mut sender, now, |_, _| {});
                continue;
            };
            let viewers = &mut all[..*count];
            whole[turn].measure(|| {
                queue(&mut sender, now, frame);
                leave(&mut sender, now, |run, datagram| {
                    for (_, at) in &*viewers {
                        assert_eq!(camera.send_run(run, datagram, *at).outcome, Outcome::All);
                    }
                });
            });
            for (viewer, _) in viewers {
                while viewer.receive(|_, _| {}).expect("loopback") > 0 {}
            }
        }
    }
    let one = whole[0].median();
    let sealing = sealing.median();
    writeln!(
        out,
        "{} kB signed, sealed once, sent to each viewer: CPU time in us a frame",
        SENT_FRAME / 1000
    )?;
    writeln!(out, "  sealing and signing alone {sealing:7.1}   {:5.2} of all for one viewer", sealing / one)?;
    for (count, times) in VIEWERS.into_iter().zip(&whole) {
        let (low, high) = times.ratios(&whole[0]);
        let each = (times.median() - sealing) / count as f64;
        writeln!(
            out,
            "  {count:2} viewers {:8.1}   {:5.2} of one [{low:.2}-{high:.2}]   sends to each {:.2} of one",
            times.median(),
            times.median() / one,
            each / one,
        )?;
    }
    Ok(())
}

/// What signing needs of a frame, before any signature.
fn hash(frame: &[u8]) {
    for shard in frame.chunks(DATAGRAM - MediaHeader::OVERHEAD) {
        std::hint::black_box(shard_hash(std::hint::black_box(shard), RestartIndex::NONE));
    }
}

fn signing(out: &mut impl Write, rounds: usize) -> io::Result<()> {
    writeln!(out, "signed against unsigned: CPU time in us a frame for sealing alone, and bytes sent")?;
    for len in SIGNED_FRAMES {
        let frames = frames(len);
        let mut senders = [sender(len, false), sender(len, true)];
        let mut times = [Times::default(), Times::default()];
        let mut hashing = Times::default();
        let mut bytes = [0; 2];
        for round in 0..rounds + WARM_UP {
            for turn in 0..2 {
                let which = (turn + round) % 2;
                let (sender, now) = (&mut senders[which], clock::now());
                times[which].measure(|| queue(sender, now, &frames[round % FRAMES]));
                bytes[which] = leave(sender, now, |_, _| {});
            }
            hashing.measure(|| hash(&frames[round % FRAMES]));
        }
        let [unsigned, signed] = &times;
        let (low, high) = signed.ratios(unsigned);
        writeln!(
            out,
            "  {:3} kB   unsigned {:6.1}   signed {:6.1}   {:.2} [{low:.2}-{high:.2}]   hashes alone {:.2}   bytes {:.4}",
            len / 1000,
            unsigned.median(),
            signed.median(),
            signed.median() / unsigned.median(),
            hashing.median() / unsigned.median(),
            bytes[1] as f64 / bytes[0] as f64,
        )?;
    }
    Ok(())
}
