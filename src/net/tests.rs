//! Real sockets on the loopback interface.

use super::*;
use crate::time::{Duration, Instant};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use socket2::{Domain, SockRef, Socket, Type};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

const SOON: Duration = Duration::from_secs(2);

/// A receiver on a free port of `ip`, and a sender to it.
fn pair(ip: &str, batching: Batching) -> (MediaSender, MediaReceiver) {
    let at = SocketAddr::new(ip.parse().unwrap(), 0);
    // What every Linux grants to every user, so that the tests need no sysctl.
    let receiver =
        MediaReceiver::open(&ReceiveOptions { buffer: 212_992, ..ReceiveOptions::new(at) }).unwrap();
    let to = receiver.local_addr().unwrap();
    let sender = MediaSender::open(&SendOptions { batching, ..SendOptions::new(to) }).unwrap();
    (sender, receiver)
}

fn name(interface: &str) -> Option<Interface> {
    Some(Interface::Name(interface.to_owned()))
}

/// `len` bytes that differ from place to place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

/// All that waits now, or comes within two seconds.
#[track_caller]
fn collect(receiver: &mut MediaReceiver) -> Vec<Vec<u8>> {
    let mut got = Vec::new();
    assert!(receiver.wait(SOON, None).unwrap().media, "nothing came");
    while receiver.receive(|datagram, _| got.push(datagram.to_vec())).unwrap() > 0 {}
    got
}

