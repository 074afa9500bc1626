//! The camera's end of paired viewers: listed and other viewers, strangers and changes of the list in any order.
//!
//! Whatever comes, what is kept for it is bounded, and no address gets more than it has sent until somebody has
//! shown to be there.

#![no_main]

mod paired;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use paired::{Counted, Message, address};
use sealcam::proto::group::{Admitted, Event, Group, GroupSettings, HALF_OPEN, Ignored, StreamFacts};
use sealcam::proto::handshake::{Initiator, Verdict};
use sealcam::proto::identity::{PublicKey, StaticSecret};
use sealcam::proto::manifest::Signer;
use sealcam::proto::random::Random;
use sealcam::proto::session::Session;
use sealcam::time::{Duration, Instant};
use sealcam::wire::handshake::{Answer, CookieReply, Opening, Step as HandshakeStep};
use sealcam::wire::{Control, DatagramType, Grant, PublicHeader, Role, SessionId, StreamId};

const VIEWERS: usize = 4;
const MAX_VIEWERS: usize = 2;
/// Bytes of a path challenge, and how often one that is not answered is sent.
const CHALLENGE: usize = 49;
const CHALLENGES: usize = 4;

#[derive(Debug, Arbitrary)]
enum Step {
    Wait {
        millis: u16,
    },
    /// Begins a handshake.
    Knock {
        viewer: u8,
        from: u8,
    },
    /// The same first message again, perhaps from elsewhere and with a cookie.
    KnockAgain {
        viewer: u8,
        from: u8,
    },
    Say {
        viewer: u8,
        from: u8,
        message: Message,
    },
    Raw {
        from: u8,
        bytes: Vec<u8>,
    },
    /// Whatever has come before, changed in one byte.
    Again {
        which: u16,
        at: u16,
        change: u8,
        from: u8,
    },
    CameraSpeaks,
    SetList {
        listed: u8,
        role: u8,
    },
    SetFacts {
        datagram: u16,
    },
    TakeMediaKey {
        sealed: u64,
    },
    Reply {
        text: Vec<u8>,
    },
    Stop,
}

struct Viewer {
    secret: StaticSecret,
    initiator: Option<Initiator>,
    session: Option<Session>,
    /// Where the answer that opened the session was sent.
    answered_at: Option<SocketAddr>,
    token: [u8; 8],
}

struct World {
    now: Instant,
    random: Counted,
    group: Group,
    camera: PublicKey,
    viewers: Vec<Viewer>,
    recorded: Vec<Vec<u8>>,
    /// What each address has sent: bytes of first messages, and other datagrams that were heard.
    came: HashMap<SocketAddr, (usize, usize)>,
    /// Where each challenge was sent.
    challenged: HashSet<([u8; 8], SocketAddr)>,
    /// Where a viewer has spoken from with what was only sent there.
    proved: HashSet<SocketAddr>,
    asked: Option<sealcam::proto::group::Asked>,
}

fuzz_target!(|steps: Vec<Step>| {
    let mut world = World::new();
    for step in steps.into_iter().take(200) {
        world.take_step(step);
        world.check();
    }
});

fn facts(datagram: u16) -> StreamFacts {
    let signer = Some(Signer::new(&[9; 32]).public());
    StreamFacts { stream: StreamId::new(1, [2; 8]), signer, datagram, max_frame: 10_000 }
}

fn grant(epoch: u8) -> Grant {
    let facts = facts(1200);
    Grant {
        epoch: u16::from(epoch),
        key: [epoch; 32],
        stream: facts.stream,
        signer: facts.signer,
        role: Role::View,
        datagram: facts.datagram,
        max_frame: facts.max_frame,
        group: None,
        camera: "barn".parse().expect("a name"),
    }
}

