//! `--area FILE`: the part of the picture to send, set upright, as JSON.
//!
//! The selected quadrilateral of the camera's picture is what a person clicked on: a screen, a board, a
//! page, seen at a slant. It is drawn onto the visible rectangle, whose extent is the size of what is
//! sent.

use std::path::Path;

use serde::Deserialize;

use super::settings_file::{SettingsError, SettingsFile, Step};
use crate::area::{Area, AreaError, Corners, ORDER, Rect};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    selected_rect: Vec<Vec<f64>>,
    visible_rect: Vec<Vec<f64>>,
}

const EXAMPLE: &str = r#"{"selected_rect": [[147,130],[435,133],[428,304],[177,320]], "visible_rect": [[0,0],[640,0],[640,360],[0,360]]}"#;

/// Reads a file with the keys `selected_rect` and `visible_rect`, four corners `[x, y]` each.
///
/// # Errors
///
/// [`SettingsError`] with file, line, column and the mend.
pub fn read(path: &Path) -> Result<Area, SettingsError> {
    from_file(&SettingsFile::read(path)?)
}

/// The same from a text that came otherwise.
///
/// # Errors
///
/// [`SettingsError`] with line, column and the mend.
pub fn parse(text: &str) -> Result<Area, SettingsError> {
    from_file(&SettingsFile::from_text(Path::new("area"), text))
}

fn from_file(file: &SettingsFile) -> Result<Area, SettingsError> {
    let raw: Raw = file.parse(EXAMPLE)?;
    let selected = corners(file, Rect::Selected.name(), &raw.selected_rect)?;
    let visible = corners(file, Rect::Visible.name(), &raw.visible_rect)?;
    Area::new(selected, visible).map_err(|why| point_at(file, &why))
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
        *corner = [x, y];
    }
    Ok(corners)
}

/// The error at the place in the file that it speaks of.
fn point_at(file: &SettingsFile, why: &AreaError) -> SettingsError {
    let (rect, corner, axis) = why.place();
    let mut steps = vec![Step::Key(rect.name())];
    steps.extend(corner.into_iter().chain(axis).map(Step::Element));
    file.error(&steps, why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Area, String> {
        let file = SettingsFile::from_text(Path::new("area.json"), text);
        from_file(&file).map_err(|error| error.to_string())
    }

    const RECT: &str = "[[0,0],[640,0],[640,360],[0,360]]";

    /// A file with each rectangle on a line of its own, from column 19 and 18 on.
    fn file(selected: &str, visible: &str) -> String {
        format!("{{\"selected_rect\": {selected},\n\"visible_rect\": {visible}}}")
    }

    #[track_caller]
    fn refused(cases: &[(&str, &str, &str)]) {
        for (selected, visible, expected) in cases {
            let message = read(&file(selected, visible)).unwrap_err();
            assert!(message.starts_with(expected), "{selected} {visible}: {message}");
        }
    }

    #[test]
    fn areas_are_read() {
        let area = read(EXAMPLE).unwrap();
        assert_eq!(*area.selected(), [[147.0, 130.0], [435.0, 133.0], [428.0, 304.0], [177.0, 320.0]]);
        assert_eq!(area.output_size(), (640, 360));
        // The camera hangs upside down: the first corner is the lower right one.
        let turned = file("[[640,360],[0,360],[0,0],[640.5,0]]", "[[10,20],[110,20],[110,70],[10,70]]");
        assert_eq!(read(&turned).unwrap().output_size(), (100, 50));
    }

    #[test]
    fn wrong_quadrilaterals_are_pointed_at() {
        // (selected, visible, message)
        refused(&[
            ("[[0,0],[9,0],[9,9]]", RECT, "area.json:1:19: selected_rect has 3 corners: must be 4"),
            (RECT, "[]", "area.json:2:17: visible_rect has 0 corners: must be 4"),
            ("[[0,0],[9,0],[9,9],[0,9],[7,7]]", RECT, "area.json:1:44: selected_rect has 5 corners"),
            (
                "[[0,0],[9,0,1],[9,9],[0,9]]",
                RECT,
                "area.json:1:26: a corner is [x, y], two numbers, and not 3",
            ),
            (
                "[[0,0],[9,0],[9,-9],[0,9]]",
                RECT,
                "area.json:1:35: -9 in corner 3 of selected_rect lies outside of any",
            ),
            ("[[0,0],[0,9],[9,9],[9,0]]", RECT, "area.json:1:19: selected_rect goes counter-clockwise: list"),
            ("[[0,0],[9,0],[0,9],[9,9]]", RECT, "area.json:1:19: the sides of selected_rect cross"),
            (
                "[[0,0],[9,0],[2,2],[0,9]]",
                RECT,
                "area.json:1:32: selected_rect is dented at corner 3: move it",
            ),
            (
                "[[0,0],[0,9],[2,2],[9,0]]",
                RECT,
                "area.json:1:32: selected_rect is dented at corner 3: move it",
            ),
            (
                "[[0,0],[9,0],[18,0],[0,9]]",
                RECT,
                "area.json:1:26: corner 2 of selected_rect and its neighbours",
            ),
            (
                "[[5,5],[5,5],[5,5],[5,5]]",
                RECT,
                "area.json:1:20: corner 1 of selected_rect and its neighbours",
            ),
        ]);
    }

    #[test]
    fn wrong_rectangles_are_pointed_at() {
        // (selected, visible, message)
        refused(&[
            (RECT, "[[0,0],[640,1],[640,360],[0,360]]", "area.json:2:24: visible_rect must be a rectangle"),
            (
                RECT,
                "[[0,0],[0,360],[640,360],[640,0]]",
                "area.json:2:24: visible_rect is out of order: corner 2 must be [640, 0]",
            ),
            (
                RECT,
                "[[640,0],[640,360],[0,360],[0,0]]",
                "area.json:2:18: visible_rect is out of order: corner 1 must be [0, 0]",
            ),
            (
                RECT,
                "[[0,0],[8,0],[8,360],[0,360]]",
                "area.json:2:24: visible_rect is 8 pixels wide: must be a whole",
            ),
            (RECT, "[[0,0],[640,0],[640,9000],[0,9000]]", "area.json:2:43: visible_rect is 9000 pixels high"),
            (RECT, "[[0,0],[64.5,0],[64.5,64],[0,64]]", "area.json:2:24: visible_rect is 64.5 pixels wide"),
            (RECT, "[[7,7],[7,7],[7,7],[7,7]]", "area.json:2:24: visible_rect is 0 pixels wide"),
        ]);
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
}
