//! Finds the frames of motion JPEG in an AVI file.
//!
//! An AVI file is a RIFF tree: `hdrl` says what the streams are, `movi` holds their chunks. A file of
//! more than 1 GiB goes on in further `RIFF AVIX` parts (OpenDML). The tree is walked flatly, entering
//! the lists that matter, so that a recording that was cut off, whose lists have no valid lengths yet,
//! is read as far as it goes. Indexes are not needed and not believed.
//!
//! Sources: Microsoft, "AVI RIFF File Reference"; Matrox, "OpenDML AVI File Format Extensions" 1.02.

use core::fmt;
use std::io::{self, BufReader, Read, Seek};

use super::frame_index::FrameIndex;

/// Why an AVI file cannot be played.
#[derive(Debug)]
#[non_exhaustive]
pub enum AviError {
    /// It does not begin with `RIFF....AVI `.
    NotAvi,
    /// No stream of it is video.
    NoVideo,
    /// Its video is not motion JPEG.
    Codec {
        /// Number of the stream.
        stream: u8,
        /// The code of its compression.
        codec: [u8; 4],
    },
    /// Reading failed.
    Io(io::Error),
}

impl fmt::Display for AviError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAvi => f.write_str("not an AVI file"),
            Self::NoVideo => f.write_str("no video in it"),
            Self::Codec { stream, codec } => write!(
                f,
                "stream {stream} is {}, not MJPG: convert it with ffmpeg -i IN -c:v mjpeg -q:v 3 OUT.avi",
                codec.escape_ascii()
            ),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for AviError {}

impl From<io::Error> for AviError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Whether a file that begins like this is an AVI file.
#[must_use]
pub fn is_avi(head: &[u8]) -> bool {
    head.starts_with(b"RIFF") && head.get(8..12) == Some(b"AVI ")
}

/// Finds the frames of the first motion JPEG stream in a file of `len` bytes.
///
/// Reads chunk headers only. The time taken is bounded by the file's length, the memory by
/// [`super::frame_index::MOST_FRAMES`].
///
/// # Errors
///
/// [`AviError`] if there is no such stream, or reading fails. Damage behind the headers is no error:
/// the frames before it are given, and [`FrameIndex::stopped_at`] says where it is.
pub fn index_avi(input: impl Read + Seek, len: u64) -> Result<FrameIndex, AviError> {
    let mut walk = Walk {
        input: Positioned { reader: BufReader::with_capacity(4096, input), at: 0, len },
        streams: Vec::new(),
        video: None,
        micros_per_frame: 0,
        index: FrameIndex::default(),
    };
    let head: [u8; 12] = walk.input.take(0)?.ok_or(AviError::NotAvi)?;
    if !is_avi(&head) {
        return Err(AviError::NotAvi);
    }
    let mut at = 12;
    while let Some(next) = walk.chunk(at)? {
        at = next;
    }
    let video = walk.video()?;
    walk.index.fps = usable(f64::from(video.rate) / f64::from(video.scale))
        .or_else(|| usable(1e6 / f64::from(walk.micros_per_frame)));
    Ok(walk.index)
}

fn usable(fps: f64) -> Option<f64> {
    (0.01..=1000.0).contains(&fps).then_some(fps)
}

/// What the headers say of a stream.
#[derive(Debug, Clone, Copy, Default)]
struct Stream {
    is_video: bool,
    handler: [u8; 4],
    compression: [u8; 4],
    scale: u32,
    rate: u32,
}

impl Stream {
    fn is_motion_jpeg(&self) -> bool {
        [self.handler, self.compression].iter().any(|code| code.eq_ignore_ascii_case(b"MJPG"))
    }
}

struct Walk<R> {
    input: Positioned<R>,
    streams: Vec<Stream>,
    /// Number of the stream whose chunks are taken; chosen at the first chunk of data.
    video: Option<u8>,
    micros_per_frame: u32,
    index: FrameIndex,
}

/// Stream numbers in chunk names have two digits.
const MOST_STREAMS: usize = 100;

