//! The golden vectors of a paired viewer's session: `tests/vectors/paired.txt`.
//!
//! What both ends say under the session keys of `handshake.txt`, then signed frames under two media keys. The
//! epochs of these wrap between one and the other. The second frame is large enough for two manifests.

use std::fmt::Write as _;

use sealcam::proto::key_schedule::StreamKey;
use sealcam::proto::manifest::Signer;
use sealcam::proto::outcome::Accepted;
use sealcam::proto::paired::PairedReceiver;
use sealcam::proto::sender::{Sender, SenderSettings, Transmit};
use sealcam::proto::session::Session;
use sealcam::wire::{Control, Delivery, Farewell, Flags, Grant, PublicHeader, Role, StreamId};

use crate::golden::{self, GivenFrame, Golden, hex, unhex};
use crate::handshake_vectors::session;
use crate::world::START;

const DATAGRAM: usize = 576;
pub(crate) const MAX_FRAME: usize = 20_000;
pub(crate) const STREAM: StreamId = StreamId::new(0x0102_0304, *b"\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7");
/// The epoch that the stream begins in, and the one after it.
pub(crate) const EPOCHS: [u16; 2] = [u16::MAX, 0];
const SIGNING_SECRET: [u8; 32] = *b"signs the manifests of a stream.";

pub(crate) fn signer() -> Signer {
    Signer::new(&SIGNING_SECRET)
}

pub(crate) fn media_key(epoch: u16) -> StreamKey {
    StreamKey::from_bytes(core::array::from_fn(|at| at as u8 ^ epoch as u8))
}

