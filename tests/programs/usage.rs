//! Mistakes on the command line: status 2, and a sentence that names what, where and the mend.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::program::{Program, Room, SEALCAM, SEALVIEW, free_port};

/// Asserts that the program ends with `code` and says all of `words`, and no more than a few lines.
#[track_caller]
fn refused(room: &Room, (program, line): (&str, &str), code: i32, words: &[&str]) {
    let (before, args) = line.split_once(" -- ").unwrap_or((line, ""));
    let ended = Program::start(room.command(program, before, args)).wait();
    assert_eq!(ended.code, Some(code), "{line}: {}", ended.told);
    for word in words {
        assert!(ended.told.contains(word), "{line}: {word:?} is not in {}", ended.told);
    }
    assert!(ended.output.is_empty(), "{line}: something on standard output");
    assert!(ended.told.lines().count() <= 8, "{line}: {}", ended.told);
}

#[test]
fn sealcam_names_the_mistake_and_the_mend() {
    let room = Room::new("usage-camera");
    fs::write(room.path("area.json"), "{\"selected_rect\": [[0,0],[9,0],[9,9]],\n \"visible_rect\": 5}")
        .unwrap();
    fs::write(room.path("config.json"), "{\"width\": 640,\n \"hieght\": 360}").unwrap();
    fs::write(room.path("empty.mjpeg"), "").unwrap();
    fs::write(room.path("film.mp4"), "no").unwrap();
    let cases: [(&str, &[&str]); 36] = [
        ("stream", &["--key", "ADDR:PORT"]),
        ("streem", &["streem", "'stream'"]),
        ("stream 127.0.0.1", &["ADDR:PORT", "192.168.1.20:5000"]),
        ("stream 127.0.0.1:0", &["port 0"]),
        ("stream 127.0.0.1:70000", &["ADDR:PORT"]),
        ("stream 0.0.0.0:5000", &["where to listen, not where to send"]),
        ("stream ::1:5000:x", &["ADDR:PORT"]),
        ("stream [fe80::1]:5000 --source pattern", &["link-local", "--interface", "lo (127.0.0.1"]),
        (
            "stream 127.0.0.1:5000 -- --key @nokey --source pattern",
            &["nokey", "does not exist", "sealcam keygen --out"],
        ),
        ("stream 127.0.0.1:5000 --source webcam", &["--source", "/dev/videoN", "pattern"]),
        ("stream 127.0.0.1:5000 --source file:", &["--source", "file:clip.mjpeg"]),
        ("stream 127.0.0.1:5000 --source file:/nowhere", &["--source", "/nowhere", "No such file"]),
        ("stream 127.0.0.1:5000 -- --source file:@empty.mjpeg", &["--source", "no JPEG frame"]),
        ("stream 127.0.0.1:5000 -- --source file:@film.mp4", &["--source", "ffmpeg -i IN"]),
        ("stream 127.0.0.1:5000 --source pattern:1x1", &["--source", "1x1"]),
        ("stream 127.0.0.1:5000 --source /dev/null", &["/dev/null: not a V4L2 device", "sealcam devices"]),
        ("stream 127.0.0.1:5000 --source pattern --loopback", &["--loopback", "multicast"]),
        ("stream 127.0.0.1:5000 --source pattern --packet-size 127", &["--packet-size", "128 to 65507"]),
        ("stream 127.0.0.1:5000 --source pattern --packet-size 65508", &["--packet-size", "128 to 65507"]),
        ("stream 127.0.0.1:5000 --source pattern --quality 0", &["--quality", "1 to 100"]),
        ("stream 127.0.0.1:5000 --source pattern --quality high", &["--quality"]),
        ("stream 127.0.0.1:5000 --source pattern --fps 0", &["--fps", "0.1 to 240"]),
        ("stream 127.0.0.1:5000 --source pattern --size 640", &["--size", "1280x720"]),
        ("stream 127.0.0.1:5000 --source pattern --size 8x8", &["--size", "16 to 16384"]),
        ("stream 127.0.0.1:5000 --source pattern --format h264", &["--format", "h264"]),
        ("stream 127.0.0.1:5000 --source pattern --pace 101", &["--pace", "0 to 100"]),
        ("stream 127.0.0.1:5000 --source pattern --ttl 0", &["--ttl", "1 to 255"]),
        ("stream 127.0.0.1:5000 --source pattern --dscp 64", &["--dscp", "0 to 63"]),
        ("stream 127.0.0.1:5000 --source pattern --frames 0", &["--frames"]),
        ("stream 127.0.0.1:5000 --source pattern --stats-json /nowhere/x", &["--stats-json", "/nowhere/x"]),
        ("stream 127.0.0.1:5000 --source pattern --area /nowhere", &["--area", "/nowhere", "No such file"]),
        (
            "stream 127.0.0.1:5000 -- --source pattern --area @area.json",
            &["--area", "area.json:2:18: ", "expected a sequence"],
        ),
        (
            "stream 127.0.0.1:5000 -- --source pattern --camera-config @config.json",
            &["--camera-config", "config.json:2:", "hieght"],
        ),
        ("stream 239.1.2.3:5000 --source pattern --interface", &["--interface"]),
        ("keygen -- --out @key", &["key", "exists already and is never overwritten"]),
        ("keygen --out /nowhere/x", &["/nowhere/x", "No such file"]),
    ];
    for (line, words) in cases {
        refused(&room, (SEALCAM, line), 2, words);
    }
}

