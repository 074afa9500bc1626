//! Real sockets on the loopback interface.

use super::*;
use crate::time::Duration;
use std::net::SocketAddr;

/// A receiver on a free port of `ip`, and a sender to it.
fn pair(ip: &str, batching: Batching) -> (MediaSender, MediaReceiver) {
    let at = SocketAddr::new(ip.parse().unwrap(), 0);
    let receiver = MediaReceiver::open(&ReceiveOptions::new(at)).unwrap();
    let to = receiver.local_addr().unwrap();
    let sender =
        MediaSender::open(&SendOptions { batching, buffer: 4 << 20, ..SendOptions::new(to) }).unwrap();
    (sender, receiver)
}

/// `len` bytes that differ from place to place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

/// Everything that arrives until `len` bytes are there or nothing comes for a second.
fn collect(receiver: &mut MediaReceiver, into: &mut Vec<Vec<u8>>) {
    while receiver.receive(|datagram, _| into.push(datagram.to_vec())).unwrap() > 0 {}
}

/// Sends `run` to the end, draining the receiver whenever the way is blocked.
fn carry(
    sender: &mut MediaSender,
    receiver: &mut MediaReceiver,
    run: &[u8],
    datagram: usize,
) -> Vec<Vec<u8>> {
    let mut got = Vec::new();
    let mut rest = run;
    while !rest.is_empty() {
        // No more at once than the receive buffer surely holds.
        let part = &rest[..rest.len().min((256 * 1024 / datagram).max(1) * datagram)];
        let sent = sender.send_run(part, datagram);
        assert!(matches!(sent.outcome, Outcome::All | Outcome::Blocked), "{sent:?}");
        rest = &rest[sent.bytes..];
        assert!(receiver.wait(Duration::from_secs(1), None).unwrap().media);
        collect(receiver, &mut got);
    }
    got
}

#[test]
fn every_way_of_batching_carries_every_size_unchanged_and_in_order() {
    for ip in ["127.0.0.1", "::1"] {
        for batching in [Batching::Segmentation, Batching::Messages, Batching::Single] {
            let (mut sender, mut receiver) = pair(ip, batching);
            for datagram in [128, 1200, 1472, 8900, 60_000] {
                for len in [1, datagram - 1, datagram, 3 * datagram, 200 * 1024 + 7] {
                    let run = pattern(len);
                    let got = carry(&mut sender, &mut receiver, &run, datagram);
                    let expected: Vec<_> = run.chunks(datagram).map(<[u8]>::to_vec).collect();
                    assert!(got == expected, "{len} bytes in datagrams of {datagram}, {batching:?}, {ip}");
                }
            }
            assert_eq!(sender.counters().segmented > 0, batching == Batching::Segmentation);
            assert_eq!(sender.counters().datagrams, receiver.counters().datagrams);
            assert_eq!(sender.counters().bytes, receiver.counters().bytes);
        }
    }
}
