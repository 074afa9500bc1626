use std::fs;

use super::*;
use crate::keys::state::test_folder;

#[test]
fn what_is_wrong_is_told_with_line_and_column() {
    let folder = test_folder();
    let mut file = ViewersFile::new(folder.state().clone());
    let key = public_key_to_text(&PublicKey::from_bytes([7; 32]));
    let other = public_key_to_text(&PublicKey::from_bytes([8; 32]));
    let secret = crate::keys::key_text::to_text(crate::keys::key_text::Sort::Secret, &[7; 32]);
    // (lines, place, words)
    let cases = [
        ("anna".to_owned(), "viewers:1:5: ", "the role is missing: a line is NAME ROLE KEY"),
        ("# one\n\n  anna view".to_owned(), "viewers:3:12: ", "the key is missing"),
        (format!("-anna view {key}"), "viewers:1:1: ", "a name is 1 to 32"),
        (format!("anna root {key}"), "viewers:1:6: ", "a role is view, tune or admin"),
        (format!("anna View {key}"), "viewers:1:6: ", "a role is view, tune or admin"),
        (format!("anna view {}", &key[..60]), "viewers:1:11: ", "not a whole public key"),
        (format!("anna view {}", *secret), "viewers:1:11: ", "must never be given to anyone"),
        (format!("anna view {key} her phone"), "viewers:1:78: ", "a remark stands on a line of its own"),
        (format!("anna view {key} # phone"), "viewers:1:78: ", "a remark stands on a line of its own"),
        (format!("anna view {key}\nanna view {other}"), "viewers:2:1: ", "called anna, as in line 1"),
        (
            format!("anna view {key}\n#\nbert view {key}"),
            "viewers:3:1: ",
            "key of anna once more, as in line 1",
        ),
    ];
    for (text, place, words) in cases {
        fs::write(file.path(), &text).unwrap();
        let why = file.read().unwrap_err().to_string();
        assert!(why.contains(place) && why.contains(words), "{text:?}: {why}");
        assert!(!why.contains(&secret[8..20]), "{why}");
        file.edit(|list| Ok(list.remove("anna".parse().unwrap()))).unwrap_err();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), text, "left alone");
    }
}

#[test]
fn lines_hold_name_role_and_key() {
    let folder = test_folder();
    let mut file = ViewersFile::new(folder.state().clone());
    let viewers: Vec<_> = Role::ALL
        .into_iter()
        .map(|role| Viewer {
            name: role.name().parse().unwrap(),
            role,
            key: PublicKey::from_bytes([role.to_wire(); 32]),
        })
        .collect();
    for viewer in &viewers {
        file.edit(|list| list.add(*viewer)).unwrap();
    }
    assert!(file.read().unwrap().iter().eq(&viewers));
}
