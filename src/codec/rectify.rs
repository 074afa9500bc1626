//! A quadrilateral of the picture, made a rectangle: perspective correction.

use super::CodecError;
use super::planes::{PlanarPicture, Plane, RawBuffer};
use crate::area::{Area, AreaError};
use crate::picture::RawPicture;

/// Shows an [`Area`] of planar pictures of one size. Make one, use it for all frames.
///
/// Where each sample of the output comes from is computed once; a frame costs one look-up and one bilinear
/// interpolation for each sample, and no allocation once warm.
pub struct Rectifier {
    view: Homography,
    source: (u32, u32),
    size: (u32, u32),
    maps: [Map; 2],
    output: RawBuffer,
}

impl Rectifier {
    /// For pictures of `source` columns and rows.
    ///
    /// # Errors
    ///
    /// [`AreaError::Outside`] if such a picture does not have all that is selected.
    pub fn new(area: &Area, source: (u32, u32)) -> Result<Self, AreaError> {
        area.check_inside(source)?;
        Ok(Self {
            view: Homography::from_unit_square(area.selected()),
            source,
            size: area.output_size(),
            maps: [Map::default(), Map::default()],
            output: RawBuffer::default(),
        })
    }

    /// Columns and rows of what comes out.
    #[must_use]
    pub const fn output_size(&self) -> (u32, u32) {
        self.size
    }

    /// Rectifies a picture: YU12, or GREY if it is a grey one, as JFIF means it.
    ///
    /// # Errors
    ///
    /// [`CodecError::Geometry`] if the picture is not of the size that this is for.
    pub fn rectify(&mut self, picture: &PlanarPicture) -> Result<RawPicture<'_>, CodecError> {
        let found = (picture.width() as u32, picture.height() as u32);
        if found != self.source {
            return Err(CodecError::Geometry { expected: self.source, found });
        }
        self.output.reset(self.size.0, self.size.1, picture.is_grey());
        for (index, from) in picture.planes().iter().enumerate() {
            let Some((samples, stride, width, height)) = self.output.plane_mut(index) else { continue };
            let map = &mut self.maps[index.min(1)];
            map.fit(&self.view, self.source, from, (width, height), self.size);
            for (row, line) in samples.chunks_mut(stride).take(height).enumerate() {
                interpolate(&map.entries[row * width..][..width], from, &mut line[..width]);
            }
        }
        Ok(self.output.picture())
    }
}

/// Where each sample of a plane comes from, for one layout of the source.
#[derive(Default)]
struct Map {
    /// Width, rows, stride of the plane that it was made for.
    made_for: (usize, usize, usize),
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    /// Offset of the upper left one of four samples.
    at: u32,
    /// How far to the right and down from it, in 1/256.
    right: u8,
    down: u8,
}

impl Map {
    /// Makes the entries for `size` samples of an output of `whole` pixels, unless they are there already.
    fn fit(
        &mut self,
        view: &Homography,
        source: (u32, u32),
        from: &Plane,
        (width, rows): (usize, usize),
        whole: (u32, u32),
    ) {
        let layout = (from.width(), from.rows(), from.stride());
        if self.made_for == layout && self.entries.len() == width * rows {
            return;
        }
        self.made_for = layout;
        self.entries.clear();
        // Pixels of the whole picture for each sample of this plane: 1 for luma, 1, 2 or 4 for chroma.
        let step = |whole: u32, part: usize| (f64::from(whole) / part as f64).round().max(1.0);
        let (step_x, step_y) = (step(whole.0, width), step(whole.1, rows));
        let (source_x, source_y) = (step(source.0, from.width()), step(source.1, from.rows()));
        let place = |value: f64, count: usize| {
            let fixed = (value * 256.0).round().clamp(0.0, (count - 1) as f64 * 256.0) as u32;
            (fixed >> 8, fixed as u8)
        };
        for row in 0..rows {
            for column in 0..width {
                let u = (column as f64 + 0.5) * step_x / f64::from(whole.0);
                let v = (row as f64 + 0.5) * step_y / f64::from(whole.1);
                let [x, y] = view.apply(u, v);
                let (x, right) = place(x / source_x - 0.5, from.width());
                let (y, down) = place(y / source_y - 0.5, from.rows());
                self.entries.push(Entry { at: y * from.stride() as u32 + x, right, down });
            }
        }
    }
}

/// Bilinear interpolation; the plane has one sample and line of room behind the last.
fn interpolate(entries: &[Entry], from: &Plane, line: &mut [u8]) {
    let (samples, stride) = (from.samples(), from.stride());
    for (entry, out) in entries.iter().zip(line) {
        let at = entry.at as usize;
        let (Some(&[a, b]), Some(&[c, d])) =
            (samples[at..].first_chunk::<2>(), samples[at + stride..].first_chunk::<2>())
        else {
            continue; // never: entries lie within the plane, which has room
        };
        let (right, down) = (u32::from(entry.right), u32::from(entry.down));
        let above = u32::from(a) * (256 - right) + u32::from(b) * right;
        let below = u32::from(c) * (256 - right) + u32::from(d) * right;
        *out = ((above * (256 - down) + below * down + 32_768) >> 16) as u8;
    }
}

/// A perspective map from the unit square to a quadrilateral
/// (P. Heckbert, Fundamentals of Texture Mapping and Image Warping, 1989, section 2.2.3).
#[derive(Debug, Clone, Copy)]
struct Homography([[f64; 3]; 3]);

impl Homography {
    fn from_unit_square(corners: &[[f64; 2]; 4]) -> Self {
        let [[x0, y0], [x1, y1], [x2, y2], [x3, y3]] = *corners;
        let (dx1, dx2, sx) = (x1 - x2, x3 - x2, x0 - x1 + x2 - x3);
        let (dy1, dy2, sy) = (y1 - y2, y3 - y2, y0 - y1 + y2 - y3);
        // Twice the area of a triangle of a convex quadrilateral: not 0.
        let det = dx1 * dy2 - dx2 * dy1;
        let g = (sx * dy2 - dx2 * sy) / det;
        let h = (dx1 * sy - sx * dy1) / det;
        Self([
            [x1 - x0 + g * x1, x3 - x0 + h * x3, x0],
            [y1 - y0 + g * y1, y3 - y0 + h * y3, y0],
            [g, h, 1.0],
        ])
    }

    fn apply(&self, u: f64, v: f64) -> [f64; 2] {
        let [x, y, w] = self.0.map(|[a, b, c]| a * u + b * v + c);
        [x / w, y / w]
    }
}

#[cfg(test)]
#[path = "rectify_tests.rs"]
mod tests;
