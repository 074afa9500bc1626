//! A camera on a socket of its own, in a thread, for tests of the viewer.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::{Peer, Target};
use crate::clock;
use crate::keys::KernelRandom;
use crate::keys::cameras::{Camera, CamerasFile};
use crate::keys::state::{TestFolder, test_folder};
use crate::proto::group::{Admitted, Event, Group, GroupSettings, StreamFacts};
use crate::proto::identity::{PublicKey, StaticSecret};
use crate::proto::manifest::Signer;
use crate::proto::random::Random as _;
use crate::proto::sender::{OutgoingFrame, Sender, SenderSettings, Transmit};
use crate::time::{Duration, Instant};
use crate::wire::{Control, Flags, Role, StreamId};

const DATAGRAM: usize = 600;
const INTERVAL: Duration = Duration::from_millis(20);
const MAX_FRAME: usize = 10_000;

/// What a test camera is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) signed: bool,
    /// The group that it names.
    pub(crate) group: Option<SocketAddr>,
    /// Whether it really sends there.
    pub(crate) reaches_group: bool,
    pub(crate) max_viewers: usize,
}

pub(crate) const PLAIN: Kind = Kind { signed: true, group: None, reaches_group: true, max_viewers: 4 };

type Change = Box<dyn FnOnce(&mut Served) + Send>;

/// The camera's inside.
pub(crate) struct Served {
    kind: Kind,
    socket: UdpSocket,
    pub(crate) group: Group,
    sender: Sender,
    random: KernelRandom,
    pub(crate) events: Vec<Event>,
    pub(crate) next_frame: Instant,
    /// Frames go to the group too, as if another viewer had asked for that.
    pub(crate) sends_to_group: bool,
}

/// The test's handle on it.
pub(crate) struct TestCamera {
    pub(crate) address: SocketAddr,
    pub(crate) secret: StaticSecret,
    changes: Option<mpsc::Sender<Change>>,
    thread: Option<JoinHandle<()>>,
}

impl TestCamera {
    pub(crate) fn start(kind: Kind) -> Self {
        let mut random = KernelRandom::new().unwrap();
        let secret = StaticSecret::generate(&mut random);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket2::SockRef::from(&socket).set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
        let address = socket.local_addr().unwrap();
        let mut served = Served::new(kind, socket, &secret, random);
        let (changes, asked) = mpsc::channel::<Change>();
        let thread = thread::spawn(move || {
            loop {
                match asked.try_recv() {
                    Ok(change) => change(&mut served),
                    Err(mpsc::TryRecvError::Empty) => served.turn(),
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
        });
        Self { address, secret, changes: Some(changes), thread: Some(thread) }
    }

    /// Has the camera's thread do something, and returns what comes of it.
    pub(crate) fn with<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Served) -> T + Send + 'static,
    ) -> T {
        let (done, result) = mpsc::channel();
        let change: Change = Box::new(move |served| done.send(change(served)).unwrap());
        self.changes.as_ref().unwrap().send(change).unwrap();
        result.recv().unwrap()
    }

    pub(crate) fn admit(&self, keys: &[PublicKey]) {
        let list: Vec<_> = keys
            .iter()
            .map(|key| Admitted { key: *key, name: "anna".parse().unwrap(), role: Role::Tune })
            .collect();
        self.with(move |served| served.group.set_admitted(clock::now(), &list, &mut served.random));
    }

    /// The camera ends without a word, and starts anew.
    pub(crate) fn start_anew(&self) {
        let secret = self.secret.clone();
        self.with(move |served| {
            let socket = served.socket.try_clone().unwrap();
            *served = Served::new(served.kind, socket, &secret, KernelRandom::new().unwrap());
        });
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.with(|served| served.events.clone())
    }

