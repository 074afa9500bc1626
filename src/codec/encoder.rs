//! Raw samples to JPEG.

use super::CodecError;
use super::compressor::{Compressor, Settings, Written};
use super::planes::PlanarPicture;
use super::unpack;
use crate::picture::RawPicture;

/// Encodes raw pictures. Make one, use it for all frames.
///
/// Samples go into libjpeg as planes of their own sampling, a strip of 8 or 16 rows at a time, so that
/// they are still in the cache when they are transformed.
pub struct Encoder {
    compressor: Compressor,
    strip: PlanarPicture,
    output: Vec<u8>,
}

impl Encoder {
    /// Claims little; memory grows with the first pictures.
    #[must_use]
    pub fn new() -> Self {
        Self { compressor: Compressor::new(), strip: PlanarPicture::new(), output: Vec::new() }
    }

    /// Encodes a picture as a baseline JPEG image with libjpeg's `quality`, 1..=100.
    ///
    /// Sampling stays that of the source: 4:2:2 for YUYV and UYVY, 4:2:0 for NV12 and YU12; GREY
    /// becomes an image of one component, RGB24 one of 4:2:2. Limited range and BT.709 are converted to
    /// what JFIF means. Behind each row of MCUs stands a restart marker: 0.1 % more bytes, and an image
    /// can be cut into rows.
    ///
    /// # Errors
    ///
    /// [`CodecError::Size`], [`CodecError::Stride`] or [`CodecError::Short`] if the numbers of the picture
    /// contradict each other.
    pub fn encode(&mut self, picture: &RawPicture<'_>, quality: u8) -> Result<&[u8], CodecError> {
        unpack::check(picture)?;
        let settings = Settings {
            width: picture.width,
            height: picture.height,
            chroma: unpack::chroma_of(picture.format),
            quality: quality.clamp(1, 100),
        };
        // Half a byte for each pixel is more than a picture of usual quality takes.
        reserve(&mut self.output, picture.width as usize * picture.height as usize / 2);
        let rows = settings.strip_rows() as usize;
        loop {
            let written =
                self.compressor.compress(settings, &mut self.output, &mut self.strip, |strip, first| {
                    unpack::unpack(picture, first as usize, rows, strip);
                });
            match written? {
                Written::Fits(len) => return Ok(&self.output[..len]),
                Written::Needs(len) => reserve(&mut self.output, len),
            }
        }
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes a buffer hold `len` bytes and some more, so that a slightly larger frame does not grow it again.
pub(super) fn reserve(output: &mut Vec<u8>, len: usize) {
    const HEADERS: usize = 1024;
    let len = len + HEADERS;
    if output.len() < len {
        output.resize(len + len / 4, 0);
    }
}
