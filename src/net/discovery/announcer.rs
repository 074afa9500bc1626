//! A camera's part: what it says, and when. Bytes in, bytes out; time is an argument.

use std::net::{IpAddr, SocketAddr};

use simple_dns::rdata::{A, AAAA, PTR, RData, SRV, TXT};
use simple_dns::{Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE};

use super::packet::{self, ALL_SERVICES, INTERNET, LOCAL, SERVICE, is_response};
use super::{Neighbourhood, PORT};
use crate::time::{Duration, Instant};
use crate::wire::Name as CameraName;

/// Announcements at the start and after a change of addresses, and what lies between them (RFC 6762 section 8.3).
const ANNOUNCEMENTS: u8 = 2;
/// Between two multicasts on an interface, whoever asks (RFC 6762 section 6).
const SPACING: Duration = Duration::from_secs(1);
/// Whoever wants the answer for itself gets it so, if all have had it within this time: a quarter of
/// [`HOST_TTL`] (RFC 6762 section 5.4).
const RECENT: Duration = Duration::from_secs(30);
/// Answers to single ones on an interface in a second: those that ask may be others than they claim.
const UNICASTS: u8 = 10;
/// How long records that name a host hold \[s\].
const HOST_TTL: u32 = 120;
/// The others.
const OTHER_TTL: u32 = 4_500;
/// At most so long for those who do not take part (RFC 6762 section 6.7).
const LEGACY_TTL: u32 = 10;
/// Addresses that are told of an interface.
const ADDRESSES: usize = 8;

/// What is announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    name: String,
    host: String,
    port: u16,
    fingerprint: String,
}

impl Service {
    /// The camera `name`, which viewers reach at `port`, and the fingerprint of its public key.
    ///
    /// Its host name carries the start of the fingerprint: two cameras of one name, or another program that
    /// answers for this machine, do not contradict each other.
    #[must_use]
    pub fn new(name: CameraName, port: u16, fingerprint: &str) -> Self {
        let tail: String = fingerprint.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        let host: String = name.as_str().chars().map(letter).collect();
        Self {
            name: name.to_string(),
            host: format!("{}-{tail}", host.trim_end_matches('-')).to_ascii_lowercase(),
            port,
            fingerprint: format!("fp={fingerprint}"),
        }
    }
}

/// What a question asks for, or an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Parts {
    services: bool,
    pointer: bool,
    place: bool,
    text: bool,
    host: bool,
}

impl Parts {
    const NONE: Self = Self { services: false, pointer: false, place: false, text: false, host: false };
    /// All that belongs to an instance.
    const ALL: Self = Self { services: false, pointer: true, place: true, text: true, host: true };

    const fn and(self, other: Self) -> Self {
        Self {
            services: self.services || other.services,
            pointer: self.pointer || other.pointer,
            place: self.place || other.place,
            text: self.text || other.text,
            host: self.host || other.host,
        }
    }
}

/// What is going on at an interface.
#[derive(Debug)]
struct Talk {
    place: Neighbourhood,
    /// Announcements that are left, and when the next is due.
    left: u8,
    next: Instant,
    /// What was asked for and is not answered yet.
    asked: Parts,
    spoke: Option<Instant>,
    /// Answers to single ones since.
    unicasts: (Instant, u8),
}

/// Whom an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// All that take part.
    Usual,
    /// One that does not: it sends from another port.
    Legacy,
    /// All, for the last time.
    Goodbye,
}

/// Says where a camera is. Reads no clock and does no I/O.
#[derive(Debug)]
pub struct Announcer {
    service: Service,
    listen: IpAddr,
    talks: Vec<Talk>,
}

impl Announcer {
    /// Of the addresses of an interface those are told that `listen` covers.
    #[must_use]
    pub const fn new(service: Service, listen: IpAddr) -> Self {
        Self { service, listen, talks: Vec::new() }
    }

