//! Cameras, links and viewers together, driven event by event.
//!
//! What must hold of every frame that is handed over is checked here, whatever the test is about: it is,
//! bit for bit, a frame that the camera of that stream sent; it is newer than the one before; and every
//! datagram has been counted exactly once.

use std::collections::HashMap;

use sealcam::proto::key_schedule::SharedKey;
use sealcam::proto::receiver::{Accepted, Condition, Receiver};
use sealcam::proto::sender::{OutgoingFrame, Sender, SenderSettings, Transmit};
use sealcam::proto::streams::Seen;
use sealcam::time::{Duration, Instant};
use sealcam::wire::{Flags, FrameNumber, StreamId};

use crate::link::{Conditions, Link};
use crate::random::Random;

/// When every test begins; not the origin, as a board that has just booted is another test.
pub(crate) const START: Instant = Instant::from_millis(100_000);

/// What a camera sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CameraPlan {
    pub(crate) datagram: usize,
    /// Smallest and largest frame; every frame has another size, as after a change of geometry.
    pub(crate) frame: (usize, usize),
    pub(crate) interval: Duration,
    pub(crate) pace_percent: u8,
    /// Up to this much later than it asked for, the camera's loop wakes up.
    pub(crate) lateness: Duration,
}

impl CameraPlan {
    /// Small frames in small datagrams: the fastest to simulate.
    pub(crate) const SMALL: Self = Self {
        datagram: 264,
        frame: (1, 2_000),
        interval: Duration::from_micros(33_333),
        pace_percent: 25,
        lateness: Duration::ZERO,
    };
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) random: Random,
    pub(crate) cameras: Vec<Camera>,
    pub(crate) viewers: Vec<Viewer>,
    sent: HashMap<(StreamId, u32), Sent>,
}

/// A frame as it was sent: its bytes can be made again from this.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    len: usize,
    seed: u64,
    pub(crate) shards: u16,
}

pub(crate) struct Camera {
    pub(crate) key: SharedKey,
    pub(crate) plan: CameraPlan,
    pub(crate) on: bool,
    pub(crate) stream: StreamId,
    /// Frames left to send; then the camera is silent.
    pub(crate) frames_left: u32,
    sender: Sender,
    next_frame: Instant,
    wake_at: Option<Instant>,
    numbers: u32,
}

pub(crate) struct Viewer {
    pub(crate) receiver: Receiver,
    pub(crate) link: Link,
    pub(crate) frames: Vec<Got>,
    buffer: Box<[u8]>,
    last: Option<(StreamId, FrameNumber)>,
}

