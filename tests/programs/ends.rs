//! Whose key is whose: identities, the camera's viewers, the viewer's cameras.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

use serde_json::Value;

use crate::program::{Ended, Program, Room, SEALCAM, SEALVIEW};

/// What a command that succeeds writes to standard output; it has nothing to complain about.
#[track_caller]
fn shown(room: &Room, program: &str, line: &str) -> String {
    let Ended { output, told, .. } = Program::start(room.command(program, line, "")).succeeds();
    assert_eq!(told, "", "{line}");
    String::from_utf8(output).unwrap()
}

/// A command that must fail with `code`, and say all of `words`.
#[track_caller]
fn refused(room: &Room, program: &str, line: &str, code: i32, words: &[&str]) {
    let ended = Program::start(room.command(program, line, "")).wait();
    assert_eq!(ended.code, Some(code), "{line}: {}", ended.told);
    for word in words {
        assert!(ended.told.contains(word), "{line}: {word:?} is not in {}", ended.told);
    }
    assert!(ended.output.is_empty() && !ended.told.contains("sealid1q"), "{line}: {}", ended.told);
}

/// A new viewer's public key.
fn viewer_key(room: &Room, name: &str) -> String {
    shown(room, SEALVIEW, &format!("identity --state @{name}")).lines().next().unwrap().to_owned()
}

#[test]
fn identities_are_made_once_and_shown_with_the_line_for_the_other_end() {
    let room = Room::new("identity");
    for (program, option, command) in [
        (SEALCAM, "", "sealview cameras add "),
        (SEALCAM, "--name barn", "sealview cameras add barn "),
        (SEALVIEW, "", "sealcam viewers add "),
        (SEALVIEW, "--name laptop", "sealcam viewers add laptop "),
    ] {
        let state = if program == SEALCAM { "@camera" } else { "@viewer" };
        let text = shown(&room, program, &format!("identity --state {state} {option}"));
        let key = text.lines().next().unwrap();
        assert!(key.len() == 66 && key.starts_with("sealpub1"), "{text}");
        assert_eq!(text.contains("made just now"), option.is_empty(), "{text}");
        let line = text.lines().find_map(|line| line.trim_start().strip_prefix(command)).unwrap();
        assert!(line.ends_with(key), "{text}");
        assert!(text.contains("identity.key") && !text.contains(['█', '▀', '▄', '\x1b']), "{text}");
    }
    let secret = fs::metadata(room.path("camera/identity.key")).unwrap();
    assert_eq!(secret.permissions().mode() & 0o7777, 0o600);

    let text = shown(&room, SEALCAM, "identity --state @camera --qr");
    let code: Vec<_> = text.lines().skip_while(|line| !line.starts_with('█')).collect();
    assert!(code.len() == 19 && code.iter().all(|line| line.chars().count() == 37), "{text}");

    // What was not made by this program stays, and so does what can be read by others.
    fs::write(room.path("camera/identity.key"), "precious").unwrap();
    refused(
        &room,
        SEALCAM,
        "identity --state @camera",
        2,
        &["identity.key is damaged", "move the file away"],
    );
    assert_eq!(fs::read(room.path("camera/identity.key")).unwrap(), b"precious");
    fs::set_permissions(room.path("viewer/identity.key"), PermissionsExt::from_mode(0o644)).unwrap();
    refused(&room, SEALVIEW, "identity --state @viewer", 2, &["mode 0644", "chmod 600"]);
    refused(&room, SEALVIEW, "identity --state /proc/x", 1, &["/proc/x", "--state DIR"]);
}

