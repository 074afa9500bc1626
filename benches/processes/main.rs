//! What whole programs cost at 30 frames a second over loopback: `cargo bench --features viewer --bench
//! processes`, or `-- quick`.
//!
//! | contestant | sender | receiver |
//! |---|---|---|
//! | product | `sealcam stream --source file:…` | `sealview watch --no-window` |
//! | floor | this program: reads the same file, seals, sends, sleeps | this program: receives batches, opens |
//! | GStreamer | `filesrc ! avidemux ! rtpjpegpay ! srtpenc ! udpsink` | `udpsrc ! srtpdec ! rtpjpegdepay ! fakesink` |
//!
//! All play the same 30 JPEG images of 1080p 4:2:2 in a loop, from a file that the system holds in memory, in
//! datagrams of about 1,400 bytes, unpaced. They run one after the other in each round; a figure is the median
//! over the rounds of the process's CPU time (user and system, all threads) in a steady window. Nothing is
//! subtracted. All run with real-time priority where that is allowed, so that other work on the machine does
//! not count. On loopback the kernel charges the sender for most of the receiver's side of the network, to
//! all three alike.
//!
//! Latency: images are written into the sender's standard input and read from the receiver's standard output
//! (`sealcam --source -`, `sealview --stdout`; `fdsrc ! jpegparse`, `fdsink`); from just before the first byte is
//! written to just after the last one is read. The product also runs with its default pacing.
//!
//! Without `gst-launch-1.0` and its plugins (Debian: gstreamer1.0-tools, gstreamer1.0-plugins-good and -bad) that
//! part is left out. Exits with 1 if a ratio is over its bound.

#[path = "../bare_stream.rs"]
mod bare_stream;
mod contestants;
mod cpu;
mod floor;
mod latency;
#[path = "../measure.rs"]
mod measure;
mod pictures;
mod program;
#[path = "../scene.rs"]
mod scene;

use std::io::{self, Write};
use std::process::ExitCode;

use contestants::{Contestant, Stage};

/// How long and how often to measure.
#[derive(Debug, Clone, Copy)]
struct Effort {
    rounds: usize,
    /// Seconds of a window.
    seconds: f64,
}

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["floor-send", to, file] => floor::send(to, file),
        ["floor-receive", at, out] => floor::receive(at, out),
        _ => bench(&words),
    }
}

fn bench(words: &[&str]) -> io::Result<ExitCode> {
    let quick = words.contains(&"quick");
    let effort = if quick { Effort { rounds: 3, seconds: 2.0 } } else { Effort { rounds: 7, seconds: 5.0 } };
    let all = !words.contains(&"cpu") && !words.contains(&"latency");
    let mut out = io::stdout();
    let stage = Stage::new()?;
    let first = program::go_first();
    writeln!(
        out,
        "30 frames a second of {:.1} kB, {} rounds of {} s, {}",
        stage.images.mean_len() / 1e3,
        effort.rounds,
        effort.seconds,
        measure::built_for()
    )?;
    if !first {
        writeln!(out, "no right to real-time priority: other work on this machine is measured along")?;
    }
    let gstreamer = Contestant::GStreamer.is_there();
    if !gstreamer {
        writeln!(out, "gst-launch-1.0 or one of its plugins is missing: GStreamer is left out")?;
    }
    let mut good = true;
    if all || words.contains(&"cpu") {
        good &= cpu::compare(&mut out, &stage, effort, gstreamer)?;
    }
    if all || words.contains(&"latency") {
        good &= latency::compare(&mut out, &stage, effort, gstreamer)?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints a figure that has a bound, and whether it holds.
fn bounded(out: &mut impl Write, what: &str, value: f64, bound: f64) -> io::Result<bool> {
    let good = value <= bound;
    let verdict = if good { "bound" } else { "OVER the bound" };
    writeln!(out, "  {what:<44} {value:7.3} ({verdict} {bound})")?;
    Ok(good)
}
