use super::*;
use crate::clock;
use crate::proto::connection::Refusal;
use crate::proto::group::Event;
use crate::viewer::config::ViewConfig;
use crate::viewer::outlets::Outlets;
use crate::viewer::paired::testing::{Kind, PLAIN, TestCamera};
use crate::wire::{Delivery, Farewell};
use std::net::SocketAddr;

const LONG: Duration = Duration::from_secs(20);

/// A viewer that takes all frames, and counts them.
struct Watching {
    feed: PairedFeed,
    inlet: Inlet,
}

impl Watching {
    fn start(peer: Peer, multicast: bool) -> Self {
        let view = ViewConfig {
            window: false,
            stdout: false,
            record: None,
            snapshot: None,
            frames: None,
            timeout: None,
            stats_json: None,
        };
        let now = clock::now();
        let inlet = Inlet::new(Outlets::open(&view, None).unwrap(), None, now);
        Self { feed: PairedFeed::open(peer, multicast, now).unwrap(), inlet }
    }

    /// Runs until `is` says so.
    #[track_caller]
    fn run_until(&mut self, what: &str, mut is: impl FnMut(&mut Self, Instant) -> bool) {
        let start = clock::now();
        loop {
            let now = clock::now();
            assert!(now.since(start) < LONG, "waited in vain until {what}");
            self.feed.tend(now).unwrap();
            if is(self, now) {
                return;
            }
            self.feed.speak(now);
            self.feed.wait(Duration::from_millis(20), None).unwrap();
            while self.feed.receive(clock::now(), &mut self.inlet).unwrap() > 0 {}
        }
    }

    fn whole(&self) -> u64 {
        self.inlet.report(clock::now(), self.feed.totals()).whole
    }

    #[track_caller]
    fn run_until_frames(&mut self, more: u64) {
        let enough = self.whole() + more;
        self.run_until("frames come", |this, now| {
            this.whole() >= enough && this.feed.situation(now) == Situation::Receiving
        });
    }

    fn stop(self) {
        self.feed.finish(clock::now());
    }
}

#[test]
fn frames_come_and_the_address_is_remembered() {
    let camera = TestCamera::start(PLAIN);
    // Where it was before, nobody answers.
    let before = "127.0.0.1:9".parse().unwrap();
    let (peer, folder) = camera.viewer(Some(before));
    camera.admit(&[peer.identity.public()]);
    let mut watching = Watching::start(peer, false);
    assert!(watching.feed.trouble(clock::now()).unwrap().contains("knocking at 127.0.0.1:9, 127.0.0.1:"));
    watching.run_until_frames(3);
    let now = clock::now();
    assert_eq!(watching.feed.trouble(now), None);
    let identity = watching.feed.identity();
    assert_eq!((identity.address.as_str(), identity.signed), (&*camera.address.to_string(), Some(true)));
    assert_eq!((identity.camera.as_str(), identity.stream.is_empty()), ("barn", false));
    assert!(watching.feed.totals().bytes > 1000);
    watching.stop();

    let mut book = crate::keys::cameras::CamerasFile::new(folder.state().clone());
    let known = book.read().unwrap().by_name("barn".parse().unwrap()).unwrap().clone();
    assert_eq!(known.addresses.as_slice(), [camera.address, before]);
    let start = clock::now();
    while !camera.events().contains(&Event::Left("anna".parse().unwrap())) {
        assert!(clock::now().since(start) < LONG, "no goodbye");
    }
}

#[test]
fn a_camera_that_starts_anew_is_found_again() {
    let camera = TestCamera::start(PLAIN);
    let (peer, _folder) = camera.viewer(None);
    let own = peer.identity.public();
    camera.admit(&[own]);
    let mut watching = Watching::start(peer, false);
    watching.run_until_frames(3);
    let stream = watching.feed.identity().stream.clone();
    camera.start_anew();
    camera.admit(&[own]);
    watching.run_until("it is silent", |this, now| this.feed.situation(now) == Situation::Silent);
    watching.run_until_frames(3);
    assert_ne!(watching.feed.identity().stream, stream);
    watching.stop();
}

#[test]
fn who_is_not_let_in_is_told_the_mend_and_let_in_later() {
    let camera = TestCamera::start(PLAIN);
    let (peer, _folder) = camera.viewer(None);
    let (own, text) = (peer.identity.public(), peer.own_key());
    let mut watching = Watching::start(peer, false);
    let refused = Situation::Refused(Refusal::NotListed);
    watching.run_until("it is refused", |this, now| this.feed.situation(now) == refused);
    let why = watching.feed.trouble(clock::now()).unwrap();
    assert!(why.contains(&format!("sealcam viewers add NAME {text}")), "{why}");
    camera.admit(&[own]);
    watching.run_until_frames(1);
    camera.admit(&[]);
    let removed = Situation::Ended(Farewell::Removed);
    watching.run_until("it is removed", |this, now| this.feed.situation(now) == removed);
    assert!(watching.feed.trouble(clock::now()).unwrap().contains("taken off the camera's list"));
    watching.stop();
}

