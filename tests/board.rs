//! The cross-built firmware on an emulated ARM board, with the kernel's own camera drivers, judged by what
//! the receiver on this machine gets.
//!
//! Ignored unless asked for, since they need QEMU and the firmware built for the board:
//!
//! ```text
//! sh cross/packages install board && sh cross/build && sh cross/deb
//! cargo test --all-features --test board -- --ignored --test-threads 1
//! ```
//!
//! `tests/board/run` boots the same board by hand.

#![cfg(all(target_os = "linux", feature = "camera", feature = "viewer"))]

#[path = "board/faults.rs"]
mod faults;
#[path = "board/judge.rs"]
mod judge;
#[path = "board/machine.rs"]
mod machine;
#[path = "board/service.rs"]
mod service;
#[path = "board/viewers.rs"]
mod viewers;
#[path = "board/wire.rs"]
mod wire;

use judge::{Picture, jpegs_in};
use machine::{Lab, ROOT, Watch};
use sealcam::time::{Duration, Instant};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Least similarity of a picture encoded at quality 90 with the raw one, in dB.
const SAME: f64 = 40.0;

/// Most similarity of two different pictures, in dB.
const OTHER: f64 = 20.0;

/// Raw pictures of vivid arrive as the right pictures: brightness range, colours, geometry, and the newest.
#[test]
#[ignore = "boots an emulated board; see the head of tests/board.rs"]
fn vivid_pictures_arrive_as_they_are() {
    const FRAMES: usize = 100;
    let lab = Lab::new();
    let watch = Watch::start(&lab);
    let board = lab.boot(
        "vivid",
        &[
            &format!("PORT={}", watch.port()),
            "FIRST=0",  // 75 % colour bars
            "SECOND=4", // colour squares
            &format!("FRAMES={FRAMES}"),
        ],
    );
    board.finish();
    let frames = watch.finish();
    let patterns = ["0", "4"].map(|pattern| {
        let raw =
            fs::read(lab.out().join(format!("{pattern}.yuyv"))).expect("the scenario kept the raw picture");
        Picture::from_limited_range_yuyv(640, 360, &raw)
    });
    assert!(patterns[0].psnr(&patterns[1]) < OTHER, "the two test patterns look alike");

    assert!(frames.len() * 10 >= FRAMES * 9, "{} of {FRAMES} frames arrived", frames.len());
    let likeness: Vec<[f64; 2]> = frames
        .iter()
        .map(|frame| Picture::from_jpeg(&frame.jpeg))
        .map(|picture| [picture.psnr(&patterns[0]), picture.psnr(&patterns[1])])
        .collect();
    let second = likeness.iter().position(|psnr| psnr[1] >= SAME).expect("the second pattern arrived");
    let (before, after) = likeness.split_at(second);
    // The driver may change its pattern in the middle of one picture.
    let before = &before[..before.len().saturating_sub(1)];
    let worst = |part: &[[f64; 2]], pattern: usize| {
        part.iter().map(|psnr| psnr[pattern]).fold(f64::INFINITY, f64::min)
    };
    eprintln!("PSNR at least {:.1} dB, then {:.1} dB", worst(before, 0), worst(after, 1));
    assert!(before.len() > 20 && after.len() > 20, "{} and {} frames", before.len(), after.len());
    assert!(worst(before, 0) >= SAME, "first pattern: {:.1} dB", worst(before, 0));
    assert!(worst(after, 1) >= SAME, "second pattern: {:.1} dB", worst(after, 1));
}

/// JPEGs of a camera that gives JPEG arrive bit for bit, in order.
#[test]
#[ignore = "boots an emulated board; see the head of tests/board.rs"]
fn footage_arrives_bit_for_bit() {
    const FRAMES: usize = 100;
    let lab = Lab::new();
    let clip = fs::read(lab.clip()).expect("tests/board/prepare made the clip");
    let clip: Vec<&[u8]> = jpegs_in(&clip).collect();
    assert!(clip.len() >= 60, "{} frames in the clip", clip.len());

    let watch = Watch::start(&lab);
    let path = lab.clip();
    let board = lab.boot(
        "footage",
        &[
            &format!("PORT={}", watch.port()),
            "CLIP=clip.mjpeg",
            &format!("FRAMES={FRAMES}"),
            path.to_str().expect("a path in UTF-8"),
        ],
    );
    board.finish();
    let frames = watch.finish();

    assert!(frames.len() * 10 >= FRAMES * 9, "{} of {FRAMES} frames arrived", frames.len());
    let mut last = None;
    for frame in &frames {
        let at = clip.iter().position(|jpeg| *jpeg == frame.jpeg);
        let at = at.unwrap_or_else(|| panic!("a frame of {} bytes is not in the clip", frame.jpeg.len()));
        if let Some(last) = last {
            let step = (at + clip.len() - last) % clip.len();
            assert!((1..clip.len() / 2).contains(&step), "frame {at} of the clip came after frame {last}");
        }
        last = Some(at);
    }
    eprintln!("{} frames, all in the clip", frames.len());
}

