//! The golden vectors of the datagram format, in both directions.
//!
//! `tests/vectors/stream.txt` is one small stream: keys, frames, and every datagram that they become.
//! `tests/vectors/malformed.txt` is datagrams that must be dropped, each with the reason. They are for
//! whoever writes another receiver, as `tests/vectors/check.py` does. A change here is a change of the
//! format and needs another version number. `SEALCAM_WRITE_VECTORS=1 cargo test --test protocol vectors`
//! writes them all anew, with those of paired viewers; the difference is then to be looked at.

use std::fmt::Write as _;

use sealcam::proto::key_schedule::SharedKey;
use sealcam::proto::receiver::{Accepted, Dropped, Receiver};
use sealcam::proto::sender::{Sender, SenderSettings, Transmit};
use sealcam::time::{Duration, Instant};
use sealcam::wire::{Flags, Malformed, MediaHeader, PublicHeader, RestartIndex, StreamId};

use crate::craft::{header, sealed};
use crate::golden::{self, GivenFrame, Golden, hex, must_drop, unhex};
use crate::world::START;

const DATAGRAM: usize = 128;

struct Given {
    key: SharedKey,
    stream: StreamId,
    frames: Vec<GivenFrame>,
}

fn given() -> Given {
    Given {
        key: SharedKey::from_bytes(core::array::from_fn(|at| at as u8)),
        stream: StreamId::new(0x0102_0304, *b"\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7"),
        frames: vec![
            // Two intervals begin in the first shard, none in the second, one across the next border.
            GivenFrame::new(250, &[20, 40, 191], 12, 0, Flags::NONE),
            GivenFrame::new(128, &[], 45, 3, Flags::NONE),
            GivenFrame::new(1, &[], 4_294_967_296, 0, Flags::NOTICE),
        ],
    }
}

impl Given {
    fn datagrams(&self) -> Vec<Vec<u8>> {
        let settings = SenderSettings { datagram: DATAGRAM, max_frame: 1_000, pace_percent: 0 };
        let mut sender = Sender::new(settings, &self.key, self.stream, START).unwrap();
        let mut all = Vec::new();
        for frame in &self.frames {
            let now = START + frame.captured;
            sender.queue(now, &frame.outgoing()).unwrap();
            let Transmit::Run { bytes, datagram } = sender.poll_transmit(now) else { panic!("all at once") };
            all.extend(bytes.chunks(datagram).map(<[u8]>::to_vec));
        }
        all
    }

    fn to_text(&self) -> String {
        let mut text = String::from(
            "# One stream of three frames in datagrams of 128 bytes. Bytes in hexadecimal, numbers in decimal.\n\
             # How they are made: src/wire/ (format), src/proto/key_schedule.rs (keys), src/proto/seal.rs (seal).\n",
        );
        let mut line = |name: &str, value: String| writeln!(text, "{name} = {value}").unwrap();
        line("file-key", hex(self.key.expose()));
        line("fingerprint", self.key.fingerprint().to_string());
        line("stream-id", hex(&self.stream.to_bytes()));
        line("stream-key", hex(self.key.stream_key(self.stream).expose()));
        for frame in &self.frames {
            line("frame", hex(&frame.bytes));
            for (name, value) in frame.facts() {
                line(name, value);
            }
        }
        for datagram in self.datagrams() {
            line("datagram", hex(&datagram));
        }
        text
    }
}

