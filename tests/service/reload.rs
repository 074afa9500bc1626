//! SIGHUP: the same stream goes on with other settings.

use std::fs;
use std::net::TcpListener;

use crate::receiver::Watching;
use crate::room::{Room, Service, free_port, wait_until};

const LARGE_AREA: &str =
    "{\"selected_rect\":[[0,0],[320,0],[320,180],[0,180]],\"visible_rect\":[[0,0],[64,0],[64,48],[0,48]]}";

fn pattern(settings: &str) -> String {
    format!("[[source]]\nname = \"front\"\nsource = \"pattern:160x120@30\"\n{settings}\n")
}

#[test]
fn changed_settings_take_effect_in_the_same_stream() {
    let room = Room::new();
    room.configure("", &pattern(""));
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    let first = viewer.sees("a picture", |frame| frame.quality == Some(80));
    assert_eq!(first.size, (160, 120));

    room.configure("pace = 0", &pattern("quality = 30"));
    service.reload();
    service.wait_for("read again: pace 0 %, source front changed");
    viewer.sees("another quality", |frame| frame.quality == Some(30));

    room.configure("packet-size = 256", &pattern("quality = 30\nsize = \"320x240\""));
    service.reload();
    viewer.sees("another size in smaller packets", |frame| frame.size == (320, 240) && frame.datagram == 256);

    let area =
        "{\"selected_rect\":[[0,0],[100,0],[100,80],[0,80]],\"visible_rect\":[[0,0],[64,0],[64,48],[0,48]]}";
    fs::write(room.path("area.json"), area).unwrap();
    room.configure("packet-size = 256", &pattern("area = \"area.json\""));
    service.reload();
    let cut = viewer.sees("a part of the picture", |frame| frame.size == (64, 48));

    room.configure("", &pattern("fps = 5"));
    service.reload();
    viewer.sees("the whole picture", |frame| frame.size == (160, 120));
    wait_until("the rate is lower", || {
        let fps = room.status()["fps"].as_f64().unwrap();
        (3.0..=7.0).contains(&fps)
    });
    viewer.is_one_stream();
    assert_eq!(cut.stream, first.stream);
    service.stops();
}

