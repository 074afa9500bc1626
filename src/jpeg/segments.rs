//! The segments that stand before and between scans (T.81 B.2).

use super::tables::TableKind;
use super::{Process, Sampling, tables};

/// What SOF says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) process: Process,
    pub(super) precision: u8,
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) components: u8,
    pub(super) sampling: Option<Sampling>,
    /// Number of the quantisation table that the first component takes, 0..=3.
    luma_table: u8,
}

/// The coding process of an SOF marker; `None` for every other marker.
pub(super) const fn process_of(marker: u8) -> Option<Process> {
    Some(match marker {
        0xc0 => Process::Baseline,
        0xc1 => Process::Extended,
        0xc2 => Process::Progressive,
        0xc3 => Process::Lossless,
        0xc5..=0xc7 | 0xcd..=0xcf => Process::Differential,
        0xc9..=0xcb => Process::Arithmetic,
        _ => return None,
    })
}

impl Frame {
    /// Reads the body of an SOF segment; `None` if it contradicts itself.
    pub(super) fn parse(process: Process, body: &[u8]) -> Option<Self> {
        let (head, specs) = body.split_first_chunk::<6>()?;
        let [precision, h1, h0, w1, w0, components] = *head;
        if components == 0 || specs.len() != usize::from(components) * 3 {
            return None;
        }
        let mut factors = [(0u8, 0u8); 4];
        for (index, spec) in specs.chunks_exact(3).enumerate() {
            let (h, v) = (spec[1] >> 4, spec[1] & 15);
            if !(1..=4).contains(&h) || !(1..=4).contains(&v) || spec[2] > 3 {
                return None;
            }
            if let Some(slot) = factors.get_mut(index) {
                *slot = (h, v);
            }
        }
        Some(Self {
            process,
            precision,
            width: u16::from_be_bytes([w1, w0]),
            height: u16::from_be_bytes([h1, h0]),
            components,
            sampling: sampling(components, factors),
            luma_table: *specs.get(2)?,
        })
    }
}

/// Only ratios count: some cameras write 4:2:2 as 2x2, 1x2, 1x2.
fn sampling(components: u8, [luma, cb, cr, _]: [(u8, u8); 4]) -> Option<Sampling> {
    if components == 1 {
        return Some(Sampling::Grey);
    }
    if components != 3 || cb != cr || luma.0 % cb.0 != 0 || luma.1 % cb.1 != 0 {
        return None;
    }
    Some(match (luma.0 / cb.0, luma.1 / cb.1) {
        (1, 1) => Sampling::S444,
        (2, 1) => Sampling::S422,
        (2, 2) => Sampling::S420,
        (1, 2) => Sampling::S440,
        (4, 1) => Sampling::S411,
        _ => return None,
    })
}

/// Quantisation tables, as far as the estimate of quality needs them: sums of their entries.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Quantisation {
    sums: [Option<u32>; 4],
}

impl Quantisation {
    /// Reads the body of a DQT segment; `None` if it contradicts itself.
    pub(super) fn define(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&head, rest)) = body.split_first() {
            let slot = self.sums.get_mut(usize::from(head & 15))?;
            let width = match head >> 4 {
                0 => 1,
                1 => 2,
                _ => return None,
            };
            let (entries, rest) = rest.split_at_checked(64 * width)?;
            let clamped = |entry: &[u8]| match entry {
                [low] | [0, low] => u32::from(*low),
                _ => 255, // libjpeg's own limit for baseline tables
            };
            *slot = Some(entries.chunks_exact(width).map(clamped).sum());
            body = rest;
        }
        Some(())
    }

    pub(super) fn quality(&self, frame: &Frame) -> Option<u8> {
        let sum = (*self.sums.get(usize::from(frame.luma_table))?)?;
        Some(tables::quality_of_sum(sum, TableKind::Luma))
    }
}

/// Whether the body of a DHT segment is well-formed (T.81 B.2.4.2).
pub(super) fn huffman_tables_fit(mut body: &[u8]) -> bool {
    while let Some((&[class_and_slot, ref counts @ ..], rest)) = body.split_first_chunk::<17>() {
        let values: usize = counts.iter().map(|&n| usize::from(n)).sum();
        let Some(rest) = rest.get(values..) else { return false };
        if class_and_slot >> 4 > 1 || class_and_slot & 15 > 3 || values > 256 {
            return false;
        }
        body = rest;
    }
    body.is_empty()
}

/// Whether the body of an SOS segment fits the frame (T.81 B.2.3).
pub(super) fn scan_fits(body: &[u8], frame: &Frame) -> bool {
    let Some((&scanned, rest)) = body.split_first() else { return false };
    (1..=frame.components.min(4)).contains(&scanned) && rest.len() == usize::from(scanned) * 2 + 3
}
