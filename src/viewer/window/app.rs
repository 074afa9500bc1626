//! What the window does each time it is drawn.

use super::pictures::Picture;
use super::{Event, Shared, View, overlay};
use eframe::egui::{self, Color32, Key, Rect, TextureHandle, TextureOptions, Vec2, ViewportCommand};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// The window's own state; all of it belongs to the window's thread.
pub(super) struct App {
    shared: Arc<Shared>,
    events: Box<dyn Fn(Event)>,
    picture: Option<Shown>,
    notice: Option<(String, f64)>,
    figures: bool,
    full_screen: bool,
}

/// The picture on the screen.
struct Shown {
    texture: TextureHandle,
    /// The frame's size in pixels.
    size: Vec2,
    /// When it came, in seconds of the window's clock.
    since: f64,
}

impl App {
    pub(super) fn new(shared: Arc<Shared>, events: Box<dyn Fn(Event)>) -> Self {
        Self { shared, events, picture: None, notice: None, figures: false, full_screen: false }
    }

    fn keys(&mut self, context: &egui::Context) {
        let pressed = |keys: &[Key]| context.input(|input| keys.iter().any(|key| input.key_pressed(*key)));
        let escape = pressed(&[Key::Escape]);
        if pressed(&[Key::Q]) || (escape && !self.full_screen) {
            context.send_viewport_cmd(ViewportCommand::Close);
        }
        if pressed(&[Key::F, Key::F11]) || (escape && self.full_screen) {
            self.switch_full_screen(context);
        }
        if pressed(&[Key::I, Key::Tab]) {
            self.figures = !self.figures;
            self.shared.figures_shown.store(self.figures, Ordering::Relaxed);
        }
        if pressed(&[Key::S]) {
            (self.events)(Event::Snapshot);
        }
    }

    fn switch_full_screen(&mut self, context: &egui::Context) {
        self.full_screen = !self.full_screen;
        context.send_viewport_cmd(ViewportCommand::Fullscreen(self.full_screen));
    }

    /// Takes the newest picture to the graphics card.
    fn upload(&mut self, context: &egui::Context) {
        let Some(Picture { image, size }) = self.shared.pictures.take() else { return };
        let since = context.input(|input| input.time);
        match &mut self.picture {
            Some(shown) => {
                shown.texture.set(image, TextureOptions::LINEAR);
                shown.size = size;
                shown.since = since;
            }
            None => {
                let texture = context.load_texture("picture", image, TextureOptions::LINEAR);
                self.picture = Some(Shown { texture, size, since });
                fit_window(context, size);
            }
        }
    }

    /// Draws the picture; returns its age in whole seconds if it is old.
    fn draw_picture(&self, ui: &egui::Ui) -> Option<u64> {
        let shown = self.picture.as_ref()?;
        let age = ui.input(|input| input.time) - shown.since;
        let old = age >= OLD;
        let tint = if old { Color32::from_gray(90) } else { Color32::WHITE };
        let whole = Rect::from_min_max(egui::pos2(0.0, 0.0), egui::pos2(1.0, 1.0));
        ui.painter().image(shown.texture.id(), fitted(shown.size, ui.max_rect()), whole, tint);
        // Drawn again when the text changes, not before.
        let next = if old { 1.0 - age.fract() } else { OLD - age };
        ui.request_repaint_after(Duration::from_secs_f64(next.max(0.01)));
        old.then_some(age as u64)
    }

    fn draw_notice(&mut self, ui: &egui::Ui) {
        let now = ui.input(|input| input.time);
        if let Some(text) = self.shared.notice.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.notice = Some((text, now + NOTICE));
        }
        match &self.notice {
            Some((text, until)) if now < *until => {
                overlay::notice(ui, text);
                ui.request_repaint_after(Duration::from_secs_f64((until - now).max(0.01)));
            }
            _ => self.notice = None,
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, context: &egui::Context, _: &mut eframe::Frame) {
        if self.shared.closing.load(Ordering::Acquire) {
            context.send_viewport_cmd(ViewportCommand::Close);
        }
        self.keys(context);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        self.shared.pictures.limit_side(ui.input(|input| input.max_texture_side));
        self.upload(ui);
        let everything = ui.max_rect();
        ui.painter().rect_filled(everything, 0.0, Color32::BLACK);
        let clicks = ui.interact(everything, ui.scope_id().with("picture"), egui::Sense::click());
        if clicks.double_clicked() {
            self.switch_full_screen(&ui.ctx().clone());
        }
        if self.full_screen {
            ui.set_cursor_icon(egui::CursorIcon::None);
        }
        let age = self.draw_picture(ui);
        let View { trouble, rows } = self.shared.view.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if self.picture.is_none() || age.is_some() {
            overlay::trouble(ui, age, trouble.as_deref());
        }
        if self.figures {
            overlay::figures(ui, &rows);
        }
        self.draw_notice(ui);
    }

    fn clear_color(&self, _: &egui::Visuals) -> [f32; 4] {
        [0.0, 0.0, 0.0, 1.0]
    }

    fn on_exit(&mut self, _: Option<&eframe::glow::Context>) {
        (self.events)(Event::Closed);
    }
}

/// The largest rectangle of `size`'s shape in the middle of `room`.
fn fitted(size: Vec2, room: Rect) -> Rect {
    let scale = (room.width() / size.x).min(room.height() / size.y);
    Rect::from_center_size(room.center(), size * scale)
}

/// Makes the window as large as the picture, pixel for pixel, or as large as the screen allows.
fn fit_window(context: &egui::Context, size: Vec2) {
    let (monitor, scale) = context.input(|input| (input.viewport().monitor_size, input.pixels_per_point()));
    let room = monitor.unwrap_or(Vec2::new(1280.0, 720.0)) * 0.9;
    let wanted = size / scale;
    let shrink = (room.x / wanted.x).min(room.y / wanted.y).min(1.0);
    context.send_viewport_cmd(ViewportCommand::InnerSize(wanted * shrink));
}

/// Seconds without a new picture after which the last one counts as old.
const OLD: f64 = 2.0;
/// Seconds for which a notice is shown.
const NOTICE: f64 = 3.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_keeps_its_shape() {
        let room = Rect::from_min_size(egui::pos2(10.0, 0.0), Vec2::new(800.0, 600.0));
        // (picture, where it is drawn: left, top, width, height)
        let cases = [
            ((400.0, 300.0), (10.0, 0.0, 800.0, 600.0)),
            ((1600.0, 900.0), (10.0, 75.0, 800.0, 450.0)),
            ((300.0, 600.0), (260.0, 0.0, 300.0, 600.0)),
        ];
        for ((width, height), (left, top, drawn_width, drawn_height)) in cases {
            let rect = fitted(Vec2::new(width, height), room);
            let expected = Rect::from_min_size(egui::pos2(left, top), Vec2::new(drawn_width, drawn_height));
            assert!(
                rect.min.distance(expected.min) < 1e-3 && rect.max.distance(expected.max) < 1e-3,
                "{rect}"
            );
        }
    }
}