    /// The interfaces are these now. Those that are new or have other addresses hear of it.
    pub fn set_neighbourhoods(&mut self, now: Instant, places: &[Neighbourhood]) {
        let mut before = std::mem::take(&mut self.talks);
        for place in places {
            let mut place = place.clone();
            place.addresses.retain(|address| self.covers(*address));
            place.addresses.truncate(ADDRESSES);
            if place.addresses.is_empty() {
                continue;
            }
            let known = before.iter().position(|talk| talk.place == place).map(|at| before.swap_remove(at));
            self.talks.push(known.unwrap_or(Talk {
                place,
                left: ANNOUNCEMENTS,
                next: now,
                asked: Parts::NONE,
                spoke: None,
                unicasts: (now, 0),
            }));
        }
    }

    fn covers(&self, address: IpAddr) -> bool {
        match self.listen {
            IpAddr::V6(any) if any.is_unspecified() => true,
            IpAddr::V4(any) if any.is_unspecified() => address.is_ipv4(),
            only => address == only,
        }
    }

    /// Takes a datagram that came at the interface `index`. Returns an answer for the one who sent it, if that is
    /// owed; what is for all comes by [`Announcer::poll_transmit`].
    pub fn hear(&mut self, now: Instant, index: u32, from: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        let packet = packet::parse(datagram).filter(|packet| !is_response(packet))?;
        let Self { service, talks, .. } = self;
        let talk = talks.iter_mut().find(|talk| talk.place.index == index)?;
        let legacy = from.port() != PORT;
        let recently = talk.spoke.is_some_and(|at| now.since(at) < RECENT);
        let (mut to_all, mut to_one) = (Parts::NONE, Parts::NONE);
        for question in &packet.questions {
            let asked = service.asked(question);
            if legacy || (question.unicast_response && recently) {
                to_one = to_one.and(asked);
            } else {
                to_all = to_all.and(asked);
            }
        }
        if service.is_known(&packet.answers) {
            (to_all.pointer, to_one.pointer) = (false, false);
        }
        talk.asked = talk.asked.and(to_all);
        if to_one == Parts::NONE || !talk.may_answer_one(now) {
            return None;
        }
        let manner = if legacy { Manner::Legacy } else { Manner::Usual };
        let mut answer = service.packet(&talk.place.addresses, to_one, manner);
        if legacy {
            answer.set_id(packet.id());
            answer.questions = packet.questions;
        }
        answer.build_bytes_vec_compressed().ok()
    }

    /// The next packet that is due for all, and the interface it is for. To be called until it says `None`.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<(u32, Vec<u8>)> {
        let Self { service, talks, .. } = self;
        let talk = talks.iter_mut().find(|talk| talk.is_due(now))?;
        let mut parts = std::mem::take(&mut talk.asked);
        if talk.left > 0 && now >= talk.next {
            parts = parts.and(Parts::ALL);
            (talk.left, talk.next) = (talk.left - 1, now + SPACING);
        }
        talk.spoke = Some(now);
        let packet = service.packet(&talk.place.addresses, parts, Manner::Usual);
        packet.build_bytes_vec_compressed().ok().map(|packet| (talk.place.index, packet))
    }

    /// What is to be said at the end, and where.
    pub fn goodbyes(&self) -> impl Iterator<Item = (u32, Vec<u8>)> + '_ {
        self.talks.iter().filter_map(|talk| {
            let packet = self.service.packet(&talk.place.addresses, Parts::ALL, Manner::Goodbye);
            Some((talk.place.index, packet.build_bytes_vec_compressed().ok()?))
        })
    }
}

impl Talk {
    fn is_due(&self, now: Instant) -> bool {
        let may = self.spoke.is_none_or(|at| now.since(at) >= SPACING);
        may && (self.asked != Parts::NONE || (self.left > 0 && now >= self.next))
    }

