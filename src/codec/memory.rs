//! libjpeg's working memory, kept from frame to frame.
//!
//! libjpeg asks for memory in two lifetimes. What lives as long as the object still comes from its own
//! manager, once. What lives for one image comes from an [`Arena`] here, which is emptied after each image
//! and never given back: after the first images of a size, no frame allocates and none faults a page in.
//! libjpeg's own manager would claim and free megabytes for each (the coefficients of a 1080p image take 8 MB).

#![allow(unsafe_code, reason = "implements the memory manager that libjpeg calls")]

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use std::alloc::{self, Layout};

use mozjpeg_sys::{
    JBLOCKARRAY, JBLOCKROW, JDIMENSION, JERR_BAD_POOL_ID, JERR_BAD_VIRTUAL_ACCESS, JERR_OUT_OF_MEMORY,
    JPOOL_IMAGE, JSAMPARRAY_MUT, JSAMPROW_MUT, boolean, jpeg_common_struct, jvirt_barray_control,
    jvirt_sarray_control,
};

use super::blocks::{self, Block, Factors};
use super::libjpeg::raise;

/// Alignment and granularity: twice the 32 bytes that libjpeg's vector code may read or write past an end.
const ALIGN: usize = 64;
/// First chunk of an arena: enough for a sequential encoder.
const FIRST_CHUNK: usize = 64 * 1024;
/// No single request of a picture within the size limits of this crate comes near it.
const LARGEST: usize = 1 << 30;

type Allocate = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, c_int, usize) -> *mut c_void;
type FreePool = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, c_int);

/// A stack of memory that is emptied as a whole.
#[derive(Default)]
struct Arena {
    chunks: Vec<(NonNull<u8>, Layout)>,
    /// Bytes taken from the last chunk.
    used: usize,
}