#[test]
fn viewers_are_let_in_and_put_out() {
    let room = Room::new("viewers");
    assert!(shown(&room, SEALCAM, "viewers list --state @camera").contains("sealview identity"));
    assert_eq!(shown(&room, SEALCAM, "viewers list --json --state @camera"), "[]\n");
    // The viewer says which line to type at the camera; that line is right.
    let text = shown(&room, SEALVIEW, "identity --state @anna --name anna");
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("sealcam ")).unwrap();
    let told = shown(&room, SEALCAM, &format!("{line} --state @camera"));
    assert!(told.starts_with("anna is let in, with the role view; fingerprint "), "{told}");
    let bert = viewer_key(&room, "bert");
    shown(&room, SEALCAM, &format!("viewers --state @camera add bert --role admin {bert}"));

    let listed = shown(&room, SEALCAM, "viewers list --state @camera");
    assert_eq!(listed.lines().count(), 2);
    let json = shown(&room, SEALCAM, "viewers list --json --state @camera");
    let json: Value = serde_json::from_str(&json).unwrap();
    let fingerprint = json[1]["fingerprint"].as_str().unwrap();
    assert_eq!((&json[0]["name"], &json[0]["role"]), (&"anna".into(), &"view".into()));
    assert_eq!(json[1]["key"], *bert);
    assert_eq!(json[1]["role"], "admin");
    assert!(listed.contains(&format!(" {fingerprint} {bert}\n")), "{listed}");

    let file = room.path("camera/viewers");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("# ours\n{text}# end\n")).unwrap();
    assert!(
        shown(&room, SEALCAM, "viewers remove anna --state @camera").contains("anna is let in no longer")
    );
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# ours\n") && text.ends_with(&format!("bert admin {bert}\n# end\n")), "{text}");
    assert!(!text.contains("anna"), "{text}");
}

#[test]
fn mistakes_with_viewers_change_nothing_and_name_the_mend() {
    let room = Room::new("viewers-usage");
    let (anna, bert) = (viewer_key(&room, "anna"), viewer_key(&room, "bert"));
    let secret = fs::read_to_string(room.path("anna/identity.key")).unwrap();
    let secret = secret.lines().last().unwrap();
    shown(&room, SEALCAM, &format!("viewers add anna {anna} --state @camera"));
    let file = room.path("camera/viewers");
    let before = fs::read_to_string(&file).unwrap();
    let cases: [(&str, &[&str]); 9] = [
        (&format!("add anna {bert}"), &["called anna already", "another name"]),
        (&format!("add bert {anna}"), &["viewer anna has that key already"]),
        (&format!("add -- -b {bert}"), &["begins with a letter or digit"]),
        (&format!("add bert {bert} --role root"), &["--role", "view, tune or admin"]),
        (&format!("add bert {}", &bert[..65]), &["error: KEY: not a whole public key", "sealview identity"]),
        (&format!("add bert {secret}"), &["error: KEY: ", "must never be given to anyone", "sealpub1"]),
        ("remove bert", &["no viewer is called bert", "sealcam viewers list"]),
        ("add bert", &["<KEY>"]),
        ("", &["add", "list", "remove"]),
    ];
    for (line, words) in cases {
        refused(&room, SEALCAM, &format!("viewers --state @camera {line}"), 2, words);
        assert_eq!(fs::read_to_string(&file).unwrap(), before, "{line}");
    }
    // A list that somebody has edited.
    fs::write(&file, format!("anna view {anna}\n# bert\nbert veiw {bert}\n")).unwrap();
    for line in ["list", "remove anna"] {
        let words = ["camera/viewers:3:6: ", "view, tune or admin"];
        refused(&room, SEALCAM, &format!("viewers {line} --state @camera"), 2, &words);
    }
    fs::write(&file, &before).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o622)).unwrap();
    refused(&room, SEALCAM, "viewers list --state @camera", 1, &["mode 0622", "chmod go-w"]);
}

