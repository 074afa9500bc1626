//! One reused compressor of libjpeg, with memory and destination of its own.

#![allow(unsafe_code, reason = "calls libjpeg, which is C")]

use core::ptr;

use mozjpeg_sys::{
    DCTSIZE, J_COLOR_SPACE, J_DCT_METHOD, J_INT_PARAM, JINT_COMPRESS_PROFILE_VALUE, boolean,
    jpeg_abort_compress, jpeg_c_set_int_param, jpeg_compress_struct, jpeg_copy_critical_parameters,
    jpeg_destination_mgr, jpeg_finish_compress, jpeg_set_defaults, jpeg_set_quality, jpeg_start_compress,
    jpeg_write_coefficients, jpeg_write_raw_data,
};

use super::decompressor::Session;
use super::libjpeg::guard;
use super::object::Object;
use super::planes::{PlanarPicture, Plane};
use super::{CodecError, MAX_DIMENSION};

/// What a picture is to be compressed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Luma samples for each chroma sample, across and down, 1 or 2; `None` for luma only.
    pub(super) chroma: Option<(u8, u8)>,
    /// libjpeg's scale, 1..=100.
    pub(super) quality: u8,
}

impl Settings {
    /// Rows of luma in one strip: what one row of MCUs covers.
    pub(super) fn strip_rows(&self) -> u32 {
        8 * self.chroma.map_or(1, |(_, down)| u32::from(down))
    }

    const fn components(&self) -> usize {
        if self.chroma.is_some() { 3 } else { 1 }
    }
}

/// How the output fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// The image is whole, this many bytes long.
    Fits(usize),
    /// The image was cut; it would have had this many bytes.
    Needs(usize),
}

/// Most rows of one component in a strip.
const STRIP_ROWS: usize = 2 * DCTSIZE;

pub(super) struct Compressor {
    object: Object<jpeg_compress_struct, Destination>,
    configured: Option<Settings>,
}

// SAFETY: libjpeg objects belong to no thread; all pointers in the state lead into the state itself or into
// memory that it owns, and are used only through `&mut self`.
unsafe impl Send for Compressor {}

impl Compressor {
    pub(super) fn new() -> Self {
        let object = Object::new(Destination::new(), |cinfo: &mut jpeg_compress_struct, destination| {
            cinfo.dest = destination.cast();
        });
        Self { object, configured: None }
    }

    fn cinfo(&mut self) -> &mut jpeg_compress_struct {
        self.object.cinfo()
    }

    /// Compresses a picture strip by strip into `output`.
    ///
    /// `fill` is called for each strip with the number of its first row of luma. It puts
    /// [`Settings::strip_rows`] rows into `strip`, fewer only at the bottom of the picture, where the last
    /// row is repeated.
    pub(super) fn compress(
        &mut self,
        settings: Settings,
        output: &mut [u8],
        strip: &mut PlanarPicture,
        mut fill: impl FnMut(&mut PlanarPicture, u32),
    ) -> Result<Written, CodecError> {
        self.start(settings, output)?;
        let mut row = 0;
        while row < settings.height {
            fill(strip, row);
            self.write_strip(&settings, strip.planes()).inspect_err(|_| self.abort())?;
            row += settings.strip_rows();
        }
        self.finish()
    }

    fn start(&mut self, settings: Settings, output: &mut [u8]) -> Result<(), CodecError> {
        let Settings { width, height, .. } = settings;
        if width == 0 || height == 0 || width > MAX_DIMENSION || height > MAX_DIMENSION {
            return Err(CodecError::Size { width, height });
        }
        self.abort();
        self.aim(output);
        let fresh = self.configured.replace(settings) != Some(settings);
        let cinfo = self.cinfo();
        let outcome = guard(|| {
            if fresh {
                configure(cinfo, &settings);
            }
            // SAFETY: created in `new`, idle since the abort above, configured now or before.
            unsafe { jpeg_start_compress(cinfo, 1) };
        });
        outcome.inspect_err(|_| self.forget())
    }