/// Sends `run` to the end, in parts that the receive buffer surely holds.
#[track_caller]
fn carry(
    sender: &mut MediaSender,
    receiver: &mut MediaReceiver,
    run: &[u8],
    datagram: usize,
) -> Vec<Vec<u8>> {
    // The kernel counts a kilobyte or so of its own for each datagram.
    let part = (receiver.granted() / (datagram + 1024)).max(1) * datagram;
    let send = |part: &[u8]| {
        let sent = sender.send_run(part, datagram);
        assert_eq!(sent, Sent { bytes: part.len(), outcome: Outcome::All });
        collect(receiver)
    };
    run.chunks(part).flat_map(send).collect()
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

#[test]
fn the_largest_frame_arrives() {
    for (ip, datagram) in [("127.0.0.1", 128), ("::1", 1200), ("127.0.0.1", 8900)] {
        let (mut sender, mut receiver) = pair(ip, Batching::Segmentation);
        let run = pattern(3 << 20);
        let got = carry(&mut sender, &mut receiver, &run, datagram);
        assert!(got.concat() == run, "datagrams of {datagram} over {ip}");
    }
}

#[test]
fn a_frame_is_four_messages_on_both_ends() {
    let (mut sender, mut receiver) = pair("127.0.0.1", Batching::Segmentation);
    let from = sender.local_addr();
    assert_eq!(sender.send_run(&pattern(143 * 1400), 1400).outcome, Outcome::All);
    let mut sources = Vec::new();
    while receiver.receive(|_, source| sources.push(source)).unwrap() > 0 {}
    assert_eq!(sources.len(), 143);
    assert!(sources.iter().all(|source| Some(*source) == from));
    assert_eq!((sender.counters().system_calls, sender.counters().segmented), (4, 4));
    assert_eq!(receiver.counters().messages, 4, "merged datagrams come as they were sent");
}

#[test]
fn an_empty_datagram_is_handed_over() {
    let (sender, mut receiver) = pair("127.0.0.1", Batching::Single);
    SockRef::from(&sender.as_fd()).send(&[]).unwrap();
    assert_eq!(collect(&mut receiver), [Vec::<u8>::new()]);
}

/// A checksum that is switched off makes the kernel refuse segmentation with EINVAL, like a driver.
#[test]
fn offload_that_fails_loses_nothing_and_is_tried_again_after_a_minute() {
    let (mut sender, mut receiver) = pair("127.0.0.1", Batching::Segmentation);
    let checksum = |sender: &MediaSender, off| {
        let socket = Socket::from(sender.as_fd().try_clone_to_owned().unwrap());
        sys::set_int(&socket, libc::SOL_SOCKET, libc::SO_NO_CHECK, off).unwrap();
    };
    let run = pattern(100_000);
    checksum(&sender, 1);
    assert!(carry(&mut sender, &mut receiver, &run, 1200).concat() == run);
    assert!(!sender.offloads());
    assert_eq!(sender.counters().segmented, 0);

    let lost = Instant::from_millis(5000);
    assert_eq!(sender.tend(lost), Some(Tended::OffloadLost));
    assert_eq!(sender.tend(lost + Duration::from_secs(59)), None);
    assert!(!sender.offloads());
    assert_eq!(sender.tend(lost + Duration::from_secs(60)), None);
    assert!(sender.offloads(), "tried again");
    checksum(&sender, 0);
    assert!(carry(&mut sender, &mut receiver, &run, 1200).concat() == run);
    assert!(sender.offloads() && sender.counters().segmented > 0);
}

#[test]
fn a_receiver_that_is_not_there_yet_does_not_stop_the_sender() {
    for ip in ["127.0.0.1", "::1"] {
        for batching in [Batching::Segmentation, Batching::Messages, Batching::Single] {
            let (mut sender, receiver) = pair(ip, batching);
            let at = receiver.local_addr().unwrap();
            drop(receiver);
            for now in 0..5 {
                let sent = sender.send_run(&pattern(20_000), 1200);
                assert!(matches!(sent.outcome, Outcome::All | Outcome::Refused), "{sent:?}");
                assert_eq!(sender.tend(Instant::from_millis(now)), None, "a matter of the far end");
            }
            assert!(sender.counters().refused > 0, "{batching:?}");
            let mut receiver = MediaReceiver::open(&ReceiveOptions::new(at)).unwrap();
            let run = pattern(20_000);
            assert!(carry(&mut sender, &mut receiver, &run, 1200).concat() == run, "{batching:?}");
        }
    }
}

#[test]
fn what_a_full_receive_buffer_loses_is_counted() {
    let at = "127.0.0.1:0".parse().unwrap();
    let mut receiver =
        MediaReceiver::open(&ReceiveOptions { buffer: 16_384, ..ReceiveOptions::new(at) }).unwrap();
    let to = receiver.local_addr().unwrap();
    let mut sender =
        MediaSender::open(&SendOptions { batching: Batching::Messages, ..SendOptions::new(to) }).unwrap();
    let mut got = 0;
    // The count comes with the next datagram that gets through.
    for run in [200 * 1000, 1000] {
        assert_eq!(sender.send_run(&pattern(run), 1000).outcome, Outcome::All);
        got += collect(&mut receiver).len() as u64;
    }
    assert!(receiver.counters().lost > 100, "{:?}", receiver.counters());
    assert_eq!(got + receiver.counters().lost, 201);
    assert_eq!(receiver.buffer_warning(), None, "as small as asked for");
}

#[test]
fn receivers_in_one_group_all_hear_it_and_nothing_else() {
    let lo = |at: &str| ReceiveOptions { interface: name("lo"), ..ReceiveOptions::new(at.parse().unwrap()) };
    let mut first = MediaReceiver::open(&lo("239.255.77.1:0")).unwrap();
    let to = first.local_addr().unwrap();
    let mut second = MediaReceiver::open(&lo(&to.to_string())).unwrap();
    let by_address = Interface::Address("127.0.0.1".parse().unwrap());
    let mut third = MediaReceiver::open(&ReceiveOptions {
        interface: Some(by_address.clone()),
        ..ReceiveOptions::new(to)
    })
    .unwrap();
    let mut other = MediaReceiver::open(&lo(&format!("239.255.77.2:{}", to.port()))).unwrap();
    let unicast = SocketAddr::new("127.0.0.1".parse().unwrap(), to.port());

    for interface in [name("lo"), Some(by_address), name("lo")] {
        let options = SendOptions { interface, loopback: true, ..SendOptions::new(to) };
        let mut sender = MediaSender::open(&options).unwrap();
        assert_eq!(sender.wifi_multicast_warning(), None);
        let run = pattern(50_000);
        assert_eq!(sender.send_run(&run, 1200).outcome, Outcome::All);
        for receiver in [&mut first, &mut second, &mut third] {
            assert!(collect(receiver).concat() == run);
            assert!(receiver.renew_membership().unwrap());
        }
    }
    let mut stray = MediaSender::open(&SendOptions::new(unicast)).unwrap();
    let _ = stray.send_run(b"not for the group", 1200);
    for receiver in [&mut first, &mut other] {
        assert_eq!(receiver.receive(|_, _| ()).unwrap(), 0);
    }
}

#[test]
fn a_wildcard_hears_both_families_and_tells_ipv4_as_ipv4() {
    let mut receiver = MediaReceiver::open(&ReceiveOptions::new("[::]:0".parse().unwrap())).unwrap();
    let port = receiver.local_addr().unwrap().port();
    for ip in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        let ip: std::net::IpAddr = ip.parse().unwrap();
        let mut sender = MediaSender::open(&SendOptions::new(SocketAddr::new(ip, port))).unwrap();
        assert_eq!(sender.send_run(&pattern(3000), 1200).outcome, Outcome::All);
        assert!(receiver.wait(SOON, None).unwrap().media);
        let mut sources = Vec::new();
        while receiver.receive(|_, from| sources.push(from)).unwrap() > 0 {}
        assert_eq!(sources, [sender.local_addr().unwrap(); 3]);
        assert_eq!(sources[0].ip(), ip.to_canonical());
    }
}

