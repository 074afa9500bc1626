//! Start, watchdog, end; what is checked before.

use std::io::Write as _;
use std::os::unix::net::UnixListener;

use sealcam::clock;
use sealcam::time::Duration;

use crate::namespaces::Lab;
use crate::receiver::Watching;
use crate::room::{Room, Service, exists, pause, since, wait_until};

const PATTERN: &str = "[[source]]\nsource = \"pattern:160x120@30\"\n";

/// How often the watchdog was fed in this time.
fn fed(service: &mut Service, millis: u64) -> usize {
    service.takes();
    let start = clock::now();
    let mut count = 0;
    while since(start) < Duration::from_millis(millis) {
        count += service.takes().iter().filter(|message| message.contains("WATCHDOG=1")).count();
        pause(10);
    }
    count
}

#[test]
fn the_manager_is_told_of_start_life_and_end() {
    let room = Room::new();
    room.configure("", PATTERN);
    let mut service = Service::launch(&room, |command| {
        command.env("WATCHDOG_USEC", "900000");
    });
    assert!(service.hears("READY=1").contains("STATUS="));
    assert!(service.hears("STATUS=camera: YUYV 160x120 at 30 fps").contains("Mbit/s"));
    let times = fed(&mut service, 1_500);
    assert!((3..=8).contains(&times), "fed {times} times in 1.5 s of a limit of 0.9 s");
    let socket = room.path("run/control.sock");
    assert!(exists(&socket));
    service.stops();
    assert!(!exists(&socket), "left behind");
    service.wait_for("SIGTERM: stopping");
}

#[test]
fn no_camera_is_no_reason_not_to_be_ready_and_fed() {
    let room = Room::new();
    room.configure("", "[[source]]\nsource = \"./video7\"\n");
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::launch(&room, |command| {
        command.env("WATCHDOG_USEC", "900000");
    });
    service.hears("READY=1");
    service.hears("STATUS=camera: no signal");
    let notice = viewer.sees("a notice", |frame| frame.notice);
    assert_eq!(notice.size, (640, 360));
    assert!(fed(&mut service, 1_500) >= 3);
    assert_eq!(room.page("/healthz").0, "HTTP/1.1 503 Service Unavailable");
    assert!(room.page("/healthz").1.starts_with("no signal for "));
    assert_eq!(room.metric("sealcam_healthy") as u32, 0);
    let told = room.ask(&["status"]);
    assert_eq!(told.code, 1);
    assert!(told.said.starts_with("NOT HEALTHY: no signal for "), "{}", told.said);
    assert!(told.told.contains("the service runs, but is not healthy: no signal for "), "{}", told.told);
    service.stops();
}

#[test]
fn a_source_that_cannot_be_opened_is_tried_again() {
    let room = Room::new();
    room.configure("", "[[source]]\nsource = \"file:clip.mjpeg\"\n");
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    viewer.sees("a notice", |frame| frame.notice);
    service.wait_for("clip.mjpeg: No such file or directory (os error 2); trying again");
    assert!(!room.is_healthy());
    // In the folder of the configuration, which may still be read.
    crate::images::write(&room.path("images"), crate::images::Tables::Own);
    std::fs::rename(room.path("images/0.jpg"), room.path("clip.mjpeg")).unwrap();
    viewer.sees("a picture", |frame| !frame.notice && frame.size == (160, 120));
    wait_until("it is healthy", || room.is_healthy());
    viewer.is_one_stream();
    service.stops();
}

#[test]
fn a_camera_that_hangs_starves_the_watchdog() {
    let room = Room::new();
    room.camera("mode MJPG 160x120 50\nat 50 hang 3000\n");
    room.configure("", "[[source]]\nsource = \"./video0\"\n");
    let mut service = Service::launch(&room, |command| {
        command.env("WATCHDOG_USEC", "900000");
    });
    service.hears("READY=1");
    wait_until("the driver hangs", || room.camera_log().contains("hang"));
    assert!(fed(&mut service, 300) <= 1);
    assert_eq!(fed(&mut service, 2_000), 0, "nobody is there to feed");
    // Nobody restarts it here, and the driver comes back to life.
    service.hears("WATCHDOG=1");
    wait_until("it is healthy", || room.is_healthy());
    service.stops();
}

