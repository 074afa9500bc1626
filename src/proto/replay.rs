//! Which packet numbers of a stream have been taken already.
//!
//! The bitmap of RFC 6479: a ring of words of which the newest number's word is always the last, so
//! that moving forward clears words instead of shifting bits.

/// Numbers that may arrive out of order behind the newest one.
pub const WINDOW: u64 = 8192;

const WORD_BITS: u64 = 64;
/// One word more than the window, because the newest word is only partly in use.
const WORDS: u64 = WINDOW / WORD_BITS + 1;

/// Remembers the newest packet number and which of the [`WINDOW`] before it have been taken.
///
/// [`ReplayWindow::look`] first, which is cheap and changes nothing; [`ReplayWindow::mark`] only once
/// the tag was right, or a forged datagram could shut out the real one.
#[derive(Debug, Clone)]
pub struct ReplayWindow {
    /// One more than the newest number, 0 before the first.
    end: u64,
    taken: [u64; WORDS as usize],
}

/// Why a packet number is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It was taken before.
    Replayed,
    /// It is too far behind the newest to tell.
    TooOld,
}

impl ReplayWindow {
    /// Nothing has been taken.
    #[must_use]
    pub const fn new() -> Self {
        Self { end: 0, taken: [0; WORDS as usize] }
    }

    /// Everything up to and with `newest` counts as taken.
    #[must_use]
    pub const fn after(newest: u64) -> Self {
        Self { end: newest.saturating_add(1), taken: [u64::MAX; WORDS as usize] }
    }

    /// The newest number taken.
    #[must_use]
    pub const fn newest(&self) -> Option<u64> {
        self.end.checked_sub(1)
    }

    /// Whether `packet` could still be taken.
    ///
    /// # Errors
    ///
    /// [`Refused`] if it was taken, or might have been.
    pub const fn look(&self, packet: u64) -> Result<(), Refused> {
        if packet == u64::MAX {
            return Err(Refused::TooOld);
        }
        if packet >= self.end {
            return Ok(());
        }
        if self.end - packet > WINDOW {
            return Err(Refused::TooOld);
        }
        let (word, bit) = Self::place(packet);
        if self.taken[word] & bit == 0 { Ok(()) } else { Err(Refused::Replayed) }
    }

    /// Takes `packet`, which [`ReplayWindow::look`] has just allowed and whose tag was right.
    pub fn mark(&mut self, packet: u64) {
        if self.look(packet).is_err() {
            return;
        }
        if packet >= self.end {
            self.advance(packet);
        }
        let (word, bit) = Self::place(packet);
        self.taken[word] |= bit;
    }

    /// Clears the words between the newest number so far and `packet`, and the bits that [`Self::after`]
    /// set beyond the newest one.
    fn advance(&mut self, packet: u64) {
        let first_unused = self.end.div_ceil(WORD_BITS);
        for word in (first_unused..=packet / WORD_BITS).rev().take(WORDS as usize) {
            self.taken[(word % WORDS) as usize] = 0;
        }
        let in_use = self.end % WORD_BITS;
        if in_use != 0 {
            self.taken[(self.end / WORD_BITS % WORDS) as usize] &= (1 << in_use) - 1;
        }
        self.end = packet + 1;
    }

    const fn place(packet: u64) -> (usize, u64) {
        ((packet / WORD_BITS % WORDS) as usize, 1 << (packet % WORD_BITS))
    }
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_window_has_its_length() {
        let mut window = ReplayWindow::new();
        window.mark(WINDOW);
        assert_eq!(window.look(1), Ok(()));
        assert_eq!(window.look(0), Err(Refused::TooOld));
        assert_eq!(window.look(WINDOW), Err(Refused::Replayed));
        assert_eq!(window.look(WINDOW + 1), Ok(()));
        assert_eq!(window.newest(), Some(WINDOW));
        // The last number is given up, so that the end can be counted.
        assert_eq!(window.look(u64::MAX), Err(Refused::TooOld));
    }

    #[test]
    fn a_restored_window_refuses_all_up_to_its_number() {
        for newest in [0, 1, 62, 63, 64, 8191, 8192, 100_000] {
            let mut window = ReplayWindow::after(newest);
            assert!(window.look(newest).is_err() && window.look(newest / 2).is_err());
            for packet in [newest + 3, newest + 1, newest + 2, newest + 70, newest + 65] {
                assert_eq!(window.look(packet), Ok(()), "{packet} after {newest}");
                window.mark(packet);
                assert_eq!(window.look(packet), Err(Refused::Replayed));
            }
            assert!(window.look(newest).is_err());
        }
    }

    proptest! {
        /// The ring agrees with a plain set of all numbers ever taken.
        #[test]
        fn agrees_with_a_set(
            start in prop_oneof![Just(0u64), 0..200_000u64, Just(u64::MAX - 60_000)],
            restored in any::<bool>(),
            steps in prop::collection::vec(
                prop_oneof![4 => -80i64..80, 2 => -9_000i64..9_000, 1 => -30_000i64..30_000], 1..300),
        ) {
            let mut window = if restored { ReplayWindow::after(start) } else { ReplayWindow::new() };
            let mut taken = BTreeSet::new();
            let mut at = start;
            for step in steps {
                at = at.saturating_add_signed(step).min(u64::MAX - 1);
                let newest = taken.last().copied().or(restored.then_some(start));
                let expected = if taken.contains(&at) || restored && at <= start {
                    match newest {
                        Some(newest) if newest - at >= WINDOW => Err(Refused::TooOld),
                        _ => Err(Refused::Replayed),
                    }
                } else {
                    match newest {
                        Some(newest) if newest > at && newest - at >= WINDOW => Err(Refused::TooOld),
                        _ => Ok(()),
                    }
                };
                prop_assert_eq!(window.look(at), expected, "{} with newest {:?}", at, newest);
                if expected.is_ok() {
                    window.mark(at);
                    taken.insert(at);
                }
            }
        }
    }
}
