//! One reused decompressor of libjpeg, with memory and source of its own.

#![allow(unsafe_code, reason = "calls libjpeg, which is C")]

use core::ffi::{c_int, c_long};
use core::marker::PhantomData;
use core::ptr;

use mozjpeg_sys::{
    DCTSIZE, J_COLOR_SPACE, J_DCT_METHOD, JERR_BAD_PROGRESSION, boolean, jpeg_abort_decompress,
    jpeg_common_struct, jpeg_component_info, jpeg_decompress_struct, jpeg_has_multiple_scans,
    jpeg_progress_mgr, jpeg_read_coefficients, jpeg_read_header, jpeg_read_raw_data, jpeg_resync_to_restart,
    jpeg_source_mgr, jpeg_start_decompress, jvirt_barray_control,
};

use super::libjpeg::{guard, raise};
use super::memory::{COMPONENTS, VirtualBlocks};
use super::object::Object;
use super::planes::Plane;
use super::{CodecError, check_size};
use crate::jpeg::STANDARD_HUFFMAN_TABLES;

/// Most rows of one component in one row of MCUs: libjpeg's largest sampling factor is 4.
const STRIP_ROWS: usize = 4 * DCTSIZE;
/// A progressive image of an encoder has about ten scans; thousands of them are an attack on our time.
const MAX_SCANS: c_int = 64;

pub(super) struct Decompressor {
    object: Object<jpeg_decompress_struct, Reading>,
}

/// What a decompressor reads, and what keeps it from reading for ever.
struct Reading {
    source: Source,
    progress: jpeg_progress_mgr,
}

// SAFETY: libjpeg objects belong to no thread; all pointers in the state lead into the state itself or into
// memory that it owns, or, while a `Session` lives, into what the session borrows.
unsafe impl Send for Decompressor {}

impl Decompressor {
    pub(super) fn new() -> Self {
        let progress = jpeg_progress_mgr {
            progress_monitor: Some(limit_scans),
            pass_counter: 0,
            pass_limit: 0,
            completed_passes: 0,
            total_passes: 0,
        };
        let object = Object::new(
            Reading { source: Source::new(), progress },
            |cinfo: &mut jpeg_decompress_struct, reading| {
                // SAFETY: valid as long as the object, as `Object::new` promises; only addresses are taken.
                unsafe {
                    cinfo.src = (&raw mut (*reading).source).cast();
                    cinfo.common.progress = &raw mut (*reading).progress;
                }
            },
        );
        Self { object }
    }

    fn cinfo(&mut self) -> &mut jpeg_decompress_struct {
        self.object.cinfo()
    }

    /// Reads all headers of an image, up to its first scan, and checks its size.
    pub(super) fn open<'a>(&'a mut self, jpeg: &'a [u8]) -> Result<Session<'a>, CodecError> {
        self.abort();
        // `jpeg` outlives the session, and without a session nothing is read.
        self.object.part().source.aim(jpeg);
        let cinfo = self.cinfo();
        forget_quantisation(cinfo);
        // SAFETY: created in `new`, idle since the abort above, with a source.
        guard(|| unsafe { jpeg_read_header(cinfo, 1) })?;
        check_size(cinfo.image_width, cinfo.image_height)?;
        if !(1..=COMPONENTS as c_int).contains(&cinfo.num_components) {
            return Err(CodecError::Unsupported("more than four components"));
        }
        let session = Session { decompressor: self, has_coefficients: false, _jpeg: PhantomData };
        for component in session.components() {
            if session.quantisation(component.quant_tbl_no).is_none_or(|table| table.contains(&0)) {
                return Err(CodecError::Broken("no quantisation table for a component".into()));
            }
        }
        Ok(session)
    }

    fn abort(&mut self) {
        let cinfo = self.cinfo();
        // SAFETY: created in `new`; allowed in every state.
        let _ = guard(|| unsafe { jpeg_abort_decompress(cinfo) });
    }
}

