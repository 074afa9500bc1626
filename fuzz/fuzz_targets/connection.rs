//! The viewer's end of a pairing: a camera that says anything, another viewer with the same media keys, and
//! whatever else comes from the network, in any order.
//!
//! Whatever comes, a frame that is handed over is one that the camera has sealed, as long as it signs.

#![no_main]

mod paired;

use std::collections::{HashMap, VecDeque};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use paired::{Counted, Message, address};
use sealcam::proto::connection::{Connection, ConnectionSettings, Handled};
use sealcam::proto::handshake::{Opened, Verdict};
use sealcam::proto::identity::StaticSecret;
use sealcam::proto::key_schedule::StreamKey;
use sealcam::proto::manifest::Signer;
use sealcam::proto::outcome::{Accepted, Dropped};
use sealcam::proto::random::Random;
use sealcam::proto::seal::Seal;
use sealcam::proto::sender::{OutgoingFrame, Sender, SenderSettings, Transmit};
use sealcam::proto::session::Session;
use sealcam::time::{Duration, Instant};
use sealcam::wire::handshake::{Opening, Step as HandshakeStep};
use sealcam::wire::{
    CaptureOffset, Control, DatagramType, Delivery, Flags, FrameNumber, Grant, Manifest, MediaHeader,
    PublicHeader, RestartIndex, Role, SessionId, StreamId, TAG_LEN,
};

const MAX_FRAME: usize = 16_000;
const DATAGRAM: usize = 576;
const STREAM: StreamId = StreamId::new(1, [2; 8]);
/// The camera's: the first that is tried.
const CAMERA: u8 = 0;

#[derive(Debug, Arbitrary)]
enum Step {
    Wait {
        millis: u16,
    },
    ViewerSpeaks,
    /// The camera answers the newest first message.
    Answer {
        verdict: u8,
        from: u8,
    },
    Say {
        from: u8,
        message: Message,
    },
    SendFrame {
        len: u16,
    },
    NextKey,
    /// Delivers the oldest media datagram that is on its way, or loses it.
    Deliver,
    Lose,
    Raw {
        from: u8,
        bytes: Vec<u8>,
    },
    /// Whatever has been sent before, changed in one byte.
    Again {
        which: u16,
        at: u16,
        change: u8,
        from: u8,
    },
    /// What another viewer can make of a media datagram: other contents and another number, properly sealed.
    Insider {
        which: u16,
        at: u16,
        change: u8,
        packet: Option<u16>,
    },
    /// A header of another viewer's own.
    InsidersOwn {
        epoch: u8,
        manifest: bool,
        packet: u16,
        frame: u8,
        shard: u8,
        shards: u8,
        frame_len: u16,
        plain: Vec<u8>,
    },
    Request {
        text: Vec<u8>,
    },
    SetDelivery {
        delivery: u8,
    },
    AddAddress {
        which: u8,
    },
    NetworkChanged,
    Leave,
}

struct World {
    now: Instant,
    random: Counted,
    connection: Connection,
    camera: StaticSecret,
    opening: Option<[u8; Opening::LEN]>,
    session: Option<Session>,
    sender: Sender,
    epoch: u8,
    sent: HashMap<u32, (usize, u8)>,
    frames: u32,
    flying: VecDeque<Vec<u8>>,
    recorded: Vec<Vec<u8>>,
    buffer: Box<[u8]>,
    /// The camera has said that it does not sign: then any viewer can make frames.
    unsigned: bool,
}

fuzz_target!(|steps: Vec<Step>| {
    let mut world = World::new();
    for step in steps.into_iter().take(200) {
        world.take_step(step);
    }
});

fn media_key(epoch: u8) -> StreamKey {
    StreamKey::from_bytes([epoch; 32])
}

fn grant(epoch: u8) -> Grant {
    Grant {
        epoch: u16::from(epoch),
        key: *media_key(epoch).expose(),
        stream: STREAM,
        signer: Some(Signer::new(&[9; 32]).public()),
        role: Role::View,
        datagram: DATAGRAM as u16,
        max_frame: MAX_FRAME as u32,
        group: None,
        camera: "barn".parse().expect("a name"),
    }
}

