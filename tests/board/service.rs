//! What the scenario `faults` found out about the service itself, apart from its stream.

use std::fs;

use sealcam::time::{Duration, Instant};
use serde_json::Value;

use crate::faults::cause;
use crate::machine::Lab;

/// systemd's measure of what a service could do; 10 is everything.
const EXPOSURE: f64 = 1.5;

/// SIGTERM ends the service within this time, systemd's part included.
const END: Duration = Duration::from_secs(1);

pub(crate) fn is_as_it_should_be(lab: &Lab, console: &[(Instant, String)], frames: usize) {
    let read =
        |name: &str| fs::read_to_string(lab.out().join(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
    is_fenced_in(&read);
    counts_what_happened(&read);
    let journal = read("journal.txt");
    says_what_happened(&journal, &read("journal.json"));
    let lines = journal.lines().filter(|line| line.contains(" sealcam[")).count();
    assert!(lines * 5 < frames, "{lines} lines of the service for {frames} frames");
    // Any eight of its characters would be too many.
    let key = fs::read_to_string(lab.key()).expect("the key is there");
    let secret = key.lines().rfind(|line| !line.starts_with('#')).expect("a key").trim();
    assert!(secret.len() >= 40, "{} characters of a key", secret.len());
    for at in 0..secret.len() - 8 {
        assert!(!journal.contains(&secret[at..at + 8]), "a part of the key is in the journal");
    }

    let stop = cause(console, "stop");
    assert!(stop.off.since(stop.on) <= END, "the end took {:?}", stop.off.since(stop.on));
    let end = read("show-end.txt");
    for line in ["Result=success", "ExecMainStatus=0", "ActiveState=inactive"] {
        assert!(end.lines().any(|it| it == line), "{line} is not so at the end");
    }
}

/// Who the service is, what it may do, and who may ask it.
fn is_fenced_in(read: &dyn Fn(&str) -> String) {
    let security = read("security.txt");
    let exposure = security.split("exposure level for sealcam.service: ").nth(1).expect("a measure");
    let exposure: f64 = exposure.split(' ').next().and_then(|it| it.parse().ok()).expect("a number");
    assert!(exposure <= EXPOSURE, "exposure {exposure}");
    assert_eq!(
        read("user.txt").split_whitespace().collect::<Vec<_>>(),
        ["sealcam", "sealcam", "video,sealcam"]
    );
    let process = read("process.txt");
    for line in ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(process.contains(line), "{line} is not so:\n{process}");
    }
    // Linux 6.1 knows the second edition of Landlock: files, but neither TCP nor ioctl.
    let status = read("status.txt");
    let fence = "Landlock enforced as far as this kernel knows it, no new privileges, system calls filtered";
    for words in ["healthy: new frames are flowing", fence] {
        assert!(status.contains(words), "{words}:\n{status}");
    }
    assert!(read("stranger.txt").contains("permission denied"), "{}", read("stranger.txt"));
    let show = read("show.txt");
    for line in ["WatchdogUSec=10s", "User=sealcam", "Type=notify", "StatusErrno=0"] {
        assert!(show.lines().any(|it| it == line), "{line} is not so");
    }
    // By itself: after SIGKILL, and after the watchdog.
    assert!(read("show-stopped.txt").lines().any(|line| line == "NRestarts=2"));
    assert_eq!(read("available.txt").trim(), "0", "the disk was full");
    assert_eq!(read("reload.txt").trim(), "refused", "a bad configuration");
    assert!(read("state.txt").contains(" start-counter"), "state is kept although the root is read-only");
}

/// The figures of the service tell the faults of the camera and of the network.
fn counts_what_happened(read: &dyn Fn(&str) -> String) {
    let figure = |after: &str, path: &str| {
        let status: Value = serde_json::from_str(&read(&format!("{after}.json"))).expect("a status in JSON");
        status.pointer(&format!("/status/figures/{path}")).and_then(Value::as_u64).expect(path)
    };
    let grows = |path: &str, before: &str, after: &str| {
        let (before, after) = (figure(before, path), figure(after, path));
        assert!(after > before, "{path}: {before}, then {after}");
    };
    grows("dropped/flagged", "first-start", "error-flag");
    grows("dropped/timeouts", "error-flag", "dropped-buffers");
    grows("dropped/reopened", "dropped-buffers", "queue-error");
    grows("dropped/reopened", "fatal-error", "disconnect");
    grows("dropped/reopened", "disconnect", "unplugged");
    grows("network/unreachable", "unplugged", "link-down");
    grows("network/reopened", "link-down", "address-changed");
}

/// The journal says each of it once a time, as urgently as it is.
fn says_what_happened(journal: &str, json: &str) {
    let entries: Vec<Value> =
        json.lines().map(|line| serde_json::from_str(line).expect("an entry in JSON")).collect();
    // (how often, priority by syslog(3), words)
    let expected = [
        (1, "4", "VIDIOC_QBUF: Invalid argument; opening it again"),
        (2, "4", "VIDIOC_DQBUF: I/O error; starting the stream again"),
        (1, "3", "; nothing is changed"),
        (1, "6", "read again: source camera changed"),
    ];
    for (times, priority, words) in expected {
        let said =
            entries.iter().filter(|entry| entry["MESSAGE"].as_str().is_some_and(|it| it.contains(words)));
        let said: Vec<_> = said.map(|entry| entry["PRIORITY"].as_str().unwrap_or("none")).collect();
        assert_eq!(said, vec![priority; times], "{words}");
    }
    assert!(journal.contains("unknown field `qality`"), "what is wrong with the configuration");
    assert!(journal.contains("Watchdog timeout (limit 10s)"), "the watchdog fired");
}