impl Arena {
    fn take(&mut self, size: usize) -> Option<NonNull<u8>> {
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
    fn empty(&mut self) {
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

/// What libjpeg's memory manager needs to know here; reached through `client_data`.
pub(super) struct Memory {
    arena: Arena,
    permanent: Option<Allocate>,
    free_permanent: Option<FreePool>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self { arena: Arena::default(), permanent: None, free_permanent: None }
    }

    /// Puts this memory behind a libjpeg object that was just created.
    ///
    /// # Safety
    ///
    /// `cinfo` is a created object, whose `client_data` nothing else uses. `memory` stays at its place and
    /// is touched by nothing else until the object is destroyed.
    pub(super) unsafe fn install(memory: *mut Self, cinfo: *mut jpeg_common_struct) {
        // SAFETY: a created object has a memory manager of its own, which outlives this call; both
        // pointers are valid and unaliased as the caller promises.
        unsafe {
            let manager = &mut *(*cinfo).mem;
            (*memory).permanent = manager.alloc_small;
            (*memory).free_permanent = manager.free_pool;
            (*cinfo).client_data = memory.cast();
            manager.alloc_small = Some(allocate);
            manager.alloc_large = Some(allocate);
            manager.alloc_sarray = Some(allocate_samples);
            manager.alloc_barray = Some(allocate_blocks);
            manager.request_virt_sarray = Some(refuse_virtual_samples);
            manager.request_virt_barray = Some(request_virtual_blocks);
            manager.realize_virt_arrays = Some(nothing_to_realise);
            manager.access_virt_barray = Some(access_virtual_blocks);
            manager.free_pool = Some(free_pool);
        }
    }
}

/// # Safety
///
/// `cinfo` went through [`Memory::install`]. The reference ends before the next call into libjpeg.
unsafe fn memory_of(cinfo: &mut jpeg_common_struct) -> &mut Memory {
    // SAFETY: `install` put a valid pointer there, and its caller promised exclusive use.
    unsafe { &mut *cinfo.client_data.cast() }
}

/// Memory for the current image; raises an error of libjpeg when there is none.
unsafe fn take(cinfo: &mut jpeg_common_struct, count: usize, size: usize) -> *mut u8 {
    // SAFETY: only called from the functions that `install` put in place.
    let memory = unsafe { memory_of(cinfo) };
    match count.checked_mul(size).and_then(|bytes| memory.arena.take(bytes)) {
        Some(taken) => taken.as_ptr(),
        None => raise(cinfo, JERR_OUT_OF_MEMORY),
    }
}

unsafe extern "C-unwind" fn allocate(
    cinfo: &mut jpeg_common_struct,
    pool: c_int,
    size: usize,
) -> *mut c_void {
    // SAFETY: `install` put this function in place, and noted libjpeg's own one.
    unsafe {
        match memory_of(cinfo).permanent {
            _ if pool == JPOOL_IMAGE as c_int => take(cinfo, 1, size).cast(),
            Some(permanent) => permanent(cinfo, pool, size),
            None => raise(cinfo, JERR_BAD_POOL_ID),
        }
    }
}

unsafe extern "C-unwind" fn allocate_samples(
    cinfo: &mut jpeg_common_struct,
    pool: c_int,
    samples_per_row: JDIMENSION,
    rows: JDIMENSION,
) -> JSAMPARRAY_MUT {
    if pool != JPOOL_IMAGE as c_int {
        raise(cinfo, JERR_BAD_POOL_ID);
    }
    let (stride, rows) = ((samples_per_row as usize).next_multiple_of(ALIGN), rows as usize);
    // SAFETY: the arena gives as many bytes as asked for, aligned for pointers; every row pointer and every
    // row lies within.
    unsafe {
        let list: *mut JSAMPROW_MUT = take(cinfo, rows, size_of::<JSAMPROW_MUT>()).cast();
        let samples = take(cinfo, rows, stride);
        for row in 0..rows {
            list.add(row).write(samples.add(row * stride));
        }
        list
    }
}

unsafe extern "C-unwind" fn allocate_blocks(
    cinfo: &mut jpeg_common_struct,
    pool: c_int,
    blocks_per_row: JDIMENSION,
    rows: JDIMENSION,
) -> JBLOCKARRAY {
    if pool != JPOOL_IMAGE as c_int {
        raise(cinfo, JERR_BAD_POOL_ID);
    }
    let (width, rows) = (blocks_per_row as usize, rows as usize);
    // SAFETY: as in `allocate_samples`.
    unsafe {
        let list: *mut JBLOCKROW = take(cinfo, rows, size_of::<JBLOCKROW>()).cast();
        let blocks: JBLOCKROW = take(cinfo, rows, width * size_of::<Block>()).cast();
        for row in 0..rows {
            list.add(row).write(blocks.add(row * width));
        }
        list
    }
}

unsafe extern "C-unwind" fn refuse_virtual_samples(
    cinfo: &mut jpeg_common_struct,
    _pool: c_int,
    _pre_zero: boolean,
    _samples_per_row: JDIMENSION,
    _rows: JDIMENSION,
    _most_rows_at_once: JDIMENSION,
) -> *mut jvirt_sarray_control {
    // Only colour quantisation to a palette, which is never asked for, needs them.
    raise(cinfo, JERR_BAD_VIRTUAL_ACCESS)
}

/// All coefficients of one component: what libjpeg calls a virtual array, always wholly in memory.
pub(super) struct VirtualBlocks {
    rows: JBLOCKARRAY,
    row_count: usize,
    blocks_per_row: usize,
    /// Rows from here on hold nothing yet.
    first_undefined: usize,
    /// What each block is multiplied by when its row is first read, if anything.
    factors: Option<Factors>,
    /// Rows from here on are not multiplied yet.
    first_unscaled: usize,
}

impl VirtualBlocks {
    /// Asks for every block to be multiplied by `factors` when its row is first read.
    ///
    /// So the coefficients of a picture pass through the cache once less than if they were multiplied
    /// all at once.
    pub(super) fn scale_on_reading(&mut self, factors: Factors) {
        self.factors = Some(factors);
    }

    /// # Safety
    ///
    /// `row` is less than `row_count`, and no other reference to its blocks exists.
    unsafe fn row(&mut self, row: usize) -> &mut [Block] {
        // SAFETY: `rows` lists `row_count` rows of `blocks_per_row` blocks each, in memory of the arena,
        // which is initialised and lives until the image is finished.
        unsafe { core::slice::from_raw_parts_mut(*self.rows.add(row), self.blocks_per_row) }
    }
}

unsafe extern "C-unwind" fn request_virtual_blocks(
    cinfo: &mut jpeg_common_struct,
    pool: c_int,
    _pre_zero: boolean,
    blocks_per_row: JDIMENSION,
    rows: JDIMENSION,
    _most_rows_at_once: JDIMENSION,
) -> *mut jvirt_barray_control {
    // SAFETY: the arena's memory is aligned to 64 bytes and large enough for what is written there.
    unsafe {
        let list = allocate_blocks(cinfo, pool, blocks_per_row, rows);
        let control: *mut VirtualBlocks = take(cinfo, 1, size_of::<VirtualBlocks>()).cast();
        control.write(VirtualBlocks {
            rows: list,
            row_count: rows as usize,
            blocks_per_row: blocks_per_row as usize,
            first_undefined: 0,
            factors: None,
            first_unscaled: 0,
        });
        control.cast()
    }
}

unsafe extern "C-unwind" fn nothing_to_realise(_cinfo: &mut jpeg_common_struct) {}

unsafe extern "C-unwind" fn access_virtual_blocks(
    cinfo: &mut jpeg_common_struct,
    control: *mut jvirt_barray_control,
    start: JDIMENSION,
    count: JDIMENSION,
    writable: boolean,
) -> JBLOCKARRAY {
    // SAFETY: libjpeg passes what `request_virtual_blocks` returned, of this object or, when coefficients
    // are copied from one to the other, of the object that is still open; both are `VirtualBlocks`.
    let array = unsafe { &mut *control.cast::<VirtualBlocks>() };
    let start = start as usize;
    let Some(end) = start.checked_add(count as usize).filter(|&end| end <= array.row_count) else {
        raise(cinfo, JERR_BAD_VIRTUAL_ACCESS)
    };
    // Zeroed only now, just before use, and whether asked for or not: a damaged image may leave gaps.
    for row in array.first_undefined..end {
        // SAFETY: `row < end <= row_count`; libjpeg holds no row across a call for another.
        blocks::clear(unsafe { array.row(row) });
    }
    array.first_undefined = array.first_undefined.max(end);
    if writable == 0
        && let Some(factors) = array.factors
    {
        for row in array.first_unscaled..end {
            // SAFETY: as above.
            blocks::scale(unsafe { array.row(row) }, &factors);
        }
        array.first_unscaled = array.first_unscaled.max(end);
    }
    // SAFETY: `start <= row_count`, the length of the list.
    unsafe { array.rows.add(start) }
}

unsafe extern "C-unwind" fn free_pool(cinfo: &mut jpeg_common_struct, pool: c_int) {
    // SAFETY: `install` put this function in place, and noted libjpeg's own one.
    unsafe {
        let memory = memory_of(cinfo);
        if pool == JPOOL_IMAGE as c_int {
            memory.arena.empty();
        } else if let Some(free) = memory.free_permanent {
            free(cinfo, pool);
        }
    }
}

const _: () = assert!(align_of::<VirtualBlocks>() <= ALIGN && align_of::<Block>() <= ALIGN);

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
