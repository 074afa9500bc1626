//! One frame into one file.
//!
//! A snapshot file always holds one whole image: it is written under another name in the same folder and
//! then renamed. Images without Huffman tables get the standard ones.

use super::frame::Frame;
use super::parts::write_all;
use crate::outlet::queue::{Limit, Queue};
use crate::outlet::worker::Worker;
use crate::time::Duration;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Why a snapshot was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotError {
    /// The file.
    pub path: PathBuf,
    /// The system's words.
    pub reason: String,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "snapshot {}: cannot write: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for SnapshotError {}

/// Where snapshots go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One file: the first frame goes into it at once, the newest one on [`Snapshots::save`] and at the
    /// end.
    File(PathBuf),
    /// A folder, "" for the current one: [`Snapshots::save`] alone writes, to `sealview-1.jpg`,
    /// `sealview-2.jpg` and so on, the first name that is free.
    Folder(PathBuf),
}

/// Writes snapshots in a thread of its own.
#[derive(Debug)]
pub struct Snapshots {
    worker: Worker<Frame, ()>,
    target: Target,
    newest: Option<Frame>,
    begun: bool,
    outcome: Arc<Mutex<Option<Result<PathBuf, SnapshotError>>>>,
}

impl Snapshots {
    /// Ready to write to `target`.
    ///
    /// # Errors
    ///
    /// The system's, when it gives no thread.
    pub fn start(target: Target) -> io::Result<Self> {
        let outcome = Arc::new(Mutex::new(None));
        let (report, theirs) = (Arc::clone(&outcome), target.clone());
        let worker = Worker::start("snapshot", QUEUE, move |queue: &Queue<Frame>| {
            while let Some(frame) = queue.wait_for_next() {
                let written = match &theirs {
                    Target::File(path) => write(path, &frame).map(|()| path.clone()),
                    Target::Folder(folder) => write_numbered(folder, &frame),
                };
                *report.lock().unwrap_or_else(PoisonError::into_inner) = Some(written);
            }
        })?;
        Ok(Self { worker, target, newest: None, begun: false, outcome })
    }

    /// Remembers `frame` as the newest one; writes it if it is the first for a file. Never waits.
    pub fn offer(&mut self, frame: &Frame) {
        self.newest = Some(frame.clone());
        if !self.begun && matches!(self.target, Target::File(_)) {
            self.save();
        }
    }

    /// Writes the newest frame; `false` if there is none yet. Never waits.
    pub fn save(&mut self) -> bool {
        let Some(frame) = &self.newest else { return false };
        self.worker.offer(frame.clone(), frame.jpeg().len());
        self.begun = true;
        true
    }

    /// What came of the last snapshot, told once: the file, or what is wrong.
    #[must_use]
    pub fn take_outcome(&self) -> Option<Result<PathBuf, SnapshotError>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Writes the newest frame if the target is a file, and waits for what is queued. `Ok(None)` when
    /// there was nothing to write.
    ///
    /// # Errors
    ///
    /// Why the last snapshot was not written.
    pub fn finish(mut self) -> Result<Option<PathBuf>, SnapshotError> {
        if matches!(self.target, Target::File(_)) {
            self.save();
        }
        if self.worker.finish(PATIENCE).is_none() {
            let (Target::File(path) | Target::Folder(path)) = self.target;
            return Err(SnapshotError { path, reason: "the disk takes too long".into() });
        }
        self.take_outcome().transpose()
    }
}

/// Writes `frame` to `path`, in place of what is there: the old file or the new one, never half of one.
///
/// # Errors
///
/// The system's words with the file's name.
pub fn write(path: &Path, frame: &Frame) -> Result<(), SnapshotError> {
    let failed = |error: io::Error| SnapshotError { path: path.to_owned(), reason: error.to_string() };
    let mut name = path.file_name().ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?.to_owned();
    name.push(format!(".part-{}", std::process::id()));
    let part = path.with_file_name(name);
    let written = File::create(&part)
        .and_then(|mut file| {
            write_all(&mut file, &frame.with_tables())?;
            // Else the rename may reach the disk before the bytes do.
            file.sync_all()
        })
        .and_then(|()| fs::rename(&part, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&part);
        failed(error)
    })
}

/// Writes `frame` to the first free `sealview-N.jpg` in `folder`.
fn write_numbered(folder: &Path, frame: &Frame) -> Result<PathBuf, SnapshotError> {
    for number in 1..=MOST_NUMBERS {
        let path = folder.join(format!("sealview-{number}.jpg"));
        let failed = |error: io::Error| SnapshotError { path: path.clone(), reason: error.to_string() };
        let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(failed(error)),
        };
        if let Err(error) = write_all(&mut file, &frame.with_tables()) {
            let _ = fs::remove_file(&path);
            return Err(failed(error));
        }
        return Ok(path);
    }
    let path = folder.join("sealview-N.jpg");
    Err(SnapshotError { path, reason: format!("there are {MOST_NUMBERS} already; move some away") })
}

const QUEUE: Limit = Limit { items: 4, bytes: 64 << 20 };
/// How long a disk may take at the end.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_NUMBERS: u32 = 9999;
