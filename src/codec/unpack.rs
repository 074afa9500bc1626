//! Raw pictures to planes.
//!
//! One primitive does all the unpacking: bytes at even and at odd places go different ways. On pairs of bytes
//! compilers make vector code of it for every target, baseline x86-64 included, where a loop over the four
//! bytes of `Y0 U Y1 V` stays scalar.

use super::colour::{self, Conversion};
use super::planes::{PlanarPicture, Plane};
use super::{CodecError, check_size};
use crate::picture::{RawFormat, RawPicture};

/// Luma samples for each chroma sample, across and down, that a format is unpacked to; `None` for luma only.
pub(super) const fn chroma_of(format: RawFormat) -> Option<(u8, u8)> {
    match format {
        RawFormat::Yuyv | RawFormat::Uyvy | RawFormat::Rgb24 => Some((2, 1)),
        RawFormat::Nv12 | RawFormat::Yu12 => Some((2, 2)),
        RawFormat::Grey => None,
    }
}

/// Checks that the numbers of a picture fit together.
pub(super) fn check(picture: &RawPicture<'_>) -> Result<(), CodecError> {
    let RawPicture { width, height, stride, .. } = *picture;
    check_size(width, height)?;
    let least = picture.format.min_stride(width);
    if stride < least {
        return Err(CodecError::Stride { stride, least });
    }
    let least = picture.format.picture_len(stride, height);
    if (picture.samples.len() as u64) < least {
        return Err(CodecError::Short { len: picture.samples.len(), least });
    }
    Ok(())
}

/// Unpacks `count` rows from row `first` on (even for 4:2:0), fewer where the picture ends.
///
/// The picture was checked. Lines are padded with their last sample to the end of their room, which is
/// enough for whole blocks.
pub(super) fn unpack(picture: &RawPicture<'_>, first: usize, count: usize, into: &mut PlanarPicture) {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let rows = count.min(height - first);
    let PlanarPicture { planes: [y, cb, cr], scratch, .. } = into;
    y.reset(width, rows, 0, count + 1);
    let Some((across, down)) = chroma_of(picture.format) else {
        cb.reset(0, 0, 0, 0);
        cr.reset(0, 0, 0, 0);
        let conversion = Conversion::of(picture.colour);
        for row in 0..rows {
            y.line_mut(row)[..width].copy_from_slice(&Source(picture).line(first + row)[..width]);
            conversion.expand_luma(&mut y.line_mut(row)[..width]);
            y.pad_line(row);
        }
        return;
    };
    let (across, down) = (usize::from(across), usize::from(down));
    for plane in [&mut *cb, &mut *cr] {
        plane.reset(width.div_ceil(across), rows.div_ceil(down), 0, count / down + 1);
    }
    scratch.resize(2 * cb.stride(), 0);
    for chroma_row in 0..rows.div_ceil(down) {
        let luma_rows = chroma_row * down..((chroma_row + 1) * down).min(rows);
        let mut target = Target { y, cb, cr, scratch, luma_rows, chroma_row };
        Source(picture).unpack(first, &mut target);
        target.convert(picture);
        target.pad();
    }
}

impl PlanarPicture {
    /// Takes the samples of a raw picture over, converted to what JFIF means.
    ///
    /// # Errors
    ///
    /// [`CodecError::Size`], [`CodecError::Stride`] or [`CodecError::Short`] if the numbers of the picture
    /// contradict each other.
    pub fn load(&mut self, picture: &RawPicture<'_>) -> Result<(), CodecError> {
        check(picture)?;
        unpack(picture, 0, picture.height as usize, self);
        self.pad_for_interpolation();
        self.damaged = false;
        Ok(())
    }
}

/// One row of chroma and the one or two rows of luma that share it.
struct Target<'a> {
    y: &'a mut Plane,
    cb: &'a mut Plane,
    cr: &'a mut Plane,
    scratch: &'a mut [u8],
    luma_rows: core::ops::Range<usize>,
    chroma_row: usize,
}

