//! What samples mean, brought to what JFIF means: full range, BT.601.
//!
//! All arithmetic is in 16-bit lanes, the width at which vector units multiply the most samples at once.

use crate::picture::{Colour, Matrix, Range};

/// What has to be done to samples of a colour description.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conversion {
    expand: bool,
    turn: bool,
}

impl Conversion {
    pub(super) fn of(colour: Colour) -> Self {
        Self { expand: colour.range == Range::Limited, turn: colour.matrix == Matrix::Bt709 }
    }

    pub(super) const fn is_identity(self) -> bool {
        !self.expand && !self.turn
    }

    /// 16..=235 to 0..=255.
    pub(super) fn expand_luma(self, line: &mut [u8]) {
        if !self.expand {
            return;
        }
        for value in line {
            // 298 / 256 = 255 / 219 + 0.03 %; the largest sum, 219 * 298 + 128, just fits 16 bits.
            let above_black = u16::from(value.saturating_sub(16).min(219));
            *value = ((above_black * 298 + 128) >> 8) as u8;
        }
    }

    /// 16..=240 around 128 to 0..=255 around 128.
    pub(super) fn expand_chroma(self, line: &mut [u8]) {
        if !self.expand {
            return;
        }
        for value in line {
            // 291 / 256 = 255 / 224 - 0.15 %; 304 puts 128 to 128.5: 112 * 291 + 304 = 128.5 * 256.
            let above_least = u16::from((*value).clamp(16, 240) - 16);
            *value = ((above_least * 291 + 304) >> 8) as u8;
        }
    }

    /// Luma of BT.709 to luma of BT.601, given the full-range chroma of BT.709 of the same line.
    ///
    /// From the weights of both: Y601 = Y + 0.10159 Cb + 0.19609 Cr.
    pub(super) fn turn_luma(self, luma: &mut [u8], cb: &[u8], cr: &[u8]) {
        if !self.turn {
            return;
        }
        // In blocks of a fixed length, whose loops become vector code: first what chroma adds, then the sums.
        const BLOCK: usize = 32;
        for ((luma, cb), cr) in luma.chunks_mut(2 * BLOCK).zip(cb.chunks(BLOCK)).zip(cr.chunks(BLOCK)) {
            let mut more = [0i16; BLOCK];
            for ((more, cb), cr) in more.iter_mut().zip(cb).zip(cr) {
                *more = ((i16::from(*cb) - 128) * 52 + (i16::from(*cr) - 128) * 100 + 256) >> 9;
            }
            if let Ok(luma) = <&mut [u8; 2 * BLOCK]>::try_from(&mut *luma) {
                let mut twice = [0i16; 2 * BLOCK];
                for (pair, more) in twice.as_chunks_mut::<2>().0.iter_mut().zip(&more) {
                    *pair = [*more; 2];
                }
                for (value, more) in luma.iter_mut().zip(&twice) {
                    *value = (i16::from(*value) + more).clamp(0, 255) as u8;
                }
                continue;
            }
            for (pair, more) in luma.chunks_mut(2).zip(&more) {
                pair.iter_mut().for_each(|value| *value = (i16::from(*value) + more).clamp(0, 255) as u8);
            }
        }
    }

    /// Full-range chroma of BT.709 to that of BT.601.
    ///
    /// Cb601 = 0.98986 Cb - 0.11066 Cr, Cr601 = 0.98338 Cr - 0.07246 Cb.
    pub(super) fn turn_chroma(self, cb: &mut [u8], cr: &mut [u8]) {
        if !self.turn {
            return;
        }
        for (cb, cr) in cb.iter_mut().zip(cr) {
            let (b, r) = (i16::from(*cb) - 128, i16::from(*cr) - 128);
            let (less_b, less_r) = ((b * 10 + r * 113 + 512) >> 10, (r * 17 + b * 74 + 512) >> 10);
            *cb = (b + 128 - less_b).clamp(0, 255) as u8;
            *cr = (r + 128 - less_r).clamp(0, 255) as u8;
        }
    }
}

/// One line of R G B to a line of luma and half a line each of chroma, that of two pixels averaged.
pub(super) fn rgb_line(rgb: &[u8], luma: &mut [u8], cb: &mut [u8], cr: &mut [u8]) {
    let (pixels, _) = rgb.as_chunks::<3>();
    for (((pair, luma), cb), cr) in pixels.chunks(2).zip(luma.chunks_mut(2)).zip(cb).zip(cr) {
        let mut sum = [0; 3];
        for (pixel, luma) in pair.iter().zip(luma) {
            let [r, g, b] = pixel.map(i32::from);
            *luma = luma_of(r, g, b);
            sum = [sum[0] + r, sum[1] + g, sum[2] + b];
        }
        if let [_] = pair {
            sum = sum.map(|value| 2 * value);
        }
        (*cb, *cr) = chroma_of_sums(sum, 1);
    }
}

