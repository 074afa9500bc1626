//! Writes motion JPEG into a Matroska file (RFC 9559) that is playable at every moment.
//!
//! ```text
//! EBML head
//! Segment (size unknown, patched by close)
//!   Void             room for the SeekHead
//!   Info             TimestampScale, names; a Void in place of Duration
//!   Tracks           one V_MJPEG track
//!   Cluster          one second or 5 MB; size unknown, patched when the next one begins
//!     Timestamp
//!     SimpleBlock    one whole JPEG image
//!     ...
//!   Cues             one point a cluster; written by close
//! ```
//!
//! While recording, the open cluster and the segment have no size, as in a live stream: a player
//! reads them to the end of the file. So a recording that was cut off plays up to its last whole
//! frame. [`Writer::close`] adds what makes seeking quick.

mod ebml;
mod elements;

use crate::time::Duration;
use elements as id;
use std::io::{self, IoSlice, Seek, SeekFrom, Write};

/// Where a recording is written to.
pub(super) trait Store: Write + Seek {
    /// Cuts everything off behind the first `len` bytes.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}

impl Store for std::fs::File {
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
}

/// One recording.
#[derive(Debug)]
pub(super) struct Writer<S> {
    store: S,
    /// Bytes written up to the end of the last whole element.
    len: u64,
    /// Where the segment's body begins; positions in the file's tables count from here.
    segment: u64,
    /// Where the duration goes.
    duration_at: u64,
    cluster: Option<Cluster>,
    cues: Cues,
    /// Time of the last frame and its distance from the one before, in ticks.
    last: Option<(u64, u64)>,
    /// Heads of elements; used again for each.
    scratch: Vec<u8>,
}

/// The cluster that frames go to.
#[derive(Debug, Clone, Copy)]
struct Cluster {
    /// In ticks.
    begins: u64,
    /// Where its body begins.
    body: u64,
}

impl<S: Store> Writer<S> {
    /// Writes everything up to the first frame. `program` is noted as the writer.
    ///
    /// # Errors
    ///
    /// The store's.
    pub(super) fn begin(store: S, (width, height): (u16, u16), program: &str) -> io::Result<Self> {
        let mut bytes = Vec::with_capacity(512);
        id::file_head(&mut bytes);
        ebml::open(&mut bytes, id::SEGMENT);
        let segment = bytes.len() as u64;
        ebml::void(&mut bytes, SEEK_HEAD_ROOM);
        let duration_at = id::info(&mut bytes, program);
        id::tracks(&mut bytes, width, height);
        let mut writer = Self {
            store,
            len: 0,
            segment,
            duration_at: duration_at as u64,
            cluster: None,
            cues: Cues::default(),
            last: None,
            scratch: Vec::with_capacity(64),
        };
        writer.append(&[&bytes])?;
        Ok(writer)
    }

    /// Appends one image, given in parts, taken at `time` since the recording's start. A time that
    /// is not after the last frame's becomes the next possible one: 0.1 ms later.
    ///
    /// # Errors
    ///
    /// The store's. The file then ends behind the last whole frame, and [`Writer::close`] is all
    /// that may follow.
    pub(super) fn frame(&mut self, time: Duration, jpeg: &[&[u8]]) -> io::Result<()> {
        let tick = (time.as_nanos() + u128::from(TICK_NANOS) / 2) / u128::from(TICK_NANOS);
        let tick = u64::try_from(tick).unwrap_or(u64::MAX);
        let tick = self.last.map_or(tick, |(last, _)| tick.max(last + 1));
        let step = self.last.map_or(0, |(last, _)| tick - last);
        let full = |cluster: &Cluster, len: u64| {
            tick - cluster.begins >= CLUSTER_TICKS || len - cluster.body >= CLUSTER_BYTES
        };
        let cluster = match self.cluster {
            Some(cluster) if !full(&cluster, self.len) => cluster,
            _ => self.next_cluster(tick)?,
        };
        let len: usize = jpeg.iter().map(|part| part.len()).sum();
        let mut head = std::mem::take(&mut self.scratch);
        head.clear();
        ebml::head(&mut head, id::SIMPLE_BLOCK, (id::BLOCK_HEAD_LEN + len) as u64);
        // Below `CLUSTER_TICKS`, so it fits the field of 16 bits.
        head.extend_from_slice(&id::block_head((tick - cluster.begins) as i16));
        let written = match jpeg {
            [a, b, c] => self.append(&[&head, a, b, c]),
            parts => self.append(&[&head, &parts.concat()]),
        };
        self.scratch = head;
        written?;
        self.last = Some((tick, step));
        Ok(())
    }

    /// Adds the cues, patches sizes, duration and the table of contents. Gives the store back,
    /// also after an error: the file then plays, but without what could not be written.
    pub(super) fn close(mut self) -> (S, io::Result<()>) {
        let result = self.finish();
        (self.store, result)
    }

