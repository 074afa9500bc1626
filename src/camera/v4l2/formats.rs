//! What a device offers: formats, sizes, rates.
//!
//! Drivers leave parts out: a call that a driver does not know (`ENOTTY`) or refuses means that it offers
//! nothing to choose from there, not that it is broken. Answers are bounded, so that a driver which never
//! says "no more" does not hold the program up.

use core::cmp::Ordering;
use core::fmt;

use nix::errno::Errno;
use v4l::FourCC;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;

use super::sys::{Node, Refused};
use crate::picture::RawFormat;

/// Most answers that are asked for in one enumeration; real devices have some twenty.
const MOST: u32 = 128;

/// How a device codes its pictures, if it is a way that can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Each frame is a JPEG image.
    Jpeg,
    /// Raw samples.
    Raw(RawFormat),
}

impl Encoding {
    /// What a V4L2 pixel format means here; `None` for those that cannot be sent.
    #[must_use]
    pub fn of(fourcc: FourCC) -> Option<Self> {
        Some(match &fourcc.repr {
            b"MJPG" | b"JPEG" => Self::Jpeg,
            b"YUYV" => Self::Raw(RawFormat::Yuyv),
            b"UYVY" => Self::Raw(RawFormat::Uyvy),
            b"NV12" => Self::Raw(RawFormat::Nv12),
            b"YU12" => Self::Raw(RawFormat::Yu12),
            b"RGB3" => Self::Raw(RawFormat::Rgb24),
            b"GREY" => Self::Raw(RawFormat::Grey),
            _ => return None,
        })
    }
}

/// Whether a format is a sensor's raw colour mosaic, which only libcamera turns into pictures.
#[must_use]
pub fn is_bayer(fourcc: FourCC) -> bool {
    let [a, b, c, _] = fourcc.repr;
    // 8-bit names are the rows of the mosaic; deeper ones are BG10, BA12, RG16, BYR2 and the like; packed
    // ones pBAA, pgAA, pRCC; compressed ones aBA8, bGA8; those of the Pi 5 PC1B, PC1R.
    matches!(&fourcc.repr, b"BA81" | b"GBRG" | b"GRBG" | b"RGGB" | b"BYR2")
        || (matches!([a, b], [b'B', b'G' | b'A'] | [b'G', b'B' | b'R'] | [b'R', b'G']) && c == b'1')
        || (matches!(a, b'p' | b'a' | b'b')
            && matches!(b, b'B' | b'G' | b'g' | b'R')
            && matches!(c, b'A' | b'C' | b'E' | b'F'))
        || matches!([a, b, c], [b'P', b'C', b'1' | b'2'])
}

/// One pixel format and the sizes it comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The format's code.
    pub fourcc: FourCC,
    /// What the driver calls it.
    pub description: String,
    /// Sizes; empty if the driver does not say.
    pub sizes: Vec<SizeOffer>,
}

/// A size, or a range of sizes, and its rates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizeOffer {
    /// Which sizes.
    pub extent: Extent,
    /// Which rates; for a range of sizes those at the size that comes nearest to the wanted one.
    pub rates: Rates,
}

/// Width and height in pixels.
pub type Size = (u32, u32);

/// One size or a range of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Just this size.
    Exact(Size),
    /// Sizes from `min` to `max` in steps of `step`.
    Range {
        /// Smallest width and height.
        min: Size,
        /// Largest width and height.
        max: Size,
        /// Steps of width and height, at least 1.
        step: Size,
    },
}

impl Extent {
    /// The size in the extent that comes nearest to `wanted`.
    #[must_use]
    pub fn nearest(&self, wanted: Size) -> Size {
        let fit = |wanted: u32, min: u32, max: u32, step: u32| {
            let max = max.max(min);
            let clamped = wanted.clamp(min, max);
            let down = clamped - (clamped - min) % step.max(1);
            let up = down.saturating_add(step.max(1));
            if clamped - down > up - clamped && up <= max { up } else { down }
        };
        match *self {
            Self::Exact(size) => size,
            Self::Range { min, max, step } => {
                (fit(wanted.0, min.0, max.0, step.0), fit(wanted.1, min.1, max.1, step.1))
            }
        }
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact((width, height)) => write!(f, "{width}x{height}"),
            Self::Range { min, max, .. } => write!(f, "{}x{} to {}x{}", min.0, min.1, max.0, max.1),
        }
    }
}

