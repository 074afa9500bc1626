//! How a run of datagrams becomes system calls, and what becomes of it when one is refused.
//!
//! Three ways, the best one first: segmentation offload, `sendmmsg`, `send`. Which of them work is found
//! out by using them, because only the real route tells: a driver, a tunnel or an IPsec policy may refuse
//! what the kernel offers. Whatever happens, the bytes reported as accepted are the start of the run,
//! handed to the kernel once and in order.

use super::Batching;
use super::sys::MOST_SEGMENTS;
use core::fmt;
use nix::errno::Errno;

/// The three system calls and what the path carries. The tests inject faults here.
pub(super) trait Calls {
    /// One message of several datagrams: all or none.
    fn segmented(&mut self, bytes: &[u8], datagram: usize) -> Result<usize, Errno>;
    /// Several messages of one datagram: how many were accepted, at least one.
    fn many(&mut self, bytes: &[u8], datagram: usize) -> Result<usize, Errno>;
    /// One datagram.
    fn single(&mut self, bytes: &[u8]) -> Result<usize, Errno>;
    /// The largest datagram that the path carries, if known.
    fn limit(&self) -> Option<usize>;
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Sent {
    /// Bytes at the start of the run that the kernel accepted: whole datagrams, each of them once.
    pub bytes: usize,
    /// Why no more than that.
    pub outcome: Outcome,
}

/// Why sending a run stopped. None of these ends a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was sent to the end.
    All,
    /// The kernel's buffers are full. Wait for `POLLOUT`, then go on from [`Sent::bytes`]. If the socket is
    /// writable at once, a device queue is full, which cannot be waited for: pause for a millisecond.
    Blocked,
    /// Nobody listens at the destination, twice in a row (`ECONNREFUSED`, from ICMP). Once is retried
    /// at once, as it speaks of an earlier datagram.
    Refused,
    /// The datagrams are larger than the path carries, and fragments are never sent. Cut the next frame to
    /// `limit`, if known, or less.
    TooLarge {
        /// The largest UDP payload that the path carries now.
        limit: Option<usize>,
    },
    /// There is no way to the destination now: the network is down, the interface or the address is gone,
    /// or a firewall forbids it. Drop the frame; [`MediaSender::tend`](super::MediaSender::tend) mends it.
    Unreachable {
        /// The system's error number, for the log.
        errno: i32,
    },
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("sent"),
            Self::Blocked => f.write_str("the send buffer is full"),
            Self::Refused => f.write_str("nobody listens at the destination"),
            Self::TooLarge { limit: Some(limit) } => {
                write!(f, "the path carries datagrams of {limit} bytes at most")
            }
            Self::TooLarge { limit: None } => f.write_str("the path does not carry datagrams of this size"),
            Self::Unreachable { errno } => write!(f, "{}", std::io::Error::from_raw_os_error(*errno)),
        }
    }
}

/// What a sender has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SendCounters {
    /// Datagrams accepted by the kernel.
    pub datagrams: u64,
    /// Their UDP payload \[bytes\].
    pub bytes: u64,
    /// Messages with segmentation offload.
    pub segmented: u64,
    /// Calls that send, the refused ones included.
    pub system_calls: u64,
    /// Runs cut short by a full buffer.
    pub blocked: u64,
    /// `ECONNREFUSED`: nobody listened at the destination.
    pub refused: u64,
    /// Runs cut short by the size of the path.
    pub too_large: u64,
    /// Runs cut short for want of a way to the destination.
    pub unreachable: u64,
    /// Times that segmentation offload was given up because the same bytes went through without.
    pub offload_lost: u64,
    /// Times that the socket was opened anew.
    pub reopened: u64,
}

/// Sends runs by the best way that works.
#[derive(Debug)]
pub(super) struct Batcher {
    /// Whether segmentation offload may be tried.
    offload: bool,
    /// Whether `sendmmsg` may be tried.
    messages: bool,
    /// Most bytes in one message with offload: what one IP packet can hold.
    most: usize,
    pub(super) counters: SendCounters,
}

impl Batcher {
    /// Tries `best` first. `most`: UDP payload of the largest IP packet.
    pub(super) fn new(best: Batching, most: usize) -> Self {
        let (offload, messages) = (best == Batching::Segmentation, best >= Batching::Messages);
        Self { offload, messages, most, counters: SendCounters::default() }
    }

    /// Whether segmentation offload is in use.
    pub(super) const fn offload(&self) -> bool {
        self.offload
    }

