//! A stack of memory that is kept.

#![allow(unsafe_code, reason = "claims memory as C wants it: aligned, uninterpreted, freed by itself")]

use core::ptr::NonNull;
use std::alloc::{self, Layout};

/// Alignment and granularity: twice the 32 bytes that libjpeg's vector code may read or write past an end.
pub(super) const ALIGN: usize = 64;
/// First chunk of an arena: enough for a sequential encoder.
const FIRST_CHUNK: usize = 64 * 1024;
/// No single request of a picture within the size limits of this crate comes near it.
const LARGEST: usize = 1 << 30;

/// A stack of memory that is emptied as a whole.
#[derive(Default)]
pub(super) struct Arena {
    chunks: Vec<(NonNull<u8>, Layout)>,
    /// Bytes taken from the last chunk.
    used: usize,
}

impl Arena {
    pub(super) fn take(&mut self, size: usize) -> Option<NonNull<u8>> {
        let size = size.checked_next_multiple_of(ALIGN).filter(|&size| size <= LARGEST)?;
        let room = self.chunks.last().map_or(0, |(_, layout)| layout.size() - self.used);
        if size > room {
            let held: usize = self.chunks.iter().map(|(_, layout)| layout.size()).sum();
            self.grow(size.max(held).max(FIRST_CHUNK))?;
        }
        let (start, _) = *self.chunks.last()?;
        // SAFETY: `used + size` is within the chunk: either it had the room, or it is new and large enough.
        let taken = unsafe { start.add(self.used) };
        self.used += size;
        Some(taken)
    }

    fn grow(&mut self, size: usize) -> Option<()> {
        let layout = Layout::from_size_align(size, ALIGN).ok()?;
        // Zeroed, which costs nothing for pages fresh from the system: rows of blocks become slices of
        // integers here, and those must never be uninitialised.
        // SAFETY: `size` is not 0.
        let start = NonNull::new(unsafe { alloc::alloc_zeroed(layout) })?;
        self.chunks.push((start, layout));
        self.used = 0;
        Some(())
    }

    /// Takes everything back. Chunks that had to be added are melted into one that holds as much.
    pub(super) fn empty(&mut self) {
        if self.chunks.len() > 1 {
            let held = self.chunks.iter().map(|(_, layout)| layout.size()).sum();
            self.release();
            // Without memory now, the next `take` asks again and reports it.
            let _ = self.grow(held);
        }
        self.used = 0;
    }

    fn release(&mut self) {
        for (start, layout) in self.chunks.drain(..) {
            // SAFETY: allocated in `grow` with this layout, and drained only once.
            unsafe { alloc::dealloc(start.as_ptr(), layout) };
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emptied_arena_gives_the_same_memory_again() {
        let mut arena = Arena::default();
        let sizes = [1, 64, 65, 100_000, 3, 5_000_000, 0];
        let fill = |arena: &mut Arena| -> Vec<NonNull<u8>> {
            sizes.iter().map(|&size| arena.take(size).expect("memory")).collect()
        };
        fill(&mut arena);
        arena.empty();
        let second = fill(&mut arena);
        assert_eq!(arena.chunks.len(), 1);
        arena.empty();
        assert_eq!(fill(&mut arena), second);
        for (one, other) in second.iter().zip(&second[1..]) {
            assert!(one.addr().get() % ALIGN == 0 && one < other);
        }
    }

    #[test]
    fn absurd_sizes_are_refused() {
        assert_eq!(Arena::default().take(usize::MAX), None);
        assert_eq!(Arena::default().take(LARGEST + 1), None);
    }

    #[test]
    fn nothing_is_left_behind() {
        let mut arena = Arena::default();
        assert!(arena.take(10).is_some());
        arena.release();
        assert!(arena.chunks.is_empty());
    }
}
