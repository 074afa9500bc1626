//! The floor of the codec: libjpeg as a careful C program would call it, and nothing else.
//!
//! Reused objects with libjpeg's own memory manager, the settings of the product, whole planes for input.

use core::ffi::c_long;
use core::{mem, ptr};

use mozjpeg_sys as c;

/// A compressor of 4:2:2 planes.
pub(crate) struct BareEncoder {
    cinfo: Box<c::jpeg_compress_struct>,
    _errors: Box<c::jpeg_error_mgr>,
    destination: Box<c::jpeg_destination_mgr>,
    output: Vec<u8>,
    planes: [Vec<u8>; 3],
    width: usize,
    height: usize,
}

impl BareEncoder {
    pub(crate) fn new(width: usize, height: usize, quality: i32) -> Self {
        let padded = width.next_multiple_of(16);
        // SAFETY: zero is valid for these structs of C; all pointers lead to boxes that the result
        // keeps; the calls are made in the order that libjpeg asks for.
        unsafe {
            let mut errors: Box<c::jpeg_error_mgr> = Box::new(mem::zeroed());
            let mut cinfo: Box<c::jpeg_compress_struct> = Box::new(mem::zeroed());
            cinfo.common.err = c::jpeg_std_error(&mut errors);
            c::jpeg_create_compress(&mut *cinfo);
            let mut destination = Box::new(c::jpeg_destination_mgr {
                next_output_byte: ptr::null_mut(),
                free_in_buffer: 0,
                init_destination: Some(nothing),
                empty_output_buffer: Some(full),
                term_destination: Some(nothing),
            });
            cinfo.dest = &mut *destination;
            let fastest = c::JINT_COMPRESS_PROFILE_VALUE::JCP_FASTEST as i32;
            c::jpeg_c_set_int_param(&mut cinfo, c::J_INT_PARAM::JINT_COMPRESS_PROFILE, fastest);
            cinfo.image_width = width as u32;
            cinfo.image_height = height as u32;
            cinfo.input_components = 3;
            cinfo.in_color_space = c::J_COLOR_SPACE::JCS_YCbCr;
            c::jpeg_set_defaults(&mut cinfo);
            cinfo.dct_method = c::J_DCT_METHOD::JDCT_ISLOW;
            cinfo.optimize_coding = 0;
            cinfo.raw_data_in = 1;
            cinfo.restart_in_rows = 1;
            (*cinfo.comp_info).h_samp_factor = 2;
            (*cinfo.comp_info).v_samp_factor = 1;
            c::jpeg_set_quality(&mut cinfo, quality, 1);
            let rows = height.next_multiple_of(8);
            let planes = [padded, padded / 2, padded / 2].map(|stride| vec![0; stride * rows]);
            Self {
                cinfo,
                _errors: errors,
                destination,
                output: vec![0; 4 * width * height],
                planes,
                width,
                height,
            }
        }
    }

    /// Whole planes first, then libjpeg.
    pub(crate) fn encode_yuyv(&mut self, samples: &[u8]) -> &[u8] {
        let padded = self.width.next_multiple_of(16);
        let [y, u, v] = &mut self.planes;
        for row in 0..self.height {
            let line = &samples[row * self.width * 2..][..self.width * 2];
            let y = &mut y[row * padded..][..self.width];
            let u = &mut u[row * padded / 2..][..self.width / 2];
            let v = &mut v[row * padded / 2..][..self.width / 2];
            for (((four, y), u), v) in line.chunks_exact(4).zip(y.chunks_exact_mut(2)).zip(u).zip(v) {
                (y[0], *u, y[1], *v) = (four[0], four[1], four[2], four[3]);
            }
        }
        self.start();
        let planes = self.planes.each_ref().map(Vec::as_ptr);
        for strip in 0..self.height.div_ceil(8) {
            // SAFETY: the planes hold whole strips of whole blocks.
            unsafe { self.write_strip(planes.map(<*const u8>::cast_mut), strip * 8, padded) };
        }
        self.finish()
    }

    fn start(&mut self) {
        self.destination.next_output_byte = self.output.as_mut_ptr();
        self.destination.free_in_buffer = self.output.len();
        // SAFETY: set up in `new`, idle.
        unsafe { c::jpeg_start_compress(&mut self.cinfo, 1) };
    }