pub(crate) fn grant(epoch: u16) -> Grant {
    Grant {
        epoch,
        key: *media_key(epoch).expose(),
        stream: STREAM,
        signer: Some(signer().public()),
        role: Role::View,
        datagram: DATAGRAM as u16,
        max_frame: MAX_FRAME as u32,
        group: Some(([239, 1, 2, 3], 5004).into()),
        camera: "barn".parse().unwrap(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Viewer,
    Camera,
}

/// One message of each kind in the order in which they are said.
fn said() -> Vec<(End, &'static str, Control<'static>)> {
    use End::{Camera, Viewer};
    let earlier = Grant {
        stream: StreamId::new(0x0102_0303, [7; 8]),
        signer: None,
        role: Role::Admin,
        group: Some("[ff05::114]:5004".parse().unwrap()),
        ..grant(3)
    };
    let status = |held, delivery| Control::Status { instance: 0x0102_0304, held, delivery };
    vec![
        (Viewer, "status: no key, frames to its address", status(None, Delivery::Unicast)),
        (Camera, "grant: of an earlier stream, not signed, group on IPv6", Control::Grant(earlier)),
        (Camera, "grant: epoch 65535", Control::Grant(grant(EPOCHS[0]))),
        (Camera, "alive: may tune", Control::Alive(Role::Tune)),
        (Viewer, "status: epoch 65535, frames from the group", status(Some(EPOCHS[0]), Delivery::Group)),
        (Camera, "path challenge", Control::PathChallenge(*b"is it u?")),
        (Viewer, "path answer", Control::PathAnswer(*b"is it u?")),
        (Viewer, "request", Control::Request { number: 0x0102_0304, text: b"quality 70" }),
        (Camera, "reply", Control::Reply { number: 0x0102_0304, text: b"ok" }),
        (Camera, "grant: epoch 0, no group", Control::Grant(Grant { group: None, ..grant(EPOCHS[1]) })),
        (Viewer, "status: epoch 0, no frames", status(Some(EPOCHS[1]), Delivery::Paused)),
        (Viewer, "leave", Control::Leave),
        (Camera, "farewell: removed", Control::Farewell(Farewell::Removed)),
        (Camera, "farewell: stopping", Control::Farewell(Farewell::Stopping)),
        (Camera, "farewell: displaced", Control::Farewell(Farewell::Displaced)),
    ]
}

/// The session as it stands once all has been said, as the viewer has it, and the camera's end.
pub(crate) fn session_afterwards() -> (Session, Session) {
    let (mut viewer, mut camera) = session();
    let (mut out, mut plain) = ([0; Control::MAX_DATAGRAM], [0; Control::MAX]);
    for (end, case, message) in said() {
        let (from, to) =
            if end == End::Viewer { (&mut viewer, &mut camera) } else { (&mut camera, &mut viewer) };
        let len = from.say(&message, &mut out);
        let header = PublicHeader::parse(&out[..len]).unwrap();
        assert_eq!(to.hear(&header, &out[..len], &mut plain).unwrap().message, message, "{case}");
    }
    (viewer, camera)
}

fn frames() -> Vec<(u16, GivenFrame)> {
    vec![
        // Two intervals begin in the first shard, one across the next border.
        (EPOCHS[0], GivenFrame::new(1_300, &[20, 400, 511], 12, 0, Flags::NONE)),
        (EPOCHS[0], GivenFrame::new(1, &[], 45, 3, Flags::NOTICE)),
        (EPOCHS[1], GivenFrame::new(13_900, &[9_000], 4_294_967_296, 0, Flags::NONE)),
    ]
}

/// All datagrams of all frames in the order in which they leave.
pub(crate) fn datagrams() -> Vec<Vec<u8>> {
    let settings = SenderSettings { datagram: DATAGRAM, max_frame: MAX_FRAME, pace_percent: 0 };
    let mut epoch = EPOCHS[0];
    let mut sender =
        Sender::paired(settings, epoch, &media_key(epoch), STREAM, Some(signer()), START).unwrap();
    let mut all = vec![];
    for (under, frame) in frames() {
        if under != epoch {
            epoch = under;
            sender.set_key(epoch, &media_key(epoch));
        }
        let now = START + frame.captured;
        sender.queue(now, &frame.outgoing()).unwrap();
        let Transmit::Run { bytes, datagram } = sender.poll_transmit(now) else { panic!("all at once") };
        all.extend(bytes.chunks(datagram).map(<[u8]>::to_vec));
    }
    all
}

fn text() -> String {
    let mut text = String::from(
        "# What is said in the session of the first answer of handshake.txt, then three frames in datagrams of 576\n\
         # bytes, under two media keys. Bytes in hexadecimal, numbers in decimal. How they are made:\n\
         # src/wire/session.rs (control messages), src/wire/manifest.rs, src/proto/manifest.rs (signatures).\n",
    );
    let mut line = |name: &str, value: String| writeln!(text, "{name} = {value}").unwrap();
    let (mut viewer, mut camera) = session();
    let (mut out, mut plain) = ([0; Control::MAX_DATAGRAM], [0; Control::MAX]);
    for (end, case, message) in said() {
        let (name, session) =
            if end == End::Viewer { ("viewer-says", &mut viewer) } else { ("camera-says", &mut camera) };
        line(name, case.into());
        let len = message.write(&mut plain);
        line("message", hex(&plain[..len]));
        let len = session.say(&message, &mut out);
        line("session-datagram", hex(&out[..len]));
    }
    line("signing-secret", hex(&SIGNING_SECRET));
    line("signing-public", hex(&signer().public()));
    line("stream-id", hex(&STREAM.to_bytes()));
    for epoch in EPOCHS {
        line("epoch", epoch.to_string());
        line("media-key", hex(media_key(epoch).expose()));
    }
    for (epoch, frame) in frames() {
        line("frame-epoch", epoch.to_string());
        line("frame-length", frame.bytes.len().to_string());
        line("frame-blake3", blake3::hash(&frame.bytes).to_string());
        for (name, value) in frame.facts() {
            line(name, value);
        }
    }
    for datagram in datagrams() {
        line("datagram", hex(&datagram));
    }
    text
}

#[test]
fn the_session_and_its_media_are_what_the_vectors_say() {
    golden::hold(&[("paired.txt", text())]);
}

/// From the file alone: the keys come out of the session, the frames out of the datagrams.
#[test]
fn the_paired_vectors_open_to_their_frames() {
    let golden = Golden::read("paired.txt");
    let (mut viewer, _) = session();
    let mut receiver = PairedReceiver::new(MAX_FRAME);
    let mut plain = [0; Control::MAX];
    let mut granted = vec![];
    for datagram in golden.all("session-datagram").into_iter().map(unhex) {
        let header = PublicHeader::parse(&datagram).unwrap();
        if let Ok(heard) = viewer.hear(&header, &datagram, &mut plain)
            && let Control::Grant(grant) = heard.message
        {
            assert!(receiver.grant(&grant));
            granted.push(grant.epoch);
        }
    }
    assert_eq!(granted, [3, EPOCHS[0], EPOCHS[1]]);
    let mut buffer = vec![0; MAX_FRAME].into_boxed_slice();
    let mut nth = 0;
    let value = |name: &str, nth: usize| golden.all(name)[nth].to_owned();
    for datagram in golden.all("datagram").into_iter().map(unhex) {
        if receiver.handle(START, &datagram) != Ok(Accepted::Frame) {
            continue;
        }
        let info = receiver.take_frame(&mut buffer).unwrap();
        assert_eq!(info.len.to_string(), value("frame-length", nth));
        assert_eq!(blake3::hash(&buffer[..info.len]).to_string(), value("frame-blake3", nth));
        assert_eq!(info.captured.since_start().as_micros().to_string(), value("captured-us", nth));
        assert_eq!(info.source.to_string(), value("source", nth));
        assert_eq!(u8::from(info.flags.is_notice()).to_string(), value("notice", nth));
        nth += 1;
    }
    assert_eq!(nth, 3);
    let counters = receiver.counters();
    assert_eq!((counters.accepted, counters.waited), (counters.datagrams, 0), "{counters:?}");
}
