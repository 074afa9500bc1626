//! Images put together by hand, for tests of the walk.

use super::STANDARD_HUFFMAN_TABLES;
use super::tables::{TableKind, table_for_quality};

/// A segment with its length field.
pub(crate) fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len() + 2).expect("a segment is short");
    [&[0xff, marker][..], &len.to_be_bytes(), body].concat()
}

/// A DQT segment with one 8-bit table. The order of the entries is of no concern to the walk.
pub(crate) fn dqt(slot: u8, quality: u8) -> Vec<u8> {
    let table = table_for_quality(quality, TableKind::Luma).map(|entry| entry as u8);
    segment(0xdb, &[&[slot][..], &table].concat())
}

/// An SOF segment for a picture of 32x16 pixels.
pub(crate) fn sof(marker: u8, factors: &[u8]) -> Vec<u8> {
    let mut body = vec![8, 0, 16, 0, 32, factors.len() as u8];
    for (index, factor) in factors.iter().enumerate() {
        body.extend([index as u8 + 1, *factor, u8::from(index > 0)]);
    }
    segment(marker, &body)
}

/// An SOS segment for `components` of them.
pub(crate) fn sos(components: u8) -> Vec<u8> {
    let mut body = vec![components];
    body.extend((1..=components).flat_map(|id| [id, 0x11]));
    body.extend([0, 63, 0]);
    segment(0xda, &body)
}

/// Entropy-coded bytes with stuffing and two restart markers, at offsets 4 and 8.
pub(crate) const DATA: [u8; 12] = [0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56, 0x78, 0xff, 0xd1, 0x9a, 0xbc];

/// A whole baseline 4:2:2 image of quality 80 with a thumbnail, three tables and restart markers.
pub(crate) fn image(huffman: bool) -> Vec<u8> {
    let thumbnail = segment(0xe0, b"JFXX\0\x10\xff\xd8\xff\xda\0\x02..\xff\xd9 thumbnail");
    let mut image = vec![0xff, 0xd8];
    image.extend(thumbnail);
    image.extend([dqt(0, 80), dqt(1, 60), dqt(2, 60)].concat());
    image.extend(sof(0xc0, &[0x21, 0x11, 0x11]));
    if huffman {
        image.extend(STANDARD_HUFFMAN_TABLES);
    }
    image.extend(segment(0xdd, &[0, 2]));
    image.extend(sos(3));
    image.extend(DATA);
    image.extend([0xff, 0xd9]);
    image
}
