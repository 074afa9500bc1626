//! Finds the JPEG images in a stream of bytes that arrives in pieces.
//!
//! The marker walk stops where the bytes end and goes on there when more have come, so each byte is
//! looked at once, however small the pieces are. Segments are skipped by their length: a thumbnail with
//! an EOI of its own does not end the image around it. After bytes that make no sense the search for an
//! SOI goes on behind the last marker that was believed, so that a broken image cannot take whole ones
//! with it.
//!
//! Only boundaries are found here; whether an image is a good one is for [`crate::jpeg::walk`] to say.

use core::ops::Range;

/// The bytes that have come and are still needed, and how far they have been looked at.
///
/// Write into [`Splitter::space`], say how much by [`Splitter::advance`], take what was found from
/// [`Splitter::find`] until it gives `None`. An image stays in the buffer for as long as it is held.
#[derive(Debug)]
pub struct Splitter {
    buffer: Vec<u8>,
    /// How many bytes of the stream lay before the buffer's first byte.
    base: u64,
    /// Where the image begins that is being looked at.
    start: usize,
    /// What was looked at; beyond `end` while a segment is skipped.
    at: usize,
    /// Bytes in the buffer.
    end: usize,
    state: State,
    held: Option<Range<usize>>,
    limit: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Looking for an SOI.
    Seek,
    /// A marker comes next; `believed` is where the last one was.
    Marker { believed: usize },
    /// Inside entropy-coded data.
    Entropy,
}

/// What [`Splitter::find`] has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// From SOI to EOI.
    Image {
        /// Offset in the stream.
        offset: u64,
        /// Where it lies, for [`Splitter::bytes`] and [`Splitter::hold`]; valid until the next call of
        /// [`Splitter::space`].
        place: Range<usize>,
    },
    /// An image that was given up.
    Broken {
        /// Offset of its SOI in the stream.
        offset: u64,
        /// What was wrong.
        fault: Fault,
    },
}

/// Why an image was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Another image begins before its EOI.
    Truncated,
    /// Something else where a marker must be.
    Malformed,
    /// Longer than the limit.
    Oversized,
}

/// Room in bytes that [`Splitter::space`] gives at least.
pub const READ_AT_LEAST: usize = 64 * 1024;
/// Memory claimed at the start.
const FIRST_CAPACITY: usize = 1024 * 1024;

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;

