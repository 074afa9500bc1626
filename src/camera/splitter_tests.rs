use super::*;
use crate::jpeg::testing::{DATA, image, segment, sos};
use proptest::collection::vec;
use proptest::prelude::*;

const LIMIT: usize = 4096;

/// Everything found in `stream` when it comes in pieces of these lengths, over and over.
fn found(stream: &[u8], pieces: &[usize], limit: usize) -> Vec<Found> {
    let mut splitter = Splitter::new(limit);
    let mut all = Vec::new();
    let mut pieces = pieces.iter().cycle();
    let mut rest = stream;
    while !rest.is_empty() {
        let space = splitter.space();
        let count = (*pieces.next().unwrap()).clamp(1, rest.len().min(space.len()));
        let (piece, later) = rest.split_at(count);
        space[..count].copy_from_slice(piece);
        splitter.advance(count);
        rest = later;
        while let Some(found) = splitter.find() {
            if let Found::Image { offset, place } = &found {
                let expected = &stream[*offset as usize..][..place.len()];
                assert_eq!(splitter.bytes(place.clone()), expected);
                splitter.hold(place.clone());
                assert_eq!(splitter.held(), Some(expected));
            }
            all.push(found);
        }
    }
    all
}

/// The images found, whole stream at once.
fn images(stream: &[u8]) -> Vec<Vec<u8>> {
    found(stream, &[usize::MAX], LIMIT)
        .into_iter()
        .filter_map(|found| match found {
            Found::Image { offset, place } => Some(stream[offset as usize..][..place.len()].to_vec()),
            Found::Broken { .. } => None,
        })
        .collect()
}

fn faults(stream: &[u8], limit: usize) -> Vec<Fault> {
    found(stream, &[1], limit)
        .into_iter()
        .filter_map(|found| match found {
            Found::Broken { fault, .. } => Some(fault),
            Found::Image { .. } => None,
        })
        .collect()
}

#[test]
fn images_are_cut_out_of_garbage_and_padding() {
    let (one, two) = (image(true), image(false));
    let stream = [b"junk\xff\xd8\xff\xff", &one[..], &[0; 9], &two, &one, b"\xff\xd8\xff", &two].concat();
    assert_eq!(images(&stream), [one.clone(), two.clone(), one, two]);
}

#[test]
fn a_truncated_image_costs_only_itself() {
    let whole = image(true);
    for cut in 3..whole.len() - 1 {
        let stream = [&whole[..], &whole[..cut], &whole, &whole].concat();
        let images = images(&stream);
        assert!(images.len() >= 3, "cut at {cut} of {}", whole.len());
        assert_eq!((images.first(), images.last()), (Some(&whole), Some(&whole)), "cut at {cut}");
    }
    let in_data = whole.len() - 4;
    assert_eq!(faults(&[&whole[..in_data], &whole].concat(), LIMIT), [Fault::Truncated]);
}

#[test]
fn a_wrong_length_does_not_swallow_images() {
    let whole = image(true);
    let stream = [b"\xff\xd8\xff\xe0\x0f\xf0", &whole.repeat(9)[..]].concat();
    assert_eq!(images(&stream).len(), 9);
    assert_eq!(faults(&stream, LIMIT), [Fault::Malformed]);
    assert_eq!(images(&[b"\xff\xd8\xff\xe0\x00\x01", &whole[..]].concat()), [whole]);
}

#[test]
fn too_long_an_image_is_given_up_and_the_next_one_found() {
    let whole = image(true);
    let limit = whole.len();
    assert_eq!(faults(&whole, limit), []);
    assert_eq!(faults(&whole, limit - 1), [Fault::Oversized]);
    let longer = [&[0xff, 0xd8][..], &sos(1), &[7; 5000], &[0xff, 0xd9]].concat();
    let with_segments = [&[0xff, 0xd8][..], &segment(0xe0, &[7; 900]).repeat(7), &[0xff, 0xd9]].concat();
    for long in [longer, with_segments] {
        let stream = [&long[..], &whole, &long, &whole].concat();
        assert_eq!(faults(&stream, limit), [Fault::Oversized; 2]);
        assert_eq!(found(&stream, &[100], limit).len(), 4);
    }
}

