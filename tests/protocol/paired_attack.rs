//! Attackers around a group of paired viewers, and one among them.

use std::net::SocketAddr;

use sealcam::proto::connection::Handled;
use sealcam::proto::group::{HALF_OPEN, Ignored};
use sealcam::proto::handshake::Initiator;
use sealcam::proto::identity::StaticSecret;
use sealcam::proto::manifest::Signer;
use sealcam::proto::outcome::Accepted;
use sealcam::proto::random::Random as _;
use sealcam::proto::seal::Seal;
use sealcam::proto::sender::{OutgoingFrame, Sender, SenderSettings, Transmit};
use sealcam::time::Duration;
use sealcam::wire::{DatagramType, Flags, MediaHeader, PublicHeader, SessionId, TAG_LEN};

use crate::hall::{CAMERA, Hall, MAX_FRAME};
use crate::link::{Conditions, Loss};
use crate::random::Random;

const SECOND: Duration = Duration::from_secs(1);

fn elsewhere(random: &mut Random) -> SocketAddr {
    let ip: [u8; 4] = random.array();
    SocketAddr::from((ip, 1024 + random.below(60_000) as u16))
}

/// A camera with `viewers` that all watch.
fn watched(seed: u64, viewers: usize) -> Hall {
    let mut hall = Hall::new(seed, viewers, Conditions::CLEAN);
    hall.start_all();
    hall.run_for(SECOND * 2);
    assert!((0..viewers).all(|nth| hall.watches(nth)));
    hall
}

#[test]
fn what_a_viewer_has_said_is_of_no_use_to_whoever_recorded_it() {
    let mut hall = watched(1, 2);
    let said = hall.viewers[0].said.clone();
    let (members, confirmed) = (hall.group.len(), hall.group.counters().confirmed);
    for round in 0..4 {
        for datagram in &said {
            let from = if round == 0 { hall.viewers[0].address } else { elsewhere(&mut hall.random) };
            hall.forge(from, datagram);
            hall.run_for(Duration::from_millis(20));
        }
    }
    let counters = hall.group.counters();
    assert_eq!((hall.group.len(), counters.confirmed, counters.moved), (members, confirmed, 0));
    assert!(counters.replayed >= 4, "{counters:?}");
    // The viewer has gone; its first message alone brings nobody in.
    hall.viewers[0].connection.as_mut().unwrap().leave();
    hall.run_for(SECOND);
    hall.viewers[0].connection = None;
    for datagram in &said {
        let from = elsewhere(&mut hall.random);
        hall.forge(from, datagram);
        hall.run_for(Duration::from_millis(300));
    }
    assert_eq!(hall.group.len(), members - 1);
    assert!(hall.group.half_open() > 0, "it was answered, and no more");
    assert!(hall.group.counters().unknown_session > 0);
    assert!(hall.watches(1));
}

#[test]
fn recorded_media_is_refused() {
    let mut hall = watched(2, 1);
    hall.recorded = Some(vec![]);
    hall.run_for(SECOND * 2);
    let frames = hall.viewers[0].frames.len();
    let recorded = hall.recorded.take().unwrap();
    let before = hall.viewers[0].connection.as_ref().unwrap().counters();
    let now = hall.now;
    for datagram in &recorded {
        let connection = hall.viewers[0].connection.as_mut().unwrap();
        assert!(connection.handle(now, CAMERA, datagram).is_err());
    }
    let after = hall.viewers[0].connection.as_ref().unwrap().counters();
    assert_eq!(after.replayed - before.replayed, recorded.len() as u64);
    assert_eq!(hall.viewers[0].frames.len(), frames);
}

#[test]
fn changed_cut_and_invented_datagrams_are_counted_and_change_nothing() {
    let mut hall = watched(3, 2);
    let said = hall.viewers[0].said.clone();
    let from = hall.viewers[0].address;
    for datagram in &said {
        for _ in 0..40 {
            let mut changed = datagram.clone();
            let at = hall.random.below(changed.len() as u64) as usize;
            changed[at] ^= 1 << hall.random.below(8);
            hall.forge(from, &changed);
            let cut = hall.random.below(datagram.len() as u64) as usize;
            hall.forge(from, &datagram[..cut]);
        }
    }
    for _ in 0..2_000 {
        let len = hall.random.below(300) as usize;
        let mut noise = hall.random.bytes(len);
        if len > 2 {
            noise[0] = 1;
            noise[1] = [6, 16, 17, 18, 1, 2, 24][hall.random.below(7) as usize];
        }
        hall.forge(from, &noise);
        let (now, connection) = (hall.now, hall.viewers[1].connection.as_mut().unwrap());
        assert!(connection.handle(now, CAMERA, &noise).is_err());
    }
    let counters = hall.group.counters();
    assert!(counters.forged > 0 && counters.malformed > 0 && counters.unknown_session > 0, "{counters:?}");
    assert!(counters.gate.strangers > 0, "{counters:?}");
    hall.run_for(SECOND * 2);
    assert!(hall.watches(0) && hall.watches(1) && hall.group.len() == 2);
}

