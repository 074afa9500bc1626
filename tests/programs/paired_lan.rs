//! Paired viewers between hosts: eight at once, one that moves, one that is removed, a group, and a flood.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{fs, thread};

use sealcam::clock;
use sealcam::keys::KernelRandom;
use sealcam::keys::identity::public_key_from_text;
use sealcam::proto::handshake::Initiator;
use sealcam::proto::identity::StaticSecret;
use sealcam::proto::random::Random as _;
use sealcam::time::Duration;
use sealcam::wire::SessionId;
use socket2::{Domain, Protocol, Socket, Type};

use crate::namespaces::Lab;
use crate::program::{Ended, Program, Room, SEALCAM, SEALVIEW, pause, since, wait_until};
use crate::relay::Random;

const VIEWERS: [&str; 8] = ["v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8"];
const CAMERA: &str = "10.78.1.100";

/// A camera and its viewers on one switch, each a host.
struct Hall {
    lab: Lab,
    room: Room,
    camera: Program,
    key: String,
    viewers: Vec<(&'static str, Program)>,
}

impl Hall {
    /// The camera lets in those who watch; `args` are its own, `each` those of a viewer.
    fn open(name: &str, viewers: &[&'static str], args: &str, each: &str) -> Option<Self> {
        let mut hall = Self::dark(name, viewers, args, true)?;
        hall.all_watch(viewers, each);
        Some(hall)
    }

    /// The same, and nobody watches yet; `plugged`: the camera has a network.
    fn dark(name: &str, viewers: &[&'static str], args: &str, plugged: bool) -> Option<Self> {
        let hosts = [&["cam", "s"], viewers].concat();
        let lab = Lab::new(&hosts)?;
        lab.ip("s", "link add switch type bridge mcast_snooping 0");
        lab.ip("s", "link set switch up");
        if plugged {
            plug(&lab, "cam", CAMERA);
        }
        let room = Room::new(name);
        let run = |line: &str, program: &str| {
            let ended = Program::start(room.command(program, line, "")).succeeds();
            String::from_utf8(ended.output).unwrap()
        };
        let first = |text: String| text.lines().next().unwrap().to_owned();
        let key = first(run("identity --state @camera", SEALCAM));
        for (nth, host) in viewers.iter().enumerate() {
            plug(&lab, host, &format!("10.78.1.{}", nth + 1));
            let own = first(run(&format!("identity --state @{host}"), SEALVIEW));
            run(&format!("viewers add {host} {own} --state @camera"), SEALCAM);
            run(&format!("cameras add barn {key} {CAMERA}:5004 --state @{host}"), SEALVIEW);
        }
        lab.enter("cam");
        let line = "serve --name barn --state @camera --control @control";
        let source = format!("--stats-json @camera.json --source pattern:160x120@30 {args}");
        let camera = Program::start(room.command(SEALCAM, line, &source));
        camera.wait_for("source: ");
        Some(Self { lab, room, camera, key, viewers: Vec::new() })
    }

    fn all_watch(&mut self, viewers: &[&'static str], each: &str) {
        for host in viewers {
            self.watch(host, each);
        }
        viewers.iter().for_each(|host| self.goes_on(host));
    }

    /// The camera has another address on its interface.
    fn moves(&self, to: &str) {
        self.lab.ip("cam", "addr flush dev e-cam");
        self.lab.ip("cam", &format!("addr add {to}/24 dev e-cam"));
    }

    fn watch(&mut self, host: &'static str, args: &str) {
        self.lab.enter(host);
        let line = format!("connect barn --no-window --state @{host} --stats-json @{host}.json");
        let args = args.replace("MINE", &format!("e-{host}"));
        self.viewers.push((host, Program::start(self.room.command(SEALVIEW, &line, &args))));
    }

    fn viewer(&self, host: &str) -> &Program {
        &self.viewers.iter().find(|(name, _)| *name == host).unwrap().1
    }

    fn whole(&self, host: &str) -> u64 {
        self.room.figures(&format!("{host}.json")).last().map_or(0, |figures| figures.n("whole"))
    }

    #[track_caller]
    fn goes_on(&self, host: &str) {
        let before = self.whole(host);
        wait_until("more frames have come", || self.whole(host) > before + 5);
    }

    fn run(&self, line: &str) -> Ended {
        Program::start(self.room.command(SEALCAM, line, "")).succeeds()
    }

    /// Ends all; each must have gone well.
    fn close(self) {
        for (_, viewer) in self.viewers {
            viewer.ends_well();
        }
        self.camera.ends_well();
    }
}

/// Connects a host to the switch.
fn plug(lab: &Lab, host: &str, address: &str) {
    lab.link(host, &format!("e-{host}"), "s", &format!("s-{host}"));
    lab.ip("s", &format!("link set s-{host} master switch up"));
    lab.ip(host, &format!("addr add {address}/24 dev e-{host}"));
    lab.ip(host, &format!("link set e-{host} up"));
}

#[test]
fn eight_watch_one_is_removed_and_one_moves() {
    let Some(hall) = Hall::open("hall", &VIEWERS, "", "") else { return };
    let start = clock::now();
    hall.run("viewers remove v8 --state @camera");
    hall.viewer("v8").wait_for("taken off the camera's list");
    let took = since(start);
    eprintln!("one of eight is removed after {took:?}");
    assert!(took < Duration::from_secs(5));

    // Another plug of the switch, and another address.
    hall.lab.ip("v1", "link del e-v1");
    let start = clock::now();
    plug(&hall.lab, "v1", "10.78.1.201");
    hall.camera.wait_for("viewer v1 is at 10.78.1.201");
    eprintln!("one that has moved is followed after {:?}", since(start));
    VIEWERS[..7].iter().for_each(|host| hall.goes_on(host));
    assert_eq!(hall.camera.told().matches("viewer v1 has come").count(), 1, "the same session goes on");
    hall.close();
}

const GROUP: &str = "--group 239.255.78.1:5006";
const IN_GROUP: &str = "--multicast --interface MINE";

/// Four have each frame, and it was sent once: the small words of each aside.
fn assert_sent_once(hall: &Hall) {
    let sent = || hall.room.newest("camera.json");
    let (before, viewers) = (sent(), VIEWERS[..4].iter().map(|host| hall.whole(host)).collect::<Vec<_>>());
    VIEWERS[..4].iter().for_each(|host| hall.goes_on(host));
    wait_until("figures have come", || sent().n("frames") > before.n("frames") + 30);
    let now = sent();
    let frames = now.n("frames") - before.n("frames");
    let bytes = now.n("datagram_bytes") - before.n("datagram_bytes");
    let frame_bytes = now.n("frame_bytes") - before.n("frame_bytes");
    eprintln!("{frames} frames of {frame_bytes} bytes in {bytes} bytes of datagrams for {viewers:?}");
    assert!(bytes < frame_bytes * 2, "{bytes} bytes for {frame_bytes} bytes of frames");
}

#[test]
fn a_group_is_sent_to_once_and_goes_on_from_the_cameras_next_address() {
    let args = format!("{GROUP} --interface e-cam");
    let Some(hall) = Hall::open("hall-group", &VIEWERS[..4], &args, IN_GROUP) else { return };
    assert_sent_once(&hall);
    hall.moves("10.78.1.150");
    hall.camera.wait_for("warn: the group: ");
    for host in &VIEWERS[..4] {
        hall.viewer(host).wait_for("barn is at 10.78.1.150:5004 now");
    }
    assert_sent_once(&hall);
    hall.close();
}

#[test]
fn a_camera_that_was_started_without_a_network_is_watched_once_it_has_one() {
    for (name, interface) in [("hall-early", ""), ("hall-early-on", "--interface e-cam")] {
        let plugged = !interface.is_empty();
        let args = format!("{GROUP} {interface}");
        let Some(mut hall) = Hall::dark(name, &VIEWERS[..4], &args, plugged) else { return };
        if plugged {
            // The interface was there, and is another one now.
            hall.lab.ip("cam", "link del e-cam");
            hall.camera.wait_for("viewers cannot come in for now: no network interface e-cam");
        } else {
            hall.camera.wait_for("no way to 239.255.78.1:5006 for now");
        }
        plug(&hall.lab, "cam", CAMERA);
        if !plugged {
            hall.lab.ip("cam", "route add default dev e-cam");
        }
        hall.all_watch(&VIEWERS[..4], IN_GROUP);
        assert_sent_once(&hall);
        hall.close();
    }
}

#[test]
fn a_camera_that_has_another_address_is_found_by_its_name() {
    for (name, args) in [("hall-found", ""), ("hall-found-on", "--interface e-cam")] {
        let Some(mut hall) = Hall::open(name, &["v1"], args, "") else { return };
        // While it is watched.
        let start = clock::now();
        hall.moves("10.78.1.150");
        hall.viewer("v1").wait_for("barn is at 10.78.1.150:5004 now");
        hall.goes_on("v1");
        eprintln!("a camera that has moved is followed after {:?}", since(start));
        // While nobody watches.
        hall.viewers.pop().unwrap().1.ends_well();
        hall.moves("10.78.1.151");
        hall.lab.enter("v1");
        let found = Program::start(hall.room.command(SEALVIEW, "cameras find --state @v1", "")).succeeds();
        let found = String::from_utf8(found.output).unwrap();
        assert!(found.contains("barn") && found.contains("10.78.1.151:5004"), "{found}");
        let start = clock::now();
        hall.watch("v1", "");
        hall.viewer("v1").wait_for("10.78.1.151:5004");
        hall.goes_on("v1");
        eprintln!("one that has moved meanwhile is found after {:?}", since(start));
        hall.close();
    }
}

/// Datagrams a second.
const FLOOD: u64 = 100_000;

/// First messages for the camera of `key`, of viewers that it does not know.
fn openings(key: &str, count: usize) -> Vec<Vec<u8>> {
    let camera = public_key_from_text(key).unwrap();
    let mut random = KernelRandom::new().unwrap();
    let one = |_| {
        let secret = StaticSecret::generate(&mut random);
        let id = SessionId::from_bytes(random.array());
        Initiator::new(&secret, &camera, id, &mut random).unwrap().opening().to_vec()
    };
    (0..count).map(one).collect()
}

/// An IPv4 packet (RFC 791) with a UDP datagram (RFC 768) without a checksum; the kernel adds that of the header.
fn packet(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(28 + payload.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend([10, 99, 0, 0]);
    packet.extend(CAMERA.parse::<Ipv4Addr>().unwrap().octets());
    packet.extend([0, 0]);
    packet.extend(5004_u16.to_be_bytes());
    packet.extend((u16::try_from(8 + payload.len()).unwrap()).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

/// Sends them at the rate until `over`, from addresses in 10.99.0.0/16 and ports of no meaning.
fn flood(openings: &[Vec<u8>], over: &AtomicBool, sent: &AtomicU64) {
    let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))).unwrap();
    let to = SocketAddrV4::new(CAMERA.parse().unwrap(), 0).into();
    let mut packets: Vec<_> = openings.iter().map(|opening| packet(opening)).collect();
    let (mut random, start) = (Random(1), clock::now());
    while !over.load(Ordering::Relaxed) {
        let due = (since(start).as_secs_f64() * FLOOD as f64) as u64;
        while sent.load(Ordering::Relaxed) < due && !over.load(Ordering::Relaxed) {
            let seed = random.next().to_be_bytes();
            let at = usize::from(u16::from_be_bytes([seed[4], seed[5]])) % packets.len();
            packets[at][14..16].copy_from_slice(&seed[..2]);
            packets[at][20..22].copy_from_slice(&seed[2..4]);
            let _ = raw.send_to(&packets[at], &to);
            sent.fetch_add(1, Ordering::Relaxed);
        }
        pause(1);
    }
}

/// What is measured of the camera and the viewer while some seconds pass.
fn measure(hall: &Hall, what: &str) -> (u64, u64) {
    let memory = || {
        let status = fs::read_to_string(format!("/proc/{}/status", hall.camera.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let (start, cpu, frames) = (clock::now(), hall.camera.cpu_seconds(), hall.whole("v1"));
    let mut most = 0;
    while since(start) < Duration::from_secs(5) {
        most = most.max(memory());
        pause(50);
    }
    let (seconds, frames) = (since(start).as_secs_f64(), hall.whole("v1") - frames);
    let share = (hall.camera.cpu_seconds() - cpu) / seconds * 100.0;
    eprintln!("{what}: camera {share:.1} % of a core, {most} kB; viewer {frames} frames in {seconds:.1} s");
    (most, frames)
}

#[test]
fn a_flood_of_first_messages_takes_no_memory_and_stops_no_frames() {
    let Some(mut hall) = Hall::open("hall-flood", &["v1", "v2"], "", "") else { return };
    // From now on v2 is one that floods, and the way to all whom it pretends to be.
    hall.viewers.pop().unwrap().1.ends_well();
    hall.lab.ip("cam", "route add 10.99.0.0/16 via 10.78.1.2");
    let openings = openings(&hall.key, 2000);
    let (before, usual) = measure(&hall, "before");
    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let (during, frames) = thread::scope(|scope| {
        scope.spawn(|| {
            hall.lab.enter("v2");
            flood(&openings, &over, &sent);
        });
        wait_until("the flood has begun", || sent.load(Ordering::Relaxed) > 0);
        let start = (clock::now(), sent.load(Ordering::Relaxed));
        let measured = measure(&hall, "during");
        let count = sent.load(Ordering::Relaxed) - start.1;
        over.store(true, Ordering::Relaxed);
        eprintln!("{:.0} datagrams a second", count as f64 / since(start.0).as_secs_f64());
        measured
    });
    let status = hall.run("status --json --control @control").output;
    let status: serde_json::Value = serde_json::from_slice(&status).unwrap();
    eprintln!("{}", status["status"]["paired"]);
    assert!(status["status"]["paired"]["cookies"].as_u64().unwrap() > 1000);
    assert!(during < before + 4096, "{before} kB, then {during} kB");
    assert!(frames * 2 > usual, "{frames} frames, {usual} without the flood");
    hall.goes_on("v1");
    hall.close();
}