/// Planes of R, G and B to planes of Y', Cb and Cr, in place.
pub(super) fn rgb_to_planes(r: &mut [u8], g: &mut [u8], b: &mut [u8]) {
    for ((first, second), third) in r.iter_mut().zip(g).zip(b) {
        let [r, g, b] = [*first, *second, *third].map(i32::from);
        *first = luma_of(r, g, b);
        (*second, *third) = chroma_of_sums([r, g, b], 0);
    }
}

/// BT.601 weights (JFIF 1.02) in 16-bit fixed point.
fn luma_of(r: i32, g: i32, b: i32) -> u8 {
    ((19_595 * r + 38_470 * g + 7_471 * b + 32_768) >> 16) as u8
}

/// Chroma from the sums over 2^`shift` pixels.
fn chroma_of_sums([r, g, b]: [i32; 3], shift: u32) -> (u8, u8) {
    let centre = (128 << (16 + shift)) + (32_767 << shift);
    let cb = -11_059 * r - 21_709 * g + 32_768 * b + centre;
    let cr = 32_768 * r - 27_439 * g - 5_329 * b + centre;
    ((cb >> (16 + shift)) as u8, (cr >> (16 + shift)) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITED: Conversion = Conversion { expand: true, turn: false };
    const BT709: Conversion = Conversion { expand: false, turn: true };

    #[test]
    fn expansion_is_exact_to_one_level() {
        for code in 0..=255u8 {
            let mut luma = [code];
            LIMITED.expand_luma(&mut luma);
            let exact = ((f64::from(code) - 16.0) * 255.0 / 219.0).clamp(0.0, 255.0);
            assert!((f64::from(luma[0]) - exact).abs() <= 0.6, "luma {code}: {} for {exact}", luma[0]);
            let mut chroma = [code];
            LIMITED.expand_chroma(&mut chroma);
            let exact = (128.0 + (f64::from(code) - 128.0) * 255.0 / 224.0).clamp(0.5, 255.0);
            assert!((f64::from(chroma[0]) - exact).abs() <= 0.8, "chroma {code}: {} for {exact}", chroma[0]);
        }
        let mut ends = [16, 235];
        LIMITED.expand_luma(&mut ends);
        assert_eq!(ends, [0, 255]);
        let mut grey = [128];
        LIMITED.expand_chroma(&mut grey);
        assert_eq!(grey, [128]);
    }

    #[test]
    fn turning_agrees_with_the_long_way_over_rgb() {
        for y in (0..=255).step_by(15) {
            for cb in (0..=255).step_by(15) {
                for cr in (0..=255).step_by(15) {
                    // One whole block and an odd rest of one.
                    let (mut luma, mut b, mut r) = ([y as u8; 67], [cb as u8; 34], [cr as u8; 34]);
                    BT709.turn_luma(&mut luma, &b, &r);
                    BT709.turn_chroma(&mut b, &mut r);
                    assert!(luma.iter().all(|&value| value == luma[66]));
                    let (y, cb, cr) = (f64::from(y), f64::from(cb) - 128.0, f64::from(cr) - 128.0);
                    let red = y + 1.5748 * cr;
                    let green = y - 0.187_324 * cb - 0.468_124 * cr;
                    let blue = y + 1.8556 * cb;
                    let luma601 = 0.299 * red + 0.587 * green + 0.114 * blue;
                    let exact = [luma601, 128.0 + (blue - luma601) / 1.772, 128.0 + (red - luma601) / 1.402];
                    for (got, exact) in [luma[1], b[0], r[0]].into_iter().zip(exact) {
                        assert!(
                            (f64::from(got) - exact.clamp(0.0, 255.0)).abs() <= 0.8,
                            "{y} {cb} {cr}: {exact}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn rgb_follows_jfif() {
        // (r, g, b), (y, cb, cr) by the formulas of JFIF 1.02
        let cases = [
            ([0, 0, 0], [0, 128, 128]),
            ([255, 255, 255], [255, 128, 128]),
            ([255, 0, 0], [76, 85, 255]),
            ([0, 255, 0], [150, 44, 21]),
            ([0, 0, 255], [29, 255, 107]),
        ];
        for (rgb, ycc) in cases {
            let (mut y, mut cb, mut cr) = ([0; 3], [0; 2], [0; 2]);
            rgb_line(&[rgb, rgb, rgb].concat(), &mut y, &mut cb, &mut cr);
            assert_eq!([y[2], cb[1], cr[1]], ycc, "{rgb:?}");
            assert_eq!([y[0], cb[0], cr[0]], ycc, "{rgb:?}");
            let [mut r, mut g, mut b] = rgb.map(|v| [v]);
            rgb_to_planes(&mut r, &mut g, &mut b);
            assert_eq!([r[0], g[0], b[0]], ycc, "{rgb:?}");
        }
    }
}
