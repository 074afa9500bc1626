//! Pictures made up, for tests of the codec.

use crate::jpeg::{RestartOffsets, Summary, walk};
use crate::picture::{Colour, Matrix, Range, RawFormat, RawPicture};

/// A picture of R, G, B.
pub(super) struct Rgb {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<[u8; 3]>,
}

impl Rgb {
    pub(super) fn from_fn(width: usize, height: usize, pixel: impl Fn(usize, usize) -> [u8; 3]) -> Self {
        let pixels = (0..width * height).map(|i| pixel(i % width, i / width)).collect();
        Self { width, height, pixels }
    }

    /// Soft waves in all three colours, with a fine pattern in brightness: something to compress.
    pub(super) fn scene(width: usize, height: usize) -> Self {
        Self::from_fn(width, height, |x, y| {
            let (x, y) = (x as f64, y as f64);
            let fine = 12.0 * ((x * 0.9).sin() * (y * 0.7).cos());
            let wave = |a: f64, b: f64| (128.0 + 90.0 * (x / a + y / b).sin() + fine) as u8;
            [wave(61.0, 47.0), wave(-83.0, 39.0), wave(53.0, -71.0)]
        })
    }

    pub(super) fn solid(width: usize, height: usize, colour: [u8; 3]) -> Self {
        Self::from_fn(width, height, |_, _| colour)
    }

    /// Samples in a raw format; lines are `extra` bytes longer than they must be, filled with rubbish.
    pub(super) fn to_raw(&self, format: RawFormat, colour: Colour, extra: u32) -> Raw {
        let stride = format.min_stride(self.width as u32).next_multiple_of(2) + extra;
        let mut samples = vec![0xa5; format.picture_len(stride, self.height as u32) as usize];
        let stride_bytes = stride as usize;
        for y in 0..self.height {
            for x in 0..self.width {
                let [luma, ..] = self.code(x, y, 1, 1, colour);
                let line = y * stride_bytes;
                match format {
                    RawFormat::Yuyv => samples[line + 2 * x] = luma,
                    RawFormat::Uyvy => samples[line + 2 * x + 1] = luma,
                    RawFormat::Rgb24 => {
                        samples[line + 3 * x..][..3].copy_from_slice(&self.pixels[y * self.width + x]);
                    }
                    _ => samples[line + x] = luma,
                }
            }
        }
        self.put_chroma(&mut samples, format, colour, stride_bytes);
        Raw { samples, format, width: self.width as u32, height: self.height as u32, stride, colour }
    }

    fn put_chroma(&self, samples: &mut [u8], format: RawFormat, colour: Colour, stride: usize) {
        let (half_width, half_height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let chroma = stride * self.height;
        match format {
            RawFormat::Yuyv | RawFormat::Uyvy => {
                let first = usize::from(format == RawFormat::Yuyv);
                for (y, x) in (0..self.height).flat_map(|y| (0..half_width).map(move |x| (y, x))) {
                    let [_, cb, cr] = self.code(2 * x, y, 2, 1, colour);
                    samples[y * stride + 4 * x + first] = cb;
                    samples[y * stride + 4 * x + first + 2] = cr;
                }
            }
            RawFormat::Nv12 | RawFormat::Yu12 => {
                for (y, x) in (0..half_height).flat_map(|y| (0..half_width).map(move |x| (y, x))) {
                    let [_, cb, cr] = self.code(2 * x, 2 * y, 2, 2, colour);
                    let (b, r) = if format == RawFormat::Nv12 {
                        (chroma + y * stride + 2 * x, chroma + y * stride + 2 * x + 1)
                    } else {
                        let at = chroma + y * (stride / 2) + x;
                        (at, at + stride / 2 * half_height)
                    };
                    (samples[b], samples[r]) = (cb, cr);
                }
            }
            RawFormat::Rgb24 | RawFormat::Grey => {}
        }
    }

    /// Y', Cb, Cr of the mean of some pixels, by the definitions of BT.601 and BT.709.
    fn code(&self, x: usize, y: usize, across: usize, down: usize, colour: Colour) -> [u8; 3] {
        let mut mean = [0.0; 3];
        for (dy, dx) in (0..down).flat_map(|dy| (0..across).map(move |dx| (dy, dx))) {
            let (x, y) = ((x + dx).min(self.width - 1), (y + dy).min(self.height - 1));
            for (sum, value) in mean.iter_mut().zip(self.pixels[y * self.width + x]) {
                *sum += f64::from(value) / (across * down) as f64;
            }
        }
        let [r, g, b] = mean;
        let (kr, kb) = match colour.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
        };
        let luma = kr * r + (1.0 - kr - kb) * g + kb * b;
        let (cb, cr) = ((b - luma) / (2.0 - 2.0 * kb), (r - luma) / (2.0 - 2.0 * kr));
        let (luma, cb, cr) = match colour.range {
            Range::Full => (luma, cb + 128.0, cr + 128.0),
            Range::Limited => {
                (16.0 + luma * 219.0 / 255.0, 128.0 + cb * 224.0 / 255.0, 128.0 + cr * 224.0 / 255.0)
            }
        };
        [luma, cb, cr].map(|value| value.round() as u8)
    }
}

