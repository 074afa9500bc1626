//! From SOI to EOI.

use super::entropy::{self, RestartOffsets};
use super::segments::{self, Frame, Quantisation};
use super::{Defect, Summary};

const SOI: [u8; 2] = [0xff, 0xd8];
const TEM: u8 = 0x01;
const DHT: u8 = 0xc4;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DQT: u8 = 0xdb;
const DRI: u8 = 0xdd;

/// Walks over a whole image at the start of `bytes`.
///
/// Reads all segments and all entropy-coded data up to EOI, notes the restart markers in `restarts`
/// (offsets from the start of `bytes`), and ignores what follows EOI. Segments are skipped by their
/// length, so a thumbnail inside of one, which has an EOI of its own, does not end the image.
/// Follows ITU-T T.81 annex B. Does not allocate.
///
/// # Errors
///
/// The first [`Defect`] met; `restarts` is empty then. Every prefix of a good image is
/// [`Defect::Truncated`], but the empty one, which is [`Defect::Empty`].
pub fn walk(bytes: &[u8], restarts: &mut RestartOffsets) -> Result<Summary, Defect> {
    restarts.clear();
    let mut walker = Walker::new(bytes);
    let result = walker.start().and_then(|()| walker.run(restarts));
    if result.is_err() {
        restarts.clear();
    }
    result
}

struct Walker<'a> {
    bytes: &'a [u8],
    /// Offset of what comes next.
    at: usize,
    frame: Option<Frame>,
    quantisation: Quantisation,
    huffman_tables: bool,
    restart_interval: u16,
    first_scan: Option<FirstScan>,
}

#[derive(Clone, Copy)]
struct FirstScan {
    at: usize,
    huffman_tables: bool,
    restart_interval: u16,
}

impl<'a> Walker<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            frame: None,
            quantisation: Quantisation::default(),
            huffman_tables: false,
            restart_interval: 0,
            first_scan: None,
        }
    }

    fn start(&mut self) -> Result<(), Defect> {
        self.at = SOI.len();
        match *self.bytes {
            [] => Err(Defect::Empty),
            [0xff] => Err(self.truncated()),
            [only] => Err(Defect::NoStart { found: [only, 0] }),
            [a, b, ..] if [a, b] != SOI => Err(Defect::NoStart { found: [a, b] }),
            _ => Ok(()),
        }
    }

    fn run(&mut self, restarts: &mut RestartOffsets) -> Result<Summary, Defect> {
        loop {
            let (at, marker) = self.marker()?;
            match marker {
                EOI => return self.finish(),
                TEM => {}
                // Reserved, RSTn outside of a scan, a second SOI, hierarchical coding.
                0x02..=0xbf | 0xc8 | 0xd0..=0xd8 | 0xde | 0xdf => {
                    return Err(Defect::BadSegment { at, marker });
                }
                _ => {
                    let body = self.body(at, marker)?;
                    self.segment(at, marker, body)?;
                    if marker == SOS {
                        self.scan(restarts)?;
                    }
                }
            }
        }
    }

    fn truncated(&self) -> Defect {
        Defect::Truncated { at: self.bytes.len() }
    }

    /// The next marker: offset of its 0xFF, and its code. Fill bytes before it are skipped.
    fn marker(&mut self) -> Result<(usize, u8), Defect> {
        let byte = |at: usize| self.bytes.get(at).copied().ok_or_else(|| self.truncated());
        let mut at = self.at;
        match byte(at)? {
            0xff => {}
            other => return Err(Defect::Garbage { at, byte: other }),
        }
        loop {
            match byte(at + 1)? {
                0xff => at += 1,
                0x00 => return Err(Defect::Garbage { at: at + 1, byte: 0 }),
                code => {
                    self.at = at + 2;
                    return Ok((at, code));
                }
            }
        }
    }

    /// The body of the segment whose marker was just read, without its length field.
    fn body(&mut self, at: usize, marker: u8) -> Result<&'a [u8], Defect> {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        let (&len, rest) = rest.split_first_chunk::<2>().ok_or_else(|| self.truncated())?;
        let len =
            usize::from(u16::from_be_bytes(len)).checked_sub(2).ok_or(Defect::BadSegment { at, marker })?;
        self.at += 2 + len;
        rest.get(..len).ok_or_else(|| self.truncated())
    }

    fn segment(&mut self, at: usize, marker: u8, body: &[u8]) -> Result<(), Defect> {
        let bad = Defect::BadSegment { at, marker };
        if let Some(process) = segments::process_of(marker) {
            let frame = Frame::parse(process, body).filter(|_| self.frame.is_none()).ok_or(bad)?;
            if frame.width == 0 || frame.height == 0 {
                return Err(Defect::ZeroSize);
            }
            self.frame = Some(frame);
            return Ok(());
        }
        match marker {
            DQT => self.quantisation.define(body).ok_or(bad),
            DHT if segments::huffman_tables_fit(body) => {
                self.huffman_tables = true;
                Ok(())
            }
            DRI if body.len() == 2 => {
                self.restart_interval = u16::from_be_bytes([body[0], body[1]]);
                Ok(())
            }
            SOS if self.frame.is_some_and(|frame| segments::scan_fits(body, &frame)) => {
                self.first_scan.get_or_insert(FirstScan {
                    at,
                    huffman_tables: self.huffman_tables,
                    restart_interval: self.restart_interval,
                });
                Ok(())
            }
            DHT | DRI | SOS => Err(bad),
            _ => Ok(()), // APPn, COM, DNL, DAC: of no concern here
        }
    }

    fn scan(&mut self, restarts: &mut RestartOffsets) -> Result<(), Defect> {
        let end = entropy::skip(self.bytes, self.at, restarts).ok_or_else(|| self.truncated())?;
        if end == self.at {
            return Err(Defect::NoScan);
        }
        self.at = end;
        Ok(())
    }

    fn finish(&self) -> Result<Summary, Defect> {
        let (Some(frame), Some(first)) = (self.frame, self.first_scan) else { return Err(Defect::NoScan) };
        Ok(Summary {
            len: self.at,
            width: frame.width,
            height: frame.height,
            sampling: frame.sampling,
            components: frame.components,
            process: frame.process,
            precision: frame.precision,
            has_huffman_tables: first.huffman_tables,
            tables_at: first.at,
            restart_interval: first.restart_interval,
            quality: self.quantisation.quality(&frame),
        })
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
