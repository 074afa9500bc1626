use super::*;

fn key(number: u8) -> PublicKey {
    PublicKey::from_bytes([number; 32])
}

fn list() -> CamerasList {
    let mut list = CamerasList::new();
    for (number, name, addresses) in [
        (1, "barn", &["192.168.1.30:5004", "[2001:db8::30]:5004"][..]),
        (2, "boat", &["10.0.0.2:6000"]),
        (3, "bench", &["10.0.0.2:5004"]),
        (4, "lost", &[]),
    ] {
        let mut camera = Camera::new(name.parse().unwrap(), key(number));
        camera.addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        list.add(camera).unwrap();
    }
    list
}

fn find(camera: &str, with: Option<u8>) -> Result<Target, String> {
    let camera = camera.to_owned();
    let config = PeerConfig { camera, key: with.map(key), interface: None, state: None };
    let look_up = |host: &str, port| match host {
        "barn.local" => Ok(vec![SocketAddr::from(([192, 168, 1, 30], port))]),
        "elsewhere" => Ok(vec![SocketAddr::from(([192, 0, 2, 1], port))]),
        _ => Err(io::Error::other("who?")),
    };
    Target::find(&config, &list(), Path::new("/state/cameras"), look_up).map_err(|why| why.to_string())
}

#[test]
fn cameras_are_found_by_name_address_and_host() {
    // (what is said, key given, title, key, addresses)
    let cases = [
        ("barn", None, "barn", 1, "192.168.1.30:5004 [2001:db8::30]:5004"),
        ("barn", Some(1), "barn", 1, "192.168.1.30:5004 [2001:db8::30]:5004"),
        ("barn:7000", None, "barn", 1, "192.168.1.30:7000 [2001:db8::30]:7000"),
        ("192.168.1.30", None, "barn", 1, "192.168.1.30:5004"),
        ("2001:db8::30", None, "barn", 1, "[2001:db8::30]:5004"),
        ("[2001:db8::30]:5004", None, "barn", 1, "[2001:db8::30]:5004"),
        ("[2001:db8::30]", None, "barn", 1, "[2001:db8::30]:5004"),
        ("barn.local", None, "barn", 1, "192.168.1.30:5004"),
        ("10.0.0.2:6000", None, "boat", 2, "10.0.0.2:6000"),
        ("elsewhere", Some(3), "bench", 3, "192.0.2.1:5004"),
        ("192.0.2.9:99", Some(9), "192.0.2.9:99", 9, "192.0.2.9:99"),
        ("192.0.2.9", Some(4), "lost", 4, "192.0.2.9:5004"),
        // The local network may know.
        ("lost", None, "lost", 4, ""),
    ];
    for (spoken, with, title, number, addresses) in cases {
        let target = find(spoken, with).unwrap();
        assert_eq!((target.title.as_str(), target.key), (title, key(number)), "{spoken}");
        let found: Vec<String> = target.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(found.join(" "), addresses, "{spoken}");
        assert_eq!(target.known.map(|(name, _)| name.to_string()), (number != 9).then(|| title.to_owned()));
    }
}

#[test]
fn what_is_not_clear_is_told_with_the_mend() {
    let cases = [
        ("barn", Some(2), "says another key for barn"),
        ("192.0.2.9", None, "--key sealpub1"),
        ("elsewhere", None, "--key sealpub1"),
        ("10.0.0.2", None, "boat and bench"),
        ("nowhere", None, "no such host"),
        ("barn:", None, "no port"),
        ("barn:0", None, "port 0"),
        ("192.0.2.9:0", Some(9), "port 0"),
        ("", None, "no name"),
        ("a b", None, "no name"),
        ("239.1.2.3", Some(9), "--multicast"),
    ];
    for (spoken, with, words) in cases {
        let why = find(spoken, with).expect_err(spoken);
        assert!(why.contains(words), "{spoken}: {why}");
    }
}
