//! One camera and many paired viewers, driven event by event over lossy links.
//!
//! Checked always, whatever the test is about: a frame that a viewer hands over is, bit for bit, one that the
//! camera sent, and newer than the one before; and it was not sealed more than half a second after the viewer
//! was taken off the list.

use std::net::SocketAddr;

use sealcam::proto::connection::{Connection, ConnectionSettings, Handled, Standing};
use sealcam::proto::group::{Admitted, Event, Group, GroupSettings, StreamFacts};
use sealcam::proto::identity::{PublicKey, StaticSecret};
use sealcam::proto::key_schedule::StreamKey;
use sealcam::proto::manifest::Signer;
use sealcam::proto::outcome::Accepted;
use sealcam::proto::random::Random as _;
use sealcam::proto::sender::{OutgoingFrame, Sender, SenderSettings, Transmit};
use sealcam::time::{Duration, Instant};
use sealcam::wire::{Control, Delivery, Flags, Role, StreamId};

use crate::link::{Conditions, Link};
use crate::random::Random;
use crate::world::START;

pub(crate) const CAMERA: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), 5000);
/// Five manifests.
pub(crate) const MAX_FRAME: usize = 30_000;
/// Most frames are no longer: they have one manifest.
const USUAL_FRAME: usize = 6_000;
const DATAGRAM: usize = 576;
/// A removed viewer may still see what was sealed so long after its removal.
const AFTER_REMOVAL: Duration = Duration::from_millis(500);

impl sealcam::proto::random::Random for Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        let fresh = self.bytes(bytes.len());
        bytes.copy_from_slice(&fresh);
    }
}

pub(crate) struct Hall {
    pub(crate) now: Instant,
    pub(crate) random: Random,
    pub(crate) group: Group,
    pub(crate) sender: Sender,
    pub(crate) viewers: Vec<Viewer>,
    pub(crate) camera: StaticSecret,
    /// When the camera next takes a frame; `None` while it hangs.
    pub(crate) interval: Duration,
    pub(crate) events: Vec<Event>,
    pub(crate) stream: StreamId,
    /// All datagrams that the camera has sent, if anyone records them.
    pub(crate) recorded: Option<Vec<Vec<u8>>>,
    /// Bytes of a frame, if that is not left to chance.
    pub(crate) frame_len: Option<usize>,
    next_frame: Instant,
    sent: Vec<(u64, usize, Instant)>,
    out: Vec<u8>,
}

pub(crate) struct Viewer {
    pub(crate) secret: StaticSecret,
    pub(crate) role: Role,
    pub(crate) listed: bool,
    pub(crate) removed_at: Option<Instant>,
    pub(crate) address: SocketAddr,
    /// `None` while the program does not run.
    pub(crate) connection: Option<Connection>,
    pub(crate) up: Link,
    pub(crate) down: Link,
    pub(crate) frames: Vec<Instant>,
    /// All that it has sent.
    pub(crate) said: Vec<Vec<u8>>,
    last: Option<u32>,
    buffer: Box<[u8]>,
}

impl Viewer {
    pub(crate) fn key(&self) -> PublicKey {
        self.secret.public()
    }

    pub(crate) fn standing(&self, now: Instant) -> Option<Standing> {
        self.connection.as_ref().map(|connection| connection.standing(now))
    }

    pub(crate) fn moves(&mut self, now: Instant) {
        let port = self.address.port();
        self.address.set_port(port + 1);
        if let Some(connection) = &mut self.connection {
            connection.network_changed(now);
        }
    }
}

impl Hall {
    pub(crate) fn new(seed: u64, viewers: usize, conditions: Conditions) -> Self {
        Self::with_settings(seed, viewers, conditions, 64, true)
    }

    pub(crate) fn with_settings(
        seed: u64,
        viewers: usize,
        conditions: Conditions,
        max_viewers: usize,
        signed: bool,
    ) -> Self {
        let mut random = Random::new(seed);
        let camera = StaticSecret::generate(&mut random);
        let stream = StreamId::new(1, random.array());
        let secret: [u8; 32] = random.array();
        let signer = signed.then(|| Signer::new(&secret));
        let facts = StreamFacts {
            stream,
            signer: signer.as_ref().map(Signer::public),
            datagram: DATAGRAM as u16,
            max_frame: MAX_FRAME as u32,
        };
        let settings = GroupSettings {
            name: "barn".parse().unwrap(),
            max_viewers,
            idle: Duration::from_secs(15),
            key_life: Duration::from_secs(120),
            multicast: None,
        };
        let mut group = Group::new(settings, camera.clone(), facts, START, &mut random);
        let (epoch, key) = group.take_media_key(0).unwrap();
        let settings = SenderSettings { datagram: DATAGRAM, max_frame: MAX_FRAME, pace_percent: 25 };
        let sender = Sender::paired(settings, epoch, &key, stream, signer, START).unwrap();
        let mut hall = Self {
            now: START,
            group,
            sender,
            viewers: vec![],
            camera,
            interval: Duration::from_millis(200),
            events: vec![],
            stream,
            recorded: None,
            frame_len: None,
            next_frame: START,
            sent: vec![],
            out: vec![0; Control::MAX_DATAGRAM],
            random,
        };
        for nth in 0..viewers {
            let secret = StaticSecret::generate(&mut hall.random);
            let address = SocketAddr::from(([10, 1, (nth / 200) as u8, (nth % 200) as u8 + 1], 6000));
            hall.viewers.push(Viewer {
                secret,
                role: Role::View,
                listed: true,
                removed_at: None,
                address,
                connection: None,
                up: Link::new(conditions, hall.random.split()),
                down: Link::new(conditions, hall.random.split()),
                frames: vec![],
                said: vec![],
                last: None,
                buffer: vec![0; MAX_FRAME].into_boxed_slice(),
            });
        }
        hall.publish_list();
        hall
    }

