//! What runs under the fake camera: a small run loop around the source, or the listing of devices.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::{env, fs};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sealcam::camera::devices::Devices;
use sealcam::camera::source::{Captured, Source, SourceError};
use sealcam::camera::v4l2::{Camera, CameraSettings, ControlSetting, ControlValue};
use sealcam::clock;
use sealcam::picture::{Picture, RawFormat, RawPicture};
use sealcam::time::{Duration, Instant};

use super::counting::allocations;

/// Environment variable with the lab's folder.
pub(crate) const FOLDER: &str = "SEALCAM_TEST_FOLDER";
/// Environment variable with what to do.
pub(crate) const JOB: &str = "SEALCAM_TEST_JOB";

static TOLD: Mutex<String> = Mutex::new(String::new());

struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if let Ok(mut told) = TOLD.lock() {
            let _ = writeln!(told, "log {} {}", record.level(), record.args());
        }
    }

    fn flush(&self) {}
}

/// Does the job of the environment; without effect in a test run that has none.
///
/// A job is `devices`, or words of `key=value`: `path` of the device, `frames` to take, `limit` in ms,
/// `patience` in ms, `size`, `fps`, `format`, `buffers`, `max` bytes, `control` to set (`name:value`), `other` (ms after
/// which another camera is used), `hold` (ms that each frame is kept).
pub(crate) fn run() {
    let (Ok(folder), Ok(job)) = (env::var(FOLDER), env::var(JOB)) else { return };
    let folder = PathBuf::from(folder);
    log::set_logger(&Log).unwrap();
    log::set_max_level(log::LevelFilter::Debug);
    let mut report = match job.as_str() {
        "devices" => Devices::below(&folder, &folder.join("v4l")).to_string(),
        _ => capture(&folder, &job),
    };
    report += &TOLD.lock().unwrap();
    fs::write(folder.join("report"), report).unwrap();
}

struct Job {
    settings: CameraSettings,
    frames: usize,
    limit: Duration,
    hold: Duration,
}

fn parse(folder: &Path, job: &str) -> Job {
    let mut settings = CameraSettings::new(folder.join("video0"));
    settings.links = folder.join("v4l");
    let limit = Duration::from_secs(20);
    let mut job_ = Job { settings, frames: 20, limit, hold: Duration::ZERO };
    for word in job.split_whitespace() {
        let (key, value) = word.split_once('=').unwrap();
        let millis = || Duration::from_millis(value.parse().unwrap());
        match key {
            "path" => job_.settings.path = value.into(),
            "size" => {
                let (width, height) = value.split_once('x').unwrap();
                job_.settings.size = Some((width.parse().unwrap(), height.parse().unwrap()));
            }
            "fps" => job_.settings.fps = Some(value.parse().unwrap()),
            "format" => job_.settings.format = value.parse().unwrap(),
            "control" => {
                let (name, value) = value.split_once(':').unwrap();
                let value =
                    value.parse().map_or(ControlValue::Item(value.replace('_', " ")), ControlValue::Number);
                job_.settings.controls.push(ControlSetting { name: name.into(), value });
            }
            "buffers" => job_.settings.buffers = value.parse().unwrap(),
            "max" => job_.settings.max_frame = value.parse().unwrap(),
            "patience" => job_.settings.patience = millis(),
            "other" => (job_.settings.patient, job_.settings.take_other) = (true, millis()),
            "frames" => job_.frames = value.parse().unwrap(),
            "limit" => job_.limit = millis(),
            "hold" => job_.hold = millis(),
            _ => panic!("{key}"),
        }
    }
    job_
}

