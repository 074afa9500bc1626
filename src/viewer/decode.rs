//! JPEG to the pixels that the window shows: where the codec and the window meet.

use super::window::{Decode, Rgb};
use crate::codec::{Decoder, RgbPicture};

/// Decodes for the window; the pictures share one buffer.
///
/// A picture with missing or wrong parts is refused, so that the one before it stays. But some cameras
/// put a stray byte into every image: when [`DAMAGED_IN_A_ROW`] were refused, the following are shown as
/// they are until a good one comes.
pub struct WindowDecoder {
    decoder: Decoder,
    picture: RgbPicture,
    damaged: u32,
}

impl Default for WindowDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl WindowDecoder {
    /// Claims its memory with the first pictures.
    #[must_use]
    pub fn new() -> Self {
        Self { decoder: Decoder::new(), picture: RgbPicture::default(), damaged: 0 }
    }
}

impl Decode for WindowDecoder {
    fn decode(&mut self, jpeg: &[u8]) -> Result<Rgb<'_>, String> {
        self.decoder.decode_rgb(jpeg, &mut self.picture).map_err(|error| error.to_string())?;
        if !self.picture.damaged {
            self.damaged = 0;
        } else if self.damaged < DAMAGED_IN_A_ROW {
            self.damaged += 1;
            return Err("parts of the image are missing or wrong".to_owned());
        }
        let RgbPicture { width, height, pixels, .. } = &self.picture;
        Ok(Rgb { width: *width as usize, height: *height as usize, pixels })
    }
}

/// Damaged pictures in a row after which damage is taken for this camera's way.
pub const DAMAGED_IN_A_ROW: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use mozjpeg::{ColorSpace, Compress};

    fn image() -> Vec<u8> {
        let mut compress = Compress::new(ColorSpace::JCS_RGB);
        compress.set_size(64, 48);
        let mut started = compress.start_compress(Vec::new()).unwrap();
        started.write_scanlines(&[200, 100, 50].repeat(64 * 48)).unwrap();
        started.finish().unwrap()
    }

    #[test]
    fn damage_is_refused_until_it_is_the_rule() {
        let good = image();
        let mut damaged = good.clone();
        let scan = good.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
        // The scan ends after a few bytes: the rest of the picture is missing.
        damaged.drain(scan + 16..good.len() - 2);
        let mut decoder = WindowDecoder::new();
        for round in 0..2 {
            let rgb = decoder.decode(&good).unwrap();
            assert_eq!((rgb.width, rgb.height, rgb.pixels.len()), (64, 48, 64 * 48 * 3));
            assert!(rgb.pixels[..3].iter().zip([200_u8, 100, 50]).all(|(a, b)| a.abs_diff(b) < 4));
            for n in 0..2 * DAMAGED_IN_A_ROW {
                let shown = decoder.decode(&damaged).is_ok();
                assert_eq!(shown, n >= DAMAGED_IN_A_ROW, "round {round}, damaged picture {n}");
            }
        }
        assert!(decoder.decode(b"no image").is_err());
    }
}
