//! How large a picture may be.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Columns and rows of pixels, both within [`Size::SIDES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// Pixels that a side may have: one block of a JPEG image at least, and no more than any camera gives.
    pub const SIDES: RangeInclusive<u32> = 16..=16_384;
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text
            .split_once(['x', 'X'])
            .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
        let (width, height) =
            parsed.ok_or_else(|| format!("{text:?} is no size: write WIDTHxHEIGHT, such as 1280x720"))?;
        if Self::SIDES.contains(&width) && Self::SIDES.contains(&height) {
            return Ok(Self { width, height });
        }
        let (least, most) = Self::SIDES.into_inner();
        Err(format!("a picture of {width}x{height}: both must be {least} to {most}"))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}
