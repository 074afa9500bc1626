//! A part of the picture, and the upright rectangle that it becomes.
//!
//! Coordinates are those of edges, not of pixels: the picture spans 0..width and 0..height, and the
//! centre of its first pixel is at (0.5, 0.5). So "the whole picture" has the corners (0, 0), (width,
//! 0), (width, height), (0, height), and maps onto a rectangle of that size without any change.

use core::fmt;
use core::ops::RangeInclusive;

/// Four corners as x and y in pixels from the upper left, y downwards, clockwise.
pub type Corners = [[f64; 2]; 4];

/// An area that can be rectified in any picture that has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    selected: Corners,
    size: (u32, u32),
}

impl Area {
    /// Pixels that a side of the visible rectangle may have.
    pub const SIDES: RangeInclusive<u32> = 16..=8192;

    /// Checks what does not depend on the size of the picture.
    ///
    /// `selected` is the quadrilateral to look at: convex, clockwise, coordinates 0..=65,535. Its first corner
    /// becomes the upper left one, so that other orders turn the picture. `visible` is what it becomes: a
    /// rectangle parallel to the picture's edges, from its upper left corner on, whose extent is the size of
    /// the output. Where it lies does not matter.
    ///
    /// # Errors
    ///
    /// [`AreaError`], which names what is wrong, where and how it should be.
    pub fn new(selected: Corners, visible: Corners) -> Result<Self, AreaError> {
        check_coordinates(Rect::Selected, &selected)?;
        check_coordinates(Rect::Visible, &visible)?;
        check_selected(&selected)?;
        Ok(Self { selected, size: size_of(&visible)? })
    }

    /// The quadrilateral to look at.
    #[must_use]
    pub const fn selected(&self) -> &Corners {
        &self.selected
    }

    /// Columns and rows of what comes out, each within [`Self::SIDES`].
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
        let outside = |[x, y]: &[f64; 2]| *x > f64::from(width) || *y > f64::from(height);
        match self.selected.iter().position(outside) {
            Some(corner) => Err(AreaError::Outside { corner, at: self.selected[corner], width, height }),
            None => Ok(()),
        }
    }
}

fn check_coordinates(rect: Rect, corners: &Corners) -> Result<(), AreaError> {
    for (corner, point) in corners.iter().enumerate() {
        if let Some(axis) = point.iter().position(|value| !(0.0..=65_535.0).contains(value)) {
            return Err(AreaError::Coordinate { rect, corner, axis, value: point[axis] });
        }
    }
    Ok(())
}

/// Twice the area of the triangle at each corner: positive where the outline turns right, which is
/// clockwise where y points down.
fn turns(corners: &Corners) -> [f64; 4] {
    core::array::from_fn(|number| {
        let [ax, ay] = corners[(number + 3) % 4];
        let [bx, by] = corners[number];
        let [cx, cy] = corners[(number + 1) % 4];
        (bx - ax) * (cy - by) - (by - ay) * (cx - bx)
    })
}

fn check_selected(corners: &Corners) -> Result<(), AreaError> {
    let turns = turns(corners);
    // Less than a pixel is no area that anything can be seen in.
    if let Some(corner) = turns.iter().position(|turn| turn.abs() < 1.0) {
        return Err(AreaError::Flat { corner });
    }
    let left = turns.iter().filter(|&&turn| turn < 0.0).count();
    match left {
        0 => Ok(()),
        4 => Err(AreaError::CounterClockwise),
        2 => Err(AreaError::Crossing),
        _ => {
            let odd = turns.iter().position(|&turn| (turn < 0.0) == (left == 1));
            Err(AreaError::Dented { corner: odd.unwrap_or(0) })
        }
    }
}

/// The extent of the visible rectangle.
fn size_of(corners: &Corners) -> Result<(u32, u32), AreaError> {
    let [x0, x1] = extent(corners, 0);
    let [y0, y1] = extent(corners, 1);
    let expected = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
    if let Some(corner) = corners.iter().position(|corner| !expected.contains(corner)) {
        return Err(AreaError::NotARectangle { corner });
    }
    if let Some(corner) = (0..4).find(|&number| corners[number] != expected[number]) {
        return Err(AreaError::Order { corner, expected: expected[corner] });
    }
    let side = |extent: f64| {
        let pixels = extent as u32;
        (extent.fract() == 0.0 && Area::SIDES.contains(&pixels)).then_some(pixels)
    };
    let width = side(x1 - x0).ok_or(AreaError::Width(x1 - x0))?;
    let height = side(y1 - y0).ok_or(AreaError::Height(y1 - y0))?;
    Ok((width, height))
}

