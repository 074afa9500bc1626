//! A viewer's part: what it asks, and what it keeps of what it hears. Bytes in, bytes out; time is an argument.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use simple_dns::rdata::{RData, TXT};
use simple_dns::{Name, Packet, QCLASS, QTYPE, Question, ResourceRecord, TYPE};

use super::PORT;
use super::packet::{self, INTERNET, SERVICE, is_response};
use crate::time::{Duration, Instant};
use crate::wire::Name as CameraName;

/// Cameras that are kept.
const CAMERAS: usize = 64;
/// Addresses that are kept of each, the newest.
const ADDRESSES: usize = 8;
/// Cameras that one packet may tell of.
const IN_A_PACKET: usize = 8;
/// The first interval between two questions; each is three times the one before, up to the longest.
const FIRST_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_INTERVAL: Duration = Duration::from_secs(30);
/// A fingerprint as text: four groups of four digits.
const FINGERPRINT: usize = 19;

/// Which cameras are looked for: others are not kept, however many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All.
    All,
    /// Those whose public key claims this fingerprint.
    Fingerprint(String),
    /// Those that call themselves so, in small letters or capitals.
    Called(String),
}

/// A camera, as it is announced. Nothing of it is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it calls itself.
    pub name: CameraName,
    /// The fingerprint of its public key, as text.
    pub fingerprint: String,
    /// Where it may be reached.
    pub addresses: Vec<SocketAddr>,
}

/// What has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BrowserCounters {
    /// Packets that are none.
    pub malformed: u64,
    /// Announcements that make no sense.
    pub senseless: u64,
    /// Cameras for which there was no room.
    pub no_room: u64,
}

/// Looks for cameras. Reads no clock and does no I/O.
#[derive(Debug)]
pub struct Browser {
    wanted: Wanted,
    found: Vec<Found>,
    ask_at: Instant,
    interval: Duration,
    counters: BrowserCounters,
}

impl Browser {
    /// Looks for those `wanted`.
    #[must_use]
    pub const fn new(wanted: Wanted, now: Instant) -> Self {
        let counters = BrowserCounters { malformed: 0, senseless: 0, no_room: 0 };
        Self { wanted, found: Vec::new(), ask_at: now, interval: FIRST_INTERVAL, counters }
    }

    /// Begins anew to ask, for the network is another.
    pub const fn ask_again(&mut self, now: Instant) {
        self.ask_at = now;
        self.interval = FIRST_INTERVAL;
    }

    /// The question, when it is due.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        if now < self.ask_at {
            return None;
        }
        self.ask_at = now + self.interval;
        self.interval = (self.interval * 3).min(LONGEST_INTERVAL);
        let mut packet = Packet::new_query(0);
        let question = (QTYPE::TYPE(TYPE::PTR), QCLASS::CLASS(INTERNET));
        packet.questions.push(Question::new(packet::name(SERVICE), question.0, question.1, false));
        packet.build_bytes_vec().ok()
    }

    /// Takes a datagram that came at the interface `index`.
    pub fn hear(&mut self, index: u32, from: SocketAddr, datagram: &[u8]) {
        let Some(packet) = packet::parse(datagram) else {
            self.counters.malformed += 1;
            return;
        };
        // RFC 6762 section 6: answers from elsewhere are to be ignored.
        if !is_response(&packet) || from.port() != PORT {
            return;
        }
        let records = || packet.answers.iter().chain(&packet.additional_records);
        let texts = records().filter_map(|record| match &record.rdata {
            RData::TXT(text) => Some((record, text)),
            _ => None,
        });
        let service = packet::name(SERVICE);
        for (record, text) in
            texts.filter(|(record, _)| record.name.is_subdomain_of(&service)).take(IN_A_PACKET)
        {
            let Some((name, fingerprint)) = identity(&record.name, text) else {
                self.counters.senseless += 1;
                continue;
            };
            if record.ttl == 0 {
                self.found.retain(|found| found.name != name || found.fingerprint != fingerprint);
            } else if self.wants(name, &fingerprint) {
                let addresses = addresses(records, &record.name, index, from);
                self.keep(Found { name, fingerprint, addresses });
            }
        }
    }

    fn wants(&self, name: CameraName, fingerprint: &str) -> bool {
        match &self.wanted {
            Wanted::All => true,
            Wanted::Fingerprint(wanted) => wanted == fingerprint,
            Wanted::Called(wanted) => wanted.eq_ignore_ascii_case(name.as_str()),
        }
    }

    fn keep(&mut self, told: Found) {
        let same = |found: &&mut Found| found.name == told.name && found.fingerprint == told.fingerprint;
        if let Some(known) = self.found.iter_mut().find(same) {
            for address in told.addresses {
                known.addresses.retain(|before| *before != address);
                known.addresses.push(address);
            }
            let surplus = known.addresses.len().saturating_sub(ADDRESSES);
            known.addresses.drain(..surplus);
        } else if told.addresses.is_empty() {
            self.counters.senseless += 1;
        } else if self.found.len() < CAMERAS {
            self.found.push(told);
        } else {
            self.counters.no_room += 1;
        }
    }

    /// What was found so far, in the order in which it came.
    #[must_use]
    pub fn found(&self) -> &[Found] {
        &self.found
    }

    /// What has come.
    #[must_use]
    pub const fn counters(&self) -> BrowserCounters {
        self.counters
    }
}