/// A raw picture that owns its samples.
pub(super) struct Raw {
    pub(super) samples: Vec<u8>,
    pub(super) format: RawFormat,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) stride: u32,
    pub(super) colour: Colour,
}

impl Raw {
    pub(super) fn picture(&self) -> RawPicture<'_> {
        let Self { format, width, height, stride, colour, .. } = *self;
        RawPicture { samples: &self.samples, format, width, height, stride, colour }
    }
}

pub(super) const FORMATS: [RawFormat; 6] =
    [RawFormat::Yuyv, RawFormat::Uyvy, RawFormat::Nv12, RawFormat::Yu12, RawFormat::Rgb24, RawFormat::Grey];

pub(super) const COLOURS: [Colour; 4] = [
    Colour::JFIF,
    Colour { matrix: Matrix::Bt601, range: Range::Limited },
    Colour { matrix: Matrix::Bt709, range: Range::Full },
    Colour { matrix: Matrix::Bt709, range: Range::Limited },
];

/// Peak signal to noise ratio in dB.
pub(super) fn psnr(one: &[u8], other: &[u8]) -> f64 {
    assert_eq!(one.len(), other.len());
    let squares = one.iter().zip(other).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    let mean = squares.sum::<f64>() / one.len() as f64;
    10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10()
}

/// What a whole image, without a byte too many, is; and how many restart markers it has.
#[track_caller]
pub(super) fn look(jpeg: &[u8]) -> (Summary, usize) {
    let mut restarts = RestartOffsets::new();
    let summary = walk(jpeg, &mut restarts).expect("a whole image");
    assert_eq!(summary.len, jpeg.len());
    (summary, restarts.as_slice().len())
}

/// The image without its segments of one kind.
pub(super) fn without(jpeg: &[u8], marker: u8) -> Vec<u8> {
    let mut out = jpeg[..2].to_vec();
    let mut at = 2;
    while jpeg[at + 1] != 0xda {
        let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if jpeg[at + 1] != marker {
            out.extend(&jpeg[at..end]);
        }
        at = end;
    }
    out.extend(&jpeg[at..]);
    out
}

/// Small seeded numbers (xorshift64*), so that a failing run can be repeated.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    /// A few bytes changed, inserted, removed, or the end cut off.
    pub(super) fn damage(&mut self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        for _ in 0..=self.below(8) {
            let at = self.below(bytes.len());
            match self.below(8) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes.insert(at, self.below(256) as u8),
                2 => drop(bytes.drain(at..(at + self.below(40)).min(bytes.len() - 1).max(at))),
                _ => bytes[at] = self.below(256) as u8,
            }
        }
        bytes
    }
}