impl World {
    fn new() -> Self {
        let now = Instant::from_millis(10_000);
        let mut random = Counted(1);
        let secret = StaticSecret::generate(&mut random);
        let camera = secret.public();
        let settings = GroupSettings {
            name: "barn".parse().expect("a name"),
            max_viewers: MAX_VIEWERS,
            idle: Duration::from_secs(15),
            key_life: Duration::from_secs(120),
            multicast: Some(SocketAddr::from(([239, 1, 2, 3], 5004))),
        };
        let group = Group::new(settings, secret, facts(1200), now, &mut random);
        let viewers = (0..VIEWERS).map(|_| StaticSecret::generate(&mut random));
        let viewers = viewers.map(|secret| Viewer {
            secret,
            initiator: None,
            session: None,
            answered_at: None,
            token: [0; 8],
        });
        let mut world = Self {
            now,
            group,
            camera,
            viewers: viewers.collect(),
            random,
            recorded: vec![],
            came: HashMap::new(),
            challenged: HashSet::new(),
            proved: HashSet::new(),
            asked: None,
        };
        world.set_list(0b111, 0);
        world
    }

    fn take_step(&mut self, step: Step) {
        match step {
            Step::Wait { millis } => self.now += Duration::from_millis(u64::from(millis)),
            Step::Knock { viewer, from } => {
                let viewer = usize::from(viewer) % VIEWERS;
                let id = SessionId::from_bytes(self.random.array());
                let secret = &self.viewers[viewer].secret;
                let initiator = Initiator::new(secret, &self.camera, id, &mut self.random);
                self.viewers[viewer].initiator = Some(initiator.expect("an honest key"));
                self.knock(viewer, from);
            }
            Step::KnockAgain { viewer, from } => self.knock(usize::from(viewer) % VIEWERS, from),
            Step::Say { viewer, from, message } => self.say(usize::from(viewer) % VIEWERS, from, &message),
            Step::Raw { from, bytes } => {
                let _ = self.hand_over(from, &bytes);
            }
            Step::Again { which, at, change, from } if !self.recorded.is_empty() => {
                let mut datagram = self.recorded[usize::from(which) % self.recorded.len()].clone();
                let at = usize::from(at) % datagram.len();
                datagram[at] ^= change;
                let is_session = DatagramType::of(&datagram) == Ok(DatagramType::Session);
                let result = self.hand_over(from, &datagram);
                // All of them have been heard already.
                assert!(!is_session || result.is_err(), "a session's datagram counted twice, or changed");
            }
            Step::Again { .. } => {}
            Step::CameraSpeaks => self.camera_speaks(),
            Step::SetList { listed, role } => self.set_list(listed, role),
            Step::SetFacts { datagram } => self.group.set_facts(self.now, facts(datagram)),
            Step::TakeMediaKey { sealed } => drop(self.group.take_media_key(sealed)),
            Step::Reply { text } => {
                if let Some(asked) = self.asked.take() {
                    let _ = self.group.request(asked);
                    self.group.reply(asked, &text);
                }
            }
            Step::Stop => self.group.stop(),
        }
    }

    fn set_list(&mut self, listed: u8, role: u8) {
        let all = self.viewers.iter().enumerate().filter(|(nth, _)| listed & 1 << nth != 0);
        let list: Vec<_> = all
            .map(|(nth, viewer)| Admitted {
                key: viewer.secret.public(),
                name: format!("viewer-{nth}").parse().expect("a name"),
                role: Role::ALL[usize::from(role) % 3],
            })
            .collect();
        self.group.set_admitted(self.now, &list, &mut self.random);
        let names: HashSet<_> = list.iter().map(|entry| entry.name).collect();
        assert!(self.group.viewers().all(|viewer| names.contains(&viewer.name)), "a removed viewer is in");
    }

    fn knock(&mut self, viewer: usize, from: u8) {
        if let Some(initiator) = &self.viewers[viewer].initiator {
            let opening = initiator.opening();
            let _ = self.hand_over(from, &opening);
            self.recorded.push(opening.to_vec());
        }
    }

    fn say(&mut self, viewer: usize, from: u8, message: &Message) {
        let Viewer { session: Some(session), token, answered_at, .. } = &mut self.viewers[viewer] else {
            return;
        };
        let mut out = [0; Control::MAX_DATAGRAM];
        let message = message.control(*token, &grant);
        let len = session.say(&message, &mut out);
        let at = address(from);
        let answers = matches!(message, Control::PathAnswer(token) if self.challenged.contains(&(token, at)));
        if *answered_at == Some(at) || answers {
            self.proved.insert(at);
        }
        let _ = self.hand_over(from, &out[..len]);
        self.recorded.push(out[..len].to_vec());
    }