    /// A viewer that has this camera in its address book, with `before` as the address where it was last.
    pub(crate) fn viewer(&self, before: Option<SocketAddr>) -> (Peer, TestFolder) {
        let folder = test_folder();
        let name = "barn".parse().unwrap();
        let mut camera = Camera::new(name, self.secret.public());
        camera.reached_at(self.address);
        if let Some(before) = before {
            camera.reached_at(before);
        }
        let addresses = camera.addresses.to_vec();
        let book = CamerasFile::new(folder.state().clone());
        book.edit(|list| list.add(camera)).unwrap();
        let target = Target {
            title: "barn".into(),
            key: self.secret.public(),
            known: Some((name, addresses.first().copied())),
            addresses,
        };
        let identity = StaticSecret::generate(&mut KernelRandom::new().unwrap());
        (Peer { target, identity, book, interface: None }, folder)
    }
}

impl Drop for TestCamera {
    fn drop(&mut self) {
        self.changes = None;
        self.thread.take().map(JoinHandle::join);
    }
}

impl Served {
    fn new(kind: Kind, socket: UdpSocket, secret: &StaticSecret, mut random: KernelRandom) -> Self {
        let now = clock::now();
        let stream = StreamId::new(1, random.array());
        let signer = kind.signed.then(|| Signer::new(&random.array()));
        let facts = StreamFacts {
            stream,
            signer: signer.as_ref().map(Signer::public),
            datagram: DATAGRAM as u16,
            max_frame: MAX_FRAME as u32,
        };
        let settings = GroupSettings {
            name: "barn".parse().unwrap(),
            max_viewers: kind.max_viewers,
            idle: Duration::from_secs(15),
            key_life: Duration::from_secs(120),
            multicast: kind.group,
        };
        let mut group = Group::new(settings, secret.clone(), facts, now, &mut random);
        let (epoch, key) = group.take_media_key(0).unwrap();
        let settings = SenderSettings { datagram: DATAGRAM, max_frame: MAX_FRAME, pace_percent: 0 };
        let sender = Sender::paired(settings, epoch, &key, stream, signer, now).unwrap();
        Self { kind, socket, group, sender, random, events: vec![], next_frame: now, sends_to_group: false }
    }

    fn turn(&mut self) {
        let mut buffer = [0; 2048];
        if let Ok((len, from)) = self.socket.recv_from(&mut buffer) {
            self.group.handle(clock::now(), from, &buffer[..len], &mut self.random).ok();
        }
        let now = clock::now();
        let mut out = [0; Control::MAX_DATAGRAM];
        while let Some((len, to)) = self.group.poll_transmit(now, &mut out, &mut self.random) {
            self.socket.send_to(&out[..len], to).ok();
        }
        while let Some(event) = self.group.poll_event() {
            self.events.push(event);
            if let Event::Asked(asked) = event {
                let text = self.group.request(asked).unwrap().text.to_vec();
                let reply = format!(r#"{{"ok":true,"asked":{}}}"#, String::from_utf8(text).unwrap());
                self.group.reply(asked, reply.as_bytes());
            }
        }
        if self.next_frame <= now {
            self.next_frame = now + INTERVAL;
            self.frame(now);
        }
    }

    fn frame(&mut self, now: Instant) {
        if let Some((epoch, key)) = self.group.take_media_key(self.sender.sealed_under_key()) {
            self.sender.set_key(epoch, &key);
        }
        let bytes = crate::jpeg::testing::image(true);
        let frame =
            OutgoingFrame { bytes: &bytes, captured: now, restarts: &[], source: 0, flags: Flags::NONE };
        self.sender.queue(now, &frame).unwrap();
        while let Transmit::Run { bytes, datagram } = self.sender.poll_transmit(now) {
            let (run, len) = (bytes.to_vec(), bytes.len());
            self.sender.transmitted(len);
            for to in self.group.recipients() {
                if to.ip().is_multicast() && !self.kind.reaches_group {
                    continue;
                }
                for datagram in run.chunks(datagram) {
                    self.socket.send_to(datagram, *to).ok();
                }
            }
            if let Some(group) = self.kind.group.filter(|_| self.sends_to_group) {
                for datagram in run.chunks(datagram) {
                    self.socket.send_to(datagram, group).ok();
                }
            }
        }
    }
}
