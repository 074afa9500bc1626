//! Announcer and browser against each other, without a network; and sockets over loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use simple_dns::rdata::{PTR, RData};
use simple_dns::{CLASS, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE};

use super::packet::{self, ALL_SERVICES, SERVICE};
use super::*;
use crate::time::Duration;

pub(super) const FINGERPRINT: &str = "0123-4567-89ab-cdef";
pub(super) const ANY: IpAddr = IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED);

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn at(millis: u64) -> Instant {
    Instant::from_millis(1_000_000 + millis)
}

pub(super) fn place(index: u32, addresses: &[&str]) -> Neighbourhood {
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Neighbourhood { index, name: None, addresses }
}

fn service(name: &str, fingerprint: &str) -> Service {
    Service::new(name.parse().unwrap(), 5004, fingerprint)
}

/// An announcer that has said all it says of itself.
pub(super) fn quiet(listen: IpAddr, places: &[Neighbourhood]) -> Announcer {
    let mut announcer = Announcer::new(service("barn", FINGERPRINT), listen);
    announcer.set_neighbourhoods(at(0), places);
    for millis in [0, 1_000] {
        while announcer.poll_transmit(at(millis)).is_some() {}
    }
    announcer
}

fn question(name: simple_dns::Name<'static>, kind: QTYPE, unicast: bool) -> Vec<u8> {
    let mut query = Packet::new_query(7);
    query.questions.push(Question::new(name, kind, QCLASS::CLASS(CLASS::IN), unicast));
    query.build_bytes_vec().unwrap()
}

pub(super) fn browse(unicast: bool) -> Vec<u8> {
    question(packet::name(SERVICE), QTYPE::TYPE(TYPE::PTR), unicast)
}