    fn hand_over(&mut self, from: u8, datagram: &[u8]) -> Result<(), Ignored> {
        let from = address(from);
        let is_opening = Opening::parse(datagram).is_ok();
        let result = self.group.handle(self.now, from, datagram, &mut self.random);
        let (openings, heard) = self.came.entry(from).or_default();
        if is_opening {
            *openings += datagram.len();
        } else {
            *heard += if result.is_ok() { CHALLENGES } else { 0 };
        }
        result
    }

    fn camera_speaks(&mut self) {
        let mut out = [0; Control::MAX_DATAGRAM];
        while let Some((len, to)) = self.group.poll_transmit(self.now, &mut out, &mut self.random) {
            let datagram = &out[..len];
            let (openings, heard) = self.came.entry(to).or_default();
            match DatagramType::of(datagram) {
                Ok(DatagramType::Handshake(_)) => {
                    assert!(len <= *openings, "more to {to} than came from there");
                    *openings -= len;
                }
                Ok(DatagramType::Session) if !self.proved.contains(&to) => {
                    assert!(len == CHALLENGE, "{len} bytes to {to}, where nobody has shown to be");
                    assert!(*heard > 0, "more challenges to {to} than were asked for");
                    *heard -= 1;
                }
                Ok(DatagramType::Session) => {}
                other => panic!("the camera sent {other:?}"),
            }
            self.viewers_hear(datagram, to);
        }
        while let Some(event) = self.group.poll_event() {
            if let Event::Asked(asked) = event {
                self.asked = Some(asked);
            }
        }
    }

    /// Whoever it is for gets it, wherever it was sent: addresses here are only claims.
    fn viewers_hear(&mut self, datagram: &[u8], to: SocketAddr) {
        let now = self.now;
        for viewer in &mut self.viewers {
            match DatagramType::of(datagram) {
                Ok(DatagramType::Handshake(HandshakeStep::Cookie)) => {
                    let reply = CookieReply::parse(datagram).expect("the camera's");
                    viewer.initiator.as_mut().map(|initiator| initiator.take_cookie(&reply));
                }
                Ok(DatagramType::Handshake(_)) => {
                    let answer = Answer::parse(datagram).expect("the camera's");
                    let Some(initiator) = &mut viewer.initiator else { continue };
                    if let Ok((Verdict::Welcome, keys)) = initiator.finish(&answer) {
                        viewer.session = Some(Session::new(&keys, answer.viewer, answer.camera, now));
                        viewer.answered_at = Some(to);
                    }
                }
                _ => {
                    let header = PublicHeader::parse(datagram).expect("the camera's");
                    let Some(session) = &mut viewer.session else { continue };
                    let mut plain = [0; Control::MAX];
                    if session.id() == SessionId::of(&header)
                        && let Ok(heard) = session.hear(&header, datagram, &mut plain)
                        && let Control::PathChallenge(token) = heard.message
                    {
                        viewer.token = token;
                        self.challenged.insert((token, to));
                    }
                }
            }
        }
    }

    fn check(&mut self) {
        assert!(self.group.half_open() <= HALF_OPEN);
        assert!(self.group.len() <= MAX_VIEWERS && self.group.viewers().count() == self.group.len());
        for viewer in self.group.viewers() {
            let shown = viewer.address.is_none_or(|at| self.proved.contains(&at));
            assert!(shown, "{viewer:?} is at an address where nobody has shown to be");
        }
        let group = SocketAddr::from(([239, 1, 2, 3], 5004));
        let recipients = self.group.recipients().to_vec();
        assert!(recipients.len() <= MAX_VIEWERS + 1);
        assert!(recipients.iter().all(|to| *to == group || self.proved.contains(to)), "frames to anyone");
        let _ = self.group.next_wake();
    }
}