/// A camera that is pulled out and put back is streamed again within two seconds; in between stands a notice.
#[test]
#[ignore = "boots an emulated board; see the head of tests/board.rs"]
fn unplugging_is_survived() {
    let lab = Lab::new();
    let watch = Watch::start(&lab);
    let board = lab.boot("unplug", &[&format!("PORT={}", watch.port())]);
    let console = board.finish();
    let frames = watch.finish();
    let raw = fs::read(lab.out().join("0.yuyv")).expect("the scenario kept the raw picture");
    let pattern = Picture::from_limited_range_yuyv(640, 360, &raw);

    let times = |word: &str| -> Vec<Instant> {
        console.iter().filter(|(_, line)| line == word).map(|(at, _)| *at).collect()
    };
    let (unplugged, plugged) = (times("UNPLUGGED"), times("PLUGGED"));
    assert_eq!((unplugged.len(), plugged.len()), (2, 2), "the scenario pulled and plugged twice");
    let camera_at: Vec<(Instant, bool)> = frames
        .iter()
        .map(|frame| {
            let picture = Picture::from_jpeg(&frame.jpeg);
            (frame.at, picture.is_size_of(&pattern) && picture.psnr(&pattern) >= SAME)
        })
        .collect();

    for (out, back) in unplugged.into_iter().zip(plugged) {
        let between =
            |from: Instant, to: Instant| camera_at.iter().filter(move |(at, _)| (from..to).contains(at));
        // What was on its way when the camera went may still arrive.
        let gap = (out + Duration::from_millis(500), back);
        assert!(between(gap.0, gap.1).all(|(_, camera)| !camera), "camera pictures without a camera");
        let notices = between(gap.0, gap.1).count();
        assert!(notices >= 2, "{notices} NO SIGNAL pictures in {:?}", gap.1.since(gap.0));
        let again = camera_at.iter().find(|(at, camera)| *camera && *at >= back);
        let waited = again.map(|(at, _)| at.since(back)).expect("pictures after the camera is back");
        eprintln!("{notices} notices; pictures {waited:?} after the camera was back");
        assert!(waited <= Duration::from_secs(2), "pictures {waited:?} after the camera was back");
    }
}

/// The package on a Debian with systemd: whatever happens to camera, network, disk, configuration and process,
/// the stream is back within two seconds of the cause going away. The table goes to `target/board/faults.txt`.
///
/// A picture counts once `sealview` here has it; when it left is told by the board's own clock, which counts
/// the instructions of a slow board: a busy host changes nothing.
#[test]
#[ignore = "boots an emulated board with Debian; see the head of tests/board.rs"]
fn faults_are_survived() {
    let lab = Lab::new();
    let watch = Watch::start(&lab);
    let port = watch.port();
    let package = package();
    let name = package.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8");
    let board = lab.boot_debian(
        "faults",
        &[&format!("PORT={port}"), &format!("PACKAGE={name}"), package.to_str().expect("a path in UTF-8")],
    );
    let console = board.finish();
    let arrived: HashSet<Vec<u8>> = watch.finish().into_iter().map(|frame| frame.jpeg).collect();
    let departed = wire::frames(&lab.out().join("network.pcap"), &lab.key(), port);
    let lost = departed.iter().filter(|frame| !arrived.contains(&frame.jpeg)).count();
    eprintln!("{} frames left the board, {lost} of them did not arrive", departed.len());
    assert!(lost * 2 <= departed.len(), "{lost} of {} frames did not arrive", departed.len());

    let seen: Vec<_> = faults::FAULTS
        .iter()
        .map(|fault| faults::judge(*fault, faults::cause(&console, fault.0), &departed, &arrived))
        .collect();
    let table = faults::table(&seen);
    fs::write(Path::new(ROOT).join("target/board/faults.txt"), &table).expect("target/board/ is there");
    eprintln!("{table}");
    let wrong: Vec<_> = seen.iter().filter(|fault| !fault.wrong.is_empty()).collect();
    assert!(wrong.is_empty(), "{} of {} faults are not survived as they should be", wrong.len(), seen.len());

    faults::quality_changes(&departed, faults::cause(&console, "other-quality"));
    service::is_as_it_should_be(&lab, &console, departed.len());
}

/// The newest package for the board.
fn package() -> PathBuf {
    let folder = Path::new(ROOT).join("target/debian");
    let packages = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let ours = packages.filter(|path| path.to_str().is_some_and(|path| path.ends_with("_arm64.deb")));
    let newest = ours.max_by_key(|path| path.metadata().and_then(|data| data.modified()).ok());
    newest.expect("a package in target/debian; make it with  sh cross/deb")
}
