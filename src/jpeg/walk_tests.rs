use proptest::collection::vec;
use proptest::prelude::*;

use super::super::testing::{DATA, dqt, image, segment, sof, sos};
use super::super::{Process, STANDARD_HUFFMAN_TABLES, Sampling, with_tables};
use super::*;

fn look(bytes: &[u8]) -> Result<Summary, Defect> {
    walk(bytes, &mut RestartOffsets::new())
}

#[test]
fn a_whole_image_is_described() {
    let image = image(true);
    let mut restarts = RestartOffsets::new();
    let scan = image.len() - DATA.len() - 2;
    let expected = Summary {
        len: image.len(),
        width: 32,
        height: 16,
        sampling: Some(Sampling::S422),
        components: 3,
        process: Process::Baseline,
        precision: 8,
        has_huffman_tables: true,
        tables_at: scan - sos(3).len(),
        restart_interval: 2,
        quality: Some(80),
    };
    assert_eq!(walk(&image, &mut restarts), Ok(expected));
    assert_eq!(restarts.as_slice(), [scan as u32 + 4, scan as u32 + 8]);
}

#[test]
fn padding_is_trimmed_whatever_it_is() {
    let whole = image(true);
    for padding in [vec![0; 5000], vec![0xff; 700], vec![0xff, 0xd9, 0xff, 0xd8], whole.clone()] {
        let padded = [whole.clone(), padding].concat();
        assert_eq!(look(&padded), look(&whole));
    }
}

#[test]
fn every_prefix_is_truncated() {
    for image in [image(true), image(false)] {
        assert_eq!(look(&[]), Err(Defect::Empty));
        for len in 1..image.len() {
            assert_eq!(look(&image[..len]), Err(Defect::Truncated { at: len }));
        }
    }
}

#[test]
fn missing_tables_are_put_in_before_the_scan() {
    let (bare, full) = (image(false), image(true));
    let summary = look(&bare).unwrap();
    assert!(!summary.has_huffman_tables);
    let padded = [&bare[..], &[0; 99]].concat();
    let whole = with_tables(&padded, &summary).concat();
    assert_eq!(whole.len(), bare.len() + STANDARD_HUFFMAN_TABLES.len());
    assert!(look(&whole).unwrap().has_huffman_tables);

    let summary = look(&full).unwrap();
    assert_eq!(with_tables(&full, &summary), [&full[..], &[], &[]]);
}

#[test]
fn sampling_is_told_by_ratio() {
    let cases: [(&[u8], Option<Sampling>); 9] = [
        (&[0x11], Some(Sampling::Grey)),
        (&[0x22], Some(Sampling::Grey)),
        (&[0x11, 0x11, 0x11], Some(Sampling::S444)),
        (&[0x22, 0x11, 0x11], Some(Sampling::S420)),
        (&[0x22, 0x12, 0x12], Some(Sampling::S422)),
        (&[0x12, 0x11, 0x11], Some(Sampling::S440)),
        (&[0x41, 0x11, 0x11], Some(Sampling::S411)),
        (&[0x21, 0x11, 0x21], None),
        (&[0x11, 0x11, 0x11, 0x11], None),
    ];
    for (factors, expected) in cases {
        let scan = sos(factors.len() as u8);
        let image = [&[0xff, 0xd8], &sof(0xc0, factors)[..], &scan, &[1], &[0xff, 0xd9]].concat();
        let summary = look(&image).unwrap();
        assert_eq!((summary.sampling, summary.quality), (expected, None), "{factors:x?}");
        assert_eq!(usize::from(summary.components), factors.len());
    }
}

#[test]
fn several_scans_belong_to_one_image() {
    let mut image = [&[0xff, 0xd8], &dqt(0, 95)[..], &sof(0xc2, &[0x11, 0x11, 0x11])].concat();
    for components in [3, 1, 1, 1] {
        image.extend(&STANDARD_HUFFMAN_TABLES);
        image.extend(sos(components));
        image.extend([7; 100]);
    }
    image.extend([0xff, 0xff, 0xd9]);
    let summary = look(&image).unwrap();
    assert_eq!(
        (summary.process, summary.len, summary.quality),
        (Process::Progressive, image.len(), Some(95))
    );
    // No standard tables exist for progressive images: none are put in.
    let bare = Summary { has_huffman_tables: false, ..summary };
    assert_eq!(with_tables(&image, &bare).concat(), image);
}

