//! The life of a libjpeg object: made at a place of its own, and taken apart there.

#![allow(unsafe_code, reason = "calls libjpeg, which is C")]

use core::mem;
use core::ptr::NonNull;

use mozjpeg_sys::{
    jpeg_common_struct, jpeg_compress_struct, jpeg_create_compress, jpeg_create_decompress,
    jpeg_decompress_struct, jpeg_destroy_compress, jpeg_destroy_decompress, jpeg_error_mgr,
};

use super::libjpeg::{error_manager, guard};
use super::memory::Memory;

/// A compressor or a decompressor.
///
/// # Safety
///
/// Zero is valid for all fields. `create` and `destroy` are libjpeg's for this type.
pub(super) unsafe trait Kind {
    /// Initialises an object whose error manager is set.
    const CREATE: unsafe fn(&mut Self);
    /// Gives back what it holds.
    const DESTROY: unsafe fn(&mut Self);

    /// What both kinds begin with.
    fn common(&mut self) -> &mut jpeg_common_struct;
}

// SAFETY: numbers, raw pointers and enums with a variant of value 0; the functions are those of the type.
unsafe impl Kind for jpeg_compress_struct {
    const CREATE: unsafe fn(&mut Self) = |cinfo| {
        // SAFETY: as the caller promises.
        unsafe { jpeg_create_compress(cinfo) };
    };
    const DESTROY: unsafe fn(&mut Self) = |cinfo| {
        // SAFETY: as the caller promises.
        unsafe { jpeg_destroy_compress(cinfo) };
    };

    fn common(&mut self) -> &mut jpeg_common_struct {
        &mut self.common
    }
}

// SAFETY: numbers, raw pointers and enums with a variant of value 0; the functions are those of the type.
unsafe impl Kind for jpeg_decompress_struct {
    const CREATE: unsafe fn(&mut Self) = |cinfo| {
        // SAFETY: as the caller promises.
        unsafe { jpeg_create_decompress(cinfo) };
    };
    const DESTROY: unsafe fn(&mut Self) = |cinfo| {
        // SAFETY: as the caller promises.
        unsafe { jpeg_destroy_decompress(cinfo) };
    };

    fn common(&mut self) -> &mut jpeg_common_struct {
        &mut self.common
    }
}

/// Everything that C holds pointers to; stays at its place.
pub(super) struct State<C, P> {
    pub(super) cinfo: C,
    pub(super) errors: jpeg_error_mgr,
    /// What only this kind has: where it reads from or writes to.
    pub(super) part: P,
    pub(super) memory: Memory,
}

/// Owns a created object.
pub(super) struct Object<C: Kind, P> {
    state: NonNull<State<C, P>>,
}

impl<C: Kind, P> Object<C, P> {
    /// Creates an object; `link` puts pointers to the part into it, which stay valid as long as it lives.
    pub(super) fn new(part: P, link: impl FnOnce(&mut C, *mut P)) -> Self {
        let state = Box::new(State::<C, P> {
            // SAFETY: `Kind` promises that zero is valid.
            cinfo: unsafe { mem::zeroed() },
            errors: error_manager(),
            part,
            memory: Memory::new(),
        });
        let state = NonNull::from(Box::leak(state));
        let created = guard(|| {
            // SAFETY: the state was just leaked: it is valid, exclusive, and stays at its place until `drop`.
            unsafe {
                let raw = state.as_ptr();
                (*raw).cinfo.common().err = &raw mut (*raw).errors;
                C::CREATE(&mut (*raw).cinfo);
                link(&mut (*raw).cinfo, &raw mut (*raw).part);
                Memory::install(&raw mut (*raw).memory, (*raw).cinfo.common());
            }
        });
        // Fails only if the binding was built for another version of the library.
        created.expect("libjpeg's object can be created");
        Self { state }
    }

    /// The state, valid until the object is dropped.
    pub(super) const fn as_ptr(&self) -> *mut State<C, P> {
        self.state.as_ptr()
    }

    /// The object itself.
    pub(super) const fn cinfo(&mut self) -> &mut C {
        // SAFETY: valid until `drop`; exclusive through `&mut self`.
        unsafe { &mut (*self.state.as_ptr()).cinfo }
    }

    /// Its part, while libjpeg is at rest.
    pub(super) const fn part(&mut self) -> &mut P {
        // SAFETY: as in `cinfo`.
        unsafe { &mut (*self.state.as_ptr()).part }
    }
}

impl<C: Kind, P> Drop for Object<C, P> {
    fn drop(&mut self) {
        // SAFETY: leaked in `new`, given back only here, after libjpeg has let go of it.
        unsafe {
            let _ = guard(|| C::DESTROY(self.cinfo()));
            drop(Box::from_raw(self.state.as_ptr()));
        }
    }
}
