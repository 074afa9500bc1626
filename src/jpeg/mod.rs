//! Markers and segments of a JPEG image: where it ends, what it needs, where it can be cut.
//!
//! [`walk()`] reads an image once, from SOI to EOI, without decoding it. A camera's buffer may hold less
//! than an image (truncated), more (padding behind EOI) or nothing; the walk tells which, and finds the
//! restart markers on the way. Many USB cameras send no Huffman tables, because motion JPEG takes the
//! ones of ITU-T T.81 Annex K for granted; [`with_tables`] puts them in without moving a byte.
//!
//! Nothing here allocates but [`RestartOffsets::new`], and nothing decodes (see `codec`).
//!
//! # What a walk cannot see
//!
//! A truncated frame whose buffer still holds the tail of an earlier frame has an EOI and well-formed
//! markers throughout. No look at the markers can tell it from a whole one; the picture shows it.

mod entropy;
mod segments;
mod tables;
mod walk;

pub use entropy::RestartOffsets;
pub use tables::{STANDARD_HUFFMAN_TABLES, TableKind, quality_of_table, table_for_quality, with_tables};
pub use walk::walk;

use core::fmt;

/// What a walk over a JPEG image found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Bytes from SOI to EOI, both included; padding is not.
    pub len: usize,
    /// Columns of pixels, at least 1.
    pub width: u16,
    /// Rows of pixels, at least 1.
    pub height: u16,
    /// How chroma is subsampled, if it is one of the usual ways.
    pub sampling: Option<Sampling>,
    /// Colour components: 1 for grey, 3 for Y'CbCr.
    pub components: u8,
    /// Coding process, from the kind of SOF marker.
    pub process: Process,
    /// Bits of a sample: 8 but for rare images.
    pub precision: u8,
    /// Whether a DHT segment stands before the first scan.
    pub has_huffman_tables: bool,
    /// Offset of the first SOS marker: where a DHT segment may be put in.
    pub tables_at: usize,
    /// MCUs from one restart marker to the next in the first scan; 0 = no restart markers.
    pub restart_interval: u16,
    /// libjpeg's quality setting (1..=100) that comes nearest to the luma quantisation table.
    pub quality: Option<u8>,
}

/// How chroma is subsampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sampling {
    /// Luma only.
    Grey,
    /// Every pixel has its own chroma.
    S444,
    /// Two columns share chroma.
    S422,
    /// Two columns by two rows share chroma.
    S420,
    /// Two rows share chroma.
    S440,
    /// Four columns share chroma.
    S411,
}

impl fmt::Display for Sampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grey => "grey",
            Self::S444 => "4:4:4",
            Self::S422 => "4:2:2",
            Self::S420 => "4:2:0",
            Self::S440 => "4:4:0",
            Self::S411 => "4:1:1",
        })
    }
}

/// Coding process (T.81 table B.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Process {
    /// SOF0: what every decoder knows.
    Baseline,
    /// SOF1: sequential with 12-bit samples, 16-bit tables or more Huffman tables.
    Extended,
    /// SOF2: several scans that refine each other.
    Progressive,
    /// SOF3.
    Lossless,
    /// SOF9, SOF10, SOF11: arithmetic instead of Huffman coding.
    Arithmetic,
    /// SOF5 to SOF7, SOF13 to SOF15: frames that build on each other.
    Differential,
}

/// Why bytes are not a whole JPEG image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Defect {
    /// No bytes at all.
    Empty,
    /// The first two bytes are not the SOI marker.
    NoStart {
        /// What they are.
        found: [u8; 2],
    },
    /// The bytes end before EOI.
    Truncated {
        /// How many bytes there are.
        at: usize,
    },
    /// A byte that is neither a marker nor part of a segment.
    Garbage {
        /// Its offset.
        at: usize,
        /// The byte.
        byte: u8,
    },
    /// A segment that contradicts itself, or a marker where it may not stand.
    BadSegment {
        /// Offset of the marker's 0xFF.
        at: usize,
        /// The marker code behind it.
        marker: u8,
    },
    /// EOI without a scan, or a scan without data.
    NoScan,
    /// Width or height is 0.
    ZeroSize,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no bytes"),
            Self::NoStart { found: [a, b] } => {
                write!(f, "not a JPEG image: begins with {a:02x} {b:02x} instead of ff d8")
            }
            Self::Truncated { at } => write!(f, "JPEG image truncated: no end marker in {at} bytes"),
            Self::Garbage { at, byte } => {
                write!(f, "JPEG image broken: byte {byte:02x} instead of a marker at offset {at}")
            }
            Self::BadSegment { at, marker } => {
                write!(f, "JPEG image broken: bad segment ff {marker:02x} at offset {at}")
            }
            Self::NoScan => f.write_str("JPEG image without picture data"),
            Self::ZeroSize => f.write_str("JPEG image of width or height 0"),
        }
    }
}

impl core::error::Error for Defect {}

#[cfg(test)]
pub(crate) mod testing;