#[test]
fn a_pipe_that_says_nothing_is_shown_as_such() {
    let room = Room::new();
    room.configure("", "[[source]]\nsource = \"-\"\n");
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::launch(&room, |command| {
        command.env("WATCHDOG_USEC", "900000");
    });
    service.hears("READY=1");
    let mut pipe = service.input();
    viewer.sees("a notice", |frame| frame.notice);
    wait_until("it says why", || room.status()["source"] == "no signal from standard input: nothing comes");
    assert!(!room.is_healthy());
    // Long after the time in which a source must produce something.
    assert!(fed(&mut service, 7_000) >= 15);
    assert!(!service.log().contains("not fed"), "{}", service.log());
    crate::images::write(&room.path("images"), crate::images::Tables::Own);
    let jpeg = std::fs::read(room.path("images/0.jpg")).unwrap();
    pipe.write_all(&jpeg).unwrap();
    viewer.sees("a picture", |frame| !frame.notice);
    wait_until("it is healthy", || room.is_healthy());
    viewer.sees("a notice again", |frame| frame.notice);
    // The end of the pipe is the end of the service, and no success: only both can be started again.
    drop(pipe);
    assert_eq!(service.ends().0, Some(1));
    service.wait_for("standard input has ended");
}

#[test]
fn a_manager_that_takes_nothing_holds_up_nothing() {
    let room = Room::new();
    room.configure("", PATTERN);
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::launch(&room, |command| {
        // Some 50 a second, which nobody takes.
        command.env("WATCHDOG_USEC", "60000");
    });
    viewer.sees("a picture", |_| true);
    pause(2_000);
    let (start, count) = (clock::now(), viewer.count());
    pause(2_000);
    let expected = since(start).as_secs_f64() * 30.0 * 0.5;
    assert!((viewer.count() - count) as f64 > expected, "the stream was held up");
    assert_eq!(room.ask(&["source"]).code, 0);
    service.signal(nix::sys::signal::Signal::SIGTERM);
    let (code, after) = service.ends();
    assert!(code == Some(0) && after < Duration::from_secs(1), "{code:?} {after:?}");
    service.wait_for("systemd cannot be told \"STOPPING=1\"");
}

/// A link that takes nothing any more holds up neither the watchdog nor the end.
#[test]
fn a_network_that_takes_nothing_delays_no_end() {
    let Some(lab) = Lab::new(&["a", "b"]) else { return };
    lab.link("a", "va", "b", "vb");
    lab.ip("a", "address add 10.77.1.1/24 dev va");
    lab.ip("b", "address add 10.77.1.2/24 dev vb");
    lab.ip("a", "link set va up");
    lab.ip("b", "link set vb up");
    if !lab.tc("a", "qdisc add dev va root tbf rate 8kbit burst 2kb latency 600s") {
        eprintln!("skipped: no token bucket filter in this kernel");
        return;
    }
    lab.enter("a");
    let room = Room::new();
    room.configure("", "[[source]]\nsource = \"pattern:640x480@30\"\n");
    let text = std::fs::read_to_string(room.path("sealcam.toml")).unwrap();
    std::fs::write(room.path("sealcam.toml"), text.replace("to = \"127.0.0.1", "to = \"10.77.1.2")).unwrap();
    let mut service = Service::launch(&room, |command| {
        command.env("WATCHDOG_USEC", "900000");
    });
    service.hears("READY=1");
    wait_until("the network takes nothing", || room.status()["figures"]["network"]["blocked"] != 0);
    wait_until("that is bad", || room.status()["health"]["healthy"] == false);
    assert!(room.status()["health"]["why"].as_str().unwrap().contains("none has left"));
    assert!(fed(&mut service, 1_500) >= 3);
    service.stops();
}

