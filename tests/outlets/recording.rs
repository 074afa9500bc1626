use crate::folder::Folder;
use crate::pictures::{Stream, grey, jpeg, without_tables};
use crate::player;
use sealcam::viewer::frame::Frame;
use sealcam::viewer::recorder::{RecordError, Recorder};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

/// Capture times like a camera's: 30 a second, none of them quite on time, one long pause.
fn micros(n: u64) -> u64 {
    n * 33_333 + (n * 7919) % 4000 + if n >= 60 { 2_500_000 } else { 0 }
}

/// The same in the recording's unit of 0.1 ms, counted from the first frame.
fn ticks(n: u64) -> u64 {
    (micros(n) - micros(0) + 50) / 100
}

fn record(path: &Path, frames: &[Frame]) {
    let recorder = Recorder::start(path).unwrap();
    offer_all(&recorder, frames);
    let progress = recorder.finish().unwrap();
    assert_eq!((progress.frames, progress.dropped), (frames.len() as u64, 0));
}

/// Offers no faster than the disk takes.
fn offer_all(recorder: &Recorder, frames: &[Frame]) {
    for (n, frame) in (1..).zip(frames) {
        recorder.offer(frame);
        while recorder.failure().is_none() && recorder.progress().frames < n {
            thread::yield_now();
        }
    }
}

/// A rough surface, on average `shade + 16`: ffmpeg overlooks the end of an image with next to no data.
fn rough(shade: u8) -> Vec<u8> {
    jpeg(96, 64, |x, y| [shade + ((x * 37) ^ (y * 91)) as u8 % 33; 3])
}

fn shades(count: u64) -> Vec<Frame> {
    let mut stream = Stream::new();
    (0..count).map(|n| stream.frame(&rough(n as u8 * 2), micros(n))).collect()
}

#[test]
fn matroska_has_every_frame_at_its_time() {
    if !player::is_here() {
        return;
    }
    let folder = Folder::new();
    let path = folder.join("yard.mkv");
    let frames = shades(90);
    record(&path, &frames);
    assert_eq!(player::stream(&path), "mjpeg,96,64,1/10000");
    assert_eq!(player::times(&path), (0..90).map(ticks).collect::<Vec<_>>());
    assert_eq!(player::decoded(&path), 90);
    let sent: Vec<u8> = frames.iter().flat_map(|frame| frame.jpeg().to_vec()).collect();
    assert!(player::images(&path) == sent, "the images were changed");
    let end = (2 * ticks(89) - ticks(88)) as f64 / 1e4;
    assert!((player::duration(&path) - end).abs() < 1e-3, "{}", player::duration(&path));
}

#[test]
fn a_player_can_jump() {
    if !player::is_here() {
        return;
    }
    let folder = Folder::new();
    let path = folder.join("yard.mkv");
    record(&path, &shades(90));
    for n in [0, 1, 29, 30, 31, 59, 60, 88] {
        // Half a millisecond early, so that the frame itself is the first one not before it.
        let seconds = (ticks(n) as f64 - 5.0).max(0.0) / 1e4;
        let shade = player::shade_at(&path, &seconds.to_string());
        assert!(shade.abs_diff(n as u8 * 2 + 16) <= 1, "frame {n} at {seconds} s: shade {shade}");
    }
}

#[test]
fn a_recording_that_was_cut_off_plays() {
    if !player::is_here() {
        return;
    }
    let folder = Folder::new();
    let path = folder.join("yard.mkv");
    let recorder = Recorder::start(&path).unwrap();
    offer_all(&recorder, &shades(90));
    // What a crash would leave: the file as it is now.
    let bytes = fs::read(&path).unwrap();
    let cut = folder.join("cut.mkv");
    fs::write(&cut, &bytes).unwrap();
    assert_eq!(player::decoded(&cut), 90, "frames were held back");
    assert_eq!(player::times(&cut), (0..90).map(ticks).collect::<Vec<_>>());
    // And what a crash in the middle of a write would leave.
    let block = bytes.len() / 90;
    for lost in [1, 4, block / 2, block - 3, block + 5, 31 * block + 40, 45 * block] {
        fs::write(&cut, &bytes[..bytes.len() - lost]).unwrap();
        let times = player::times(&cut);
        let whole = 90 - lost.div_ceil(block) as u64;
        // Blocks differ a little in size; ffmpeg may also show the beginning of the frame that was cut.
        assert!((whole - 1..=whole + 1).contains(&(times.len() as u64)), "{lost}: {} frames", times.len());
        assert!(times.iter().copied().eq((0..).map(ticks).take(times.len())), "{lost}: wrong times");
    }
    drop(recorder);
}

