//! From an image's first byte in to its last byte out.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::Mutex;
use std::thread;

use crate::contestants::{Contestant, Feed, Stage};
use crate::measure::{clock, median, percentile};
use crate::pictures::Images;
use crate::program::{find_end, pause};
use crate::{Effort, bounded};

const INTERVAL: f64 = 1e6 / 30.0;
/// Images at the start that do not count.
const WARM_UP: usize = 30;
/// Bytes at the end of an image's data that tell it from the others, before EOI: every contestant hands
/// them over as they are.
const SIGNATURE: usize = 16;
/// The share of the frame interval that a frame is spread over by default, in milliseconds.
const PACED: f64 = 0.25 * INTERVAL / 1e3;

/// Compares all contestants and prints the ratios; whether they hold their bounds.
pub(crate) fn compare(
    out: &mut impl Write,
    stage: &Stage,
    effort: Effort,
    gstreamer: bool,
) -> io::Result<bool> {
    let mut contestants = vec![Contestant::Floor, Contestant::Product, Contestant::Paced];
    if gstreamer {
        contestants.push(Contestant::GStreamer);
    }
    let mut figures: Vec<(Vec<f64>, Vec<f64>, Vec<f64>)> =
        contestants.iter().map(|_| Default::default()).collect();
    for _ in 0..effort.rounds {
        for (contestant, (p50, p99, lost)) in contestants.iter().zip(&mut figures) {
            let count = (effort.seconds * 30.0) as usize + WARM_UP;
            let times = measure(*contestant, stage, count)?;
            lost.push((count - WARM_UP - times.len()) as f64);
            p50.push(percentile(&times, 50) / 1e3);
            p99.push(percentile(&times, 99) / 1e3);
        }
    }
    writeln!(out, "latency, image in to image out: ms, medians over {} rounds", effort.rounds)?;
    for (contestant, (p50, p99, lost)) in contestants.iter().zip(&figures) {
        let (name, p50, lost) = (contestant.name(), median(p50), lost.iter().sum::<f64>());
        let (p99, low, high) = (median(p99), percentile(p99, 10), percentile(p99, 90));
        writeln!(
            out,
            "  {name:<16}   p50 {p50:6.2}   p99 {p99:6.2} [{low:.2}-{high:.2}]   images lost {lost}"
        )?;
    }
    let p99 = |index: usize| median(&figures[index].1);
    let p50 = |index: usize| median(&figures[index].0);
    let mut good = true;
    if gstreamer {
        writeln!(out, "  {:<44} {:7.3}", "p50: product to GStreamer", p50(1) / p50(3))?;
        good &= bounded(out, "p99: product to GStreamer", p99(1) / p99(3), 0.30)?;
    }
    writeln!(out, "  {:<44} {:7.3}", "p50: product to floor", p50(1) / p50(0))?;
    let growth = (p99(2) - p99(1)) / PACED;
    good &= bounded(out, "p99: growth by pacing to its share", growth, 1.0)?;
    Ok(good)
}

/// Latencies in microseconds of the images that came through.
fn measure(contestant: Contestant, stage: &Stage, count: usize) -> io::Result<Vec<f64>> {
    let [mut sender, mut receiver] = contestant.start(stage, Feed::Pipes)?;
    let (input, output) = (sender.input(), receiver.output());
    let signatures: HashMap<Vec<u8>, usize> =
        stage.images.iter().enumerate().map(|(number, image)| (signature(image), number)).collect();
    assert_eq!(signatures.len(), stage.images.iter().count(), "images that look the same");
    let handed = Mutex::new(vec![0.0; signatures.len()]);
    thread::scope(|scope| {
        let reader = scope.spawn(|| read(output, &signatures, &handed));
        // Until both programs are up.
        pause(0.6);
        let fed = feed(input, contestant == Contestant::Floor, &stage.images, count, &handed);
        pause(0.5);
        // Ends the reader, which sees the end of its pipe.
        drop((sender, receiver));
        let mut times = reader.join().expect("the reader does not panic");
        fed.map(|()| times.split_off(WARM_UP.min(times.len())))
    })
}

fn signature(image: &[u8]) -> Vec<u8> {
    let end = image.len() - 2;
    image[end - SIGNATURE..end].to_vec()
}

/// Writes an image every thirtieth of a second.
fn feed(
    mut input: ChildStdin,
    with_length: bool,
    images: &Images,
    count: usize,
    handed: &Mutex<Vec<f64>>,
) -> io::Result<()> {
    let mut due = clock(libc::CLOCK_MONOTONIC);
    for (number, image) in images.iter().enumerate().collect::<Vec<_>>().into_iter().cycle().take(count) {
        pause((due - clock(libc::CLOCK_MONOTONIC)).max(0.0) / 1e6);
        due += INTERVAL;
        handed.lock().expect("nobody panics")[number] = clock(libc::CLOCK_MONOTONIC);
        if with_length {
            input.write_all(&(image.len() as u32).to_be_bytes())?;
        }
        input.write_all(image)?;
    }
    Ok(())
}

/// Reads images until the pipe ends; the time that each took.
fn read(mut output: ChildStdout, signatures: &HashMap<Vec<u8>, usize>, handed: &Mutex<Vec<f64>>) -> Vec<f64> {
    let mut buffer = vec![0; 4 << 20];
    let (mut filled, mut looked, mut times) = (0, 0, Vec::new());
    while let Ok(count @ 1..) = output.read(&mut buffer[filled..]) {
        let now = clock(libc::CLOCK_MONOTONIC);
        filled += count;
        while let Some(at) = find_end(&buffer[looked..filled]) {
            let end = looked + at;
            looked = end + 2;
            let tail = &buffer[end.saturating_sub(SIGNATURE)..end];
            if let Some(number) = signatures.get(tail) {
                times.push(now - handed.lock().expect("nobody panics")[*number]);
            }
        }
        // The last byte may be half an EOI.
        looked = looked.max(filled.saturating_sub(1));
        if buffer.len() - filled < 1 << 20 {
            buffer.copy_within(filled - 64..filled, 0);
            looked = 64 - (filled - looked);
            filled = 64;
        }
    }
    times
}
