//! Single datagrams made by hand, with or without the right key.

use sealcam::proto::key_schedule::SharedKey;
use sealcam::proto::seal::Seal;
use sealcam::proto::sender::{OutgoingFrame, Sender, SenderSettings, Transmit};
use sealcam::time::{Duration, Instant};
use sealcam::wire::{CaptureOffset, Flags, FrameNumber, MediaHeader, RestartIndex, StreamId, TAG_LEN};

/// The header of a one-shard frame of `len` bytes.
pub(crate) fn header(stream: StreamId, packet: u64, frame: u32, len: usize) -> MediaHeader {
    MediaHeader {
        epoch: 0,
        stream,
        packet,
        frame: FrameNumber(frame),
        shard: 0,
        data_shards: 1,
        parity_shards: 0,
        source: 0,
        flags: Flags::NONE,
        frame_len: len as u32,
        captured: CaptureOffset::new(Duration::ZERO),
        next_restart: RestartIndex::NONE,
    }
}

/// What a holder of `key` can put on the wire: any header, any payload.
pub(crate) fn sealed(key: &SharedKey, header: MediaHeader, plain: &[u8]) -> Vec<u8> {
    let mut datagram = header.to_bytes().to_vec();
    let mut body = vec![0; plain.len() + TAG_LEN];
    Seal::new(&key.stream_key(header.stream)).seal(header.packet, &datagram, plain, &mut body);
    datagram.extend_from_slice(&body);
    datagram
}

/// All datagrams of `frames` as a camera sends them from `start` on, one frame each 33 ms.
pub(crate) fn recording(
    key: &SharedKey,
    stream: StreamId,
    frames: &[Vec<u8>],
    datagram: usize,
    start: Instant,
) -> Vec<Vec<u8>> {
    let settings = SenderSettings { datagram, max_frame: 1 << 20, pace_percent: 0 };
    let mut sender = Sender::new(settings, key, stream, start).unwrap();
    let mut all = Vec::new();
    let mut now = start;
    for bytes in frames {
        let frame = OutgoingFrame { bytes, captured: now, restarts: &[], source: 0, flags: Flags::NONE };
        sender.queue(now, &frame).unwrap();
        while let Transmit::Run { bytes, datagram } = sender.poll_transmit(now) {
            all.extend(bytes.chunks(datagram).map(<[u8]>::to_vec));
            let len = bytes.len();
            sender.transmitted(len);
        }
        now += Duration::from_millis(33);
    }
    all
}
