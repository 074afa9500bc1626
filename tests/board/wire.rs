//! What left the board, in the board's own time: the record that the machine keeps of its network.

use std::fs;
use std::path::Path;

use sealcam::keys::key_file;
use sealcam::proto::receiver::{Accepted, Receiver};
use sealcam::time::{Duration, Instant};
use sealcam::wire::StreamId;

/// A whole frame, when its last datagram had left the board.
pub(crate) struct Departed {
    /// On the board's clock: time since it was switched on.
    pub(crate) at: Instant,
    pub(crate) stream: StreamId,
    pub(crate) notice: bool,
    pub(crate) jpeg: Vec<u8>,
}

/// The frames sealed with the key in `key` that went to `port`, from a record in pcap format.
///
/// The record's clock started before the board's. What the board said now and then of its own (`TICK 12.34`,
/// by UDP) tells by how much.
pub(crate) fn frames(record: &Path, key: &Path, port: u16) -> Vec<Departed> {
    let record = fs::read(record).expect("the board's network was recorded");
    let datagrams: Vec<(u64, &[u8])> =
        packets(&record).filter_map(|(at, packet)| Some((at, to_port(packet, port)?))).collect();
    let ahead = datagrams.iter().filter_map(|(at, datagram)| Some(at.saturating_sub(tick(datagram)?)));
    let ahead = ahead.min().expect("the board told its time");

    let mut receiver = Receiver::new(key_file::read(key).expect("a key"), 1 << 20, None, Instant::ORIGIN);
    let mut buffer = vec![0; 1 << 20].into_boxed_slice();
    let mut frames = Vec::new();
    for (at, datagram) in datagrams {
        let at = Instant::from_micros(at.saturating_sub(ahead));
        if receiver.handle(at, datagram) == Ok(Accepted::Frame)
            && let Some(info) = receiver.take_frame(&mut buffer)
        {
            let jpeg = buffer[..info.len].to_vec();
            frames.push(Departed { at, stream: info.stream, notice: info.flags.is_notice(), jpeg });
        }
    }
    frames
}

/// Time [us] and bytes of every packet of a record.
fn packets(record: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let number = |at: usize| record.get(at..at + 4).map(|b| u32::from_ne_bytes(b.try_into().expect("four")));
    assert_eq!(number(0), Some(0xa1b2_c3d4), "no record of packets");
    let mut at = 24;
    std::iter::from_fn(move || {
        let time = u64::from(number(at)?) * 1_000_000 + u64::from(number(at + 4)?);
        let bytes = record.get(at + 16..at + 16 + number(at + 8)? as usize)?;
        at += 16 + bytes.len();
        Some((time, bytes))
    })
}

/// The payload of an Ethernet packet if it is UDP over IPv4 to `port`.
fn to_port(packet: &[u8], port: u16) -> Option<&[u8]> {
    let ip = packet.get(14..)?;
    let header = usize::from(ip.first()? & 0x0f) * 4;
    let is_udp = packet[12..14] == [0x08, 0x00] && *ip.get(9)? == 17;
    let udp = ip.get(header..)?;
    let length = usize::from(u16::from_be_bytes([*udp.get(4)?, *udp.get(5)?]));
    (is_udp && udp[2..4] == port.to_be_bytes()).then(|| udp.get(8..length))?
}

/// The time [us] that the board says it is.
fn tick(datagram: &[u8]) -> Option<u64> {
    seconds(std::str::from_utf8(datagram.strip_prefix(b"TICK ")?).ok()?.trim_end())
        .map(|time| time.as_micros() as u64)
}

/// A time as the board writes it: `12.34`.
pub(crate) fn seconds(text: &str) -> Option<Duration> {
    text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}
