#![allow(unsafe_code, reason = "asks the kernel: ioctls of V4L2, each with the type the kernel expects")]
//! The ioctls of V4L2, each behind a safe function on an open node.
//!
//! All of them go through the C library's `ioctl`, and the node through its `open` and `close`: a
//! preloaded compatibility layer (`libcamerify`) stands in for the kernel there and sees nothing else.
//! A call that a signal interrupts is made again, a limited number of times.

use core::fmt;
use core::mem::{MaybeUninit, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc::c_int;
use nix::sys::stat::Mode;
use v4l::FourCC;
use v4l::buffer::Type;
use v4l::memory::Memory;
use v4l::v4l_sys::{
    v4l2_buffer, v4l2_capability, v4l2_control, v4l2_ext_control, v4l2_ext_control__bindgen_ty_1,
    v4l2_ext_controls, v4l2_fmtdesc, v4l2_format, v4l2_fract, v4l2_frmivalenum, v4l2_frmsizeenum,
    v4l2_pix_format, v4l2_query_ext_ctrl, v4l2_queryctrl, v4l2_querymenu, v4l2_requestbuffers,
    v4l2_streamparm,
};

mod raw {
    use super::*;

    nix::ioctl_read!(querycap, b'V', 0, v4l2_capability);
    nix::ioctl_readwrite!(enum_fmt, b'V', 2, v4l2_fmtdesc);
    nix::ioctl_readwrite!(s_fmt, b'V', 5, v4l2_format);
    nix::ioctl_readwrite!(reqbufs, b'V', 8, v4l2_requestbuffers);
    nix::ioctl_readwrite!(querybuf, b'V', 9, v4l2_buffer);
    nix::ioctl_readwrite!(qbuf, b'V', 15, v4l2_buffer);
    nix::ioctl_readwrite!(dqbuf, b'V', 17, v4l2_buffer);
    nix::ioctl_write_ptr!(streamon, b'V', 18, c_int);
    nix::ioctl_write_ptr!(streamoff, b'V', 19, c_int);
    nix::ioctl_readwrite!(s_parm, b'V', 22, v4l2_streamparm);
    nix::ioctl_readwrite!(s_ctrl, b'V', 28, v4l2_control);
    nix::ioctl_readwrite!(queryctrl, b'V', 36, v4l2_queryctrl);
    nix::ioctl_readwrite!(querymenu, b'V', 37, v4l2_querymenu);
    nix::ioctl_readwrite!(s_ext_ctrls, b'V', 72, v4l2_ext_controls);
    nix::ioctl_readwrite!(query_ext_ctrl, b'V', 103, v4l2_query_ext_ctrl);
    nix::ioctl_readwrite!(enum_framesizes, b'V', 74, v4l2_frmsizeenum);
    nix::ioctl_readwrite!(enum_frameintervals, b'V', 75, v4l2_frmivalenum);
}

/// How often a call that a signal interrupts is repeated before `EINTR` is handed on.
const REPEATS: u32 = 16;

/// A call that the kernel or the driver refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Its name as the V4L2 documentation spells it.
    pub(crate) call: &'static str,
    /// What it answered.
    pub(crate) errno: Errno,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.errno.desc())
    }
}

/// An open device node; closed on drop.
#[derive(Debug)]
pub(crate) struct Node {
    fd: OwnedFd,
}

/// Image format of single-planar capture, as the driver states it (`v4l2_pix_format`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PixFormat {
    pub(crate) fourcc: FourCC,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Bytes per line of the first plane; 0 for compressed formats.
    pub(crate) bytes_per_line: u32,
    /// Bytes that a buffer holds.
    pub(crate) size_image: u32,
    pub(crate) colorspace: u32,
    pub(crate) ycbcr_enc: u32,
    pub(crate) quantization: u32,
}

/// A buffer as `VIDIOC_QUERYBUF` and `VIDIOC_DQBUF` describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BufferInfo {
    pub(super) index: u32,
    /// Bytes that the driver has filled; a driver's word, to be checked against the mapping.
    pub(super) used: u32,
    pub(super) flags: u32,
    pub(super) seconds: i64,
    pub(super) micros: i64,
    /// Bytes of the buffer.
    pub(super) length: u32,
    /// Where to map it.
    pub(super) offset: u32,
}