#[test]
fn another_destination_gets_the_same_stream() {
    let mut room = Room::new();
    room.configure("", &pattern(""));
    let before = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    before.sees("a picture", |_| true);
    room.to = free_port();
    let after = Watching::start(room.to, &room.path("key"));
    room.configure("", &pattern(""));
    service.reload();
    let new = after.sees("a picture elsewhere", |_| true);
    let last = *before.frames().last().unwrap();
    assert_eq!(new.stream, last.stream);
    assert!(new.packet > last.packet, "{last:?} {new:?}");
    service.wait_for(&format!("sending to 127.0.0.1:{} from now on", room.to));
    let count = before.count();
    after.sees("more", |frame| frame.packet > new.packet + 20);
    assert!(before.count() <= count + 1, "the old destination gets nothing more");
    service.stops();
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing() {
    let mut room = Room::new();
    room.configure("", &pattern(""));
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    viewer.sees("a picture", |_| true);
    fs::write(room.path("large.json"), LARGE_AREA).unwrap();
    // (keys of the stream, sources, what is said)
    let path = room.path("sealcam.toml").display().to_string();
    let cases = [
        ("pace = 101", pattern(""), format!("{path}:5:8: 101 is not within 0 to 100; nothing is changed")),
        ("", pattern("qality = 1"), format!("{path}:9:1: unknown field `qality`")),
        ("", pattern("area = \"large.json\""), "outside of the picture of 160x120".into()),
        ("", pattern("area = \"none.json\""), "none.json: No such file".into()),
        (
            "",
            "[[source]]\nname = \"front\"\nsource = \"file:none.avi\"".into(),
            "none.avi: No such file".into(),
        ),
        ("loopback = true", pattern(""), format!("{path}:5:12: loopback: only means something")),
    ];
    for (stream, sources, said) in cases {
        room.configure(stream, &sources);
        service.reload();
        service.wait_for(&said);
        viewer.sees("the same as before", |frame| frame.size == (160, 120) && frame.quality == Some(80));
    }
    fs::remove_file(room.path("sealcam.toml")).unwrap();
    service.reload();
    // A good file, but what it asks for cannot be had.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let before = std::mem::replace(&mut room.health, taken.local_addr().unwrap().port());
    room.configure("pace = 0", &pattern("quality = 10"));
    service.reload();
    service.wait_for("Address already in use");
    viewer.sees("the same as before", |frame| frame.quality == Some(80));
    room.health = before;
    assert!(room.is_healthy());
    wait_until("all is told", || service.log().matches("nothing is changed").count() == 8);
    viewer.is_one_stream();
    service.stops();
}

#[test]
fn what_only_a_start_can_change_says_so_and_stays() {
    let room = Room::new();
    room.configure("", &pattern(""));
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    viewer.sees("a picture", |_| true);
    room.configure("", &pattern("quality = 40"));
    let text = fs::read_to_string(room.path("sealcam.toml")).unwrap();
    let text = text.replace("key = \"key\"", "key = \"other\"").replace("run/control.sock", "elsewhere");
    fs::write(room.path("sealcam.toml"), text).unwrap();
    service.reload();
    for key in ["stream.key", "service.control"] {
        service.wait_for(&format!("{key} has changed: restart needed"));
    }
    viewer.sees("what could be changed", |frame| frame.quality == Some(40));
    let told = room.ask(&["status"]);
    assert_eq!(told.code, 0, "at the old socket");
    for what in ["stream.key has changed", "service.control has changed"] {
        assert!(told.said.contains(&format!("restart   needed: {what}\n")), "{}", told.said);
    }
    room.configure("", &pattern(""));
    service.reload();
    assert!(!room.ask(&["status"]).said.contains("needed"), "the file says again what is in effect");
    viewer.is_one_stream();
    service.stops();
}

#[test]
fn what_a_running_camera_cannot_do_is_refused_and_it_goes_on() {
    let room = Room::new();
    room.camera("mode MJPG 160x120 50\n");
    fs::write(room.path("large.json"), LARGE_AREA).unwrap();
    let camera =
        |settings: &str| format!("[[source]]\nname = \"front\"\nsource = \"./video0\"\n{settings}\n");
    room.configure("", &camera(""));
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    viewer.sees("a picture", |frame| !frame.notice);
    // The second can only be tried with the camera closed, which is opened again as it was.
    for (settings, said) in
        [("area = \"large.json\"", "source front: area: "), ("format = \"nv12\"", "format nv12: ")]
    {
        room.configure("pace = 0", &camera(settings));
        service.reload();
        service.wait_for(said);
        viewer.sees("the same as before", |frame| !frame.notice && frame.size == (160, 120));
    }
    wait_until("both are refused", || service.log().matches("nothing is changed").count() == 2);
    assert!(room.is_healthy());
    assert!(!service.log().contains("read again: "), "{}", service.log());
    viewer.is_one_stream();
    service.stops();
    room.camera_log();
}

#[test]
fn health_moves_to_another_address_of_the_same_port() {
    let room = Room::new();
    room.configure("", &pattern(""));
    let mut service = Service::start(&room);
    let text = fs::read_to_string(room.path("sealcam.toml")).unwrap();
    let at = |address: &str| {
        let there = format!("listen = \"{address}:{}\"", room.health);
        fs::write(room.path("sealcam.toml"), text.replace(&format!("listen = {}", room.health), &there))
            .unwrap();
    };
    at("0.0.0.0");
    service.reload();
    service.wait_for("health told elsewhere");
    room.page("/healthz");
    // An address that is not ours: the old one stays.
    at("192.0.2.1");
    service.reload();
    service.wait_for("nothing is changed");
    room.page("/healthz");
    service.stops();
}
