//! Where the frames of a file lie, found once when it is opened.

use core::fmt;
use std::io::{self, Read};

use super::source::{Drops, LONGEST_FRAME};
use super::splitter::{Fault, Found, Splitter};

/// Where one frame lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Offset of its first byte.
    pub offset: u64,
    /// Its length in bytes, at most [`LONGEST_FRAME`].
    pub len: u32,
}

/// The frames of a file, in order, and those that are known to be of no use.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FrameIndex {
    /// Where they lie; not yet known to be good images.
    pub frames: Vec<Entry>,
    /// What was left out.
    pub drops: Drops,
    /// Frames per second, if the file says so.
    pub fps: Option<f64>,
    /// Where reading stopped before the end, because what is there makes no sense.
    pub stopped_at: Option<u64>,
}

/// Most frames that are played of one file: 38 hours at 30 per second, 64 MiB of index.
pub const MOST_FRAMES: usize = 1 << 22;

impl FrameIndex {
    /// Adds a frame; `false` if there are already [`MOST_FRAMES`].
    pub(super) fn push(&mut self, offset: u64, len: usize) -> bool {
        if self.frames.len() >= MOST_FRAMES {
            self.stopped_at = Some(offset);
            return false;
        }
        match u32::try_from(len) {
            Ok(0) => self.drops.empty += 1,
            Ok(small) if len <= LONGEST_FRAME => self.frames.push(Entry { offset, len: small }),
            _ => self.drops.oversized += 1,
        }
        true
    }

    /// Bytes of the largest frame, 0 if there is none.
    #[must_use]
    pub fn largest(&self) -> usize {
        self.frames.iter().map(|entry| entry.len as usize).max().unwrap_or(0)
    }
}

impl fmt::Display for FrameIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} frames", self.frames.len())?;
        let Drops { truncated, malformed, oversized, empty, .. } = self.drops;
        for (count, what) in
            [(truncated, "truncated"), (malformed, "malformed"), (oversized, "too large"), (empty, "empty")]
        {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        match self.stopped_at {
            Some(offset) => write!(f, ", not read beyond byte {offset}"),
            None => Ok(()),
        }
    }
}

/// Finds the JPEG images in a file that is nothing but images, one after the other.
///
/// Reads all of it, in pieces; `progress` is told how far it got, once per GiB.
///
/// # Errors
///
/// What reading it gives.
pub fn index_images(input: &mut dyn Read, mut progress: impl FnMut(u64)) -> io::Result<FrameIndex> {
    const PROGRESS_EVERY: u64 = 1 << 30;
    let mut index = FrameIndex::default();
    let mut splitter = Splitter::new(LONGEST_FRAME);
    let mut read = 0u64;
    loop {
        let count = match input.read(splitter.space()) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if count == 0 {
            index.drops.truncated += u64::from(splitter.is_inside());
            return Ok(index);
        }
        splitter.advance(count);
        while let Some(found) = splitter.find() {
            match found {
                Found::Image { offset, place } => {
                    if !index.push(offset, place.len()) {
                        return Ok(index);
                    }
                }
                Found::Broken { fault: Fault::Truncated, .. } => index.drops.truncated += 1,
                Found::Broken { fault: Fault::Malformed, .. } => index.drops.malformed += 1,
                Found::Broken { fault: Fault::Oversized, .. } => index.drops.oversized += 1,
            }
        }
        let before = read / PROGRESS_EVERY;
        read += count as u64;
        if read / PROGRESS_EVERY > before {
            progress(read);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jpeg::testing::image;

    #[test]
    fn images_are_found_with_their_offsets() {
        let (one, two) = (image(true), image(false));
        let stream = [&one[..], b"some text", &two, &one[..one.len() - 5]].concat();
        let index = index_images(&mut &stream[..], |_| ()).unwrap();
        let expected = [
            Entry { offset: 0, len: one.len() as u32 },
            Entry { offset: one.len() as u64 + 9, len: two.len() as u32 },
        ];
        assert_eq!(index.frames, expected);
        assert_eq!(index.drops, Drops { truncated: 1, ..Drops::default() });
        assert_eq!(index.largest(), one.len());
        assert_eq!(index.to_string(), "2 frames, 1 truncated");
    }

    #[test]
    fn frames_of_no_use_are_not_taken() {
        let mut index = FrameIndex::default();
        assert!(index.push(0, 0));
        assert!(index.push(0, LONGEST_FRAME));
        assert!(index.push(0, LONGEST_FRAME + 1));
        assert!(index.push(0, usize::MAX));
        assert_eq!(index.frames.len(), 1);
        assert_eq!(index.drops, Drops { empty: 1, oversized: 2, ..Drops::default() });
    }
}