/// One image being read.
pub(super) struct Session<'a> {
    decompressor: &'a mut Decompressor,
    has_coefficients: bool,
    _jpeg: PhantomData<&'a [u8]>,
}

impl Session<'_> {
    pub(super) fn cinfo(&self) -> &jpeg_decompress_struct {
        // SAFETY: valid as long as the decompressor; shared for as long as `self` is.
        unsafe { &(*self.decompressor.object.as_ptr()).cinfo }
    }

    pub(super) fn components(&self) -> &[jpeg_component_info] {
        let cinfo = self.cinfo();
        // SAFETY: the header was read: libjpeg has set up `num_components` of them, in memory of the image.
        unsafe { core::slice::from_raw_parts(cinfo.comp_info, cinfo.num_components as usize) }
    }

    /// A quantisation table in natural order; zeros where the image has not defined it.
    pub(super) fn quantisation(&self, slot: c_int) -> Option<&[u16; 64]> {
        let table = *self.cinfo().quant_tbl_ptrs.get(usize::try_from(slot).ok()?)?;
        // SAFETY: null, or a table that lives as long as the decompressor.
        unsafe { table.as_ref() }.map(|table| &table.quantval)
    }

    /// Warnings so far: bytes missing, skipped or impossible.
    pub(super) fn warnings(&self) -> u64 {
        // SAFETY: as in `cinfo`.
        let warnings = unsafe { (*self.decompressor.object.as_ptr()).errors.num_warnings };
        u64::try_from(warnings).unwrap_or(0)
    }

    /// Makes coefficients readable, once each and from top to bottom.
    ///
    /// Those of a single scan are read from the image as they are asked for, which keeps them in the cache;
    /// those of several scans, all at once.
    pub(super) fn read_coefficients(&mut self) -> Result<(), CodecError> {
        let state = self.decompressor.object.as_ptr();
        let cinfo = self.decompressor.cinfo();
        // SAFETY: the header was read. The memory is not in use by libjpeg now, and forgets the decompressor
        // when the image is aborted.
        guard(|| unsafe {
            if jpeg_has_multiple_scans(cinfo) != 0 {
                jpeg_read_coefficients(cinfo);
            } else {
                (*state).memory.drawn_from = &raw mut (*state).cinfo;
                let cinfo = &mut (*state).cinfo;
                // Ready for coefficients, and for samples that are never asked for.
                cinfo.buffered_image = 1;
                cinfo.raw_data_out = 1;
                jpeg_start_decompress(cinfo);
            }
        })?;
        self.has_coefficients = true;
        Ok(())
    }

    /// The list of arrays of coefficients that libjpeg takes; null before they were read.
    pub(super) const fn coefficient_arrays(&mut self) -> *mut *mut jvirt_barray_control {
        if !self.has_coefficients {
            return ptr::null_mut();
        }
        // SAFETY: valid as long as the decompressor.
        unsafe { (&raw mut (*self.decompressor.object.as_ptr()).memory.coefficients).cast() }
    }

    /// One component's coefficients, if they were read.
    pub(super) fn coefficients(&mut self, component: usize) -> Option<&mut VirtualBlocks> {
        if !self.has_coefficients || component >= self.components().len() {
            return None;
        }
        // SAFETY: libjpeg asked `memory` for one array for each component, no more than the list has
        // room for; they live in the image's memory, and so until the session ends.
        unsafe { (*self.coefficient_arrays().add(component)).cast::<VirtualBlocks>().as_mut() }
    }

    /// Reads all samples of the first components as they are stored, one plane each.
    ///
    /// The planes get the size of the components, and room for whole MCUs behind it.
    pub(super) fn read_planes(&mut self, planes: &mut [Plane; 3]) -> Result<(), CodecError> {
        let cinfo = self.decompressor.cinfo();
        cinfo.raw_data_out = 1;
        cinfo.do_fancy_upsampling = 0;
        cinfo.dct_method = J_DCT_METHOD::JDCT_ISLOW;
        cinfo.out_color_space = cinfo.jpeg_color_space;
        let count = cinfo.num_components as usize;
        if count > planes.len() {
            return Err(CodecError::Unsupported("four components"));
        }
        // SAFETY: the header was read.
        guard(|| unsafe { jpeg_start_decompress(cinfo) })?;
        let strip = cinfo.max_v_samp_factor as u32 * DCTSIZE as u32;
        let strips = cinfo.image_height.div_ceil(strip) as usize;
        for (index, plane) in planes.iter_mut().enumerate() {
            // SAFETY: as in `components`.
            let info = unsafe { (index < count).then(|| &*cinfo.comp_info.add(index)) };
            let Some(info) = info else {
                plane.reset(0, 0, 0, 0);
                continue;
            };
            let share =
                |whole: u32, factor: c_int, most: c_int| (whole * factor as u32).div_ceil(most as u32);
            plane.reset(
                share(cinfo.image_width, info.h_samp_factor, cinfo.max_h_samp_factor) as usize,
                share(cinfo.image_height, info.v_samp_factor, cinfo.max_v_samp_factor) as usize,
                info.width_in_blocks as usize * DCTSIZE,
                strips * info.v_samp_factor as usize * DCTSIZE,
            );
        }
        for index in 0..strips {
            read_strip(cinfo, planes, index, strip)?;
        }
        Ok(())
    }
}

