//! `sh tests/soak MINUTES`: the release program kept busy for a long time, its memory and descriptors watched.
//!
//! A round takes about half a minute: a viewer comes, the sources are switched through, settings are read again,
//! good and bad ones, the viewer goes, the network goes and comes, nothing is sent for a while. All the time the
//! control socket and the pages of health are asked. What a round leaves behind is looked at when it is quiet
//! again, so that one state is compared with the same state later.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sealcam::clock;
use sealcam::time::{Duration, Instant};

use crate::room::{Room, Service, pause, since, wait_until};

/// What memory may grow by, in kB. glibc's heap grows by 132 kB at a time, and freed memory does not always
/// leave it: that is two such steps. The smallest leak once a frame (32 bytes) comes to this in five minutes at
/// 30 frames a second, one of 4 kB once a round in half an hour.
const BOUND: u64 = 264;
/// From one sample to the next.
const SAMPLE: u64 = 2_000;

const SOURCES: &str = "\
    [[source]]\nname = \"scene\"\nsource = \"pattern:640x360@30\"\n\
    [[source]]\nname = \"camera\"\nsource = \"./video0\"\ncontrols = { brightness = 7 }\n\
    [[source]]\nname = \"clip\"\nsource = \"file:images\"\nfps = 25\n";

/// What /proc tells of the process.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    /// In kB: all that is resident, and what of it is no file's.
    resident: u64,
    own: u64,
    descriptors: u64,
    threads: u64,
}

impl Sample {
    fn of(pid: u32) -> Option<Self> {
        let folder = format!("/proc/{pid}");
        let status = fs::read_to_string(format!("{folder}/status")).ok()?;
        let number = |key: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Self {
            resident: number("VmRSS:")?,
            own: number("RssAnon:")? + number("RssShmem:")?,
            descriptors: fs::read_dir(format!("{folder}/fd")).ok()?.count() as u64,
            threads: number("Threads:")?,
        })
    }

    fn each(self, other: Self, pick: fn(u64, u64) -> u64) -> Self {
        Self {
            resident: pick(self.resident, other.resident),
            own: pick(self.own, other.own),
            descriptors: pick(self.descriptors, other.descriptors),
            threads: pick(self.threads, other.threads),
        }
    }
}

/// Looks at the process every two seconds until it is dropped.
struct Watch {
    highest: Arc<Mutex<(Sample, usize)>>,
    over: Arc<AtomicBool>,
}

impl Watch {
    fn start(pid: u32) -> Self {
        let watch = Self { highest: Arc::default(), over: Arc::default() };
        let (highest, over) = (Arc::clone(&watch.highest), Arc::clone(&watch.over));
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let Some(sample) = Sample::of(pid) else { return };
                let mut highest = highest.lock().unwrap();
                *highest = (highest.0.each(sample, u64::max), highest.1 + 1);
                drop(highest);
                pause(SAMPLE);
            }
        });
        watch
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// `sealview`, until it has seen some frames.
struct Viewer(Child);