#[test]
fn a_flood_of_first_messages_leaves_the_stream_alone_and_lets_viewers_in() {
    let mut hall = watched(4, 3);
    hall.viewers[2].connection.as_mut().unwrap().leave();
    hall.run_for(SECOND);
    let before = hall.group.counters();
    // They know the camera's key, as every viewer does, and have keys of their own that are not listed.
    let camera = hall.camera.public();
    let openings: Vec<_> = (0..200)
        .map(|_| {
            let secret = StaticSecret::generate(&mut hall.random);
            let id = SessionId::from_bytes(hall.random.array());
            Initiator::new(&secret, &camera, id, &mut hall.random).unwrap().opening()
        })
        .collect();
    hall.start(2);
    for _ in 0..300 {
        for opening in &openings {
            let from = elsewhere(&mut hall.random);
            hall.forge(from, opening);
        }
        hall.run_for(Duration::from_millis(10));
    }
    let counters = hall.group.counters();
    let passed = counters.gate.passed - before.gate.passed;
    assert!(passed < 40, "{passed} of 60,000 cost work with keys");
    assert!(counters.gate.cookies > 50_000 && counters.outbox_full > 0, "{counters:?}");
    assert!(hall.group.half_open() <= HALF_OPEN);
    assert!((0..3).all(|nth| hall.watches(nth)), "with a cookie, viewers come in in the middle of it");
}

/// Frames that a viewer makes up with the media key that it holds.
fn made_up(hall: &mut Hall, insider: usize, signed: bool) -> Vec<Vec<u8>> {
    let (epoch, key) = hall.insider_key(insider);
    let secret: [u8; 32] = hall.random.array();
    let settings = SenderSettings { datagram: 576, max_frame: MAX_FRAME, pace_percent: 0 };
    let signer = signed.then(|| Signer::new(&secret));
    let mut forger = Sender::paired(settings, epoch, &key, hall.stream, signer, hall.now).unwrap();
    let mut datagrams = vec![];
    for _ in 0..hall.frames_sent() + 20 {
        let bytes = hall.random.bytes(3_000);
        let frame =
            OutgoingFrame { bytes: &bytes, captured: hall.now, restarts: &[], source: 0, flags: Flags::NONE };
        forger.queue(hall.now, &frame).unwrap();
        datagrams.clear();
        while let Transmit::Run { bytes, datagram } = forger.poll_transmit(hall.now) {
            datagrams.extend(bytes.chunks(datagram).map(<[u8]>::to_vec));
            let sent = bytes.len();
            forger.transmitted(sent);
        }
    }
    // Those of the last frame, whose number is ahead of the camera's.
    datagrams
}

#[test]
fn a_viewer_cannot_make_another_see_its_own_frames() {
    for signed in [false, true] {
        let mut hall = watched(5, 2);
        let forged = made_up(&mut hall, 1, signed);
        let before = hall.viewers[0].connection.as_ref().unwrap().counters();
        let to = hall.viewers[0].address;
        for datagram in &forged {
            hall.deliver(to, datagram);
        }
        // The hall itself checks that every frame is the camera's.
        hall.run_for(SECOND);
        let after = hall.viewers[0].connection.as_ref().unwrap().counters();
        assert!(hall.watches(0), "and the camera's go on");
        assert_eq!(after.replayed, before.replayed, "the replay window is where it was");
        if signed {
            assert!(after.not_signed > before.not_signed, "{after:?}");
        }
    }
}

/// `datagram` sealed again by an insider, as packet `packet`.
fn sealed_again(seal: &Seal, datagram: &[u8], packet: u64) -> Vec<u8> {
    let public = PublicHeader::parse(datagram).unwrap();
    let (head, sealed) = datagram.split_at(MediaHeader::LEN);
    let mut plain = vec![0; sealed.len() - TAG_LEN];
    seal.open(public.packet, head, sealed, &mut plain).unwrap();
    let mut again = head.to_vec();
    again[16..24].copy_from_slice(&packet.to_be_bytes());
    let mut body = vec![0; sealed.len()];
    seal.seal(packet, &again, &plain, &mut body);
    again.extend(body);
    again
}