/// The kinds of a packet's answers, and of what goes with them.
fn kinds(datagram: &[u8]) -> (Vec<TYPE>, Vec<TYPE>) {
    let packet = packet::parse(datagram).unwrap();
    let kinds = |records: &[ResourceRecord<'_>]| records.iter().map(|r| r.rdata.type_code()).collect();
    (kinds(&packet.answers), kinds(&packet.additional_records))
}

/// What a browser makes of a packet.
pub(super) fn understood(datagram: &[u8]) -> Vec<Found> {
    let mut browser = Browser::new(Wanted::All, at(0));
    browser.hear(3, address("10.0.0.1:5353"), datagram);
    browser.found().to_vec()
}

#[test]
fn a_browser_finds_what_is_announced() {
    let mut announcer = Announcer::new(service("barn.2", FINGERPRINT), ANY);
    announcer.set_neighbourhoods(at(0), &[place(3, &["10.0.0.1", "fe80::1", "2001:db8::1"])]);
    let mut browser = Browser::new(Wanted::All, at(0));
    let query = browser.poll_transmit(at(0)).unwrap();
    // It says so unasked, twice.
    for millis in [0, 1_000] {
        let (index, packet) = announcer.poll_transmit(at(millis)).unwrap();
        assert!(index == 3 && packet.len() < 400, "{} bytes", packet.len());
        assert!(announcer.poll_transmit(at(millis + 999)).is_none());
        let addresses = ["10.0.0.1:5004", "[fe80::1%3]:5004", "[2001:db8::1]:5004"].map(address).to_vec();
        let name = "barn.2".parse().unwrap();
        let expected = Found { name, fingerprint: FINGERPRINT.into(), addresses };
        assert_eq!(understood(&packet), [expected], "{packet:x?}");
    }
    assert!(announcer.poll_transmit(at(60_000)).is_none(), "that was all");
    // And when it is asked.
    assert!(announcer.hear(at(60_000), 3, address("10.0.0.9:5353"), &query).is_none());
    let (_, answer) = announcer.poll_transmit(at(60_000)).unwrap();
    browser.hear(3, address("10.0.0.1:5353"), &answer);
    assert_eq!(browser.found().len(), 1);
    // Until it says goodbye.
    for (index, goodbye) in announcer.goodbyes() {
        let packet = packet::parse(&goodbye).unwrap();
        assert!(index == 3 && packet.answers.iter().all(|record| record.ttl == 0));
        browser.hear(3, address("10.0.0.1:5353"), &goodbye);
    }
    assert!(browser.found().is_empty() && browser.counters() == BrowserCounters::default());
}

#[test]
fn each_question_has_its_answer() {
    let instance = || packet::instance("barn").into_owned();
    let host = || packet::name(["barn-01234567", "local"]);
    let (kind, any) = (QTYPE::TYPE, QTYPE::ANY);
    let ptr = TYPE::PTR;
    let cases = [
        (packet::name(SERVICE), kind(ptr), vec![ptr]),
        (packet::name(["_SealCam", "_UDP", "Local"]), any, vec![ptr]),
        (packet::name(ALL_SERVICES), kind(ptr), vec![ptr]),
        (instance(), kind(TYPE::SRV), vec![TYPE::SRV]),
        (instance(), kind(TYPE::TXT), vec![TYPE::TXT]),
        (instance(), any, vec![TYPE::SRV, TYPE::TXT]),
        (host(), kind(TYPE::A), vec![TYPE::A, TYPE::AAAA]),
        (host(), kind(TYPE::AAAA), vec![TYPE::A, TYPE::AAAA]),
        (packet::name(SERVICE), kind(TYPE::A), vec![]),
        (packet::instance("byre"), kind(TYPE::SRV), vec![]),
        (packet::name(["barn", "local"]), kind(TYPE::A), vec![]),
        (packet::name(["_ipp", "_tcp", "local"]), kind(ptr), vec![]),
        (packet::name([]), any, vec![]),
    ];
    for (name, kind, expected) in cases {
        let mut announcer = quiet(ANY, &[place(1, &["10.0.0.1", "2001:db8::1"])]);
        let query = question(name.clone(), kind, false);
        assert!(announcer.hear(at(9_000), 1, address("10.0.0.9:5353"), &query).is_none());
        let answer = announcer.poll_transmit(at(9_000)).map(|(_, answer)| answer);
        assert_eq!(answer.is_some(), !expected.is_empty(), "{name} {kind:?}");
        if let Some(answer) = answer {
            let (answers, others) = kinds(&answer);
            assert_eq!(answers, expected, "{name} {kind:?}");
            assert!(answers.len() + others.len() >= 5, "{others:?}");
        }
    }
}

#[test]
fn an_interface_is_told_its_own_addresses_and_only_those_listened_at() {
    let places = [place(1, &["10.0.0.1", "2001:db8::1"]), place(2, &["192.0.2.1"])];
    let cases = [
        ("::", vec!["10.0.0.1:5004", "[2001:db8::1]:5004"], true),
        ("0.0.0.0", vec!["10.0.0.1:5004"], true),
        ("2001:db8::1", vec!["[2001:db8::1]:5004"], false),
    ];
    for (listen, expected, second) in cases {
        let mut announcer = quiet(listen.parse().unwrap(), &places);
        for index in [1, 2, 3] {
            announcer.hear(at(9_000), index, address("10.0.0.9:5353"), &browse(false));
        }
        let answers: Vec<_> = std::iter::from_fn(|| announcer.poll_transmit(at(9_000))).collect();
        assert_eq!(answers.len(), 1 + usize::from(second), "{listen}");
        let expected: Vec<_> = expected.into_iter().map(address).collect();
        assert_eq!(understood(&answers[0].1)[0].addresses, expected, "{listen}");
        if second {
            assert_eq!(understood(&answers[1].1)[0].addresses, [address("192.0.2.1:5004")]);
        }
    }
}

#[test]
fn a_change_of_addresses_is_announced_where_it_happens() {
    let (first, second) = (place(1, &["10.0.0.1"]), place(2, &["192.0.2.1"]));
    let mut announcer = quiet(ANY, &[first.clone(), second]);
    announcer.set_neighbourhoods(at(9_000), &[first, place(2, &["192.0.2.77"])]);
    let said: Vec<_> = std::iter::from_fn(|| announcer.poll_transmit(at(9_000))).collect();
    assert_eq!(said.len(), 1);
    assert_eq!((said[0].0, understood(&said[0].1)[0].addresses[0]), (2, address("192.0.2.77:5004")));
    assert!(announcer.poll_transmit(at(10_000)).is_some() && announcer.poll_transmit(at(11_000)).is_none());
}

#[test]
fn all_are_told_once_a_second_at_most() {
    let mut announcer = quiet(ANY, &[place(1, &["10.0.0.1"])]);
    let mut said = 0;
    for millis in 9_000..12_000 {
        announcer.hear(at(millis), 1, address("10.0.0.9:5353"), &browse(false));
        said += u32::from(announcer.poll_transmit(at(millis)).is_some());
    }
    assert_eq!(said, 3);
}

#[test]
fn one_that_knows_is_told_nothing() {
    for (name, ttl, answered) in [("barn", 4_000, false), ("barn", 1_000, true), ("byre", 4_000, true)] {
        let mut announcer = quiet(ANY, &[place(1, &["10.0.0.1"])]);
        let mut query = Packet::new_query(0);
        let asked = QTYPE::TYPE(TYPE::PTR);
        query.questions.push(Question::new(packet::name(SERVICE), asked, QCLASS::ANY, false));
        let known = RData::PTR(PTR(packet::instance(name)));
        query.answers.push(ResourceRecord::new(packet::name(SERVICE), CLASS::IN, ttl, known));
        let query = query.build_bytes_vec_compressed().unwrap();
        announcer.hear(at(9_000), 1, address("10.0.0.9:5353"), &query);
        assert_eq!(announcer.poll_transmit(at(9_000)).is_some(), answered, "{name} {ttl}");
    }
}

#[test]
fn whoever_wants_the_answer_alone_gets_it_alone() {
    let mut announcer = quiet(ANY, &[place(1, &["10.0.0.1"])]);
    let answer = announcer.hear(at(9_000), 1, address("10.0.0.9:5353"), &browse(true)).unwrap();
    assert!(announcer.poll_transmit(at(9_000)).is_none());
    assert_eq!((understood(&answer).len(), packet::parse(&answer).unwrap().id()), (1, 0));
    // Unless the others have not heard it for long.
    assert!(announcer.hear(at(60_000), 1, address("10.0.0.9:5353"), &browse(true)).is_none());
    assert!(announcer.poll_transmit(at(60_000)).is_some());
}

#[test]
fn a_plain_resolver_gets_a_plain_answer() {
    let mut announcer = quiet(ANY, &[place(1, &["10.0.0.1"])]);
    let from = address("10.0.0.9:40000");
    let answer = announcer.hear(at(9_000), 1, from, &browse(false)).unwrap();
    let packet = packet::parse(&answer).unwrap();
    assert_eq!((packet.id(), packet.questions.len()), (7, 1));
    assert!(packet.has_flags(PacketFlag::RESPONSE | PacketFlag::AUTHORITATIVE_ANSWER));
    let mut records = packet.answers.iter().chain(&packet.additional_records);
    assert!(records.all(|record| record.ttl <= 10 && !record.cache_flush));
    assert!(announcer.poll_transmit(at(9_000)).is_none());
    // A hail of questions does not make a hail of answers.
    let answered = (0..100).filter(|_| announcer.hear(at(9_500), 1, from, &browse(false)).is_some());
    assert_eq!(answered.count(), 9);
    assert!(announcer.hear(at(10_000), 1, from, &browse(false)).is_some());
}

#[test]
fn two_cameras_of_one_name_are_told_apart() {
    let other = "fedc-ba98-7654-3210";
    let mut browser = Browser::new(Wanted::All, at(0));
    for (fingerprint, own) in [(FINGERPRINT, "10.0.0.1"), (other, "10.0.0.2")] {
        let mut announcer = Announcer::new(service("barn", fingerprint), ANY);
        announcer.set_neighbourhoods(at(0), &[place(1, &[own])]);
        let (_, packet) = announcer.poll_transmit(at(0)).unwrap();
        // Neither takes the other's records out of the caches of third parties.
        let parsed = packet::parse(&packet).unwrap();
        let flush = |record: &ResourceRecord<'_>| record.cache_flush && record.rdata.type_code() != TYPE::A;
        assert!(!parsed.answers.iter().any(flush));
        browser.hear(1, address("10.0.0.1:5353"), &packet);
    }
    let [first, second] = browser.found() else { panic!("{:?}", browser.found()) };
    assert_eq!(
        (first.addresses[0], second.addresses[0]),
        (address("10.0.0.1:5004"), address("10.0.0.2:5004"))
    );
    assert_eq!(second.fingerprint, other);
}

#[test]
fn a_browser_asks_ever_more_rarely() {
    let mut browser = Browser::new(Wanted::All, at(0));
    let asked = |browser: &mut Browser, from: u64, to: u64| -> Vec<u64> {
        (from..to).filter(|second| browser.poll_transmit(at(second * 1_000)).is_some()).collect()
    };
    assert_eq!(asked(&mut browser, 0, 100), [0, 1, 4, 13, 40, 70]);
    browser.ask_again(at(100_000));
    assert_eq!(asked(&mut browser, 100, 110), [100, 101, 104]);
}

/// Both ends over the loopback interface, at the real port, which other programs may use as well.
#[cfg(target_os = "linux")]
#[test]
fn sockets_carry_it_over_loopback() {
    let lo = Interface::Name("lo".into());
    let name = format!("test-{}", std::process::id());
    let service = service(&name, FINGERPRINT);
    let mut announcing = Announcing::new(service, ANY, Some(&lo), crate::clock::now()).unwrap();
    let mut browsing = Browsing::new(Wanted::Called(name), Some(&lo), crate::clock::now());
    let end = crate::clock::now() + Duration::from_secs(5);
    while browsing.found().is_empty() {
        let now = crate::clock::now();
        assert!(now < end, "nothing found: {browsing:?}");
        assert_eq!((browsing.attend(now), announcing.attend(now)), (None, None));
        std::thread::park_timeout(Duration::from_millis(10));
    }
    let found = &browsing.found()[0];
    assert!(found.addresses.contains(&(Ipv4Addr::LOCALHOST, 5004).into()), "{found:?}");
    announcing.end();
    while !browsing.found().is_empty() {
        assert!(crate::clock::now() < end, "the goodbye was not heard");
        browsing.attend(crate::clock::now());
    }
    assert!(Announcing::new(service_of("barn"), Ipv4Addr::LOCALHOST.into(), None, end).is_none());
}

#[cfg(target_os = "linux")]
fn service_of(name: &str) -> Service {
    service(name, FINGERPRINT)
}

/// Port 5353 is another's, or there is no such interface: it is said once, and nothing else happens.
#[cfg(target_os = "linux")]
#[test]
fn what_is_wrong_is_said_once() {
    let now = at(0);
    let nosuch = Interface::Name("nosuch0".into());
    let mut announcing = Announcing::new(service("barn", FINGERPRINT), ANY, Some(&nosuch), now).unwrap();
    let said: Vec<_> = (0..20).filter_map(|second| announcing.attend(at(second * 1_000))).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    announcing.end();
}
