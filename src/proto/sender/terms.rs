//! What a sender is told, and what it tells.

use crate::time::Instant;
use crate::wire::Flags;

/// What a sender is set up with.
#[derive(Debug, Clone, Copy)]
pub struct SenderSettings {
    /// Bytes of a full datagram, 128..=65,507; an odd number is rounded down.
    pub datagram: usize,
    /// Bytes of the largest frame to make room for; `make_room` changes it.
    pub max_frame: usize,
    /// How much of the frame interval a frame is spread over, 0..=100 percent; 0 sends at once.
    pub pace_percent: u8,
}

/// A frame to be sent, borrowed only while `queue` runs.
#[derive(Debug, Clone, Copy)]
pub struct OutgoingFrame<'a> {
    /// The whole JPEG image.
    pub bytes: &'a [u8],
    /// When it was captured.
    pub captured: Instant,
    /// Offsets of its restart markers in ascending order; may be empty.
    pub restarts: &'a [u32],
    /// Which of the camera's sources it is from.
    pub source: u8,
    /// What is special about it.
    pub flags: Flags,
}

/// What `poll_transmit` wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Transmit<'a> {
    /// Send these datagrams: `datagram` bytes each, back to back, the last one perhaps shorter. Then
    /// report what was accepted with `transmitted`.
    Run {
        /// The datagrams.
        bytes: &'a [u8],
        /// Bytes of each but the last.
        datagram: usize,
    },
    /// Nothing is due before this time.
    Wait(Instant),
    /// Nothing is left to send.
    Idle,
}

/// What a sender has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderCounters {
    /// Frames sealed and queued.
    pub frames: u64,
    /// Bytes of those frames.
    pub frame_bytes: u64,
    /// Datagrams reported transmitted.
    pub datagrams: u64,
    /// Datagrams given up because a newer frame came or the network took nothing.
    pub abandoned: u64,
    /// Manifests signed, each for two datagrams.
    pub manifests: u64,
}