#[test]
fn a_wait_ends_with_media_another_descriptor_or_the_timeout() {
    let (mut sender, receiver) = pair("127.0.0.1", Batching::Single);
    let (reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
    let wait = |millis| receiver.wait(Duration::from_millis(millis), Some(reader.as_fd())).unwrap();
    assert_eq!(wait(1), Ready { media: false, also: false });
    drop(writer);
    assert_eq!(wait(2000), Ready { media: false, also: true });
    let _ = sender.send_run(b"x", 1);
    assert_eq!(wait(2000), Ready { media: true, also: true });
    assert_eq!(receiver.wait(SOON, None).unwrap(), Ready { media: true, also: false });
}

#[test]
fn what_cannot_be_opened_is_explained() {
    let (_sender, receiver) = pair("127.0.0.1", Batching::Single);
    let busy = receiver.local_addr().unwrap().to_string();
    // (address, interface, words)
    let receivers = [
        (busy.as_str(), None, "another program"),
        ("203.0.113.7:5004", None, "no interface has that address; there are: lo (127.0.0.1"),
        ("239.1.1.1:5004", name("nosuch0"), "no network interface nosuch0; there are: lo (127.0.0.1"),
        ("[ff02::1234]:5004", None, "link-local and exists on every interface"),
    ];
    for (at, interface, words) in receivers {
        let options = ReceiveOptions { interface, ..ReceiveOptions::new(at.parse().unwrap()) };
        let error = MediaReceiver::open(&options).unwrap_err().to_string();
        assert!(error.contains(words), "{at}: {error}");
    }
    let senders = [
        (SendOptions::new("[fe80::1]:5004".parse().unwrap()), "say which one (--interface)"),
        (
            SendOptions { dscp: 64, ..SendOptions::new("127.0.0.1:5004".parse().unwrap()) },
            "DSCP 64: must be 0 to 63",
        ),
        (
            SendOptions { interface: name("nosuch0"), ..SendOptions::new("127.0.0.1:5004".parse().unwrap()) },
            "nosuch0",
        ),
    ];
    for (options, words) in senders {
        let error = MediaSender::open(&options).unwrap_err().to_string();
        assert!(error.contains(words), "{options:?}: {error}");
    }
}

#[test]
fn the_limit_of_a_datagram_is_what_one_packet_holds() {
    for (ip, limit) in [("127.0.0.1", 65_507), ("::1", 65_487)] {
        let (mut sender, mut receiver) = pair(ip, Batching::Segmentation);
        assert_eq!(sender.max_datagram(), Some(limit));
        sender.check_datagram(limit).unwrap();
        let error = sender.check_datagram(limit + 1).unwrap_err();
        assert!(
            matches!(error, NetError::DatagramTooLarge { interface: Some(ref lo), .. } if lo == "lo"),
            "{error}"
        );
        let too_large = sender.send_run(&pattern(70_000), 70_000);
        assert_eq!(too_large, Sent { bytes: 0, outcome: Outcome::TooLarge { limit: Some(limit) } });
        assert_eq!(carry(&mut sender, &mut receiver, &pattern(limit), limit), [pattern(limit)]);
    }
}

/// Traffic class and hop limit of the next datagram, as a plain socket sees them.
fn class_and_hops(socket: &Socket) -> (Option<i32>, Option<i32>) {
    let mut data = [0; 64];
    let mut parts = [std::io::IoSliceMut::new(&mut data)];
    let mut control = nix::cmsg_space!([i32; 8]);
    let message =
        recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty()).unwrap();
    let (mut class, mut hops) = (None, None);
    for message in message.cmsgs().unwrap() {
        match message {
            ControlMessageOwned::Ipv4Tos(tos) => class = Some(i32::from(tos)),
            ControlMessageOwned::Ipv6TClass(tclass) => class = Some(tclass),
            ControlMessageOwned::Ipv4Ttl(ttl) | ControlMessageOwned::Ipv6HopLimit(ttl) => hops = Some(ttl),
            _ => {}
        }
    }
    (class, hops)
}

