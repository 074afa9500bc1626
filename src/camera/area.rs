//! `--area FILE`: the part of the picture to send, set upright, as JSON.
//!
//! The selected quadrilateral of the camera's picture is what a person clicked on: a screen, a board, a
//! page, seen at a slant. It is drawn onto the visible rectangle, whose extent is the size of what is
//! sent.

use std::path::Path;

use serde::Deserialize;

use super::settings_file::{SettingsError, SettingsFile, Step};

/// Four corners as x and y in pixels from the upper left, clockwise.
pub type Corners = [[f64; 2]; 4];

/// An area that can be rectified.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AreaConfig {
    /// In the camera's picture: convex, clockwise, coordinates 0..=65,535. The first corner becomes the
    /// upper left one, so that other orders turn the picture.
    pub selected: Corners,
    /// In the picture sent: a rectangle parallel to its edges, from its upper left corner on, its sides
    /// whole numbers of pixels, [`SHORTEST_SIDE`]..=[`LONGEST_SIDE`].
    pub visible: Corners,
}

/// Fewest pixels of a side of the visible rectangle.
pub const SHORTEST_SIDE: f64 = 16.0;
/// Most pixels of a side of the visible rectangle.
pub const LONGEST_SIDE: f64 = 8192.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    selected_rect: Vec<Vec<f64>>,
    visible_rect: Vec<Vec<f64>>,
}

const SELECTED: &str = "selected_rect";
const VISIBLE: &str = "visible_rect";
const EXAMPLE: &str = r#"{"selected_rect": [[147,130],[435,133],[428,304],[177,320]], "visible_rect": [[0,0],[640,0],[640,360],[0,360]]}"#;
const ORDER: &str = "list the corners clockwise from the upper left one";

impl AreaConfig {
    /// Reads a file with the keys `selected_rect` and `visible_rect`, four corners `[x, y]` each.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] with file, line, column and the mend.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        Self::from_file(&SettingsFile::read(path)?)
    }

    fn from_file(file: &SettingsFile) -> Result<Self, SettingsError> {
        let raw: Raw = file.parse(EXAMPLE)?;
        let selected = corners(file, SELECTED, &raw.selected_rect)?;
        let visible = corners(file, VISIBLE, &raw.visible_rect)?;
        check_selected(file, &selected)?;
        check_visible(file, &visible)?;
        Ok(Self { selected, visible })
    }

    /// Columns and rows of the picture sent.
    #[must_use]
    pub fn output_size(&self) -> (u32, u32) {
        let [[left, top], _, [right, bottom], _] = self.visible;
        ((right - left) as u32, (bottom - top) as u32)
    }
}

