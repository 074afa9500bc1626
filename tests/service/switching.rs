//! Several sources in one configuration.

use crate::receiver::Watching;
use crate::room::{Room, Service, pause};

const SOURCES: &str = "\
    [[source]]\nname = \"front\"\nsource = \"pattern:160x120@30\"\n\
    [[source]]\nname = \"back\"\nsource = \"pattern:320x240@20\"\nquality = 50\n\
    [[source]]\nname = \"clip\"\nsource = \"file:none.mjpeg\"\n";

#[test]
fn a_switch_changes_nothing_but_the_picture() {
    let room = Room::new();
    room.configure("", SOURCES);
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    viewer.sees("the front", |frame| frame.source == 0 && frame.size == (160, 120));
    let listed = room.ask(&["source"]);
    assert_eq!(listed.code, 0, "{}", listed.told);
    assert!(listed.said.starts_with("* front  pattern:160x120@30\n  back  pattern"), "{}", listed.said);

    let switched = room.ask(&["source", "back"]);
    assert!(switched.said.contains("* back"), "{}", switched.said);
    viewer
        .sees("the back", |frame| frame.source == 1 && frame.size == (320, 240) && frame.quality == Some(50));
    assert!(room.metric("sealcam_source_active{source=\"back\"}") > 0.5);
    room.ask(&["source", "front"]);
    viewer.sees("the front again", |frame| frame.source == 0 && frame.size == (160, 120));

    for (name, why) in
        [("side", "there are front, back, clip, and off"), ("clip", "none.mjpeg: No such file")]
    {
        let refused = room.ask(&["source", name]);
        assert_eq!(refused.code, 1);
        assert!(refused.told.contains(why), "{}", refused.told);
        viewer.sees("the front still", |frame| frame.source == 0);
    }
    viewer.is_one_stream();
    assert!(!viewer.frames().iter().any(|frame| frame.notice), "not even a notice");
    service.stops();
}

#[test]
fn what_is_switched_off_is_idle_and_healthy() {
    let room = Room::new();
    room.configure("", SOURCES);
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    viewer.sees("the front", |frame| frame.source == 0);
    let off = room.ask(&["source", "off"]);
    assert!(off.said.ends_with("switched off: no source is sent\n"), "{}", off.said);
    pause(200);
    let count = viewer.count();
    pause(700);
    assert_eq!(viewer.count(), count);
    assert!(room.is_healthy());
    assert_eq!(room.page("/healthz").1, "switched off\n");
    assert!(room.metric("sealcam_idle") > 0.5);
    service.hears("STATUS=off: switched off");
    room.ask(&["source", "back"]);
    viewer.sees("the back", |frame| frame.source == 1);
    viewer.is_one_stream();
    service.stops();
}

#[test]
fn a_reload_keeps_what_was_switched_to() {
    let room = Room::new();
    room.configure("", SOURCES);
    let viewer = Watching::start(room.to, &room.path("key"));
    let mut service = Service::start(&room);
    room.ask(&["source", "back"]);
    viewer.sees("the back", |frame| frame.source == 1);
    // One more in front of it: the numbers change, the name stays.
    room.configure("", &format!("[[source]]\nname = \"new\"\nsource = \"pattern:64x48\"\n{SOURCES}"));
    service.reload();
    viewer.sees("the back under its new number", |frame| frame.source == 2 && frame.size == (320, 240));
    assert_eq!(room.status()["active"], "back");
    room.configure("", "[[source]]\nname = \"only\"\nsource = \"pattern:64x48\"\n");
    service.reload();
    viewer.sees("the only one left", |frame| frame.source == 0 && frame.size == (64, 48));
    viewer.is_one_stream();
    service.stops();
}