/// Frame rates of a format at a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rates {
    /// The driver does not say.
    Unknown,
    /// These intervals, in the driver's order.
    Exact(Vec<Interval>),
    /// Any interval between two.
    Range {
        /// Highest rate.
        shortest: Interval,
        /// Lowest rate.
        longest: Interval,
    },
}

/// Time from one frame to the next in seconds, as a fraction without zeros.
#[derive(Debug, Clone, Copy)]
pub struct Interval {
    numerator: u32,
    denominator: u32,
}

impl Interval {
    /// `numerator / denominator` seconds; `None` if one of them is 0.
    #[must_use]
    pub const fn new(numerator: u32, denominator: u32) -> Option<Self> {
        if numerator == 0 || denominator == 0 { None } else { Some(Self { numerator, denominator }) }
    }

    /// Numerator and denominator.
    #[must_use]
    pub const fn parts(self) -> (u32, u32) {
        (self.numerator, self.denominator)
    }

    /// Frames per second.
    #[must_use]
    pub fn rate(self) -> f64 {
        f64::from(self.denominator) / f64::from(self.numerator)
    }

    /// Microseconds.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.numerator as u64 * 1_000_000 / self.denominator as u64
    }
}

impl PartialEq for Interval {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Interval {}

impl PartialOrd for Interval {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Interval {
    fn cmp(&self, other: &Self) -> Ordering {
        let left = u64::from(self.numerator) * u64::from(other.denominator);
        left.cmp(&(u64::from(other.numerator) * u64::from(self.denominator)))
    }
}

impl fmt::Display for Interval {
    /// The rate: `30`, `7.5`, `29.97`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = (self.rate() * 100.0).round() / 100.0;
        write!(f, "{hundredths}")
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("rates not stated"),
            Self::Exact(intervals) => {
                for interval in intervals {
                    write!(f, "{interval} ")?;
                }
                f.write_str("fps")
            }
            Self::Range { shortest, longest } => write!(f, "{longest} to {shortest} fps"),
        }
    }
}

/// A frame size that a driver named, as an extent; `None` for one that makes no sense.
fn extent(size: &FrameSizeEnum) -> Option<Extent> {
    let sane = |(width, height): Size| (1..=65_535).contains(&width) && (1..=65_535).contains(&height);
    match size {
        FrameSizeEnum::Discrete(size) => {
            let size = (size.width, size.height);
            sane(size).then_some(Extent::Exact(size))
        }
        FrameSizeEnum::Stepwise(range) => {
            let min = (range.min_width.max(1), range.min_height.max(1));
            let max = (range.max_width.min(65_535), range.max_height.min(65_535));
            let step = (range.step_width.max(1), range.step_height.max(1));
            (sane(max) && min.0 <= max.0 && min.1 <= max.1).then_some(Extent::Range { min, max, step })
        }
    }
}

/// All that a device offers for capture. Rates of ranges of sizes are asked at what is nearest to `wanted`.
///
/// # Errors
///
/// When the formats cannot be listed at all, as of a device that has just been unplugged.
pub(crate) fn offers(node: &Node, wanted: Size) -> Result<Vec<Offer>, Refused> {
    let mut offers: Vec<Offer> = Vec::new();
    for index in 0..MOST {
        let format = match node.format_at(index) {
            Ok(format) => format,
            Err(Refused { errno: Errno::EINVAL | Errno::ENOTTY, .. }) => break,
            Err(refused) => return Err(refused),
        };
        let fourcc = FourCC::from(format.pixelformat);
        if offers.iter().any(|offer| offer.fourcc == fourcc) {
            continue;
        }
        let sizes = sizes(node, fourcc, wanted);
        offers.push(Offer { fourcc, description: super::device::name(&format.description), sizes });
    }
    Ok(offers)
}