impl Target<'_> {
    fn chroma(&mut self) -> (&mut [u8], &mut [u8]) {
        let width = self.cb.width();
        (&mut self.cb.line_mut(self.chroma_row)[..width], &mut self.cr.line_mut(self.chroma_row)[..width])
    }

    fn convert(&mut self, picture: &RawPicture<'_>) {
        let conversion = Conversion::of(picture.colour);
        if picture.format == RawFormat::Rgb24 || conversion.is_identity() {
            return;
        }
        let (cb, cr) = self.chroma();
        conversion.expand_chroma(cb);
        conversion.expand_chroma(cr);
        let width = self.y.width();
        for row in self.luma_rows.clone() {
            let luma = &mut self.y.line_mut(row)[..width];
            conversion.expand_luma(luma);
            conversion.turn_luma(luma, self.cb.row(self.chroma_row), self.cr.row(self.chroma_row));
        }
        let (cb, cr) = self.chroma();
        conversion.turn_chroma(cb, cr);
    }

    fn pad(&mut self) {
        for row in self.luma_rows.clone() {
            self.y.pad_line(row);
        }
        self.cb.pad_line(self.chroma_row);
        self.cr.pad_line(self.chroma_row);
    }
}

struct Source<'a, 'p>(&'a RawPicture<'p>);

impl<'p> Source<'_, 'p> {
    fn line(&self, row: usize) -> &'p [u8] {
        let stride = self.0.stride as usize;
        &self.0.samples[row * stride..][..stride]
    }

    fn unpack(&self, first: usize, target: &mut Target<'_>) {
        let width = self.0.width as usize;
        let pairs = width.next_multiple_of(2);
        match self.0.format {
            RawFormat::Yuyv | RawFormat::Uyvy => {
                let line = &self.line(first + target.chroma_row)[..2 * pairs];
                let luma = &mut target.y.line_mut(target.chroma_row)[..pairs];
                let chroma = &mut target.scratch[..pairs];
                if self.0.format == RawFormat::Yuyv {
                    split(line, luma, chroma);
                } else {
                    split(line, chroma, luma);
                }
                let width = pairs / 2;
                let cb = &mut target.cb.line_mut(target.chroma_row)[..width];
                split(chroma, cb, &mut target.cr.line_mut(target.chroma_row)[..width]);
            }
            RawFormat::Nv12 | RawFormat::Yu12 => {
                for row in target.luma_rows.clone() {
                    target.y.line_mut(row)[..width].copy_from_slice(&self.line(first + row)[..width]);
                }
                self.unpack_chroma_planes(first / 2 + target.chroma_row, target);
            }
            RawFormat::Rgb24 => {
                let line = &self.line(first + target.chroma_row)[..3 * width];
                let (cb, cr) = (target.cb.line_mut(target.chroma_row), target.cr.line_mut(target.chroma_row));
                colour::rgb_line(line, target.y.line_mut(target.chroma_row), cb, cr);
            }
            RawFormat::Grey => {}
        }
    }

    fn unpack_chroma_planes(&self, row: usize, target: &mut Target<'_>) {
        let (stride, height) = (self.0.stride as usize, self.0.height as usize);
        let (samples, width) = (&self.0.samples[stride * height..], target.cb.width());
        let (cb, cr) = target.chroma();
        if self.0.format == RawFormat::Nv12 {
            // A stride of exactly an odd width leaves the last Cr of a line outside of it.
            let line = &samples[row * stride..][..(2 * width).min(stride)];
            split(line, cb, cr);
            if line.len() < 2 * width {
                cb[width - 1] = line[line.len() - 1];
                cr[width - 1] = if width > 1 { cr[width - 2] } else { 128 };
            }
            return;
        }
        let (stride, rows) = (stride / 2, height.div_ceil(2));
        // Likewise, half of an odd stride may be one sample short.
        let there = width.min(stride);
        for (plane, line) in [cb, cr].into_iter().enumerate() {
            let from = &samples[(plane * rows + row) * stride..][..there];
            line[..there].copy_from_slice(from);
            line[there..].fill(from.last().copied().unwrap_or(128));
        }
    }
}

/// Sends bytes at even places one way, those at odd places the other; the shorter side ends it.
fn split(pairs: &[u8], even: &mut [u8], odd: &mut [u8]) {
    let (pairs, _) = pairs.as_chunks::<2>();
    for ((pair, even), odd) in pairs.iter().zip(even).zip(odd) {
        let pair = u16::from_le_bytes(*pair);
        *even = pair as u8;
        *odd = (pair >> 8) as u8;
    }
}
