//! One file of a recording.

use super::super::frame::{Frame, Stamp};
use super::super::matroska::{self, Store};
use super::Container;
use crate::time::{Duration, Instant};
use std::fs::File;
use std::io::{self, SeekFrom};

/// A file that frames go into.
pub(super) enum Sink<S: Store> {
    Matroska { writer: matroska::Writer<S>, size: (u16, u16), timeline: Timeline },
    Bare { file: S, len: u64 },
}

impl<S: Store> Sink<S> {
    /// Writes what stands before the first frame, which has `size` pixels.
    pub(super) fn begin(container: Container, file: S, size: (u16, u16)) -> io::Result<Self> {
        Ok(match container {
            Container::Bare => Self::Bare { file, len: 0 },
            Container::Matroska => Self::Matroska {
                writer: matroska::Writer::begin(file, size, PROGRAM)?,
                size,
                timeline: Timeline::default(),
            },
        })
    }

    /// Whether `frame` may go into this file.
    pub(super) fn fits(&self, frame: &Frame) -> bool {
        match self {
            Self::Matroska { size, .. } => frame.size() == *size,
            Self::Bare { .. } => true,
        }
    }

    /// Appends `frame`: the whole of it, or after an error nothing of it.
    pub(super) fn frame(&mut self, frame: &Frame) -> io::Result<()> {
        let parts = frame.with_tables();
        match self {
            Self::Matroska { writer, timeline, .. } => writer.frame(timeline.place(frame.stamp()), &parts),
            Self::Bare { file, len } => match matroska::write_all(file, &parts) {
                Ok(written) => {
                    *len += written;
                    Ok(())
                }
                Err(error) => {
                    let _ = file.truncate(*len);
                    let _ = file.seek(SeekFrom::Start(*len));
                    Err(error)
                }
            },
        }
    }
}

impl Sink<File> {
    /// Completes the file and waits until it is on the disk.
    pub(super) fn close(self) -> io::Result<()> {
        let (file, closed) = match self {
            Self::Matroska { writer, .. } => writer.close(),
            Self::Bare { file, .. } => (file, Ok(())),
        };
        closed.and(file.sync_all())
    }
}

/// Turns capture times into times in the file, the first frame being at 0.
///
/// When the camera starts again, its new stream counts from a new origin. The time of that frame is then
/// the last one's plus the time between their arrivals.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    last: Option<Placed>,
}

#[derive(Debug, Clone, Copy)]
struct Placed {
    stream: [u8; 12],
    /// Time in the file that belongs to `origin` in the stream.
    base: Duration,
    origin: Duration,
    at: Duration,
    arrived: Instant,
}

impl Timeline {
    /// The time in the file of the frame with `stamp`; a frame from before its stream's first
    /// frame is put at that one's time.
    pub(super) fn place(&mut self, stamp: &Stamp) -> Duration {
        let (base, origin) = match self.last {
            None => (Duration::ZERO, stamp.captured),
            Some(last) if last.stream == stamp.stream => (last.base, last.origin),
            Some(last) => (last.at + stamp.arrived.since(last.arrived), stamp.captured),
        };
        let at = base + stamp.captured.saturating_sub(origin);
        self.last = Some(Placed { stream: stamp.stream, base, origin, at, arrived: stamp.arrived });
        at
    }
}

const PROGRAM: &str = concat!("sealview ", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_on_when_the_camera_starts_again() {
        // (stream, captured, arrived, time in the file), in milliseconds
        let steps = [
            (1, 5000, 100_000, 0),
            (1, 5033, 100_090, 33), // late on the network, exact in the file
            (1, 5066, 100_101, 66),
            (2, 40, 103_101, 3066), // 3 s later by our clock
            (2, 73, 103_140, 3099),
            (2, 10, 103_141, 3066), // older than its stream's first
            (1, 9000, 103_161, 3086),
        ];
        let mut timeline = Timeline::default();
        for (number, (stream, captured, arrived, expected)) in (0..).zip(steps) {
            let stamp = Stamp {
                stream: [stream; 12],
                number,
                captured: Duration::from_millis(captured),
                arrived: Instant::from_millis(arrived),
            };
            assert_eq!(timeline.place(&stamp), Duration::from_millis(expected), "frame {number}");
        }
    }
}