fn read_strip(
    cinfo: &mut jpeg_decompress_struct,
    planes: &mut [Plane; 3],
    strip: usize,
    rows_of_image: u32,
) -> Result<(), CodecError> {
    let mut rows = [[ptr::null_mut::<u8>(); STRIP_ROWS]; 3];
    let mut components = [ptr::null_mut::<*mut u8>(); 3];
    for (index, plane) in planes.iter_mut().enumerate().take(cinfo.num_components as usize) {
        // SAFETY: as in `Session::components`.
        let info = unsafe { &*cinfo.comp_info.add(index) };
        let count = info.v_samp_factor as usize * DCTSIZE;
        for (row, slot) in rows[index][..count].iter_mut().enumerate() {
            let line = plane.line_mut(strip * count + row);
            assert!(line.len() >= info.width_in_blocks as usize * DCTSIZE);
            *slot = line.as_mut_ptr();
        }
        components[index] = rows[index].as_mut_ptr();
    }
    // SAFETY: every component has a list of `v_samp_factor` * 8 distinct rows, each of whole blocks, which is
    // all that libjpeg writes for one row of MCUs. No line is touched from here until the call is over.
    guard(|| unsafe { jpeg_read_raw_data(cinfo, components.as_mut_ptr(), rows_of_image) }).map(|_| ())
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.decompressor.abort();
    }
}

/// Zeroes all quantisation tables, which libjpeg would keep from image to image.
///
/// A broken image without tables must not be taken for a good one because the last one had some.
fn forget_quantisation(cinfo: &mut jpeg_decompress_struct) {
    for table in cinfo.quant_tbl_ptrs {
        // SAFETY: null, or a table that lives as long as the decompressor.
        if let Some(table) = unsafe { table.as_mut() } {
            table.quantval = [0; 64];
        }
    }
}

/// What the planes of an image hold.
pub(super) fn colour_of(cinfo: &jpeg_decompress_struct) -> Result<ColourSpace, CodecError> {
    match (cinfo.jpeg_color_space, cinfo.num_components) {
        (J_COLOR_SPACE::JCS_YCbCr, 3) => Ok(ColourSpace::YCbCr),
        (J_COLOR_SPACE::JCS_GRAYSCALE, 1) => Ok(ColourSpace::Grey),
        (J_COLOR_SPACE::JCS_RGB, 3) => Ok(ColourSpace::Rgb),
        _ => Err(CodecError::Unsupported("other colours than grey, Y'CbCr and RGB")),
    }
}

