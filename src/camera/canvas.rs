//! Drawing into raw pictures: full-range BT.601 in planar 4:2:0 or packed 4:2:2.

use super::lettering::Luma;
use crate::picture::{Colour, RawFormat, RawPicture};

/// A colour as code values of full-range BT.601.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ycc {
    /// Luma, 0..=255.
    pub y: u8,
    /// Blue difference, 128 is none.
    pub cb: u8,
    /// Red difference, 128 is none.
    pub cr: u8,
}

impl Ycc {
    /// What JFIF makes of an R'G'B' colour (T.871 section 7).
    #[must_use]
    pub fn from_rgb(red: u8, green: u8, blue: u8) -> Self {
        let (r, g, b) = (f64::from(red), f64::from(green), f64::from(blue));
        let y = 0.299 * r + 0.587 * g + 0.114 * b;
        // `as` saturates at 0 and 255.
        let code = |value: f64| value.round() as u8;
        Self { y: code(y), cb: code((b - y) / 1.772 + 128.0), cr: code((r - y) / 1.402 + 128.0) }
    }

    /// A grey of luma `y`.
    #[must_use]
    pub const fn grey(y: u8) -> Self {
        Self { y, cb: 128, cr: 128 }
    }
}

/// The layouts that can be drawn into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// Planar 4:2:0 (I420).
    #[default]
    Yu12,
    /// Packed 4:2:2.
    Yuyv,
}

/// A raw picture to be drawn into, its memory included.
#[derive(Debug, Clone)]
pub struct Canvas {
    layout: Layout,
    width: usize,
    height: usize,
    samples: Vec<u8>,
}

impl Canvas {
    /// A picture of `width` columns and `height` rows in black; odd sizes are rounded up to even ones.
    #[must_use]
    pub fn new(layout: Layout, width: u32, height: u32) -> Self {
        let (width, height) = (width.next_multiple_of(2) as usize, height.next_multiple_of(2) as usize);
        let samples = vec![0; width * height * layout.bits_per_pixel() / 8];
        let mut canvas = Self { layout, width, height, samples };
        canvas.fill(0, 0, width, height, Ycc::grey(0));
        canvas
    }

    /// Columns of pixels.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of pixels.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Bytes of the picture.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether the picture has no pixels.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Fills a rectangle, moved to even coordinates, on which chroma lies; what is outside is left out.
    pub fn fill(&mut self, x: usize, y: usize, width: usize, height: usize, colour: Ycc) {
        let left = x.min(self.width) & !1;
        let right = x.saturating_add(width).min(self.width).next_multiple_of(2);
        let top = y.min(self.height) & !1;
        let bottom = y.saturating_add(height).min(self.height).next_multiple_of(2);
        if left >= right || top >= bottom {
            return;
        }
        match self.layout {
            Layout::Yu12 => self.fill_planar(left..right, top..bottom, colour),
            Layout::Yuyv => {
                let pixels = [colour.y, colour.cb, colour.y, colour.cr];
                for line in self.samples.chunks_exact_mut(self.width * 2).take(bottom).skip(top) {
                    for pair in line[left * 2..right * 2].chunks_exact_mut(4) {
                        pair.copy_from_slice(&pixels);
                    }
                }
            }
        }
    }

    fn fill_planar(&mut self, columns: Span, rows: Span, colour: Ycc) {
        let (luma, chroma) = self.samples.split_at_mut(self.width * self.height);
        let (cb, cr) = chroma.split_at_mut(chroma.len() / 2);
        for line in luma.chunks_exact_mut(self.width).take(rows.end).skip(rows.start) {
            line[columns.clone()].fill(colour.y);
        }
        let half = columns.start / 2..columns.end / 2;
        for (plane, value) in [(cb, colour.cb), (cr, colour.cr)] {
            for line in plane.chunks_exact_mut(self.width / 2).take(rows.end / 2).skip(rows.start / 2) {
                line[half.clone()].fill(value);
            }
        }
    }

    /// The luma samples, for lettering and fine detail.
    pub fn luma(&mut self) -> Luma<'_> {
        let (width, height) = (self.width, self.height);
        let (stride, step) = match self.layout {
            Layout::Yu12 => (width, 1),
            Layout::Yuyv => (width * 2, 2),
        };
        Luma { samples: &mut self.samples, width, height, stride, step }
    }

    /// The picture, to be encoded.
    #[must_use]
    pub fn picture(&self) -> RawPicture<'_> {
        let format = match self.layout {
            Layout::Yu12 => RawFormat::Yu12,
            Layout::Yuyv => RawFormat::Yuyv,
        };
        // Sizes came from `new` as u32.
        let (width, height) = (self.width as u32, self.height as u32);
        let stride = format.min_stride(width);
        RawPicture { samples: &self.samples, format, width, height, stride, colour: Colour::JFIF }
    }
}

impl Layout {
    const fn bits_per_pixel(self) -> usize {
        match self {
            Self::Yu12 => 12,
            Self::Yuyv => 16,
        }
    }
}

type Span = core::ops::Range<usize>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_jfif() {
        // (R'G'B', Y'CbCr)
        let cases = [
            ([255, 255, 255], [255, 128, 128]),
            ([0, 0, 0], [0, 128, 128]),
            ([255, 0, 0], [76, 85, 255]),
            ([0, 255, 0], [150, 44, 21]),
            ([0, 0, 255], [29, 255, 107]),
        ];
        for ([r, g, b], [y, cb, cr]) in cases {
            assert_eq!(Ycc::from_rgb(r, g, b), Ycc { y, cb, cr }, "{r} {g} {b}");
        }
    }

    #[test]
    fn rectangles_lie_on_whole_chroma_samples() {
        let colour = Ycc { y: 9, cb: 8, cr: 7 };
        let mut planar = Canvas::new(Layout::Yu12, 6, 4);
        planar.fill(3, 2, 1, 9, colour);
        let expected = [
            &[0; 6][..],
            &[0; 6],
            &[0, 0, 9, 9, 0, 0],
            &[0, 0, 9, 9, 0, 0], // Y
            &[128; 3],
            &[128, 8, 128],
            &[128; 3],
            &[128, 7, 128], // Cb, Cr
        ]
        .concat();
        assert_eq!(planar.picture().samples, expected);

        let mut packed = Canvas::new(Layout::Yuyv, 4, 2);
        packed.fill(2, 0, 2, 1, colour);
        assert_eq!(packed.picture().samples, [0, 128, 0, 128, 9, 8, 9, 7].repeat(2));
    }

    #[test]
    fn pictures_have_the_length_of_their_format() {
        for layout in [Layout::Yu12, Layout::Yuyv] {
            let mut canvas = Canvas::new(layout, 63, 47);
            canvas.fill(1000, 1000, 5, 5, Ycc::grey(1));
            canvas.fill(0, 0, usize::MAX, usize::MAX, Ycc::grey(255));
            let picture = canvas.picture();
            assert_eq!((picture.width, picture.height), (64, 48));
            assert_eq!(canvas.len() as u64, picture.format.picture_len(picture.stride, picture.height));
            let mut luma = canvas.luma();
            luma.fill(0, 0, 64, 48, 3);
            let step = luma.step;
            assert!(canvas.picture().samples[..64 * 48 * step].iter().step_by(step).all(|&y| y == 3));
        }
    }
}
