use super::*;
use crate::proto::random::Counted;

fn id(byte: u8) -> SessionId {
    SessionId::from_bytes([byte; 12])
}

fn pair(random: &mut Counted) -> (StaticSecret, StaticSecret) {
    (StaticSecret::generate(random), StaticSecret::generate(random))
}

#[test]
fn both_ends_come_to_the_same_keys_and_know_each_other() {
    let random = &mut Counted::new(1);
    let (camera, viewer) = pair(random);
    let mut initiator = Initiator::new(&viewer, &camera.public(), id(1), random).unwrap();
    let datagram = initiator.opening();
    let opening = Opening::parse(&datagram).unwrap();
    let opened = Opened::open(&camera, &opening, random).unwrap();
    assert_eq!(opened.viewer(), viewer.public());
    let (answer, at_camera) = opened.answer(Verdict::Welcome, id(2)).unwrap();
    let (verdict, at_viewer) = initiator.finish(&answer).unwrap();
    assert_eq!(verdict, Verdict::Welcome);
    assert_eq!(at_camera.outgoing.expose(), at_viewer.incoming.expose());
    assert_eq!(at_camera.incoming.expose(), at_viewer.outgoing.expose());
    assert_ne!(at_camera.incoming.expose(), at_camera.outgoing.expose());
    assert_eq!(initiator.finish(&answer).unwrap_err(), Failed, "an answer counts once");
}

#[test]
fn every_changed_byte_is_noticed_and_spoils_nothing() {
    let random = &mut Counted::new(2);
    let (camera, viewer) = pair(random);
    let mut initiator = Initiator::new(&viewer, &camera.public(), id(1), random).unwrap();
    let datagram = initiator.opening();
    let noise_at = Opening::BODY - NOISE_OPENING_LEN;
    for at in noise_at..Opening::BODY {
        let mut changed = datagram;
        changed[at] ^= 4;
        assert!(Opened::open(&camera, &Opening::parse(&changed).unwrap(), random).is_err(), "byte {at}");
    }
    let opened = Opened::open(&camera, &Opening::parse(&datagram).unwrap(), random).unwrap();
    let (answer, _) = opened.answer(Verdict::NotListed, id(2)).unwrap();
    for at in 0..NOISE_ANSWER_LEN {
        let mut changed = answer;
        changed.noise[at] ^= 4;
        assert!(initiator.finish(&changed).is_err(), "byte {at}");
    }
    assert!(initiator.finish(&Answer { viewer: id(9), ..answer }).is_err());
    assert_eq!(initiator.finish(&answer).unwrap().0, Verdict::NotListed);
}

#[test]
fn a_message_for_another_camera_does_not_open() {
    let random = &mut Counted::new(3);
    let (camera, viewer) = pair(random);
    let other = StaticSecret::generate(random);
    let initiator = Initiator::new(&viewer, &camera.public(), id(1), random).unwrap();
    let datagram = initiator.opening();
    assert!(Opened::open(&other, &Opening::parse(&datagram).unwrap(), random).is_err());
}

#[test]
fn points_of_small_order_are_refused() {
    let random = &mut Counted::new(4);
    let (camera, viewer) = pair(random);
    for low in [[0; 32], core::array::from_fn(|at| u8::from(at == 0))] {
        assert!(Initiator::new(&viewer, &PublicKey::from_bytes(low), id(1), random).is_err());
        // An ephemeral key of small order in an opening that is otherwise anything.
        let mut noise = [7; NOISE_OPENING_LEN];
        noise[..32].copy_from_slice(&low);
        let body = Opening::body_of(id(1), &noise);
        let opening = Opening { body: &body, first_mac: &[0; 16], second_mac: &[0; 16] };
        assert!(Opened::open(&camera, &opening, random).is_err());
    }
}

#[test]
fn two_handshakes_share_no_key() {
    let random = &mut Counted::new(5);
    let (camera, viewer) = pair(random);
    let mut keys = Vec::new();
    for _ in 0..2 {
        let mut initiator = Initiator::new(&viewer, &camera.public(), id(1), random).unwrap();
        let datagram = initiator.opening();
        let opened = Opened::open(&camera, &Opening::parse(&datagram).unwrap(), random).unwrap();
        let (answer, _) = opened.answer(Verdict::Welcome, id(2)).unwrap();
        keys.push(initiator.finish(&answer).unwrap().1);
    }
    assert_ne!(keys[0].incoming.expose(), keys[1].incoming.expose());
}