/// Datagrams that are refused, and why. All but those that cannot be are sealed with the right key.
fn malformed() -> Vec<(&'static str, Vec<u8>, Dropped)> {
    let Given { key, stream, .. } = given();
    let good = header(stream, 100, 100, 20);
    let plain: Vec<u8> = (0..20).collect();
    let whole = sealed(&key, good, &plain);
    let with = |header: MediaHeader| sealed(&key, header, &plain);
    let changed = |at: usize, byte: u8| {
        let mut datagram = whole.clone();
        datagram[at] = byte;
        datagram
    };
    let shards = |data_shards, parity_shards| MediaHeader { data_shards, parity_shards, ..good };
    let bad = Dropped::Malformed;
    vec![
        ("nothing", vec![], bad(Malformed::Truncated { len: 0 })),
        ("public header and tag only", whole[..40].to_vec(), bad(Malformed::Truncated { len: 40 })),
        ("no payload", whole[..64].to_vec(), bad(Malformed::Truncated { len: 64 })),
        ("version 2", changed(0, 2), bad(Malformed::Version(2))),
        ("type 0", changed(1, 0), bad(Malformed::Type(0))),
        ("type 7", changed(1, 7), bad(Malformed::Type(7))),
        (
            "type 2, a manifest, which streams under a shared key do not have",
            changed(1, 2),
            Dropped::Unsupported,
        ),
        ("key epoch 1", with(MediaHeader { epoch: 1, ..good }), Dropped::Unsupported),
        ("no data shards", with(shards(0, 1)), bad(Malformed::ShardCounts { data: 0, parity: 1 })),
        ("65,536 shards", with(shards(65_535, 1)), bad(Malformed::ShardCounts { data: 65_535, parity: 1 })),
        (
            "shard 1 of 1",
            with(MediaHeader { shard: 1, ..good }),
            bad(Malformed::ShardIndex { shard: 1, shards: 1 }),
        ),
        ("empty frame", with(MediaHeader { frame_len: 0, ..good }), bad(Malformed::FrameLength(0))),
        (
            "frame of 16 MiB and a byte",
            with(MediaHeader { frame_len: (16 << 20) + 1, ..good }),
            bad(Malformed::FrameLength((16 << 20) + 1)),
        ),
        ("flag 2", changed(35, 2), bad(Malformed::Flags(2))),
        ("shard shorter than its frame", with(MediaHeader { frame_len: 21, ..good }), Dropped::Inconsistent),
        ("shard longer than its frame", with(MediaHeader { frame_len: 19, ..good }), Dropped::Inconsistent),
        (
            "odd shard that is not the last",
            sealed(&key, MediaHeader { data_shards: 2, frame_len: 30, ..good }, &plain[..19]),
            Dropped::Inconsistent,
        ),
        ("changed tag", changed(whole.len() - 1, !whole[whole.len() - 1]), Dropped::Forged),
        ("changed payload", changed(48, !whole[48]), Dropped::Forged),
        ("changed packet number", changed(23, 101), Dropped::Forged),
        ("changed restart interval", changed(47, 7), Dropped::Forged),
        ("another key", sealed(&SharedKey::from_bytes([9; 32]), good, &plain), Dropped::Forged),
        ("the last packet number", with(MediaHeader { packet: u64::MAX, ..good }), Dropped::TooOld),
        ("a packet number that was taken", with(MediaHeader { packet: 0, ..good }), Dropped::Replayed),
        ("a frame that was handed over", with(header(stream, 100, 1, 20)), Dropped::Late),
        (
            "a lower start counter",
            with(header(StreamId::new(0x0102_0303, [7; 8]), 0, 0, 20)),
            Dropped::StaleStream,
        ),
    ]
}

fn malformed_text() -> String {
    let mut text = String::from(
        "# What a receiver that has got all of stream.txt must drop, each by itself, and why: cause | case | datagram.\n",
    );
    for (case, datagram, why) in malformed() {
        text += &must_drop(case, &datagram, why);
    }
    text
}

#[test]
fn the_format_is_what_the_vectors_say() {
    golden::hold(&[("stream.txt", given().to_text()), ("malformed.txt", malformed_text())]);
}

/// From the file alone: nothing here knows how the datagrams were made.
#[test]
fn the_vectors_open_to_their_frames() {
    let golden = Golden::read("stream.txt");
    let values = |name| golden.all(name);
    let key = SharedKey::from_bytes(unhex(values("file-key")[0]).try_into().unwrap());
    assert_eq!(key.fingerprint().to_string(), values("fingerprint")[0]);
    let mut receiver = Receiver::new(key.clone(), 1_000, None, START);
    let mut buffer = vec![0; 1_000].into_boxed_slice();
    let mut frames = vec![];
    // Backwards within each frame, to show that the order does not matter.
    let datagrams: Vec<_> = values("datagram").into_iter().map(unhex).collect();
    let number = |datagram: &[u8]| u32::from_be_bytes(datagram[24..28].try_into().unwrap());
    for frame in datagrams.chunk_by(|a, b| number(a) == number(b)) {
        for datagram in frame.iter().rev() {
            if receiver.handle(START, datagram) == Ok(Accepted::Frame) {
                let info = receiver.take_frame(&mut buffer).unwrap();
                frames.push((info, buffer[..info.len].to_vec()));
            }
        }
    }
    assert_eq!(frames.len(), 3);
    for (nth, (info, bytes)) in frames.iter().enumerate() {
        assert_eq!(*bytes, unhex(values("frame")[nth]));
        assert_eq!(info.captured.since_start().as_micros().to_string(), values("captured-us")[nth]);
        assert_eq!(info.source.to_string(), values("source")[nth]);
        assert_eq!(u8::from(info.flags.is_notice()).to_string(), values("notice")[nth]);
    }
    let restarts: Vec<_> = datagrams
        .iter()
        .map(|d| MediaHeader::parse(PublicHeader::parse(d).unwrap(), d).unwrap().0.next_restart)
        .map(RestartIndex::number)
        .collect();
    assert_eq!(restarts, [Some(1), None, Some(3), None, None, None, None]);

    for (case, datagram, why) in malformed() {
        let mut receiver = Receiver::new(key.clone(), 1_000, None, START);
        for good in &datagrams {
            if receiver.handle(START, good) == Ok(Accepted::Frame) {
                receiver.take_frame(&mut buffer).unwrap();
            }
        }
        assert_eq!(receiver.handle(later(), &datagram), Err(why), "{case}");
    }
}

fn later() -> Instant {
    START + Duration::from_millis(100)
}
