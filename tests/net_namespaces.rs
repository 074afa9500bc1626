//! Media sockets between network namespaces: several hosts on one machine, whose links fail on command.
//!
//! Needs root and iproute2; without root each test says so and passes.

#![cfg(all(target_os = "linux", feature = "edge"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "lab/namespaces.rs"]
mod namespaces;

use namespaces::{Lab, pause};
use sealcam::clock::now;
use sealcam::net::{
    Batching, Interface, ManyOptions, ManySocket, MediaReceiver, MediaSender, NetError, Outcome,
    ReceiveOptions, SendOptions, Sent, Tended,
};
use sealcam::time::Duration;
use std::net::{SocketAddr, UdpSocket};

const FRAME: usize = 100_000;
/// Within this a stream is back after the network is.
const SOON: Duration = Duration::from_secs(2);
/// A fresh link may take its time to carry the first datagram: carrier, neighbour discovery.
const SETTLED: Duration = Duration::from_secs(5);

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn name(interface: &str) -> Option<Interface> {
    Some(Interface::Name(interface.to_owned()))
}

fn send_to(to: &str, interface: Option<&str>) -> SendOptions {
    SendOptions { interface: interface.and_then(name), ..SendOptions::new(at(to)) }
}

fn listen(to: &str, interface: Option<&str>) -> ReceiveOptions {
    ReceiveOptions { interface: interface.and_then(name), ..ReceiveOptions::new(at(to)) }
}

/// `len` bytes that differ from place to place and from one `seed` to the next.
fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ (i >> 8) ^ (seed * 151)) as u8).collect()
}

/// What arrives until `len` bytes are there or nothing comes for half a second.
fn collect(receiver: &mut MediaReceiver, len: usize) -> Vec<u8> {
    collect_within(receiver, len, 500)
}

fn collect_within(receiver: &mut MediaReceiver, len: usize, millis: u64) -> Vec<u8> {
    let mut got = Vec::new();
    while got.len() < len && receiver.wait(Duration::from_millis(millis), None).unwrap().media {
        while receiver.receive(|datagram, _| got.extend_from_slice(datagram)).unwrap() > 0 {}
    }
    got
}

/// One frame goes across whole.
#[track_caller]
fn crosses(sender: &mut MediaSender, receiver: &mut MediaReceiver, datagram: usize) {
    let run = pattern(FRAME, datagram);
    assert_eq!(sender.send_run(&run, datagram), Sent { bytes: FRAME, outcome: Outcome::All });
    let got = collect(receiver, FRAME);
    assert!(got == run, "{} of {FRAME} bytes arrived: {:?}", got.len(), receiver.counters());
}

/// Frames go across whole again, within the time that a link needs to settle.
#[track_caller]
fn flows(sender: &mut MediaSender, receiver: &mut MediaReceiver) {
    let start = now();
    for seed in 0.. {
        let run = pattern(FRAME, seed);
        let sent = sender.send_run(&run, 1200);
        let got = collect_within(receiver, FRAME, 50);
        // What waited for the link may come before the frame.
        if got.ends_with(&run) {
            return;
        }
        assert!(now().since(start) < SETTLED, "{} of {FRAME} bytes, {sent:?}", got.len());
    }
}

/// A camera's loop: a frame every 20 ms, tended to, until `done`, at most for `SOON`.
#[track_caller]
fn stream_until(sender: &mut MediaSender, mut done: impl FnMut(Option<Tended>, Sent) -> bool) {
    let start = now();
    while now().since(start) < SOON {
        let sent = sender.send_run(&pattern(3000, 1), 1200);
        let tended = sender.tend(now());
        if done(tended, sent) {
            return;
        }
        pause(20);
    }
    panic!("not within {SOON:?}");
}

/// Hosts a and b, one link between them, IPv4 and IPv6.
fn pair() -> Option<Lab> {
    let lab = Lab::new(&["a", "b"])?;
    lab.link("a", "va", "b", "vb");
    addresses(&lab);
    Some(lab)
}

