use super::*;
use std::io::Cursor;

/// A disk with room for so many bytes.
struct Disk {
    file: Cursor<Vec<u8>>,
    room: u64,
}

impl Disk {
    fn new(room: u64) -> Self {
        Self { file: Cursor::new(Vec::new()), room }
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fits = self.room.saturating_sub(self.file.position()).min(bytes.len() as u64) as usize;
        if fits == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write(&bytes[..fits])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Disk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Store for Disk {
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.get_mut().truncate(len as usize);
        Ok(())
    }
}

/// What a reader finds in a file, walking from element to element as a player does.
#[derive(Debug, Default, PartialEq)]
struct Contents {
    /// Times in ticks and images.
    frames: Vec<(u64, Vec<u8>)>,
    /// Offsets of clusters in the segment's body, and their times.
    clusters: Vec<(u64, u64)>,
    duration: Option<f64>,
    /// Id and position.
    seek_head: Vec<(u32, u64)>,
    /// Time and position.
    cues: Vec<(u64, u64)>,
    segment_size: Option<u64>,
    segment_body: usize,
}

fn read(file: &[u8]) -> Contents {
    let mut contents = Contents::default();
    let mut at = 0;
    let mut cluster_time = 0;
    // Masters whose children are read one by one; all others are skipped whole.
    const ENTERED: [u32; 9] =
        [id::SEGMENT, id::INFO, id::CLUSTER, id::CUES, 0x114d_9b74, 0x4dbb, 0xbb, 0xb7, 0x1a45_dfa3];
    while let Some((id, size, body)) = element(file, at) {
        if id == id::SEGMENT {
            contents.segment_size = size;
            contents.segment_body = body;
        }
        if id == id::CLUSTER {
            contents.clusters.push(((at - contents.segment_body) as u64, 0));
        }
        if ENTERED.contains(&id) {
            at = body;
            continue;
        }
        let end = body + size.expect("only masters have no size") as usize;
        let Some(value) = file.get(body..end) else { break };
        match id {
            id::TIMESTAMP => {
                cluster_time = number(value);
                contents.clusters.last_mut().unwrap().1 = cluster_time;
            }
            id::SIMPLE_BLOCK => {
                assert_eq!((value[0], value[3]), (0x81, 0x80), "track 1, key frame");
                let relative = i16::from_be_bytes([value[1], value[2]]);
                let time = cluster_time.checked_add_signed(relative.into()).unwrap();
                contents.frames.push((time, value[4..].to_vec()));
            }
            0x4489 => contents.duration = Some(f64::from_be_bytes(value.try_into().unwrap())),
            0x53ab => contents.seek_head.push((number(value) as u32, 0)),
            0x53ac => contents.seek_head.last_mut().unwrap().1 = number(value),
            0xb3 => contents.cues.push((number(value), 0)),
            0xf1 => contents.cues.last_mut().unwrap().1 = number(value),
            _ => {}
        }
        at = end;
    }
    contents
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// Id, size (`None`: unknown) and where the body begins.
fn element(file: &[u8], at: usize) -> Option<(u32, Option<u64>, usize)> {
    let id_len = file.get(at)?.leading_zeros() as usize + 1;
    let id = number(file.get(at..at + id_len)?) as u32;
    let size_at = at + id_len;
    let size_len = file.get(size_at)?.leading_zeros() as usize + 1;
    let body = size_at + size_len;
    let size = number(file.get(size_at..body)?) & ((1 << (7 * size_len)) - 1);
    Some((id, (size != (1 << (7 * size_len)) - 1).then_some(size), body))
}

/// Images of various sizes at uneven times, over several clusters.
fn record(store: Disk, count: u64) -> (Disk, Vec<(u64, Vec<u8>)>, io::Result<()>) {
    let mut writer = match Writer::begin(store, (640, 360), "test") {
        Ok(writer) => writer,
        Err(error) => return (Disk::new(0), Vec::new(), Err(error)),
    };
    let mut written = Vec::new();
    for n in 0..count {
        let micros = n * 333_300 + (n % 3) * 1700;
        let image = vec![n as u8; 1 + (n as usize * 37) % 300];
        let (head, rest) = image.split_at(image.len() / 2);
        match writer.frame(Duration::from_micros(micros), &[head, b"dht", rest]) {
            Ok(()) => written.push((micros / 100, [head, b"dht", rest].concat())),
            Err(error) => {
                let (store, _) = writer.close();
                return (store, written, Err(error));
            }
        }
    }
    let (store, closed) = writer.close();
    (store, written, closed)
}

#[test]
fn a_closed_file_has_everything_in_its_place() {
    let (disk, written, closed) = record(Disk::new(u64::MAX), 20);
    closed.unwrap();
    let file = disk.file.into_inner();
    let contents = read(&file);
    assert_eq!(contents.frames, written);
    assert_eq!(contents.segment_size, Some((file.len() - contents.segment_body) as u64));
    assert_eq!(
        contents.duration,
        Some((2 * 63_344 - 59_994) as f64),
        "the last frame lasts as long as the one before"
    );
    let ids: Vec<u32> = contents.seek_head.iter().map(|&(id, _)| id).collect();
    assert_eq!(ids, [id::INFO, id::TRACKS, id::CUES]);
    for &(expected, position) in &contents.seek_head {
        let found = element(&file, contents.segment_body + position as usize).unwrap().0;
        assert_eq!(found, expected, "{found:#x} at {position}");
    }
    let cues: Vec<_> = contents.cues.iter().map(|&(time, position)| (position, time)).collect();
    assert_eq!(cues, contents.clusters);
    assert!(contents.clusters.len() > 4, "{:?}", contents.clusters);
    for &(position, _) in &contents.clusters {
        let (found, size, _) = element(&file, contents.segment_body + position as usize).unwrap();
        assert_eq!(found, id::CLUSTER);
        assert!(size.is_some(), "the size was not patched");
    }
}

/// Whatever the byte at which a crash cut the file: all whole frames are there.
#[test]
fn a_file_cut_off_anywhere_has_its_whole_frames() {
    let mut writer = Writer::begin(Disk::new(u64::MAX), (64, 64), "test").unwrap();
    let mut ends = Vec::new();
    for n in 0..12_u64 {
        writer.frame(Duration::from_millis(n * 250), &[&[n as u8; 200], b"", b"end"]).unwrap();
        ends.push(writer.len as usize);
    }
    let file = writer.store.file.into_inner(); // never closed
    for cut in 0..file.len() {
        let whole = ends.iter().filter(|&&end| end <= cut).count();
        assert_eq!(read(&file[..cut]).frames.len(), whole, "cut at {cut}");
    }
}

/// Whatever the room on the disk: what the writer said is written is in the file, and nothing half.
#[test]
fn a_full_disk_leaves_a_whole_file() {
    let (all, _, _) = record(Disk::new(u64::MAX), 12);
    let most = all.file.into_inner().len() as u64;
    let (mut closed_whole, mut with_cues) = (0, 0);
    for room in 0..most {
        let (disk, written, outcome) = record(Disk::new(room), 12);
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::StorageFull, "{room}");
        let file = disk.file.into_inner();
        let contents = read(&file);
        assert_eq!(contents.frames, written, "{room} bytes of room");
        if !written.is_empty() {
            assert!(contents.duration.is_some(), "{room}");
            assert_eq!(contents.segment_size, Some((file.len() - contents.segment_body) as u64), "{room}");
            assert_eq!(contents.cues.is_empty(), contents.seek_head.len() == 2, "{room}");
            closed_whole += 1;
            with_cues += u32::from(!contents.cues.is_empty());
        }
    }
    assert!(closed_whole > 1000 && with_cues > 100, "{closed_whole} {with_cues}");
}

#[test]
fn times_never_stand_still_or_go_back() {
    let mut writer = Writer::begin(Disk::new(u64::MAX), (64, 64), "test").unwrap();
    // (given in µs, expected in ticks)
    let cases = [(0, 0), (0, 1), (33_349, 333), (33_350, 334), (20_000, 335), (10_000_000, 100_000)];
    for (micros, _) in cases {
        writer.frame(Duration::from_micros(micros), &[b"x", b"", b"y"]).unwrap();
    }
    let (disk, _) = writer.close();
    let times: Vec<u64> = read(&disk.file.into_inner()).frames.iter().map(|&(time, _)| time).collect();
    assert_eq!(times, cases.map(|(_, expected)| expected));
}

#[test]
fn large_frames_make_more_clusters() {
    let mut writer = Writer::begin(Disk::new(u64::MAX), (64, 64), "test").unwrap();
    let image = vec![0; 2_000_000];
    for n in 0..7 {
        writer.frame(Duration::from_millis(n), &[&image, b"", b""]).unwrap();
    }
    let (disk, _) = writer.close();
    let contents = read(&disk.file.into_inner());
    assert_eq!(contents.frames.len(), 7);
    assert_eq!(contents.clusters.len(), 3, "5 MB are passed with the third and the sixth frame");
}

#[test]
fn a_recording_of_weeks_thins_its_cues_out() {
    let mut cues = Cues::default();
    for second in 0..14 * 86_400_u64 {
        cues.add(second * CLUSTER_TICKS, second);
    }
    assert!(cues.points.len() <= MOST_CUES && cues.points.len() > MOST_CUES / 4, "{}", cues.points.len());
    assert_eq!(cues.points[0], (0, 0));
    let steps: Vec<u64> =
        cues.points.windows(2).map(|pair| (pair[1].0 - pair[0].0) / CLUSTER_TICKS).collect();
    assert!(steps.iter().all(|&step| (16..=32).contains(&step)), "{:?}", steps.iter().max());
}

/// A pipe takes a few bytes at a time and is interrupted now and then.
#[test]
fn all_parts_are_written_through_a_narrow_pipe() {
    struct Narrow(Vec<u8>, usize);
    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1.is_multiple_of(3) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let len = bytes.len().min(3);
            self.0.extend_from_slice(&bytes[..len]);
            Ok(len)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut pipe = Narrow(Vec::new(), 0);
    let written = write_all(&mut pipe, &[b"", b"one two", b"", b" three"]).unwrap();
    assert_eq!((written, pipe.0.as_slice()), (13, &b"one two three"[..]));
}
