//! What a frame costs beside the bare floor, sealed and sent, received and opened:
//! `cargo bench --bench stream`, or `-- quick`.
//!
//! Product and floor take turns over loopback sockets in one run, on the same frames, in datagrams of 1,400
//! bytes; figures are medians of the thread's CPU time. The floor does nothing but what cannot be left out:
//! the same cipher over the same bytes, and the same number of system calls that send or receive.
//! Absolute times are of no use across machines: the ratios are. Exits with 1 if one is over its bound.
//!
//! The walk over a JPEG's markers belongs to capture and to the viewer's frames, not to the stream; it is
//! shown by itself and in the sum.

mod bare_stream;
mod measure;
mod scene;

use std::io::{self, Write};
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;

use bare_stream::{BareReceiver, BareSender};
use measure::{built_for, clock as time_of, median, percentile};
use sealcam::clock;
use sealcam::codec::Encoder;
use sealcam::jpeg::{RestartOffsets, walk};
use sealcam::net::{MediaReceiver, MediaSender, Outcome, ReceiveOptions, SendOptions};
use sealcam::picture::{Colour, RawFormat, RawPicture};
use sealcam::proto::key_schedule::SharedKey;
use sealcam::proto::receiver::{Accepted, Receiver};
use sealcam::proto::sender::{OutgoingFrame, Sender, SenderSettings, Transmit};
use sealcam::wire::{Flags, MAX_FRAME, StreamId};

const DATAGRAM: usize = 1400;
const BOUND: f64 = 1.15;
/// Frames that take turns, so that none stays in the nearest cache.
const FRAMES: usize = 6;

