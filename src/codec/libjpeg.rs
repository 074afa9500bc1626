//! Errors of libjpeg: raised by unwinding, caught at the edge.
//!
//! libjpeg's `error_exit` must not return. It unwinds here, through C frames that are compiled for it,
//! up to [`guard`], and becomes a [`CodecError`]. `resume_unwind` starts the unwinding, not `panic!`:
//! the panic hook would print a message for every corrupt frame of a bad camera.

#![allow(unsafe_code, reason = "implements the error manager that libjpeg calls")]

use core::cell::Cell;
use core::ffi::{CStr, c_char, c_int};
use core::mem;
use std::panic::{self, AssertUnwindSafe};

use mozjpeg_sys::{J_MESSAGE_CODE, jpeg_common_struct, jpeg_error_mgr, jpeg_std_error};

use super::CodecError;

/// What unwinds when libjpeg gives up.
struct Raised(String);

/// Runs calls into libjpeg; an error that it raises becomes [`CodecError::Broken`].
///
/// The libjpeg objects involved must be aborted or destroyed afterwards, which is all that libjpeg allows.
/// Any other panic goes on.
pub(super) fn guard<T>(calls: impl FnOnce() -> T) -> Result<T, CodecError> {
    panic::catch_unwind(AssertUnwindSafe(calls)).map_err(|payload| match payload.downcast::<Raised>() {
        Ok(raised) => CodecError::Broken(raised.0),
        Err(payload) => panic::resume_unwind(payload),
    })
}

/// Raises an error of libjpeg from one of its callbacks.
pub(super) fn raise(cinfo: &mut jpeg_common_struct, code: J_MESSAGE_CODE) -> ! {
    // SAFETY: libjpeg calls back only with objects whose error manager was set before creation.
    unsafe { (*cinfo.err).msg_code = code as c_int };
    // SAFETY: as above.
    unsafe { error_exit(cinfo) };
    unreachable!("error_exit unwinds")
}

/// An error manager that unwinds, prints nothing, and counts warnings.
///
/// Compressor and decompressor need one each: libjpeg resets its count whenever an object starts an image.
pub(super) fn error_manager() -> jpeg_error_mgr {
    // SAFETY: numbers, raw pointers and optional functions, for all of which zero is valid.
    let mut manager: jpeg_error_mgr = unsafe { mem::zeroed() };
    // SAFETY: fills the struct it is given.
    unsafe { jpeg_std_error(&mut manager) };
    manager.error_exit = Some(error_exit);
    manager.emit_message = Some(emit_message);
    manager.output_message = Some(output_message);
    manager
}

thread_local! {
    static WARNINGS: Cell<u64> = const { Cell::new(0) };
}

/// Warnings of libjpeg on this thread so far, over all objects.
///
/// The safe wrapper of libjpeg keeps the error manager, and the count in it, to itself.
pub(super) fn warnings_on_this_thread() -> u64 {
    WARNINGS.get()
}

/// Longest message that libjpeg formats (`JMSG_LENGTH_MAX`).
const MESSAGE_MAX: usize = 200;

#[cold]
unsafe extern "C-unwind" fn error_exit(cinfo: &mut jpeg_common_struct) {
    let mut text = [0u8; MESSAGE_MAX];
    // SAFETY: libjpeg calls back only with objects whose error manager was set before creation.
    let format = unsafe { (*cinfo.err).format_message };
    if let Some(format) = format {
        // The binding declares an immutable buffer of 80 bytes; libjpeg writes up to 200.
        // SAFETY: both types are two pointers to C, and the second one is what libjpeg's header declares.
        let format = unsafe {
            mem::transmute::<
                unsafe extern "C-unwind" fn(&mut jpeg_common_struct, &[u8; 80]),
                unsafe extern "C-unwind" fn(*mut jpeg_common_struct, *mut c_char),
            >(format)
        };
        // SAFETY: the buffer has the size that libjpeg relies on.
        unsafe { format(cinfo, text.as_mut_ptr().cast()) };
    }
    text[MESSAGE_MAX - 1] = 0;
    let message = CStr::from_bytes_until_nul(&text).unwrap_or_default().to_string_lossy();
    panic::resume_unwind(Box::new(Raised(message.into_owned())));
}

unsafe extern "C-unwind" fn emit_message(cinfo: &mut jpeg_common_struct, level: c_int) {
    if level < 0 {
        // SAFETY: as in `error_exit`.
        unsafe { (*cinfo.err).num_warnings += 1 };
        WARNINGS.set(WARNINGS.get() + 1);
    }
}

unsafe extern "C-unwind" fn output_message(_cinfo: &mut jpeg_common_struct) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_panics_go_on() {
        let outcome = panic::catch_unwind(|| guard(|| panic::resume_unwind(Box::new("mine"))));
        assert_eq!(outcome.expect_err("a panic").downcast_ref(), Some(&"mine"));
        assert_eq!(guard(|| 7), Ok(7));
    }
}