#[test]
fn what_the_camera_has_said_shuts_nothing_out_when_it_is_sealed_again_as_something_else() {
    let mut hall = watched(8, 2);
    hall.frame_len = Some(MAX_FRAME);
    // What comes next does not reach the first viewer by itself.
    hall.viewers[0].down.set_conditions(Conditions { loss: Loss::Random(1.0), ..Conditions::CLEAN });
    hall.recorded = Some(vec![]);
    let sent = hall.frames_sent();
    while hall.frames_sent() == sent {
        hall.run_for(Duration::from_millis(1));
    }
    hall.run_for(Duration::from_millis(150));
    assert_eq!(hall.frames_sent(), sent + 1);
    let frame = hall.recorded.take().unwrap();
    let number = |datagram: &Vec<u8>| PublicHeader::parse(datagram).unwrap().packet;
    let is_manifest = |datagram: &&Vec<u8>| DatagramType::of(datagram) == Ok(DatagramType::Manifest);
    let manifests: Vec<_> = frame.iter().filter(is_manifest).collect();
    let shards: Vec<_> = frame.iter().filter(|one| !is_manifest(one)).collect();
    assert!(manifests.len() >= 2 * 3 && shards.len() > 40, "{} and {}", manifests.len(), shards.len());

    let seal = Seal::new(&hall.insider_key(1).1);
    let (now, connection) = (hall.now, hall.viewers[0].connection.as_mut().unwrap());
    // Each manifest in the place of all others, each shard in that of a manifest, a manifest in that of each shard.
    let others = |one: &Vec<u8>| {
        let (own, all) = (number(one), &manifests);
        // A manifest has two numbers, half of all apart.
        let at = all.iter().position(|other| number(other) == own).unwrap() + all.len() / 2;
        let twin = number(all[at % all.len()]);
        all.iter()
            .map(|other| number(other))
            .filter(|other| *other != own && *other != twin)
            .collect::<Vec<_>>()
    };
    let mut forged: Vec<Vec<u8>> = vec![];
    for one in &manifests {
        forged.extend(others(one).into_iter().map(|packet| sealed_again(&seal, one, packet)));
    }
    forged.extend(shards.iter().map(|at| sealed_again(&seal, manifests[0], number(at))));
    let before = connection.counters().not_signed;
    for datagram in &forged {
        assert!(connection.handle(now, CAMERA, datagram).is_err(), "packet {}", number(datagram));
    }
    assert_eq!(connection.counters().not_signed, before + forged.len() as u64);
    for (at, shard) in manifests.iter().zip(&shards) {
        // It waits for its manifest, which will tell.
        let handled = connection.handle(now, CAMERA, &sealed_again(&seal, shard, number(at)));
        assert_eq!(handled, Ok(Handled::Media(Accepted::Shard)));
    }
    // And then what the camera has sent, of which nothing was shut out.
    let mut whole = false;
    for datagram in &frame {
        let handled = connection.handle(now, CAMERA, datagram);
        whole |= handled == Ok(Handled::Media(Accepted::Frame));
        assert!(whole || handled.is_ok(), "packet {}: {handled:?}", number(datagram));
    }
    assert!(whole);
    assert_eq!(
        connection.take_frame(&mut vec![0; MAX_FRAME].into_boxed_slice()).map(|info| info.len),
        Some(MAX_FRAME)
    );
    hall.viewers[0].down.set_conditions(Conditions::CLEAN);
    hall.run_for(SECOND);
    assert!(hall.watches(0));
}

#[test]
fn a_removed_viewer_can_neither_stay_nor_come_back() {
    let mut hall = watched(6, 2);
    let forged = made_up(&mut hall, 1, true);
    let said = hall.viewers[1].said.clone();
    hall.remove(1);
    hall.run_for(Duration::from_millis(600));
    // All that it ever said, again; and its knocking, which goes on by itself.
    let from = hall.viewers[1].address;
    said.iter().for_each(|datagram| hall.forge(from, datagram));
    let to = hall.viewers[0].address;
    for datagram in &forged {
        hall.deliver(to, datagram);
    }
    let unknown = hall.viewers[0].connection.as_ref().unwrap().counters().unknown_key;
    hall.run_for(SECOND * 20);
    assert!(hall.watches(0) && !hall.watches(1) && hall.group.len() == 1);
    assert!(hall.viewers[0].connection.as_ref().unwrap().counters().unknown_key > unknown);
    assert!(hall.group.counters().not_listed > 0);
}

#[test]
fn nothing_is_answered_with_more_than_was_sent_before_the_address_is_proved() {
    let mut hall = Hall::new(7, 1, Conditions::CLEAN);
    hall.start(0);
    hall.run_for(Duration::from_millis(1));
    let opening = hall.viewers[0].said[0].clone();
    let victim = SocketAddr::from(([192, 0, 2, 1], 53));
    let (now, mut out, mut sent) = (hall.now, [0; 1200], 0);
    for _ in 0..1_000 {
        hall.group.handle(now, victim, &opening, &mut hall.random).ok();
        while let Some((len, to)) = hall.group.poll_transmit(now, &mut out, &mut hall.random) {
            if to == victim {
                assert!(len <= opening.len());
                sent += len;
            }
        }
    }
    assert!(sent <= 1_000 * opening.len() && sent > 0);
    let stray = hall.group.handle(now, victim, &[1, 6, 0], &mut hall.random);
    assert!(matches!(stray, Err(Ignored::Malformed(_))));
    assert!(hall.group.poll_transmit(now, &mut out, &mut hall.random).is_none(), "nonsense gets no answer");
}
