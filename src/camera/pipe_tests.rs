use super::*;
use crate::jpeg::testing::image;
use std::io::{PipeWriter, Write, pipe};

fn open() -> (PipeSource, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    (PipeSource::new(reader.into(), "a pipe", Instant::ORIGIN).unwrap(), writer)
}

/// A frame with a number in it; every one has another length.
fn frame(number: u8) -> Vec<u8> {
    let whole = image(true);
    let end = whole.len() - 2;
    [&whole[..end], &vec![number; 50 + usize::from(number)], &whole[end..]].concat()
}

fn jpeg(captured: Option<Captured<'_>>) -> Option<Vec<u8>> {
    captured.map(|captured| match captured.picture {
        Picture::Jpeg(bytes) => bytes.to_vec(),
        Picture::Raw(raw) => panic!("{raw:?}"),
    })
}

#[track_caller]
fn next(source: &mut PipeSource) -> Option<Vec<u8>> {
    jpeg(source.next(Instant::ORIGIN).unwrap())
}

#[test]
fn a_frame_is_handed_over_as_soon_as_it_is_whole() {
    let (mut source, mut writer) = open();
    assert_eq!(next(&mut source), None);
    let whole = frame(1);
    let (head, tail) = whole.split_at(700);
    writer.write_all(head).unwrap();
    assert_eq!(next(&mut source), None);
    writer.write_all(tail).unwrap();
    let at = Instant::from_millis(77);
    let captured = source.next(at).unwrap().unwrap();
    assert_eq!(captured.at, at);
    assert_eq!(captured.restarts.len(), 2);
    assert_eq!(captured.summary.unwrap().len, whole.len());
    assert_eq!(jpeg(Some(captured)), Some(whole));
    source.release();
    assert_eq!(next(&mut source), None);
    assert_eq!(source.describe(), "MJPG 32x16 from a pipe");
    assert_eq!(source.drops(), Drops::default());
}

#[test]
fn the_newest_whole_frame_wins() {
    let (mut source, mut writer) = open();
    let partial = frame(4);
    let bytes = [frame(1), frame(2), frame(3), partial[..300].to_vec()].concat();
    writer.write_all(&bytes).unwrap();
    assert_eq!(next(&mut source), Some(frame(3)));
    assert_eq!(source.drops(), Drops { superseded: 2, ..Drops::default() });
    writer.write_all(&partial[300..]).unwrap();
    assert_eq!(next(&mut source), Some(partial));
}

#[test]
fn a_broken_newest_frame_does_not_hide_the_good_one() {
    let (mut source, mut writer) = open();
    let no_scan = [0xff, 0xd8, 0xff, 0xd9];
    writer.write_all(&[&frame(1)[..], &no_scan, b"junk", &frame(2)[..705], &no_scan].concat()).unwrap();
    let captured = source.next(Instant::ORIGIN).unwrap().unwrap();
    assert_eq!(captured.restarts.len(), 2);
    assert_eq!(jpeg(Some(captured)), Some(frame(1)));
    assert_eq!(source.drops(), Drops { malformed: 2, truncated: 1, ..Drops::default() });
}

#[test]
fn the_end_comes_after_the_last_frame() {
    let (mut source, mut writer) = open();
    writer.write_all(&[&frame(1)[..], &frame(2)[..99]].concat()).unwrap();
    drop(writer);
    assert_eq!(next(&mut source), Some(frame(1)));
    assert_eq!(source.drops().truncated, 1);
    for _ in 0..3 {
        assert!(matches!(source.next(Instant::ORIGIN), Err(SourceError::Ended)));
    }
}

#[test]
fn an_empty_pipe_ends_at_once() {
    let (mut source, writer) = open();
    drop(writer);
    assert!(matches!(source.next(Instant::ORIGIN), Err(SourceError::Ended)));
}

/// An image with this many more bytes of picture data.
fn long_frame(more: usize) -> Vec<u8> {
    let whole = image(true);
    let end = whole.len() - 2;
    [&whole[..end], &vec![9; more], &whole[end..]].concat()
}

/// Writes each of `frames` in pieces; gives the lengths of what came.
fn through(source: &mut PipeSource, writer: &mut PipeWriter, frames: &[Vec<u8>]) -> Vec<usize> {
    let mut lengths = Vec::new();
    for frame in frames {
        for piece in frame.chunks(50_000) {
            writer.write_all(piece).unwrap();
            if let Some(got) = next(source) {
                assert!(got == *frame);
                lengths.push(got.len());
            }
        }
    }
    lengths
}

