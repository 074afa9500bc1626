//! Which of a device's modes to take: decisions on plain values, no device.
//!
//! With a wanted size, the size comes first, then the rate, then the format: MJPEG, because a frame that is
//! JPEG already is passed through; then the raw formats in the order of [`RAW_PREFERENCE`]. Without one, a
//! wanted rate comes first; then the largest MJPEG size up to 1280x720 is taken, else the largest raw size up
//! to that which keeps up some 30 frames per second (or the wanted rate).
//!
//! Behind libcamera's compatibility layer MJPEG comes last: the raw formats are what its pipelines are
//! built for, and asking for MJPEG is known to end some of them.

use core::cmp::Reverse;
use core::fmt;
use core::str::FromStr;

use v4l::FourCC;

use super::formats::{Encoding, Extent, Interval, Offer, Rates, Size};
use crate::picture::RawFormat;

/// Raw formats, the cheapest to encode and most exact first.
pub const RAW_PREFERENCE: [RawFormat; 6] =
    [RawFormat::Yuyv, RawFormat::Uyvy, RawFormat::Nv12, RawFormat::Yu12, RawFormat::Rgb24, RawFormat::Grey];

/// Largest size that is taken when none is asked for.
pub const DEFAULT_SIZE: Size = (1280, 720);
/// Rate that is taken, if there is a choice, when none is asked for.
pub const DEFAULT_RATE: u32 = 30;

/// Sizes that are tried within a range of sizes when the bus cannot carry a larger one.
const USUAL_SIZES: [Size; 6] = [(1920, 1080), (1280, 720), (800, 600), (640, 480), (320, 240), (160, 120)];

/// The `--format` option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FormatChoice {
    /// What serves best.
    #[default]
    Auto,
    /// Only frames that the camera has coded as JPEG.
    Mjpeg,
    /// Only this raw format.
    Raw(RawFormat),
}

impl FormatChoice {
    fn admits(self, encoding: Encoding) -> bool {
        match self {
            Self::Auto => true,
            Self::Mjpeg => encoding == Encoding::Jpeg,
            Self::Raw(format) => encoding == Encoding::Raw(format),
        }
    }
}

impl fmt::Display for FormatChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Mjpeg => "mjpeg",
            Self::Raw(RawFormat::Yuyv) => "yuyv",
            Self::Raw(RawFormat::Uyvy) => "uyvy",
            Self::Raw(RawFormat::Nv12) => "nv12",
            Self::Raw(RawFormat::Yu12) => "yu12",
            Self::Raw(RawFormat::Rgb24) => "rgb24",
            Self::Raw(RawFormat::Grey) => "grey",
        })
    }
}

impl FromStr for FormatChoice {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let raw = RAW_PREFERENCE.map(Self::Raw);
        [Self::Auto, Self::Mjpeg]
            .into_iter()
            .chain(raw)
            .find(|choice| choice.to_string().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

/// Not the name of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFormat(String);

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "format {:?}: must be auto, mjpeg, yuyv, uyvy, nv12, yu12, rgb24 or grey", self.0)
    }
}

impl core::error::Error for UnknownFormat {}

/// What is asked of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish {
    /// Width and height.
    pub size: Option<Size>,
    /// Frames per second, at least 1.
    pub fps: Option<u32>,
    /// Which formats will do.
    pub format: FormatChoice,
    /// Whether libcamera's compatibility layer is the device.
    pub compatibility_layer: bool,
}

/// A format, size and rate of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// The format's code.
    pub fourcc: FourCC,
    /// What it means.
    pub encoding: Encoding,
    /// Width and height.
    pub size: Size,
    /// What to ask for; the driver may know better.
    pub interval: Interval,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}x{} at {} fps", self.fourcc, self.size.0, self.size.1, self.interval)
    }
}

impl Mode {
    fn area(&self) -> u64 {
        u64::from(self.size.0) * u64::from(self.size.1)
    }

    /// Bits per second on the bus, roughly: a camera's JPEG takes some 4 bits per pixel at most.
    fn load(&self) -> u64 {
        let bits = match self.encoding {
            Encoding::Jpeg => 4,
            Encoding::Raw(RawFormat::Grey) => 8,
            Encoding::Raw(RawFormat::Nv12 | RawFormat::Yu12) => 12,
            Encoding::Raw(RawFormat::Yuyv | RawFormat::Uyvy) => 16,
            Encoding::Raw(RawFormat::Rgb24) => 24,
        };
        self.area() * bits * 1000 / (self.interval.micros() / 1000).max(1)
    }
}

