//! Randomness, which the core is given and never asks the system for.

/// Fills buffers with bytes that nobody can guess.
///
/// The programs hand in the kernel's generator, the tests a seeded one, so that a run can be repeated.
pub trait Random {
    /// Fills all of `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);

    /// `N` fresh bytes.
    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}
