//! A quadrilateral of the picture, made a rectangle: perspective correction.
//!
//! Coordinates are those of edges, not of pixels: the picture spans 0..width and 0..height, and the
//! centre of its first pixel is at (0.5, 0.5). So "the whole picture" has the corners (0, 0), (width,
//! 0), (width, height), (0, height), and maps onto a rectangle of that size without any change.

use core::fmt;

use super::planes::{PlanarPicture, Plane, RawBuffer};
use super::{CodecError, check_size};
use crate::picture::RawPicture;

/// What part of the picture to show, and as what.
///
/// Corners run clockwise from top left, `[x, y]` each, y downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    selected: [[f64; 2]; 4],
    size: (u32, u32),
}

impl Area {
    /// Checks what does not depend on the size of the picture.
    ///
    /// `selected` is the quadrilateral to look at; `visible` the upright rectangle that it becomes,
    /// whose extent, rounded, is the size of the output. Where the rectangle lies does not matter.
    ///
    /// # Errors
    ///
    /// [`AreaError`], which names what is wrong and how it should be.
    pub fn new(selected: [[f64; 2]; 4], visible: [[f64; 2]; 4]) -> Result<Self, AreaError> {
        if selected.as_flattened().iter().chain(visible.as_flattened()).any(|value| !value.is_finite()) {
            return Err(AreaError::NotFinite);
        }
        Self::check_selected(&selected)?;
        let [[left, top], [right, _], [_, bottom], _] = visible;
        let corners = [[left, top], [right, top], [right, bottom], [left, bottom]];
        let off = corners.as_flattened().iter().zip(visible.as_flattened()).map(|(a, b)| (a - b).abs());
        if off.fold(0.0, f64::max) > 0.01 {
            return Err(AreaError::NotARectangle);
        }
        let (width, height) = ((right - left).round(), (bottom - top).round());
        if width < 1.0 || height < 1.0 || check_size(width as u32, height as u32).is_err() {
            return Err(AreaError::VisibleSize { width, height });
        }
        Ok(Self { selected, size: (width as u32, height as u32) })
    }

    fn check_selected(corners: &[[f64; 2]; 4]) -> Result<(), AreaError> {
        let turn = |i: usize| {
            let ([ax, ay], [bx, by], [cx, cy]) = (corners[i], corners[(i + 1) % 4], corners[(i + 2) % 4]);
            (bx - ax) * (cy - by) - (by - ay) * (cx - bx)
        };
        let turns = [turn(0), turn(1), turn(2), turn(3)];
        let area = (turn(0) + turn(2)) / 2.0;
        if area.abs() < 1.0 {
            return Err(AreaError::NoArea);
        }
        if turns.iter().all(|&turn| turn < 0.0) {
            return Err(AreaError::CounterClockwise);
        }
        if turns.iter().any(|&turn| turn <= 1e-9) {
            return Err(AreaError::NotConvex);
        }
        Ok(())
    }

    /// Columns and rows of what comes out.
    #[must_use]
    pub const fn output_size(&self) -> (u32, u32) {
        self.size
    }

    /// Checks that a picture has everything that is selected.
    ///
    /// # Errors
    ///
    /// [`AreaError::Outside`].
    pub fn check_inside(&self, (width, height): (u32, u32)) -> Result<(), AreaError> {
        for (index, [x, y]) in self.selected.into_iter().enumerate() {
            if x < 0.0 || y < 0.0 || x > f64::from(width) || y > f64::from(height) {
                return Err(AreaError::Outside { corner: index + 1, x, y, width, height });
            }
        }
        Ok(())
    }
}

/// What is wrong with an [`Area`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum AreaError {
    /// A coordinate is infinite or not a number.
    NotFinite,
    /// The selected quadrilateral covers less than half a pixel, or its sides cross.
    NoArea,
    /// The corners run the wrong way round.
    CounterClockwise,
    /// A corner of the selected quadrilateral points inwards, or is none.
    NotConvex,
    /// A selected corner is outside of the picture.
    Outside {
        /// Which one, 1..=4.
        corner: usize,
        /// Its column.
        x: f64,
        /// Its row.
        y: f64,
        /// Columns of the picture.
        width: u32,
        /// Rows of the picture.
        height: u32,
    },
    /// The visible corners are not those of an upright rectangle.
    NotARectangle,
    /// The visible rectangle is too small or too large.
    VisibleSize {
        /// Its columns.
        width: f64,
        /// Its rows.
        height: f64,
    },
}

impl fmt::Display for AreaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite => f.write_str("a coordinate is not a finite number"),
            Self::NoArea => f.write_str(
                "the selected quadrilateral has no area: its corners must differ and its sides not cross",
            ),
            Self::CounterClockwise => {
                f.write_str("the selected corners run counter-clockwise: list them clockwise from top left")
            }
            Self::NotConvex => f.write_str(
                "the selected quadrilateral is not convex: \
                     no corner may point inwards, nor lie on a straight side",
            ),
            Self::Outside { corner, x, y, width, height } => {
                write!(f, "selected corner {corner} ({x}, {y}) is outside of the picture of {width}x{height}")
            }
            Self::NotARectangle => f.write_str(
                "the visible corners are not those of an upright rectangle, clockwise from top left",
            ),
            Self::VisibleSize { width, height } => {
                write!(
                    f,
                    "the visible rectangle is {width}x{height}: it must be at least 1x1, \
                     and no larger than a JPEG image can be"
                )
            }
        }
    }
}

impl core::error::Error for AreaError {}

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
            view: Homography::from_unit_square(&area.selected),
            source,
            size: area.size,
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
