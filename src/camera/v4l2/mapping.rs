#![allow(unsafe_code, reason = "maps and unmaps the driver's buffers")]
//! A driver's buffer, mapped into memory.

use core::ffi::c_void;
use core::num::NonZeroUsize;
use core::ptr::NonNull;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::sys::Refused;

/// Memory of one buffer, shared with the driver; unmapped on drop.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<c_void>,
    len: NonZeroUsize,
}

// SAFETY: the pages belong to the process, not to the thread that mapped them.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps `len` bytes at `offset` of a device node.
    ///
    /// Read-only, as it should be; old versions of libcamera's compatibility layer accept only a mapping
    /// for reading and writing, so that is asked for when the other is refused.
    pub(super) fn new(node: &impl AsFd, len: u32, offset: u32) -> Result<Self, Refused> {
        let refused = |errno| Refused { call: "mmap", errno };
        let len = NonZeroUsize::new(len as usize).ok_or(refused(Errno::EINVAL))?;
        #[allow(clippy::unnecessary_fallible_conversions, reason = "off_t has 32 bits on some targets")]
        let offset = offset.try_into().map_err(|_| refused(Errno::EOVERFLOW))?;
        let map = |protection| {
            // SAFETY: a new mapping at an address that the kernel chooses; nothing else is touched.
            unsafe { mmap(None, len, protection, MapFlags::MAP_SHARED, node, offset) }
        };
        let start = match map(ProtFlags::PROT_READ) {
            Err(Errno::EINVAL) => map(ProtFlags::PROT_READ | ProtFlags::PROT_WRITE),
            result => result,
        };
        Ok(Self { start: start.map_err(refused)?, len })
    }

    pub(super) const fn len(&self) -> usize {
        self.len.get()
    }

    /// The first `used` bytes, or all if there are fewer.
    ///
    /// The caller holds the buffer: between dequeuing and queuing it the driver leaves it alone.
    pub(super) fn bytes(&self, used: usize) -> &[u8] {
        let used = used.min(self.len());
        // SAFETY: `start..start + len` was mapped readable in `new` and stays mapped until `drop`;
        // `used <= len`; the driver writes only while the buffer is queued, and `Queue`, the only
        // caller, lends the bytes out only while it is not.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr().cast::<u8>(), used) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly the range that `new` mapped, unmapped once; borrows of it have ended.
        if let Err(errno) = unsafe { munmap(self.start, self.len.get()) } {
            log::debug!("munmap of a capture buffer: {}", errno.desc());
        }
    }
}
