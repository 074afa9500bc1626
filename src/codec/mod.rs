//! JPEG to samples and back, through mozjpeg.
//!
//! | file | what it does |
//! |---|---|
//! | `encoder` | raw samples of any format of [`crate::picture`] to baseline JPEG |
//! | `requantise` | JPEG to a smaller JPEG, without a detour over samples |
//! | `decoder` | JPEG to RGB for a window, or to planes for what follows |
//! | `rectify`, `scale` | planes of one geometry to a raw picture of another |
//! | `planes`, `unpack`, `colour` | samples in memory: layouts, their conversion, what they mean |
//! | `libjpeg`, `compressor`, `decompressor`, `memory`, `arena` | the only files that speak to C |
//! | `blocks` | arithmetic on coefficients |
//!
//! Every object here is made once and used for all frames. Encoding, requantising, rectifying and scaling
//! allocate nothing once they have seen a few pictures of the current size; geometry may change at any time.
//! Errors of libjpeg arrive as [`CodecError`]; the object that reported one takes the next picture as
//! if nothing had happened.

mod arena;
mod blocks;
mod colour;
mod compressor;
mod decoder;
mod decompressor;
mod encoder;
mod libjpeg;
mod memory;
mod object;
mod planes;
mod rectify;
mod requantise;
mod scale;
mod unpack;

pub use decoder::{Decoder, RgbPicture};
pub use encoder::Encoder;
pub use planes::{PlanarPicture, Plane};
pub use rectify::Rectifier;
pub use requantise::Requantiser;
pub use scale::Scaler;

use core::fmt;

/// Most pixels of a picture that is decoded, rectified or scaled: 64 Mi, more than any camera module has.
///
/// A few bytes of header can claim 65,535 x 65,535; memory is claimed only within this limit.
pub const MAX_PIXELS: u64 = 1 << 26;

/// Largest width and height of a JPEG image that libjpeg takes on.
pub const MAX_DIMENSION: u32 = 65_500;

/// Why a picture could not be encoded, decoded or changed.
///
/// The fault is always the picture's; the next one finds the codec as good as new.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecError {
    /// libjpeg gave the image up, for the reason in its own words.
    Broken(String),
    /// A picture of no or of too many pixels ([`MAX_DIMENSION`], [`MAX_PIXELS`]).
    Size {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// Lines of a raw picture that are too short for its width.
    Stride {
        /// Bytes from line to line.
        stride: u32,
        /// What the width needs.
        least: u32,
    },
    /// Fewer samples than stride and height of a raw picture need.
    Short {
        /// Bytes that there are.
        len: usize,
        /// Bytes that are needed.
        least: u64,
    },
    /// A picture of another size than the one that was prepared for.
    Geometry {
        /// Columns and rows prepared for.
        expected: (u32, u32),
        /// Those of the picture.
        found: (u32, u32),
    },
    /// A well-formed image of a kind that is of no use here.
    Unsupported(&'static str),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(why) => write!(f, "broken JPEG image: {why}"),
            Self::Size { width, height } => write!(
                f,
                "picture of {width}x{height}: must be at least 1x1, \
                 at most {MAX_DIMENSION} either way and {MAX_PIXELS} pixels"
            ),
            Self::Stride { stride, least } => {
                write!(f, "raw picture with lines of {stride} bytes: its width needs {least}")
            }
            Self::Short { len, least } => write!(f, "raw picture of {len} bytes: its lines need {least}"),
            Self::Geometry { expected, found } => write!(
                f,
                "picture of {}x{} where {}x{} was prepared for",
                found.0, found.1, expected.0, expected.1
            ),
            Self::Unsupported(what) => write!(f, "JPEG image with {what}: not supported"),
        }
    }
}

impl core::error::Error for CodecError {}

/// Checks a size before memory is claimed for it.
fn check_size(width: u32, height: u32) -> Result<(), CodecError> {
    let pixels = u64::from(width) * u64::from(height);
    if width > MAX_DIMENSION || height > MAX_DIMENSION || pixels > MAX_PIXELS || pixels == 0 {
        return Err(CodecError::Size { width, height });
    }
    Ok(())
}

#[cfg(test)]
mod decoder_tests;
#[cfg(test)]
mod encoder_tests;
#[cfg(test)]
mod requantise_tests;
#[cfg(test)]
mod testing;