impl World {
    fn new() -> Self {
        let now = Instant::from_millis(10_000);
        let mut random = Counted(1);
        let (camera, identity) = (StaticSecret::generate(&mut random), StaticSecret::generate(&mut random));
        let settings = ConnectionSettings {
            identity,
            camera: camera.public(),
            max_frame: MAX_FRAME,
            delivery: Delivery::Unicast,
        };
        let sending = SenderSettings { datagram: DATAGRAM, max_frame: MAX_FRAME, pace_percent: 0 };
        let signer = Some(Signer::new(&[9; 32]));
        let sender = Sender::paired(sending, 0, &media_key(0), STREAM, signer, now).expect("a datagram size");
        Self {
            now,
            random,
            connection: Connection::new(settings, &[address(CAMERA)], now),
            camera,
            opening: None,
            session: None,
            sender,
            epoch: 0,
            sent: HashMap::new(),
            frames: 0,
            flying: VecDeque::new(),
            recorded: vec![],
            buffer: vec![0; MAX_FRAME].into_boxed_slice(),
            unsigned: false,
        }
    }

    fn take_step(&mut self, step: Step) {
        match step {
            Step::Wait { millis } => self.now += Duration::from_millis(u64::from(millis)),
            Step::ViewerSpeaks => self.viewer_speaks(),
            Step::Answer { verdict, from } => self.answer(verdict, from),
            Step::Say { from, message } => self.say(from, &message),
            Step::SendFrame { len } => self.send_frame(usize::from(len) % (MAX_FRAME + 1)),
            Step::NextKey if self.epoch < u8::MAX => {
                self.epoch += 1;
                self.sender.set_key(u16::from(self.epoch), &media_key(self.epoch));
            }
            Step::NextKey => {}
            Step::Deliver => {
                if let Some(datagram) = self.flying.pop_front() {
                    let _ = self.hand_over(CAMERA, &datagram);
                }
            }
            Step::Lose => drop(self.flying.pop_front()),
            Step::Raw { from, bytes } => {
                let _ = self.hand_over(from, &bytes);
            }
            Step::Again { which, at, change, from } if !self.recorded.is_empty() => {
                let mut datagram = self.recorded[usize::from(which) % self.recorded.len()].clone();
                let handshake = matches!(DatagramType::of(&datagram), Ok(DatagramType::Handshake(_)));
                let at = usize::from(at) % datagram.len();
                datagram[at] ^= change;
                let result = self.hand_over(from, &datagram);
                // The ids in a handshake's answer only say where datagrams go.
                assert!(result.is_err() || change == 0 || handshake, "a changed datagram counted");
            }
            Step::Insider { which, at, change, packet } if !self.recorded.is_empty() => {
                let datagram = self.recorded[usize::from(which) % self.recorded.len()].clone();
                if let Some(forged) = sealed_again(&datagram, at, change, packet) {
                    let _ = self.hand_over(CAMERA, &forged);
                }
            }
            Step::Again { .. } | Step::Insider { .. } => {}
            Step::InsidersOwn { epoch, manifest, packet, frame, shard, shards, frame_len, plain } => {
                let header = header(epoch, packet, frame, shard, shards, frame_len);
                let head = if manifest { Manifest::head(header) } else { header.to_bytes() };
                let _ = self.hand_over(CAMERA, &sealed(&head, header.packet, epoch, &plain));
            }
            Step::Request { text } => {
                let _ = self.connection.request(self.now, &text, &mut self.random);
            }
            Step::SetDelivery { delivery } => {
                let all = [Delivery::Paused, Delivery::Unicast, Delivery::Group];
                self.connection.set_delivery(self.now, all[usize::from(delivery % 3)]);
            }
            Step::AddAddress { which } => self.connection.add_address(address(which)),
            Step::NetworkChanged => self.connection.network_changed(self.now),
            Step::Leave => self.connection.leave(),
        }
        let _ = (self.connection.next_wake(), self.connection.standing(self.now));
        self.connection.take_reply();
    }

    fn viewer_speaks(&mut self) {
        let mut out = [0; Control::MAX_DATAGRAM];
        let mut sent = 0;
        while let Some((len, _)) = self.connection.poll_transmit(self.now, &mut out, &mut self.random) {
            sent += 1;
            assert!(sent < 100, "it does not come to an end");
            let datagram = &out[..len];
            match DatagramType::of(datagram) {
                Ok(DatagramType::Handshake(HandshakeStep::Opening)) => {
                    self.opening = Some(datagram.try_into().expect("an opening's length"));
                }
                Ok(DatagramType::Session) => {
                    let header = PublicHeader::parse(datagram).expect("the viewer's");
                    if let Some(session) = &mut self.session
                        && session.id() == SessionId::of(&header)
                    {
                        session.hear(&header, datagram, &mut [0; Control::MAX]).expect("the viewer's");
                    }
                }
                other => panic!("the viewer sent {other:?}"),
            }
        }
    }

