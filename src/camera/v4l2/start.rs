//! From an open device and a mode to a running stream.

use nix::errno::Errno;

use super::colour::colour;
use super::device::Device;
use super::formats::{Encoding, Interval};
use super::inspect::Layout;
use super::negotiate::Mode;
use super::queue::Queue;
use super::session::Request;
use super::sys::Refused;

/// Buffers that libcamera's compatibility layer is asked for at most: more, and a Pi 5 runs out of them.
const COMPATIBILITY_BUFFERS: u32 = 4;

/// Sets a mode, maps buffers and starts the stream.
pub(super) fn start(device: &Device, mode: Mode, request: &Request) -> Result<(Queue, Layout), Refused> {
    let node = &device.node;
    let set = node.set_format(mode.fourcc, mode.size)?;
    let unfit = Refused { call: "VIDIOC_S_FMT", errno: Errno::EINVAL };
    let sizes = 1..=65_535;
    if set.fourcc != mode.fourcc || !sizes.contains(&set.width) || !sizes.contains(&set.height) {
        return Err(unfit);
    }
    let (numerator, denominator) = mode.interval.parts();
    let interval = match node.set_interval(numerator, denominator) {
        Ok((numerator, denominator)) => Interval::new(numerator, denominator),
        Err(refused) if refused.errno == Errno::ENODEV => return Err(refused),
        Err(_) => None, // a camera that knows one rate only
    };
    let buffers = if device.identity.is_compatibility_layer() {
        request.buffers.min(COMPATIBILITY_BUFFERS)
    } else {
        request.buffers
    };
    let mut queue = Queue::new(node, buffers)?;
    let stride = match mode.encoding {
        Encoding::Jpeg => 0,
        Encoding::Raw(format) => set.bytes_per_line.max(format.min_stride(set.width)),
    };
    let stated = match set.size_image as usize {
        0 => usize::MAX,
        bytes => bytes,
    };
    let layout = Layout {
        encoding: mode.encoding,
        size: (set.width, set.height),
        stride,
        colour: colour(&set),
        capacity: queue.capacity().min(stated),
        interval,
    };
    let started = if queue.capacity() < layout.least() {
        Err(unfit)
    } else {
        queue.queue_all(node).and_then(|()| node.stream_on())
    };
    match started {
        Ok(()) => Ok((queue, layout)),
        Err(refused) => {
            queue.close(node);
            Err(refused)
        }
    }
}