impl Viewer {
    fn start(room: &Room) -> Self {
        let program = std::env::var_os("SOAK_SEALVIEW");
        let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_sealview").into());
        let child = Command::new(program)
            .args(["watch", &format!("0.0.0.0:{}", room.to), "--no-window"])
            .args(["--frames", "100", "--timeout", "60", "--key"])
            .arg(room.path("key"))
            .arg("--state")
            .arg(room.path("viewer"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    fn has_seen_enough(mut self) {
        let mut code = None;
        wait_until("the viewer has seen 100 frames", || {
            code = self.0.try_wait().unwrap();
            code.is_some()
        });
        assert!(code.unwrap().success(), "the viewer: {code:?}");
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks for everything, once a second, for a while.
fn ask_around(room: &Room, millis: u64) {
    let start = clock::now();
    while since(start) < Duration::from_millis(millis) {
        assert_eq!(room.status()["sources"].as_array().unwrap().len(), 3);
        assert!(room.metric("sealcam_frames_total") > 0.5);
        room.page("/healthz");
        pause(1_000);
    }
}

fn switch(room: &Room, name: &str) {
    let told = room.ask(&["source", name]);
    assert_eq!(told.code, 0, "{}", told.told);
}

/// Where the stream goes in a network namespace of this test's own: an address that goes away and comes back.
const THERE: &str = "10.77.0.1";

fn has_own_network() -> bool {
    std::env::var_os("SOAK_OWN_NETWORK").is_some()
}

fn address(change: &str) {
    let status = Command::new("ip").args(["address", change, &format!("{THERE}/32"), "dev", "lo"]).status();
    assert!(status.unwrap().success(), "ip address {change} {THERE} dev lo");
}

fn configure(room: &Room, stream: &str, sources: &str) {
    room.configure(stream, sources);
    if has_own_network() {
        let text = fs::read_to_string(room.path("sealcam.toml")).unwrap();
        let (here, there) = (format!("to = \"127.0.0.1:{}", room.to), format!("to = \"{THERE}:{}", room.to));
        fs::write(room.path("sealcam.toml"), text.replace(&here, &there)).unwrap();
    }
}

/// There is no way to the viewer for a while.
fn without_network(room: &Room) {
    if !has_own_network() {
        return;
    }
    address("delete");
    wait_until("frames leave no more", || !room.is_healthy());
    pause(1_000);
    address("add");
    wait_until("frames leave again", || room.is_healthy());
}

fn round(room: &Room, service: &mut Service, number: u32) {
    let viewer = Viewer::start(room);
    for name in ["camera", "clip", "scene"] {
        switch(room, name);
        ask_around(room, 3_000);
    }
    let (stream, sources) = match number % 3 {
        0 => ("dscp = 0", SOURCES.replace("brightness = 7", "brightness = 8")),
        1 => ("packet-size = 1000\npace = 50", SOURCES.replace("640x360@30\"", "640x360@30\"\nquality = 50")),
        _ => ("", SOURCES.replace("@30\"", "@30\"\nsize = \"320x180\"")),
    };
    for (stream, sources) in [(stream, sources.as_str()), ("nonsense = 1", SOURCES), ("", SOURCES)] {
        configure(room, stream, sources);
        service.reload();
        ask_around(room, 1_000);
    }
    viewer.has_seen_enough();
    without_network(room);
    switch(room, "off");
    pause(1_000);
    switch(room, "scene");
    wait_until("it is healthy", || room.is_healthy());
    let fed = service.takes().iter().filter(|message| message.contains("WATCHDOG=1")).count();
    assert!(fed >= 2, "the watchdog was fed {fed} times in a round:\n{}", service.log());
    // Whoever has asked has gone, and so has what came with the camera.
    pause(4_000);
}

/// The middle one of each figure.
fn middle(samples: &[Sample]) -> Sample {
    let of = |figure: fn(&Sample) -> u64| {
        let mut figures: Vec<u64> = samples.iter().map(figure).collect();
        figures.sort_unstable();
        figures[figures.len() / 2]
    };
    Sample {
        resident: of(|it| it.resident),
        own: of(|it| it.own),
        descriptors: of(|it| it.descriptors),
        threads: of(|it| it.threads),
    }
}

fn minutes(time: Duration) -> f64 {
    time.as_secs_f64() / 60.0
}

/// Tells how it went; what grew, if anything did.
fn judge(quiet: &[Sample], highest: Sample, samples: usize, lasted: Duration) -> Result<(), String> {
    // The first tenth, and at least two rounds, is for warming up.
    let warm = quiet.get((quiet.len() / 10).max(2)..).filter(|rest| rest.len() >= 2);
    let warm = warm.ok_or("too short to judge: give it at least 5 minutes")?;
    let part = warm.len().div_ceil(4);
    let (start, end) = (middle(&warm[..part]), middle(&warm[warm.len() - part..]));
    eprintln!(
        "\n{} rounds in {:.1} minutes, {samples} samples; quiet after warm-up, and the highest of all times",
        quiet.len(),
        minutes(lasted)
    );
    eprintln!("{:<24} {:>9} {:>9} {:>9}", "", "start", "end", "highest");
    let line = |what: &str, figure: fn(&Sample) -> u64| {
        eprintln!("{what:<24} {:>9} {:>9} {:>9}", figure(&start), figure(&end), figure(&highest));
    };
    line("resident memory, kB", |it| it.resident);
    line("of it no file's, kB", |it| it.own);
    line("descriptors", |it| it.descriptors);
    line("threads", |it| it.threads);
    if end.own > start.own + BOUND {
        return Err(format!("memory grew by {} kB, more than {BOUND} kB", end.own - start.own));
    }
    for (what, figure) in [
        ("descriptors", (|it| it.descriptors) as fn(&Sample) -> u64),
        ("threads", (|it| it.threads) as fn(&Sample) -> u64),
    ] {
        if let Some(other) = warm.iter().find(|sample| figure(sample) != figure(&warm[0])) {
            return Err(format!("{} {what} became {}", figure(&warm[0]), figure(other)));
        }
    }
    Ok(())
}

#[test]
#[ignore = "lasts as long as one wants: sh tests/soak MINUTES"]
fn soak() {
    let wanted = std::env::var("SOAK_MINUTES").map_or(30, |minutes| minutes.parse().unwrap());
    let wanted = Duration::from_secs(wanted * 60);
    let room = Room::new();
    room.camera("mode MJPG 160x120 30\ncontrol 980900 1 0 255 1 128 Brightness\n");
    if has_own_network() {
        address("add");
    }
    configure(&room, "", SOURCES);
    let mut service = Service::launch(&room, |command| {
        command.env("WATCHDOG_USEC", "10000000");
    });
    service.hears("READY=1");
    let program = fs::read_link(Path::new("/proc").join(service.pid().to_string()).join("exe")).unwrap();
    eprintln!("{} for {:.0} minutes", program.display(), minutes(wanted));
    let watch = Watch::start(service.pid());
    let start: Instant = clock::now();
    let mut quiet: Vec<Sample> = Vec::new();
    while since(start) < wanted {
        round(&room, &mut service, quiet.len() as u32);
        let sample = Sample::of(service.pid()).unwrap();
        quiet.push(sample);
        eprintln!(
            "{:5.1} min: {} kB resident, {} kB of it no file's, {} descriptors, {} threads",
            minutes(since(start)),
            sample.resident,
            sample.own,
            sample.descriptors,
            sample.threads
        );
    }
    let (highest, samples) = *watch.highest.lock().unwrap();
    let judged = judge(&quiet, highest, samples, since(start));
    drop(watch);
    room.camera_log();
    service.stops();
    assert_eq!(judged, Ok(()));
    eprintln!("flat");
}

#[test]
fn growth_is_found() {
    let flat = Sample { resident: 9000, own: 3000, descriptors: 12, threads: 1 };
    let with_end = |last: Sample| {
        let mut quiet = vec![flat; 30];
        quiet[0].own = 100;
        quiet[24..].fill(last);
        judge(&quiet, flat, 900, Duration::from_secs(1800))
    };
    assert_eq!(with_end(flat), Ok(()));
    assert_eq!(with_end(Sample { own: flat.own + BOUND, resident: 20_000, ..flat }), Ok(()));
    assert!(
        with_end(Sample { own: flat.own + BOUND + 1, ..flat }).unwrap_err().contains("memory grew by 265 kB")
    );
    assert_eq!(with_end(Sample { descriptors: 13, ..flat }), Err("12 descriptors became 13".into()));
    assert_eq!(with_end(Sample { threads: 2, ..flat }), Err("1 threads became 2".into()));
    assert!(judge(&[flat; 3], flat, 9, Duration::ZERO).is_err());
}