impl Node {
    /// Opens `path` for capture: non-blocking, closed on exec.
    pub(crate) fn open(path: &Path) -> Result<Self, Refused> {
        let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let fd = repeat("open", || open(path, flags, Mode::empty()))?;
        Ok(Self { fd })
    }

    pub(crate) fn capability(&self) -> Result<v4l2_capability, Refused> {
        let mut capability = MaybeUninit::<v4l2_capability>::zeroed();
        // SAFETY: the kernel writes one v4l2_capability to where the pointer points.
        repeat("VIDIOC_QUERYCAP", || unsafe { raw::querycap(self.raw(), capability.as_mut_ptr()) })?;
        // SAFETY: plain integers and bytes; zeroed before the call.
        Ok(unsafe { capability.assume_init() })
    }

    /// The capture format of number `index`; `EINVAL` past the last.
    pub(crate) fn format_at(&self, index: u32) -> Result<v4l2_fmtdesc, Refused> {
        // SAFETY: plain integers and bytes, for which all zeros is a value.
        let mut format: v4l2_fmtdesc = unsafe { zeroed() };
        format.index = index;
        format.type_ = Type::VideoCapture as u32;
        // SAFETY: a valid v4l2_fmtdesc, borrowed for the call.
        repeat("VIDIOC_ENUM_FMT", || unsafe { raw::enum_fmt(self.raw(), &raw mut format) })?;
        Ok(format)
    }

    /// The frame size of number `index` of a format; `EINVAL` past the last.
    pub(crate) fn size_at(&self, fourcc: FourCC, index: u32) -> Result<v4l2_frmsizeenum, Refused> {
        // SAFETY: plain integers and unions of them, for which all zeros is a value.
        let mut size: v4l2_frmsizeenum = unsafe { zeroed() };
        size.index = index;
        size.pixel_format = fourcc.into();
        // SAFETY: a valid v4l2_frmsizeenum, borrowed for the call.
        repeat("VIDIOC_ENUM_FRAMESIZES", || unsafe { raw::enum_framesizes(self.raw(), &raw mut size) })?;
        Ok(size)
    }

    /// The frame interval of number `index` of a format and size; `EINVAL` past the last.
    pub(crate) fn interval_at(
        &self,
        fourcc: FourCC,
        (width, height): (u32, u32),
        index: u32,
    ) -> Result<v4l2_frmivalenum, Refused> {
        // SAFETY: plain integers and unions of them, for which all zeros is a value.
        let mut interval: v4l2_frmivalenum = unsafe { zeroed() };
        interval.index = index;
        interval.pixel_format = fourcc.into();
        interval.width = width;
        interval.height = height;
        let call = "VIDIOC_ENUM_FRAMEINTERVALS";
        // SAFETY: a valid v4l2_frmivalenum, borrowed for the call.
        repeat(call, || unsafe { raw::enum_frameintervals(self.raw(), &raw mut interval) })?;
        Ok(interval)
    }

    /// Asks for a format and size; the answer is what the driver has set instead.
    pub(crate) fn set_format(
        &self,
        fourcc: FourCC,
        (width, height): (u32, u32),
    ) -> Result<PixFormat, Refused> {
        // SAFETY: plain integers and unions of them, for which all zeros is a value.
        let mut format: v4l2_format = unsafe { zeroed() };
        format.type_ = Type::VideoCapture as u32;
        // SAFETY: as above.
        let mut wanted: v4l2_pix_format = unsafe { zeroed() };
        wanted.width = width;
        wanted.height = height;
        wanted.pixelformat = fourcc.into();
        format.fmt.pix = wanted;
        // SAFETY: a valid v4l2_format, borrowed for the call.
        repeat("VIDIOC_S_FMT", || unsafe { raw::s_fmt(self.raw(), &raw mut format) })?;
        // SAFETY: `pix` is the member for this buffer type, and all its bits are integers.
        let (pix, ycbcr_enc) = unsafe { (format.fmt.pix, format.fmt.pix.__bindgen_anon_1.ycbcr_enc) };
        Ok(PixFormat {
            fourcc: pix.pixelformat.into(),
            width: pix.width,
            height: pix.height,
            bytes_per_line: pix.bytesperline,
            size_image: pix.sizeimage,
            colorspace: pix.colorspace,
            ycbcr_enc,
            quantization: pix.quantization,
        })
    }