    fn write_strip(&mut self, settings: &Settings, planes: &[Plane; 3]) -> Result<(), CodecError> {
        let cinfo = self.cinfo();
        let mut rows = [[ptr::null::<u8>(); STRIP_ROWS]; 3];
        let mut components = [ptr::null::<*const u8>(); 3];
        for index in 0..settings.components() {
            // SAFETY: `configure` made libjpeg set up that many components.
            let info = unsafe { &*cinfo.comp_info.add(index) };
            let (plane, last) = (&planes[index], planes[index].rows().saturating_sub(1));
            // Real rows and samples only: libjpeg reads whole blocks across.
            assert!(plane.rows() > 0 && plane.stride() >= info.width_in_blocks as usize * DCTSIZE);
            let count = info.v_samp_factor as usize * DCTSIZE;
            for (row, slot) in rows[index][..count].iter_mut().enumerate() {
                *slot = plane.line(row.min(last)).as_ptr();
            }
            components[index] = rows[index].as_ptr();
        }
        // SAFETY: every component has a list of `v_samp_factor` * 8 rows, which is what libjpeg reads of it,
        // and every row as many samples as it reads across; `planes` outlives the call.
        guard(|| unsafe { jpeg_write_raw_data(cinfo, components.as_ptr(), settings.strip_rows()) })
            .map(|_| ())
    }

    /// Writes the coefficients of an open image with quantisation tables of their own.
    ///
    /// `tables` are those of the four slots, natural order; the coefficients must be quantised by them
    /// when they are read, which they are here.
    pub(super) fn copy_coefficients(
        &mut self,
        source: &mut Session<'_>,
        tables: &[Option<[u16; 64]>; 4],
        output: &mut [u8],
    ) -> Result<Written, CodecError> {
        let arrays = source.coefficient_arrays();
        assert!(!arrays.is_null());
        self.forget();
        self.aim(output);
        let cinfo = self.cinfo();
        let outcome = guard(|| {
            use_fastest_profile(cinfo);
            // SAFETY: both objects are created; this one is idle, the other one has read its header.
            unsafe { jpeg_copy_critical_parameters(source.cinfo(), cinfo) };
            cinfo.restart_in_rows = 1;
            for (slot, table) in cinfo.quant_tbl_ptrs.iter().zip(tables) {
                // SAFETY: null, or a table of this compressor.
                if let (Some(slot), Some(table)) = (unsafe { slot.as_mut() }, table) {
                    slot.quantval = *table;
                }
            }
            // SAFETY: the arrays have the geometry that was just copied, and live until the session ends.
            unsafe { jpeg_write_coefficients(cinfo, arrays) };
        });
        outcome.inspect_err(|_| self.forget())?;
        // Reads the coefficients, drawing them from the source.
        self.finish()
    }

    fn finish(&mut self) -> Result<Written, CodecError> {
        let cinfo = self.cinfo();
        // SAFETY: created in `new` and started by the caller.
        guard(|| unsafe { jpeg_finish_compress(cinfo) }).inspect_err(|_| self.forget())?;
        Ok(self.object.part().written())
    }

    fn aim(&mut self, output: &mut [u8]) {
        // `output` outlives the image: `compress` and `copy_coefficients` borrow it until the image is
        // finished, and every next image is aimed anew.
        self.object.part().aim(output);
    }

    fn abort(&mut self) {
        let cinfo = self.cinfo();
        // SAFETY: created in `new`; allowed in every state.
        let _ = guard(|| unsafe { jpeg_abort_compress(cinfo) });
    }

    fn forget(&mut self) {
        self.configured = None;
        self.abort();
    }
}

