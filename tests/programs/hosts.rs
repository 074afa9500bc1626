//! Between hosts: unicast and multicast, IPv4 and IPv6, one receiver and several, small and large datagrams.

use std::fs;

use crate::namespaces::Lab;
use crate::pictures::{assert_in_order, jpegs, noise, split};
use crate::program::{Program, Room, pause, wait_until};

/// Hosts a, b and c on one switch, s: 10.77.1.1 to .3 and fd77:1::1 to ::3, interfaces va, vb and vc.
pub(crate) fn lan() -> Option<Lab> {
    let lab = Lab::new(&["a", "b", "c", "s"])?;
    lab.ip("s", "link add switch type bridge mcast_snooping 0");
    lab.ip("s", "link set switch up");
    for host in ["a", "b", "c"] {
        plug_in(&lab, host);
    }
    Some(lab)
}

/// Connects a host of the [`lan`] to the switch.
pub(crate) fn plug_in(lab: &Lab, host: &'static str) {
    let (at_host, at_switch) = (format!("v{host}"), format!("s{host}"));
    lab.link(host, &at_host, "s", &at_switch);
    lab.ip("s", &format!("link set {at_switch} master switch up"));
    // An adapter has the same address on the link wherever it is plugged in.
    lab.ip(host, &format!("link set {at_host} address 02:00:00:00:77:{:02x} up", host.as_bytes()[0]));
    give_addresses(lab, host);
}

pub(crate) fn give_addresses(lab: &Lab, host: &str) {
    let number = u32::from(host.as_bytes()[0] - b'a' + 1);
    lab.ip(host, &format!("addr replace 10.77.1.{number}/24 dev v{host}"));
    lab.ip(host, &format!("addr replace fd77:1::{number}/64 dev v{host} nodad"));
}

fn set_mtu(lab: &Lab, mtu: u32) {
    for host in ["a", "b", "c"] {
        lab.ip("s", &format!("link set s{host} mtu {mtu}"));
        lab.ip(host, &format!("link set v{host} mtu {mtu}"));
    }
}

/// Starts a program on a host.
pub(crate) fn on(lab: &Lab, host: &str, command: std::process::Command) -> Program {
    lab.enter(host);
    let program = Program::start(command);
    if program.name() == "sealview" {
        program.wait_for("listening on");
    }
    program
}

#[test]
fn unicast_crosses_bit_for_bit_in_datagrams_of_any_size() {
    let Some(lab) = lan() else { return };
    let room = Room::new("unicast");
    let clip = jpegs(20, 640, 480);
    fs::write(room.path("clip.mjpeg"), clip.concat()).unwrap();
    for (to, at, options, mtu, expected) in [
        ("10.77.1.2:5004", "0.0.0.0:5004", "", 1500, 1200),
        ("[fd77:1::2]:5004", "[::]:5004", "--interface va", 1500, 1200),
        ("10.77.1.2:5004", "10.77.1.2:5004", "--packet-size 128 --interface 10.77.1.1", 1500, 128),
        ("[fd77:1::2]:5004", "[fd77:1::2]:5004", "--packet-size 1452", 1500, 1452),
        ("10.77.1.2:5004", "[::]:5004", "--packet-size 8900", 9000, 8900),
        ("[fd77:1::2]:5004", "[::]:5004", "--packet-size 8900 --dscp 0 --pace 0", 9000, 8900),
    ] {
        set_mtu(&lab, mtu);
        let viewer = on(&lab, "b", room.viewer(at, "--stdout --frames 25 --timeout 20"));
        let camera = on(&lab, "a", room.camera(to, &format!("--source file:@clip.mjpeg --fps 50 {options}")));
        let viewer = viewer.succeeds();
        let camera = camera.ends_well();
        assert_in_order(&split(&viewer.output), &clip);
        let words = format!("in datagrams of {expected} bytes");
        assert!(camera.told.contains(&words), "{options}: {}", camera.told);
        let seen = room.newest("viewer.json");
        assert!(seen.n("bytes") / seen.n("datagrams") <= expected, "{seen:?}");
    }
}

