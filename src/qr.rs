//! QR codes (ISO/IEC 18004) in a terminal, for a telephone or another machine's camera to read.

use std::fmt;

use fast_qr::qr::QRBuilder;
use fast_qr::{ECL, QRCode};

/// Light modules around the code, without which readers do not find it.
const QUIET: usize = 4;

/// Bright white on black: what readers expect, whatever colours the terminal has.
const COLOURS: &str = "\x1b[97;40m";
const NO_COLOURS: &str = "\x1b[0m";

/// A text as a QR code.
///
/// Shown with blocks that are half a line high: ink is light, as letters are on a dark terminal.
#[derive(Debug, Clone)]
pub struct QrCode(Box<QRCode>);

/// The text is longer than any QR code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text is too long for a QR code")
    }
}

impl std::error::Error for TooLong {}

impl QrCode {
    /// The smallest code of `text`. Capitals and digits alone take about two thirds of the room.
    ///
    /// # Errors
    ///
    /// [`TooLong`] beyond some 2,900 bytes.
    pub fn new(text: &str) -> Result<Self, TooLong> {
        // A screen is neither dirty nor torn: the least redundancy makes the largest modules.
        QRBuilder::new(text).ecl(ECL::L).build().map(|code| Self(Box::new(code))).map_err(|_| TooLong)
    }

    /// Modules of one side, without the quiet zone.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.0.size
    }

    /// The lines in colours of their own, for a terminal.
    #[must_use]
    pub fn in_colours(&self) -> String {
        self.to_string().lines().map(|line| format!("{COLOURS}{line}{NO_COLOURS}\n")).collect()
    }

    /// Whether the module is light, counted from the corner of the quiet zone.
    fn is_light(&self, row: usize, column: usize) -> bool {
        let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < self.0.size);
        match (inside(row), inside(column)) {
            (Some(row), Some(column)) => !self.0[row][column].value(),
            _ => true,
        }
    }
}

impl fmt::Display for QrCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = self.0.size + 2 * QUIET;
        for row in (0..side).step_by(2) {
            for column in 0..side {
                f.write_str(match (self.is_light(row, column), self.is_light(row + 1, column)) {
                    (true, true) => "█",
                    (true, false) => "▀",
                    (false, true) => "▄",
                    (false, false) => " ",
                })?;
            }
            f.write_str("\n")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The modules as they are shown, dark ones set.
    fn shown(code: &QrCode) -> Vec<Vec<bool>> {
        let text = code.to_string();
        let mut rows = vec![];
        for line in text.lines() {
            rows.push(line.chars().map(|c| matches!(c, ' ' | '▄')).collect());
            rows.push(line.chars().map(|c| matches!(c, ' ' | '▀')).collect());
        }
        rows
    }

    #[test]
    fn finders_stand_in_three_corners_of_a_quiet_zone() {
        let (capitals, small) = ("SEALPUB1".repeat(9), "sealpub1".repeat(9));
        for (text, size) in [("A", 21), (&capitals[..66], 29), (&small[..66], 33)] {
            let code = QrCode::new(text).unwrap();
            assert_eq!(code.size(), size, "{text}");
            let rows = shown(&code);
            let side = size + 2 * QUIET;
            assert!(rows.len() == side + 1 && rows.iter().all(|row| row.len() == side), "{code}");
            for (row, column) in [(0, 0), (0, size - 7), (size - 7, 0)] {
                for (y, x) in (0..7).flat_map(|y| (0..7).map(move |x| (y, x))) {
                    let ring = x.min(y).min(6 - x).min(6 - y);
                    assert_eq!(
                        rows[row + QUIET + y][column + QUIET + x],
                        ring != 1,
                        "{row} {column}\n{code}"
                    );
                }
            }
            let quiet = |at: usize| at < QUIET || at >= QUIET + size;
            for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))) {
                assert!(!(rows[y][x] && (quiet(y) || quiet(x))), "{y} {x}\n{code}");
            }
        }
    }

    #[test]
    fn colours_change_nothing_but_the_colours() {
        let code = QrCode::new("SEALPUB1").unwrap();
        let plain = code.in_colours().replace(COLOURS, "").replace(NO_COLOURS, "");
        assert_eq!(plain, code.to_string());
        assert_eq!(QrCode::new(&"x".repeat(3_000)).unwrap_err(), TooLong);
    }
}
