//! Two paired viewers of the emulated board.

use std::fs;

use sealcam::time::Duration;

use crate::SAME;
use crate::judge::Picture;
use crate::machine::{Lab, Watch, free_port};

const SEALCAM: &str = env!("CARGO_BIN_EXE_sealcam");
const SEALVIEW: &str = env!("CARGO_BIN_EXE_sealview");

/// Both see what the camera sees; the one that is removed sees no more of it, and the other goes on.
#[test]
#[ignore = "boots an emulated board; see the head of tests/board.rs"]
fn two_viewers_watch_and_one_is_removed() {
    let lab = Lab::new();
    let port = free_port();
    let camera = lab.run(SEALCAM, &["identity"], "camera");
    let viewers = ["one", "two"].map(|name| {
        let key = lab.run(SEALVIEW, &["identity"], name);
        lab.run(SEALCAM, &["viewers", "add", name, &key], "camera");
        lab.run(SEALVIEW, &["cameras", "add", "board", &camera, &format!("127.0.0.1:{port}")], name);
        Watch::paired(&lab, "board", port, name)
    });
    let state = lab.file("camera");
    let state = state.to_str().expect("a path in UTF-8");
    let board = lab.boot_reachable(port, "viewers", &["STATE=camera", "REMOVED=two", state]);
    let console = board.finish();
    let [one, two] = viewers.map(Watch::finish);

    let (removed, _) = console.iter().find(|(_, line)| line == "REMOVED").expect("the scenario removed one");
    let raw = fs::read(lab.out().join("0.yuyv")).expect("the scenario kept the raw picture");
    let pattern = Picture::from_limited_range_yuyv(640, 360, &raw);
    for frame in one.iter().chain(&two) {
        let psnr = Picture::from_jpeg(&frame.jpeg).psnr(&pattern);
        assert!(psnr >= SAME, "{psnr:.1} dB");
    }
    let after = |frames: &[crate::machine::Frame]| frames.iter().filter(|frame| frame.at > *removed).count();
    let last = two.last().expect("the second has watched").at;
    eprintln!(
        "{} and {} frames, {} and {} of them after the removal, the second's last {:?} after it",
        one.len(),
        two.len(),
        after(&one),
        after(&two),
        last.since(*removed)
    );
    assert!(two.len() > 20 && last < *removed + Duration::from_secs(1));
    assert!(after(&one) > 20, "the first goes on");
}
