//! The driver's buffers: which is where.
//!
//! Invariant: a buffer is handed to the driver only if it is here, and its bytes are lent out only then.

use super::mapping::Mapping;
use super::sys::{BufferInfo, Node, Refused};
use nix::errno::Errno;

/// Mapped buffers and their places. Must be [closed](Queue::close) with the node that made it.
#[derive(Debug)]
pub(super) struct Queue {
    buffers: Vec<Buffer>,
}

#[derive(Debug)]
struct Buffer {
    mapping: Mapping,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The driver may write to it.
    Driver,
    /// Ours to read.
    Here,
}

impl Queue {
    /// Asks for `wanted` buffers and maps what there is. Nothing is queued yet.
    pub(super) fn new(node: &Node, wanted: u32) -> Result<Self, Refused> {
        let granted = node.request_buffers(wanted)?;
        let mut queue = Self { buffers: Vec::with_capacity(granted as usize) };
        match queue.map(node, granted) {
            Ok(()) => Ok(queue),
            Err(refused) => {
                queue.close(node);
                Err(refused)
            }
        }
    }

    fn map(&mut self, node: &Node, granted: u32) -> Result<(), Refused> {
        if granted == 0 {
            return Err(Refused { call: "VIDIOC_REQBUFS", errno: Errno::ENOMEM });
        }
        for index in 0..granted {
            let info = node.query_buffer(index)?;
            let mapping = Mapping::new(node, info.length, info.offset)?;
            self.buffers.push(Buffer { mapping, place: Place::Here });
        }
        Ok(())
    }

    pub(super) const fn len(&self) -> usize {
        self.buffers.len()
    }

    /// Bytes that the smallest buffer holds.
    pub(super) fn capacity(&self) -> usize {
        self.buffers.iter().map(|buffer| buffer.mapping.len()).min().unwrap_or(0)
    }

    /// Hands all buffers that are here to the driver, in the order of their numbers.
    pub(super) fn queue_all(&mut self, node: &Node) -> Result<(), Refused> {
        (0..self.len()).try_for_each(|index| self.queue(node, index))
    }

    /// Hands buffer `index` to the driver; without effect if it is there already.
    pub(super) fn queue(&mut self, node: &Node, index: usize) -> Result<(), Refused> {
        let Some(buffer) = self.buffers.get_mut(index) else { return Ok(()) };
        if buffer.place == Place::Here {
            node.queue_buffer(index as u32)?;
            buffer.place = Place::Driver;
        }
        Ok(())
    }

    /// Takes the next filled buffer, `None` if there is none yet.
    pub(super) fn dequeue(&mut self, node: &Node) -> Result<Option<BufferInfo>, Refused> {
        let info = match node.dequeue_buffer() {
            Ok(info) => info,
            Err(Refused { errno: Errno::EAGAIN | Errno::EINTR, .. }) => return Ok(None),
            Err(refused) => return Err(refused),
        };
        match self.buffers.get_mut(info.index as usize) {
            Some(buffer) => {
                buffer.place = Place::Here;
                Ok(Some(info))
            }
            None => Err(Refused { call: "VIDIOC_DQBUF", errno: Errno::EBADMSG }),
        }
    }

    /// The first `used` bytes of a buffer that is here; none of one that is not.
    pub(super) fn bytes(&self, index: usize, used: usize) -> &[u8] {
        match self.buffers.get(index) {
            Some(buffer) if buffer.place == Place::Here => buffer.mapping.bytes(used),
            _ => &[],
        }
    }

    /// Stops streaming; all buffers are here then.
    ///
    /// # Errors
    ///
    /// A driver that refuses keeps its buffers.
    pub(super) fn stop(&mut self, node: &Node) -> Result<(), Refused> {
        node.stream_off()?;
        self.buffers.iter_mut().for_each(|buffer| buffer.place = Place::Here);
        Ok(())
    }

    /// Stops streaming, unmaps the buffers and frees them, in this order: libcamera's compatibility layer
    /// insists on it. What a driver refuses of that is left to the closing of the node.
    pub(super) fn close(&mut self, node: &Node) {
        if let Err(refused) = self.stop(node) {
            log::debug!("stopping a camera: {refused}");
        }
        self.buffers.clear();
        if let Err(refused) = node.request_buffers(0) {
            log::debug!("freeing a camera's buffers: {refused}");
        }
    }
}
