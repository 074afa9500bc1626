//! A destination with a name, and a name server that does not answer.

use std::fs;

use sealcam::clock;
use sealcam::time::Duration;

use crate::receiver::Watching;
use crate::room::{Room, Service, pause, since};

const PATTERN: &str = "[[source]]\nsource = \"pattern:160x120@30\"\n";

/// A service under a name server that says what is in the file `answer`, and nothing while there is none.
fn start(room: &Room) -> Service {
    let mut service = Service::launch(room, |command| {
        command.env("LD_PRELOAD", crate::library::build("slow_names"));
        command.env("SLOW_NAMES", room.path("answer"));
        command.env("WATCHDOG_USEC", "900000");
    });
    service.hears("READY=1");
    service
}

/// Writes the configuration with a name for the receiver's address.
fn name(room: &Room) {
    room.configure("", PATTERN);
    let text = fs::read_to_string(room.path("sealcam.toml")).unwrap();
    fs::write(room.path("sealcam.toml"), text.replace("127.0.0.1:", "viewer.test:")).unwrap();
}

/// Nothing waits: requests are answered, and the watchdog is fed.
#[track_caller]
fn turns(room: &Room, service: &mut Service) {
    service.takes();
    let start = clock::now();
    let told = room.ask(&["status"]);
    assert!(since(start) < Duration::from_millis(500), "{:?}\n{}", since(start), told.told);
    pause(1_000);
    let fed = service.takes().iter().filter(|message| message.contains("WATCHDOG=1")).count();
    assert!(fed >= 2, "fed {fed} times in a second");
}

#[test]
fn a_silent_name_server_does_not_hold_up_the_start() {
    let room = Room::new();
    name(&room);
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = start(&room);
    turns(&room, &mut service);
    assert!(room.ask(&["status"]).said.contains("to viewer.test:"));
    assert!(room.ask(&["status"]).said.contains("(not found yet)"));
    assert!(!room.is_healthy());
    // Frames that do not leave are not called sent.
    assert!(room.metric("sealcam_frames_total") < 1.5);
    assert!(room.metric("sealcam_frames_dropped_total{cause=\"abandoned\"}") > 10.0);
    let told = room.ask(&["status"]).said;
    assert!(told.contains("sending   0.0 fps") && !told.contains("latency"), "{told}");
    // The server is there, but has no answer; then it has.
    fs::write(room.path("answer"), "none").unwrap();
    service.wait_for(&format!("destination viewer.test:{}: it cannot be looked up", room.to));
    pause(1_500);
    assert_eq!(service.log().matches("cannot be looked up").count(), 1, "{}", service.log());
    assert_eq!(viewer.count(), 0);
    fs::write(room.path("answer"), "127.0.0.1").unwrap();
    viewer.sees("a picture", |frame| !frame.notice);
    service.wait_for(&format!("viewer.test:{0} is 127.0.0.1:{0}", room.to));
    viewer.is_one_stream();
    service.stops();
}

#[test]
fn a_silent_name_server_does_not_hold_up_the_end() {
    let room = Room::new();
    name(&room);
    let mut service = start(&room);
    pause(100);
    service.stops();
}

#[test]
fn a_reload_to_a_name_goes_on_until_it_is_known() {
    let mut room = Room::new();
    room.configure("", PATTERN);
    let before = Watching::start(room.to, &room.path("key"));
    let mut service = start(&room);
    before.sees("a picture", |_| true);
    room.to = crate::room::free_port();
    let after = Watching::start(room.to, &room.path("key"));
    name(&room);
    service.reload();
    turns(&room, &mut service);
    before.sees("more where it went", |_| true);
    assert_eq!(after.count(), 0);
    fs::write(room.path("answer"), "127.0.0.1").unwrap();
    let new = after.sees("a picture elsewhere", |_| true);
    let last = *before.frames().last().unwrap();
    assert!(new.stream == last.stream && new.packet > last.packet, "{last:?} {new:?}");
    // Read again with the server gone: the address that is known stays.
    fs::remove_file(room.path("answer")).unwrap();
    service.reload();
    after.sees("more", |frame| frame.packet > new.packet);
    turns(&room, &mut service);
    after.is_one_stream();
    service.stops();
}
