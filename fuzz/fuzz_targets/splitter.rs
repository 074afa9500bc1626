//! The splitter of motion JPEG: what it finds does not depend on the pieces in which the bytes come.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sealcam::camera::splitter::{Found, Splitter};

const LIMIT: usize = 2_000;

fuzz_target!(|data: &[u8]| {
    let [piece, seed, stream @ ..] = data else { return };
    let whole = split(stream, |_| usize::MAX);
    let mut state = u32::from(*seed);
    let pieces = split(stream, |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        1 + (state >> 16) as usize % (usize::from(*piece) + 1)
    });
    assert_eq!(whole, pieces);
});

/// Each image and each fault, with its offset.
fn split(stream: &[u8], mut piece: impl FnMut(usize) -> usize) -> Vec<(u64, Result<Vec<u8>, String>)> {
    let mut splitter = Splitter::new(LIMIT);
    let (mut found, mut rest) = (vec![], stream);
    while !rest.is_empty() {
        let space = splitter.space();
        let len = piece(rest.len()).min(rest.len()).min(space.len());
        space[..len].copy_from_slice(&rest[..len]);
        splitter.advance(len);
        rest = &rest[len..];
        while let Some(next) = splitter.find() {
            found.push(match next {
                Found::Image { offset, place } => {
                    let bytes = splitter.bytes(place);
                    assert!(bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9]));
                    assert_eq!(bytes, &stream[offset as usize..][..bytes.len()]);
                    assert!(bytes.len() <= LIMIT, "{} bytes", bytes.len());
                    (offset, Ok(bytes.to_vec()))
                }
                Found::Broken { offset, fault } => (offset, Err(format!("{fault:?}"))),
            });
        }
    }
    found
}
