//! Cameras that announce themselves on the local network.

use std::net::SocketAddr;
use std::thread;

use crate::clock;
use crate::keys::cameras::CamerasList;
use crate::net::Interface;
use crate::net::discovery::{Browsing, Found, Wanted};
use crate::time::Duration;

/// The network is listened to for so long: a question that is lost is asked again after one second.
pub const FOR: Duration = Duration::from_secs(3);

/// How often it is looked at what has come.
const TURN: Duration = Duration::from_millis(50);

/// Looks for cameras for `length`, or until `enough` says so.
pub fn find(
    wanted: Wanted,
    interface: Option<&Interface>,
    length: Duration,
    enough: impl Fn(&[Found]) -> bool,
) -> Vec<Found> {
    let begun = clock::now();
    let mut browsing = Browsing::new(wanted, interface, begun);
    loop {
        let now = clock::now();
        if let Some(why) = browsing.attend(now) {
            log::warn!("the local network cannot be asked: {why}");
        }
        if enough(browsing.found()) || now.since(begun) >= length {
            log::debug!("what was heard: {:?}", browsing.counters());
            return browsing.found().to_vec();
        }
        thread::park_timeout(TURN);
    }
}

/// The addresses of cameras that call themselves `name`, each at `port` if one is given.
#[must_use]
pub fn called(name: &str, port: Option<u16>) -> Vec<SocketAddr> {
    let found = find(Wanted::Called(name.to_owned()), None, FOR, |found| !found.is_empty());
    let mut addresses: Vec<SocketAddr> = found.into_iter().flat_map(|found| found.addresses).collect();
    for address in &mut addresses {
        address.set_port(port.unwrap_or(address.port()));
    }
    addresses
}

/// What was found, a line each, and who of them is known.
pub(super) fn as_text(found: &[Found], list: &CamerasList) -> String {
    if found.is_empty() {
        return "No camera announces itself on the local network. Cameras under a shared key do not, nor do those \
                with --no-announce; a firewall may keep mDNS (UDP port 5353) back.\n"
            .into();
    }
    let widest = found.iter().map(|found| found.name.as_str().len()).max().unwrap_or_default();
    let line = |found: &Found| {
        let known = list.iter().find(|camera| camera.key.fingerprint().to_string() == found.fingerprint);
        let known = match known {
            Some(camera) if camera.name == found.name => "known".to_owned(),
            Some(camera) => format!("known as {}", camera.name),
            None => "not known".to_owned(),
        };
        let addresses: String = found.addresses.iter().map(|address| format!(" {address}")).collect();
        format!("{:<widest$} {} {known}:{addresses}\n", found.name, found.fingerprint)
    };
    found.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::cameras::Camera;
    use crate::proto::identity::PublicKey;

    #[test]
    fn what_was_found_is_compared_with_what_is_known() {
        let key = PublicKey::from_bytes([7; 32]);
        let mut list = CamerasList::default();
        list.add(Camera::new("barn".parse().unwrap(), key)).unwrap();
        let found = |name: &str, fingerprint: String| Found {
            name: name.parse().unwrap(),
            fingerprint,
            addresses: vec!["10.0.0.1:5004".parse().unwrap(), "[fe80::1%3]:5004".parse().unwrap()],
        };
        let own = || key.fingerprint().to_string();
        let all = [found("barn", own()), found("shed", own()), found("barn", "0000-0000-0000-0000".into())];
        let text = as_text(&all, &list);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!("barn {} known: 10.0.0.1:5004 [fe80::1%3]:5004", own()));
        assert!(lines[1].contains(" known as barn: ") && lines[2].contains(" not known: "), "{text}");
        assert!(as_text(&[], &list).contains("--no-announce"));
    }
}
