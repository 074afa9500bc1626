//! What the test scene shows: enough to judge a link by eye.
//!
//! Top down: colour bars, ramps of grey, red, green and blue (banding, range), gratings and a bouncing
//! ball (sharpness), a track with a box and a bar that move by the same whole number of pixels each
//! frame (every lost or late frame is seen as judder), and the running time with the frame counter in
//! large digits. Small pictures leave out the middle parts.
//!
//! Everything that stands still is drawn once; a frame redraws the moving parts and the digits that
//! have changed.

use super::canvas::{Canvas, Layout, Ycc};
use super::lettering::{self, CELL_HEIGHT, CELL_WIDTH, Style};
use crate::time::Duration;

/// The scene and the memory that it is drawn into.
#[derive(Debug)]
pub struct Scene {
    canvas: Canvas,
    track: Track,
    ball: Option<Ball>,
    clock: Digits<CLOCK>,
    counter: Digits<COUNTER>,
}

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Zone {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

impl Scene {
    /// The scene at rest, before its first frame. Sizes are even, at least 64x48; `fps` sets the speed
    /// of what moves, `label` stands below the digits where there is room.
    #[must_use]
    pub fn new(layout: Layout, width: u32, height: u32, fps: f64, label: &str) -> Self {
        let mut canvas = Canvas::new(layout, width, height);
        let (width, height) = (canvas.width(), canvas.height());
        let (text, caption) = TextPlan::new(width, height);
        let track_height = even(height / 6).max(8);
        let above = height - text.height - caption - track_height;
        let track = Zone { x: 0, y: above, width, height: track_height };

        let ball = draw_upper(&mut canvas, width, above, fps);
        draw_rulers(&mut canvas, track);
        if caption > 0 {
            let scale = caption / (CELL_HEIGHT + 4);
            let style = Style { scale, ink: 160, ground: None };
            let room = (width / (CELL_WIDTH * scale)).saturating_sub(1);
            let label: &str = label.get(..room).unwrap_or(label);
            let x = (width - lettering::text_width(label.len(), scale).min(width)) / 2;
            lettering::draw(&mut canvas.luma(), x, height - caption + scale, style, label);
        }
        let digits_y = above + track_height;
        Self {
            track: Track::new(track, fps),
            ball,
            clock: Digits::new(text.clock, digits_y, text.scale),
            counter: Digits::new(text.counter, digits_y, text.scale),
            canvas,
        }
    }

    /// Draws what is new in the frame of tick `tick`: things move by ticks, `frame` and `elapsed` are
    /// shown in figures. Both figures wrap: the time at 100 minutes, the counter at ten million.
    pub fn draw(&mut self, tick: u64, frame: u64, elapsed: Duration) {
        self.track.draw(&mut self.canvas, tick);
        if let Some(ball) = &mut self.ball {
            ball.draw(&mut self.canvas, tick);
        }
        self.clock.draw(&mut self.canvas, clock_text(elapsed));
        self.counter.draw(&mut self.canvas, counter_text(frame));
    }

    /// The picture as it was drawn last.
    #[must_use]
    pub fn canvas(&self) -> &Canvas {
        &self.canvas
    }
}

/// Characters of `mm:ss.mmm`.
const CLOCK: usize = 9;
/// Digits of the frame counter.
const COUNTER: usize = 7;

/// Where the digits go.
struct TextPlan {
    scale: usize,
    /// Rows of pixels for the digits.
    height: usize,
    /// Offsets of the first characters from the left and from the top of the digits' rows.
    clock: (usize, usize),
    counter: (usize, usize),
}

impl TextPlan {
    /// The plan, and the rows below it for a caption (0 if there is no room).
    fn new(width: usize, height: usize) -> (Self, usize) {
        let beside = width >= 120;
        let characters = if beside { CLOCK + 2 + COUNTER } else { CLOCK };
        let lines = if beside { 1 } else { 2 };
        let scale = (width * 19 / 20 / (characters * CELL_WIDTH)).min(height / (5 * CELL_HEIGHT)).max(1);
        let line = CELL_HEIGHT * scale;
        let rows = even(lines * line + scale + 1);
        let used = lettering::text_width(characters, scale);
        let left = (width - used.min(width)) / 2;
        let counter = if beside {
            (left + (CLOCK + 2) * CELL_WIDTH * scale, 2 * scale)
        } else {
            (left + CELL_WIDTH * scale, line + scale)
        };
        let clock = (left, if beside { 2 * scale } else { scale });
        let caption = if height >= 160 { even((CELL_HEIGHT + 4) * (scale / 4).max(1)) } else { 0 };
        let rows = if beside { even(rows + scale) } else { rows };
        (Self { scale, height: rows, clock, counter }, caption)
    }
}

/// Draws bars, ramps and gratings into the rows above the track; gives the ball, if it has room.
fn draw_upper(canvas: &mut Canvas, width: usize, height: usize, fps: f64) -> Option<Ball> {
    let detail = if height >= 160 { even(height * 3 / 10) } else { 0 };
    let ramps = if height >= 40 { even(height / 4) / 8 * 8 } else { 0 };
    let bars = height - detail - ramps;
    draw_bars(canvas, Zone { x: 0, y: 0, width, height: bars });
    if ramps > 0 {
        draw_ramps(canvas, Zone { x: 0, y: bars, width, height: ramps });
    }
    if detail == 0 {
        return None;
    }
    let half = even(width / 2);
    draw_gratings(canvas, Zone { x: 0, y: bars + ramps, width: half, height: detail });
    let arena = Zone { x: half, y: bars + ramps, width: width - half, height: detail };
    canvas.fill(arena.x, arena.y, arena.width, arena.height, ARENA);
    Some(Ball::new(arena, fps))
}

fn draw_bars(canvas: &mut Canvas, zone: Zone) {
    const BARS: [[u8; 3]; 8] = [
        [255, 255, 255],
        [255, 255, 0],
        [0, 255, 255],
        [0, 255, 0],
        [255, 0, 255],
        [255, 0, 0],
        [0, 0, 255],
        [0, 0, 0],
    ];
    for (index, [red, green, blue]) in BARS.into_iter().enumerate() {
        let left = even(zone.width * index / BARS.len());
        let right = even(zone.width * (index + 1) / BARS.len());
        canvas.fill(left, zone.y, right - left, zone.height, Ycc::from_rgb(red, green, blue));
    }
}

fn draw_ramps(canvas: &mut Canvas, zone: Zone) {
    let row = zone.height / 4;
    for (index, mask) in [[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]].into_iter().enumerate() {
        for x in (0..zone.width).step_by(2) {
            let level = (x * 255 / (zone.width - 2).max(1)) as u8;
            let [red, green, blue] = mask.map(|on: u8| on * level);
            canvas.fill(x, zone.y + index * row, 2, row, Ycc::from_rgb(red, green, blue));
        }
    }
}

/// Vertical, horizontal and chequered gratings of 1, 2, 3 and 4 pixels: three rows of four.
fn draw_gratings(canvas: &mut Canvas, zone: Zone) {
    let mut luma = canvas.luma();
    let (column, row) = (zone.width / 4, zone.height / 3);
    for y in 0..row * 3 {
        for x in 0..column * 4 {
            let pitch = x / column + 1;
            let (across, down) = ((x % column) / pitch, (y % row) / pitch);
            let light = match y / row {
                0 => across.is_multiple_of(2),
                1 => down.is_multiple_of(2),
                _ => (across + down).is_multiple_of(2),
            };
            let value = if light { 220 } else { 30 };
            luma.fill(zone.x + x, zone.y + y, 1, 1, value);
        }
    }
}

/// Marks above and below the track, by which its movement can be read off.
fn draw_rulers(canvas: &mut Canvas, zone: Zone) {
    canvas.fill(zone.x, zone.y, zone.width, zone.height, TRACK);
    for mark in 0..=16 {
        let x = even(zone.width * mark / 16).min(zone.width - 2);
        canvas.fill(x, zone.y, 2, 2, Ycc::grey(200));
        canvas.fill(x, zone.y + zone.height - 2, 2, 2, Ycc::grey(200));
    }
}

/// The box and the bar.
#[derive(Debug)]
struct Track {
    /// Between the rulers.
    zone: Zone,
    /// Side of the box.
    side: usize,
    /// Pixels per tick, of both.
    step: u64,
    drawn: Option<(usize, usize)>,
}

/// Columns of the bar.
const BAR: usize = 4;
const TRACK: Ycc = Ycc::grey(40);
const ARENA: Ycc = Ycc::grey(24);

impl Track {
    fn new(zone: Zone, fps: f64) -> Self {
        let zone = Zone { y: zone.y + 2, height: zone.height - 4, ..zone };
        let side = even(zone.height.min(zone.width / 3));
        Self { zone, side, step: speed(zone.width, 4.0, fps), drawn: None }
    }

    fn draw(&mut self, canvas: &mut Canvas, tick: u64) {
        let Zone { y, width, height, .. } = self.zone;
        if let Some((square, bar)) = self.drawn {
            canvas.fill(square, y, self.side, height, TRACK);
            canvas.fill(bar, y, BAR, height, TRACK);
        }
        let square = bounce(tick, self.step, width - self.side);
        let bar = width - BAR - wrap(tick, self.step, width - BAR + 2);
        canvas.fill(bar, y, BAR, height, Ycc::grey(255));
        canvas.fill(square, y, self.side, height, Ycc::from_rgb(255, 140, 0));
        self.drawn = Some((square, bar));
    }
}

/// The ball in its arena.
#[derive(Debug)]
struct Ball {
    arena: Zone,
    /// Half the width of each pair of rows, from the top.
    spans: Vec<usize>,
    across: u64,
    down: u64,
    drawn: Option<(usize, usize)>,
}

impl Ball {
    fn new(arena: Zone, fps: f64) -> Self {
        let diameter = even((arena.height / 3).min(arena.width / 3)).max(4);
        let radius = diameter as f64 / 2.0;
        let spans = (0..diameter / 2)
            .map(|pair| {
                let off = radius - (2 * pair + 1) as f64;
                even((radius * radius - off * off).max(0.0).sqrt().round() as usize)
            })
            .collect();
        let (across, down) = (speed(arena.width, 3.0, fps), speed(arena.height, 1.5, fps));
        Self { arena, spans, across, down, drawn: None }
    }

    fn draw(&mut self, canvas: &mut Canvas, tick: u64) {
        let diameter = self.spans.len() * 2;
        if let Some((x, y)) = self.drawn {
            canvas.fill(x, y, diameter, diameter, ARENA);
        }
        let x = self.arena.x + bounce(tick, self.across, self.arena.width - diameter);
        let y = self.arena.y + bounce(tick, self.down, self.arena.height - diameter);
        let colour = Ycc::from_rgb(60, 200, 255);
        for (pair, half) in self.spans.iter().enumerate() {
            canvas.fill(x + diameter / 2 - half, y + 2 * pair, 2 * half, 2, colour);
        }
        self.drawn = Some((x, y));
    }
}

/// A text of `N` characters of which only the changed ones are drawn.
#[derive(Debug)]
struct Digits<const N: usize> {
    x: usize,
    y: usize,
    scale: usize,
    drawn: [u8; N],
}

impl<const N: usize> Digits<N> {
    fn new(offset: (usize, usize), y: usize, scale: usize) -> Self {
        Self { x: offset.0, y: y + offset.1, scale, drawn: [b' '; N] }
    }

    fn draw(&mut self, canvas: &mut Canvas, text: [u8; N]) {
        let style = Style { scale: self.scale, ink: 255, ground: Some(0) };
        let mut luma = canvas.luma();
        for (index, (&new, old)) in text.iter().zip(&mut self.drawn).enumerate() {
            if new != *old {
                *old = new;
                let x = self.x + index * CELL_WIDTH * self.scale;
                lettering::draw_glyph(&mut luma, x, self.y, style, char::from(new));
            }
        }
    }
}

fn clock_text(elapsed: Duration) -> [u8; CLOCK] {
    let millis = elapsed.as_millis() as u64;
    let mut text = *b"00:00.000";
    decimals(&mut text[0..2], millis / 60_000);
    decimals(&mut text[3..5], millis / 1000 % 60);
    decimals(&mut text[6..9], millis % 1000);
    text
}

fn counter_text(frame: u64) -> [u8; COUNTER] {
    let mut text = [b'0'; COUNTER];
    decimals(&mut text, frame);
    text
}

/// Writes the last digits of `value`.
fn decimals(into: &mut [u8], value: u64) {
    let mut rest = value;
    for digit in into.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

/// Whole, even pixels per tick that cross `distance` in about `seconds`.
fn speed(distance: usize, seconds: f64, fps: f64) -> u64 {
    even((distance as f64 / (seconds * fps)).round() as usize).max(2) as u64
}

/// Goes to `room` and back in steps of `step`.
fn bounce(tick: u64, step: u64, room: usize) -> usize {
    let room = (room as u64 / step).max(1);
    let there = tick % (2 * room);
    (there.min(2 * room - there) * step) as usize
}

/// Goes to just below `room` in steps of `step` and starts again.
fn wrap(tick: u64, step: u64, room: usize) -> usize {
    let turns = (room as u64 / step).max(1);
    (tick % turns * step) as usize
}

const fn even(value: usize) -> usize {
    value & !1
}

#[cfg(test)]
#[path = "scene_tests.rs"]
mod tests;