    /// Asks for a frame interval in seconds; the answer is what the driver has set instead.
    pub(crate) fn set_interval(&self, numerator: u32, denominator: u32) -> Result<(u32, u32), Refused> {
        // SAFETY: plain integers and unions of them, for which all zeros is a value.
        let mut parameters: v4l2_streamparm = unsafe { zeroed() };
        parameters.type_ = Type::VideoCapture as u32;
        parameters.parm.capture.timeperframe = v4l2_fract { numerator, denominator };
        // SAFETY: a valid v4l2_streamparm, borrowed for the call.
        repeat("VIDIOC_S_PARM", || unsafe { raw::s_parm(self.raw(), &raw mut parameters) })?;
        // SAFETY: `capture` is the member for this buffer type, and all its bits are integers.
        let set = unsafe { parameters.parm.capture.timeperframe };
        Ok((set.numerator, set.denominator))
    }

    /// Asks for `count` buffers to be mapped; the answer is how many there are. 0 frees them.
    pub(super) fn request_buffers(&self, count: u32) -> Result<u32, Refused> {
        // SAFETY: plain integers, for which all zeros is a value.
        let mut request: v4l2_requestbuffers = unsafe { zeroed() };
        request.count = count;
        request.type_ = Type::VideoCapture as u32;
        request.memory = Memory::Mmap as u32;
        // SAFETY: a valid v4l2_requestbuffers, borrowed for the call.
        repeat("VIDIOC_REQBUFS", || unsafe { raw::reqbufs(self.raw(), &raw mut request) })?;
        Ok(request.count)
    }

    pub(super) fn query_buffer(&self, index: u32) -> Result<BufferInfo, Refused> {
        let mut buffer = mapped_buffer(index);
        // SAFETY: a valid v4l2_buffer, borrowed for the call.
        repeat("VIDIOC_QUERYBUF", || unsafe { raw::querybuf(self.raw(), &raw mut buffer) })?;
        Ok(buffer_info(&buffer))
    }

    /// Hands buffer `index` to the driver.
    pub(super) fn queue_buffer(&self, index: u32) -> Result<(), Refused> {
        let mut buffer = mapped_buffer(index);
        // SAFETY: a valid v4l2_buffer, borrowed for the call.
        repeat("VIDIOC_QBUF", || unsafe { raw::qbuf(self.raw(), &raw mut buffer) })?;
        Ok(())
    }

    /// Takes the next filled buffer; `EAGAIN` when there is none.
    pub(super) fn dequeue_buffer(&self) -> Result<BufferInfo, Refused> {
        let mut buffer = mapped_buffer(0);
        // SAFETY: a valid v4l2_buffer, borrowed for the call.
        repeat("VIDIOC_DQBUF", || unsafe { raw::dqbuf(self.raw(), &raw mut buffer) })?;
        Ok(buffer_info(&buffer))
    }

    pub(super) fn stream_on(&self) -> Result<(), Refused> {
        let kind = Type::VideoCapture as c_int;
        // SAFETY: a valid int, borrowed for the call.
        repeat("VIDIOC_STREAMON", || unsafe { raw::streamon(self.raw(), &raw const kind) })?;
        Ok(())
    }

    pub(super) fn stream_off(&self) -> Result<(), Refused> {
        let kind = Type::VideoCapture as c_int;
        // SAFETY: a valid int, borrowed for the call.
        repeat("VIDIOC_STREAMOFF", || unsafe { raw::streamoff(self.raw(), &raw const kind) })?;
        Ok(())
    }

    /// The control `id`, or the first one after it with `V4L2_CTRL_FLAG_NEXT_CTRL`.
    pub(super) fn extended_control(&self, id: u32) -> Result<v4l2_query_ext_ctrl, Refused> {
        // SAFETY: plain integers and bytes, for which all zeros is a value.
        let mut control: v4l2_query_ext_ctrl = unsafe { zeroed() };
        control.id = id;
        let call = "VIDIOC_QUERY_EXT_CTRL";
        // SAFETY: a valid v4l2_query_ext_ctrl, borrowed for the call.
        repeat(call, || unsafe { raw::query_ext_ctrl(self.raw(), &raw mut control) })?;
        Ok(control)
    }