#[test]
fn a_good_file_is_printed_and_a_bad_one_pointed_into() {
    let room = Room::new();
    let path = room.path("sealcam.toml");
    let path = path.to_str().unwrap();
    room.configure("pace = 10", PATTERN);
    let good = room.sealcam(&["check", "--config", path]);
    assert_eq!((good.code, good.told.as_str()), (0, ""));
    for line in ["schema = 1", "pace = 10", "dscp = 34", "source = \"pattern:160x120@30\"", "landlock = true"]
    {
        assert!(good.said.contains(line), "{line}: {}", good.said);
    }
    // What is printed is a configuration again.
    std::fs::write(room.path("again.toml"), &good.said).unwrap();
    let again = room.sealcam(&["check", "--config", room.path("again.toml").to_str().unwrap()]);
    assert_eq!(again.said, good.said);
    // What is relative begins at the file, wherever one stands.
    let program = crate::room::program();
    let beside = std::process::Command::new(program)
        .args(["check", "--config", "sealcam.toml"])
        .current_dir(room.path(""))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&beside.stdout), good.said);
    // Whoever checks need not be whoever may read the key.
    std::fs::remove_file(room.path("key")).unwrap();
    let without = room.sealcam(&["check", "--config", path]);
    assert!(without.code == 0 && without.told.contains("the key was not looked at"), "{}", without.told);
    // As a reload does, which would write it all into the journal every time.
    let quiet = room.sealcam(&["check", "--quiet", "--config", path]);
    assert_eq!((quiet.code, quiet.said.as_str(), quiet.told.as_str()), (0, "", ""));
    room.configure("pac = 10", PATTERN);
    for command in [&["check"][..], &["check", "--quiet"], &["run"]] {
        let bad = room.sealcam(&[command, &["--config", path]].concat());
        assert_eq!(bad.code, 2);
        let words = format!("{path}:5:1: unknown field `pac`, expected one of `to`, `key`, `packet-size`");
        assert!(bad.told.contains(&words), "{}", bad.told);
    }
    let twice = format!("{PATTERN}name = \"a\"\n[[source]]\nname = \"a\"\n");
    let cases = [
        ("pace = 101", PATTERN, "5:8: 101 is not within 0 to 100"),
        ("packet-size = 9", PATTERN, "5:15: packet-size: "),
        ("", twice.as_str(), "10:8: name: a second source called \"a\""),
    ];
    for (stream, sources, words) in cases {
        room.configure(stream, sources);
        let bad = room.sealcam(&["check", "--config", path]);
        assert!(bad.code == 2 && bad.told.contains(&format!("{path}:{words}")), "{}", bad.told);
    }
    room.configure("", PATTERN);
    for (from, to, words) in [
        ("state = ", "active = \"back\"\nstate = ", "10:10: active: no source is called \"back\""),
        ("schema = 1\n", "", "1:1: no schema: write `schema = 1` as the first line"),
        ("schema = 1\n", "schema = 2\n", "1:10: schema 2 is of a newer sealcam"),
    ] {
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::write(room.path("bad.toml"), text.replace(from, to)).unwrap();
        let bad = room.sealcam(&["check", "--config", room.path("bad.toml").to_str().unwrap()]);
        assert!(bad.code == 2 && bad.told.contains(&format!("bad.toml:{words}")), "{}", bad.told);
    }
    let none = room.sealcam(&["run", "--config", "/nowhere/sealcam.toml"]);
    assert!(none.code == 2 && none.told.contains("/nowhere/sealcam.toml"), "{}", none.told);
}

#[test]
fn messages_name_keys_and_not_options() {
    let room = Room::new();
    let start = |from: &str, to: &str| {
        room.configure("", PATTERN);
        let text = std::fs::read_to_string(room.path("sealcam.toml")).unwrap();
        assert!(text.contains(from));
        std::fs::write(room.path("sealcam.toml"), text.replace(from, to)).unwrap();
        let told = room.sealcam(&["run", "--config", room.path("sealcam.toml").to_str().unwrap()]);
        assert_ne!(told.code, 0);
        told.told
    };
    // (line, what is written in its place, words)
    let cases = [
        ("key = \"key\"", "key = \"none\"", "error: key: "),
        ("state = \"state\"", "state = \"/proc/none\"", "folder with `state` in [service]"),
        ("to = \"127.0.0.1:", "to = \"[fe80::1]:", "say which one (interface)"),
        ("key = \"key\"", "key = \"key\"\nstats-json = \"/proc/none/a\"", "error: stats-json: "),
    ];
    for (from, to, words) in cases {
        let told = start(from, to);
        assert!(told.contains(words) && !names_an_option(&told), "{to}: {told}");
    }
    room.camera("mode MJPG 160x120 50\n");
    room.configure("", "[[source]]\nsource = \"./video0\"\nformat = \"yuyv\"\n");
    let mut service = Service::start(&room);
    service.wait_for("source camera: format yuyv: ");
    assert!(!names_an_option(&service.log()), "{}", service.log());
    service.stops();
}