    fn answer(&mut self, verdict: u8, from: u8) {
        let Some(datagram) = self.opening else { return };
        let opening = Opening::parse(&datagram).expect("the viewer's");
        let opened = Opened::open(&self.camera, &opening, &mut self.random).expect("the viewer's");
        let id = SessionId::from_bytes(self.random.array());
        let verdict = match verdict {
            0 => Verdict::NotListed,
            1 => Verdict::Full,
            _ => Verdict::Welcome,
        };
        let (answer, keys) = opened.answer(verdict, id).expect("honest keys");
        let bytes = answer.to_bytes();
        if self.hand_over(from, &bytes).is_ok() && verdict == Verdict::Welcome {
            self.session = Some(Session::new(&keys, id, answer.viewer, self.now));
        }
        self.recorded.push(bytes.to_vec());
    }

    fn say(&mut self, from: u8, message: &Message) {
        let Some(session) = &mut self.session else { return };
        let message = message.control([7; 8], &grant);
        self.unsigned |= matches!(message, Control::Grant(Grant { signer: None, .. }));
        let mut out = [0; Control::MAX_DATAGRAM];
        let len = session.say(&message, &mut out);
        let _ = self.hand_over(from, &out[..len]);
        self.recorded.push(out[..len].to_vec());
    }

    fn send_frame(&mut self, len: usize) {
        let byte = self.frames as u8 ^ 0x5a;
        let bytes = vec![byte; len];
        let frame =
            OutgoingFrame { bytes: &bytes, captured: self.now, restarts: &[], source: 0, flags: Flags::NONE };
        if self.sender.queue(self.now, &frame).is_err() {
            assert!(len == 0);
            return;
        }
        self.sent.insert(self.frames, (len, byte));
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

    fn hand_over(&mut self, from: u8, datagram: &[u8]) -> Result<Handled, Dropped> {
        let result = self.connection.handle(self.now, address(from), datagram);
        if result == Ok(Handled::Media(Accepted::Frame)) {
            let info = self.connection.take_frame(&mut self.buffer).expect("a frame was announced");
            if !self.unsigned {
                let (len, byte) = self.sent.get(&info.number.0).expect("a frame that the camera sent");
                assert_eq!(info.len, *len);
                assert!(self.buffer[..info.len].iter().all(|got| got == byte), "not what was sent");
            }
        }
        result
    }
}

fn header(epoch: u8, packet: u16, frame: u8, shard: u8, shards: u8, frame_len: u16) -> MediaHeader {
    MediaHeader {
        epoch: u16::from(epoch),
        stream: STREAM,
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
    }
}

fn sealed(head: &[u8], packet: u64, epoch: u8, plain: &[u8]) -> Vec<u8> {
    let mut datagram = head.to_vec();
    let mut body = vec![0; plain.len() + TAG_LEN];
    Seal::new(&media_key(epoch)).seal(packet, head, plain, &mut body);
    datagram.extend_from_slice(&body);
    datagram
}

/// A media or manifest datagram with one byte changed, of the header or the contents, and sealed again.
fn sealed_again(datagram: &[u8], at: u16, change: u8, packet: Option<u16>) -> Option<Vec<u8>> {
    let mut public = PublicHeader::parse(datagram).ok()?;
    if !matches!(public.kind, DatagramType::Media | DatagramType::Manifest) {
        return None;
    }
    let (head, body) = datagram.split_at(MediaHeader::LEN);
    let (mut head, mut plain) = (head.to_vec(), vec![0; body.len() - TAG_LEN]);
    let seal = Seal::new(&media_key(public.epoch as u8));
    seal.open(public.packet, &head, body, &mut plain).ok()?;
    let at = usize::from(at) % (MediaHeader::LEN + plain.len());
    match at.checked_sub(MediaHeader::LEN) {
        Some(at) => plain[at] ^= change,
        None => head[at] ^= change,
    }
    public = PublicHeader { packet: packet.map_or(public.packet, u64::from), ..public };
    head[16..24].copy_from_slice(&public.packet.to_be_bytes());
    Some(sealed(&head, public.packet, head[3], &plain))
}
