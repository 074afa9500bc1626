//! The golden vectors of the handshake and its gate: `tests/vectors/handshake.txt`.
//!
//! All that is random is given, so that another implementation comes to the same bytes.

use std::fmt::Write as _;
use std::net::SocketAddr;

use sealcam::proto::gate::{FREE_PER_WINDOW, Gate, GateKeys, Knock, Verdict as GateVerdict};
use sealcam::proto::handshake::{Initiator, Opened, SessionKeys, Verdict};
use sealcam::proto::identity::StaticSecret;
use sealcam::proto::key_schedule::StreamKey;
use sealcam::proto::random::Random;
use sealcam::proto::session::Session;
use sealcam::wire::SessionId;
use sealcam::wire::handshake::{Answer, CookieReply, Opening};

use crate::golden::{self, hex};
use crate::world::START;

const VIEWER: SessionId = SessionId::from_bytes(*b"viewer's end");
const CAMERA: SessionId = SessionId::from_bytes(*b"camera's end");
/// The verdicts, each with the camera's ephemeral secret in the handshake that it is given in.
const ANSWERS: [(Verdict, u8); 3] = [(Verdict::Welcome, 5), (Verdict::NotListed, 6), (Verdict::Full, 7)];

/// Hands out bytes that count up from the one given.
struct CountUp(u8);

impl Random for CountUp {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&count_up(self.0, bytes.len()));
    }
}

fn count_up(from: u8, len: usize) -> Vec<u8> {
    (0..len).map(|at| (from << 5).wrapping_add(at as u8)).collect()
}

fn camera() -> StaticSecret {
    StaticSecret::generate(&mut CountUp(1))
}

fn viewer() -> StaticSecret {
    StaticSecret::generate(&mut CountUp(2))
}

fn initiator() -> Initiator {
    Initiator::new(&viewer(), &camera().public(), VIEWER, &mut CountUp(3)).unwrap()
}

/// One handshake to its end: the camera's answer, and the viewer's keys.
fn handshake(verdict: Verdict, ephemeral: u8) -> (Answer, SessionKeys) {
    let mut initiator = initiator();
    let datagram = initiator.opening();
    let opening = Opening::parse(&datagram).unwrap();
    let opened = Opened::open(&camera(), &opening, &mut CountUp(ephemeral)).unwrap();
    assert_eq!(opened.viewer(), viewer().public());
    let (answer, at_camera) = opened.answer(verdict, CAMERA).unwrap();
    let (told, at_viewer) = initiator.finish(&answer).unwrap();
    assert_eq!(told, verdict);
    assert_eq!(at_camera.outgoing.expose(), at_viewer.incoming.expose());
    assert_eq!(at_camera.incoming.expose(), at_viewer.outgoing.expose());
    (answer, at_viewer)
}

/// The viewer's and the camera's end of the session that the first answer opens.
pub(crate) fn session() -> (Session, Session) {
    let at_viewer = handshake(ANSWERS[0].0, ANSWERS[0].1).1;
    let viewer = Session::new(&at_viewer, VIEWER, CAMERA, START);
    let at_camera = SessionKeys { outgoing: at_viewer.incoming, incoming: at_viewer.outgoing };
    (viewer, Session::new(&at_camera, CAMERA, VIEWER, START))
}

/// What seals the camera's messages in that session.
pub(crate) fn key_to_viewer() -> StreamKey {
    handshake(ANSWERS[0].0, ANSWERS[0].1).1.incoming
}

/// An opening that seems to come from `from`, where no viewer is yet.
fn knocking<'a>(opening: &Opening<'a>, from: SocketAddr) -> Knock<'a> {
    let Opening { body, first_mac, second_mac, .. } = *opening;
    Knock { from, known: false, body, first_mac, second_mac }
}

/// What a busy camera answers to an opening from `from`, with the nonce given.
fn cookie_reply(opening: &Opening<'_>, from: SocketAddr, nonce: &[u8]) -> CookieReply {
    let secrets: [u8; 64] = count_up(4, 64).try_into().unwrap();
    let mut gate = Gate::new(camera().public().as_bytes(), &secrets, START);
    for nth in 0..=FREE_PER_WINDOW {
        let from = SocketAddr::from(([198, 51, 100, nth as u8], 1));
        let knock = knocking(opening, from);
        gate.judge(START, &knock, |bytes| bytes.fill(0));
    }
    let knock = knocking(opening, from);
    let GateVerdict::Cookie(sealed) = gate.judge(START, &knock, |bytes| bytes.copy_from_slice(nonce)) else {
        panic!("it is busy")
    };
    let mut initiator = initiator();
    let reply = CookieReply { viewer: VIEWER, sealed };
    assert!(initiator.take_cookie(&reply));
    let datagram = initiator.opening();
    let again = Opening::parse(&datagram).unwrap();
    let knock = knocking(&again, from);
    assert_eq!(gate.judge(START, &knock, |_| ()), GateVerdict::Pass);
    reply
}

fn text() -> String {
    let mut text = String::from(
        "# One handshake, with all that is random given. Bytes in hexadecimal, addresses as they are written.\n\
         # How it goes: src/wire/handshake.rs (format), src/proto/handshake.rs (Noise), src/proto/gate.rs (gate).\n",
    );
    let mut line = |name: &str, value: String| writeln!(text, "{name} = {value}").unwrap();
    let (camera, viewer) = (camera(), viewer());
    for (name, secret) in [("camera", &camera), ("viewer", &viewer)] {
        line(&format!("{name}-secret"), hex(secret.expose()));
        line(&format!("{name}-public"), hex(secret.public().as_bytes()));
        line(&format!("{name}-fingerprint"), secret.public().fingerprint().to_string());
    }
    line("viewer-session-id", hex(&VIEWER.to_bytes()));
    line("viewer-ephemeral-secret", hex(&count_up(3, 32)));
    let datagram = initiator().opening();
    line("opening", hex(&datagram));
    line("gate-secret", hex(&count_up(4, 32)));
    let opening = Opening::parse(&datagram).unwrap();
    let keys = GateKeys::new(camera.public().as_bytes());
    for (nth, address) in ["192.0.2.1:5004", "[2001:db8::7]:60000"].into_iter().enumerate() {
        let nonce = count_up(6 + nth as u8, 24);
        let reply = cookie_reply(&opening, address.parse().unwrap(), &nonce);
        let mut initiator = initiator();
        initiator.take_cookie(&reply);
        line("address", address.into());
        line("cookie-nonce", hex(&nonce));
        line("cookie", hex(&keys.open_cookie(opening.first_mac, &reply.sealed).unwrap()));
        line("cookie-reply", hex(&reply.to_bytes()));
        line("opening-with-cookie", hex(&initiator.opening()));
    }
    line("camera-session-id", hex(&CAMERA.to_bytes()));
    for (verdict, ephemeral) in ANSWERS {
        let (answer, at_viewer) = handshake(verdict, ephemeral);
        line("camera-ephemeral-secret", hex(&count_up(ephemeral, 32)));
        line("verdict", (verdict as u8).to_string());
        line("answer", hex(&answer.to_bytes()));
        line("key-to-camera", hex(at_viewer.outgoing.expose()));
        line("key-to-viewer", hex(at_viewer.incoming.expose()));
    }
    text
}

#[test]
fn the_handshake_is_what_the_vectors_say() {
    golden::hold(&[("handshake.txt", text())]);
}