/// A limit of the size of files is to a program what a full disk is: a part is written, and then no more.
#[test]
fn a_list_that_cannot_be_written_whole_stays_as_it_was() {
    let room = Room::new("viewers-full");
    let keys: Vec<String> = (0..16).map(|at| viewer_key(&room, &format!("v{at}"))).collect();
    for (at, key) in keys[1..].iter().enumerate() {
        shown(&room, SEALCAM, &format!("viewers add v{at} {key} --state @camera"));
    }
    let before = fs::read(room.path("camera/viewers")).unwrap();
    assert!(before.len() > 1024);
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh", SEALCAM]);
    limited.args(["viewers", "add", "more", &keys[0], "--state"]).arg(room.path("camera"));
    let ended = Program::start(limited).wait();
    assert_eq!(ended.code, Some(1), "{}", ended.told);
    assert!(
        ended.told.contains("cannot keep state in ") && ended.told.contains("File too large"),
        "{}",
        ended.told
    );
    assert_eq!(fs::read(room.path("camera/viewers")).unwrap(), before);
    let names: Vec<_> = fs::read_dir(room.path("camera")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(names.len() == 2 && names.iter().any(|name| name == ".lock"), "{names:?}");
    shown(&room, SEALCAM, &format!("viewers add more {} --state @camera", keys[0]));
}

/// A short state file is written over on a full disk; a list never is. A disk of one page needs root.
#[test]
fn a_full_disk_is_told_and_the_list_stays() {
    let room = Room::new("viewers-disk");
    let (anna, bert) = (viewer_key(&room, "anna"), viewer_key(&room, "bert"));
    fs::create_dir(room.path("camera")).unwrap();
    let script = "mount -t tmpfs -o size=4k,mode=0700 none \"$2\" || exit 77
        \"$1\" viewers add anna $3 --state \"$2\" && ! \"$1\" viewers add bert $4 --state \"$2\" && cd \"$2\" && ls -A && cat viewers";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh", SEALCAM]).arg(room.path("camera")).args([&anna, &bert]);
    let ended = Program::start(command).wait();
    if ended.code != Some(0) && !ended.told.contains("cannot keep state") {
        eprintln!("skipped: no mount of its own: {}", ended.told);
        return;
    }
    assert_eq!(ended.code, Some(0), "{}", ended.told);
    assert!(
        ended.told.contains("No space left") && ended.told.contains("delete something there"),
        "{}",
        ended.told
    );
    let output = String::from_utf8(ended.output).unwrap();
    assert!(
        output.contains(".lock\nviewers\n#") && output.ends_with(&format!("anna view {anna}\n")),
        "{output}"
    );
}

/// Only root can do that; elsewhere there is nothing to try.
#[test]
fn what_root_writes_for_a_service_belongs_to_the_service() {
    let room = Room::new("viewers-root");
    let key = viewer_key(&room, "anna");
    fs::create_dir(room.path("camera")).unwrap();
    if chown(room.path("camera"), Some(12_345), Some(23_456)).is_err() {
        eprintln!("skipped: it needs root");
        return;
    }
    shown(&room, SEALCAM, "identity --state @camera");
    shown(&room, SEALCAM, &format!("viewers add anna {key} --state @camera"));
    for name in ["identity.key", "viewers", ".lock"] {
        let meta = fs::metadata(room.path("camera").join(name)).unwrap();
        assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (12_345, 23_456, 0o600), "{name}");
    }
    // To send from there is another matter: its owner could change what is kept.
    let camera = Program::start(room.camera("127.0.0.1:5000", "--source pattern --frames 1")).wait();
    assert_eq!(camera.code, Some(1), "{}", camera.told);
    assert!(camera.told.contains("another user (12345)"), "{}", camera.told);
}

#[test]
fn cameras_are_known_and_forgotten() {
    let room = Room::new("cameras");
    assert!(shown(&room, SEALVIEW, "cameras --state @viewer").contains("sealcam identity"));
    let text = shown(&room, SEALCAM, "identity --state @camera --name barn");
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("sealview ")).unwrap();
    let key = text.lines().next().unwrap();
    assert!(
        shown(&room, SEALVIEW, &format!("{line} 192.168.1.30:5004 --state @viewer"))
            .contains("barn is known")
    );
    for list in ["cameras", "cameras list"] {
        let listed = shown(&room, SEALVIEW, &format!("{list} --state @viewer"));
        assert!(
            listed.starts_with("barn ") && listed.ends_with(&format!(" {key} 192.168.1.30:5004\n")),
            "{listed}"
        );
    }
    let other = viewer_key(&room, "other");
    let cases: [(&str, &[&str]); 5] = [
        (&format!("add barn {other}"), &["called barn already"]),
        (&format!("add shed {key}"), &["camera barn has that key already"]),
        (&format!("add shed {other} 192.168.1.30"), &["192.168.1.30", "ADDR:PORT"]),
        (
            &format!("add shed {}", other.to_uppercase().replace("SEALPUB", "sealpub")),
            &["not a whole public key"],
        ),
        ("forget shed", &["no camera is called shed", "sealview cameras"]),
    ];
    for (line, words) in cases {
        refused(&room, SEALVIEW, &format!("cameras --state @viewer {line}"), 2, words);
    }
    // What a telephone has read from the QR code is in capitals.
    shown(&room, SEALVIEW, &format!("cameras add shed {} --state @viewer", other.to_uppercase()));
    assert!(shown(&room, SEALVIEW, "cameras forget barn --state @viewer").contains("barn is forgotten"));
    let listed = shown(&room, SEALVIEW, "cameras --state @viewer");
    assert!(listed.starts_with("shed ") && listed.ends_with(&format!(" {other}\n")), "{listed}");
}