    /// Gives the group the list as it stands.
    pub(crate) fn publish_list(&mut self) {
        let listed = self.viewers.iter().enumerate().filter(|(_, viewer)| viewer.listed);
        let list: Vec<_> = listed
            .map(|(nth, viewer)| Admitted {
                key: viewer.key(),
                name: format!("viewer-{nth}").parse().unwrap(),
                role: viewer.role,
            })
            .collect();
        self.group.set_admitted(self.now, &list, &mut self.random);
    }

    pub(crate) fn remove(&mut self, nth: usize) {
        if self.viewers[nth].listed {
            let now = self.now;
            self.list_key_of(nth, false, Some(now));
        }
    }

    pub(crate) fn readmit(&mut self, nth: usize) {
        self.list_key_of(nth, true, None);
    }

    /// What the list says holds for all programs with that key.
    fn list_key_of(&mut self, nth: usize, listed: bool, removed_at: Option<Instant>) {
        let key = self.viewers[nth].key();
        for viewer in self.viewers.iter_mut().filter(|viewer| viewer.key() == key) {
            viewer.listed = listed;
            viewer.removed_at = removed_at;
        }
        self.publish_list();
    }

    pub(crate) fn start(&mut self, nth: usize) {
        let viewer = &mut self.viewers[nth];
        let settings = ConnectionSettings {
            identity: viewer.secret.clone(),
            camera: self.camera.public(),
            max_frame: MAX_FRAME,
            delivery: Delivery::Unicast,
        };
        viewer.connection = Some(Connection::new(settings, &[CAMERA], self.now));
        viewer.last = None;
    }

    pub(crate) fn start_all(&mut self) {
        (0..self.viewers.len()).for_each(|nth| self.start(nth));
    }

    pub(crate) fn set_conditions(&mut self, conditions: Conditions) {
        for viewer in &mut self.viewers {
            viewer.up.set_conditions(conditions);
            viewer.down.set_conditions(conditions);
        }
    }