    fn finish(&mut self) -> io::Result<()> {
        let closed = self.close_cluster();
        let cues_at = self.len;
        let mut bytes = Vec::new();
        self.cues.write(&mut bytes);
        // On a full disk there may be no room for the cues; the rest needs none.
        let cues = self.append(&[&bytes]);

        let mut head = Vec::with_capacity(SEEK_HEAD_ROOM);
        let tracks_at = self.segment + SEEK_HEAD_ROOM as u64 + id::info_len(self.duration_at, self.segment);
        let info_at = self.segment + SEEK_HEAD_ROOM as u64;
        let mut contents = vec![(id::INFO, info_at), (id::TRACKS, tracks_at)];
        if cues.is_ok() && !bytes.is_empty() {
            contents.push((id::CUES, cues_at));
        }
        id::seek_head(&mut head, contents.iter().map(|&(id, at)| (id, at - self.segment)));
        let room = SEEK_HEAD_ROOM - head.len();
        ebml::void(&mut head, room);
        self.patch(self.segment, &head)?;

        // The last frame is shown for as long as the one before it was.
        let duration = self.last.map_or(0, |(last, step)| last + step);
        self.patch(self.duration_at, &id::duration(duration))?;
        let size = ebml::known_size(self.len - self.segment);
        self.patch(self.segment - ebml::WIDE_SIZE_LEN as u64, &size)?;
        self.store.flush()?;
        closed.and(cues)
    }

    fn next_cluster(&mut self, begins: u64) -> io::Result<Cluster> {
        self.close_cluster()?;
        let at = self.len;
        let mut head = Vec::with_capacity(32);
        ebml::open(&mut head, id::CLUSTER);
        let body = at + head.len() as u64;
        ebml::unsigned(&mut head, id::TIMESTAMP, begins);
        self.append(&[&head])?;
        self.cues.add(begins, at - self.segment);
        let cluster = Cluster { begins, body };
        self.cluster = Some(cluster);
        Ok(cluster)
    }

    fn close_cluster(&mut self) -> io::Result<()> {
        let Some(cluster) = self.cluster.take() else { return Ok(()) };
        let size = ebml::known_size(self.len - cluster.body);
        self.patch(cluster.body - ebml::WIDE_SIZE_LEN as u64, &size)
    }

    /// Writes over bytes that are there already, which takes no room on the disk.
    fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.store.seek(SeekFrom::Start(at))?;
        let written = self.store.write_all(bytes);
        self.store.seek(SeekFrom::Start(self.len))?;
        written
    }

    /// Writes `parts` at the end as one whole, or nothing of them.
    fn append(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        match write_all(&mut self.store, parts) {
            Ok(written) => {
                self.len += written;
                Ok(())
            }
            Err(error) => {
                // What cannot be cut off is a truncated block, which players put up with.
                let _ = self.store.truncate(self.len);
                let _ = self.store.seek(SeekFrom::Start(self.len));
                Err(error)
            }
        }
    }
}

/// Writes all `parts` with as few system calls as possible; returns the number of bytes.
pub(super) fn write_all(to: &mut impl Write, parts: &[&[u8]]) -> io::Result<u64> {
    let mut slices = [IoSlice::new(&[]); MOST_PARTS];
    debug_assert!(parts.len() <= MOST_PARTS, "{} parts", parts.len());
    for (slice, part) in slices.iter_mut().zip(parts) {
        *slice = IoSlice::new(part);
    }
    let mut rest = &mut slices[..parts.len()];
    let total: usize = parts.iter().map(|part| part.len()).sum();
    let mut left = total;
    while left > 0 {
        match to.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                left -= written;
                IoSlice::advance_slices(&mut rest, written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total as u64)
}

/// Where a player can jump to: the beginnings of clusters.
#[derive(Debug)]
struct Cues {
    /// Time in ticks and position in the segment.
    points: Vec<(u64, u64)>,
    /// Ticks from one point to the next, at least.
    spacing: u64,
}

impl Default for Cues {
    fn default() -> Self {
        Self { points: Vec::new(), spacing: 0 }
    }
}

impl Cues {
    /// Notes a cluster. When there are too many points, every other one goes, so that a recording
    /// of weeks needs no more memory than one of a day.
    fn add(&mut self, tick: u64, position: u64) {
        if self.points.last().is_some_and(|&(last, _)| tick - last < self.spacing) {
            return;
        }
        if self.points.len() >= MOST_CUES {
            let mut keep = false;
            self.points.retain(|_| {
                keep = !keep;
                keep
            });
            self.spacing = (self.spacing * 2).max(2 * CLUSTER_TICKS);
        }
        self.points.push((tick, position));
    }

    fn write(&self, to: &mut Vec<u8>) {
        if !self.points.is_empty() {
            ebml::master(to, id::CUES, |to| {
                for &(tick, position) in &self.points {
                    id::cue_point(to, tick, position);
                }
            });
        }
    }
}

/// 0.1 ms: finer than any camera's frame interval, and a cluster's frames stay within the signed 16
/// bits that a block has for its time.
const TICK_NANOS: u64 = 100_000;
/// One second.
const CLUSTER_TICKS: u64 = 1_000_000_000 / TICK_NANOS;
const CLUSTER_BYTES: u64 = 5_000_000;
/// Room for a SeekHead with three entries of 8-byte positions (70 bytes), and the smallest Void behind it.
const SEEK_HEAD_ROOM: usize = 100;
/// About a day of clusters: 1.4 MB of memory.
const MOST_CUES: usize = 90_000;
/// The head of a block and the three parts of an image.
const MOST_PARTS: usize = 4;

#[cfg(test)]
mod tests;
