//! What ffmpeg finds in a file.

use std::path::Path;
use std::process::{Command, Stdio};

/// Whether ffmpeg and ffprobe can be run; says so if not.
pub(crate) fn is_here() -> bool {
    let here = ["ffmpeg", "ffprobe"].iter().all(|program| {
        let run = Command::new(program).arg("-version").stdout(Stdio::null()).status();
        run.is_ok_and(|status| status.success())
    });
    if !here {
        eprintln!("skipped: ffmpeg is not installed");
    }
    here
}

/// Times of all packets, in ten-thousandths of a second.
pub(crate) fn times(path: &Path) -> Vec<u64> {
    let entries = ["-show_entries", "packet=pts", "-of", "csv=p=0"];
    let list = probe(path, &entries);
    list.lines().map(|line| line.trim_end_matches(',').parse().expect("a time")).collect()
}

/// Codec, width, height and time base.
pub(crate) fn stream(path: &Path) -> String {
    let entries = ["-show_entries", "stream=codec_name,width,height,time_base", "-of", "csv=p=0"];
    probe(path, &entries).trim().to_owned()
}

/// Length of the whole in seconds.
pub(crate) fn duration(path: &Path) -> f64 {
    probe(path, &["-show_entries", "format=duration", "-of", "csv=p=0"]).trim().parse().unwrap_or(f64::NAN)
}

/// How many pictures can be decoded, counting only if nothing was complained of.
pub(crate) fn decoded(path: &Path) -> usize {
    let args = ["-v", "warning", "-i"];
    let null = ["-fps_mode", "passthrough", "-f", "framemd5", "-"];
    let output = Command::new("ffmpeg").args(args).arg(path).args(null).output().expect("ffmpeg");
    let complaints = String::from_utf8_lossy(&output.stderr);
    // That JFIF is full range is known; the rest would be news.
    let news: Vec<&str> =
        complaints.lines().filter(|line| !line.contains("deprecated pixel format")).collect();
    assert!(news.is_empty(), "{}: {news:?}", path.display());
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| !line.starts_with('#')).count()
}

/// The images in the file, byte for byte as they were put in, one after the other.
pub(crate) fn images(path: &Path) -> Vec<u8> {
    ffmpeg(path, &[], &["-c:v", "copy", "-f", "mjpeg", "-"])
}

/// The mean luma of the picture that a player shows after jumping to `seconds`.
pub(crate) fn shade_at(path: &Path, seconds: &str) -> u8 {
    let one = ["-frames:v", "1", "-vf", "scale=1:1:flags=area,format=gray", "-f", "rawvideo", "-"];
    ffmpeg(path, &["-ss", seconds], &one)[0]
}

fn ffmpeg(path: &Path, before: &[&str], after: &[&str]) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error"])
        .args(before)
        .arg("-i")
        .arg(path)
        .args(after)
        .output()
        .expect("ffmpeg");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn probe(path: &Path, args: &[&str]) -> String {
    let output =
        Command::new("ffprobe").args(["-v", "error"]).args(args).arg(path).output().expect("ffprobe");
    String::from_utf8(output.stdout).expect("text")
}