fn addresses(lab: &Lab) {
    for (host, link, n) in [("a", "va", 1), ("b", "vb", 2)] {
        lab.ip(host, &format!("addr add 10.77.1.{n}/24 dev {link}"));
        lab.ip(host, &format!("addr add fd77:1::{n}/64 dev {link} nodad"));
        lab.ip(host, &format!("link set {link} up"));
    }
}

#[test]
fn multicast_crosses_and_comes_back_with_the_interface() {
    let Some(lab) = pair() else { return };
    for group in ["239.255.77.10:5004", "[ff05::7710]:5004", "[ff02::7710]:5004"] {
        lab.enter("b");
        let mut receiver = MediaReceiver::open(&listen(group, Some("vb"))).unwrap();
        lab.enter("a");
        let mut sender = MediaSender::open(&send_to(group, Some("va"))).unwrap();
        flows(&mut sender, &mut receiver);
        assert!(
            receiver.counters().messages * 10 < receiver.counters().datagrams,
            "merged on the way: {:?}",
            receiver.counters()
        );

        // The receiver's interface goes down and up.
        lab.ip("b", "link set vb down");
        lab.ip("b", "link set vb up");
        lab.enter("b");
        assert!(receiver.renew_membership().unwrap(), "{group}");
        flows(&mut sender, &mut receiver);

        // Both are pulled out and come back under another index.
        lab.ip("a", "link del va");
        let lost = receiver.renew_membership().unwrap_err();
        assert!(matches!(lost, NetError::NoInterface { .. }) && lost.is_passing(), "{lost}");
        lab.enter("a");
        stream_until(&mut sender, |tended, _| matches!(tended, Some(Tended::Lost { .. })));
        lab.link("a", "padding", "b", "padding");
        lab.link("a", "va", "b", "vb");
        lab.ip("a", "link del padding");
        addresses(&lab);
        stream_until(&mut sender, |tended, _| matches!(tended, Some(Tended::Back { .. })));
        lab.enter("b");
        assert!(receiver.renew_membership().unwrap(), "{group}");
        flows(&mut sender, &mut receiver);
    }
}

/// Whether a datagram from the host of this thread to `to` is heard.
fn is_heard(many: &mut ManySocket, to: &str) -> bool {
    let own = if at(to).is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let mut count = 0;
    let start = now();
    // The first ones may be lost to a link that has just come up.
    while count == 0 && now().since(start) < SOON / 2 {
        UdpSocket::bind(own).unwrap().send_to(b"knock", to).ok();
        pause(20);
        while many.receive(|datagram, _| count += usize::from(datagram == b"knock")).unwrap() > 0 {}
    }
    count > 0
}

#[test]
fn viewers_come_in_by_one_interface_alone_whatever_its_addresses() {
    let Some(lab) = pair() else { return };
    lab.link("a", "wa", "b", "wb");
    for (host, link, n) in [("a", "wa", 1), ("b", "wb", 2)] {
        lab.ip(host, &format!("addr add 10.77.2.{n}/24 dev {link}"));
        lab.ip(host, &format!("link set {link} up"));
    }
    for interface in ["va", "10.77.1.1"] {
        lab.enter("a");
        let interface = Some(interface.parse().unwrap());
        let mut many =
            ManySocket::open(&ManyOptions { interface, ..ManyOptions::new(at("[::]:5004")) }).unwrap();
        let tend = |many: &mut ManySocket| {
            lab.enter("a");
            let tended = many.tend();
            lab.enter("b");
            tended
        };
        assert!(!tend(&mut many).unwrap());
        assert!(is_heard(&mut many, "10.77.1.1:5004") && is_heard(&mut many, "[fd77:1::1]:5004"));
        assert!(!is_heard(&mut many, "10.77.2.1:5004"), "by the other one");
        lab.ip("a", "addr flush dev va");
        lab.ip("a", "addr add 10.77.1.9/24 dev va");
        assert!(!tend(&mut many).unwrap(), "another address is no cause");
        assert!(is_heard(&mut many, "10.77.1.9:5004"));
        // It is pulled out, and comes back under another index.
        lab.ip("a", "link del va");
        assert!(matches!(tend(&mut many), Err(NetError::NoInterface { .. })));
        lab.link("a", "padding", "b", "padding");
        lab.link("a", "va", "b", "vb");
        lab.ip("a", "link del padding");
        addresses(&lab);
        assert!(!is_heard(&mut many, "10.77.1.1:5004"), "the index was another");
        assert!(tend(&mut many).unwrap());
        assert!(is_heard(&mut many, "10.77.1.1:5004") && is_heard(&mut many, "[fd77:1::1]:5004"));
        assert!(!is_heard(&mut many, "10.77.2.1:5004"));
    }
}