#[test]
fn dscp_and_hop_limit_are_on_the_wire() {
    // (destination, hop limit asked for, DSCP, traffic class seen, hop limit seen)
    let cases = [
        ("127.0.0.1", Some(9), 34, 34 << 2, 9),
        ("127.0.0.1", None, 0, 0, 64),
        ("::1", Some(7), 46, 46 << 2, 7),
        ("239.255.77.3", None, 34, 34 << 2, 1),
        ("239.255.77.3", Some(3), 34, 34 << 2, 3),
    ];
    for (ip, ttl, dscp, class, hops) in cases {
        let at = SocketAddr::new(ip.parse().unwrap(), 0);
        let plain = Socket::new(Domain::for_address(at), Type::DGRAM, None).unwrap();
        plain.set_read_timeout(Some(SOON)).unwrap();
        plain.bind(&at.into()).unwrap();
        if at.is_ipv4() {
            plain.set_recv_tos_v4(true).unwrap();
            sys::set_int(&plain, libc::IPPROTO_IP, libc::IP_RECVTTL, 1).unwrap();
        } else {
            plain.set_recv_tclass_v6(true).unwrap();
            plain.set_recv_hoplimit_v6(true).unwrap();
        }
        let mut interface = None;
        if let (true, std::net::IpAddr::V4(group)) = (at.ip().is_multicast(), at.ip()) {
            interface = name("lo");
            plain.join_multicast_v4_n(&group, &socket2::InterfaceIndexOrAddress::Index(1)).unwrap();
        }
        let to = plain.local_addr().unwrap().as_socket().unwrap();
        let options = SendOptions { interface, loopback: true, ttl, dscp, ..SendOptions::new(to) };
        let mut sender = MediaSender::open(&options).unwrap();
        assert_eq!(sender.send_run(b"x", 1).outcome, Outcome::All);
        assert_eq!(class_and_hops(&plain), (Some(class), Some(hops)), "{ip}, {ttl:?}");
    }
}