    fn may_answer_one(&mut self, now: Instant) -> bool {
        if now.since(self.unicasts.0) >= SPACING {
            self.unicasts = (now, 0);
        }
        self.unicasts.1 += 1;
        self.unicasts.1 <= UNICASTS
    }
}

impl Service {
    fn host_name(&self) -> Name<'_> {
        packet::name([self.host.as_str(), LOCAL])
    }

    fn instance_name(&self) -> Name<'_> {
        packet::instance(&self.name)
    }

    /// What `question` asks of this service.
    fn asked(&self, question: &Question<'_>) -> Parts {
        if !matches!(question.qclass, QCLASS::ANY | QCLASS::CLASS(INTERNET)) {
            return Parts::NONE;
        }
        let any = question.qtype == QTYPE::ANY;
        let is = |kind: TYPE| any || question.qtype == QTYPE::TYPE(kind);
        let of = &question.qname;
        if *of == packet::name(SERVICE) {
            return Parts { pointer: is(TYPE::PTR), ..Parts::NONE };
        }
        if *of == packet::name(ALL_SERVICES) {
            return Parts { services: is(TYPE::PTR), ..Parts::NONE };
        }
        if *of == self.instance_name() {
            return Parts { place: is(TYPE::SRV), text: is(TYPE::TXT), ..Parts::NONE };
        }
        if *of == self.host_name() {
            return Parts { host: is(TYPE::A) || is(TYPE::AAAA), ..Parts::NONE };
        }
        Parts::NONE
    }

    /// Whether the one who asks knows the pointer already, for long enough (RFC 6762 section 7.1).
    fn is_known(&self, answers: &[ResourceRecord<'_>]) -> bool {
        let (service, own) = (packet::name(SERVICE), self.instance_name());
        answers.iter().any(|known| {
            known.name == service
                && known.ttl >= OTHER_TTL / 2
                && matches!(&known.rdata, RData::PTR(PTR(to)) if *to == own)
        })
    }

    /// What was asked for is the answer; the rest goes with it, so that nobody need ask again.
    fn packet(&self, addresses: &[IpAddr], asked: Parts, manner: Manner) -> Packet<'_> {
        let mut packet = Packet::new_reply(0);
        packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
        let ttl = |ttl: u32| match manner {
            Manner::Usual => ttl,
            Manner::Legacy => ttl.min(LEGACY_TTL),
            Manner::Goodbye => 0,
        };
        let mut put = |is_asked: bool, name: Name<'_>, holds: u32, data: RData<'_>, flush: bool| {
            let record = ResourceRecord::new(name, INTERNET, ttl(holds), data);
            // Records that others may have too are not theirs to replace, nor are those who do not take part to be
            // told so (RFC 6762 sections 10.2 and 6.7).
            let record = record.with_cache_flush(flush && manner != Manner::Legacy).into_owned();
            if is_asked { packet.answers.push(record) } else { packet.additional_records.push(record) }
        };
        let service = || packet::name(SERVICE);
        if asked.services {
            put(true, packet::name(ALL_SERVICES), OTHER_TTL, RData::PTR(PTR(service())), false);
        }
        put(asked.pointer, service(), OTHER_TTL, RData::PTR(PTR(self.instance_name())), false);
        let place = SRV { priority: 0, weight: 0, port: self.port, target: self.host_name() };
        put(asked.place, self.instance_name(), HOST_TTL, RData::SRV(place), false);
        if let Ok(text) = TXT::new().with_string("v=1").and_then(|text| text.with_string(&self.fingerprint)) {
            put(asked.text, self.instance_name(), OTHER_TTL, RData::TXT(text), false);
        }
        for address in addresses {
            let data = match *address {
                IpAddr::V4(v4) => RData::A(A::from(v4)),
                IpAddr::V6(v6) => RData::AAAA(AAAA::from(v6)),
            };
            put(asked.host, self.host_name(), HOST_TTL, data, true);
        }
        packet
    }
}