#[test]
fn loopback_decides_whether_the_sending_host_hears_the_group() {
    let Some(lab) = pair() else { return };
    lab.enter("a");
    for group in ["239.255.77.11:5004", "[ff05::7711]:5004"] {
        for loopback in [false, true] {
            let mut here = MediaReceiver::open(&listen(group, Some("va"))).unwrap();
            let mut sender =
                MediaSender::open(&SendOptions { loopback, ..send_to(group, Some("va")) }).unwrap();
            let _ = sender.send_run(&pattern(3000, 2), 1200);
            assert_eq!(collect(&mut here, 3000).len(), if loopback { 3000 } else { 0 }, "{group}");
        }
    }
}

#[test]
fn the_size_of_the_link_limits_datagrams_and_is_explained() {
    let Some(lab) = pair() else { return };
    for (mtu, fits) in [(1500, false), (9000, true)] {
        lab.ip("a", &format!("link set va mtu {mtu}"));
        lab.ip("b", &format!("link set vb mtu {mtu}"));
        let cases = [
            ("10.77.1.2:5004", None, 28),
            ("[fd77:1::2]:5004", None, 48),
            ("239.255.77.12:5004", Some("va"), 28),
            ("[ff05::7712]:5004", Some("va"), 48),
        ];
        for (to, interface, headers) in cases {
            lab.enter("b");
            let mut receiver = MediaReceiver::open(&listen(to, interface.map(|_| "vb"))).unwrap();
            lab.enter("a");
            let mut sender = MediaSender::open(&send_to(to, interface)).unwrap();
            let limit = mtu - headers;
            assert_eq!(sender.max_datagram(), Some(limit), "{to}");
            flows(&mut sender, &mut receiver);
            crosses(&mut sender, &mut receiver, 128);
            crosses(&mut sender, &mut receiver, limit);
            if fits {
                sender.check_datagram(8900).unwrap();
                crosses(&mut sender, &mut receiver, 8900);
                continue;
            }
            let error = sender.check_datagram(8900).unwrap_err().to_string();
            let expected = format!(
                "datagrams of 8900 bytes do not fit: va carries packets of 1500 bytes, which leaves {limit}"
            );
            assert!(error.starts_with(&expected), "{error}");
            let sent = sender.send_run(&pattern(FRAME, 3), 8900);
            assert_eq!(sent, Sent { bytes: 0, outcome: Outcome::TooLarge { limit: Some(limit) } }, "{to}");
            crosses(&mut sender, &mut receiver, limit);
            assert!(sender.offloads(), "size is not the offload's fault");
        }
    }
}