/// A frame that was handed over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Got {
    pub(crate) at: Instant,
    pub(crate) stream: StreamId,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let random = Random::new(seed);
        Self { now: START, random, cameras: vec![], viewers: vec![], sent: HashMap::new() }
    }

    /// A camera that starts now for the `counter`-th time, with a random phase.
    pub(crate) fn add_camera(&mut self, plan: CameraPlan, key: &SharedKey, counter: u32) -> usize {
        let stream = StreamId::new(counter, self.random.next().to_be_bytes());
        let settings = SenderSettings {
            datagram: plan.datagram,
            max_frame: plan.frame.1,
            pace_percent: plan.pace_percent,
        };
        let sender = Sender::new(settings, key, stream, self.now).unwrap();
        let phase = self.random.below(plan.interval.as_micros() as u64);
        self.cameras.push(Camera {
            key: key.clone(),
            plan,
            on: true,
            stream,
            frames_left: u32::MAX,
            sender,
            next_frame: self.now + Duration::from_micros(phase),
            wake_at: None,
            numbers: 0,
        });
        self.cameras.len() - 1
    }

    pub(crate) fn add_viewer(
        &mut self,
        key: &SharedKey,
        max_frame: usize,
        conditions: Conditions,
        seen: Option<Seen>,
    ) -> usize {
        self.viewers.push(Viewer {
            receiver: Receiver::new(key.clone(), max_frame, seen, self.now),
            link: Link::new(conditions, self.random.split()),
            frames: vec![],
            buffer: vec![0; max_frame].into_boxed_slice(),
            last: None,
        });
        self.viewers.len() - 1
    }

    /// The camera's power was cut; it starts again as a new stream with `counter`.
    pub(crate) fn restart_camera(&mut self, camera: usize, counter: u32) {
        let old = &mut self.cameras[camera];
        old.on = false;
        let (plan, key) = (old.plan, old.key.clone());
        let new = self.add_camera(plan, &key, counter);
        self.cameras.swap(camera, new);
        self.cameras.truncate(new);
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.next_event().filter(|at| *at < end) {
            self.now = self.now.max(at);
            for camera in 0..self.cameras.len() {
                self.turn(camera);
            }
            for viewer in 0..self.viewers.len() {
                while let Some(datagram) = self.viewers[viewer].link.receive(self.now) {
                    self.hand_over(viewer, &datagram);
                }
            }
        }
        self.now = end;
    }

    /// Both ends were stopped for `time`, as by a debugger or a suspended virtual machine.
    pub(crate) fn jump(&mut self, time: Duration) {
        self.now += time;
    }

    pub(crate) fn condition(&self, viewer: usize) -> Condition {
        self.viewers[viewer].receiver.condition(self.now)
    }

    /// All frames that cameras have sent.
    pub(crate) fn sent(&self) -> impl Iterator<Item = &Sent> {
        self.sent.values()
    }

    fn next_event(&self) -> Option<Instant> {
        let cameras = self.cameras.iter().filter(|camera| camera.on).flat_map(|camera| {
            let next = (camera.frames_left > 0).then_some(camera.next_frame);
            [next, camera.wake_at]
        });
        let links = self.viewers.iter().map(|viewer| viewer.link.next_arrival());
        cameras.chain(links).flatten().min()
    }

    fn turn(&mut self, index: usize) {
        let now = self.now;
        let camera = &mut self.cameras[index];
        if !camera.on {
            return;
        }
        if camera.frames_left > 0 && camera.next_frame <= now {
            let sent = camera.send_frame(now, &mut self.random);
            self.sent.insert((camera.stream, camera.numbers), sent);
            camera.numbers += 1;
        } else if camera.wake_at.is_none_or(|at| at > now) {
            return;
        }
        camera.wake_at = None;
        loop {
            match camera.sender.poll_transmit(now) {
                Transmit::Run { bytes, datagram } => {
                    for datagram in bytes.chunks(datagram) {
                        self.viewers.iter_mut().for_each(|viewer| viewer.link.send(now, datagram));
                    }
                    let len = bytes.len();
                    camera.sender.transmitted(len);
                }
                Transmit::Wait(until) => {
                    let late = self.random.below(camera.plan.lateness.as_micros() as u64 + 1);
                    camera.wake_at = Some(until + Duration::from_micros(late));
                    return;
                }
                Transmit::Idle => return,
            }
        }
    }

    /// Gives a viewer one datagram and checks what it makes of it.
    pub(crate) fn hand_over(&mut self, viewer: usize, datagram: &[u8]) {
        let now = self.now;
        let viewer = &mut self.viewers[viewer];
        let before = viewer.receiver.counters();
        let result = viewer.receiver.handle(now, datagram);
        let after = viewer.receiver.counters();
        assert_eq!(after.datagrams, before.datagrams + 1);
        assert_eq!(after.accepted, before.accepted + u64::from(result.is_ok()));
        assert_eq!(after.datagrams, all_causes(viewer), "{result:?} is counted once: {after:?}");
        if result != Ok(Accepted::Frame) {
            return;
        }
        let info = viewer.receiver.take_frame(&mut viewer.buffer).expect("a frame was announced");
        let Condition::Live(stream) = viewer.receiver.condition(now) else { panic!("a frame, but not live") };
        let sent = self.sent.get(&(stream, info.number.0)).expect("only frames that were sent come out");
        let bytes = &viewer.buffer[..info.len];
        assert!(bytes == sent.bytes(), "frame {:?} differs from what was sent", info.number);
        if let Some((last_stream, last)) = viewer.last.replace((stream, info.number)) {
            assert!(
                last_stream != stream || info.number.is_newer_than(last),
                "{:?} after {last:?}",
                info.number
            );
        }
        viewer.frames.push(Got { at: now, stream });
    }
}

/// The sum over everything that can become of a datagram.
fn all_causes(viewer: &Viewer) -> u64 {
    let c = viewer.receiver.counters();
    let dropped =
        [c.malformed, c.forged, c.replayed, c.stale_stream, c.other_stream, c.throttled, c.late, c.unplaced];
    c.accepted + dropped.iter().sum::<u64>()
}

impl Sent {
    fn bytes(self) -> Vec<u8> {
        Random::new(self.seed).bytes(self.len)
    }
}

impl Camera {
    fn send_frame(&mut self, now: Instant, random: &mut Random) -> Sent {
        let len = random.between(self.plan.frame.0, self.plan.frame.1);
        let mut sent = Sent { len, seed: random.next(), shards: 0 };
        let bytes = sent.bytes();
        let frame =
            OutgoingFrame { bytes: &bytes, captured: now, restarts: &[], source: 0, flags: Flags::NONE };
        sent.shards = self.sender.queue(now, &frame).expect("room for the largest frame");
        self.frames_left -= 1;
        // After a jump of the clock the camera goes on from there instead of catching up.
        self.next_frame = (self.next_frame + self.plan.interval).max(now);
        sent
    }
}
