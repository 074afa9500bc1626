//! Bytes to packets of the domain name system and back.

use simple_dns::{CLASS, Label, Name, OPCODE, Packet, PacketFlag, RCODE};

/// The longest packet that is looked at: what one frame of Ethernet carries.
pub(super) const LONGEST: usize = 1_500;

/// The name of the service, as it stands in the domain name system.
pub(super) const SERVICE: [&str; 3] = ["_sealcam", "_udp", LOCAL];
/// The name under which all services of a network are found (RFC 6763 section 9).
pub(super) const ALL_SERVICES: [&str; 4] = ["_services", "_dns-sd", "_udp", LOCAL];
/// The domain of multicast DNS.
pub(super) const LOCAL: &str = "local";

const HEADER: usize = 12;
const SHORTEST_QUESTION: usize = 5;
const SHORTEST_RECORD: usize = 11;

/// Reads a packet; `None` if it is none, or too long.
///
/// The parser takes memory for as many records as the header claims: what cannot be there is refused before.
pub(super) fn parse(datagram: &[u8]) -> Option<Packet<'_>> {
    if datagram.len() > LONGEST {
        return None;
    }
    let (header, rest) = datagram.split_at_checked(HEADER)?;
    let count = |at: usize| usize::from(u16::from_be_bytes([header[at], header[at + 1]]));
    let records = count(6) + count(8) + count(10);
    if count(4) * SHORTEST_QUESTION + records * SHORTEST_RECORD > rest.len() {
        return None;
    }
    // RFC 6762 section 18: others are to be ignored.
    Packet::parse(datagram)
        .ok()
        .filter(|packet| packet.opcode() == OPCODE::StandardQuery && packet.rcode() == RCODE::NoError)
}

/// Whether a packet tells something, rather than ask.
pub(super) fn is_response(packet: &Packet<'_>) -> bool {
    packet.has_flags(PacketFlag::RESPONSE)
}

/// A name of these labels.
pub(super) fn name<'a>(labels: impl IntoIterator<Item = &'a str>) -> Name<'a> {
    // All of them are constants or shorter than 63 bytes.
    let labels: Vec<Label<'a>> =
        labels.into_iter().map(|label| Label::new_unchecked(label.as_bytes())).collect();
    Name::new_with_labels(&labels)
}

/// The name of an instance of the service.
pub(super) fn instance(of: &str) -> Name<'_> {
    name(std::iter::once(of).chain(SERVICE))
}

/// The class of everything here.
pub(super) const INTERNET: CLASS = CLASS::IN;
