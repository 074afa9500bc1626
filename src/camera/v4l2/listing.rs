//! What a device offers, as one line of text.

use core::fmt;

use super::formats::{Encoding, Offer};
use super::reason::code;

/// Prints `MJPG 640x480 (30 15 fps), 1280x720 (30 fps); YUYV 640x480 (30 fps)`.
pub(super) struct Offers<'a>(pub(super) &'a [Offer]);

impl fmt::Display for Offers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Those that could be taken: a driver may know dozens more.
        let useful = self.0.iter().filter(|offer| Encoding::of(offer.fourcc).is_some());
        for (number, offer) in useful.enumerate() {
            let between = if number == 0 { "" } else { "; " };
            write!(f, "{between}{}", code(offer.fourcc))?;
            for (number, size) in offer.sizes.iter().enumerate() {
                let between = if number == 0 { " " } else { ", " };
                write!(f, "{between}{} ({})", size.extent, size.rates)?;
            }
        }
        Ok(())
    }
}
