//! One datagram of any family, and one control message: any bytes, and a valid datagram with any bytes changed.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sealcam::proto::key_schedule::SharedKey;
use sealcam::proto::receiver::{Accepted, Receiver};
use sealcam::proto::sender::{OutgoingFrame, Sender, SenderSettings, Transmit};
use sealcam::time::Instant;
use sealcam::wire::handshake::{Answer, CookieReply, Opening};
use sealcam::wire::pairing::Pairing;
use sealcam::wire::{Control, DatagramType, Flags, Manifest, MediaHeader, PublicHeader, StreamId};

const NOW: Instant = Instant::from_millis(10_000);
const FRAME: [u8; 50] = [0x5a; 50];

fn key() -> SharedKey {
    SharedKey::from_bytes([0x11; 32])
}

static VALID: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let settings = SenderSettings { datagram: 128, max_frame: 1_000, pace_percent: 0 };
    let mut sender = Sender::new(settings, &key(), StreamId::new(1, [2; 8]), NOW).expect("a datagram size");
    let frame = OutgoingFrame { bytes: &FRAME, captured: NOW, restarts: &[], source: 0, flags: Flags::NONE };
    sender.queue(NOW, &frame).expect("room");
    match sender.poll_transmit(NOW) {
        Transmit::Run { bytes, .. } => bytes.to_vec(),
        other => panic!("{other:?}"),
    }
});

fuzz_target!(|data: &[u8]| {
    parse(data);
    parse_paired(data);
    hand_over(data);
    // The same bytes as a change of a valid datagram: where, then what.
    if let [at, change @ ..] = data {
        let mut datagram = VALID.clone();
        for (byte, change) in datagram.iter_mut().skip(usize::from(*at)).zip(change) {
            *byte ^= change;
        }
        hand_over(&datagram);
    }
});

/// What parses says what the bytes say.
fn parse(data: &[u8]) {
    let Ok(public) = PublicHeader::parse(data) else { return };
    assert_eq!(public.to_bytes(), data[..PublicHeader::LEN]);
    if let Ok((header, aad, sealed)) = MediaHeader::parse(public, data) {
        assert_eq!(aad, &data[..MediaHeader::LEN]);
        assert_eq!(sealed, &data[MediaHeader::LEN..]);
        assert!(header.shard < header.data_shards + header.parity_shards);
        assert_eq!(header.to_bytes()[PublicHeader::LEN..], aad[PublicHeader::LEN..]);
    }
}

/// So does what parses of the datagrams of paired viewers, of which there is one way to write each.
fn parse_paired(data: &[u8]) {
    if let Ok(public) = PublicHeader::parse(data) {
        assert_eq!(DatagramType::of(data), Ok(public.kind));
        if let Ok((header, _, plain)) = Manifest::parse_head(public, data)
            && let Ok(manifest) = Manifest::parse(&header, plain)
        {
            let mut written = vec![0xee; plain.len()];
            manifest.write(&mut written);
            assert_eq!(written, plain);
            let shards = header.data_shards + header.parity_shards;
            assert!(manifest.each(header.shard).all(|(shard, _)| shard < shards));
        }
    }
    if let Ok(message) = Control::parse(data) {
        let mut written = [0xee; Control::MAX];
        let len = message.write(&mut written);
        assert_eq!(&written[..len], data);
    }
    if let Ok(opening) = Opening::parse(data) {
        assert_eq!(opening.to_bytes(), data);
        assert_eq!(Opening::body_of(opening.viewer(), opening.noise()), *opening.body);
    }
    if let Ok(answer) = Answer::parse(data) {
        assert_eq!(answer.to_bytes(), data);
    }
    if let Ok(reply) = CookieReply::parse(data) {
        assert_eq!(reply.to_bytes(), data);
    }
    if let Ok(step) = Pairing::parse(data) {
        assert_eq!(step.to_bytes(), data);
    }
}

/// Nothing but the valid datagram is accepted.
fn hand_over(datagram: &[u8]) {
    let mut receiver = Receiver::new(key(), 1_000, None, NOW);
    let result = receiver.handle(NOW, datagram);
    assert_eq!(result == Ok(Accepted::Frame), datagram == VALID.as_slice(), "{result:?}");
    if result.is_ok() {
        let mut buffer = vec![0; 1_000].into_boxed_slice();
        let info = receiver.take_frame(&mut buffer).expect("a frame was announced");
        assert_eq!(buffer[..info.len], FRAME);
    }
}
