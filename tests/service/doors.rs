//! Control socket and health: who is let in, and that nobody holds up the stream.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use sealcam::clock;
use sealcam::time::Duration;

use crate::receiver::Watching;
use crate::room::{LONG, Room, Service, since};
use crate::stranger::as_stranger;

const PATTERN: &str = "[[source]]\nsource = \"pattern:160x120@30\"\n";

fn answer(room: &Room, request: &[u8]) -> String {
    let mut stream = UnixStream::connect(room.path("run/control.sock")).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    // What is cut off while it is written may be an error here.
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn the_socket_is_for_some_and_takes_one_bounded_line() {
    let room = Room::new();
    room.configure("", PATTERN);
    let mut service = Service::start(&room);
    let mode = fs::metadata(room.path("run/control.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o660);
    assert!(
        answer(&room, b"{\"do\":\"sources\"}\n")
            .starts_with("{\"ok\":true,\"active\":\"camera\",\"sources\":[")
    );
    for request in ["hello\n", "{\"do\":\"reboot\"}\n", "{\"do\":\"source\",\"name\":7}\n", "\n"] {
        let answer = answer(&room, request.as_bytes());
        assert!(answer.starts_with("{\"ok\":false,\"error\":\""), "{request}: {answer}");
    }
    assert!(answer(&room, &[b'x'; 5000]).contains("at most 4096 bytes"));
    // Others are refused by the kernel already, and by the service where someone has opened the way.
    if nix::unistd::geteuid().is_root() {
        let open = |name: &str, mode: u32| {
            fs::set_permissions(room.path(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        let socket = room.path("run/control.sock");
        let refused = as_stranger(|| UnixStream::connect(&socket)).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
        open("run", 0o755);
        open("run/control.sock", 0o666);
        let refused = as_stranger(|| answer(&room, b"{\"do\":\"status\"}\n"));
        assert!(refused.starts_with("{\"ok\":false,\"error\":\"permission denied: be root"), "{refused}");
        assert!(answer(&room, b"{\"do\":\"status\"}\n").starts_with("{\"ok\":true"), "root may");
    } else {
        eprintln!("skipped: only root can be another user");
    }
    service.stops();
}

#[test]
fn nothing_that_is_asked_for_forges_a_line_of_the_log() {
    let room = Room::new();
    room.configure("", PATTERN);
    let mut service = Service::launch(&room, |command| {
        command.env("JOURNAL_STREAM", "1:1");
    });
    service.hears("READY=1");
    let asked = b"{\"do\":\"source\",\"name\":\"x\\n<2>su: \\u001b[2J\\u009b1m\"}\n";
    assert!(answer(&room, asked).contains("no source is called"));
    service.wait_for("<4>source \"x\\n<2>su: \\u{1b}[2J");
    let log = service.log();
    assert!(!log.contains("\n<2>") && !log.chars().any(|c| c.is_control() && c != '\n'), "{log:?}");
    service.stops();
}

#[test]
fn whoever_dawdles_holds_nothing_up() {
    let room = Room::new();
    room.configure("", PATTERN);
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    viewer.sees("a picture", |_| true);
    let silent: Vec<_> =
        (0..6).map(|_| UnixStream::connect(room.path("run/control.sock")).unwrap()).collect();
    let slow: Vec<_> = (0..6)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", room.health)).unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nX: ").unwrap();
            stream
        })
        .collect();
    let before = viewer.count();
    let start = clock::now();
    // All places are taken; both doors open again when patience is over.
    assert_eq!(room.status()["active"], "camera");
    assert!(room.is_healthy());
    assert!(since(start) < Duration::from_secs(15), "{:?}", since(start));
    let expected = since(start).as_secs_f64() * 30.0 * 0.5;
    assert!((viewer.count() - before) as f64 > expected, "the stream was held up");
    drop((silent, slow));
    service.stops();
}

#[test]
fn health_is_read_only_and_has_two_pages() {
    let room = Room::new();
    room.configure("", PATTERN);
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    viewer.sees("a picture", |_| true);
    let raw = |request: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", room.health)).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    };
    let cases = [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "HTTP/1.1 404"),
        ("POST /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\nsomething".to_owned(), "HTTP/1.1 405"),
        ("nonsense\r\n\r\n".to_owned(), "HTTP/1.1 400"),
        (format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(8000)), "HTTP/1.1 431"),
        ("HEAD /healthz HTTP/1.0\r\n\r\n".to_owned(), "HTTP/1.1 200"),
    ];
    for (request, expected) in cases {
        let answer = raw(&request);
        assert!(answer.starts_with(expected), "{request:.40}: {answer}");
    }
    let text = room.page("/metrics").1;
    for name in
        ["sealcam_info{", "sealcam_frames_total ", "sealcam_stage_seconds{stage=\"sent\",quantile=\"0.99\"} "]
    {
        assert!(text.contains(&format!("\n{name}")), "{name}: {text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("sealcam_") && value.parse::<f64>().is_ok(), "{line}");
    }
    // Asked for from elsewhere only if the file says so.
    service.wait_for(&format!("health at http://127.0.0.1:{}/healthz", room.health));
    service.stops();
}

#[test]
fn the_sandbox_is_told_and_real() {
    let room = Room::new();
    room.configure("", PATTERN);
    let mut service = Service::start(&room);
    let sandbox = room.status()["sandbox"].clone();
    let status = fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    assert_eq!(sandbox["no_new_privs"], status.contains("NoNewPrivs:\t1"), "{sandbox}");
    if sandbox["landlock"] == "enforced" {
        assert_eq!(sandbox["no_new_privs"], true);
        // What the settings did not name at the start cannot be reached later, and that is said.
        let outside = Room::new();
        fs::write(outside.path("some.json"), "{}").unwrap();
        let file = outside.path("some.json").display().to_string();
        let cases = [
            (format!("{PATTERN}area = \"{file}\"\n"), "8:8: area"),
            (format!("{PATTERN}quality = 9\ncamera-config = \"{file}\"\n"), "9:17: camera-config"),
            (format!("[[source]]\nsource = \"file:{file}\"\n"), "7:10: source"),
            (format!("[[source]]\nsource = \"{file}\"\n"), "7:10: source"),
        ];
        for (sources, place) in cases {
            room.configure("", &sources);
            service.reload();
            let config = room.path("sealcam.toml").display().to_string();
            let said =
                format!("{config}:{place}: restart needed: {file} is outside of what the service has kept");
            service.wait_for(&said);
            let told = room.status()["restart_needed"].clone();
            assert!(told[0].as_str().unwrap().starts_with(&said), "{told}");
        }
        assert!(room.ask(&["status"]).said.contains("\nrestart   needed: "));
        assert!(!service.log().contains("ermission denied"), "{}", service.log());
        assert_eq!(service.log().matches("nothing is changed").count(), 4);
        // Beside the configuration there may be new files.
        fs::write(room.path("asked.json"), "{\"width\": 64, \"height\": 48}").unwrap();
        room.configure("", &format!("{PATTERN}camera-config = \"asked.json\"\n"));
        service.reload();
        service.wait_for("read again: source camera changed");
        assert_eq!(room.status()["restart_needed"], serde_json::json!([]));
    } else {
        eprintln!("not looked at: what Landlock keeps out; it is {}", sandbox["landlock"]);
    }
    let text = fs::read_to_string(room.path("sealcam.toml")).unwrap();
    service.stops();
    room.configure("", PATTERN);
    let without = text.replace("[health]", "landlock = false\n[health]");
    let without = without.lines().filter(|line| !line.starts_with("area")).collect::<Vec<_>>().join("\n");
    fs::write(room.path("sealcam.toml"), without).unwrap();
    let mut service = Service::start(&room);
    assert_eq!(room.status()["sandbox"]["landlock"], "switched-off");
    service.stops();
}

#[test]
fn without_a_service_commands_say_so() {
    let room = Room::new();
    assert!(room.sealcam(&["status", "--help"]).said.contains("1  not healthy, or no service is running"));
    for args in [&["status"][..], &["source", "front"]] {
        let told = room.ask(args);
        assert_eq!(told.code, 1);
        assert!(told.told.contains("no service is running: there is no control socket at"), "{}", told.told);
    }
}
