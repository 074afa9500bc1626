//! Links, interfaces and addresses that go and come back while both programs run.

use sealcam::clock;
use sealcam::time::{Duration, Instant};

use crate::hosts::{give_addresses, lan, on, plug_in};
use crate::namespaces::Lab;
use crate::pictures::split;
use crate::program::{LONG, Program, Room, pause, since};

/// The picture is back within this after the network is.
const SOON: Duration = Duration::from_secs(2);
/// Where a membership has to be renewed, which is tried every two seconds.
const RENEWED: Duration = Duration::from_millis(3000);

const SCENE: &str = "--source pattern:160x120@30";

fn frames(viewer: &Program) -> usize {
    split(&viewer.output()).len()
}

/// Waits for frames that came after `from`; they must come within `limit` of it.
#[track_caller]
fn back_within(viewer: &Program, limit: Duration, from: Instant) {
    // Those on their way count as before.
    let before = frames(viewer);
    while frames(viewer) < before + 5 {
        assert!(since(from) < LONG, "no picture any more: {}", viewer.told());
        pause(10);
    }
    let took = since(from);
    // Five frames take 0.2 s, and a busy machine some time of its own.
    assert!(
        took < limit + Duration::from_millis(700),
        "the picture was back after {took:?}: {}",
        viewer.told()
    );
}

/// Waits until no more frames come.
#[track_caller]
fn dark(viewer: &Program) {
    let mut before = usize::MAX;
    while frames(viewer) != before {
        before = frames(viewer);
        pause(300);
    }
}

struct Watched {
    camera: Program,
    viewer: Program,
}

fn watched(lab: &Lab, room: &Room, to: &str, options: (&str, &str)) -> Watched {
    let at = if to.starts_with("239.") || to.starts_with("[ff") { to } else { "[::]:5004" };
    let viewer = on(lab, "b", room.viewer(at, &format!("--stdout {}", options.1)));
    let camera = on(lab, "a", room.camera(to, &format!("{SCENE} {}", options.0)));
    back_within(&viewer, LONG, clock::now());
    Watched { camera, viewer }
}

const GROUP4: &str = "239.255.77.30:5004";
const GROUP6: &str = "[ff05::7730]:5004";
const HOST4: &str = "10.77.1.2:5004";
const HOST6: &str = "[fd77:1::2]:5004";

#[test]
fn the_picture_is_back_soon_after_the_cameras_link_is() {
    let Some(lab) = lan() else { return };
    for (to, options) in [
        (HOST4, ("", "")),
        (HOST6, ("--interface va", "")),
        (GROUP4, ("--interface va", "--interface vb")),
        (GROUP6, ("--interface va", "--interface vb")),
    ] {
        let room = Room::new("camera-link");
        let watched = watched(&lab, &room, to, options);
        lab.ip("a", "link set va down");
        watched.camera.wait_for("no way to the destination");
        dark(&watched.viewer);
        lab.ip("a", "link set va up");
        give_addresses(&lab, "a");
        back_within(&watched.viewer, SOON, clock::now());
        let camera = watched.camera.ends_well();
        assert!(camera.told.contains("the network is back after"), "{to}: {}", camera.told);
        let lines = camera.told.matches("no way to the destination").count();
        assert_eq!(lines, 1, "said once: {}", camera.told);
        watched.viewer.ends_well();
        let sent = room.newest("camera.json");
        assert!(sent.n("frames_abandoned") > 0 && sent.n("network.unreachable") > 0, "{sent:?}");
    }
}

#[test]
fn the_picture_is_back_soon_after_the_viewers_link_is() {
    let Some(lab) = lan() else { return };
    for to in [HOST4, HOST6, GROUP4, GROUP6] {
        let room = Room::new("viewer-link");
        let viewers = if to == GROUP4 || to == GROUP6 { "--interface vb" } else { "" };
        let watched = watched(&lab, &room, to, ("--interface va", viewers));
        lab.ip("b", "link set vb down");
        dark(&watched.viewer);
        lab.ip("b", "link set vb up");
        give_addresses(&lab, "b");
        back_within(&watched.viewer, RENEWED, clock::now());
        watched.camera.ends_well();
        watched.viewer.ends_well();
    }
}

