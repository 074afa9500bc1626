//! Frames from a file, over and over: JPEG images one after the other, motion JPEG in AVI, or a folder
//! of JPEG files.
//!
//! Where the frames lie is found once, when the file is opened; each frame is then read into one reused
//! buffer. The file is not mapped: to touch a mapping of a file that someone has cut short is a SIGBUS,
//! while a read that comes out short is just a damaged frame.

use core::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::avi::{self, AviError};
use super::folder::{self, Still};
use super::frame_index::{FrameIndex, index_images};
use super::pace::Pace;
use super::source::{Captured, Drops, LONGEST_FRAME, Source, SourceError};
use crate::jpeg::{self, Defect, RestartOffsets, Summary};
use crate::picture::Picture;
use crate::time::{Duration, Instant};

/// Frames that are played in a loop at a steady rate.
///
/// Every good frame is handed over, bit for bit, in order; if the reader is late, the file waits.
/// Damaged frames are dropped and counted, each time that they are met.
#[derive(Debug)]
pub struct FileSource {
    name: String,
    frames: Frames,
    pace: Pace,
    /// Index of the frame to come.
    next: usize,
    /// As long as the largest frame.
    buffer: Vec<u8>,
    restarts: RestartOffsets,
    geometry: (u16, u16),
    drops: Drops,
}

/// Where frames are read from.
#[derive(Debug)]
enum Frames {
    Inside { file: File, index: FrameIndex },
    Stills(Vec<Still>),
}

/// Frames per second if neither the caller nor the file says how many.
pub const USUAL_FPS: f64 = 30.0;

/// Why a file cannot be played.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be opened, listed or read.
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is neither a file nor a folder, or a file of a kind that is not played.
    Kind {
        /// Which file.
        path: PathBuf,
    },
    /// An AVI file that cannot be played.
    Avi {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        error: AviError,
    },
    /// No frame was found.
    Empty {
        /// Which file or folder.
        path: PathBuf,
        /// What was found instead.
        found: String,
    },
    /// Frames were found, and not one is a good image.
    NoGoodFrame {
        /// Which file.
        path: PathBuf,
        /// Where in it the first frame begins.
        offset: u64,
        /// What is wrong with that one.
        defect: Unreadable,
    },
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KINDS: &str = "give a .mjpeg file, motion JPEG in an .avi file, or a folder of .jpg files";
        match self {
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Kind { path } => write!(
                f,
                "{}: not a kind of file that can be played: {KINDS}; \
                 ffmpeg -i IN -c:v mjpeg -q:v 3 OUT.avi makes one",
                path.display()
            ),
            Self::Avi { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Empty { path, found } => {
                write!(f, "{}: no JPEG frame in it ({found}): {KINDS}", path.display())
            }
            Self::NoGoodFrame { path, offset, defect } => write!(
                f,
                "{}: no frame of it is a whole JPEG image; the first, at byte {offset}: {defect}",
                path.display()
            ),
        }
    }
}

impl core::error::Error for FileError {}

