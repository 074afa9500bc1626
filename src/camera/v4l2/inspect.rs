//! Looks at what a driver has put into a buffer: a whole frame, or why not.

use v4l::buffer::Flags;
use v4l::v4l_sys::{V4L2_BUF_FLAG_TIMESTAMP_MASK, V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC};

use super::formats::{Encoding, Interval, Size};
use super::sys::BufferInfo;
use crate::camera::source::Drops;
use crate::jpeg::{self, Defect, RestartOffsets};
use crate::picture::Colour;
use crate::time::{Duration, Instant};

/// How frames lie in the buffers, as the driver has set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) encoding: Encoding,
    pub(super) size: Size,
    /// Bytes per line of the first plane; without meaning for JPEG.
    pub(super) stride: u32,
    pub(super) colour: Colour,
    /// Bytes that a buffer holds.
    pub(super) capacity: usize,
    /// What the driver says of the rate.
    pub(super) interval: Option<Interval>,
}

impl Layout {
    /// Bytes of a raw picture, `usize::MAX` if memory cannot hold it, so that no buffer is large enough; 1 for
    /// JPEG, whose length only its markers tell.
    pub(super) fn least(&self) -> usize {
        match self.encoding {
            Encoding::Jpeg => 1,
            Encoding::Raw(format) => {
                usize::try_from(format.picture_len(self.stride, self.size.1)).unwrap_or(usize::MAX)
            }
        }
    }
}

/// Rules for frames that do not come from the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// Whether a buffer marked as erroneous is dropped unseen. Behind libcamera's compatibility layer the
    /// mark may stay on a buffer for good; the bytes decide there.
    pub(super) believe_error_flag: bool,
    /// Most bytes of a JPEG frame that can be sent.
    pub(super) max_frame: usize,
}

/// A whole frame at the start of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole {
    /// Bytes of the frame, without padding.
    pub(super) len: usize,
    pub(super) summary: Option<jpeg::Summary>,
}

/// Why a buffer holds no frame to hand over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Flagged,
    Empty,
    Truncated,
    Malformed,
    Oversized,
}

impl Fault {
    /// Adds one to the counter of this fault.
    pub(super) fn count(self, drops: &mut Drops) {
        let counter = match self {
            Self::Flagged => &mut drops.flagged,
            Self::Empty => &mut drops.empty,
            Self::Truncated => &mut drops.truncated,
            Self::Malformed => &mut drops.malformed,
            Self::Oversized => &mut drops.oversized,
        };
        *counter += 1;
    }
}

/// Judges the filled part of a buffer; the offsets of restart markers go to `restarts`.
pub(super) fn inspect(
    bytes: &[u8],
    flags: u32,
    layout: &Layout,
    rules: &Rules,
    restarts: &mut RestartOffsets,
) -> Result<Whole, Fault> {
    restarts.clear();
    let flagged = flags & Flags::ERROR.bits() != 0;
    if flagged && rules.believe_error_flag {
        return Err(Fault::Flagged);
    }
    // Where the mark decides nothing alone, it still names the cause.
    let because = |fault| if flagged { Fault::Flagged } else { fault };
    if bytes.is_empty() {
        return Err(because(Fault::Empty));
    }
    match layout.encoding {
        Encoding::Raw(_) if bytes.len() < layout.least() => Err(because(Fault::Truncated)),
        Encoding::Raw(_) => Ok(Whole { len: layout.least(), summary: None }),
        Encoding::Jpeg => match jpeg::walk(bytes, restarts) {
            Ok(summary) if summary.len > rules.max_frame => Err(Fault::Oversized),
            Ok(summary) => Ok(Whole { len: summary.len, summary: Some(summary) }),
            Err(Defect::Empty) => Err(because(Fault::Empty)),
            Err(Defect::Truncated { .. }) => Err(because(Fault::Truncated)),
            Err(_) => Err(because(Fault::Malformed)),
        },
    }
}