/// All modes that could be used, the best first; empty if the device has none.
#[must_use]
pub fn modes(offers: &[Offer], wish: &Wish) -> Vec<Mode> {
    let mut modes = Vec::new();
    for offer in offers {
        let Some(encoding) = Encoding::of(offer.fourcc) else { continue };
        if !wish.format.admits(encoding) {
            continue;
        }
        let mut add = |size, rates: &Rates| {
            let mode = Mode { fourcc: offer.fourcc, encoding, size, interval: pick(rates, wish) };
            if !modes.contains(&mode) {
                modes.push(mode);
            }
        };
        let wanted = wish.size.unwrap_or(DEFAULT_SIZE);
        if offer.sizes.is_empty() {
            add(wanted, &Rates::Unknown);
        }
        for size in &offer.sizes {
            add(size.extent.nearest(wanted), &size.rates);
            if let Extent::Range { .. } = size.extent {
                let within = USUAL_SIZES.into_iter().filter(|usual| size.extent.nearest(*usual) == *usual);
                within.for_each(|usual| add(usual, &size.rates));
            }
        }
    }
    match wish.size {
        Some(wanted) => modes.sort_by_key(|mode| guided(mode, wanted, wish)),
        None => modes.sort_by_key(|mode| unguided(mode, wish)),
    }
    modes
}

/// The mode to try when the bus cannot carry `refused`: of those with less load and no more pixels the
/// largest picture, first among those that are not much slower.
#[must_use]
pub fn next_smaller(modes: &[Mode], refused: &Mode) -> Option<Mode> {
    let lighter = modes.iter().filter(|mode| mode.load() < refused.load() && mode.area() <= refused.area());
    let keeps_up = |mode: &Mode| mode.interval.rate() >= refused.interval.rate() * 0.8;
    // `max_by_key` takes the last of equals; the order of preference wants the first.
    lighter.rev().max_by_key(|mode| (keeps_up(mode), mode.area())).copied()
}

/// How far a size is from the wanted one; larger ones are a little farther away.
fn distance(size: Size, wanted: Size) -> u64 {
    let apart = u64::from(size.0.abs_diff(wanted.0)) + u64::from(size.1.abs_diff(wanted.1));
    apart * 2 + u64::from(size.0 > wanted.0 || size.1 > wanted.1)
}

/// By how many thousandths a rate stays below what is wanted. Without a wanted rate, four fifths of the
/// usual one will do.
fn shortfall(mode: &Mode, wish: &Wish) -> u32 {
    let (target, enough) = match wish.fps {
        Some(fps) => (f64::from(fps), 0.98),
        None => (f64::from(DEFAULT_RATE), 0.8),
    };
    let reached = mode.interval.rate() / target;
    if reached >= enough { 0 } else { ((1.0 - reached) * 1000.0) as u32 }
}

fn rank(mode: &Mode, wish: &Wish) -> usize {
    // Of the raw formats those that a pipeline gives without conversion come first behind the layer.
    const COMPATIBLE: [RawFormat; 6] = [
        RawFormat::Yuyv,
        RawFormat::Nv12,
        RawFormat::Uyvy,
        RawFormat::Yu12,
        RawFormat::Rgb24,
        RawFormat::Grey,
    ];
    let order = if wish.compatibility_layer { &COMPATIBLE } else { &RAW_PREFERENCE };
    match mode.encoding {
        Encoding::Jpeg if wish.compatibility_layer => order.len() + 1,
        Encoding::Jpeg => 0,
        Encoding::Raw(format) => 1 + order.iter().position(|one| *one == format).unwrap_or(order.len()),
    }
}

/// Order of modes when a size is wanted.
fn guided(mode: &Mode, wanted: Size, wish: &Wish) -> (u64, u32, usize) {
    (distance(mode.size, wanted), shortfall(mode, wish), rank(mode, wish))
}

/// Order of modes when no size is wanted.
fn unguided(mode: &Mode, wish: &Wish) -> (u32, bool, bool, u32, Reverse<u64>, u64, usize) {
    let passed_over = (mode.encoding == Encoding::Jpeg) == wish.compatibility_layer;
    let too_large = mode.size.0 > DEFAULT_SIZE.0 || mode.size.1 > DEFAULT_SIZE.1;
    let tiny = mode.area() < 320 * 240;
    let slow = shortfall(mode, wish) + if tiny { 1000 } else { 0 };
    // Behind the layer no rate is worth MJPEG.
    let late = if wish.fps.is_some() && !wish.compatibility_layer { slow } else { 0 };
    // Of those that fit the largest, of those that do not the smallest.
    let (fitting, beyond) = if too_large { (0, mode.area()) } else { (mode.area(), 0) };
    (late, passed_over, too_large, slow / 200, Reverse(fitting), beyond, rank(mode, wish))
}

/// The interval to ask for: the slowest that is fast enough, else the fastest.
fn pick(rates: &Rates, wish: &Wish) -> Interval {
    let target = wish.fps.unwrap_or(DEFAULT_RATE).max(1);
    let wanted = Interval::new(1, target).unwrap_or(FALLBACK);
    match rates {
        Rates::Unknown => wanted,
        Rates::Range { shortest, longest } => wanted.clamp(*shortest.min(longest), *longest.max(shortest)),
        Rates::Exact(intervals) => {
            let enough = |interval: &&Interval| interval.rate() >= f64::from(target) * 0.98;
            let slowest = intervals.iter().filter(enough).max();
            slowest.or(intervals.iter().min()).copied().unwrap_or(wanted)
        }
    }
}

const FALLBACK: Interval = match Interval::new(1, DEFAULT_RATE) {
    Some(interval) => interval,
    None => panic!("the default rate is not 0"),
};

#[cfg(test)]
#[path = "negotiate_tests.rs"]
mod tests;
