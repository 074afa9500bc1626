//! Frames into a file, as they were received.
//!
//! The file's extension chooses the form: `.mkv` is Matroska with exact times, `.mjpeg` or `.mjpg`
//! the bare images one after the other. Images without Huffman tables get the standard ones put in,
//! because players do not expect them to be missing; nothing else is changed.
//!
//! A thread writes each frame as it comes and holds nothing back, so that a recording whose program was killed
//! has all its frames but the last few milliseconds. No existing file is ever written over.
//!
//! A Matroska track has one size. When the camera's changes, the recording goes on in a new file:
//! `yard.mkv`, `yard-2.mkv`, `yard-3.mkv`. Each is complete in itself. A bare file just goes on.

mod sink;

use super::frame::Frame;
use crate::outlet::queue::{Limit, Queue};
use crate::outlet::worker::Worker;
use crate::time::Duration;
use sink::Sink;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// The form of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// `.mkv`: Matroska with motion JPEG.
    Matroska,
    /// `.mjpeg`, `.mjpg`: JPEG images one after the other, without times.
    Bare,
}

impl Container {
    /// The form that `path`'s extension asks for.
    ///
    /// # Errors
    ///
    /// [`RecordError::Extension`] for any other extension: a mistake in the usage, found before
    /// anything is opened.
    pub fn of(path: &Path) -> Result<Self, RecordError> {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        match extension.to_str() {
            Some("mkv") => Ok(Self::Matroska),
            Some("mjpeg" | "mjpg") => Ok(Self::Bare),
            _ => Err(RecordError::Extension { path: path.to_owned() }),
        }
    }
}

/// Why there is no recording, or why it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordError {
    /// The file's name does not say which form it shall have.
    Extension {
        /// The name.
        path: PathBuf,
    },
    /// The file exists.
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be created.
    Create {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The disk is full. The file was closed and plays up to its last whole frame.
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Writing failed. The file plays up to its last whole frame.
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The disk has not taken the rest in time, and nobody waits for it any longer.
    Stuck {
        /// The file.
        path: PathBuf,
        /// How long was waited for it.
        patience: Duration,
    },
    /// The recorder's thread could not be started, or it ended in a panic.
    Thread {
        /// What happened.
        reason: String,
    },
}

impl RecordError {
    fn write(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Write { path, reason: error.to_string() },
        }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Extension { path } => write!(
                f,
                "{}: the name must end in .mkv (Matroska, with times) or .mjpeg (bare images)",
                path.display()
            ),
            Self::Exists { path } => {
                write!(f, "{}: the file exists; choose another name or remove it", path.display())
            }
            Self::Create { path, reason } => {
                write!(f, "{}: cannot create the file: {reason}", path.display())
            }
            Self::Full { path } => write!(
                f,
                "{}: the disk is full; the recording has ended and plays up to here",
                path.display()
            ),
            Self::Write { path, reason } => {
                write!(f, "{}: cannot write, the recording has ended: {reason}", path.display())
            }
            Self::Stuck { path, patience } => write!(
                f,
                "{}: the disk has not taken the rest within {} s; the recording plays up to what is there: \
                 check or change the disk",
                path.display(),
                patience.as_secs()
            ),
            Self::Thread { reason } => write!(f, "recorder: {reason}"),
        }
    }
}

impl std::error::Error for RecordError {}

/// How far a recording has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Frames written, in all files.
    pub frames: u64,
    /// Bytes of images written, in all files.
    pub bytes: u64,
    /// Frames left out because the disk was too slow.
    pub dropped: u64,
    /// The files so far, the present one last.
    pub files: Vec<PathBuf>,
}

/// Records frames in a thread of its own.
#[derive(Debug)]
pub struct Recorder {
    worker: Worker<Frame, Result<(), RecordError>>,
    written: Arc<Written>,
}

#[derive(Debug, Default)]
struct Written {
    frames: AtomicU64,
    bytes: AtomicU64,
    files: Mutex<Vec<PathBuf>>,
}

impl Recorder {
    /// Creates `path` and starts to record into it.
    ///
    /// # Errors
    ///
    /// An extension that says nothing, an existing file, or a file that cannot be created.
    pub fn start(path: &Path) -> Result<Self, RecordError> {
        let container = Container::of(path)?;
        let file = create(path)?;
        let written = Arc::new(Written::default());
        written.note_file(path);
        let job = Job { container, first: path.to_owned(), written: Arc::clone(&written) };
        let worker = Worker::start("recorder", QUEUE, move |queue| job.run(file, queue))
            .map_err(|error| RecordError::Thread { reason: format!("no thread: {error}") })?;
        Ok(Self { worker, written })
    }

    /// Queues `frame`; never waits. When the disk has fallen behind by [`QUEUE`], the oldest waiting
    /// frame is left out.
    pub fn offer(&self, frame: &Frame) {
        self.worker.offer(frame.clone(), frame.jpeg().len());
    }