/// What the components of an image are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColourSpace {
    Grey,
    YCbCr,
    Rgb,
}

unsafe extern "C-unwind" fn limit_scans(cinfo: &mut jpeg_common_struct) {
    let whole: *const jpeg_decompress_struct = ptr::from_mut(cinfo).cast();
    // SAFETY: only decompressors get this monitor, and they begin with the common part.
    if unsafe { (*whole).input_scan_number } > MAX_SCANS {
        raise(cinfo, JERR_BAD_PROGRESSION);
    }
}

/// Gives libjpeg an image with the standard Huffman tables put in right behind SOI.
///
/// Tables of the image's own come later and replace them. Images without tables are thus decoded, and never
/// with tables that an image before them has left in the decompressor.
#[repr(C)]
struct Source {
    /// First, so that libjpeg's pointer to it is a pointer to the whole.
    manager: jpeg_source_mgr,
    /// What comes after the buffer that libjpeg is reading.
    rest: *const [u8],
}

static HEAD: [u8; 422] = {
    let mut head = [0; 422];
    let (soi, tables) = head.split_at_mut(2);
    soi.copy_from_slice(&SOI);
    tables.copy_from_slice(&STANDARD_HUFFMAN_TABLES);
    head
};
const SOI: [u8; 2] = [0xff, 0xd8];
static EOI: [u8; 2] = [0xff, 0xd9];

impl Source {
    fn new() -> Self {
        Self {
            manager: jpeg_source_mgr {
                next_input_byte: ptr::null(),
                bytes_in_buffer: 0,
                init_source: Some(init_source),
                fill_input_buffer: Some(fill_input_buffer),
                skip_input_data: Some(skip_input_data),
                resync_to_restart: Some(jpeg_resync_to_restart),
                term_source: Some(init_source),
            },
            rest: &[],
        }
    }

    fn aim(&mut self, jpeg: &[u8]) {
        let (head, rest) = match jpeg.strip_prefix(&SOI) {
            Some(rest) => (&HEAD[..], rest),
            None => (jpeg, &[][..]),
        };
        self.rest = rest;
        self.read_from(head);
    }

    fn read_from(&mut self, bytes: &[u8]) {
        self.manager.next_input_byte = bytes.as_ptr();
        self.manager.bytes_in_buffer = bytes.len();
    }

    /// The next piece; false at the end, where an EOI is made up, as libjpeg's own sources do.
    fn next(&mut self) -> bool {
        // SAFETY: empty, or set by `aim` to what the session borrows.
        let rest = unsafe { &*self.rest };
        self.rest = &[];
        self.read_from(if rest.is_empty() { &EOI } else { rest });
        !rest.is_empty()
    }
}

unsafe extern "C-unwind" fn init_source(_cinfo: &mut jpeg_decompress_struct) {}

unsafe extern "C-unwind" fn fill_input_buffer(cinfo: &mut jpeg_decompress_struct) -> boolean {
    // SAFETY: `new` set `src` to a `Source`, whose first field is the manager; the reference ends before
    // libjpeg goes on.
    let more = unsafe { (*cinfo.src.cast::<Source>()).next() };
    if !more {
        // SAFETY: the error manager was set before creation.
        unsafe { (*cinfo.common.err).num_warnings += 1 };
    }
    1
}

unsafe extern "C-unwind" fn skip_input_data(cinfo: &mut jpeg_decompress_struct, count: c_long) {
    // SAFETY: as in `fill_input_buffer`.
    let source = unsafe { &mut *cinfo.src.cast::<Source>() };
    let mut count = usize::try_from(count).unwrap_or(0);
    while count > source.manager.bytes_in_buffer {
        count -= source.manager.bytes_in_buffer;
        if !source.next() {
            return;
        }
    }
    source.manager.bytes_in_buffer -= count;
    // SAFETY: `count` bytes more are in the buffer.
    source.manager.next_input_byte = unsafe { source.manager.next_input_byte.add(count) };
}
