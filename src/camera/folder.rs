//! The JPEG files of a folder, in the order in which a person would put them.

use core::cmp::Ordering;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// One file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Still {
    /// Where it is.
    pub path: PathBuf,
    /// Its length when it was listed.
    pub len: u64,
}

/// Lists the `.jpg` and `.jpeg` files of a folder, sorted by [`natural_order`] of their names.
///
/// Hidden files are left out: some systems put a hidden companion beside each picture. Links are
/// followed; folders inside are not looked into.
///
/// # Errors
///
/// What listing the folder gives. A file that cannot be looked at is left out.
pub fn list(folder: &Path) -> io::Result<Vec<Still>> {
    let mut stills = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_bytes().starts_with(b".") || !is_jpeg_name(&entry.path()) {
            continue;
        }
        match fs::metadata(entry.path()) {
            Ok(metadata) if metadata.is_file() => {
                stills.push(Still { path: entry.path(), len: metadata.len() });
            }
            Ok(_) => {}
            Err(error) => log::warn!("{}: left out: {error}", entry.path().display()),
        }
    }
    stills.sort_by(|a, b| natural_order(a.path.as_os_str().as_bytes(), b.path.as_os_str().as_bytes()));
    Ok(stills)
}

/// Whether the name ends in `.jpg` or `.jpeg`, in capital or small letters.
#[must_use]
pub fn is_jpeg_name(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("jpg") || end.eq_ignore_ascii_case("jpeg"))
}

/// Compares names so that `img2` comes before `img10`: runs of digits count as numbers.
#[must_use]
pub fn natural_order(a: &[u8], b: &[u8]) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (left_digits, right_digits) = (digits(left), digits(right));
        if left_digits > 0 && right_digits > 0 {
            let (left_number, left_rest) = left.split_at(left_digits);
            let (right_number, right_rest) = right.split_at(right_digits);
            let (one, other) = (without_zeros(left_number), without_zeros(right_number));
            match one.len().cmp(&other.len()).then_with(|| one.cmp(other)) {
                Ordering::Equal => (left, right) = (left_rest, right_rest),
                unequal => return unequal,
            }
            continue;
        }
        match (left.split_first(), right.split_first()) {
            (Some((one, left_rest)), Some((other, right_rest))) if one == other => {
                (left, right) = (left_rest, right_rest);
            }
            (Some((one, _)), Some((other, _))) => return one.cmp(other),
            // Equal but for zeros before numbers: any order will do, as long as it is always the same.
            (None, None) => return a.cmp(b),
            (one, other) => return one.is_some().cmp(&other.is_some()),
        }
    }
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&digit| digit == b'0').count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_in_names_are_compared_as_numbers() {
        let ordered = [
            "",
            "0001.jpg",
            "1.jpg",
            "2.jpg",
            "0010.jpg",
            "100000000000000000000000000000.jpg",
            "img",
            "img2.jpg",
            "img2a.jpg",
            "img2b1.jpg",
            "img2b10.jpg",
            "img10.jpg",
            "imx1.jpg",
        ];
        for pair in ordered.windows(2) {
            assert_eq!(natural_order(pair[0].as_bytes(), pair[1].as_bytes()), Ordering::Less, "{pair:?}");
        }
    }

    proptest! {
        /// A sort needs a total order.
        #[test]
        fn the_order_is_total(a in "[0-2a]{0,6}", b in "[0-2a]{0,6}", c in "[0-2a]{0,6}") {
            let order = |x: &str, y: &str| natural_order(x.as_bytes(), y.as_bytes());
            prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
            prop_assert_eq!(order(&a, &b) == Ordering::Equal, a == b);
            if order(&a, &b).is_le() && order(&b, &c).is_le() {
                prop_assert!(order(&a, &c).is_le());
            }
        }
    }
}