    /// Why the recording has ended before its time, if it has.
    #[must_use]
    pub fn failure(&self) -> Option<RecordError> {
        self.worker.if_ended(outcome_error).flatten()
    }

    /// How far it has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            frames: self.written.frames.load(Relaxed),
            bytes: self.written.bytes.load(Relaxed),
            dropped: self.worker.dropped(),
            files: self.written.files.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Writes what is queued, closes the file and waits until it is on the disk, for [`PATIENCE`] at most. A
    /// recording without a frame leaves no file.
    ///
    /// # Errors
    ///
    /// Why the recording is not whole.
    pub fn finish(self) -> Result<Progress, RecordError> {
        self.finish_within(PATIENCE)
    }

    fn finish_within(self, patience: Duration) -> Result<Progress, RecordError> {
        let outcome = self.worker.finish(patience);
        if outcome.is_none() && self.worker.if_ended(|_| ()).is_none() {
            let path = self.progress().files.pop().unwrap_or_default();
            return Err(RecordError::Stuck { path, patience });
        }
        outcome_error(outcome.as_ref()).map_or_else(|| Ok(self.progress()), Err)
    }
}

fn outcome_error(outcome: Option<&Result<(), RecordError>>) -> Option<RecordError> {
    match outcome {
        Some(Ok(())) => None,
        Some(Err(error)) => Some(error.clone()),
        None => Some(RecordError::Thread { reason: "the thread panicked".into() }),
    }
}

impl Written {
    fn note_file(&self, path: &Path) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
    }
}

/// What the thread does.
struct Job {
    container: Container,
    first: PathBuf,
    written: Arc<Written>,
}

impl Job {
    fn run(self, file: File, queue: &Queue<Frame>) -> Result<(), RecordError> {
        let mut path = self.first.clone();
        let Some(first) = queue.wait_for_next() else {
            drop(file);
            // Nothing came: an empty file would only be in the way of the next attempt.
            let _ = fs::remove_file(&path);
            return Ok(());
        };
        let mut number = 1;
        let mut sink = self.begin(file, &path, &first)?;
        let mut next = Some(first);
        while let Some(frame) = next {
            if !sink.fits(&frame) {
                sink.close().map_err(|error| RecordError::write(&path, &error))?;
                let file;
                (file, path) = self.next_file(&mut number)?;
                self.written.note_file(&path);
                sink = self.begin(file, &path, &frame)?;
            }
            if let Err(error) = sink.frame(&frame) {
                // The first error is the one to tell; closing makes the best of what is there.
                let _ = sink.close();
                return Err(RecordError::write(&path, &error));
            }
            self.written.frames.fetch_add(1, Relaxed);
            self.written.bytes.fetch_add(frame.jpeg().len() as u64, Relaxed);
            // Its buffer is free for the next frame while this thread waits.
            drop(frame);
            next = queue.wait_for_next();
        }
        sink.close().map_err(|error| RecordError::write(&path, &error))
    }

    fn begin(&self, file: File, path: &Path, first: &Frame) -> Result<Sink<File>, RecordError> {
        Sink::begin(self.container, file, first.size()).map_err(|error| {
            // There is not one frame in it.
            let _ = fs::remove_file(path);
            RecordError::write(path, &error)
        })
    }

    /// The next free name after `number`: `yard-2.mkv`.
    fn next_file(&self, number: &mut u32) -> Result<(File, PathBuf), RecordError> {
        let stem = self.first.file_stem().unwrap_or_default().to_string_lossy();
        let extension = self.first.extension().unwrap_or_default().to_string_lossy();
        loop {
            *number += 1;
            let path = self.first.with_file_name(format!("{stem}-{number}.{extension}"));
            match create(&path) {
                Err(RecordError::Exists { .. }) if *number < MOST_FILES => {}
                created => return created.map(|file| (file, path)),
            }
        }
    }
}

fn create(path: &Path) -> Result<File, RecordError> {
    OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::AlreadyExists => RecordError::Exists { path },
            _ => RecordError::Create { path, reason: error.to_string() },
        }
    })
}

/// How far the disk may fall behind: two seconds of most cameras.
pub const QUEUE: Limit = Limit { items: 64, bytes: 32 << 20 };
/// How long the end of a program may wait for the disk: one that hangs must not keep it from ending.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// A camera that changes its size that often is not worth a full folder.
const MOST_FILES: u32 = 9999;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_disk_that_hangs_does_not_hold_the_end_up() {
        let (release, hung) = mpsc::channel::<()>();
        let written = Arc::new(Written::default());
        written.note_file(Path::new("/mnt/yard-2.mkv"));
        let worker = Worker::start("recorder", QUEUE, move |_| {
            let _ = hung.recv();
            Ok(())
        });
        let recorder = Recorder { worker: worker.unwrap(), written };
        let why = recorder.finish_within(Duration::from_millis(20)).unwrap_err().to_string();
        assert!(why.contains("/mnt/yard-2.mkv: the disk has not taken the rest within"), "{why}");
        drop(release);
    }
}
