//! Key files as people get them wrong, and the wrong key.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use sealcam::time::Duration;

use crate::program::{Program, Room, SEALCAM, free_port};

/// Both programs refuse the key file `name`, saying `words`.
#[track_caller]
fn refused(room: &Room, name: &str, words: &[&str]) {
    let at = format!("127.0.0.1:{}", free_port());
    let args = format!("--key @{name}");
    for command in [room.viewer(&at, &args), room.camera(&at, &format!("{args} --source pattern"))] {
        let ended = Program::start(command).wait();
        assert_eq!(ended.code, Some(2), "{name}: {}", ended.told);
        for word in words {
            assert!(ended.told.contains(word), "{name}: {word:?} is not in {}", ended.told);
        }
        assert!(!ended.told.contains("sealkey1q"), "a key in the log: {}", ended.told);
    }
}

#[test]
fn key_files_that_are_not_right_are_refused_with_the_mend() {
    let room = Room::new("keys");
    let text = fs::read_to_string(room.path("key")).unwrap();
    let key_line = text.lines().find(|line| line.starts_with("sealkey1")).unwrap();
    let write = |name: &str, text: &str| {
        fs::write(room.path(name), text).unwrap();
        fs::set_permissions(room.path(name), Permissions::from_mode(0o600)).unwrap();
    };
    for (mode, shown) in [(0o644, "0644"), (0o640, "0640"), (0o602, "0602")] {
        write("loose", &text);
        fs::set_permissions(room.path("loose"), Permissions::from_mode(mode)).unwrap();
        refused(&room, "loose", &["can be read by others", shown, "chmod 600"]);
    }
    let mut wrong = key_line.to_owned();
    let letter = wrong.remove(20);
    wrong.insert(20, if letter == 'q' { 'p' } else { 'q' });
    let cases: [(&str, &str, &[&str]); 8] = [
        ("mistyped", &wrong, &["damaged", "copy it again"]),
        ("cut", &key_line[..40], &["damaged", "copy it again"]),
        ("nothing", "", &["holds no key", "sealcam keygen --out"]),
        ("twice", &format!("{key_line}\n{key_line}\n"), &["line 2: a second key"]),
        // 32 bytes in URL-safe base 64, as Fernet has them.
        ("fernet", "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=\n", &["Fernet", "sealcam keygen --out"]),
        (
            "pem",
            "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----\n",
            &["PEM", "sealcam keygen --out"],
        ),
        ("long", &"#\n".repeat(5000), &["longer than 4096 bytes"]),
        ("prose", "my secret\n", &["damaged", "sealkey1"]),
    ];
    for (name, text, words) in cases {
        write(name, text);
        refused(&room, name, words);
    }
    std::os::unix::fs::symlink(room.path("key"), room.path("link")).unwrap();
    refused(&room, "link", &["symbolic link"]);
    refused(&room, "", &["not a regular file"]);
}

#[test]
fn a_key_is_never_overwritten() {
    let room = Room::new("keygen");
    let before = fs::read(room.path("key")).unwrap();
    std::os::unix::fs::symlink(room.path("target"), room.path("dangling")).unwrap();
    for name in ["key", "dangling"] {
        let ended = Program::start(room.command(SEALCAM, "keygen", &format!("--out @{name}"))).wait();
        assert_eq!(ended.code, Some(2), "{}", ended.told);
        assert!(ended.told.contains("never overwritten"), "{}", ended.told);
    }
    assert_eq!(fs::read(room.path("key")).unwrap(), before);
    assert!(!room.path("target").exists());
    assert_ne!(room.make_key("other"), room.make_key("another"));
}

#[test]
fn the_wrong_key_is_told_within_two_seconds_with_its_fingerprint() {
    let room = Room::new("wrong-key");
    let (at, wrong) = (format!("127.0.0.1:{}", free_port()), room.make_key("wrong"));
    let camera = Program::start(room.camera(&at, "--source pattern:320x240@30"));
    camera.wait_for("are encoded");
    let viewer = Program::viewer(room.viewer(&at, "--key @wrong --timeout 3"));
    let took = viewer.wait_for("wrong key: datagrams arrive");
    assert!(took < Duration::from_secs(2), "{took:?}");
    let viewer = viewer.wait();
    assert_eq!(viewer.code, Some(1), "{}", viewer.told);
    let line = viewer.told.lines().find(|line| line.contains("wrong key")).unwrap();
    assert!(line.starts_with("error: ") && line.contains(&wrong), "{line}");
    assert!(viewer.told.lines().last().unwrap().contains("wrong key"), "and at the end: {}", viewer.told);
    let seen = room.newest("viewer.json");
    assert!(seen.n("forged") > 0 && seen.n("whole") == 0, "{seen:?}");
    // The camera has said which key it has, and that is another.
    let camera = camera.ends_well();
    assert!(camera.told.contains("key ") && !camera.told.contains(&wrong), "{}", camera.told);
}
