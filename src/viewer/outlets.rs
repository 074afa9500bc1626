//! All outlets of one run together: each frame goes to each of them, none can hold the others up.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::config::ViewConfig;
use super::figures::OutletTotals;
use super::frame::Frame;
use super::output::FramePipe;
use super::recorder::{Progress, RecordError, Recorder};
use super::snapshot::{Snapshots, Target};
use super::window::WindowHandle;
use crate::exit::RunError;
use crate::outlet::lines::{LineOutput, OutputEnd};

/// What becomes of the frames and figures.
pub struct Outlets {
    window: Option<WindowHandle>,
    recorder: Option<Recorder>,
    pipe: Option<FramePipe>,
    snapshots: Option<Snapshots>,
    lines: Option<LineOutput>,
    /// What came of the frames at outlets that have ended.
    ended: OutletTotals,
    /// The first thing that went wrong; the run goes on, and ends with it.
    failure: Option<RunError>,
}

/// Whether there is still something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Frames are wanted.
    Open,
    /// Whoever read the pipe has gone, and there is no other outlet.
    Closed,
}

impl Outlets {
    /// Opens what `config` asks for.
    ///
    /// # Errors
    ///
    /// [`RunError`] naming the option whose file cannot be opened.
    pub fn open(config: &ViewConfig, window: Option<WindowHandle>) -> Result<Self, RunError> {
        let recorder = config.record.as_deref().map(Recorder::start).transpose();
        let recorder = recorder.map_err(|why| RunError::Usage(format!("--record: {why}")))?;
        if let Some(path) = &config.snapshot {
            check_folder(path)?;
        }
        let pipe = config.stdout.then(|| FramePipe::start("standard output", io::stdout())).transpose();
        let target = match (&config.snapshot, &window) {
            (Some(path), _) => Some(Target::File(path.clone())),
            // The key in the window saves pictures where the program was started.
            (None, Some(_)) => Some(Target::Folder(PathBuf::new())),
            (None, None) => None,
        };
        Ok(Self {
            window,
            recorder,
            pipe: pipe.map_err(RunError::failed)?,
            snapshots: target.map(Snapshots::start).transpose().map_err(RunError::failed)?,
            lines: open_lines(config)?,
            ended: OutletTotals::default(),
            failure: None,
        })
    }

