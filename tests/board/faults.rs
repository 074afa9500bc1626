//! How long the stream takes to come back after each of the faults of `scenarios/faults`.

use std::collections::HashSet;
use std::fmt::Write as _;

use sealcam::jpeg::{RestartOffsets, walk};
use sealcam::time::{Duration, Instant};

use crate::wire::{Departed, seconds};

/// The stream is back within this time of the cause going away.
pub(crate) const BACK: Duration = Duration::from_secs(2);

/// Longest without a new picture where nothing is to be noticed of a fault: a few frames.
const UNNOTICED: Duration = Duration::from_millis(500);

/// How soon after the cause has come pictures have ceased: what was on its way then has left.
const CEASED: Duration = Duration::from_millis(200);

/// What is to be seen between the coming and the going of a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meanwhile {
    /// Pictures, as if nothing were.
    Pictures,
    /// NO SIGNAL and no picture.
    Notices,
    /// Nothing at all.
    Nothing,
    /// The cause comes and goes in one moment.
    OneMoment,
}

/// Whether the stream goes on, or another one begins, as it does with a new process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    SameStream,
    NewStream,
}

use Meanwhile::{Nothing, Notices, OneMoment, Pictures};
use Then::{NewStream, SameStream};

/// The faults in their order: name, what is to be seen meanwhile, and what comes then.
pub(crate) const FAULTS: &[(&str, Meanwhile, Then)] = &[
    ("first-start", OneMoment, NewStream),
    ("error-flag", Pictures, SameStream),
    ("dropped-buffers", Notices, SameStream),
    ("queue-error", OneMoment, SameStream),
    ("fatal-error", OneMoment, SameStream),
    ("start-error", OneMoment, SameStream),
    ("disconnect", OneMoment, SameStream),
    ("unplugged", Notices, SameStream),
    ("link-down", Nothing, SameStream),
    ("address-changed", Nothing, SameStream),
    ("full-disk", Pictures, SameStream),
    ("start-on-full-disk", OneMoment, NewStream),
    ("bad-configuration", Pictures, SameStream),
    ("other-quality", Pictures, SameStream),
    ("killed", OneMoment, NewStream),
    ("stopped", Nothing, NewStream),
    ("restarted", OneMoment, NewStream),
    ("start-without-camera", Notices, NewStream),
    ("start-without-network", Nothing, NewStream),
    ("read-only-root", OneMoment, NewStream),
];

/// When a cause came and went, on the board's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause {
    pub(crate) on: Instant,
    pub(crate) off: Instant,
}

/// Reads what the console said of a fault: `MARK 12.34 on NAME`, `MARK 15.67 off NAME`.
pub(crate) fn cause(console: &[(Instant, String)], name: &str) -> Cause {
    let time = |word: &str| {
        let end = format!(" {word} {name}");
        let mut said = console.iter().filter_map(|(_, line)| line.strip_prefix("MARK ")?.strip_suffix(&end));
        let said = said.next().unwrap_or_else(|| panic!("the board never said {word} {name}"));
        Instant::ORIGIN + seconds(said).unwrap_or_else(|| panic!("{word} {name} at {said}?"))
    };
    Cause { on: time("on"), off: time("off") }
}

/// What was seen of a fault.
pub(crate) struct Seen {
    name: &'static str,
    /// From the going of the cause to the picture that shows that the stream is back.
    pub(crate) back: Option<Duration>,
    /// Longest from one new picture to the next around it.
    dark: Duration,
    /// What is not as it should be.
    pub(crate) wrong: Vec<String>,
}

/// Judges a fault by the frames that left the board. The stream is back once one has arrived as well; how many
/// of the others are lost here is a matter of this machine, which may be busy.
pub(crate) fn judge(
    (name, meanwhile, then): (&'static str, Meanwhile, Then),
    cause: Cause,
    departed: &[Departed],
    arrived: &HashSet<Vec<u8>>,
) -> Seen {
    let pictures = || departed.iter().filter(|frame| !frame.notice);
    // The first may have been on its way, or have lain in a queue; the second is surely a new one.
    let new = pictures().filter(|frame| frame.at >= cause.off).skip(1);
    let back = new.into_iter().find(|frame| arrived.contains(&frame.jpeg));
    let waited = back.map(|frame| frame.at.since(cause.off));
    let before = pictures().rfind(|frame| frame.at < cause.on);
    let until = back.map_or(cause.off + BACK, |frame| frame.at);
    let around = pictures().filter(|frame| frame.at >= cause.on && frame.at <= until);
    let around: Vec<Instant> = before.into_iter().chain(around).map(|frame| frame.at).collect();
    let dark = around.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap_or_default();

    let mut wrong = Vec::new();
    match waited {
        None => wrong.push("the stream never came back".to_owned()),
        Some(waited) if waited > BACK => wrong.push(format!("back after {waited:?}")),
        Some(_) => {}
    }
    let between = |frame: &&Departed| frame.at > cause.on + CEASED && frame.at < cause.off;
    let seen = pictures().filter(between).count();
    let notices = departed.iter().filter(between).count() - seen;
    let fits = match meanwhile {
        OneMoment => true,
        Pictures => dark <= UNNOTICED && notices == 0,
        Notices => seen == 0 && notices > 0,
        Nothing => seen == 0 && notices == 0,
    };
    if !fits {
        wrong.push(format!("{seen} pictures and {notices} notices meanwhile, {dark:?} without a picture"));
    }
    if let (Some(before), Some(back)) = (before, back)
        && (before.stream == back.stream) != (then == SameStream)
    {
        wrong.push(format!("stream {}, then {}", before.stream, back.stream));
    }
    Seen { name, back: waited, dark, wrong }
}

/// The table: fault, seconds to the return, longest time without a new picture.
pub(crate) fn table(seen: &[Seen]) -> String {
    let mut table = format!("{:<24}{:>8}{:>10}\n", "fault", "back [s]", "dark [s]");
    for Seen { name, back, dark, wrong } in seen {
        let back = back.map_or_else(|| "never".to_owned(), |back| format!("{:.2}", back.as_secs_f64()));
        let wrong = if wrong.is_empty() { String::new() } else { format!("  WRONG: {}", wrong.join("; ")) };
        writeln!(table, "{name:<24}{back:>8}{:>10.2}{wrong}", dark.as_secs_f64()).expect("a string takes it");
    }
    table
}

/// Pictures have quality 80 before the change and 40 after it.
pub(crate) fn quality_changes(departed: &[Departed], change: Cause) {
    let quality = |frame: &Departed| walk(&frame.jpeg, &mut RestartOffsets::new()).expect("a JPEG").quality;
    let last = departed.iter().rfind(|frame| !frame.notice && frame.at < change.on).expect("pictures before");
    let then =
        departed.iter().find(|frame| !frame.notice && frame.at > change.off + BACK).expect("pictures after");
    assert_eq!((quality(last), quality(then)), (Some(80), Some(40)));
}