/// When a buffer was captured; `now` if the driver does not say so on our clock, or says what cannot be.
///
/// A stamp counts only if it is on `CLOCK_MONOTONIC`, not in the future, and at most `oldest` ago.
pub(super) fn captured_at(info: &BufferInfo, now: Instant, oldest: Duration) -> Instant {
    if info.flags & V4L2_BUF_FLAG_TIMESTAMP_MASK != V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC {
        return now;
    }
    let (Ok(seconds), Ok(micros)) = (u64::try_from(info.seconds), u64::try_from(info.micros)) else {
        return now;
    };
    let at = Instant::from_micros(seconds.saturating_mul(1_000_000).saturating_add(micros));
    if at > now || now.since(at) > oldest { now } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::RawFormat;

    const RULES: Rules = Rules { believe_error_flag: true, max_frame: 1000 };
    const LENIENT: Rules = Rules { believe_error_flag: false, max_frame: 1000 };

    fn yuyv() -> Layout {
        Layout {
            encoding: Encoding::Raw(RawFormat::Yuyv),
            size: (4, 2),
            stride: 8,
            colour: Colour::default(),
            capacity: 16,
            interval: None,
        }
    }

    #[test]
    fn raw_frames_are_whole_or_counted() {
        let error = Flags::ERROR.bits();
        // (bytes, flags, rules, result)
        let cases = [
            (16, 0, RULES, Ok(16)),
            (4096, 0, RULES, Ok(16)),
            (15, 0, RULES, Err(Fault::Truncated)),
            (0, 0, RULES, Err(Fault::Empty)),
            (16, error, RULES, Err(Fault::Flagged)),
            (0, error, RULES, Err(Fault::Flagged)),
            (16, error, LENIENT, Ok(16)),
            (15, error, LENIENT, Err(Fault::Flagged)),
            (15, 0, LENIENT, Err(Fault::Truncated)),
        ];
        let mut restarts = RestartOffsets::new();
        for (len, flags, rules, expected) in cases {
            let bytes = vec![0; len];
            let result = inspect(&bytes, flags, &yuyv(), &rules, &mut restarts).map(|whole| whole.len);
            assert_eq!(result, expected, "{len} bytes, flags {flags:#x}, {rules:?}");
        }
    }

    #[test]
    fn a_picture_that_memory_cannot_hold_fits_no_buffer() {
        // Of 32 bits of its length, 38,400 would be left.
        let layout = Layout { size: (160, 120), stride: 0x8000_0140, ..yuyv() };
        assert!(layout.least() >= u32::MAX as usize, "{}", layout.least());
        let bytes = vec![0; 65_536];
        let result = inspect(&bytes, 0, &layout, &RULES, &mut RestartOffsets::new());
        assert_eq!(result, Err(Fault::Truncated));
    }

    #[test]
    fn bytes_that_are_no_jpeg_are_malformed() {
        let layout = Layout { encoding: Encoding::Jpeg, ..yuyv() };
        let mut restarts = RestartOffsets::new();
        let mut judge = |bytes: &[u8]| inspect(bytes, 0, &layout, &RULES, &mut restarts).unwrap_err();
        assert_eq!(judge(b"GIF89a, not a JPEG"), Fault::Malformed);
        assert_eq!(judge(&[0xff, 0xd8, 0xff, 0xe0, 0, 16]), Fault::Truncated);
        assert_eq!(judge(&[]), Fault::Empty);
    }

    #[test]
    fn every_fault_has_its_own_counter() {
        let mut drops = Drops::default();
        for fault in [Fault::Flagged, Fault::Empty, Fault::Truncated, Fault::Malformed, Fault::Oversized] {
            fault.count(&mut drops);
        }
        let expected =
            Drops { flagged: 1, empty: 1, truncated: 1, malformed: 1, oversized: 1, ..Drops::default() };
        assert_eq!(drops, expected);
    }

    #[test]
    fn only_sane_monotonic_stamps_are_believed() {
        let now = Instant::from_millis(100_000);
        let monotonic = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
        // (flags, seconds, micros, capture time in ms)
        let cases = [
            (monotonic, 99, 950_000, 99_950),
            (monotonic | 0x1_0000, 99, 950_000, 99_950), // start of exposure
            (monotonic, 100, 1, 100_000),                // in the future
            (monotonic, 0, 0, 100_000),                  // not filled in
            (monotonic, 90, 0, 100_000),                 // too old
            (monotonic, -1, 0, 100_000),
            (monotonic, 99, -5, 100_000),
            (monotonic, i64::MAX, 0, 100_000),
            (0, 99, 950_000, 100_000),      // an unknown clock
            (0x4000, 99, 950_000, 100_000), // copied from elsewhere
        ];
        for (flags, seconds, micros, expected) in cases {
            let info = BufferInfo { index: 0, used: 0, flags, seconds, micros, length: 0, offset: 0 };
            let at = captured_at(&info, now, Duration::from_secs(5));
            assert_eq!(at, Instant::from_millis(expected), "{info:?}");
        }
    }
}
