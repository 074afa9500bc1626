//! The entropy-coded bytes of a scan: found, counted, not decoded.

/// Offsets of the restart markers of one image, in memory claimed once.
///
/// An image with more than [`RestartOffsets::CAPACITY`] markers has none here: half a list would lead
/// whoever cuts at restart markers astray.
#[derive(Debug, Clone)]
pub struct RestartOffsets {
    offsets: Box<[u32]>,
    len: usize,
    overflowed: bool,
}

impl RestartOffsets {
    /// Most markers that are kept: a 4K picture with one each row of MCUs has 540.
    pub const CAPACITY: usize = 8192;

    /// An empty list; the only place here that allocates.
    #[must_use]
    pub fn new() -> Self {
        Self { offsets: vec![0; Self::CAPACITY].into_boxed_slice(), len: 0, overflowed: false }
    }

    /// Offsets of the 0xFF byte of each RSTn marker, ascending, over all scans.
    #[must_use]
    pub fn as_slice(&self) -> &[u32] {
        if self.overflowed { &[] } else { self.offsets.get(..self.len).unwrap_or(&[]) }
    }

    /// Forgets all offsets.
    pub fn clear(&mut self) {
        self.len = 0;
        self.overflowed = false;
    }

    fn push(&mut self, at: usize) {
        match (self.offsets.get_mut(self.len), u32::try_from(at)) {
            (Some(slot), Ok(at)) => {
                *slot = at;
                self.len += 1;
            }
            _ => self.overflowed = true,
        }
    }
}

impl Default for RestartOffsets {
    fn default() -> Self {
        Self::new()
    }
}

/// Skips the entropy-coded segments of a scan that begins at `from`.
///
/// Returns the offset of the 0xFF of the marker that ends it, or `None` if the bytes end first. Stuffed
/// zeros (0xFF00) are data, restart markers are noted in `restarts`, and 0xFF before a marker is fill
/// (T.81 B.1.1.2, B.1.1.5).
pub(super) fn skip(bytes: &[u8], from: usize, restarts: &mut RestartOffsets) -> Option<usize> {
    let mut at = from;
    loop {
        at = next_marker(bytes, at)?;
        match bytes.get(at + 1)? {
            0xff => at += 1,
            0xd0..=0xd7 => {
                restarts.push(at);
                at += 2;
            }
            _ => return Some(at),
        }
    }
}

/// Bytes looked at in one step: four vectors of 32 bytes keep the branch off the critical path.
const BLOCK: usize = 128;

/// Offset of the next 0xFF that is not followed by a stuffed zero.
///
/// Both conditions are tested on a whole block at once, without a branch for each byte: stuffed zeros
/// come about every 200 bytes at random places, and a mispredicted branch for each costs more than
/// all the comparing. The compiler makes vector code of the inner loops.
fn next_marker(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(block) = bytes.get(at..at + BLOCK + 1) {
        let pairs = || block.iter().zip(&block[1..]);
        if pairs().fold(0, |hits, (a, b)| hits | is_marker(*a, *b)) != 0 {
            let mut hits = [0; BLOCK];
            for (hit, (a, b)) in hits.iter_mut().zip(pairs()) {
                *hit = is_marker(*a, *b);
            }
            let words = hits.as_chunks().0.iter().map(|eight| u64::from_le_bytes(*eight));
            let (word, hits) = words.enumerate().find(|(_, hits)| *hits != 0)?;
            return Some(at + 8 * word + hits.trailing_zeros() as usize / 8);
        }
        at += BLOCK;
    }
    let rest = bytes.get(at..)?;
    rest.windows(2).position(|pair| is_marker(pair[0], pair[1]) != 0).map(|found| at + found)
}

/// 1 or 0, without a branch.
fn is_marker(byte: u8, next: u8) -> u8 {
    u8::from(byte == 0xff) & u8::from(next != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(bytes: &[u8], from: usize) -> Option<usize> {
        (from..bytes.len().saturating_sub(1)).find(|&i| bytes[i] == 0xff && bytes[i + 1] != 0)
    }

    #[test]
    fn a_marker_is_found_at_every_offset_and_distance() {
        for len in [0, 1, 2, 3, 127, 128, 129, 130, 255, 256, 257, 300] {
            for marker in 0..len {
                let mut bytes = vec![0x55; len];
                bytes[marker] = 0xff;
                for from in [0, 1, 40, 64] {
                    assert_eq!(next_marker(&bytes, from), slow(&bytes, from), "{len} {marker} {from}");
                }
            }
        }
    }

    #[test]
    fn stuffing_fill_and_restarts_are_told_apart() {
        let mut restarts = RestartOffsets::new();
        let data = [1, 0xff, 0x00, 2, 0xff, 0xd0, 3, 0xff, 0xff, 0xd1, 4, 0xff, 0xff, 0xd9];
        assert_eq!(skip(&data, 0, &mut restarts), Some(12));
        assert_eq!(restarts.as_slice(), [4, 8]);
        assert_eq!(skip(&data[..13], 0, &mut restarts), None);
    }

    #[test]
    fn too_many_restarts_leave_none() {
        let mut data = [0xff, 0xd3].repeat(RestartOffsets::CAPACITY);
        let mut restarts = RestartOffsets::new();
        assert_eq!(skip(&data, 0, &mut restarts), None);
        assert_eq!(restarts.as_slice().len(), RestartOffsets::CAPACITY);
        data.extend([0xff, 0xd4, 0xff, 0xd9]);
        restarts.clear();
        assert_eq!(skip(&data, 0, &mut restarts), Some(data.len() - 2));
        assert!(restarts.as_slice().is_empty());
    }
}