#[test]
fn memory_is_bounded_and_grows_with_the_images() {
    let long = [&[0xff, 0xd8][..], &sos(1), &vec![7; 3_000_000], &[0xff, 0xd9]].concat();
    let mut splitter = Splitter::new(4_000_000);
    let mut whole = 0;
    for piece in long.repeat(5).chunks(READ_AT_LEAST) {
        splitter.space()[..piece.len()].copy_from_slice(piece);
        splitter.advance(piece.len());
        while let Some(found) = splitter.find() {
            if let Found::Image { place, .. } = found {
                splitter.hold(place);
                whole += 1;
            }
        }
    }
    assert_eq!(whole, 5);
    assert!(splitter.buffer.len() <= 2 * 4_000_000 + 2 * READ_AT_LEAST);
}

#[test]
fn the_search_for_ff_finds_the_first_one() {
    let mut bytes = [0x7f; 100];
    assert_eq!(find_ff(&bytes, 0), None);
    for at in (0..100).rev() {
        bytes[at] = 0xff;
        assert_eq!(find_ff(&bytes, 0), Some(at));
        assert_eq!(find_ff(&bytes, at), Some(at));
    }
    assert_eq!(find_ff(&bytes, 101), None);
}

/// An image with these entropy-coded bytes, stuffed as T.81 asks for.
fn image_of(data: &[u8]) -> Vec<u8> {
    let whole = image(true);
    let head = whole.len() - 2 - DATA.len();
    let stuffed = data.iter().flat_map(|&byte| if byte == 0xff { vec![0xff, 0] } else { vec![byte] });
    whole[..head].iter().copied().chain(stuffed).chain([0xff, 0xd9]).collect()
}

fn part() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    (vec(0u8..0xff, 0..40), vec(any::<u8>(), 1..300).prop_map(|data| image_of(&data)))
}

proptest! {
    /// Whatever stands between the images, and however the stream is cut: the same images.
    #[test]
    fn any_pieces_give_the_same_images(
        parts in vec(part(), 1..6),
        pieces in vec(1usize..700, 1..8),
    ) {
        let stream: Vec<u8> = parts.iter().flat_map(|(garbage, image)| [&garbage[..], image].concat()).collect();
        let expected: Vec<Vec<u8>> = parts.into_iter().map(|(_, image)| image).collect();
        prop_assert_eq!(images(&stream), expected);
        let once = found(&stream, &[usize::MAX], LIMIT).len();
        prop_assert_eq!(found(&stream, &pieces, LIMIT).len(), once);
    }

    /// Bytes that were hit by accident or malice: no panic, no endless loop, and the cuts do not matter.
    #[test]
    fn damage_is_found_alike_in_any_pieces(
        parts in vec(part(), 1..5),
        hits in vec((any::<prop::sample::Index>(), prop_oneof![Just(0xff), Just(0xd8), any::<u8>()]), 0..20),
        pieces in vec(1usize..300, 1..8),
        limit in 100usize..3000,
    ) {
        let mut stream: Vec<u8> = parts.into_iter().flat_map(|(g, image)| [g, image].concat()).collect();
        for (index, byte) in hits {
            let at = index.index(stream.len());
            stream[at] = byte;
        }
        let strip = |all: Vec<Found>| -> Vec<(u64, Option<Fault>, usize)> {
            all.into_iter()
                .map(|found| match found {
                    Found::Image { offset, place } => (offset, None, place.len()),
                    Found::Broken { offset, fault } => (offset, Some(fault), 0),
                })
                .collect()
        };
        prop_assert_eq!(
            strip(found(&stream, &pieces, limit)),
            strip(found(&stream, &[usize::MAX], limit))
        );
    }
}
