//! Samples in planes, in memory that is reused.

use crate::picture::{Colour, RawFormat, RawPicture};

/// One plane of 8-bit samples.
///
/// Lines have room behind the last sample, and there is room behind the last line: for whole blocks of JPEG,
/// and for one repeated sample and line, so that whoever interpolates needs no special case at the edge.
#[derive(Debug, Clone, Default)]
pub struct Plane {
    samples: Vec<u8>,
    width: usize,
    rows: usize,
    stride: usize,
}

impl Plane {
    /// Samples in a line.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Lines.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes from line to line.
    #[must_use]
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// Everything, room included.
    #[must_use]
    pub fn samples(&self) -> &[u8] {
        &self.samples
    }

    /// The samples of one line.
    ///
    /// # Panics
    ///
    /// If `row` is not less than [`Self::rows`].
    #[must_use]
    pub fn row(&self, row: usize) -> &[u8] {
        assert!(row < self.rows);
        &self.line(row)[..self.width]
    }

    /// One line with the room behind it; may be one in the room below the last.
    pub(super) fn line(&self, row: usize) -> &[u8] {
        &self.samples[row * self.stride..][..self.stride]
    }

    pub(super) fn line_mut(&mut self, row: usize) -> &mut [u8] {
        &mut self.samples[row * self.stride..][..self.stride]
    }

    /// Changes the size; claims memory only if there was never as much.
    ///
    /// `room_across` and `room_down` are the least extents including room; there is always room for one more
    /// sample and line than `width` and `rows`. Samples are arbitrary afterwards.
    pub(super) fn reset(&mut self, width: usize, rows: usize, room_across: usize, room_down: usize) {
        self.width = width;
        self.rows = rows;
        self.stride = room_across.max(width + 1).next_multiple_of(16);
        self.samples.resize(self.stride * room_down.max(rows + 1), 0);
    }

    /// Repeats the last sample of a line to the end of its room.
    pub(super) fn pad_line(&mut self, row: usize) {
        let width = self.width;
        let line = self.line_mut(row);
        if let Some(&last) = line[..width].last() {
            line[width..].fill(last);
        }
    }

    /// Repeats the last sample of every line once, and the last line.
    pub(super) fn pad_for_interpolation(&mut self) {
        if self.width == 0 || self.rows == 0 {
            return;
        }
        for row in 0..self.rows {
            let width = self.width;
            let line = self.line_mut(row);
            line[width] = line[width - 1];
        }
        let last = (self.rows - 1) * self.stride;
        self.samples.copy_within(last..last + self.stride, last + self.stride);
    }
}

/// A picture in planes: Y', Cb, Cr in full range with the matrix of BT.601, which is what JFIF means.
///
/// Made by [`super::Decoder::decode_planar`] and [`Self::load`]; the size of the chroma planes is that
/// of their source, 0x0 for a grey one. Reuse one object for all frames.
#[derive(Debug, Clone, Default)]
pub struct PlanarPicture {
    pub(super) planes: [Plane; 3],
    pub(super) scratch: Vec<u8>,
    /// Something was missing or wrong in the source: parts of the picture may be grey or shifted.
    pub damaged: bool,
}

impl PlanarPicture {
    /// An empty picture.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Columns of pixels.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.planes[0].width()
    }

    /// Rows of pixels.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.planes[0].rows()
    }

    /// Y', Cb, Cr.
    #[must_use]
    pub const fn planes(&self) -> &[Plane; 3] {
        &self.planes
    }

    /// Whether there is no chroma.
    #[must_use]
    pub const fn is_grey(&self) -> bool {
        self.planes[1].width() == 0
    }

    pub(super) fn pad_for_interpolation(&mut self) {
        for plane in &mut self.planes {
            plane.pad_for_interpolation();
        }
    }
}

/// A raw picture being made: YU12 or GREY in memory that is reused.
#[derive(Default)]
pub(super) struct RawBuffer {
    samples: Vec<u8>,
    width: u32,
    height: u32,
    grey: bool,
}

impl RawBuffer {
    pub(super) fn reset(&mut self, width: u32, height: u32, grey: bool) {
        (self.width, self.height, self.grey) = (width, height, grey);
        self.samples.resize(self.format().picture_len(self.stride(), height) as usize, 0);
    }

    const fn format(&self) -> RawFormat {
        if self.grey { RawFormat::Grey } else { RawFormat::Yu12 }
    }

    /// Even, so that half of it holds the chroma of an odd width.
    const fn stride(&self) -> u32 {
        self.width.next_multiple_of(2)
    }

    /// Samples, stride, width and height of a plane; `None` for the chroma of a grey picture.
    pub(super) fn plane_mut(&mut self, index: usize) -> Option<(&mut [u8], usize, usize, usize)> {
        let (stride, width, height) = (self.stride() as usize, self.width as usize, self.height as usize);
        let (half_stride, half_height) = (stride / 2, height.div_ceil(2));
        let (luma, chroma) = self.samples.split_at_mut_checked(stride * height)?;
        match index {
            0 => Some((luma, stride, width, height)),
            _ if self.grey => None,
            _ => {
                let start = (index - 1) * half_stride * half_height;
                let plane = chroma.get_mut(start..start + half_stride * half_height)?;
                Some((plane, half_stride, width.div_ceil(2), half_height))
            }
        }
    }

    pub(super) fn picture(&self) -> RawPicture<'_> {
        RawPicture {
            samples: &self.samples,
            format: self.format(),
            width: self.width,
            height: self.height,
            stride: self.stride(),
            colour: Colour::JFIF,
        }
    }
}
