//! libjpeg's working memory, kept from frame to frame.
//!
//! libjpeg asks for memory in two lifetimes. What lives as long as the object still comes from its own
//! manager, once. What lives for one image comes from an [`Arena`] here, which is emptied after each
//! image and never given back: after the first images of a size, no frame allocates and none faults a
//! page in. libjpeg's own manager would claim and free megabytes for each (the coefficients of a 1080p
//! image take 8 MB).

#![allow(unsafe_code, reason = "implements the memory manager that libjpeg calls")]

use core::ffi::{c_int, c_void};
use core::ptr;

use mozjpeg_sys::{
    JBLOCKARRAY, JBLOCKROW, JDIMENSION, JERR_BAD_POOL_ID, JERR_BAD_VIRTUAL_ACCESS, JERR_OUT_OF_MEMORY,
    JPOOL_IMAGE, JSAMPARRAY_MUT, JSAMPROW_MUT, boolean, jpeg_common_struct, jpeg_consume_input,
    jpeg_decompress_struct, jvirt_barray_control, jvirt_sarray_control,
};

use super::arena::{ALIGN, Arena};
use super::blocks::{self, Block, Factors};
use super::libjpeg::raise;

type Allocate = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, c_int, usize) -> *mut c_void;
type FreePool = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, c_int);

/// What libjpeg's memory manager needs to know here; reached through `client_data`.
pub(super) struct Memory {
    arena: Arena,
    permanent: Option<Allocate>,
    free_permanent: Option<FreePool>,
    /// Coefficients of the components of the image, in their order.
    pub(super) coefficients: [*mut jvirt_barray_control; COMPONENTS],
    requested: usize,
    /// The decompressor from which coefficients are drawn row by row; null while whole images are kept.
    pub(super) drawn_from: *mut jpeg_decompress_struct,
}

/// Most components whose coefficients are kept.
pub(super) const COMPONENTS: usize = 4;

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            arena: Arena::default(),
            permanent: None,
            free_permanent: None,
            coefficients: [ptr::null_mut(); COMPONENTS],
            requested: 0,
            drawn_from: ptr::null_mut(),
        }
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

/// The coefficients of one component: what libjpeg calls a virtual array.
///
/// All of them, or a window of one row of MCUs that moves on with the reader: a picture's coefficients
/// take four times the room of its samples, more than the caches of a small board, and each is needed
/// only for a moment.
pub(super) struct VirtualBlocks {
    /// One for each row of the window.
    rows: JBLOCKARRAY,
    window: usize,
    row_count: usize,
    blocks_per_row: usize,
    /// Rows from here on hold nothing yet.
    first_undefined: usize,
    /// What each block is multiplied by when its row is first read, if anything.
    factors: Option<Factors>,
    /// Rows from here on are not multiplied yet.
    first_unscaled: usize,
    /// Where further rows come from when the reader asks for them, or null.
    drawn_from: *mut jpeg_decompress_struct,
}

impl VirtualBlocks {
    /// Asks for every block to be multiplied by `factors` when its row is first read, while it is in
    /// the cache.
    pub(super) fn scale_on_reading(&mut self, factors: Factors) {
        self.factors = Some(factors);
    }

    /// # Safety
    ///
    /// No other reference to the blocks of that row exists.
    unsafe fn row(&mut self, row: usize) -> &mut [Block] {
        // SAFETY: `rows` lists `window` rows of `blocks_per_row` blocks each, in memory of the arena,
        // which is initialised and lives until the image is finished.
        unsafe { core::slice::from_raw_parts_mut(*self.rows.add(row % self.window), self.blocks_per_row) }
    }
}

