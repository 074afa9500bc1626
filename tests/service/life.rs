//! Start, watchdog, end; what is checked before.

use std::io::Write as _;
use std::os::unix::net::UnixListener;

use sealcam::clock;
use sealcam::time::Duration;

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
fn a_source_that_hangs_starves_the_watchdog() {
    let room = Room::new();
    room.configure("", "[[source]]\nsource = \"-\"\n");
    let mut service = Service::launch(&room, |command| {
        command.env("WATCHDOG_USEC", "900000");
    });
    service.hears("READY=1");
    let mut pipe = service.input();
    assert!(fed(&mut service, 1_000) >= 2, "a pipe may take a moment");
    service.wait_for("the watchdog is not fed");
    assert_eq!(fed(&mut service, 1_000), 0);
    // It comes back to life.
    crate::images::write(&room.path("images"), crate::images::Tables::Own);
    let jpeg = std::fs::read(room.path("images/0.jpg")).unwrap();
    for _ in 0..3 {
        pipe.write_all(&jpeg).unwrap();
    }
    service.hears("WATCHDOG=1");
    // The end of the pipe is the end of the service, and no success: only both can be started again.
    drop(pipe);
    assert_eq!(service.ends().0, Some(1));
    service.wait_for("standard input has ended");
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
    // Whoever checks need not be whoever may read the key.
    std::fs::remove_file(room.path("key")).unwrap();
    let without = room.sealcam(&["check", "--config", path]);
    assert!(without.code == 0 && without.told.contains("the key was not looked at"), "{}", without.told);
    room.configure("pac = 10", PATTERN);
    for command in ["check", "run"] {
        let bad = room.sealcam(&[command, "--config", path]);
        assert_eq!(bad.code, 2);
        let words = format!("{path}:5:1: unknown field `pac`, expected one of `to`, `key`, `packet-size`");
        assert!(bad.told.contains(&words), "{}", bad.told);
    }
    let none = room.sealcam(&["run", "--config", "/nowhere/sealcam.toml"]);
    assert!(none.code == 2 && none.told.contains("/nowhere/sealcam.toml"), "{}", none.told);
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
