//! What strangers may send: nonsense, floods, any bytes at all.

use std::net::IpAddr;

use proptest::prelude::*;
use simple_dns::rdata::{A, AAAA, RData, SRV, TXT};
use simple_dns::{CLASS, Packet, ResourceRecord};

use super::packet;
use super::tests::{ANY, FINGERPRINT, address, at, browse, place, quiet, understood};
use super::*;

/// What a stranger may announce.
fn announced(name: &str, text: &[&str], port: u16, addresses: &[&str]) -> Vec<u8> {
    let (instance, host) = (packet::instance(name), packet::name(["host", "local"]));
    let mut packet = Packet::new_reply(0);
    let mut put = |name: &simple_dns::Name<'_>, data: RData<'_>| {
        packet.answers.push(ResourceRecord::new(name.clone(), CLASS::IN, 120, data).into_owned());
    };
    put(&instance, RData::SRV(SRV { priority: 0, weight: 0, port, target: host.clone() }));
    let text = text.iter().try_fold(TXT::new(), |all, text| all.with_string(text)).unwrap();
    put(&instance, RData::TXT(text));
    for address in addresses {
        put(
            &host,
            match address.parse().unwrap() {
                IpAddr::V4(v4) => RData::A(A::from(v4)),
                IpAddr::V6(v6) => RData::AAAA(AAAA::from(v6)),
            },
        );
    }
    packet.build_bytes_vec_compressed().unwrap()
}

#[test]
fn what_makes_no_sense_is_dropped() {
    let (fp, bad) = (format!("fp={FINGERPRINT}"), format!("fp={}", FINGERPRINT.replace('c', "C")));
    let good = ["v=1", fp.as_str()];
    let here = ["10.0.0.1"];
    let many: Vec<String> = (1..40).map(|host| format!("10.0.0.{host}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let cases = [
        (announced("barn", &good, 5004, &here), 1),
        (announced("barn", &["x", "", "V=1", fp.as_str(), "fp=0"], 5004, &here), 1),
        (announced("barn", &good, 5004, &many), 8),
        (announced("barn\u{1b}[2J", &good, 5004, &here), 0),
        (announced("a barn", &good, 5004, &here), 0),
        (announced("", &good, 5004, &here), 0),
        (announced("barn", &["v=2", fp.as_str()], 5004, &here), 0),
        (announced("barn", &["v=1"], 5004, &here), 0),
        (announced("barn", &["v=1", "fp"], 5004, &here), 0),
        (announced("barn", &["v=1", bad.as_str()], 5004, &here), 0),
        (announced("barn", &good, 0, &here), 0),
        (announced("barn", &good, 5004, &[]), 0),
        (announced("barn", &good, 5004, &["127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1"]), 0),
        (announced("barn", &good, 5004, &["255.255.255.255", "0.1.2.3", "::ffff:10.0.0.1"]), 0),
    ];
    for (at, (packet, addresses)) in cases.iter().enumerate() {
        let found = understood(packet);
        assert_eq!(
            found.first().map_or(0, |found| found.addresses.len()),
            *addresses,
            "case {at}: {found:?}"
        );
    }
    let mut browser = Browser::new(Wanted::All, at(0));
    browser.hear(1, address("10.0.0.1:1024"), &cases[0].0);
    assert!(browser.found().is_empty(), "not from the port of multicast DNS");
    browser.hear(1, address("10.0.0.1:5353"), &cases[3].0);
    browser.hear(1, address("10.0.0.1:5353"), b"no packet at all");
    let expected = BrowserCounters { malformed: 1, senseless: 1, no_room: 0 };
    assert_eq!(browser.counters(), expected);
}

#[test]
fn a_flood_of_cameras_takes_no_more_than_its_room() {
    let mut all = Browser::new(Wanted::All, at(0));
    let mut one = Browser::new(Wanted::Fingerprint(FINGERPRINT.into()), at(0));
    let mut called = Browser::new(Wanted::Called("BARN".into()), at(0));
    let from = address("10.0.0.1:5353");
    for number in 0..200_u16 {
        let fp = format!("fp={number:04x}-0000-0000-0000");
        let packet = announced(&format!("c{number}"), &["v=1", &fp], 5004, &["10.0.0.1"]);
        for browser in [&mut all, &mut one, &mut called] {
            browser.hear(1, from, &packet);
        }
    }
    assert_eq!((all.found().len(), all.counters().no_room), (64, 136));
    for host in 1..=20 {
        let fp = format!("fp={FINGERPRINT}");
        let packet = announced("barn", &["v=1", &fp], 5004, &[&format!("10.0.0.{host}")]);
        one.hear(1, from, &packet);
        called.hear(1, from, &packet);
    }
    for browser in [one, called] {
        let [found] = browser.found() else { panic!("{:?}", browser.found()) };
        assert_eq!(found.addresses.len(), 8);
        assert_eq!(found.addresses.last(), Some(&address("10.0.0.20:5004")), "the newest stay");
    }
}

#[test]
fn a_header_that_claims_the_sky_is_refused() {
    let mut claim = browse(false);
    for at in [4, 6, 8, 10] {
        let before = claim.clone();
        claim[at] = 0xff;
        assert!(packet::parse(&claim).is_none(), "{at}");
        claim = before;
    }
    assert!(packet::parse(&claim).is_some());
    claim.resize(packet::LONGEST + 1, 0);
    assert!(packet::parse(&claim).is_none());
    // A name that points at itself.
    let mut circle = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    circle.extend([0xc0, 12, 0, 12, 0, 1]);
    assert!(packet::parse(&circle).is_none());
}

fn hear_anything(datagram: &[u8]) {
    let mut announcer = quiet(ANY, &[place(1, &["10.0.0.1", "2001:db8::1"])]);
    for from in ["10.0.0.9:5353", "10.0.0.9:1"] {
        let alone = announcer.hear(at(9_000), 1, address(from), datagram);
        let answers = alone.into_iter().chain(announcer.poll_transmit(at(9_000)).map(|(_, packet)| packet));
        for answer in answers {
            assert!(understood(&answer).len() == 1, "{answer:x?}");
        }
    }
    understood(datagram);
}

proptest! {
    #[test]
    fn any_bytes_do_no_harm(datagram in prop::collection::vec(any::<u8>(), 0..600)) {
        hear_anything(&datagram);
    }

    #[test]
    fn nor_do_almost_good_ones(
        which in 0..3_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let fp = format!("fp={FINGERPRINT}");
        let good = || announced("barn", &["v=1", &fp], 5004, &["10.0.0.1", "2001:db8::1"]);
        let mut datagram = vec![browse(false), browse(true), good()].swap_remove(which);
        for (at, byte) in changes {
            let at = at.index(datagram.len());
            datagram[at] = byte;
        }
        let len = cut.index(datagram.len() * 4);
        datagram.truncate(len.max(1));
        hear_anything(&datagram);
    }
}
