//! A code that is open: an honest viewer, one that mistypes it, strangers, and a network that does as it likes.
//!
//! Whatever comes, only who knows the code is stored, at both ends or with the camera ahead by one datagram, and a
//! code is wrong no more often than told.

#![no_main]

#[path = "paired/random.rs"]
mod random;

use std::net::IpAddr;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use random::Counted;
use sealcam::proto::identity::StaticSecret;
use sealcam::proto::pairing::{
    CODE_LIFE, Code, Offer, OfferState, Output, Partner, Run, Said, SecretLength, TRIES,
};
use sealcam::time::{Duration, Instant};
use sealcam::wire::Role;
use sealcam::wire::pairing::Pairing;

#[derive(Debug, Arbitrary)]
enum Step {
    Wait {
        millis: u16,
    },
    /// What a viewer has to say now reaches the camera.
    Say {
        viewer: u8,
    },
    /// Something said before, by whomever, reaches the camera, perhaps from elsewhere and with a changed byte.
    ToCamera {
        which: u8,
        from: u8,
        at: u8,
        change: u8,
    },
    /// The same for a viewer.
    ToViewer {
        which: u8,
        viewer: u8,
        at: u8,
        change: u8,
    },
    Raw {
        from: u8,
        bytes: Vec<u8>,
    },
    /// What is to be stored cannot be.
    DiskFull,
}

struct Scene {
    now: Instant,
    random: Counted,
    offer: Offer,
    camera: Partner,
    viewers: Vec<(Run, Partner, bool)>,
    said: Vec<Pairing>,
    /// Who has been stored by the camera.
    stored: Option<Partner>,
    disk_full: bool,
    /// The code: a viewer could not be stored.
    closed: bool,
}

fn partner(name: &str, role: Role, random: &mut Counted) -> Partner {
    let name = name.parse().expect("a name");
    Partner { key: StaticSecret::generate(random).public(), name, role }
}

fn address(from: u8) -> IpAddr {
    [10, 0, 0, from].into()
}

impl Scene {
    fn new() -> Self {
        let (now, mut random) = (Instant::from_millis(1_000), Counted(7));
        let camera = partner("barn", Role::Tune, &mut random);
        let code = Code::new(SecretLength::Typed, &mut random);
        let mut viewers = Vec::new();
        for (name, knows) in [("laptop", true), ("stranger", false)] {
            let other = Code::new(SecretLength::Typed, &mut random).reveal();
            let (channel, secret) = (code.channel(), other.split_once('-').expect("a hyphen").1.to_owned());
            let wrong = format!("{channel}-{secret}").parse().expect("a code");
            let viewer = partner(name, Role::View, &mut random);
            let typed = if knows { &code } else { &wrong };
            viewers.push((Run::new(typed, viewer, now, &mut random), viewer, knows));
        }
        let offer = Offer::new(code, camera, now);
        Self { now, random, offer, camera, viewers, said: vec![], stored: None, disk_full: false, closed: false }
    }

    fn camera_hears(&mut self, from: u8, heard: &Pairing) {
        if self.closed {
            return;
        }
        let said = self.offer.handle(self.now, address(from), heard, &mut self.random);
        let reply = match said {
            Said::Nothing => None,
            Said::Reply(reply) => Some(reply),
            Said::Store(viewer) => {
                let honest = self.viewers[0].1;
                assert_eq!(viewer, Partner { role: self.camera.role, ..honest }, "one that knows the code");
                assert!(self.stored.is_none(), "a code is used once");
                if self.disk_full {
                    self.closed = true;
                    None
                } else {
                    self.stored = Some(viewer);
                    self.offer.stored()
                }
            }
        };
        self.said.extend(reply);
    }

    fn viewer_hears(&mut self, viewer: u8, heard: &Pairing) {
        let at = usize::from(viewer) % self.viewers.len();
        let (run, _, knows) = &mut self.viewers[at];
        if let Output::Paired(camera) = run.handle(self.now, heard) {
            assert!(*knows && self.stored.is_some() && camera == self.camera);
        }
    }

    fn changed(&self, which: u8, at: u8, change: u8) -> Option<Pairing> {
        let mut bytes = self.said.get(usize::from(which) % self.said.len().max(1))?.to_bytes();
        let at = usize::from(at) % bytes.len();
        bytes[at] ^= change;
        Pairing::parse(&bytes).ok()
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait { millis } => self.now += Duration::from_millis(millis.into()),
            Step::Say { viewer } => {
                let at = usize::from(viewer) % self.viewers.len();
                let said = self.viewers[at].0.poll_transmit(self.now);
                self.said.extend(said);
                if let Some(said) = said {
                    self.camera_hears(at as u8, &said);
                }
            }
            Step::ToCamera { which, from, at, change } => {
                if let Some(heard) = self.changed(which, at, change) {
                    self.camera_hears(from, &heard);
                }
            }
            Step::ToViewer { which, viewer, at, change } => {
                if let Some(heard) = self.changed(which, at, change) {
                    self.viewer_hears(viewer, &heard);
                }
            }
            Step::Raw { from, bytes } => {
                if let Ok(heard) = Pairing::parse(&bytes) {
                    self.camera_hears(from, &heard);
                }
            }
            Step::DiskFull => self.disk_full = !self.disk_full,
        }
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let mut scene = Scene::new();
    let begun = scene.now;
    for step in steps.into_iter().take(200) {
        scene.step(step);
        match scene.offer.state(scene.now) {
            OfferState::Open(until, tries) => {
                assert!(until == begun + CODE_LIFE && scene.now < until && (1..=TRIES).contains(&tries));
            }
            OfferState::Used => assert!(scene.stored.is_some()),
            OfferState::Burnt | OfferState::Expired => assert!(scene.stored.is_none()),
        }
    }
});