impl Splitter {
    /// Looks for images of at most `limit` bytes. Memory grows with the images that come, to twice the
    /// limit at most.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            buffer: vec![0; FIRST_CAPACITY.min(2 * limit + READ_AT_LEAST)],
            base: 0,
            start: 0,
            at: 0,
            end: 0,
            state: State::Seek,
            held: None,
            limit,
        }
    }

    /// Where the next bytes of the stream are to be written.
    pub fn space(&mut self) -> &mut [u8] {
        if self.buffer.len() - self.end < READ_AT_LEAST {
            self.compact();
        }
        if self.buffer.len() - self.end < READ_AT_LEAST {
            let wanted = (self.buffer.len() * 2).min(2 * self.limit + 2 * READ_AT_LEAST);
            self.buffer.resize(wanted.max(self.end + READ_AT_LEAST), 0);
        }
        &mut self.buffer[self.end..]
    }

    /// Says that `count` bytes were written into the space.
    pub fn advance(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// What comes next in the bytes so far; `None` when more are needed.
    pub fn find(&mut self) -> Option<Found> {
        loop {
            let step = match self.state {
                State::Seek => self.seek(),
                _ if self.at >= self.start + self.limit => Step::Give(self.too_long()),
                State::Marker { believed } => self.marker(believed),
                State::Entropy => self.entropy(),
            };
            match step {
                Step::Again => {}
                Step::Starved => return None,
                Step::Give(found) => return Some(found),
            }
        }
    }

    /// The bytes of an image just found.
    #[must_use]
    pub fn bytes(&self, place: Range<usize>) -> &[u8] {
        self.buffer.get(place).unwrap_or(&[])
    }

    /// Keeps an image just found until the next call of this or of [`Splitter::let_go`].
    pub fn hold(&mut self, place: Range<usize>) {
        self.held = Some(place);
    }

    /// The image that is held.
    #[must_use]
    pub fn held(&self) -> Option<&[u8]> {
        self.held.clone().map(|place| self.bytes(place))
    }

    /// Holds no image any more.
    pub fn let_go(&mut self) {
        self.held = None;
    }

    /// Whether the bytes so far end inside an image.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        !matches!(self.state, State::Seek)
    }

    /// Moves what is still needed to the front.
    fn compact(&mut self) {
        let keep = self.held.as_ref().map_or(self.start, |held| held.start.min(self.start));
        if keep == 0 {
            return;
        }
        self.buffer.copy_within(keep..self.end, 0);
        self.base += keep as u64;
        self.start -= keep;
        self.at -= keep;
        self.end -= keep;
        if let Some(held) = &mut self.held {
            *held = held.start - keep..held.end - keep;
        }
        if let State::Marker { believed } = &mut self.state {
            *believed -= keep;
        }
    }

    fn seek(&mut self) -> Step {
        while let Some(found) = find_ff(&self.buffer[..self.end], self.at) {
            self.at = found;
            match self.buffer[found..self.end] {
                [_, SOI, 0xff, ..] => {
                    self.start = found;
                    self.at = found + 2;
                    self.state = State::Marker { believed: found };
                    return Step::Again;
                }
                [_] | [_, SOI] => {
                    self.start = found;
                    return Step::Starved;
                }
                _ => self.at += 1,
            }
        }
        self.at = self.end;
        self.start = self.end;
        Step::Starved
    }

    fn marker(&mut self, believed: usize) -> Step {
        let Some(rest) = self.buffer[..self.end].get(self.at..) else { return Step::Starved };
        match *rest {
            [] | [0xff] => Step::Starved,
            [0xff, 0xff, ..] => {
                self.at += 1;
                Step::Again
            }
            [0xff, EOI, ..] => self.image(),
            [0xff, SOI, ..] => self.next_image(),
            [0xff, 0x00 | 0x02..=0xbf | 0xd0..=0xd7, ..] => self.malformed(believed),
            [0xff, 0x01, ..] => {
                self.at += 2;
                Step::Again
            }
            [0xff, _, high, low, ..] if u16::from_be_bytes([high, low]) < 2 => self.malformed(believed),
            [0xff, code, high, low, ..] => {
                let behind = self.at + 2 + usize::from(u16::from_be_bytes([high, low]));
                self.state = if code == SOS && behind < self.start + self.limit {
                    State::Entropy
                } else {
                    State::Marker { believed: self.at }
                };
                self.at = behind;
                Step::Again
            }
            [0xff, ..] => Step::Starved,
            _ => self.malformed(believed),
        }
    }

    fn entropy(&mut self) -> Step {
        let window = self.end.min(self.start + self.limit);
        while let Some(found) = find_ff(&self.buffer[..window], self.at) {
            self.at = found;
            match self.buffer[found..self.end] {
                [_] => return Step::Starved,
                [_, 0x00 | 0xd0..=0xd7, ..] => self.at += 2,
                [_, 0xff, ..] => self.at += 1,
                _ => {
                    self.state = State::Marker { believed: found };
                    return Step::Again;
                }
            }
        }
        self.at = self.at.max(window);
        if window < self.end { Step::Again } else { Step::Starved }
    }

    fn image(&mut self) -> Step {
        let place = self.start..self.at + 2;
        if place.len() > self.limit {
            return Step::Give(self.too_long());
        }
        let offset = self.base + self.start as u64;
        self.search_from(place.end);
        Step::Give(Found::Image { offset, place })
    }

    /// An SOI where the image goes on: the image is over, and another one begins.
    fn next_image(&mut self) -> Step {
        // Two SOIs in a row are one image that begins with a stray SOI.
        let nothing_lost = self.at == self.start + 2;
        let broken = self.broken(Fault::Truncated);
        self.search_from(self.at);
        if nothing_lost { Step::Again } else { Step::Give(broken) }
    }

    fn malformed(&mut self, believed: usize) -> Step {
        let broken = self.broken(Fault::Malformed);
        self.search_from(believed + 2);
        Step::Give(broken)
    }

    fn too_long(&mut self) -> Found {
        let broken = self.broken(Fault::Oversized);
        // A wrong length of a segment may be what makes it so long: then look inside.
        self.search_from(match self.state {
            State::Marker { believed } => believed + 2,
            State::Seek | State::Entropy => self.at,
        });
        broken
    }

    fn broken(&self, fault: Fault) -> Found {
        Found::Broken { offset: self.base + self.start as u64, fault }
    }

    fn search_from(&mut self, at: usize) {
        self.at = at;
        self.start = at;
        self.state = State::Seek;
    }
}

enum Step {
    Again,
    Starved,
    Give(Found),
}

/// The first 0xFF at or after `from`.
fn find_ff(bytes: &[u8], from: usize) -> Option<usize> {
    const BLOCK: usize = 32;
    let rest = bytes.get(from..)?;
    // Whole blocks first: this becomes vector code.
    let clean = rest
        .chunks_exact(BLOCK)
        .take_while(|block| block.iter().fold(0, |any, &byte| any | u8::from(byte == 0xff)) == 0)
        .count()
        * BLOCK;
    rest[clean..].iter().position(|&byte| byte == 0xff).map(|found| from + clean + found)
}

#[cfg(test)]
#[path = "splitter_tests.rs"]
mod tests;
