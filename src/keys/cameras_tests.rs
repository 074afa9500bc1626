use std::fs;

use super::*;
use crate::keys::state::test_folder;

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 168, 1, last], 5004))
}

fn barn() -> Camera {
    Camera::new("barn".parse().unwrap(), PublicKey::from_bytes([7; 32]))
}

#[test]
fn the_newest_addresses_are_kept() {
    let folder = test_folder();
    let mut file = CamerasFile::new(folder.state().clone());
    file.edit(|list| list.add(barn())).unwrap();
    let mut last = |addresses: &[u8]| {
        for at in addresses {
            file.set_last_address(barn().name, address(*at)).unwrap();
        }
        let list = file.read().unwrap();
        let camera = list.by_name(barn().name).unwrap();
        camera
            .addresses
            .iter()
            .map(|known| known.to_string()[10..].to_owned())
            .collect::<std::vec::Vec<_>>()
            .join(" ")
    };
    assert_eq!(last(&[]), "");
    assert_eq!(last(&[1, 2, 3, 4]), "4:5004 3:5004 2:5004 1:5004");
    assert_eq!(last(&[2]), "2:5004 4:5004 3:5004 1:5004");
    assert_eq!(last(&[5]), "5:5004 2:5004 4:5004 3:5004");
    file.set_last_address(barn().name, address(5)).unwrap();
    assert!(!file.changed(), "nothing new is not written");
    file.edit(|list| Ok(list.remove(barn().name))).unwrap();
    file.set_last_address(barn().name, address(6)).unwrap();
    assert!(file.read().unwrap().is_empty(), "forgotten is forgotten");
}

#[test]
fn lines_come_back_and_mistakes_are_told() {
    let folder = test_folder();
    let mut file = CamerasFile::new(folder.state().clone());
    let mut camera = barn();
    for text in ["10.0.0.1:1", "[2001:db8::30]:5004", "[fe80::1%3]:5004"] {
        camera.reached_at(text.parse().unwrap());
    }
    file.edit(|list| list.put(camera.clone())).unwrap();
    assert_eq!(file.read().unwrap().by_key(&camera.key), Some(&camera));
    let key = public_key_to_text(&barn().key);
    let cases = [
        (String::new(), "cameras:1:5: the key is missing: a line is NAME KEY [ADDR:PORT ...]"),
        (format!("{key} 10.0.0.1"), "cameras:1:73: not an address and port as in 192.168.1.30:5004"),
        (format!("{key} barn.local:5004"), "cameras:1:73: not an address"),
        (format!("{key} 10.0.0.1:1 10.0.0.1:1"), "cameras:1:84: this address once more"),
        (format!("{key} 1.1.1.1:1 1.1.1.1:2 1.1.1.1:3 1.1.1.1:4 1.1.1.1:5"), "more than 4 addresses"),
    ];
    for (rest, words) in cases {
        fs::write(file.path(), format!("barn {rest}\n")).unwrap();
        let why = file.read().unwrap_err().to_string();
        assert!(why.contains(words), "{rest}: {why}");
    }
}