fn main() -> io::Result<ExitCode> {
    let quick = std::env::args().any(|argument| argument == "quick");
    let rounds = if quick { 201 } else { 2001 };
    let mut out = io::stdout();
    writeln!(out, "datagrams of {DATAGRAM} bytes, medians of {rounds} rounds by turns, {}", built_for())?;
    writeln!(out, "CPU time in us a frame; ratio to the floor, and the middle 80 % of paired ratios")?;
    let mut good = true;
    let scenes: Vec<Vec<u8>> = (0..FRAMES as u64).map(|seed| scene::scene(1920, 1080, seed)).collect();
    for len in [100_000, 200_000, 400_000] {
        let frames: Vec<Vec<u8>> = scenes.iter().map(|samples| frame(samples, len)).collect();
        writeln!(out, "{} kB", len / 1000)?;
        good &= sending(&mut out, &frames, rounds)?;
        good &= receiving(&mut out, &frames, rounds)?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A picture of 1080p 4:2:2 as a JPEG image of exactly `len` bytes.
fn frame(samples: &[u8], len: usize) -> Vec<u8> {
    let (width, height) = (1920, 1080);
    let (format, colour) = (RawFormat::Yuyv, Colour::JFIF);
    let picture = RawPicture { samples, format, width, height, stride: 2 * width, colour };
    let mut encoder = Encoder::new();
    let mut image = Vec::new();
    for quality in (1..=95).rev() {
        let jpeg = encoder.encode(&picture, quality).expect("a good picture");
        if jpeg.len() + 4 <= len {
            image.extend_from_slice(jpeg);
            break;
        }
    }
    // Comments make up the rest.
    while image.len() < len {
        let missing = len - image.len();
        let segment = if missing > 65_537 { missing.min(65_537).min(missing - 4) } else { missing };
        let mut comment = vec![b' '; segment];
        comment[..4].copy_from_slice(&[0xff, 0xfe, ((segment - 2) >> 8) as u8, (segment - 2) as u8]);
        image.splice(2..2, comment);
    }
    image
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
}

/// The product's sending end.
struct Sending {
    sender: Sender,
    socket: MediaSender,
    restarts: RestartOffsets,
}

impl Sending {
    fn new(to: SocketAddr, largest: usize) -> Self {
        let stream = StreamId::new(1, *b"measured");
        let settings = SenderSettings { datagram: DATAGRAM, max_frame: largest, pace_percent: 0 };
        let sender = Sender::new(settings, &key(), stream, clock::now()).expect("a good size");
        let socket = MediaSender::open(&SendOptions::new(to)).expect("loopback");
        Self { sender, socket, restarts: RestartOffsets::new() }
    }

    /// What capture does to a JPEG frame.
    fn walk(&mut self, bytes: &[u8]) {
        walk(bytes, &mut self.restarts).expect("a good image");
    }

    /// What the camera's loop does to a frame.
    fn send(&mut self, bytes: &[u8]) {
        let now = clock::now();
        let restarts = self.restarts.as_slice();
        let frame = OutgoingFrame { bytes, captured: now, restarts, source: 0, flags: Flags::NONE };
        self.sender.queue(now, &frame).expect("there is room");
        while let Transmit::Run { bytes, datagram } = self.sender.poll_transmit(now) {
            let sent = self.socket.send_run(bytes, datagram);
            assert_eq!(sent.outcome, Outcome::All);
            self.sender.transmitted(sent.bytes);
        }
        assert!(self.sender.is_idle());
    }
}

fn key() -> SharedKey {
    SharedKey::from_bytes([7; 32])
}

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn listen() -> (MediaReceiver, SocketAddr) {
    let socket = MediaReceiver::open(&ReceiveOptions::new(loopback())).expect("loopback");
    let at = socket.local_addr().expect("it is bound");
    (socket, at)
}

fn sending(out: &mut impl Write, frames: &[Vec<u8>], rounds: usize) -> io::Result<bool> {
    let ((mut floors_sink, floors_address), (mut our_sink, our_address)) = (listen(), listen());
    let mut floor = BareSender::new(floors_address, DATAGRAM, frames[0].len());
    let mut product = Sending::new(our_address, frames[0].len());
    let (mut bare, mut walked, mut ours) = (Times::default(), Times::default(), Times::default());
    for round in 0..rounds + WARM_UP {
        let frame = &frames[round % frames.len()];
        // Whoever comes second finds the frame in a nearer cache: they change places.
        for turn in 0..2 {
            if turn == round % 2 {
                bare.measure(|| floor.send(frame));
                drain(&mut floors_sink);
            } else {
                walked.measure(|| product.walk(frame));
                ours.measure(|| product.send(frame));
                drain(&mut our_sink);
            }
        }
    }
    let counters = product.socket.counters();
    assert_eq!(counters.system_calls, counters.segmented, "every message goes with segmentation offload");
    table(out, "send", &bare, &walked, &ours)
}

fn drain(sink: &mut MediaReceiver) {
    while sink.receive(|_, _| {}).expect("loopback") > 0 {}
}

fn receiving(out: &mut impl Write, frames: &[Vec<u8>], rounds: usize) -> io::Result<bool> {
    let len = frames[0].len();
    let floors_socket = UdpSocket::bind(loopback())?;
    let mut floors_feed = BareSender::new(floors_socket.local_addr()?, DATAGRAM, len);
    let mut floor = BareReceiver::new(floors_socket, DATAGRAM, len);
    let (mut socket, at) = listen();
    let mut our_feed = Sending::new(at, len);
    let mut receiver = Receiver::new(key(), MAX_FRAME, None, clock::now());
    let mut whole = vec![0; MAX_FRAME].into_boxed_slice();
    let mut restarts = RestartOffsets::new();
    let (mut bare, mut walked, mut ours) = (Times::default(), Times::default(), Times::default());
    for round in 0..rounds + WARM_UP {
        let frame = &frames[round % frames.len()];
        for turn in 0..2 {
            if turn == round % 2 {
                floors_feed.send(frame);
                let mut got = false;
                bare.measure(|| {
                    while !got {
                        floor.receive(|bytes| got = std::hint::black_box(bytes).len() == len);
                    }
                });
            } else {
                our_feed.send(frame);
                let got = ours.measure(|| receive(&mut socket, &mut receiver, &mut whole));
                assert_eq!(got, Some(len));
                walked.measure(|| walk(&whole[..len], &mut restarts).expect("a good image"));
                assert!(round >= WARM_UP || whole[..len] == frame[..]);
            }
        }
    }
    table(out, "receive", &bare, &walked, &ours)
}

/// What the viewer's loop does once datagrams wait: takes them until there are none.
fn receive(socket: &mut MediaReceiver, receiver: &mut Receiver, whole: &mut Box<[u8]>) -> Option<usize> {
    let mut got = None;
    loop {
        let now = clock::now();
        let taken = socket.receive(|datagram, _| {
            if receiver.handle(now, datagram) == Ok(Accepted::Frame) {
                got = receiver.take_frame(whole).map(|info| info.len);
            }
        });
        if taken.expect("loopback") == 0 {
            return got;
        }
    }
}

/// Rounds before those that count.
const WARM_UP: usize = 20;

fn table(out: &mut impl Write, what: &str, bare: &Times, walked: &Times, ours: &Times) -> io::Result<bool> {
    let [bare, walked, ours] = [bare, walked, ours].map(|times| &times.0[WARM_UP..]);
    let (floor, walked, product) = (median(bare), median(walked), median(ours));
    let paired: Vec<f64> = ours.iter().zip(bare).map(|(ours, bare)| ours / bare).collect();
    let ratio = product / floor;
    let verdict = if ratio <= BOUND { "bound" } else { "OVER the bound" };
    writeln!(
        out,
        "  {what:<8} floor {floor:6.1}   product {product:6.1}   {ratio:.3} [{:.2}-{:.2}] ({verdict} {BOUND})   \
         walk {walked:4.1}, with it {:.3}",
        percentile(&paired, 10),
        percentile(&paired, 90),
        (product + walked) / floor,
    )?;
    Ok(ratio <= BOUND)
}
