//! A camera, an attacker and a viewer: any order of what they can do.

#![no_main]

use std::collections::HashMap;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sealcam::proto::key_schedule::SharedKey;
use sealcam::proto::receiver::{Accepted, Receiver};
use sealcam::proto::seal::Seal;
use sealcam::proto::sender::{OutgoingFrame, Sender, SenderSettings, Transmit};
use sealcam::time::{Duration, Instant};
use sealcam::wire::{CaptureOffset, Flags, FrameNumber, MediaHeader, RestartIndex, StreamId, TAG_LEN};

const MAX_FRAME: usize = 4_000;

#[derive(Debug, Arbitrary)]
enum Step {
    Wait {
        millis: u16,
    },
    SendFrame {
        len: u16,
    },
    RestartCamera {
        counter: u8,
    },
    RestartViewer {
        with_state: bool,
    },
    /// Delivers the oldest datagram that is on its way.
    Deliver,
    Lose,
    /// Delivers a datagram that was recorded at any time, perhaps changed.
    Replay {
        which: u16,
        at: u16,
        change: u8,
    },
    /// What a second holder of the key could send.
    Insider {
        counter: u8,
        packet: u16,
        frame: u8,
        shard: u8,
        shards: u8,
        frame_len: u16,
        len: u8,
    },
    LeaveFramesAlone {
        on: bool,
    },
}

struct World {
    now: Instant,
    key: SharedKey,
    sender: Sender,
    receiver: Receiver,
    buffer: Box<[u8]>,
    sent: HashMap<(StreamId, u32), (usize, u8)>,
    frames: u32,
    flying: std::collections::VecDeque<Vec<u8>>,
    recorded: Vec<Vec<u8>>,
    insider: bool,
    takes: bool,
}

fuzz_target!(|steps: Vec<Step>| {
    let now = Instant::from_millis(10_000);
    let key = SharedKey::from_bytes([0x11; 32]);
    let mut world = World {
        now,
        sender: sender(&key, 1, 0, now),
        receiver: Receiver::new(key.clone(), MAX_FRAME, None, now),
        key,
        buffer: vec![0; MAX_FRAME].into_boxed_slice(),
        sent: HashMap::new(),
        frames: 0,
        flying: Default::default(),
        recorded: vec![],
        insider: false,
        takes: true,
    };
    for (nth, step) in steps.into_iter().take(500).enumerate() {
        world.take_step(step, nth);
    }
});

fn sender(key: &SharedKey, counter: u8, nth: usize, now: Instant) -> Sender {
    let settings = SenderSettings { datagram: 128, max_frame: MAX_FRAME, pace_percent: 0 };
    let id = StreamId::new(u32::from(counter), (nth as u64).to_be_bytes());
    Sender::new(settings, key, id, now).expect("a datagram size")
}

impl World {
    fn take_step(&mut self, step: Step, nth: usize) {
        match step {
            Step::Wait { millis } => self.now += Duration::from_millis(u64::from(millis)),
            Step::SendFrame { len } => self.send_frame(usize::from(len)),
            Step::RestartCamera { counter } => {
                self.sender = sender(&self.key, counter, nth + 1, self.now);
                self.frames = 0;
            }
            Step::RestartViewer { with_state } => {
                let seen = self.receiver.seen().filter(|_| with_state);
                self.receiver = Receiver::new(self.key.clone(), MAX_FRAME, seen, self.now);
            }
            Step::Deliver => {
                if let Some(datagram) = self.flying.pop_front() {
                    self.hand_over(&datagram);
                }
            }
            Step::Lose => drop(self.flying.pop_front()),
            Step::Replay { which, at, change } if !self.recorded.is_empty() => {
                let mut datagram = self.recorded[usize::from(which) % self.recorded.len()].clone();
                let at = usize::from(at) % datagram.len();
                datagram[at] ^= change;
                let accepted = self.hand_over(&datagram);
                assert!(!accepted || change == 0, "a changed datagram was accepted");
            }
            Step::Replay { .. } => {}
            Step::Insider { counter, packet, frame, shard, shards, frame_len, len } => {
                let header = MediaHeader {
                    epoch: 0,
                    stream: StreamId::new(u32::from(counter), [0xff; 8]),
                    packet: u64::from(packet),
                    frame: FrameNumber(u32::from(frame)),
                    shard: u16::from(shard),
                    data_shards: u16::from(shards),
                    parity_shards: 0,
                    source: 0,
                    flags: Flags::NONE,
                    frame_len: u32::from(frame_len),
                    captured: CaptureOffset::default(),
                    next_restart: RestartIndex::NONE,
                };
                self.insider = true;
                let plain = vec![0; usize::from(len)];
                let mut datagram = header.to_bytes().to_vec();
                let mut sealed = vec![0; plain.len() + TAG_LEN];
                let key = self.key.stream_key(header.stream);
                Seal::new(&key).seal(header.packet, &datagram, &plain, &mut sealed);
                datagram.extend_from_slice(&sealed);
                self.hand_over(&datagram);
            }
            Step::LeaveFramesAlone { on } => self.takes = !on,
        }
    }

    fn send_frame(&mut self, len: usize) {
        let byte = self.frames as u8 ^ 0x5a;
        let bytes = vec![byte; len];
        let frame =
            OutgoingFrame { bytes: &bytes, captured: self.now, restarts: &[], source: 0, flags: Flags::NONE };
        if self.sender.queue(self.now, &frame).is_err() {
            assert!(len == 0 || len > MAX_FRAME);
            return;
        }
        self.sent.insert((self.sender.stream(), self.frames), (len, byte));
        self.frames += 1;
        while let Transmit::Run { bytes, datagram } = self.sender.poll_transmit(self.now) {
            for datagram in bytes.chunks(datagram) {
                self.flying.push_back(datagram.to_vec());
                self.recorded.push(datagram.to_vec());
            }
            let len = bytes.len();
            self.sender.transmitted(len);
        }
    }

    /// Returns whether it was accepted.
    fn hand_over(&mut self, datagram: &[u8]) -> bool {
        let result = self.receiver.handle(self.now, datagram);
        if result == Ok(Accepted::Frame) && self.takes {
            let info = self.receiver.take_frame(&mut self.buffer).expect("a frame was announced");
            let sent = self.sent.get(&(info.stream, info.number.0));
            match sent {
                Some((len, byte)) => {
                    assert_eq!(info.len, *len);
                    assert!(self.buffer[..info.len].iter().all(|got| got == byte), "not what was sent");
                }
                None => assert!(self.insider, "a frame that nobody sent"),
            }
        }
        let c = self.receiver.counters();
        let dropped = c.malformed + c.forged + c.replayed + c.stale_stream + c.other_stream;
        assert_eq!(c.datagrams, c.accepted + dropped + c.throttled + c.late + c.unplaced);
        result.is_ok()
    }
}