fn sizes(node: &Node, fourcc: FourCC, wanted: Size) -> Vec<SizeOffer> {
    let mut sizes: Vec<SizeOffer> = Vec::new();
    for index in 0..MOST {
        let Ok(answer) = node.size_at(fourcc, index) else { break };
        // An unknown kind of answer is passed over.
        let Ok(size) = FrameSizeEnum::try_from(answer) else { continue };
        let ranged = matches!(size, FrameSizeEnum::Stepwise(_));
        if let Some(extent) = extent(&size)
            && !sizes.iter().any(|known| known.extent == extent)
        {
            let rates = rates(node, fourcc, extent.nearest(wanted));
            sizes.push(SizeOffer { extent, rates });
        }
        if ranged {
            break;
        }
    }
    sizes
}

fn rates(node: &Node, fourcc: FourCC, size: Size) -> Rates {
    let mut intervals = Vec::new();
    for index in 0..MOST {
        let Ok(answer) = node.interval_at(fourcc, size, index) else { break };
        match FrameIntervalEnum::try_from(answer) {
            Ok(FrameIntervalEnum::Discrete(one)) => {
                intervals.extend(Interval::new(one.numerator, one.denominator));
            }
            Ok(FrameIntervalEnum::Stepwise(range)) => {
                let shortest = Interval::new(range.min.numerator, range.min.denominator);
                let longest = Interval::new(range.max.numerator, range.max.denominator);
                return match (shortest, longest) {
                    (Some(shortest), Some(longest)) => Rates::Range { shortest, longest },
                    // A shortest interval of 0 means "as fast as you like".
                    (None, Some(longest)) => Rates::Range { shortest: FASTEST, longest },
                    _ => Rates::Unknown,
                };
            }
            Err(_) => {}
        }
    }
    if intervals.is_empty() { Rates::Unknown } else { Rates::Exact(intervals) }
}

/// Stands for an interval of no length.
const FASTEST: Interval = Interval { numerator: 1, denominator: 1000 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_sensor_formats_are_known_by_their_codes() {
        let bayer = [
            b"BA81", b"GBRG", b"GRBG", b"RGGB", b"BG10", b"GB10", b"BA10", b"RG10", b"pBAA", b"pGAA",
            b"pgAA", b"pRAA", b"BG12", b"pBCC", b"pRCC", b"BYR2", b"RG16", b"PC1B", b"PC1R",
        ];
        for code in bayer {
            assert!(is_bayer(FourCC::new(code)), "{}", FourCC::new(code));
        }
        let others = [
            b"MJPG", b"JPEG", b"YUYV", b"UYVY", b"NV12", b"YU12", b"RGB3", b"BGR3", b"GREY", b"H264",
            b"HEVC", b"RGBP", b"Y10 ", b"Y16 ", b"BGR4", b"PWC2",
        ];
        for code in others {
            assert!(!is_bayer(FourCC::new(code)), "{}", FourCC::new(code));
        }
    }

    #[test]
    fn the_nearest_size_keeps_to_the_steps() {
        let range = Extent::Range { min: (32, 32), max: (1920, 1080), step: (16, 2) };
        // (wanted, nearest)
        let cases = [
            ((640, 480), (640, 480)),
            ((641, 481), (640, 480)),
            ((655, 480), (656, 480)),
            ((1, 1), (32, 32)),
            ((9999, 9999), (1920, 1080)),
            ((1919, 1079), (1920, 1078)),
        ];
        for (wanted, expected) in cases {
            assert_eq!(range.nearest(wanted), expected, "{wanted:?}");
        }
        let odd = Extent::Range { min: (10, 10), max: (20, 20), step: (0, 7) };
        assert_eq!(odd.nearest((15, 20)), (15, 17));
        assert_eq!(Extent::Exact((800, 600)).nearest((1, 1)), (800, 600));
    }

    #[test]
    fn intervals_compare_as_numbers_and_print_as_rates() {
        let interval = |n, d| Interval::new(n, d).unwrap();
        assert_eq!(interval(1, 30), interval(100, 3000));
        assert!(interval(1, 60) < interval(1, 30));
        assert_eq!(interval(1, 30).to_string(), "30");
        assert_eq!(interval(2, 15).to_string(), "7.5");
        assert_eq!(interval(1001, 30_000).to_string(), "29.97");
        assert_eq!(interval(333_333, 10_000_000).to_string(), "30");
        assert_eq!(interval(1, 30).micros(), 33_333);
        assert_eq!(Interval::new(0, 30), None);
        assert_eq!(Interval::new(1, 0), None);
    }
}
