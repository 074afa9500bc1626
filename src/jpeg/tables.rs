//! The tables of ITU-T T.81 Annex K, and libjpeg's way to scale them.

use super::{Process, Summary};

/// Which of the two example tables of Annex K.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableKind {
    /// K.1, for luma.
    Luma,
    /// K.2, for chroma.
    Chroma,
}

/// T.81 table K.1, natural (row by row) order.
#[rustfmt::skip]
const K1: [u16; 64] = [
    16, 11, 10, 16,  24,  40,  51,  61,
    12, 12, 14, 19,  26,  58,  60,  55,
    14, 13, 16, 24,  40,  57,  69,  56,
    14, 17, 22, 29,  51,  87,  80,  62,
    18, 22, 37, 56,  68, 109, 103,  77,
    24, 35, 55, 64,  81, 104, 113,  92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103,  99,
];

/// T.81 table K.2, natural (row by row) order.
#[rustfmt::skip]
const K2: [u16; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
];

/// The quantisation table that libjpeg makes for `quality`, kept baseline (1..=255), natural order.
///
/// `quality` beyond 1..=100 is taken as the nearer end.
#[must_use]
pub const fn table_for_quality(quality: u8, kind: TableKind) -> [u16; 64] {
    let base = match kind {
        TableKind::Luma => K1,
        TableKind::Chroma => K2,
    };
    let quality = match quality {
        0 => 1,
        1..=100 => quality as u32,
        _ => 100,
    };
    let percent = if quality < 50 { 5000 / quality } else { 200 - quality * 2 };
    let mut table = [0; 64];
    let mut index = 0;
    while index < 64 {
        let entry = (base[index] as u32 * percent + 50) / 100;
        table[index] = match entry {
            0 => 1,
            1..=255 => entry as u16,
            _ => 255,
        };
        index += 1;
    }
    table
}

/// libjpeg's quality setting (1..=100) whose table comes nearest to `table` (any order) in its sum.
///
/// Exact for every table that libjpeg itself made; a fair guess for a camera's own tables.
#[must_use]
pub fn quality_of_table(table: &[u16; 64], kind: TableKind) -> u8 {
    quality_of_sum(table.iter().map(|&entry| u32::from(entry.min(255))).sum(), kind)
}

pub(super) fn quality_of_sum(sum: u32, kind: TableKind) -> u8 {
    let sums = match kind {
        TableKind::Luma => &LUMA_SUMS,
        TableKind::Chroma => &CHROMA_SUMS,
    };
    // Sums fall strictly as quality rises: index i is quality i + 1.
    let above = sums.partition_point(|&other| other > sum);
    let better = sums.get(above).map(|&other| sum - other);
    let worse = above.checked_sub(1).and_then(|i| sums.get(i)).map(|&other| other - sum);
    let index = match (worse, better) {
        (Some(worse), Some(better)) if worse < better => above - 1,
        (Some(_), None) => above - 1,
        _ => above,
    };
    u8::try_from(index + 1).unwrap_or(100)
}

const LUMA_SUMS: [u32; 100] = sums(TableKind::Luma);
const CHROMA_SUMS: [u32; 100] = sums(TableKind::Chroma);

const fn sums(kind: TableKind) -> [u32; 100] {
    let mut sums = [0; 100];
    let mut quality = 1;
    while quality <= 100 {
        let table = table_for_quality(quality, kind);
        let mut index = 0;
        while index < 64 {
            sums[quality as usize - 1] += table[index] as u32;
            index += 1;
        }
        quality += 1;
    }
    sums
}

/// The three slices that make a self-contained image of one that may lack Huffman tables.
///
/// Written one after the other they are the image that `summary` describes, without padding. The middle
/// one is empty when the image has tables, or is of a kind that has no standard ones.
#[must_use]
pub fn with_tables<'a>(jpeg: &'a [u8], summary: &Summary) -> [&'a [u8]; 3] {
    let image = jpeg.get(..summary.len).unwrap_or(jpeg);
    let sequential = matches!(summary.process, Process::Baseline | Process::Extended);
    match image.split_at_checked(summary.tables_at) {
        Some((head, rest)) if sequential && !summary.has_huffman_tables => {
            [head, &STANDARD_HUFFMAN_TABLES, rest]
        }
        _ => [image, &[], &[]],
    }
}

/// One DHT segment with the tables K.3 (DC luma), K.5 (AC luma), K.4 (DC chroma), K.6 (AC chroma).
#[rustfmt::skip]
pub const STANDARD_HUFFMAN_TABLES: [u8; 420] = [
    0xff, 0xc4, 0x01, 0xa2,
    // K.3: class 0, slot 0
    0x00, 0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0,
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
    // K.5: class 1, slot 0
    0x10, 0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d,
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
    0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0,
    0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
    0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
    0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
    0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5,
    0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
    0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
    // K.4: class 0, slot 1
    0x01, 0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0,
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
    // K.6: class 1, slot 1
    0x11, 0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77,
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
    0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0,
    0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26,
    0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
    0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5,
    0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_is_told_exactly_for_tables_of_libjpeg() {
        for quality in 1..=100 {
            for kind in [TableKind::Luma, TableKind::Chroma] {
                let table = table_for_quality(quality, kind);
                if kind == TableKind::Luma {
                    assert_eq!(quality_of_table(&table, kind), quality);
                }
                // K.2 saturates: its two lowest qualities are one table.
                assert_eq!(
                    table_for_quality(quality_of_table(&table, kind), kind),
                    table,
                    "{quality} {kind:?}"
                );
            }
        }
        assert_eq!(quality_of_table(&[1; 64], TableKind::Luma), 100);
        assert_eq!(quality_of_table(&[0; 64], TableKind::Luma), 100);
        assert_eq!(quality_of_table(&[u16::MAX; 64], TableKind::Luma), 1);
        assert_eq!(table_for_quality(50, TableKind::Luma), K1);
    }

    #[test]
    fn between_two_qualities_the_nearer_one_is_taken() {
        let mut table = table_for_quality(80, TableKind::Luma);
        table[63] += 1;
        assert_eq!(quality_of_table(&table, TableKind::Luma), 80);
        table[63] -= 2;
        assert_eq!(quality_of_table(&table, TableKind::Luma), 80);
    }

    #[test]
    fn the_standard_tables_are_one_well_formed_segment() {
        assert!(super::super::segments::huffman_tables_fit(&STANDARD_HUFFMAN_TABLES[4..]));
        assert_eq!(u16::from_be_bytes([STANDARD_HUFFMAN_TABLES[2], STANDARD_HUFFMAN_TABLES[3]]), 420 - 2);
        assert!(!super::super::segments::huffman_tables_fit(&STANDARD_HUFFMAN_TABLES[4..419]));
    }
}