/// Smallest and largest coordinate on an axis.
fn extent(corners: &Corners, axis: usize) -> [f64; 2] {
    corners.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], corner| {
        [low.min(corner[axis]), high.max(corner[axis])]
    })
}

/// One of the two outlines of an [`Area`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rect {
    /// The quadrilateral to look at.
    Selected,
    /// What it becomes.
    Visible,
}

impl Rect {
    /// The name that it has in files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Selected => "selected_rect",
            Self::Visible => "visible_rect",
        }
    }
}

/// What is wrong with an [`Area`]. Corners are numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum AreaError {
    /// A coordinate that no picture has.
    Coordinate {
        /// Of which outline.
        rect: Rect,
        /// Of which corner.
        corner: usize,
        /// 0 for x, 1 for y.
        axis: usize,
        /// What it is.
        value: f64,
    },
    /// A selected corner that is none.
    Flat {
        /// Which one.
        corner: usize,
    },
    /// The selected corners run the wrong way round.
    CounterClockwise,
    /// Two sides of the selected quadrilateral cross.
    Crossing,
    /// A selected corner that points inwards.
    Dented {
        /// Which one.
        corner: usize,
    },
    /// A selected corner is outside of the picture.
    Outside {
        /// Which one.
        corner: usize,
        /// Its column and row.
        at: [f64; 2],
        /// Columns of the picture.
        width: u32,
        /// Rows of the picture.
        height: u32,
    },
    /// The visible corners are not those of an upright rectangle.
    NotARectangle {
        /// The first one that is not.
        corner: usize,
    },
    /// The visible corners are those of an upright rectangle in another order.
    Order {
        /// The first one that is not in its place.
        corner: usize,
        /// Which one belongs there.
        expected: [f64; 2],
    },
    /// The visible rectangle is too narrow, too wide or of a part of a pixel.
    Width(f64),
    /// The visible rectangle is too low, too high or of a part of a pixel.
    Height(f64),
}

impl AreaError {
    /// Where it is wrong: in which outline, at which corner, on which axis, as far as that can be said.
    #[must_use]
    pub const fn place(&self) -> (Rect, Option<usize>, Option<usize>) {
        match *self {
            Self::Coordinate { rect, corner, axis, .. } => (rect, Some(corner), Some(axis)),
            Self::CounterClockwise | Self::Crossing => (Rect::Selected, None, None),
            Self::Flat { corner } | Self::Dented { corner } | Self::Outside { corner, .. } => {
                (Rect::Selected, Some(corner), None)
            }
            Self::NotARectangle { corner } | Self::Order { corner, .. } => {
                (Rect::Visible, Some(corner), None)
            }
            // The corners that are that far from the first.
            Self::Width(_) => (Rect::Visible, Some(1), None),
            Self::Height(_) => (Rect::Visible, Some(3), None),
        }
    }
}

/// How corners are to be listed, for messages.
pub const ORDER: &str = "list the corners clockwise from the upper left one";

impl fmt::Display for AreaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rect, corner, _) = self.place();
        let rect = rect.name();
        let nth = corner.map_or(0, |corner| corner + 1);
        let (least, most) = Area::SIDES.into_inner();
        match self {
            Self::Coordinate { value, .. } => write!(
                f,
                "{value} in corner {nth} of {rect} lies outside of any picture: must be 0 to 65535 pixels"
            ),
            Self::Flat { .. } => {
                write!(f, "corner {nth} of {rect} and its neighbours lie on one line: move it outwards")
            }
            Self::CounterClockwise => write!(f, "{rect} goes counter-clockwise: {ORDER}"),
            Self::Crossing => write!(f, "the sides of {rect} cross: {ORDER}"),
            Self::Dented { .. } => {
                write!(f, "{rect} is dented at corner {nth}: move it outwards, the outline must be convex")
            }
            Self::Outside { at: [x, y], width, height, .. } => {
                write!(f, "corner {nth} of {rect} ({x}, {y}) is outside of the picture of {width}x{height}")
            }
            Self::NotARectangle { .. } => write!(
                f,
                "{rect} must be a rectangle parallel to the picture's edges, \
                 such as [[0,0],[640,0],[640,360],[0,360]]; corner {nth} is not one of it"
            ),
            Self::Order { expected: [x, y], .. } => {
                write!(f, "{rect} is out of order: corner {nth} must be [{x}, {y}]; {ORDER}")
            }
            Self::Width(side) => {
                write!(f, "{rect} is {side} pixels wide: must be a whole number, {least} to {most}")
            }
            Self::Height(side) => {
                write!(f, "{rect} is {side} pixels high: must be a whole number, {least} to {most}")
            }
        }
    }
}

impl core::error::Error for AreaError {}

#[cfg(test)]
#[path = "area_tests.rs"]
mod tests;
