use super::super::frame_index::Entry;
use super::super::source::{Drops, LONGEST_FRAME};
use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::io::Cursor;

fn chunk(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = [&id[..], &(body.len() as u32).to_le_bytes(), body].concat();
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

fn list(id: &[u8; 4], kind: &[u8; 4], parts: &[Vec<u8>]) -> Vec<u8> {
    chunk(id, &[&kind[..], &parts.concat()].concat())
}

fn stream(kind: &[u8; 4], handler: &[u8; 4], compression: &[u8; 4], rate: (u32, u32)) -> Vec<u8> {
    let mut header = [&kind[..], handler, &[0; 48]].concat();
    header[20..24].copy_from_slice(&rate.1.to_le_bytes());
    header[24..28].copy_from_slice(&rate.0.to_le_bytes());
    let mut format = vec![0; 40];
    format[16..20].copy_from_slice(compression);
    list(b"LIST", b"strl", &[chunk(b"strh", &header), chunk(b"strf", &format)])
}

fn headers(streams: &[Vec<u8>]) -> Vec<u8> {
    let avih = chunk(b"avih", &[&40_000u32.to_le_bytes()[..], &[0; 52]].concat());
    list(b"LIST", b"hdrl", &[&[avih][..], streams].concat())
}

fn mjpg() -> Vec<u8> {
    stream(b"vids", b"MJPG", b"MJPG", (30_000, 1001))
}

fn index(bytes: &[u8]) -> Result<FrameIndex, AviError> {
    index_avi(Cursor::new(bytes), bytes.len() as u64)
}

#[track_caller]
fn frames(bytes: &[u8]) -> Vec<&[u8]> {
    let index = index(bytes).unwrap();
    index.frames.iter().map(|entry| &bytes[entry.offset as usize..][..entry.len as usize]).collect()
}

fn avi(parts: &[Vec<u8>]) -> Vec<u8> {
    list(b"RIFF", b"AVI ", parts)
}

#[test]
fn frames_are_found_among_other_chunks() {
    let sound = stream(b"auds", &[0; 4], &[1, 0, 2, 0], (44_100, 1));
    let movi = [
        chunk(b"00wb", b"sound"),
        chunk(b"01dc", b"first"),
        chunk(b"JUNK", b"01dc...."),
        list(b"LIST", b"rec ", &[chunk(b"01dc", b"second!"), chunk(b"00wb", b"x")]),
        chunk(b"ix01", &[0; 24]),
        chunk(b"01db", b"3"),
        chunk(b"01dc", b""),
        chunk(b"02dc", b"another stream"),
    ];
    let bytes = avi(&[
        headers(&[sound, mjpg()]),
        list(b"LIST", b"INFO", &[chunk(b"ISFT", b"handmade")]),
        list(b"LIST", b"movi", &movi),
        chunk(b"idx1", &[0; 32]),
    ]);
    assert_eq!(frames(&bytes), [&b"first"[..], b"second!", b"3"]);
    let index = index(&bytes).unwrap();
    assert_eq!(index.fps, Some(30_000.0 / 1001.0));
    assert_eq!(index.drops, Drops { empty: 1, ..Drops::default() });
    assert_eq!(index.stopped_at, None);
}

#[test]
fn a_file_goes_on_in_further_parts() {
    let mut bytes = avi(&[headers(&[mjpg()]), list(b"LIST", b"movi", &[chunk(b"00dc", b"one")])]);
    bytes.extend(list(b"RIFF", b"AVIX", &[list(b"LIST", b"movi", &[chunk(b"00dc", b"two")])]));
    bytes.extend(list(b"RIFF", b"AVIX", &[list(b"LIST", b"movi", &[chunk(b"00dc", b"three")])]));
    assert_eq!(frames(&bytes), [&b"one"[..], b"two", b"three"]);
}

#[test]
fn a_recording_that_was_cut_off_is_read_as_far_as_it_goes() {
    let movi = [chunk(b"00dc", b"whole"), chunk(b"00dc", b"half of this is missing")];
    let mut bytes = avi(&[headers(&[mjpg()]), list(b"LIST", b"movi", &movi)]);
    bytes.truncate(bytes.len() - 10);
    // Lengths are written when a recording is closed.
    let movi_at = bytes.windows(4).position(|id| id == b"movi").unwrap();
    bytes[4..8].fill(0);
    bytes[movi_at - 4..movi_at].fill(0);
    assert_eq!(frames(&bytes), [b"whole"]);
    assert_eq!(index(&bytes).unwrap().drops.truncated, 1);

    let zeros = avi(&[headers(&[mjpg()]), list(b"LIST", b"movi", &[chunk(b"00dc", b"one"), vec![0; 64]])]);
    assert_eq!(frames(&zeros), [b"one"]);
    assert_eq!(index(&zeros).unwrap().stopped_at, Some(zeros.len() as u64 - 64));
}

#[test]
fn too_large_a_frame_is_left_out() {
    let movi = [chunk(b"00dc", &vec![1; LONGEST_FRAME + 1]), chunk(b"00dc", b"ok")];
    let bytes = avi(&[headers(&[mjpg()]), list(b"LIST", b"movi", &movi)]);
    assert_eq!(frames(&bytes), [b"ok"]);
    assert_eq!(index(&bytes).unwrap().drops.oversized, 1);
}

#[test]
fn the_rate_is_the_streams_or_else_the_files() {
    // (rate, scale, frames per second)
    let cases = [
        (25, 1, Some(25.0)),
        (15_000_000, 1_000_000, Some(15.0)),
        (0, 1, Some(25.0)),
        (30, 0, Some(25.0)),
        (u32::MAX, 1, Some(25.0)),
        (1, u32::MAX, Some(25.0)),
    ];
    for (rate, scale, fps) in cases {
        let bytes = avi(&[headers(&[stream(b"vids", b"mjpg", &[0; 4], (rate, scale))])]);
        assert_eq!(index(&bytes).unwrap().fps, fps, "{rate}/{scale}");
    }
}

#[test]
fn what_cannot_be_played_is_named() {
    let h264 = stream(b"vids", b"H264", b"H264", (30, 1));
    let sound = stream(b"auds", &[0; 4], &[1, 0, 2, 0], (44_100, 1));
    let movi = list(b"LIST", b"movi", &[chunk(b"00dc", b"frame")]);
    // (file, part of the message)
    let cases = [
        (b"not RIFF at all".to_vec(), "not an AVI file"),
        (list(b"RIFF", b"WAVE", &[]), "not an AVI file"),
        (Vec::new(), "not an AVI file"),
        (avi(&[]), "no video"),
        (avi(&[headers(&[]), movi.clone()]), "no video"),
        (avi(&[headers(std::slice::from_ref(&sound)), movi.clone()]), "no video"),
        (avi(&[headers(&[sound, h264]), movi]), "stream 1 is H264, not MJPG: convert it with ffmpeg"),
    ];
    for (bytes, part) in cases {
        let error = index(&bytes).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_chosen_stream_is_the_first_that_is_motion_jpeg() {
    let h264 = stream(b"vids", b"H264", b"H264", (30, 1));
    let movi = list(b"LIST", b"movi", &[chunk(b"00dc", b"h264"), chunk(b"01dc", b"jpeg")]);
    assert_eq!(frames(&avi(&[headers(&[h264, mjpg()]), movi])), [b"jpeg"]);
}

/// Pieces that a file may be made of, so that arbitrary bytes get beyond the first check.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..64),
        vec(any::<u8>(), 0..40).prop_map(|body| chunk(b"00dc", &body)),
        Just(headers(&[mjpg()])),
        (prop::sample::select(vec![*b"LIST", *b"RIFF"]), any::<u32>(), any::<[u8; 4]>())
            .prop_map(|(id, len, kind)| [&id[..], &len.to_le_bytes(), &kind].concat()),
        (prop::sample::select(vec![*b"00dc", *b"strh", *b"strf", *b"avih", *b"movi"]), any::<u32>())
            .prop_map(|(id, len)| [&id[..], &len.to_le_bytes()].concat()),
        Just([&b"LIST\0\0\0\0movi"[..]].concat()),
    ]
}

proptest! {
    /// Whatever a file holds: no panic, no endless walk, and only frames that lie inside of it.
    #[test]
    fn arbitrary_files_are_survived(pieces in vec(piece(), 0..12), cut in 0usize..60) {
        let mut bytes = [&b"RIFF\0\0\0\0AVI "[..], &pieces.concat()].concat();
        bytes.truncate(bytes.len().saturating_sub(cut).max(12));
        if let Ok(index) = index(&bytes) {
            prop_assert!(index.frames.len() <= bytes.len() / 8);
            for Entry { offset, len } in index.frames {
                prop_assert!(offset + u64::from(len) <= bytes.len() as u64);
            }
        }
    }
}
