//! A small picture that says why there is none: NO SIGNAL and the reason.

use core::fmt::{self, Display, Write as _};

use super::lettering::{CELL_HEIGHT, CELL_WIDTH, Luma, Style, draw, text_width};
use crate::picture::{Colour, RawFormat, RawPicture};
use crate::time::Duration;

const WIDTH: usize = 640;
const HEIGHT: usize = 360;

const BACKGROUND: u8 = 24;
const BAR: u8 = 64;
const BRIGHT: u8 = 235;
const DIM: u8 = 150;

const TITLE: &str = "NO SIGNAL";
const TITLE_SCALE: usize = 9;
const REASON_SCALE: usize = 3;
const SMALL_SCALE: usize = 2;
const MARGIN: usize = 24;
/// Characters of the reason in one line.
const COLUMNS: usize = (WIDTH - 2 * MARGIN) / (CELL_WIDTH * REASON_SCALE);
const REASON_LINES: usize = 3;

/// Draws notices into memory that it keeps.
#[derive(Debug)]
pub struct Notice {
    samples: Vec<u8>,
    text: String,
}

impl Default for Notice {
    fn default() -> Self {
        Self::new()
    }
}

impl Notice {
    /// An empty picture.
    #[must_use]
    pub fn new() -> Self {
        Self { samples: vec![BACKGROUND; WIDTH * HEIGHT], text: String::with_capacity(256) }
    }

    /// Bytes of a notice.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Always false: a notice has its size from the start.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// A picture that says that `what` gives no signal, why, and since when.
    ///
    /// 640x360, full-range grey; a long reason is broken into lines, and cut after the third. The time is
    /// shown in whole seconds, so that a viewer sees that the program lives.
    pub fn draw(&mut self, reason: &dyn Display, what: &dyn Display, since: Duration) -> RawPicture<'_> {
        self.samples.fill(BACKGROUND);
        let mut luma =
            Luma { samples: &mut self.samples, width: WIDTH, height: HEIGHT, stride: WIDTH, step: 1 };
        luma.fill(0, 60, WIDTH, TITLE_SCALE * CELL_HEIGHT + 20, BAR);
        centred(&mut luma, 80, TITLE_SCALE, BRIGHT, TITLE);

        set(&mut self.text, format_args!("{reason}"));
        let mut y = 200;
        for line in Lines(&self.text).take(REASON_LINES) {
            centred(&mut luma, y, REASON_SCALE, BRIGHT, line);
            y += (CELL_HEIGHT + 2) * REASON_SCALE;
        }
        set(&mut self.text, format_args!("{what}, for {} s", since.as_secs()));
        let fits = (WIDTH - 2 * MARGIN) / (CELL_WIDTH * SMALL_SCALE);
        let cut = self.text.char_indices().nth(fits).map_or(self.text.len(), |(at, _)| at);
        centred(&mut luma, HEIGHT - MARGIN - CELL_HEIGHT * SMALL_SCALE, SMALL_SCALE, DIM, &self.text[..cut]);

        RawPicture {
            samples: &self.samples,
            format: RawFormat::Grey,
            width: WIDTH as u32,
            height: HEIGHT as u32,
            stride: WIDTH as u32,
            colour: Colour::JFIF,
        }
    }
}

fn set(text: &mut String, arguments: fmt::Arguments<'_>) {
    text.clear();
    // Writing to a String does not fail; a broken Display only shortens the text.
    let _ = text.write_fmt(arguments);
}

fn centred(luma: &mut Luma<'_>, y: usize, scale: usize, ink: u8, text: &str) {
    let width = text_width(text.chars().count(), scale);
    draw(luma, WIDTH.saturating_sub(width) / 2, y, Style { scale, ink, ground: None }, text);
}

/// Breaks a text at blanks into lines of at most [`COLUMNS`] characters; longer words are cut apart.
struct Lines<'a>(&'a str);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start();
        if text.is_empty() {
            return None;
        }
        let Some((end, _)) = text.char_indices().nth(COLUMNS) else {
            self.0 = "";
            return Some(text.trim_end());
        };
        // A blank right behind the line ends it too.
        let next = text[end..].chars().next().map_or(end, |character| end + character.len_utf8());
        let at = text[..next].rfind(' ').filter(|at| *at > 0).unwrap_or(end);
        self.0 = &text[at..];
        Some(text[..at].trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks_and_keep_every_word() {
        let lines = |text| Lines(text).collect::<Vec<_>>();
        assert_eq!(COLUMNS, 32);
        assert_eq!(lines("camera unplugged"), ["camera unplugged"]);
        assert_eq!(
            lines("device busy: another program uses the camera"),
            ["device busy: another program", "uses the camera"]
        );
        assert_eq!(
            lines("exactly thirty-two characters ok more"),
            ["exactly thirty-two characters ok", "more"]
        );
        let word = "x".repeat(40);
        assert_eq!(lines(&word), [&word[..32], &word[..8]]);
        assert_eq!(lines("  "), [""; 0]);
        let accented = "é ".repeat(20);
        assert_eq!(lines(&accented).concat().matches('é').count(), 20);
    }

    #[test]
    fn the_words_and_the_seconds_are_in_the_picture() {
        let mut notice = Notice::new();
        let inked = |picture: &RawPicture<'_>, rows: core::ops::Range<usize>| {
            picture.samples[rows.start * WIDTH..rows.end * WIDTH].iter().filter(|s| **s > 100).count()
        };
        let picture = notice.draw(&"camera unplugged", &"/dev/video0", Duration::from_secs(3));
        assert_eq!((picture.width, picture.height, picture.stride), (640, 360, 640));
        assert_eq!(picture.samples.len() as u64, RawFormat::Grey.picture_len(640, 360));
        assert!(inked(&picture, 80..150) > 5000, "title");
        assert!(inked(&picture, 200..230) > 500, "reason");
        assert!(inked(&picture, 300..340) > 300, "device");
        let before = picture.samples.to_vec();
        let after = notice.draw(&"camera unplugged", &"/dev/video0", Duration::from_secs(4));
        assert_ne!(before, after.samples, "the seconds move");
        let long = notice.draw(&"a long reason ".repeat(40), &"/dev/".repeat(60), Duration::MAX);
        assert_eq!(long.samples.len(), WIDTH * HEIGHT);
    }
}
