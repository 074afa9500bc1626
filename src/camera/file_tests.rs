use super::*;
use crate::jpeg::testing::image;
use std::fs;
use std::process::{Command, id};

/// A folder that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sealcam-{test}-{}", id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A frame with a number in it; every one has another length.
fn frame(number: u8) -> Vec<u8> {
    let whole = image(true);
    let end = whole.len() - 2;
    [&whole[..end], &vec![number; 50 + usize::from(number)], &whole[end..]].concat()
}

/// What comes in as many ticks: the frames.
fn play(source: &mut FileSource, ticks: usize) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for _ in 0..ticks {
        let due = source.wake_at().unwrap().max(Instant::from_millis(1000));
        let captured = source.next(due).unwrap().expect("a frame is due");
        assert_eq!(captured.at, due);
        assert_eq!(captured.restarts.len(), 2);
        match captured.picture {
            Picture::Jpeg(bytes) => frames.push(bytes.to_vec()),
            Picture::Raw(raw) => panic!("{raw:?}"),
        }
        source.release();
    }
    frames
}

#[test]
fn concatenated_images_are_played_over_and_over() {
    let scratch = Scratch::new("concatenated");
    let whole = [frame(1), frame(2), frame(3)];
    let path = scratch.file("a.mjpeg", &whole.concat());
    let mut source = FileSource::open(&path, Some(20.0)).unwrap();
    assert!(play(&mut source, 7) == [&whole[..], &whole, &whole[..1]].concat());
    assert_eq!(source.wake_at(), Some(Instant::from_millis(1000 + 7 * 50)));
    assert_eq!(source.largest_frame(), frame(3).len());
    assert_eq!(source.drops(), Drops::default());
    let expected = format!("MJPG 32x16 at 20.0000 fps from {} (3 frames)", path.display());
    assert_eq!(source.describe(), expected);
}

#[test]
fn a_late_reader_misses_ticks_but_no_frames() {
    let scratch = Scratch::new("late");
    let path = scratch.file("a.mjpg", &[frame(1), frame(2)].concat());
    let mut source = FileSource::open(&path, None).unwrap();
    assert_eq!(source.fps(), USUAL_FPS);
    let at = |millis: u64| Instant::from_millis(1000 + millis);
    assert!(source.next(at(0)).unwrap().is_some());
    assert!(source.next(at(10)).unwrap().is_none());
    let captured = source.next(at(510)).unwrap().unwrap();
    assert_eq!(captured.summary.unwrap().len, frame(2).len());
    assert!(source.next(at(520)).unwrap().is_none());
}

#[test]
fn damaged_frames_are_dropped_and_counted() {
    let scratch = Scratch::new("damaged");
    let no_scan = vec![0xff, 0xd8, 0xff, 0xd9];
    let path = scratch.file("a.mjpeg", &[no_scan.clone(), frame(1), no_scan, frame(2)].concat());
    let mut source = FileSource::open(&path, None).unwrap();
    assert!(play(&mut source, 4) == [frame(1), frame(2), frame(1), frame(2)]);
    assert_eq!(source.drops(), Drops { malformed: 4, ..Drops::default() });
}

#[test]
fn a_file_cut_short_while_it_plays_loses_what_is_gone() {
    let scratch = Scratch::new("cut");
    let path = scratch.file("a.mjpeg", &[frame(1), frame(2)].concat());
    let mut source = FileSource::open(&path, None).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(frame(1).len() as u64 + 9).unwrap();
    assert!(play(&mut source, 2) == [frame(1), frame(1)]);
    assert_eq!(source.drops(), Drops { truncated: 1, ..Drops::default() });
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    let late = Instant::from_millis(9000);
    let error = source.next(late).unwrap_err().to_string();
    assert!(error.contains("was the file changed?"), "{error}");
}

#[test]
fn a_folder_is_played_in_natural_order() {
    let scratch = Scratch::new("folder");
    for (name, number) in [("img10.jpg", 10), ("img2.JPEG", 2), ("img1.jpg", 1), ("note.txt", 3)] {
        scratch.file(name, &frame(number));
    }
    scratch.file("._img1.jpg", b"hidden");
    scratch.file("img3.jpg", &frame(3)[..600]);
    fs::create_dir(scratch.0.join("img4.jpg")).unwrap();
    let mut source = FileSource::open(&scratch.0, Some(5.0)).unwrap();
    assert!(play(&mut source, 4) == [frame(1), frame(2), frame(10), frame(1)]);
    assert_eq!(source.drops(), Drops { truncated: 1, ..Drops::default() });

    // Pictures may change, grow or go while they are played.
    scratch.file("img2.JPEG", &frame(200));
    fs::remove_file(scratch.0.join("img10.jpg")).unwrap();
    assert!(play(&mut source, 2) == [frame(200), frame(1)]);
    assert_eq!(source.drops().io_errors, 1);
    assert!(source.largest_frame() >= frame(200).len());
}