unsafe extern "C-unwind" fn request_virtual_blocks(
    cinfo: &mut jpeg_common_struct,
    pool: c_int,
    _pre_zero: boolean,
    blocks_per_row: JDIMENSION,
    rows: JDIMENSION,
    most_rows_at_once: JDIMENSION,
) -> *mut jvirt_barray_control {
    // SAFETY: the arena's memory is aligned to 64 bytes and large enough for what is written there.
    unsafe {
        let drawn_from = memory_of(cinfo).drawn_from;
        let window = if drawn_from.is_null() { rows } else { most_rows_at_once.min(rows) };
        let list = allocate_blocks(cinfo, pool, blocks_per_row, window);
        let control: *mut VirtualBlocks = take(cinfo, 1, size_of::<VirtualBlocks>()).cast();
        control.write(VirtualBlocks {
            rows: list,
            window: window as usize,
            row_count: rows as usize,
            blocks_per_row: blocks_per_row as usize,
            first_undefined: 0,
            factors: None,
            first_unscaled: 0,
            drawn_from,
        });
        let memory = memory_of(cinfo);
        if let Some(slot) = memory.coefficients.get_mut(memory.requested) {
            *slot = control.cast();
            memory.requested += 1;
        }
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
    // libjpeg passes what `request_virtual_blocks` returned, of this object or, when coefficients are
    // copied from one to the other, of the object that is still open.
    let control: *mut VirtualBlocks = control.cast();
    let (start, count) = (start as usize, count as usize);
    // SAFETY: see above: a valid pointer; no reference to it is alive.
    let (whole, window) = unsafe { ((*control).row_count, (*control).window) };
    // Windows move by whole rows of MCUs, and so does libjpeg.
    if start + count > whole || start % window + count > window {
        raise(cinfo, JERR_BAD_VIRTUAL_ACCESS);
    }
    if writable == 0 {
        // SAFETY: as above; the decompressor is not being used otherwise while its coefficients are read.
        unsafe { draw(control, start + count) };
    }
    // SAFETY: as above; from here on nothing calls back.
    let array = unsafe { &mut *control };
    // Zeroed only now, just before use, and whether asked for or not: a damaged image may leave gaps.
    for row in array.first_undefined.max(start)..start + count {
        // SAFETY: libjpeg holds no row across a call for another.
        blocks::clear(unsafe { array.row(row) });
    }
    array.first_undefined = array.first_undefined.max(start + count);
    if writable == 0
        && let Some(factors) = array.factors
    {
        for row in array.first_unscaled.max(start)..start + count {
            // SAFETY: as above.
            blocks::scale(unsafe { array.row(row) }, &factors);
        }
        array.first_unscaled = array.first_unscaled.max(start + count);
    }
    // SAFETY: less than `window`, the length of the list.
    unsafe { array.rows.add(start % window) }
}

/// Lets the decompressor read on until the rows below `end` are there, if there is one.
///
/// # Safety
///
/// `control` is valid and no reference to it is alive: the decompressor writes to it. So does nothing
/// else use the decompressor. Its errors unwind from here, through whoever asked for the rows.
unsafe fn draw(control: *mut VirtualBlocks, end: usize) {
    // SAFETY: as promised by the caller; the decompressor outlives its coefficients.
    unsafe {
        while !(*control).drawn_from.is_null() && (*control).first_undefined < end {
            if jpeg_consume_input(&mut *(*control).drawn_from) != JPEG_ROW_COMPLETED {
                (*control).drawn_from = ptr::null_mut();
            }
        }
    }
}

/// What `jpeg_consume_input` returns while there are more rows in the scan (`jpeglib.h`).
const JPEG_ROW_COMPLETED: c_int = 3;

unsafe extern "C-unwind" fn free_pool(cinfo: &mut jpeg_common_struct, pool: c_int) {
    // SAFETY: `install` put this function in place, and noted libjpeg's own one.
    unsafe {
        let memory = memory_of(cinfo);
        if pool == JPOOL_IMAGE as c_int {
            memory.arena.empty();
            (memory.requested, memory.drawn_from) = (0, ptr::null_mut());
        } else if let Some(free) = memory.free_permanent {
            free(cinfo, pool);
        }
    }
}

const _: () = assert!(align_of::<VirtualBlocks>() <= ALIGN && align_of::<Block>() <= ALIGN);
