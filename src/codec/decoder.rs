//! JPEG to samples.

use std::io;

use mozjpeg::Decompress;

use super::decompressor::{ColourSpace, Decompressor, colour_of};
use super::libjpeg::{error_manager, guard, warnings_on_this_thread};
use super::planes::PlanarPicture;
use super::{CodecError, check_size, colour};
use crate::jpeg::{self, RestartOffsets};

/// A decoded picture for a window. Reuse one object for all frames.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RgbPicture {
    /// Columns of pixels.
    pub width: u32,
    /// Rows of pixels.
    pub height: u32,
    /// R, G, B of each pixel, row by row without gaps.
    pub pixels: Vec<u8>,
    /// Something was missing or wrong in the image: parts of the picture may be grey or shifted.
    pub damaged: bool,
}

/// Decodes JPEG images. Make one, use it for all frames.
pub struct Decoder {
    decompressor: Decompressor,
    restarts: RestartOffsets,
}

impl Decoder {
    /// Claims little; memory grows with the first images.
    #[must_use]
    pub fn new() -> Self {
        Self { decompressor: Decompressor::new(), restarts: RestartOffsets::new() }
    }

    /// Decodes an image for a window.
    ///
    /// Goes through the safe interface of mozjpeg, which makes a decompressor for each image: of no
    /// weight where a picture is drawn. Images without Huffman tables get the standard ones. Of a
    /// truncated image the rest is grey, and [`RgbPicture::damaged`] is set.
    ///
    /// # Errors
    ///
    /// [`CodecError::Broken`] if there is no picture in it at all, [`CodecError::Size`] if it claims to
    /// be too large. `into` is of no use then.
    pub fn decode_rgb(&mut self, jpeg: &[u8], into: &mut RgbPicture) -> Result<(), CodecError> {
        let before = warnings_on_this_thread();
        guard(|| read_rgb(jpeg, into))??;
        // Warnings do not tell of an image that ends between two scans or rows.
        let whole = jpeg::walk(jpeg, &mut self.restarts).is_ok();
        into.damaged = !whole || warnings_on_this_thread() != before;
        Ok(())
    }

    /// Decodes an image to the planes that are stored in it, without allocating once warm.
    ///
    /// Samples are converted only if the image is an RGB one. Images without Huffman tables get the standard
    /// ones. Of a truncated image the rest is grey, and [`PlanarPicture::damaged`] is set.
    ///
    /// # Errors
    ///
    /// As [`Self::decode_rgb`], and [`CodecError::Unsupported`] for CMYK and the like.
    pub fn decode_planar(&mut self, jpeg: &[u8], into: &mut PlanarPicture) -> Result<(), CodecError> {
        let mut image = self.decompressor.open(jpeg)?;
        let colours = colour_of(image.cinfo())?;
        image.read_planes(&mut into.planes)?;
        into.damaged = image.warnings() > 0;
        if colours == ColourSpace::Rgb {
            let [r, g, b] = &mut into.planes;
            if [g.width(), b.width()] != [r.width(); 2] || [g.rows(), b.rows()] != [r.rows(); 2] {
                return Err(CodecError::Unsupported("subsampled RGB"));
            }
            for row in 0..r.rows() {
                colour::rgb_to_planes(r.line_mut(row), g.line_mut(row), b.line_mut(row));
            }
        }
        into.pad_for_interpolation();
        Ok(())
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

fn read_rgb(jpeg: &[u8], into: &mut RgbPicture) -> Result<(), CodecError> {
    let broken = |error: io::Error| CodecError::Broken(error.to_string());
    let image = Decompress::with_err(error_manager()).from_mem(jpeg).map_err(broken)?;
    let (width, height) = (image.width() as u32, image.height() as u32);
    check_size(width, height)?;
    let mut lines = image.rgb().map_err(broken)?;
    (into.width, into.height) = (width, height);
    into.pixels.resize(3 * width as usize * height as usize, 0);
    lines.read_scanlines_into(&mut into.pixels).map_err(broken)?;
    Ok(())
}