    /// # Safety
    ///
    /// From `row` on, the planes have 8 lines of `stride` and half of it.
    unsafe fn write_strip(&mut self, planes: [*mut u8; 3], row: usize, stride: usize) {
        // SAFETY: as promised by the caller.
        unsafe {
            let lines = strip_lines(planes, row, stride);
            let lists = lines.each_ref().map(|lines| lines.as_ptr().cast::<*const u8>());
            c::jpeg_write_raw_data(&mut self.cinfo, lists.as_ptr(), 8);
        }
    }

    fn finish(&mut self) -> &[u8] {
        // SAFETY: all strips were written.
        unsafe { c::jpeg_finish_compress(&mut self.cinfo) };
        &self.output[..self.output.len() - self.destination.free_in_buffer]
    }
}

/// Decodes to 4:2:2 planes and encodes those again, strip by strip.
pub(crate) struct BareTranscoder {
    decoder: Box<c::jpeg_decompress_struct>,
    _errors: Box<c::jpeg_error_mgr>,
    source: Box<c::jpeg_source_mgr>,
    encoder: BareEncoder,
}

impl BareTranscoder {
    pub(crate) fn new(width: usize, height: usize, quality: i32) -> Self {
        // SAFETY: as in `BareEncoder::new`.
        unsafe {
            let mut errors: Box<c::jpeg_error_mgr> = Box::new(mem::zeroed());
            let mut decoder: Box<c::jpeg_decompress_struct> = Box::new(mem::zeroed());
            decoder.common.err = c::jpeg_std_error(&mut errors);
            c::jpeg_create_decompress(&mut *decoder);
            let mut source = Box::new(c::jpeg_source_mgr {
                next_input_byte: ptr::null(),
                bytes_in_buffer: 0,
                init_source: Some(no_source),
                fill_input_buffer: Some(at_end),
                skip_input_data: Some(skip),
                resync_to_restart: Some(c::jpeg_resync_to_restart),
                term_source: Some(no_source),
            });
            decoder.src = &mut *source;
            Self { decoder, _errors: errors, source, encoder: BareEncoder::new(width, height, quality) }
        }
    }

    pub(crate) fn transcode(&mut self, jpeg: &[u8]) -> &[u8] {
        let stride = self.encoder.width.next_multiple_of(16);
        // SAFETY: `jpeg` outlives the decoding; the planes of the encoder hold a strip.
        unsafe {
            self.source.next_input_byte = jpeg.as_ptr();
            self.source.bytes_in_buffer = jpeg.len();
            c::jpeg_read_header(&mut self.decoder, 1);
            self.decoder.raw_data_out = 1;
            self.decoder.do_fancy_upsampling = 0;
            c::jpeg_start_decompress(&mut self.decoder);
            self.encoder.start();
            let planes = self.encoder.planes.each_mut().map(Vec::as_mut_ptr);
            for _ in 0..self.encoder.height.div_ceil(8) {
                let mut lines = strip_lines(planes, 0, stride);
                let mut lists = lines.each_mut().map(|lines| lines.as_mut_ptr());
                c::jpeg_read_raw_data(&mut self.decoder, lists.as_mut_ptr(), 8);
                self.encoder.write_strip(planes, 0, stride);
            }
            c::jpeg_finish_decompress(&mut self.decoder);
        }
        self.encoder.finish()
    }
}

/// # Safety
///
/// From `row` on, the planes have 8 lines of `stride` and half of it.
unsafe fn strip_lines(planes: [*mut u8; 3], row: usize, stride: usize) -> [[*mut u8; 8]; 3] {
    let strides = [stride, stride / 2, stride / 2];
    // SAFETY: as promised by the caller.
    core::array::from_fn(|p| core::array::from_fn(|line| unsafe { planes[p].add((row + line) * strides[p]) }))
}

unsafe extern "C-unwind" fn nothing(_: &mut c::jpeg_compress_struct) {}
unsafe extern "C-unwind" fn full(_: &mut c::jpeg_compress_struct) -> c::boolean {
    panic!("the output buffer is large enough")
}
unsafe extern "C-unwind" fn no_source(_: &mut c::jpeg_decompress_struct) {}
unsafe extern "C-unwind" fn at_end(_: &mut c::jpeg_decompress_struct) -> c::boolean {
    panic!("the image is whole")
}
unsafe extern "C-unwind" fn skip(decoder: &mut c::jpeg_decompress_struct, count: c_long) {
    // SAFETY: whole images: what is skipped is there.
    unsafe {
        let source = &mut *decoder.src;
        source.next_input_byte = source.next_input_byte.add(count as usize);
        source.bytes_in_buffer -= count as usize;
    }
}