#[test]
fn a_smaller_hop_is_learnt_of_and_nothing_is_ever_fragmented() {
    let Some(lab) = Lab::new(&["a", "r", "b"]) else { return };
    lab.link("a", "va", "r", "ra");
    lab.link("r", "rb", "b", "vb");
    for (host, link, v4, v6) in [
        ("a", "va", "10.77.1.1/24", "fd77:1::1/64"),
        ("r", "ra", "10.77.1.9/24", "fd77:1::9/64"),
        ("r", "rb", "10.77.2.9/24", "fd77:2::9/64"),
        ("b", "vb", "10.77.2.2/24", "fd77:2::2/64"),
    ] {
        lab.ip(host, &format!("addr add {v4} dev {link}"));
        lab.ip(host, &format!("addr add {v6} dev {link} nodad"));
        lab.ip(host, &format!("link set {link} up"));
    }
    lab.set("r", "net.ipv4.ip_forward", "1");
    lab.set("r", "net.ipv6.conf.all.forwarding", "1");
    lab.ip("r", "link set rb mtu 1300");
    lab.ip("b", "link set vb mtu 1300");
    for (host, gateway) in [("a", "1"), ("b", "2")] {
        lab.ip(host, &format!("route add default via 10.77.{gateway}.9"));
        lab.ip(host, &format!("-6 route add default via fd77:{gateway}::9"));
    }
    for (to, limit) in [("10.77.2.2:5004", 1272), ("[fd77:2::2]:5004", 1252)] {
        for batching in [Batching::Segmentation, Batching::Messages, Batching::Single] {
            lab.ip("a", "route flush cache");
            lab.ip("a", "-6 route flush cache");
            lab.enter("b");
            let mut receiver = MediaReceiver::open(&listen(to, None)).unwrap();
            lab.enter("a");
            let mut sender = MediaSender::open(&SendOptions { batching, ..send_to(to, None) }).unwrap();
            sender.check_datagram(1400).unwrap();
            // The first datagrams are lost at the router, which says so; then the limit is known.
            flows(&mut sender, &mut receiver);
            let mut told = None;
            for _ in 0..50 {
                if let Outcome::TooLarge { limit } = sender.send_run(&pattern(14_000, 4), 1400).outcome {
                    told = limit;
                    break;
                }
                pause(10);
            }
            assert_eq!(told, Some(limit), "{to}, {batching:?}");
            assert!(matches!(sender.check_datagram(1400), Err(NetError::DatagramTooLarge { .. })));
            assert!(collect_within(&mut receiver, 1, 50).is_empty(), "a datagram too large got through");
            crosses(&mut sender, &mut receiver, limit);
        }
    }
    for host in ["r", "b"] {
        assert_eq!(
            lab.snmp(host, &["FragCreates", "Ip6FragCreates", "ReasmReqds", "Ip6ReasmReqds"]),
            0,
            "{host}"
        );
    }
}

#[test]
fn a_sender_follows_a_new_address() {
    let Some(lab) = pair() else { return };
    for (to, old, new, interface) in [
        ("10.77.1.2:5004", "10.77.1.1/24", "10.77.1.3/24", None),
        ("10.77.1.2:5004", "10.77.1.3/24", "10.77.1.4/24", Some("va")),
        ("[fd77:1::2]:5004", "fd77:1::1/64", "fd77:1::3/64", None),
        ("[fd77:1::2]:5004", "fd77:1::3/64", "fd77:1::4/64", Some("va")),
    ] {
        lab.enter("b");
        let mut receiver = MediaReceiver::open(&listen(to, None)).unwrap();
        lab.enter("a");
        let mut sender = MediaSender::open(&send_to(to, interface)).unwrap();
        flows(&mut sender, &mut receiver);
        lab.ip("a", &format!("addr del {old} dev va"));
        lab.ip("a", &format!("addr add {new} dev va{}", if new.contains(':') { " nodad" } else { "" }));
        let expected: std::net::IpAddr = new.split('/').next().unwrap().parse().unwrap();
        stream_until(&mut sender, |_, _| sender_is_at(&receiver_sources(&mut receiver), expected));
        flows(&mut sender, &mut receiver);
    }
}

/// Where the datagrams that wait came from.
fn receiver_sources(receiver: &mut MediaReceiver) -> Vec<SocketAddr> {
    let mut sources = Vec::new();
    while receiver.receive(|_, from| sources.push(from)).unwrap() > 0 {}
    sources
}

fn sender_is_at(sources: &[SocketAddr], address: std::net::IpAddr) -> bool {
    sources.iter().any(|from| from.ip() == address)
}