fn corners(file: &SettingsFile, key: &str, given: &[Vec<f64>]) -> Result<Corners, SettingsError> {
    let rect = Step::Key(key);
    if given.len() != 4 {
        let problem = format!("{key} has {} corners: must be 4; {ORDER}", given.len());
        return Err(file.error(&[rect, Step::Element(4)], problem));
    }
    let mut corners = Corners::default();
    for (number, (corner, values)) in corners.iter_mut().zip(given).enumerate() {
        let [x, y] = values[..] else {
            let problem = format!("a corner is [x, y], two numbers, and not {}", values.len());
            return Err(file.error(&[rect, Step::Element(number)], problem));
        };
        for (axis, value) in [x, y].into_iter().enumerate() {
            if !(0.0..=65_535.0).contains(&value) {
                let problem = format!("{value} lies outside of any picture: must be 0 to 65535 pixels");
                return Err(file.error(&[rect, Step::Element(number), Step::Element(axis)], problem));
            }
        }
        *corner = [x, y];
    }
    Ok(corners)
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

fn check_selected(file: &SettingsFile, corners: &Corners) -> Result<(), SettingsError> {
    let turns = turns(corners);
    let rect = Step::Key(SELECTED);
    let at = |number, problem: &str| Err(file.error(&[rect, Step::Element(number)], problem.to_owned()));
    // Less than a pixel is no area that anything can be seen in.
    if let Some(flat) = turns.iter().position(|turn| turn.abs() < 1.0) {
        return at(flat, "this corner and its neighbours lie on one line: move it outwards");
    }
    let left = turns.iter().filter(|&&turn| turn < 0.0).count();
    match left {
        0 => Ok(()),
        4 => Err(file.error(&[rect], format!("{SELECTED} goes counter-clockwise: {ORDER}"))),
        2 => Err(file.error(&[rect], format!("the sides of {SELECTED} cross: {ORDER}"))),
        _ => {
            let odd = turns.iter().position(|&turn| (turn < 0.0) == (left == 1)).unwrap_or(0);
            at(odd, "the outline is dented at this corner: move it outwards, it must be convex")
        }
    }
}

fn check_visible(file: &SettingsFile, corners: &Corners) -> Result<(), SettingsError> {
    let rect = Step::Key(VISIBLE);
    let [x0, x1] = extent(corners, 0);
    let [y0, y1] = extent(corners, 1);
    let expected = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
    if *corners != expected {
        if let Some(odd) = corners.iter().position(|corner| !expected.contains(corner)) {
            let problem = format!(
                "{VISIBLE} must be a rectangle parallel to the picture's edges, \
                 such as [[0,0],[640,0],[640,360],[0,360]]; this corner is not one of it"
            );
            return Err(file.error(&[rect, Step::Element(odd)], problem));
        }
        let odd = (0..4).find(|&number| corners[number] != expected[number]).unwrap_or(0);
        let [x, y] = expected[odd];
        let problem = format!("{VISIBLE} is out of order: here must be [{x}, {y}]; {ORDER}");
        return Err(file.error(&[rect, Step::Element(odd)], problem));
    }
    for (what, side, corner) in [("wide", x1 - x0, 1), ("high", y1 - y0, 3)] {
        if side.fract() != 0.0 || !(SHORTEST_SIDE..=LONGEST_SIDE).contains(&side) {
            let problem = format!(
                "{VISIBLE} is {side} pixels {what}: must be a whole number, {SHORTEST_SIDE} to {LONGEST_SIDE}"
            );
            return Err(file.error(&[rect, Step::Element(corner)], problem));
        }
    }
    Ok(())
}

/// Smallest and largest coordinate on an axis.
fn extent(corners: &Corners, axis: usize) -> [f64; 2] {
    corners.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], corner| {
        [low.min(corner[axis]), high.max(corner[axis])]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<AreaConfig, String> {
        let file = SettingsFile::from_text(Path::new("area.json"), text);
        AreaConfig::from_file(&file).map_err(|error| error.to_string())
    }

    const RECT: &str = "[[0,0],[640,0],[640,360],[0,360]]";

    /// A file with each rectangle on a line of its own, from column 19 and 18 on.
    fn file(selected: &str, visible: &str) -> String {
        format!("{{\"selected_rect\": {selected},\n\"visible_rect\": {visible}}}")
    }

    #[test]
    fn areas_are_read() {
        let area = read(EXAMPLE).unwrap();
        assert_eq!(area.selected, [[147.0, 130.0], [435.0, 133.0], [428.0, 304.0], [177.0, 320.0]]);
        assert_eq!(area.output_size(), (640, 360));
        // The camera hangs upside down: the first corner is the lower right one.
        let turned = file("[[640,360],[0,360],[0,0],[640.5,0]]", "[[10,20],[110,20],[110,70],[10,70]]");
        assert_eq!(read(&turned).unwrap().output_size(), (100, 50));
    }

    #[test]
    fn wrong_areas_are_pointed_at() {
        // (selected, visible, message)
        let cases = [
            ("[[0,0],[9,0],[9,9]]", RECT, "area.json:1:19: selected_rect has 3 corners: must be 4"),
            (RECT, "[]", "area.json:2:17: visible_rect has 0 corners: must be 4"),
            ("[[0,0],[9,0],[9,9],[0,9],[7,7]]", RECT, "area.json:1:44: selected_rect has 5 corners"),
            (
                "[[0,0],[9,0,1],[9,9],[0,9]]",
                RECT,
                "area.json:1:26: a corner is [x, y], two numbers, and not 3",
            ),
            ("[[0,0],[9,0],[9,-9],[0,9]]", RECT, "area.json:1:35: -9 lies outside of any picture"),
            ("[[0,0],[0,9],[9,9],[9,0]]", RECT, "area.json:1:19: selected_rect goes counter-clockwise: list"),
            ("[[0,0],[9,0],[0,9],[9,9]]", RECT, "area.json:1:19: the sides of selected_rect cross"),
            ("[[0,0],[9,0],[2,2],[0,9]]", RECT, "area.json:1:32: the outline is dented at this corner"),
            ("[[0,0],[0,9],[2,2],[9,0]]", RECT, "area.json:1:32: the outline is dented at this corner"),
            ("[[0,0],[9,0],[18,0],[0,9]]", RECT, "area.json:1:26: this corner and its neighbours lie on one"),
            ("[[5,5],[5,5],[5,5],[5,5]]", RECT, "area.json:1:20: this corner and its neighbours"),
            (RECT, "[[0,0],[640,1],[640,360],[0,360]]", "area.json:2:24: visible_rect must be a rectangle"),
            (
                RECT,
                "[[0,0],[0,360],[640,360],[640,0]]",
                "area.json:2:24: visible_rect is out of order: here must be [640, 0]",
            ),
            (
                RECT,
                "[[640,0],[640,360],[0,360],[0,0]]",
                "area.json:2:18: visible_rect is out of order: here must be [0, 0]",
            ),
            (
                RECT,
                "[[0,0],[8,0],[8,360],[0,360]]",
                "area.json:2:24: visible_rect is 8 pixels wide: must be a whole",
            ),
            (RECT, "[[0,0],[640,0],[640,9000],[0,9000]]", "area.json:2:43: visible_rect is 9000 pixels high"),
            (RECT, "[[0,0],[64.5,0],[64.5,64],[0,64]]", "area.json:2:24: visible_rect is 64.5 pixels wide"),
            (RECT, "[[7,7],[7,7],[7,7],[7,7]]", "area.json:2:24: visible_rect is 0 pixels wide"),
        ];
        for (selected, visible, expected) in cases {
            let message = read(&file(selected, visible)).unwrap_err();
            assert!(message.starts_with(expected), "{selected} {visible}: {message}");
        }
    }

    #[test]
    fn wrong_files_are_pointed_at() {
        // (text, message)
        let cases = [
            ("{}", "area.json:1:2: missing field `selected_rect`; such a file is {\"selected_rect\": [["),
            ("{\"selected_rect\": 7}", "area.json:1:19: invalid type: integer `7`, expected a sequence"),
            ("{\n\"selected\": []}", "area.json:2:10: unknown field `selected`, expected `selected_rect` or"),
            ("{\"selected_rect\": [[1e999,0]]}", "area.json:1:"),
        ];
        for (text, expected) in cases {
            let message = read(text).unwrap_err();
            assert!(message.starts_with(expected), "{text}: {message}");
        }
    }

    proptest! {
        /// Points on a circle, in order, are convex, wherever they begin; turned round, they are refused.
        #[test]
        fn clockwise_corners_are_taken_and_others_refused(
            gaps in proptest::array::uniform4(0.3f64..1.0),
            first in 0.0f64..6.0,
            radius in 20.0f64..400.0,
        ) {
            let whole: f64 = gaps.iter().sum();
            let mut angle = first;
            let mut corners = gaps.map(|gap| {
                angle += gap / whole * core::f64::consts::TAU;
                [500.0 + radius * angle.cos(), 500.0 + radius * angle.sin()]
            });
            let read_corners = |corners: &Corners| {
                let list = format!("{corners:?}");
                read(&file(&list, RECT))
            };
            prop_assert!(read_corners(&corners).is_ok());
            corners.reverse();
            let message = read_corners(&corners).unwrap_err();
            prop_assert!(message.contains("counter-clockwise"), "{}", message);
        }
    }
}