#[test]
fn too_large_a_frame_is_dropped() {
    let (mut source, mut writer) = open();
    let frames = [long_frame(LONGEST_FRAME), frame(5)];
    assert_eq!(through(&mut source, &mut writer, &frames), [frames[1].len()]);
    assert_eq!(source.drops(), Drops { oversized: 1, ..Drops::default() });
    assert_eq!(source.largest_frame(), USUAL_LARGEST);
}

#[test]
fn large_frames_come_through_whole_and_are_remembered() {
    let (mut source, mut writer) = open();
    let frames = [long_frame(3 << 20), frame(1), long_frame(5 << 20), long_frame(2 << 20)];
    let lengths = frames.each_ref().map(Vec::len);
    assert_eq!(through(&mut source, &mut writer, &frames), lengths);
    assert_eq!(source.largest_frame(), lengths[2]);
}

#[test]
fn flags_are_put_back() {
    let (reader, _writer) = pipe().unwrap();
    let copy = reader.try_clone().unwrap();
    let flags = || OFlag::from_bits_retain(fcntl(&copy, FcntlArg::F_GETFL).unwrap());
    let source = PipeSource::new(reader.into(), "a pipe", Instant::ORIGIN).unwrap();
    assert!(flags().contains(OFlag::O_NONBLOCK));
    drop(source);
    assert!(!flags().contains(OFlag::O_NONBLOCK));
}

#[test]
fn a_directory_cannot_be_read() {
    let directory = File::open("/").unwrap();
    let mut source = PipeSource::new(directory.into(), "a folder", Instant::ORIGIN).unwrap();
    let error = source.next(Instant::ORIGIN).unwrap_err().to_string();
    assert!(error.starts_with("a folder: "), "{error}");
}

/// Every picture that comes until `end`, called at each due time: `None` for a notice.
fn pictures(source: &mut PipeSource, now: &mut Instant, end: Instant) -> Vec<(u64, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    loop {
        let due = source.wake_at().unwrap();
        if due > end {
            *now = end;
            return all;
        }
        *now = due.max(*now);
        let captured = source.next(*now).unwrap();
        let notice = captured.is_some_and(|captured| captured.notice);
        let at = now.since(Instant::ORIGIN).as_millis() as u64;
        all.extend(captured.map(|captured| (at, (!notice).then(|| jpeg(Some(captured)).unwrap()))));
        assert!(source.wake_at().unwrap() > *now, "it would turn for nothing");
    }
}

#[test]
fn a_writer_that_says_nothing_is_shown_as_such() {
    let (mut source, mut writer) = open();
    let mut now = Instant::ORIGIN;
    let at = Instant::from_millis;
    let notices = |from: u64, count: u64| (0..count).map(|n| (from + n * 1000, None)).collect::<Vec<_>>();
    // It never began.
    assert_eq!(pictures(&mut source, &mut now, at(5_500)), notices(2_000, 4));
    assert_eq!(source.describe(), "no signal from a pipe: nothing comes");
    assert_eq!(source.patience(), Duration::from_secs(1));
    // It does.
    for number in 0..40 {
        writer.write_all(&frame(number)).unwrap();
        now = at(6_000 + u64::from(number) * 33);
        assert_eq!(jpeg(source.next(now).unwrap()), Some(frame(number)));
    }
    assert_eq!(source.describe(), "MJPG 32x16 from a pipe");
    // It stops in the middle of a frame.
    writer.write_all(&frame(9)[..99]).unwrap();
    let stopped = 6_000 + 39 * 33;
    assert!(source.next(at(stopped + 33)).unwrap().is_none());
    assert_eq!(pictures(&mut source, &mut now, at(stopped + 4_500)), notices(stopped + 2_000, 3));
    assert_eq!(source.describe(), "no signal from a pipe: what comes is no whole JPEG image");
    writer.write_all(&frame(9)[99..]).unwrap();
    assert_eq!(jpeg(source.next(now).unwrap()), Some(frame(9)));
    // That one pause was long makes nobody wait longer for the next.
    assert_eq!(source.patience(), Duration::from_secs(2));
}

#[test]
fn a_slow_writer_is_not_taken_for_a_silent_one() {
    let (mut source, mut writer) = open();
    for number in 0..6 {
        let mut now = Instant::from_millis(u64::from(number) * 5_000);
        writer.write_all(&frame(number)).unwrap();
        assert_eq!(jpeg(source.next(now).unwrap()), Some(frame(number)));
        let end = now + Duration::from_millis(4_999);
        let notices = pictures(&mut source, &mut now, end).len();
        assert_eq!(notices == 0, number >= 2, "{number}: {notices}");
    }
}