    /// Everything stood still for `time`.
    pub(crate) fn jump(&mut self, time: Duration) {
        self.now += time;
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.turn();
            let next = self.next_event();
            if next >= end {
                break;
            }
            // Whatever was due has been done; what is due now was made due by it.
            self.now = next.max(self.now + Duration::from_micros(1));
        }
        self.now = end;
    }

    fn next_event(&self) -> Instant {
        let mut next = self.next_frame.min(self.group.next_wake());
        next = self.sender.next_release().map_or(next, |at| at.min(next));
        for viewer in &self.viewers {
            let arrivals = [viewer.up.next_arrival(), viewer.down.next_arrival()];
            let wake = viewer.connection.as_ref().and_then(Connection::next_wake);
            next = arrivals.into_iter().flatten().chain(wake).fold(next, Instant::min);
        }
        next
    }

    fn turn(&mut self) {
        for nth in 0..self.viewers.len() {
            self.viewer_turn(nth);
        }
        while self.camera_hears() {}
        self.camera_speaks();
        if self.next_frame <= self.now {
            self.next_frame = self.now + self.interval;
            self.take_frame();
        }
        self.send_due();
    }

    fn camera_hears(&mut self) -> bool {
        let mut any = false;
        for nth in 0..self.viewers.len() {
            while let Some(bytes) = self.viewers[nth].up.receive(self.now) {
                any = true;
                let Some((from, datagram)) = bytes.split_first_chunk::<6>() else { continue };
                let from = SocketAddr::from((
                    [from[0], from[1], from[2], from[3]],
                    u16::from_be_bytes([from[4], from[5]]),
                ));
                self.group.handle(self.now, from, datagram, &mut self.random).ok();
            }
        }
        any
    }

    fn camera_speaks(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        while let Some((len, to)) = self.group.poll_transmit(self.now, &mut out, &mut self.random) {
            self.deliver(to, &out[..len]);
        }
        self.out = out;
        while let Some(event) = self.group.poll_event() {
            self.events.push(event);
        }
    }

    fn take_frame(&mut self) {
        if let Some((epoch, key)) = self.group.take_media_key(self.sender.sealed_under_key()) {
            self.sender.set_key(epoch, &key);
        }
        let longest = if self.random.chance(0.02) { MAX_FRAME } else { USUAL_FRAME };
        let (seed, len) = (self.random.next(), self.random.between(1, longest));
        let len = self.frame_len.unwrap_or(len);
        let bytes = Random::new(seed).bytes(len);
        self.sent.push((seed, len, self.now));
        let frame =
            OutgoingFrame { bytes: &bytes, captured: self.now, restarts: &[], source: 0, flags: Flags::NONE };
        self.sender.queue(self.now, &frame).unwrap();
    }

    fn send_due(&mut self) {
        while let Transmit::Run { bytes, datagram } = self.sender.poll_transmit(self.now) {
            let (run, len) = (bytes.to_vec(), bytes.len());
            self.sender.transmitted(len);
            let mut recipients = self.group.recipients().to_vec();
            // Those who were removed listen on: to the others' Wi-Fi, or to the group.
            let removed = self.viewers.iter().filter(|viewer| viewer.removed_at.is_some());
            recipients.extend(removed.map(|viewer| viewer.address));
            recipients.sort_unstable();
            recipients.dedup();
            for datagram in run.chunks(datagram) {
                if let Some(recorded) = &mut self.recorded {
                    recorded.push(datagram.to_vec());
                }
                for to in &recipients {
                    self.deliver(*to, datagram);
                }
            }
        }
    }

    /// Puts a datagram on the way to whoever has that address now.
    pub(crate) fn deliver(&mut self, to: SocketAddr, datagram: &[u8]) {
        if let Some(viewer) = self.viewers.iter_mut().find(|viewer| viewer.address == to) {
            viewer.down.send(self.now, datagram);
        }
    }

    fn viewer_turn(&mut self, nth: usize) {
        let now = self.now;
        let viewer = &mut self.viewers[nth];
        while let Some(datagram) = viewer.down.receive(now) {
            let Some(connection) = &mut viewer.connection else { continue };
            if connection.handle(now, CAMERA, &datagram) == Ok(Handled::Media(Accepted::Frame)) {
                let info = connection.take_frame(&mut viewer.buffer).expect("a frame has become whole");
                let (seed, len, sealed_at) = self.sent[info.number.0 as usize];
                assert_eq!(info.len, len);
                assert_eq!(
                    viewer.buffer[..len],
                    Random::new(seed).bytes(len),
                    "viewer {nth}: not a frame of the camera's"
                );
                assert!(
                    viewer.last.is_none_or(|last| info.number.0 > last),
                    "viewer {nth}: an older frame after a newer"
                );
                viewer.last = Some(info.number.0);
                viewer.frames.push(now);
                if let Some(removed_at) = viewer.removed_at {
                    assert!(
                        sealed_at <= removed_at + AFTER_REMOVAL,
                        "viewer {nth} sees on after its removal"
                    );
                }
            }
        }
        let mut out = std::mem::take(&mut self.out);
        while let Some(connection) = &mut viewer.connection {
            let Some((len, to)) = connection.poll_transmit(now, &mut out, &mut self.random) else { break };
            assert_eq!(to, CAMERA);
            viewer.said.push(out[..len].to_vec());
            viewer.up.send(now, &with_source(viewer.address, &out[..len]));
        }
        self.out = out;
    }

    /// Hands the camera a datagram that seems to come from `from`.
    pub(crate) fn forge(&mut self, from: SocketAddr, datagram: &[u8]) {
        self.group.handle(self.now, from, datagram, &mut self.random).ok();
    }

    pub(crate) fn frames_sent(&self) -> usize {
        self.sent.len()
    }

    /// Whether a viewer gets frames now.
    pub(crate) fn watches(&self, nth: usize) -> bool {
        let last = self.viewers[nth].frames.last();
        last.is_some_and(|last| self.now.since(*last) <= self.interval * 3)
    }

    /// The media key in use, as an attacker among the viewers has it.
    pub(crate) fn insider_key(&self, nth: usize) -> (u16, StreamKey) {
        let grant = self.viewers[nth].connection.as_ref().and_then(Connection::granted).expect("a grant");
        (grant.epoch, StreamKey::from_bytes(grant.key))
    }
}

fn with_source(from: SocketAddr, datagram: &[u8]) -> Vec<u8> {
    let std::net::IpAddr::V4(ip) = from.ip() else { unreachable!("the hall is on IPv4") };
    [&ip.octets(), &from.port().to_be_bytes()[..], datagram].concat()
}