    /// Gives `frame` to every outlet; never waits.
    ///
    /// A `notice` (NO SIGNAL) is not recorded: it is no picture of the camera, and as its size is another one
    /// it would begin a new file.
    pub fn frame(&mut self, frame: &Frame, notice: bool) {
        if let Some(recorder) = self.recorder.as_ref().filter(|_| !notice) {
            recorder.offer(frame);
        }
        if let Some(pipe) = &self.pipe {
            pipe.offer(frame);
        }
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.offer(frame);
        }
        if let Some(window) = &self.window {
            window.show(frame);
        }
    }

    /// Gives a line of JSON figures to `--stats-json`.
    pub fn line(&self, line: &str) {
        if let Some(lines) = &self.lines {
            lines.offer(|to| to.extend_from_slice(line.as_bytes()));
        }
    }

    /// Whether `--stats-json` was asked for.
    #[must_use]
    pub const fn wants_lines(&self) -> bool {
        self.lines.is_some()
    }

    /// Saves a picture, as the key in the window asks for.
    pub fn save(&mut self) {
        if let Some(snapshots) = &mut self.snapshots
            && !snapshots.save()
            && let Some(window) = &self.window
        {
            window.notice("there is no picture to save yet".into());
        }
    }

    /// What came of the frames so far.
    #[must_use]
    pub fn totals(&self) -> OutletTotals {
        let mut totals = self.ended;
        if let Some(window) = &self.window {
            totals.shown = window.shown();
        }
        if let Some(recorder) = &self.recorder {
            note_recorded(&mut totals, &recorder.progress());
        }
        if let Some(pipe) = &self.pipe {
            (totals.piped, totals.pipe_dropped) = (pipe.written(), pipe.dropped());
        }
        totals
    }

    /// Looks after outlets that have ended by themselves; call it now and then.
    pub fn tend(&mut self) -> State {
        if let Some(why) = self.recorder.as_ref().and_then(Recorder::failure) {
            self.ended = self.totals();
            self.recording_failed(&why);
            self.recorder = None;
        }
        if let Some(outcome) = self.snapshots.as_ref().and_then(Snapshots::take_outcome) {
            self.told_snapshot(outcome.map(Some).map_err(|why| why.to_string()));
        }
        if let Some(end) = self.lines.as_ref().and_then(LineOutput::ended) {
            self.lines = None;
            self.output_ended("--stats-json", &end);
        }
        let end = self.pipe.as_ref().and_then(|pipe| {
            // Only writing would tell, and there may be nothing to write for hours.
            pipe.ended().or_else(|| stdout_reader_has_gone().then_some(OutputEnd::ReaderGone))
        });
        if let Some(end) = end {
            self.ended = self.totals();
            self.pipe = None;
            self.output_ended("--stdout", &end);
            if self.window.is_none() && self.recorder.is_none() {
                return State::Closed;
            }
        }
        State::Open
    }

    /// Writes out what is queued and closes all but the figures, whose last line tells of the rest.
    pub fn close(&mut self) {
        self.ended = self.totals();
        if let Some(recorder) = self.recorder.take() {
            match recorder.finish() {
                Ok(done) => {
                    note_recorded(&mut self.ended, &done);
                    if done.frames > 0 {
                        let files: Vec<_> =
                            done.files.iter().map(|path| path.display().to_string()).collect();
                        log::info!("recorded {} frames in {}", done.frames, files.join(", "));
                    } else {
                        log::warn!("nothing was recorded: no frame came");
                    }
                }
                Err(why) => self.recording_failed(&why),
            }
        }
        if let Some(pipe) = self.pipe.take() {
            let (end, written) = pipe.finish();
            self.ended.piped = written;
            self.output_ended("--stdout", &end);
        }
        if let Some(snapshots) = self.snapshots.take() {
            let outcome = snapshots.finish().map_err(|why| why.to_string());
            self.told_snapshot(outcome);
        }
    }

    /// Closes what [`Self::close`] has left open.
    ///
    /// # Errors
    ///
    /// The first thing that has gone wrong at an outlet since the start.
    pub fn finish(mut self) -> Result<(), RunError> {
        self.close();
        if let Some(lines) = self.lines.take() {
            self.output_ended("--stats-json", &lines.finish());
        }
        self.failure.map_or(Ok(()), Err)
    }

    fn recording_failed(&mut self, why: &RecordError) {
        log::error!("--record: {why}; viewing goes on");
        self.failure.get_or_insert_with(|| RunError::Failed(format!("--record: {why}")));
    }

    fn told_snapshot(&mut self, outcome: Result<Option<PathBuf>, String>) {
        let text = match outcome {
            Ok(Some(path)) => format!("saved {}", path.display()),
            Ok(None) => return,
            Err(why) => {
                self.failure.get_or_insert_with(|| RunError::Failed(why.clone()));
                why
            }
        };
        log::info!("{text}");
        if let Some(window) = &self.window {
            window.notice(text);
        }
    }

    fn output_ended(&mut self, option: &str, end: &OutputEnd) {
        match end {
            OutputEnd::Complete => {}
            OutputEnd::ReaderGone => log::info!("{option}: {end}"),
            OutputEnd::ReaderStuck | OutputEnd::Failed { .. } => {
                log::error!("{option}: {end}");
                self.failure.get_or_insert_with(|| RunError::Failed(format!("{option}: {end}")));
            }
        }
    }
}

/// Whether standard output is a pipe that nobody reads from any more.
#[cfg(unix)]
fn stdout_reader_has_gone() -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let stdout = io::stdout();
    // POLLERR is reported whether it is asked for or not.
    let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    poll(&mut fds, PollTimeout::ZERO).is_ok()
        && fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLERR))
}

#[cfg(not(unix))]
fn stdout_reader_has_gone() -> bool {
    false
}

fn note_recorded(totals: &mut OutletTotals, progress: &Progress) {
    (totals.recorded, totals.record_dropped) = (progress.frames, progress.dropped);
}

/// A snapshot is written when the first frame comes, which may be hours later: a mistyped folder is told now.
fn check_folder(of: &Path) -> Result<(), RunError> {
    let folder = of.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => Err(RunError::Usage(format!(
            "--snapshot: {}: there is no folder {}",
            of.display(),
            folder.display()
        ))),
        _ => Ok(()),
    }
}

fn open_lines(config: &ViewConfig) -> Result<Option<LineOutput>, RunError> {
    let Some(path) = &config.stats_json else { return Ok(None) };
    let started = if path.as_os_str() == "-" {
        LineOutput::start("standard output", io::stdout())
    } else {
        File::create(path).and_then(|file| LineOutput::start(&path.display().to_string(), file))
    };
    started.map(Some).map_err(|why| RunError::Usage(format!("--stats-json: {}: {why}", path.display())))
}
