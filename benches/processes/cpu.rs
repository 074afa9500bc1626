//! CPU time of whole processes.

use std::io::{self, Write};

use crate::contestants::{Contestant, Feed, Stage};
use crate::measure::{clock, median, percentile};
use crate::program::pause;
use crate::{Effort, bounded};

/// Until everything is warm.
const WARM_UP: f64 = 1.5;

/// What one end takes for a frame.
#[derive(Default)]
struct End {
    /// CPU microseconds.
    cpu: Vec<f64>,
    /// Times that it waited.
    waits: Vec<f64>,
}

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
    let mut figures: Vec<[End; 2]> = contestants.iter().map(|_| Default::default()).collect();
    for _ in 0..effort.rounds {
        for (contestant, ends) in contestants.iter().zip(&mut figures) {
            measure(*contestant, stage, effort, ends)?;
        }
    }
    writeln!(
        out,
        "whole processes: CPU us a frame, median [10 %-90 %] of {} rounds; waits a frame",
        effort.rounds
    )?;
    for (contestant, ends) in contestants.iter().zip(&figures) {
        write!(out, "  {:<16}", contestant.name())?;
        for (name, end) in ["sender", "receiver"].iter().zip(ends) {
            let (low, high) = (percentile(&end.cpu, 10), percentile(&end.cpu, 90));
            let (cpu, waits) = (median(&end.cpu), median(&end.waits));
            write!(out, "   {name} {cpu:6.0} [{low:.0}-{high:.0}], {waits:.1} waits")?;
        }
        writeln!(out)?;
    }
    let ratio = |other: usize, end: usize| {
        let both = figures[1][end].cpu.iter().zip(&figures[other][end].cpu);
        median(&both.map(|(product, other)| product / other).collect::<Vec<_>>())
    };
    let mut good = true;
    for (end, name) in ["sender", "receiver"].iter().enumerate() {
        good &= bounded(out, &format!("{name}: product to floor"), ratio(0, end), 1.25)?;
        if gstreamer {
            good &= bounded(out, &format!("{name}: product to GStreamer"), ratio(3, end), 0.30)?;
        }
    }
    Ok(good)
}

fn measure(contestant: Contestant, stage: &Stage, effort: Effort, ends: &mut [End; 2]) -> io::Result<()> {
    let mut programs = contestant.start(stage, Feed::File)?;
    pause(WARM_UP);
    let look = |programs: &[_; 2]| {
        let [sender, receiver]: &[crate::program::Program; 2] = programs;
        (clock(libc::CLOCK_MONOTONIC), [sender, receiver].map(|end| (end.cpu(), end.waits())))
    };
    let (start, before) = look(&programs);
    pause(effort.seconds);
    let (end, after) = look(&programs);
    assert!(programs.iter_mut().all(|program| !program.has_ended()), "{} has ended", contestant.name());
    let frames = (end - start) * 30e-6;
    for ((into, before), after) in ends.iter_mut().zip(before).zip(after) {
        into.cpu.push((after.0 - before.0) / frames);
        into.waits.push((after.1 - before.1) as f64 / frames);
    }
    Ok(())
}