#[test]
fn sealview_names_the_mistake_and_the_mend() {
    let room = Room::new("usage-viewer");
    fs::write(room.path("old.mkv"), "precious").unwrap();
    let port = free_port();
    let held = std::net::UdpSocket::bind(("127.0.0.1", port)).unwrap();
    let in_use = format!("watch 127.0.0.1:{port}");
    let cases: [(&str, &[&str]); 14] = [
        ("watch", &["--key", "ADDR:PORT"]),
        ("look", &["look"]),
        ("watch 5000", &["ADDR:PORT", "0.0.0.0:5000"]),
        ("watch 127.0.0.1:0", &["port 0"]),
        (&in_use, &["cannot listen", "another program"]),
        ("watch [ff02::1]:5000", &["ff02::1 is link-local", "--interface"]),
        (
            "watch 127.0.0.1:5000 -- --record @film.mp4",
            &["error: --record: ", "film.mp4: the name must end in .mkv"],
        ),
        ("watch 127.0.0.1:5000 -- --record @old.mkv", &["error: --record: ", "old.mkv: the file exists"]),
        (
            "watch 127.0.0.1:5000 --record /nowhere/x.mkv",
            &["error: --record: ", "/nowhere/x.mkv: cannot create"],
        ),
        (
            "watch 127.0.0.1:5000 --snapshot /nowhere/s.jpg",
            &["--snapshot", "/nowhere", "there is no folder /nowhere"],
        ),
        ("watch 127.0.0.1:5000 --stats-json /nowhere/x", &["--stats-json", "/nowhere/x"]),
        ("watch 127.0.0.1:5000 --stdout --stats-json -", &["--stdout", "--stats-json -"]),
        ("watch 127.0.0.1:5000 --timeout 0", &["--timeout", "0.1"]),
        ("watch 127.0.0.1:5000 --frames none", &["--frames"]),
    ];
    for (line, words) in cases {
        let quiet = if line.starts_with("watch ") { format!("{line} --no-window") } else { line.to_owned() };
        let line = if line.contains(" -- ") { line } else { &quiet };
        refused(&room, (SEALVIEW, line), 2, words);
    }
    assert_eq!(fs::read(room.path("old.mkv")).unwrap(), b"precious");
    drop(held);
}

#[test]
fn what_fails_at_run_time_is_status_1() {
    let room = Room::new("run-time");
    // Nothing on standard input is no stream: whoever wrote there has failed.
    let mut camera = Program::start(room.camera("127.0.0.1:5000", "--source -"));
    drop(camera.input());
    let camera = camera.wait();
    assert_eq!(camera.code, Some(1), "{}", camera.told);
    assert!(camera.told.contains("standard input has ended without a whole frame"), "{}", camera.told);

    // State that cannot be kept: a full disk is no mistake on the command line.
    for (program, line) in
        [(SEALCAM, "stream 127.0.0.1:5000 --source pattern"), (SEALVIEW, "watch 127.0.0.1:5000 --no-window")]
    {
        refused(&room, (program, &format!("{line} --state /proc/x")), 1, &["/proc/x", "--state DIR"]);
    }

    // An interface or an address may still come; until then its absence is told.
    let line = "watch 239.1.2.3:5000 --no-window --interface nosuch0 --timeout 1";
    refused(&room, (SEALVIEW, line), 1, &["no frame for 1", "nosuch0", "lo (127.0.0.1"]);
    let line = "watch 203.0.113.9:5000 --no-window --timeout 1";
    refused(&room, (SEALVIEW, line), 1, &["203.0.113.9", "no interface has that address", "0.0.0.0"]);

    // Figures that cannot be written do not stop the stream, but are a failure.
    let args = "--source pattern:160x120@100 --frames 20 --stats-json /dev/full";
    let camera = Program::start(room.camera("127.0.0.1:5000", args)).wait();
    assert_eq!(camera.code, Some(1), "{}", camera.told);
    assert!(camera.told.contains("--stats-json: /dev/full: cannot write: No space left"), "{}", camera.told);
    assert!(camera.told.contains("sent 20 frames"), "{}", camera.told);

    // A picture that cannot be written is told at once; the rest goes on.
    let at = format!("127.0.0.1:{}", free_port());
    fs::create_dir(room.path("s.jpg")).unwrap();
    let viewer = Program::viewer(room.viewer(&at, "--snapshot @s.jpg --record @r.mkv --frames 10"));
    Program::start(room.camera(&at, "--source pattern:160x120@30 --frames 30")).succeeds();
    let viewer = viewer.wait();
    assert_eq!(viewer.code, Some(1), "{}", viewer.told);
    assert!(viewer.told.contains("s.jpg: cannot write"), "{}", viewer.told);
    assert!(viewer.told.contains("recorded 10 frames"), "{}", viewer.told);
}

#[test]
fn help_goes_to_standard_output() {
    for (program, lines) in [
        (
            SEALCAM,
            ["", "stream", "keygen", "identity", "viewers", "viewers add", "devices", "demo"].as_slice(),
        ),
        (SEALVIEW, &["", "watch", "identity", "cameras", "cameras add"]),
    ] {
        for line in lines {
            let room = Room::new("help");
            let ended =
                Program::start(room.command(program, &format!("{line} --help"), "--key x")).succeeds();
            assert!(ended.output.starts_with(b"") && ended.output.len() > 100 && ended.told.is_empty());
        }
    }
    let room = Room::new("version");
    let ended = Program::start(room.command(SEALVIEW, "--version", "")).succeeds();
    assert_eq!(ended.output, concat!("sealview ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());
    let permissions = fs::metadata(room.path("key")).unwrap().permissions();
    assert_eq!(permissions.mode() & 0o777, 0o600);
}
