//! Words over the picture.

use eframe::egui::{self, Align2, Color32, FontId, Pos2, Rect, Vec2};

/// Why there is no picture or no new one, in the middle of the window.
pub(super) fn trouble(ui: &egui::Ui, age: Option<u64>, reason: Option<&str>) {
    let mut text = age.map_or_else(String::new, |age| format!("no new frame for {age} s"));
    if let Some(reason) = reason {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(reason);
    }
    if text.is_empty() {
        text.push_str("waiting for the first frame …");
    }
    let room = ui.max_rect();
    let font = FontId::proportional((room.height() / 24.0).clamp(14.0, 28.0));
    let galley = ui.painter().layout(text, font, Color32::WHITE, room.width() * 0.9);
    let place = Rect::from_center_size(room.center(), galley.size());
    plate(ui, place);
    ui.painter().galley(place.min, galley, Color32::WHITE);
    if age.is_none() {
        let keys = "q  quit     f  full screen     s  snapshot     i  figures";
        let below = Pos2::new(room.center().x, room.max.y - 12.0);
        let grey = Color32::from_gray(130);
        ui.painter().text(below, Align2::CENTER_BOTTOM, keys, FontId::proportional(13.0), grey);
    }
}

/// The figures, in the upper left corner.
pub(super) fn figures(ui: &egui::Ui, rows: &[(&'static str, String)]) {
    let widest = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = rows.iter().map(|(name, value)| format!("{name:widest$}  {value}")).collect();
    let text = if lines.is_empty() { "no figures yet".to_owned() } else { lines.join("\n") };
    let room = ui.max_rect();
    let galley =
        ui.painter().layout(text, FontId::monospace(13.0), Color32::WHITE, room.width() - 2.0 * MARGIN);
    let place = Rect::from_min_size(room.min + Vec2::splat(MARGIN), galley.size());
    plate(ui, place);
    ui.painter().galley(place.min, galley, Color32::WHITE);
}

/// A short message, in the lower left corner.
pub(super) fn notice(ui: &egui::Ui, text: &str) {
    let room = ui.max_rect();
    let font = FontId::proportional(15.0);
    let galley = ui.painter().layout(text.to_owned(), font, Color32::WHITE, room.width() - 2.0 * MARGIN);
    let corner = Pos2::new(room.min.x + MARGIN, room.max.y - MARGIN - galley.size().y);
    let place = Rect::from_min_size(corner, galley.size());
    plate(ui, place);
    ui.painter().galley(place.min, galley, Color32::WHITE);
}

/// A dark plate under words, so that they can be read on any picture.
fn plate(ui: &egui::Ui, words: Rect) {
    ui.painter().rect_filled(words.expand(8.0), 6.0, Color32::from_black_alpha(170));
}

const MARGIN: f32 = 16.0;