fn capture(folder: &Path, job: &str) -> String {
    let job = parse(folder, job);
    let images: Vec<Vec<u8>> = (0..super::images::COUNT)
        .map(|number| fs::read(folder.join(format!("images/{number}.jpg"))).unwrap())
        .collect();
    let start = clock::now();
    let mut report = String::with_capacity(1 << 20);
    let mut camera = match Camera::open(job.settings.clone(), start) {
        Ok(camera) => camera,
        Err(error) => return format!("failed {error}\n"),
    };
    let mut taken = 0;
    let mut lit = false;
    let mut allocated = 0;
    while taken < job.frames && clock::now().since(start) < job.limit {
        wait(&camera, start + job.limit);
        let now = clock::now();
        let before = allocations();
        let result = camera.next(now);
        let cost = allocations() - before;
        let millis = now.since(start).as_millis();
        let notice = match result {
            Ok(None) => continue,
            Ok(Some(frame)) if !frame.notice => {
                let age = now.since(frame.at).as_micros();
                let (number, verdict) = judge(&frame, &images);
                let _ = writeln!(report, "frame {number} {millis} {age} {verdict}");
                false
            }
            Ok(Some(_)) => true,
            Err(SourceError::Failed(why)) => {
                let _ = writeln!(report, "failed {why}");
                break;
            }
            Err(SourceError::Ended) => break,
        };
        pause(job.hold);
        if notice {
            let _ = writeln!(report, "notice {millis} {}", camera.describe());
        } else {
            taken += 1;
            allocated += if taken > 3 { cost } else { 0 };
            if !lit {
                let _ = writeln!(report, "mode {}", camera.describe());
            }
        }
        lit = !notice;
        camera.release();
    }
    report_counts(&mut report, &camera, allocated);
    report
}

fn report_counts(report: &mut String, camera: &Camera, allocated: u64) {
    let drops = camera.drops();
    let counters = [
        ("superseded", drops.superseded),
        ("flagged", drops.flagged),
        ("empty", drops.empty),
        ("truncated", drops.truncated),
        ("malformed", drops.malformed),
        ("oversized", drops.oversized),
        ("timeouts", drops.timeouts),
        ("io_errors", drops.io_errors),
        ("reopened", drops.reopened),
        ("allocations", allocated),
        ("largest", camera.largest_frame() as u64),
    ];
    for (name, count) in counters {
        let _ = writeln!(report, "count {name} {count}");
    }
}

/// Waits as the run loop of the camera does.
fn wait(camera: &Camera, end: Instant) {
    let until = camera.wake_at().unwrap_or(end).min(end);
    let micros = until.since(clock::now()).as_micros().min(10_000_000);
    let timeout = PollTimeout::try_from(micros.div_ceil(1000) as i32).unwrap();
    match camera.as_fd() {
        Some(fd) => poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout).unwrap(),
        None => poll(&mut [], timeout).unwrap(),
    };
}

fn pause(time: Duration) {
    if time > Duration::ZERO {
        poll(&mut [], PollTimeout::try_from(time.as_millis() as i32).unwrap()).unwrap();
    }
}

/// The number that the camera gave a frame, and whether its bytes are those that it sent.
fn judge(frame: &Captured<'_>, images: &[Vec<u8>]) -> (u64, String) {
    match frame.picture {
        Picture::Jpeg(bytes) => {
            let comment = usize::from(u16::from_be_bytes([bytes[4], bytes[5]]));
            let text = String::from_utf8_lossy(&bytes[6..4 + comment]).into_owned();
            let number: u64 = text.trim_start_matches("frame ").parse().unwrap();
            let image = &images[number as usize % images.len()];
            let same = bytes[..2] == image[..2] && bytes[4 + comment..] == image[2..];
            let summary = frame.summary.unwrap();
            let kind = format!("JPEG {}x{}", summary.width, summary.height);
            (number, format!("{kind} {}", if same { "ok" } else { "changed" }))
        }
        Picture::Raw(raw) => {
            let number = raw.samples.first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
            (
                number.into(),
                format!("{} {}x{} {}", raw.format, raw.width, raw.height, judge_raw(&raw, number)),
            )
        }
    }
}

fn judge_raw(raw: &RawPicture<'_>, number: u32) -> String {
    if raw.samples.len() as u64 != raw.format.picture_len(raw.stride, raw.height) {
        return format!("{} bytes", raw.samples.len());
    }
    let stride = raw.stride as usize;
    let luma_first = match raw.format {
        RawFormat::Yuyv => Some(0),
        RawFormat::Uyvy => Some(1),
        _ => None,
    };
    let wrong = raw.samples.iter().enumerate().skip(4).find(|(at, sample)| {
        let (x, y) = (at % stride, at / stride);
        let expected = match luma_first {
            Some(first) if x % 2 != first => 128,
            Some(_) => x / 2 + y + 4 * number as usize,
            None => x + y + 4 * number as usize,
        };
        **sample != expected as u8
    });
    wrong.map_or("ok".to_owned(), |(at, sample)| format!("{sample} at {at}"))
}