#[test]
fn a_frame_of_three_mebibytes_crosses() {
    let Some(lab) = lan() else { return };
    let room = Room::new("large");
    let frames: Vec<Vec<u8>> = (1..=3).map(|seed| noise(2000, 1050, seed)).collect();
    fs::create_dir(room.path("large")).unwrap();
    for (nth, frame) in frames.iter().enumerate() {
        assert!((3 << 20..4 << 20).contains(&frame.len()), "{}", frame.len());
        fs::write(room.path(format!("large/{nth}.jpg")), frame).unwrap();
    }
    for (to, options, mtu) in
        [("10.77.1.2:5004", "--pace 50", 1500), ("[fd77:1::2]:5004", "--packet-size 8900", 9000)]
    {
        set_mtu(&lab, mtu);
        let viewer = on(&lab, "b", room.viewer("[::]:5004", "--stdout --frames 4 --timeout 20"));
        let args = format!("--source file:@large --fps 3 {options}");
        let camera = on(&lab, "a", room.camera(to, &args));
        let viewer = viewer.succeeds();
        camera.ends_well();
        let images = split(&viewer.output);
        assert_eq!(images.len(), 4);
        assert!(images.iter().all(|image| frames.iter().any(|frame| frame == image)));
    }
}

#[test]
fn datagrams_that_do_not_fit_the_path_are_refused_and_the_path_is_explained() {
    let Some(lab) = lan() else { return };
    let room = Room::new("refused");
    for (to, limit) in [
        ("10.77.1.2:5004", 1472),
        ("[fd77:1::2]:5004", 1452),
        ("239.255.77.1:5004 --interface va", 1472),
        ("[ff05::7701]:5004 --interface va", 1452),
    ] {
        let camera = on(&lab, "a", room.camera(to, "--source pattern --packet-size 8900")).wait();
        assert_eq!(camera.code, Some(2), "{}", camera.told);
        let words = format!(
            "--packet-size: datagrams of 8900 bytes do not fit: va carries packets of 1500 bytes, which leaves \
             {limit} after the IP and UDP headers"
        );
        assert!(camera.told.contains(&words), "{to}: {}", camera.told);
        assert!(camera.told.contains(&format!("use {limit} or less, or raise the MTU")), "{}", camera.told);
    }
}

#[test]
fn everyone_in_a_group_sees_the_same() {
    let Some(lab) = lan() else { return };
    let room = Room::new("groups");
    let clip = jpegs(20, 320, 240);
    fs::write(room.path("clip.mjpeg"), clip.concat()).unwrap();
    // (group, the camera's interface, those of b and c)
    for (group, from, [b, c]) in [
        ("239.255.77.20:5004", "va", ["vb", "10.77.1.3"]),
        ("239.255.77.20:5004", "10.77.1.1", ["10.77.1.2", "vc"]),
        ("[ff05::7720]:5004", "va", ["vb", "fd77:1::3"]),
        ("[ff02::7720]:5004", "fd77:1::1", ["vb", "vc"]),
    ] {
        let viewer = |host, interface: &str, n| {
            let args = format!(
                "--interface {interface} --stdout --frames 20 --timeout 20 --state @v{n} --stats-json @v{n}.json"
            );
            on(&lab, host, room.viewer(group, &args))
        };
        let viewers = [viewer("b", b, 1), viewer("b", b, 2), viewer("c", c, 3)];
        let args = format!("--source file:@clip.mjpeg --fps 50 --interface {from}");
        let camera = on(&lab, "a", room.camera(group, &args));
        for viewer in viewers {
            assert_in_order(&split(&viewer.succeeds().output), &clip);
        }
        let camera = camera.ends_well();
        // The way is known to be one link long.
        let full = if group.starts_with('[') { 1452 } else { 1472 };
        assert!(camera.told.contains(&format!("in datagrams of {full} bytes")), "{}", camera.told);
    }
}

#[test]
fn the_cameras_own_host_hears_the_group_only_with_loopback() {
    let Some(lab) = lan() else { return };
    let room = Room::new("own-host");
    for group in ["239.255.77.21:5004", "[ff05::7721]:5004"] {
        for (options, heard) in [("", false), ("--loopback", true)] {
            let here = on(&lab, "a", room.viewer(group, "--interface va"));
            let there = room.viewer(group, "--interface vb --frames 10 --state @b --stats-json @b.json");
            let there = on(&lab, "b", there);
            let args = format!("--source pattern:160x120@30 --interface va {options}");
            let camera = on(&lab, "a", room.camera(group, &args));
            there.succeeds();
            camera.ends_well();
            here.ends_well();
            assert_eq!(room.newest("viewer.json").n("whole") > 0, heard, "{group} {options}");
        }
    }
}