/// Whether it does so outside of commands, which stand in backticks.
fn names_an_option(told: &str) -> bool {
    told.split('`').step_by(2).any(|text| text.contains("--"))
}

#[test]
fn a_key_can_be_a_credential() {
    let room = Room::new();
    room.configure("", PATTERN);
    let text = std::fs::read_to_string(room.path("sealcam.toml")).unwrap();
    let text = text.replace("key = \"key\"", "key = \"credential:key\"");
    std::fs::write(room.path("sealcam.toml"), text).unwrap();
    let folder = room.path("");
    let mut service = Service::launch(&room, |command| {
        command.env("CREDENTIALS_DIRECTORY", folder);
    });
    service.hears("READY=1");
    service.stops();
    let mut without = Service::launch(&room, |command| {
        command.env_remove("CREDENTIALS_DIRECTORY");
    });
    assert_eq!(without.ends().0, Some(2));
    without.wait_for("LoadCredential=key:PATH");
}

#[test]
fn one_service_has_the_socket_and_a_dead_one_loses_it() {
    let room = Room::new();
    room.configure("", PATTERN);
    std::fs::create_dir(room.path("run")).unwrap();
    drop(UnixListener::bind(room.path("run/control.sock")).unwrap());
    let mut service = Service::start(&room);
    let mut second = Service::launch(&room, |_| {});
    assert_eq!(second.ends().0, Some(1));
    second.wait_for("a service is running with it already");
    assert_eq!(room.status()["active"], "camera", "the first one is not disturbed");
    // The second bound the manager's socket anew.
    service.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(service.ends().0, Some(0));
}

#[test]
fn what_comes_at_last_is_opened_within_two_seconds() {
    let room = Room::new();
    room.configure("", "[[source]]\nsource = \"file:clip.mjpeg\"\n");
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    pause(1_500);
    crate::images::write(&room.path("images"), crate::images::Tables::Own);
    std::fs::rename(room.path("images/0.jpg"), room.path("clip.mjpeg")).unwrap();
    let start = clock::now();
    viewer.sees("a picture", |frame| !frame.notice);
    assert!(since(start) < Duration::from_secs(2), "{:?}", since(start));
    assert_eq!(service.log().matches("trying again").count(), 1, "{}", service.log());
    service.stops();
}

#[test]
fn only_what_is_wrong_in_the_file_ends_with_2() {
    let room = Room::new();
    // A folder that may yet be mounted.
    room.configure("stats-json = \"none/figures\"", PATTERN);
    let told = room.sealcam(&["run", "--config", room.path("sealcam.toml").to_str().unwrap()]);
    assert!(told.code == 1 && told.told.contains("stats-json: "), "{}", told.told);
    // A route that carries little at the moment.
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root makes network namespaces");
        return;
    }
    room.configure("packet-size = 1400", PATTERN);
    let script = "ip link set lo up mtu 1280 && exec timeout --preserve-status 2 \"$@\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["-n", "sh", "-c", script, "sh"]).arg(crate::room::program()).args(["run", "--config"]);
    let output = command.arg(room.path("sealcam.toml")).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("packet-size: datagrams of 1400 bytes do not fit"), "{told}");
    assert!(told.contains("in datagrams of 1252 bytes"), "{told}");
}

#[test]
fn a_file_elsewhere_may_come_late_and_be_replaced() {
    let (room, elsewhere) = (Room::new(), Room::new());
    let clip = elsewhere.path("of/today/clip.mjpeg");
    room.configure("", &format!("[[source]]\nsource = \"file:{}\"\n", clip.display()));
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    viewer.sees("a notice", |frame| frame.notice);
    crate::images::write(&elsewhere.path("images"), crate::images::Tables::Own);
    std::fs::create_dir_all(elsewhere.path("of/today")).unwrap();
    std::fs::rename(elsewhere.path("images/0.jpg"), &clip).unwrap();
    viewer.sees("a picture", |frame| !frame.notice);
    // Another file in its place, and read anew.
    std::fs::rename(elsewhere.path("images/1.jpg"), &clip).unwrap();
    assert_eq!(room.ask(&["source", "off"]).code, 0);
    let told = room.ask(&["source", "camera"]);
    assert_eq!(told.code, 0, "{}", told.told);
    viewer.sees("a picture again", |frame| !frame.notice);
    service.stops();
}