#[test]
fn missing_tables_are_put_in_and_nothing_else() {
    let folder = Folder::new();
    let (mkv, bare) = (folder.join("a.mkv"), folder.join("a.MJPG"));
    let image = jpeg(128, 96, |x, y| [x as u8, y as u8, (x * y) as u8]);
    let from_camera = without_tables(&image);
    assert!(from_camera.len() < image.len() - 400);
    let mut stream = Stream::new();
    let frames = [stream.frame(&from_camera, 0), stream.frame(&image, 40_000)];
    record(&mkv, &frames);
    record(&bare, &frames);
    let file = fs::read(&bare).unwrap();
    assert!(file.ends_with(&image));
    let repaired = &file[..file.len() - image.len()];
    assert_eq!(repaired.len(), image.len() - 12, "one segment instead of four saves three heads");
    if player::is_here() {
        assert_eq!(player::decoded(&mkv), 2);
        assert_eq!(player::decoded(&bare), 2);
        assert_eq!(player::images(&mkv), file);
    }
}

#[test]
fn another_size_goes_into_another_file() {
    let folder = Folder::new();
    let path = folder.join("yard.mkv");
    fs::write(folder.join("yard-2.mkv"), "from last week").unwrap();
    let mut stream = Stream::new();
    let sizes = [(64, 48), (64, 48), (320, 240), (64, 48)];
    let frames: Vec<Frame> =
        (0..).zip(sizes).map(|(n, (w, h))| stream.frame(&grey(w, h, 99), n * 40_000)).collect();
    let recorder = Recorder::start(&path).unwrap();
    offer_all(&recorder, &frames);
    let progress = recorder.finish().unwrap();
    let names = ["yard.mkv", "yard-3.mkv", "yard-4.mkv"];
    assert_eq!(progress.files, names.map(|name| folder.join(name)));
    assert_eq!(fs::read(folder.join("yard-2.mkv")).unwrap(), b"from last week");
    if player::is_here() {
        let found = progress.files.iter().map(|file| (player::stream(file), player::times(file)));
        let expected = [("64,48", vec![0, 400]), ("320,240", vec![0]), ("64,48", vec![0])];
        for ((stream, times), (size, expected)) in found.zip(expected) {
            assert_eq!((stream, times), (format!("mjpeg,{size},1/10000"), expected));
        }
    }

    let bare = folder.join("yard.mjpeg");
    record(&bare, &frames);
    let all: Vec<u8> = frames.iter().flat_map(|frame| frame.jpeg().to_vec()).collect();
    assert_eq!(fs::read(&bare).unwrap(), all, "bare images follow each other in any size");
}

#[test]
fn refusals_name_the_mend() {
    let folder = Folder::new();
    let there = folder.join("there.mkv");
    fs::write(&there, "precious").unwrap();
    let cases = [
        (folder.join("yard.mp4"), ".mkv (Matroska"),
        (folder.join("yard"), ".mjpeg (bare"),
        ("-".into(), ".mkv (Matroska"),
        (there.clone(), "the file exists; choose another name"),
        (folder.join("nowhere/yard.mkv"), "cannot create the file: No such file"),
    ];
    for (path, words) in cases {
        let error = Recorder::start(&path).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains(path.to_str().unwrap()), "{error}");
    }
    assert_eq!(fs::read(&there).unwrap(), b"precious");
}

#[test]
fn no_frame_leaves_no_file() {
    let folder = Folder::new();
    let progress = Recorder::start(&folder.join("yard.mkv")).unwrap().finish().unwrap();
    assert_eq!(progress.frames, 0);
    assert_eq!(folder.names(), Vec::<String>::new());
}

/// A small file system of its own, if this user may mount one.
struct SmallDisk(Folder);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = Folder::new();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "none"]).arg(&*folder).output();
        let mounted = mount.is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("skipped: mounting a small file system needs root");
        }
        mounted.then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&*self.0).status();
    }
}

#[test]
fn a_full_disk_ends_the_recording_and_leaves_it_playable() {
    let Some(disk) = SmallDisk::mount() else { return };
    let image = jpeg(160, 120, |x, y| [(x * 37 ^ y * 91) as u8, (x * y * 3) as u8, (x * 11 + y * 57) as u8]);
    let mut stream = Stream::new();
    let frames: Vec<Frame> = (0..60).map(|n| stream.frame(&image, n * 40_000)).collect();
    assert!(image.len() * frames.len() > 300_000);
    for name in ["yard.mkv", "yard.mjpeg"] {
        let path = disk.0.join(name);
        let recorder = Recorder::start(&path).unwrap();
        offer_all(&recorder, &frames);
        let error = recorder.failure().expect("the disk is full");
        assert_eq!(error, RecordError::Full { path: path.clone() });
        assert!(error.to_string().contains("the disk is full"));
        recorder.offer(&frames[0]); // goes nowhere, harms nothing
        let written = recorder.progress().frames;
        assert_eq!(recorder.finish(), Err(error));
        assert!((5..60).contains(&written), "{written}");
        if player::is_here() {
            assert_eq!(player::decoded(&path) as u64, written, "{name}");
        }
        fs::remove_file(&path).unwrap();
    }
}
