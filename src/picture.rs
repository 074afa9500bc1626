//! What a source hands over: one picture as JPEG bytes or as raw samples, lent, never copied.

use core::fmt;

/// How raw samples lie in memory. Names are those of the V4L2 pixel formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RawFormat {
    /// 4:2:2, packed `Y0 U Y1 V`.
    Yuyv,
    /// 4:2:2, packed `U Y0 V Y1`.
    Uyvy,
    /// 4:2:0, a plane of Y, then one of interleaved `U V`.
    Nv12,
    /// 4:2:0, planes of Y, U, V (I420).
    Yu12,
    /// Packed `R G B`.
    Rgb24,
    /// Luma only.
    Grey,
}

impl RawFormat {
    /// Bytes that one line of the first plane holds at least; `u32::MAX` for widths far beyond 65,535.
    #[must_use]
    pub const fn min_stride(self, width: u32) -> u32 {
        match self {
            Self::Yuyv | Self::Uyvy => width.div_ceil(2).saturating_mul(4),
            Self::Rgb24 => width.saturating_mul(3),
            Self::Nv12 | Self::Yu12 | Self::Grey => width,
        }
    }

    /// Bytes of a whole picture whose first plane has lines of `stride` bytes.
    ///
    /// Chroma planes follow without a gap; their stride is `stride` for NV12 and half of it for YU12,
    /// as the V4L2 documentation lays down for single-planar buffers. A driver's numbers may make more of it
    /// than memory can hold, so it is not a `usize`; exact for heights up to 65,535.
    #[must_use]
    pub const fn picture_len(self, stride: u32, height: u32) -> u64 {
        let luma = stride as u64 * height as u64;
        let chroma_rows = height.div_ceil(2) as u64;
        luma.saturating_add(match self {
            Self::Yuyv | Self::Uyvy | Self::Rgb24 | Self::Grey => 0,
            Self::Nv12 => stride as u64 * chroma_rows,
            Self::Yu12 => 2 * (stride as u64 / 2) * chroma_rows,
        })
    }
}

impl fmt::Display for RawFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yuyv => "YUYV",
            Self::Uyvy => "UYVY",
            Self::Nv12 => "NV12",
            Self::Yu12 => "YU12",
            Self::Rgb24 => "RGB24",
            Self::Grey => "GREY",
        })
    }
}

/// The matrix that made Y'CbCr from R'G'B'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Matrix {
    /// ITU-R BT.601, the one that JFIF means.
    #[default]
    Bt601,
    /// ITU-R BT.709, usual for high-definition capture.
    Bt709,
}

/// The span of code values between black and white.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Range {
    /// 0..=255, the one that JFIF means.
    Full,
    /// 16..=235 for luma, 16..=240 for chroma; what V4L2 means by default for Y'CbCr.
    #[default]
    Limited,
}

/// How code values stand for colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Colour {
    /// Which luma and chroma weights.
    pub matrix: Matrix,
    /// Which code values are black and white.
    pub range: Range,
}

impl Colour {
    /// What JFIF means: full-range BT.601.
    pub const JFIF: Self = Self { matrix: Matrix::Bt601, range: Range::Full };
}

/// Raw samples of one picture, borrowed from where they were captured.
#[derive(Clone, Copy)]
pub struct RawPicture<'a> {
    /// All planes; at least [`RawFormat::picture_len`] bytes.
    pub samples: &'a [u8],
    /// Their layout.
    pub format: RawFormat,
    /// Columns of pixels, 1..=65,535.
    pub width: u32,
    /// Rows of pixels, 1..=65,535.
    pub height: u32,
    /// Bytes from one line of the first plane to the next (`bytesperline`).
    pub stride: u32,
    /// What the samples mean; without effect on RGB24.
    pub colour: Colour,
}

impl fmt::Debug for RawPicture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}x{} stride {}", self.format, self.width, self.height, self.stride)
    }
}

/// One picture, as it came.
#[derive(Debug, Clone, Copy)]
pub enum Picture<'a> {
    /// One whole JPEG image, SOI to EOI, already walked and trimmed by the source.
    Jpeg(&'a [u8]),
    /// Raw samples, to be encoded.
    Raw(RawPicture<'a>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_follow_the_v4l2_layouts() {
        // (format, stride, height, bytes)
        let cases = [
            (RawFormat::Yuyv, 1280, 480, 614_400),
            (RawFormat::Uyvy, 1280, 480, 614_400),
            (RawFormat::Nv12, 640, 480, 460_800),
            (RawFormat::Yu12, 640, 480, 460_800),
            (RawFormat::Nv12, 640, 5, 640 * 8),
            (RawFormat::Yu12, 640, 5, 640 * 5 + 2 * 320 * 3),
            (RawFormat::Rgb24, 1920, 480, 921_600),
            (RawFormat::Grey, 640, 480, 307_200),
        ];
        for (format, stride, height, bytes) in cases {
            assert_eq!(format.picture_len(stride, height), bytes, "{format} {stride}x{height}");
        }
        assert_eq!(RawFormat::Yuyv.min_stride(641), 1284);
    }

    #[test]
    fn lengths_beyond_memory_do_not_wrap_around() {
        let line = 0x8000_0140; // of 32 bits of the product, 38,400 would be left
        // (format, stride, height, bytes)
        let cases = [
            (RawFormat::Yuyv, line, 120, 120 * u64::from(line)),
            (RawFormat::Nv12, line, 120, 180 * u64::from(line)),
            (
                RawFormat::Yu12,
                u32::MAX,
                65_535,
                65_535 * u64::from(u32::MAX) + 32_768 * u64::from(u32::MAX - 1),
            ),
            (RawFormat::Nv12, u32::MAX, u32::MAX, u64::MAX),
        ];
        for (format, stride, height, bytes) in cases {
            assert_eq!(format.picture_len(stride, height), bytes, "{format} {stride}x{height}");
        }
        for format in [RawFormat::Yuyv, RawFormat::Rgb24] {
            assert_eq!(format.min_stride(u32::MAX), u32::MAX);
            assert_eq!(format.min_stride(0x8000_0000), u32::MAX);
        }
    }
}
