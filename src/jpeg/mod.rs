//! Markers and segments of a JPEG image.

/// What a walk over a JPEG image found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Bytes from SOI to EOI, both included; padding is not.
    pub len: usize,
}
