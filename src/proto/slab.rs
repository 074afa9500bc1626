//! Memory for sealed datagrams: one contiguous slab, claimed before the first frame.

use core::fmt;

/// Slots of exactly one datagram each, back to back.
///
/// Because the stride is the datagram size, any number of full datagrams is one contiguous run of bytes:
/// one `iovec`, which UDP segmentation offload cuts again where the slots end.
pub struct Slab {
    bytes: Box<[u8]>,
    stride: usize,
}

impl Slab {
    /// Claims `slots` slots of `stride` bytes. The only allocation; pages that are never used stay
    /// untouched.
    #[must_use]
    pub fn new(slots: usize, stride: usize) -> Self {
        Self { bytes: vec![0; slots * stride].into_boxed_slice(), stride }
    }

    /// How many slots there are.
    #[must_use]
    pub const fn slots(&self) -> usize {
        self.bytes.len() / self.stride
    }

    /// Bytes of one slot.
    #[must_use]
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// The first `len` bytes of slot `index`, to write a datagram into.
    ///
    /// # Panics
    ///
    /// If there is no such slot or `len` exceeds the stride.
    pub fn slot_mut(&mut self, index: usize, len: usize) -> &mut [u8] {
        &mut self.bytes[index * self.stride..][..self.stride][..len]
    }

    /// `count` datagrams from slot `first` on, the last of which has `last_len` bytes.
    ///
    /// # Panics
    ///
    /// If that reaches beyond the slab.
    #[must_use]
    pub fn run(&self, first: usize, count: usize, last_len: usize) -> &[u8] {
        let start = first * self.stride;
        let len = count.checked_sub(1).map_or(0, |full| full * self.stride + last_len);
        &self.bytes[start..start + len]
    }
}

impl fmt::Debug for Slab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slab({} x {})", self.slots(), self.stride)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_form_a_run() {
        let mut slab = Slab::new(3, 4);
        for (slot, byte) in [(0, 1), (1, 2), (2, 3)] {
            slab.slot_mut(slot, 4).fill(byte);
        }
        slab.slot_mut(2, 2).fill(9);
        assert_eq!(slab.run(1, 2, 2), [2, 2, 2, 2, 9, 9]);
        assert_eq!(slab.run(0, 1, 3), [1, 1, 1]);
        assert!(slab.run(2, 0, 4).is_empty());
        assert_eq!((slab.slots(), slab.stride()), (3, 4));
    }
}
