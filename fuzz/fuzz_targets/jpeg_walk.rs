//! The marker walk: what it says of an image is true of its bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sealcam::jpeg::{Defect, RestartOffsets, walk, with_tables};

fuzz_target!(|data: &[u8]| {
    let mut restarts = RestartOffsets::new();
    let Ok(summary) = walk(data, &mut restarts) else {
        assert!(restarts.as_slice().is_empty());
        return;
    };
    assert!(summary.len <= data.len() && summary.width > 0 && summary.height > 0);
    assert!(data.starts_with(&[0xff, 0xd8]) && data[..summary.len].ends_with(&[0xff, 0xd9]));
    assert_eq!(data[summary.tables_at..][..2], [0xff, 0xda], "tables go before the scan");
    assert!(restarts.as_slice().is_sorted());
    for at in restarts.as_slice() {
        let at = *at as usize;
        assert!(at + 2 <= summary.len && data[at] == 0xff && (0xd0..=0xd7).contains(&data[at + 1]));
    }

    // What follows the image does not matter.
    assert_eq!(walk(&data[..summary.len], &mut restarts), Ok(summary));
    // Every prefix is a truncated image.
    for cut in [summary.len - 1, summary.len / 2, summary.tables_at] {
        assert!(matches!(walk(&data[..cut], &mut restarts), Err(Defect::Truncated { .. })));
    }

    let whole = with_tables(data, &summary).concat();
    let with = walk(&whole, &mut restarts).expect("the same image with its tables");
    assert_eq!((with.width, with.height, with.process), (summary.width, summary.height, summary.process));
    assert!(with.len == whole.len() && whole.len() >= summary.len);
    assert_eq!(with_tables(&whole, &with).concat(), whole, "once is enough");
});