fn use_fastest_profile(cinfo: &mut jpeg_compress_struct) {
    let fastest = JINT_COMPRESS_PROFILE_VALUE::JCP_FASTEST as i32;
    // SAFETY: a created compressor. Stock libjpeg-turbo behaviour: mozjpeg's own profile takes 27 times
    // as long, for pictures of a camera no better at equal size.
    unsafe { jpeg_c_set_int_param(cinfo, J_INT_PARAM::JINT_COMPRESS_PROFILE, fastest) };
}

/// Sets all parameters; the order matters: the profile decides what the defaults are, and they reset
/// the rest.
fn configure(cinfo: &mut jpeg_compress_struct, settings: &Settings) {
    use_fastest_profile(cinfo);
    cinfo.image_width = settings.width;
    cinfo.image_height = settings.height;
    cinfo.input_components = settings.components() as i32;
    cinfo.in_color_space =
        if settings.chroma.is_some() { J_COLOR_SPACE::JCS_YCbCr } else { J_COLOR_SPACE::JCS_GRAYSCALE };
    // SAFETY: a created, idle compressor, whose description of the input is set.
    unsafe { jpeg_set_defaults(cinfo) };
    cinfo.dct_method = J_DCT_METHOD::JDCT_ISLOW;
    cinfo.optimize_coding = 0;
    cinfo.raw_data_in = 1;
    cinfo.restart_in_rows = 1;
    if let Some((across, down)) = settings.chroma {
        // SAFETY: the defaults made an array of at least three components.
        let luma = unsafe { &mut *cinfo.comp_info };
        luma.h_samp_factor = i32::from(across);
        luma.v_samp_factor = i32::from(down);
    }
    // SAFETY: as above. Baseline is forced: else low qualities would give 16-bit tables, which not
    // every decoder knows.
    unsafe { jpeg_set_quality(cinfo, i32::from(settings.quality), 1) };
}

/// Writes into a buffer of the caller; what does not fit goes to a scratch page and is only counted.
#[repr(C)]
struct Destination {
    /// First, so that libjpeg's pointer to it is a pointer to the whole.
    manager: jpeg_destination_mgr,
    capacity: usize,
    /// Bytes in scratch pages that were full.
    discarded: usize,
    full: bool,
    scratch: [u8; 4096],
}

impl Destination {
    fn new() -> Self {
        Self {
            manager: jpeg_destination_mgr {
                next_output_byte: ptr::null_mut(),
                free_in_buffer: 0,
                init_destination: Some(init_destination),
                empty_output_buffer: Some(empty_output_buffer),
                term_destination: Some(init_destination),
            },
            capacity: 0,
            discarded: 0,
            full: false,
            scratch: [0; 4096],
        }
    }

    fn aim(&mut self, output: &mut [u8]) {
        self.capacity = output.len();
        self.discarded = 0;
        self.full = false;
        self.manager.next_output_byte = output.as_mut_ptr();
        self.manager.free_in_buffer = output.len();
        if output.is_empty() {
            self.turn_to_scratch();
        }
    }

    fn turn_to_scratch(&mut self) {
        self.full = true;
        self.manager.next_output_byte = self.scratch.as_mut_ptr();
        self.manager.free_in_buffer = self.scratch.len();
    }

    fn written(&self) -> Written {
        let free = self.manager.free_in_buffer;
        if self.full {
            Written::Needs(self.capacity + self.discarded + self.scratch.len() - free)
        } else {
            Written::Fits(self.capacity - free)
        }
    }
}

unsafe extern "C-unwind" fn init_destination(_cinfo: &mut jpeg_compress_struct) {}

unsafe extern "C-unwind" fn empty_output_buffer(cinfo: &mut jpeg_compress_struct) -> boolean {
    // SAFETY: `new` set `dest` to a `Destination`, whose first field is the manager; nothing else refers
    // to it while libjpeg runs.
    let destination = unsafe { &mut *cinfo.dest.cast::<Destination>() };
    if destination.full {
        destination.discarded += destination.scratch.len();
    }
    destination.turn_to_scratch();
    1
}