/// Hosts a and b, with a router r between them: 10.77.1.1 - .9, 10.77.2.9 - .2, and likewise in IPv6.
pub(crate) fn routed() -> Option<Lab> {
    let lab = Lab::new(&["a", "r", "b"])?;
    lab.link("a", "va", "r", "ra");
    lab.link("r", "rb", "b", "vb");
    for (host, link, v4, v6) in [
        ("a", "va", "10.77.1.1/24", "fd77:1::1/64"),
        ("r", "ra", "10.77.1.9/24", "fd77:1::9/64"),
        ("r", "rb", "10.77.2.9/24", "fd77:2::9/64"),
        ("b", "vb", "10.77.2.2/24", "fd77:2::2/64"),
    ] {
        lab.ip(host, &format!("addr add {v4} dev {link}"));
        lab.ip(host, &format!("addr add {v6} dev {link} nodad"));
        lab.ip(host, &format!("link set {link} up"));
    }
    lab.set("r", "net.ipv4.ip_forward", "1");
    lab.set("r", "net.ipv6.conf.all.forwarding", "1");
    for (host, gateway) in [("a", "1"), ("b", "2")] {
        lab.ip(host, &format!("route add default via 10.77.{gateway}.9"));
        lab.ip(host, &format!("-6 route add default via fd77:{gateway}::9"));
    }
    Some(lab)
}

#[test]
fn the_ttl_says_how_many_routers_are_passed() {
    let Some(lab) = routed() else { return };
    let room = Room::new("ttl");
    for to in ["10.77.2.2:5004", "[fd77:2::2]:5004"] {
        let viewer = on(&lab, "b", room.viewer("[::]:5004", "--frames 10 --timeout 20"));
        let camera = on(&lab, "a", room.camera(to, "--source pattern:160x120@30 --ttl 1"));
        camera.wait_for("are encoded");
        pause(700);
        camera.ends_well();
        assert_eq!(viewer.output().len(), 0);
        assert!(viewer.told().matches("info: stream ").count() == 0, "{to}: {}", viewer.told());
        let camera = on(&lab, "a", room.camera(to, "--source pattern:160x120@30 --ttl 2"));
        viewer.succeeds();
        camera.ends_well();
    }
}

#[test]
fn frames_are_cut_anew_when_the_path_becomes_smaller() {
    let Some(lab) = routed() else { return };
    let room = Room::new("path");
    let clip = jpegs(20, 640, 480);
    fs::write(room.path("clip.mjpeg"), clip.concat()).unwrap();
    let viewer = on(&lab, "b", room.viewer("0.0.0.0:5004", "--stdout"));
    let camera = on(&lab, "a", room.camera("10.77.2.2:5004", "--source file:@clip.mjpeg --fps 30"));
    wait_until("frames arrive", || split(&viewer.output()).len() > 10);
    lab.ip("r", "link set rb mtu 800");
    lab.ip("b", "link set vb mtu 800");
    camera.wait_for("the path carries datagrams of 772 bytes at most; cutting frames accordingly");
    let before = split(&viewer.output()).len();
    wait_until("frames arrive", || split(&viewer.output()).len() > before + 20);
    let camera = camera.ends_well();
    assert_eq!(camera.told.matches("the path carries").count(), 1, "{}", camera.told);
    assert!(room.newest("camera.json").n("frames_abandoned") <= 3, "{}", camera.told);

    // What was asked for is not changed, but explained; and it goes on when the path is as before.
    lab.ip("r", "link set rb mtu 1500");
    lab.ip("b", "link set vb mtu 1500");
    lab.ip("a", "route flush cache");
    let args = "--source file:@clip.mjpeg --fps 30 --packet-size 1400";
    let camera = on(&lab, "a", room.camera("10.77.2.2:5004", args));
    let before = split(&viewer.output()).len();
    wait_until("frames arrive", || split(&viewer.output()).len() > before + 10);
    lab.ip("r", "link set rb mtu 800");
    camera.wait_for(
        "datagrams of 1400 bytes do not pass: the path carries 772 bytes at most; use a smaller --packet-size",
    );
    lab.ip("r", "link set rb mtu 1500");
    lab.ip("a", "route flush cache");
    pause(200);
    let before = split(&viewer.output()).len();
    wait_until("frames arrive", || split(&viewer.output()).len() > before + 10);
    camera.ends_well();
    assert_in_order(&split(&viewer.ends_well().output)[before..], &clip);
}