#[test]
fn an_interface_that_is_pulled_out_and_comes_back_is_used_again() {
    let Some(lab) = lan() else { return };
    for to in [GROUP4, GROUP6, HOST4] {
        let room = Room::new("pulled");
        let viewers = if to == HOST4 { "" } else { "--interface vb" };
        let watched = watched(&lab, &room, to, ("--interface va", viewers));
        lab.ip("b", "link del vb");
        dark(&watched.viewer);
        watched.viewer.wait_for("the camera has been silent");
        // It gets another index.
        lab.link("a", "padding", "b", "padding");
        plug_in(&lab, "b");
        back_within(&watched.viewer, RENEWED, clock::now());
        watched.viewer.wait_for("the stream is back");

        // The camera's likewise.
        lab.ip("a", "link del va");
        watched.camera.wait_for("no way to the destination");
        dark(&watched.viewer);
        lab.ip("b", "link del padding");
        lab.link("a", "padding", "b", "padding");
        plug_in(&lab, "a");
        back_within(&watched.viewer, SOON, clock::now());
        watched.camera.ends_well();
        watched.viewer.ends_well();
        lab.ip("a", "link del padding");
    }
}

#[test]
fn the_camera_follows_a_new_address() {
    let Some(lab) = lan() else { return };
    for (to, old, new, options) in [
        (HOST4, "10.77.1.1/24", "10.77.1.11/24", ""),
        (HOST6, "fd77:1::1/64", "fd77:1::11/64 nodad", ""),
        (HOST4, "10.77.1.11/24", "10.77.1.12/24", "--interface va"),
    ] {
        let room = Room::new("address");
        let watched = watched(&lab, &room, to, (options, ""));
        lab.ip("a", &format!("addr del {old} dev va"));
        lab.ip("a", &format!("addr add {} dev va{}", new.split(' ').next().unwrap(), nodad(new)));
        // Datagrams from the old address may go on for a second: it is looked at once a second.
        pause(1500);
        back_within(&watched.viewer, SOON, clock::now());
        watched.camera.ends_well();
        watched.viewer.ends_well();
    }
}

fn nodad(address: &str) -> &str {
    if address.ends_with("nodad") { " nodad" } else { "" }
}

#[test]
fn a_camera_waits_for_a_network_that_is_not_there_yet() {
    let Some(lab) = Lab::new(&["a", "b", "s"]) else { return };
    lab.ip("s", "link add switch type bridge mcast_snooping 0");
    lab.ip("s", "link set switch up");
    plug_in(&lab, "b");
    let room = Room::new("no-network");
    let viewer = on(&lab, "b", room.viewer("0.0.0.0:5004", "--stdout"));
    let camera = on(&lab, "a", room.camera(HOST4, SCENE));
    camera.wait_for("no way to");
    pause(500);
    plug_in(&lab, "a");
    back_within(&viewer, SOON, clock::now());
    camera.ends_well();
    viewer.ends_well();
}

#[test]
fn a_viewer_waits_for_the_interface_that_it_was_told_of() {
    let Some(lab) = Lab::new(&["a", "b", "s"]) else { return };
    lab.ip("s", "link add switch type bridge mcast_snooping 0");
    lab.ip("s", "link set switch up");
    plug_in(&lab, "a");
    // (what it listens at, what it says while that cannot be)
    for (at, options, words) in [
        (GROUP4, "--interface vb", "no network interface vb"),
        (GROUP6, "--interface vb", "no network interface vb"),
        (HOST4, "", "no interface has that address"),
    ] {
        let room = Room::new("no-interface");
        lab.enter("b");
        let viewer = Program::start(room.viewer(at, &format!("--stdout {options}")));
        viewer.wait_for(words);
        viewer.wait_for(&format!("waiting to listen on {at}"));
        let camera = on(&lab, "a", room.camera(at, &format!("{SCENE} --interface va")));
        pause(500);
        plug_in(&lab, "b");
        back_within(&viewer, SOON, clock::now());
        viewer.wait_for(&format!("listening on {at} now"));
        camera.ends_well();
        viewer.ends_well();
        lab.ip("b", "link del vb");
    }
}