    /// Allows or forbids segmentation offload.
    pub(super) const fn set_offload(&mut self, on: bool) {
        self.offload = on;
    }

    /// Sends `run`, back-to-back datagrams of `datagram` bytes of which the last may be shorter.
    pub(super) fn send_run(&mut self, calls: &mut impl Calls, run: &[u8], datagram: usize) -> Sent {
        assert!(datagram > 0, "a datagram has a size");
        let mut sent = 0;
        let outcome = loop {
            let Some(rest) = run.get(sent..).filter(|rest| !rest.is_empty()) else { break Outcome::All };
            match self.step(calls, rest, datagram) {
                Ok(bytes) => sent += bytes,
                Err(errno) => break outcome(errno, calls),
            }
        };
        let counters = &mut self.counters;
        counters.bytes += sent as u64;
        counters.datagrams += sent.div_ceil(datagram) as u64;
        match outcome {
            Outcome::All | Outcome::Refused => {}
            Outcome::Blocked => counters.blocked += 1,
            Outcome::TooLarge { .. } => counters.too_large += 1,
            Outcome::Unreachable { .. } => counters.unreachable += 1,
        }
        Sent { bytes: sent, outcome }
    }

    /// Sends the start of `rest` and returns how much of it.
    fn step(&mut self, calls: &mut impl Calls, rest: &[u8], datagram: usize) -> Result<usize, Errno> {
        let message = head(rest, (self.most / datagram).clamp(1, MOST_SEGMENTS) * datagram);
        if !self.offload || message.len() <= datagram {
            return self.plain(calls, rest, datagram);
        }
        match self.persist(|| calls.segmented(message, datagram)) {
            Ok(_) => {
                self.counters.segmented += 1;
                Ok(message.len())
            }
            // The driver or a transform on the way cannot do it, or (EINVAL before Linux 6.14) the datagram
            // is too large, or the source address is gone. The plain way knows which: if that accepts
            // what this refused, it was the offload.
            Err(errno) if doubts_offload(errno) => {
                let accepted = self.plain(calls, message, datagram)?;
                self.offload = false;
                self.counters.offload_lost += 1;
                Ok(accepted)
            }
            Err(errno) => Err(errno),
        }
    }

    fn plain(&mut self, calls: &mut impl Calls, rest: &[u8], datagram: usize) -> Result<usize, Errno> {
        let several = head(rest, MOST_SEGMENTS * datagram);
        if self.messages && several.len() > datagram {
            match self.persist(|| calls.many(several, datagram)) {
                Err(Errno::ENOSYS | Errno::EOPNOTSUPP) => self.messages = false,
                other => return other.map(|n| several.len().min(n * datagram)),
            }
        }
        let one = head(rest, datagram);
        self.persist(|| calls.single(one)).map(|_| one.len())
    }

    /// Makes a call, and once more if the error may speak of an earlier datagram: a connected socket
    /// hands out what ICMP reported at the next call, which then sends nothing.
    fn persist(&mut self, mut call: impl FnMut() -> Result<usize, Errno>) -> Result<usize, Errno> {
        let mut again = true;
        loop {
            self.counters.system_calls += 1;
            let result = call();
            match result {
                Err(Errno::ECONNREFUSED) => self.counters.refused += 1,
                Err(Errno::EINTR) => continue,
                Ok(_) => return result,
                Err(errno) if is_own(errno) || doubts_offload(errno) => return result,
                Err(_) => {}
            }
            if !again {
                return result;
            }
            again = false;
        }
    }
}

/// At most the first `len` bytes.
fn head(bytes: &[u8], len: usize) -> &[u8] {
    bytes.get(..len).unwrap_or(bytes)
}

/// Whether an error can only be about this very call.
const fn is_own(errno: Errno) -> bool {
    matches!(errno, Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM)
}

/// Whether an error may mean that a way of batching is not to be had here.
const fn doubts_offload(errno: Errno) -> bool {
    matches!(errno, Errno::EINVAL | Errno::EIO | Errno::ENOSYS | Errno::EOPNOTSUPP | Errno::ENOPROTOOPT)
}

fn outcome(errno: Errno, calls: &impl Calls) -> Outcome {
    match errno {
        Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM => Outcome::Blocked,
        Errno::ECONNREFUSED => Outcome::Refused,
        Errno::EMSGSIZE => Outcome::TooLarge { limit: calls.limit() },
        errno => Outcome::Unreachable { errno: errno as i32 },
    }
}

#[cfg(test)]
mod tests;
