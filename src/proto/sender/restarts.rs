//! Where decoding can start again inside a shard.

use crate::wire::RestartIndex;

/// Walks along the restart markers of a frame while it is cut.
pub(super) struct Restarts<'a> {
    pub(super) offsets: &'a [u32],
    pub(super) passed: usize,
}

impl Restarts<'_> {
    /// The first interval that begins before `end` and not before the last `end`.
    pub(super) fn first_before(&mut self, end: usize) -> RestartIndex {
        let begins = self.offsets[self.passed..].iter().take_while(|at| (**at as usize) < end).count();
        let first = self.passed + 1;
        self.passed += begins;
        if begins > 0 { RestartIndex::new(first) } else { RestartIndex::NONE }
    }
}