/// What an instance calls itself, and its fingerprint: both as a camera would have them, for people will see them.
fn identity(name: &Name<'_>, text: &TXT<'_>) -> Option<(CameraName, String)> {
    let [instance, _, _, _] = name.get_labels() else { return None };
    let name: CameraName = std::str::from_utf8(instance.as_ref()).ok()?.parse().ok()?;
    // The first of a key counts (RFC 6763 section 6.4).
    let value = |wanted: &[u8]| text.iter_raw().find(|(key, _)| key.eq_ignore_ascii_case(wanted))?.1;
    if value(b"v") != Some(b"1") {
        return None;
    }
    let fingerprint = std::str::from_utf8(value(b"fp")?).ok()?;
    let is_digit = |(at, byte): (usize, u8)| match at % 5 {
        4 => byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    let is_one = fingerprint.len() == FINGERPRINT && fingerprint.bytes().enumerate().all(is_digit);
    is_one.then(|| (name, fingerprint.to_owned()))
}

/// Where the instance `of` is, as the packet says that came from `from` at the interface `index`.
fn addresses<'p, I: Iterator<Item = &'p ResourceRecord<'p>>>(
    records: impl Fn() -> I,
    of: &Name<'_>,
    index: u32,
    from: SocketAddr,
) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    let places = records().filter(|record| record.name == *of).filter_map(|record| match &record.rdata {
        RData::SRV(place) if place.port != 0 && record.ttl != 0 => Some(place),
        _ => None,
    });
    for place in places.take(IN_A_PACKET) {
        for record in records().filter(|record| record.name == place.target && record.ttl != 0) {
            let ip = match &record.rdata {
                RData::A(a) => IpAddr::V4(a.address.into()),
                RData::AAAA(aaaa) => IpAddr::V6(aaaa.address.into()),
                _ => continue,
            };
            let address = at_interface(ip, place.port, index);
            if is_plausible(ip, from) && !found.contains(&address) && found.len() < ADDRESSES {
                found.push(address);
            }
        }
    }
    found
}

/// Whether a camera can be there. Only a neighbour on this very machine is on this machine.
fn is_plausible(ip: IpAddr, from: SocketAddr) -> bool {
    let nowhere = match ip {
        IpAddr::V4(v4) => v4.is_broadcast() || v4.octets()[0] == 0,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().is_some(),
    };
    let near = !ip.is_loopback() || from.ip().to_canonical().is_loopback();
    !nowhere && !ip.is_unspecified() && !ip.is_multicast() && near
}

/// An address that every interface has its own of is one of the interface where it was heard of.
const fn at_interface(ip: IpAddr, port: u16, index: u32) -> SocketAddr {
    match ip {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => SocketAddr::V6(SocketAddrV6::new(v6, port, 0, index)),
        ip => SocketAddr::new(ip, port),
    }
}
