//! The index of an AVI file: every frame lies inside of it.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use sealcam::camera::avi::index_avi;

fuzz_target!(|data: &[u8]| {
    let len = data.len() as u64;
    let Ok(index) = index_avi(Cursor::new(data), len) else { return };
    assert!(index.frames.iter().all(|entry| entry.len > 0 && entry.offset + u64::from(entry.len) <= len));
    assert!(index.fps.is_none_or(|fps| fps.is_finite() && fps > 0.0));
    assert!(index.largest() <= data.len());
    index.to_string();
});