#[test]
fn a_receiver_at_an_interface_follows_its_address() {
    let Some(lab) = pair() else { return };
    lab.enter("b");
    let mut receiver = MediaReceiver::open(&listen("0.0.0.0:5004", Some("vb"))).unwrap();
    assert_eq!(receiver.local_addr(), Some(at("10.77.1.2:5004")));
    assert!(!receiver.renew_membership().unwrap(), "nothing to renew");
    lab.ip("b", "addr del 10.77.1.2/24 dev vb");
    let gone = receiver.renew_membership().unwrap_err().to_string();
    assert!(gone.contains("interface vb has no IPv4 address"), "{gone}");
    lab.ip("b", "addr add 10.77.1.5/24 dev vb");
    assert!(receiver.renew_membership().unwrap());
    assert_eq!(receiver.local_addr(), Some(at("10.77.1.5:5004")));
    lab.enter("a");
    let mut sender = MediaSender::open(&send_to("10.77.1.5:5004", None)).unwrap();
    flows(&mut sender, &mut receiver);
}

#[test]
fn a_sender_comes_back_with_its_link_and_waits_for_one_that_is_not_there_yet() {
    let Some(lab) = Lab::new(&["a", "b"]) else { return };
    for (to, interface) in [("10.77.1.2:5004", Some("va")), ("[fd77:1::2]:5004", None)] {
        lab.enter("a");
        let error = MediaSender::open(&send_to(to, interface)).unwrap_err();
        assert!(error.is_passing(), "{error}");
        let (mut sender, reason) = MediaSender::open_patiently(&send_to(to, interface)).unwrap();
        assert!(reason.is_some());
        assert_eq!(sender.max_datagram(), None);
        stream_until(&mut sender, |tended, sent| {
            assert!(matches!(sent.outcome, Outcome::Unreachable { .. }));
            matches!(tended, Some(Tended::Lost { .. }))
        });

        lab.link("a", "va", "b", "vb");
        addresses(&lab);
        stream_until(&mut sender, |tended, _| matches!(tended, Some(Tended::Back { .. })));
        lab.enter("b");
        let mut receiver = MediaReceiver::open(&listen(to, None)).unwrap();
        flows(&mut sender, &mut receiver);

        lab.enter("a");
        lab.ip("a", "link set va down");
        stream_until(&mut sender, |tended, _| matches!(tended, Some(Tended::Lost { .. })));
        lab.ip("a", "link set va up");
        lab.ip("a", "addr replace fd77:1::1/64 dev va nodad");
        stream_until(&mut sender, |tended, _| matches!(tended, Some(Tended::Back { .. })));
        flows(&mut sender, &mut receiver);
        lab.ip("a", "link del va");
    }
}

#[test]
fn a_slow_link_blocks_and_loses_nothing() {
    let Some(lab) = pair() else { return };
    if !lab.tc("a", "qdisc add dev va root tbf rate 20mbit burst 20kb latency 10s") {
        eprintln!("skipped: no token bucket filter in this kernel");
        return;
    }
    for batching in [Batching::Segmentation, Batching::Messages, Batching::Single] {
        lab.enter("b");
        let mut receiver = MediaReceiver::open(&listen("10.77.1.2:5004", None)).unwrap();
        lab.enter("a");
        let options = SendOptions { batching, buffer: 30_000, ..send_to("10.77.1.2:5004", None) };
        let mut sender = MediaSender::open(&options).unwrap();
        let run = pattern(400_000, 5);
        let mut rest = &run[..];
        while !rest.is_empty() {
            let sent = sender.send_run(rest, 1200);
            assert!(matches!(sent.outcome, Outcome::All | Outcome::Blocked), "{sent:?}");
            rest = &rest[sent.bytes..];
            namespaces::wait_for_room(sender.as_fd());
        }
        assert!(sender.counters().blocked > 0, "{:?}", sender.counters());
        assert!(collect(&mut receiver, run.len()) == run, "{batching:?}");
    }
}