impl<R: Read + Seek> Walk<R> {
    /// Takes in what begins at `at`; gives where to go on.
    fn chunk(&mut self, at: u64) -> Result<Option<u64>, AviError> {
        let Some(head) = self.input.take::<8>(at)? else { return Ok(None) };
        let [a, b, c, d, s0, s1, s2, s3] = head;
        let id = [a, b, c, d];
        let len = u32::from_le_bytes([s0, s1, s2, s3]);
        let body = at + 8;
        let end = body + u64::from(len);
        match &id {
            b"RIFF" | b"LIST" => return self.list(at, end),
            b"avih" => {
                if let Some(bytes) = self.input.take::<4>(body)? {
                    self.micros_per_frame = u32::from_le_bytes(bytes);
                }
            }
            b"strh" => self.stream_header(body)?,
            b"strf" => self.stream_format(body)?,
            [b'0'..=b'9', b'0'..=b'9', b'd', b'b' | b'c'] => {
                let number = (id[0] - b'0') * 10 + (id[1] - b'0');
                if !self.frame(number, body, end)? {
                    return Ok(None);
                }
            }
            _ if !id.iter().all(|&byte| byte == b' ' || byte.is_ascii_graphic()) => {
                self.index.stopped_at = Some(at);
                return Ok(None);
            }
            _ => {}
        }
        Ok(Some(end + u64::from(len % 2)))
    }

    fn list(&mut self, at: u64, end: u64) -> Result<Option<u64>, AviError> {
        let Some(kind) = self.input.take::<4>(at + 8)? else { return Ok(None) };
        match &kind {
            b"strl" if self.streams.len() < MOST_STREAMS => self.streams.push(Stream::default()),
            b"AVI " | b"AVIX" | b"hdrl" | b"movi" | b"rec " => {}
            _ => return Ok(Some(end + end % 2)),
        }
        Ok(Some(at + 12))
    }

    /// AVISTREAMHEADER: kind, handler, flags, priority and language, initial frames, scale, rate.
    fn stream_header(&mut self, body: u64) -> Result<(), AviError> {
        if let (Some(bytes), Some(stream)) = (self.input.take::<28>(body)?, self.streams.last_mut()) {
            stream.is_video = bytes.starts_with(b"vids");
            stream.handler.copy_from_slice(&bytes[4..8]);
            stream.scale = u32::from_le_bytes([bytes[20], bytes[21], bytes[22], bytes[23]]);
            stream.rate = u32::from_le_bytes([bytes[24], bytes[25], bytes[26], bytes[27]]);
        }
        Ok(())
    }

    /// BITMAPINFOHEADER of a video stream: the compression is its fifth field.
    fn stream_format(&mut self, body: u64) -> Result<(), AviError> {
        if let (Some(bytes), Some(stream)) = (self.input.take::<20>(body)?, self.streams.last_mut()) {
            stream.compression.copy_from_slice(&bytes[16..20]);
        }
        Ok(())
    }

    /// Whether the walk is to go on.
    fn frame(&mut self, number: u8, body: u64, end: u64) -> Result<bool, AviError> {
        if self.video.is_none() {
            self.video()?;
        }
        if self.video != Some(number) {
            return Ok(true);
        }
        if end > self.input.len {
            self.index.drops.truncated += 1;
            return Ok(false);
        }
        let len = usize::try_from(end - body).unwrap_or(usize::MAX);
        Ok(self.index.push(body, len))
    }

    /// Chooses the first stream of motion JPEG.
    fn video(&mut self) -> Result<Stream, AviError> {
        let videos = || (0u8..).zip(&self.streams).filter(|(_, stream)| stream.is_video);
        let Some((stream, first)) = videos().next() else { return Err(AviError::NoVideo) };
        let (number, chosen) = videos()
            .find(|(_, stream)| stream.is_motion_jpeg())
            .ok_or(AviError::Codec { stream, codec: first.compression })?;
        self.video = Some(number);
        Ok(*chosen)
    }
}

/// A reader that is told where to read, and does not seek if it is there already.
struct Positioned<R> {
    reader: BufReader<R>,
    at: u64,
    len: u64,
}

impl<R: Read + Seek> Positioned<R> {
    /// `N` bytes at `at`, if the file goes on for so long.
    fn take<const N: usize>(&mut self, at: u64) -> Result<Option<[u8; N]>, AviError> {
        if at.checked_add(N as u64).is_none_or(|end| end > self.len) {
            return Ok(None);
        }
        // Chunks are at most 4 GiB long and the walk goes forward: the difference fits.
        let by = i64::try_from(i128::from(at) - i128::from(self.at)).unwrap_or(i64::MAX);
        self.reader.seek_relative(by)?;
        self.at = at;
        let mut bytes = [0; N];
        match self.reader.read_exact(&mut bytes) {
            Ok(()) => self.at += N as u64,
            // The file has become shorter.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.len = at;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Some(bytes))
    }
}

#[cfg(test)]
#[path = "avi_tests.rs"]
mod tests;
