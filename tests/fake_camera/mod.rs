//! The fake camera for tests: builds the preloaded library, and runs code of ours under it.
//!
//! A library can only be preloaded into a new process, so a test starts its own executable again and has it
//! run one test, the one that does the [job](child) named in the environment.

pub(crate) mod child;
pub(crate) mod counting;
pub(crate) mod images;
mod library;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

/// A folder for one test: scenario, images, node, links, log and report.
pub(crate) struct Lab {
    pub(crate) folder: PathBuf,
}

impl Lab {
    /// An empty folder; `name` is that of the test.
    pub(crate) fn new(name: &str) -> Self {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fake-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("v4l/by-id")).unwrap();
        fs::create_dir_all(folder.join("images")).unwrap();
        images::write(&folder.join("images"), images::Tables::Own);
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a scenario; node, log and images are those of this lab unless `text` says otherwise.
    pub(crate) fn scenario(&self, file: &str, text: &str) -> &Self {
        let at = |name: &str| self.path(name).display().to_string();
        let before = format!("node {}\nlog {}\nframes {}\n", at("video0"), at("log"), at("images"));
        fs::write(self.path(file), before + text).unwrap();
        self
    }

    /// Does a job under the camera of the scenario `scenario`.
    ///
    /// The report is checked for what holds in every case: frames whole, unchanged and in order, the
    /// library's rules kept, nothing panicked.
    #[track_caller]
    pub(crate) fn run(&self, job: &str) -> Report {
        let report = self.path("report");
        let _ = fs::remove_file(&report);
        let _ = fs::remove_file(self.path("log"));
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads", "1"])
            .env("LD_PRELOAD", library())
            .env("FAKE_CAMERA", self.path("scenario"))
            .env(child::FOLDER, &self.folder)
            .env(child::JOB, job)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success(),
            "{}\n{told}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout)
        );
        let report = Report::read(&fs::read_to_string(&report).unwrap(), self);
        assert!(!told.contains("panicked"), "{told}");
        report.check();
        report
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// What a job has met.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) frames: Vec<Frame>,
    /// Milliseconds since the start, and the source's description.
    pub(crate) notices: Vec<(u64, String)>,
    /// Descriptions of the source at the first frame and after each gap.
    pub(crate) modes: Vec<String>,
    pub(crate) counters: BTreeMap<String, u64>,
    pub(crate) failed: Option<String>,
    /// The program's log.
    pub(crate) told: Vec<String>,
    /// What the library has seen.
    pub(crate) seen: Vec<String>,
    /// Anything else: what `sealcam devices` prints.
    pub(crate) text: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) number: u64,
    pub(crate) millis: u64,
    /// `JPEG` or the name of the raw format, then the size.
    pub(crate) kind: String,
    /// `ok`, or what is wrong with the bytes.
    pub(crate) verdict: String,
    /// Microseconds from capture to hand-over.
    pub(crate) age: u64,
}

impl Report {
    fn read(text: &str, lab: &Lab) -> Self {
        let mut report = Self::default();
        for line in text.lines() {
            let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
            let words: Vec<&str> = rest.split(' ').collect();
            match key {
                "frame" => report.frames.push(Frame {
                    number: words[0].parse().unwrap(),
                    millis: words[1].parse().unwrap(),
                    age: words[2].parse().unwrap(),
                    kind: format!("{} {}", words[3], words[4]),
                    verdict: words[5..].join(" "),
                }),
                "notice" => report.notices.push((words[0].parse().unwrap(), words[1..].join(" "))),
                "mode" => report.modes.push(rest.to_owned()),
                "count" => {
                    report.counters.insert(words[0].to_owned(), words[1].parse().unwrap());
                }
                "failed" => report.failed = Some(rest.to_owned()),
                "log" => report.told.push(rest.to_owned()),
                _ => report.text.push(line.to_owned()),
            }
        }
        let seen = fs::read_to_string(lab.path("log")).unwrap_or_default();
        report.seen = seen.lines().map(ToOwned::to_owned).collect();
        report
    }

    #[track_caller]
    fn check(&self) {
        for frame in &self.frames {
            assert_eq!(frame.verdict, "ok", "{frame:?}");
        }
        for pair in self.frames.windows(2) {
            assert!(pair[0].number < pair[1].number, "out of order: {pair:?}");
        }
        for line in &self.seen {
            assert!(!line.starts_with("VIOLATION"), "{line}\n{self:#?}");
        }
    }

    /// Asserts that exactly these counters are not 0; `superseded` depends on how busy the machine is.
    #[track_caller]
    pub(crate) fn counted(&self, expected: &[(&str, u64)]) {
        let met: Vec<(&str, u64)> = self
            .counters
            .iter()
            .map(|(name, count)| (name.as_str(), *count))
            .filter(|(name, count)| *count != 0 && !["superseded", "allocations", "largest"].contains(name))
            .collect();
        assert_eq!(met, expected, "{self:#?}");
    }

    /// Asserts that frames came up to number `last` without those of `missing`, but for superseded ones.
    #[track_caller]
    pub(crate) fn saw_all_but(&self, last: u64, missing: &[u64]) {
        let superseded = self.counters["superseded"];
        let numbers: Vec<u64> = self.frames.iter().map(|frame| frame.number).collect();
        let absent: Vec<u64> = (1..=last).filter(|number| !numbers.contains(number)).collect();
        assert!(
            missing.iter().all(|number| absent.contains(number)),
            "{missing:?} were to be dropped: {self:#?}"
        );
        assert_eq!(absent.len() as u64, missing.len() as u64 + superseded, "{absent:?} absent: {self:#?}");
    }

    /// How long there was no frame before the frame of this number or the first one after it.
    pub(crate) fn gap_before(&self, number: u64) -> u64 {
        let at = self.frames.iter().position(|frame| frame.number >= number).unwrap();
        self.frames[at].millis - self.frames[at - 1].millis
    }

    pub(crate) fn has_noticed(&self, words: &str) -> bool {
        self.notices.iter().any(|(_, text)| text.contains(words))
    }

    pub(crate) fn has_told(&self, words: &str) -> bool {
        self.told.iter().any(|text| text.contains(words))
    }
}

/// The preloaded library.
pub(crate) fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| library::build("fake_camera"))
}
