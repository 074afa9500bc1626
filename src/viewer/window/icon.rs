//! The window's icon: a lens.

use eframe::egui::IconData;

const SIDE: u32 = 64;

/// Drawn here, so that no picture file has to be installed.
pub(super) fn icon() -> IconData {
    let middle = SIDE as f32 / 2.0 - 0.5;
    let mut rgba = Vec::with_capacity((SIDE * SIDE * 4) as usize);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (dx, dy) = (x as f32 - middle, y as f32 - middle);
            let glint = (dx + 7.0).hypot(dy + 7.0) < 5.0;
            rgba.extend_from_slice(&match dx.hypot(dy) {
                _ if glint => [235, 245, 255, 255],
                r if r < 14.0 => [30, 110, 150, 255],
                r if r < 20.0 => [15, 50, 80, 255],
                r if r < 28.0 => [220, 225, 230, 255],
                r if r < 31.0 => [60, 70, 80, 255],
                _ => [0; 4],
            });
        }
    }
    IconData { rgba, width: SIDE, height: SIDE }
}