#[test]
fn defects_are_named() {
    let soi = [0xff, 0xd8];
    let eoi = [0xff, 0xd9];
    let good = sof(0xc0, &[0x11]);
    let flat = segment(0xc0, &[8, 0, 0, 0, 32, 1, 1, 0x11, 0]);
    let no_components = segment(0xc0, &[8, 0, 16, 0, 32, 0]);
    let cases = [
        (vec![0x12], "NoStart"),
        (vec![0; 1000], "NoStart"),
        ([soi, eoi].concat(), "NoScan"),
        ([&soi[..], &good, &eoi].concat(), "NoScan"),
        ([&soi[..], &good, &sos(1), &eoi].concat(), "NoScan"),
        ([&soi[..], &flat, &sos(1), &[1], &eoi].concat(), "ZeroSize"),
        ([&soi[..], &no_components, &eoi].concat(), "BadSegment"),
        ([&soi[..], &good, &good, &eoi].concat(), "BadSegment"),
        ([&soi[..], &sos(1), &[1], &eoi].concat(), "BadSegment"),
        ([&soi[..], &good, &sos(2), &[1], &eoi].concat(), "BadSegment"),
        ([&soi[..], &[0xff, 0xe0, 0, 1], &eoi].concat(), "BadSegment"),
        ([&soi[..], &segment(0xdb, &[4; 65]), &eoi].concat(), "BadSegment"),
        ([&soi[..], &segment(0xc4, &[1; 20]), &eoi].concat(), "BadSegment"),
        ([&soi[..], &segment(0xdd, &[1]), &eoi].concat(), "BadSegment"),
        ([soi, soi].concat(), "BadSegment"),
        ([&soi[..], &[0xff, 0xd0], &eoi].concat(), "BadSegment"),
        ([&soi[..], &[0x00], &eoi].concat(), "Garbage"),
        ([&soi[..], &[0xff, 0x00], &eoi].concat(), "Garbage"),
        ([&soi[..], &segment(0xe0, &[0; 9])].concat(), "Truncated"),
    ];
    for (bytes, name) in cases {
        let mut restarts = RestartOffsets::new();
        let defect = walk(&bytes, &mut restarts).expect_err(name);
        assert!(format!("{defect:?}").starts_with(name), "{bytes:x?}: {defect}, not {name}");
        assert!(restarts.as_slice().is_empty());
    }
}

#[test]
fn sixteen_bit_tables_have_a_quality_too() {
    let body = [vec![0x10], [1, 0].repeat(64)].concat();
    let image =
        [&[0xff, 0xd8], &segment(0xdb, &body)[..], &sof(0xc1, &[0x11]), &sos(1), &[1, 0xff, 0xd9]].concat();
    let summary = look(&image).unwrap();
    assert_eq!((summary.quality, summary.process), (Some(1), Process::Extended));
}

proptest! {
    /// Whatever a camera sends, the walk comes back, and never claims more than there is.
    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..2048)) {
        let started = [&[0xff, 0xd8][..], &bytes].concat();
        for input in [&bytes, &started] {
            if let Ok(summary) = look(input) {
                prop_assert!(summary.len <= input.len());
                prop_assert!(with_tables(input, &summary).concat().len() <= input.len() + 420);
            }
        }
    }

    /// Bytes changed in a good image are either told as a defect or described within bounds.
    #[test]
    fn changed_images_never_panic(changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut image = image(false);
        for (index, value) in changes {
            let at = index.index(image.len());
            image[at] = value;
        }
        let mut restarts = RestartOffsets::new();
        if let Ok(summary) = walk(&image, &mut restarts) {
            prop_assert!(summary.len <= image.len() && summary.tables_at < summary.len);
            prop_assert!(restarts.as_slice().iter().all(|&at| (at as usize) < summary.len));
        }
    }

    /// What stands behind EOI never matters.
    #[test]
    fn any_padding_is_trimmed(padding in vec(any::<u8>(), 0..300)) {
        let whole = image(true);
        prop_assert_eq!(look(&[&whole[..], &padding].concat()), look(&whole));
    }
}