/// Why one frame could not be handed over.
#[derive(Debug)]
pub enum Unreadable {
    /// It is not a whole JPEG image.
    Defect(Defect),
    /// It is larger than [`LONGEST_FRAME`].
    Oversized,
    /// Reading it failed.
    Io(io::Error),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defect(defect) => defect.fmt(f),
            Self::Oversized => write!(f, "larger than {LONGEST_FRAME} bytes"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl FileSource {
    /// Opens a file or folder and finds its frames. They are played at `fps` frames per second if it is
    /// given, else at the rate that the AVI file names, else at [`USUAL_FPS`].
    ///
    /// Of concatenated images all bytes are read, which takes a while for very long files.
    ///
    /// # Errors
    ///
    /// [`FileError`] if it cannot be read, is of another kind, or holds no usable frame.
    pub fn open(path: &Path, fps: Option<f64>) -> Result<Self, FileError> {
        let (frames, own_fps) = Frames::open(path)?;
        let mut source = Self {
            name: path.display().to_string(),
            buffer: vec![0; frames.largest()],
            pace: Pace::new(fps.or(own_fps).unwrap_or(USUAL_FPS)),
            next: 0,
            restarts: RestartOffsets::new(),
            geometry: (0, 0),
            drops: frames.drops(),
            frames,
        };
        source.find_good_frame(path)?;
        Ok(source)
    }

    /// Frames per second.
    #[must_use]
    pub fn fps(&self) -> f64 {
        self.pace.fps()
    }

    /// Goes to the first good frame without handing it over.
    fn find_good_frame(&mut self, path: &Path) -> Result<(), FileError> {
        let mut first = None;
        for number in 0..self.frames.len() {
            match self.load(number) {
                Ok(summary) => {
                    self.geometry = (summary.width, summary.height);
                    return Ok(());
                }
                Err(defect) => {
                    first.get_or_insert(defect);
                }
            }
        }
        let (path, offset) = self.frames.place(0, path);
        Err(match first {
            Some(defect) => FileError::NoGoodFrame { path, offset, defect },
            None => FileError::Empty { path, found: self.frames.describe() },
        })
    }

    /// Reads a frame into the buffer and walks over it.
    fn load(&mut self, number: usize) -> Result<Summary, Unreadable> {
        let len = self.frames.read(number, &mut self.buffer)?;
        jpeg::walk(&self.buffer[..len], &mut self.restarts).map_err(Unreadable::Defect)
    }

    fn count(&mut self, unreadable: &Unreadable) {
        match unreadable {
            Unreadable::Defect(defect) => self.drops.count(*defect),
            Unreadable::Oversized => self.drops.oversized += 1,
            Unreadable::Io(_) => self.drops.io_errors += 1,
        }
    }
}

impl Source for FileSource {
    fn describe(&self) -> String {
        let (width, height) = self.geometry;
        let (name, fps) = (&self.name, self.pace.fps());
        format!("MJPG {width}x{height} at {fps:.4} fps from {name} ({})", self.frames.describe())
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn wake_at(&self) -> Option<Instant> {
        Some(self.pace.due())
    }

    fn next(&mut self, now: Instant) -> Result<Option<Captured<'_>>, SourceError> {
        if self.pace.tick(now).is_none() {
            return Ok(None);
        }
        // A damaged frame is skipped within its tick; a whole round without a good one is the end.
        for _ in 0..self.frames.len() {
            let number = self.next;
            self.next = (number + 1) % self.frames.len();
            match self.load(number) {
                Ok(summary) => {
                    self.geometry = (summary.width, summary.height);
                    return Ok(Some(Captured {
                        picture: Picture::Jpeg(&self.buffer[..summary.len]),
                        at: now,
                        summary: Some(summary),
                        restarts: self.restarts.as_slice(),
                        notice: false,
                    }));
                }
                Err(unreadable) => self.count(&unreadable),
            }
        }
        Err(SourceError::Failed(format!(
            "{}: no frame of it can be read any more: was the file changed?",
            self.name
        )))
    }

    fn release(&mut self) {}

    fn patience(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.pace.fps()).max(Duration::from_secs(1))
    }

    fn drops(&self) -> Drops {
        self.drops
    }

    fn largest_frame(&self) -> usize {
        self.buffer.len()
    }
}

impl Frames {
    fn open(path: &Path) -> Result<(Self, Option<f64>), FileError> {
        let failed = |error| FileError::Io { path: path.to_owned(), error };
        let metadata = path.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Ok((Self::Stills(folder::list(path).map_err(failed)?), None));
        }
        if !metadata.is_file() {
            return Err(FileError::Kind { path: path.to_owned() });
        }
        let file = File::open(path).map_err(failed)?;
        let mut head = [0; 12];
        let head_len = file.read_at(&mut head, 0).map_err(failed)?;
        let head = &head[..head_len];
        let index = if avi::is_avi(head) {
            avi::index_avi(&file, metadata.len())
                .map_err(|error| FileError::Avi { path: path.to_owned(), error })?
        } else if has_mjpeg_name(path) || head.starts_with(&[0xff, 0xd8, 0xff]) {
            index_images(&mut &file, |read| {
                log::info!("{}: looked at {} of {} MiB", path.display(), read >> 20, metadata.len() >> 20);
            })
            .map_err(failed)?
        } else {
            return Err(FileError::Kind { path: path.to_owned() });
        };
        if let Some(offset) = index.stopped_at {
            log::warn!("{}: not read beyond byte {offset}: {index}", path.display());
        }
        let fps = index.fps;
        Ok((Self::Inside { file, index }, fps))
    }

    fn len(&self) -> usize {
        match self {
            Self::Inside { index, .. } => index.frames.len(),
            Self::Stills(stills) => stills.len(),
        }
    }

    fn largest(&self) -> usize {
        match self {
            Self::Inside { index, .. } => index.largest(),
            Self::Stills(stills) => {
                let lengths = stills.iter().map(|still| usize::try_from(still.len).unwrap_or(usize::MAX));
                lengths.filter(|&len| len <= LONGEST_FRAME).max().unwrap_or(0)
            }
        }
    }

    /// What was dropped while the file was looked through.
    fn drops(&self) -> Drops {
        match self {
            Self::Inside { index, .. } => index.drops,
            Self::Stills(_) => Drops::default(),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Inside { index, .. } => index.to_string(),
            Self::Stills(stills) => format!("{} files", stills.len()),
        }
    }

    /// Where a frame is, for messages.
    fn place(&self, number: usize, path: &Path) -> (PathBuf, u64) {
        match self {
            Self::Inside { index, .. } => {
                (path.to_owned(), index.frames.get(number).map_or(0, |entry| entry.offset))
            }
            Self::Stills(stills) => {
                (stills.get(number).map_or_else(|| path.to_owned(), |still| still.path.clone()), 0)
            }
        }
    }

    /// Reads a frame to the start of `buffer`, which grows only for a picture that has grown.
    fn read(&self, number: usize, buffer: &mut Vec<u8>) -> Result<usize, Unreadable> {
        match self {
            Self::Inside { file, index } => {
                let entry = index.frames[number];
                let len = entry.len as usize;
                match file.read_exact_at(&mut buffer[..len], entry.offset) {
                    Ok(()) => Ok(len),
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                        Err(Unreadable::Defect(Defect::Truncated { at: 0 }))
                    }
                    Err(error) => Err(Unreadable::Io(error)),
                }
            }
            Self::Stills(stills) => read_still(&stills[number].path, buffer),
        }
    }
}

fn has_mjpeg_name(path: &Path) -> bool {
    let ends = |with: &str| path.extension().is_some_and(|end| end.eq_ignore_ascii_case(with));
    ends("mjpeg") || ends("mjpg") || folder::is_jpeg_name(path)
}

fn read_still(path: &Path, buffer: &mut Vec<u8>) -> Result<usize, Unreadable> {
    let mut file = File::open(path).map_err(Unreadable::Io)?;
    let len = file.metadata().map_err(Unreadable::Io)?.len();
    let len = usize::try_from(len).ok().filter(|&len| len <= LONGEST_FRAME).ok_or(Unreadable::Oversized)?;
    if len > buffer.len() {
        buffer.resize(len, 0);
    }
    let mut filled = 0;
    while filled < len {
        match file.read(&mut buffer[filled..len]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Unreadable::Io(error)),
        }
    }
    Ok(filled)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