#[test]
fn what_cannot_be_played_is_named() {
    let scratch = Scratch::new("named");
    let empty = Scratch::new("named-empty");
    let mut bad = vec![0; 5];
    bad.extend([0xff, 0xd8, 0xff, 0xd9]);
    // (path, part of the message)
    let cases = [
        (scratch.0.join("missing.avi"), "missing.avi: No such file"),
        (scratch.file("film.mp4", b"\0\0\0\x20ftypisom"), "film.mp4: not a kind of file that can be played"),
        (PathBuf::from("/dev/null"), "/dev/null: not a kind"),
        (scratch.file("none.mjpeg", b"nothing here"), "none.mjpeg: no JPEG frame in it (0 frames)"),
        (scratch.file("cut.mjpeg", &frame(1)[..600]), "no JPEG frame in it (0 frames, 1 truncated)"),
        (scratch.file("bad.mjpeg", &bad), "at byte 5: JPEG image without picture data"),
        (scratch.file("bad.avi", b"RIFF\0\0\0\0AVI "), "bad.avi: no video in it"),
        (scratch.file("not.avi", b"text"), "not.avi: not a kind of file"),
        (empty.0.clone(), "no JPEG frame in it (0 files): give a .mjpeg file"),
    ];
    for (path, part) in cases {
        let error = FileSource::open(&path, None).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let still = Scratch::new("named-still");
    still.file("1.jpg", b"no");
    let error = FileSource::open(&still.0, None).unwrap_err().to_string();
    assert!(error.contains("1.jpg: no frame of it is a whole JPEG image; the first, at byte 0"), "{error}");
}

/// Runs ffmpeg; `false` if there is none.
fn ffmpeg(arguments: &[&str]) -> bool {
    match Command::new("ffmpeg").args(["-v", "error", "-y"]).args(arguments).status() {
        Ok(status) => {
            assert!(status.success(), "{arguments:?}");
            true
        }
        Err(error) => {
            eprintln!("skipped: ffmpeg: {error}");
            false
        }
    }
}

#[test]
fn an_avi_of_ffmpeg_is_played_bit_for_bit() {
    let scratch = Scratch::new("ffmpeg");
    let at = |name: &str| scratch.0.join(name).into_os_string().into_string().unwrap();
    let (avi, mjpeg, stills) = (at("a.avi"), at("a.mjpeg"), at("%d.jpg"));
    let scene = "testsrc=size=320x240:rate=25:duration=0.5";
    let sound = ["-f", "lavfi", "-i", "sine=duration=0.5", "-c:a", "pcm_s16le"];
    let made = ffmpeg(&[&["-f", "lavfi", "-i", scene], &sound[..], &["-c:v", "mjpeg", &avi]].concat());
    if !made || !ffmpeg(&["-i", &avi, "-c", "copy", &stills]) {
        return;
    }
    ffmpeg(&["-i", &avi, "-c:v", "copy", "-f", "mjpeg", &mjpeg]);

    let mut from_avi = FileSource::open(Path::new(&avi), None).unwrap();
    let mut from_mjpeg = FileSource::open(Path::new(&mjpeg), None).unwrap();
    let mut from_folder = FileSource::open(&scratch.0, None).unwrap();
    assert_eq!((from_avi.fps(), from_mjpeg.fps()), (25.0, USUAL_FPS));
    assert_eq!(from_avi.frames.len(), from_mjpeg.frames.len());
    assert!(from_avi.frames.len() >= 12);
    for number in 1..=from_avi.frames.len() {
        let expected = fs::read(scratch.0.join(format!("{number}.jpg"))).unwrap();
        for source in [&mut from_avi, &mut from_mjpeg, &mut from_folder] {
            let due = source.wake_at().unwrap().max(Instant::from_millis(1));
            let captured = source.next(due).unwrap().expect("a frame is due");
            let Picture::Jpeg(bytes) = captured.picture else { panic!("{captured:?}") };
            assert!(*bytes == expected, "frame {number} of {}", source.name);
        }
    }
}

#[test]
fn an_avi_without_motion_jpeg_is_refused() {
    let scratch = Scratch::new("codec");
    let path = scratch.0.join("a.avi");
    let scene = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=0.1"];
    if ffmpeg(&[&scene[..], &["-c:v", "mpeg4", path.to_str().unwrap()]].concat()) {
        let error = FileSource::open(&path, None).unwrap_err().to_string();
        assert!(error.contains("a.avi: stream 0 is FMP4, not MJPG"), "{error}");
    }
}