    /// As [`Node::extended_control`], for drivers and layers that know only the older call.
    pub(super) fn control(&self, id: u32) -> Result<v4l2_queryctrl, Refused> {
        // SAFETY: plain integers and bytes, for which all zeros is a value.
        let mut control: v4l2_queryctrl = unsafe { zeroed() };
        control.id = id;
        // SAFETY: a valid v4l2_queryctrl, borrowed for the call.
        repeat("VIDIOC_QUERYCTRL", || unsafe { raw::queryctrl(self.raw(), &raw mut control) })?;
        Ok(control)
    }

    /// The item of number `index` of the menu `id`: its text, and what it means in an integer menu.
    pub(super) fn menu_item(&self, id: u32, index: u32) -> Result<([u8; 32], i64), Refused> {
        // SAFETY: plain integers and a union of them, for which all zeros is a value.
        let mut item: v4l2_querymenu = unsafe { zeroed() };
        item.id = id;
        item.index = index;
        // SAFETY: a valid v4l2_querymenu, borrowed for the call.
        repeat("VIDIOC_QUERYMENU", || unsafe { raw::querymenu(self.raw(), &raw mut item) })?;
        // SAFETY: both members are plain integers, for which every bit pattern is a value.
        Ok(unsafe { (item.__bindgen_anon_1.name, item.__bindgen_anon_1.value) })
    }

    pub(super) fn set_control(&self, id: u32, value: i32) -> Result<(), Refused> {
        let mut control = v4l2_control { id, value };
        // SAFETY: a valid v4l2_control, borrowed for the call.
        repeat("VIDIOC_S_CTRL", || unsafe { raw::s_ctrl(self.raw(), &raw mut control) })?;
        Ok(())
    }

    /// As [`Node::set_control`], for controls of 64 bits.
    pub(super) fn set_large_control(&self, id: u32, value: i64) -> Result<(), Refused> {
        let value64 = v4l2_ext_control__bindgen_ty_1 { value64: value };
        let mut control = v4l2_ext_control { id, size: 0, reserved2: [0], __bindgen_anon_1: value64 };
        // SAFETY: integers, a union of them and a pointer, for which all zeros is a value. Zero for the class
        // stands for the current values of controls of any class.
        let mut controls: v4l2_ext_controls = unsafe { zeroed() };
        controls.count = 1;
        controls.controls = &raw mut control;
        let call = "VIDIOC_S_EXT_CTRLS";
        // SAFETY: a valid v4l2_ext_controls, which points to as many controls as it says; both outlive the call.
        repeat(call, || unsafe { raw::s_ext_ctrls(self.raw(), &raw mut controls) })?;
        Ok(())
    }

    fn raw(&self) -> c_int {
        self.fd.as_raw_fd()
    }
}

impl AsFd for Node {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn mapped_buffer(index: u32) -> v4l2_buffer {
    // SAFETY: integers, unions of them and a pointer, for which all zeros is a value.
    let mut buffer: v4l2_buffer = unsafe { zeroed() };
    buffer.index = index;
    buffer.type_ = Type::VideoCapture as u32;
    buffer.memory = Memory::Mmap as u32;
    buffer
}

#[allow(clippy::useless_conversion, reason = "timeval's members are 32 bits wide on some targets")]
fn buffer_info(buffer: &v4l2_buffer) -> BufferInfo {
    BufferInfo {
        index: buffer.index,
        used: buffer.bytesused,
        flags: buffer.flags,
        seconds: i64::from(buffer.timestamp.tv_sec),
        micros: i64::from(buffer.timestamp.tv_usec),
        length: buffer.length,
        // SAFETY: `offset` is the member for mapped buffers, and every bit pattern is an integer.
        offset: unsafe { buffer.m.offset },
    }
}

fn repeat<T>(call: &'static str, mut attempt: impl FnMut() -> nix::Result<T>) -> Result<T, Refused> {
    let mut left = REPEATS;
    loop {
        match attempt() {
            Err(Errno::EINTR) if left > 0 => left -= 1,
            result => return result.map_err(|errno| Refused { call, errno }),
        }
    }
}