#[test]
fn a_camera_that_stops_or_is_full_is_told_apart() {
    let camera = TestCamera::start(Kind { max_viewers: 1, ..PLAIN });
    let ((first, _one), (second, _two)) = (camera.viewer(None), camera.viewer(None));
    let keys = [first.identity.public(), second.identity.public()];
    camera.with(move |served| {
        let role = crate::wire::Role::View;
        let entry =
            |(name, key): (&str, _)| crate::proto::group::Admitted { key, name: name.parse().unwrap(), role };
        let list = [("a", keys[0]), ("b", keys[1])].map(entry);
        let mut random = crate::keys::KernelRandom::new().unwrap();
        served.group.set_admitted(clock::now(), &list, &mut random);
    });
    let mut first = Watching::start(first, false);
    first.run_until_frames(1);
    let mut second = Watching::start(second, false);
    let full = Situation::Refused(Refusal::Full);
    second.run_until("it is refused", |this, now| this.feed.situation(now) == full);
    camera.with(|served| served.group.stop());
    let stopped = Situation::Ended(Farewell::Stopping);
    first.run_until("the camera stops", |this, now| this.feed.situation(now) == stopped);
    first.stop();
    second.stop();
}

#[test]
fn a_wrong_key_looks_like_no_answer() {
    let camera = TestCamera::start(PLAIN);
    let (mut peer, _folder) = camera.viewer(None);
    camera.admit(&[peer.identity.public()]);
    peer.target.key = peer.identity.public();
    let mut watching = Watching::start(peer, false);
    let until = clock::now() + Duration::from_millis(500);
    watching.run_until("some time is over", |_, now| now >= until);
    let why = watching.feed.trouble(until + Duration::from_secs(3)).unwrap();
    assert!(why.contains("The address may be wrong, or the key"), "{why}");
    assert_eq!(watching.whole(), 0);
    watching.stop();
}

#[test]
fn frames_that_are_not_signed_are_named() {
    let camera = TestCamera::start(Kind { signed: false, ..PLAIN });
    let (peer, _folder) = camera.viewer(None);
    camera.admit(&[peer.identity.public()]);
    let mut watching = Watching::start(peer, false);
    watching.run_until_frames(1);
    assert_eq!(watching.feed.identity().signed, Some(false));
    assert!(watching.feed.told.unsigned);
    watching.stop();
}

#[test]
fn a_group_is_joined_and_left_again_if_nothing_comes_from_it() {
    for (port, reaches_group) in [(45_711, true), (45_712, false)] {
        let group = Some(SocketAddr::from(([239, 255, 77, 41], port)));
        let camera = TestCamera::start(Kind { group, reaches_group, ..PLAIN });
        let (mut peer, _folder) = camera.viewer(None);
        peer.interface = Some("127.0.0.1".parse().unwrap());
        camera.admit(&[peer.identity.public()]);
        let mut watching = Watching::start(peer, true);
        if reaches_group {
            watching.run_until("the group is heard", |this, _| this.feed.multicast.counters().datagrams > 9);
            watching.run_until_frames(3);
        } else {
            watching.run_until("the group is joined", |this, _| this.feed.multicast.socket().is_some());
            let by = |this: &mut Watching| this.feed.multicast.delivery();
            watching.run_until("it is done without", |this, _| by(this) == Some(Delivery::Unicast));
            watching.run_until_frames(3);
            assert_eq!(watching.feed.multicast.counters().datagrams, 0);
            // Now others are heard to get them.
            camera.with(|served| served.sends_to_group = true);
            watching.run_until("it is used again", |this, _| by(this) == Some(Delivery::Group));
            watching.run_until_frames(3);
        }
        watching.stop();
    }
}

#[test]
fn a_camera_that_sends_nothing_for_a_while_says_nothing_of_its_group() {
    let group = Some(SocketAddr::from(([239, 255, 77, 41], 45_713)));
    let camera = TestCamera::start(Kind { group, ..PLAIN });
    let (mut peer, _folder) = camera.viewer(None);
    peer.interface = Some("127.0.0.1".parse().unwrap());
    camera.admit(&[peer.identity.public()]);
    let mut watching = Watching::start(peer, true);
    watching.run_until_frames(3);
    // Its frames stop and the session goes on; whatever is being tried when they come again, the group stays.
    for pause in [3_200, 5_000, 7_200] {
        let dark = clock::now() + Duration::from_millis(pause);
        camera.with(move |served| served.next_frame = dark);
        watching.run_until("it is dark for a while", |_, now| now >= dark);
        watching.run_until_frames(3);
        watching.run_until("the group is used", |this, _| {
            this.feed.multicast.delivery() == Some(Delivery::Group)
        });
    }
    watching.stop();
}
