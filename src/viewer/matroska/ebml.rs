//! EBML elements as bytes (RFC 8794): an id, a size, a body.

/// Appends an element whose body is `body`.
pub(super) fn binary(to: &mut Vec<u8>, id: u32, body: &[u8]) {
    put_id(to, id);
    put_size(to, body.len() as u64);
    to.extend_from_slice(body);
}

/// Appends an unsigned integer element without leading zero bytes.
pub(super) fn unsigned(to: &mut Vec<u8>, id: u32, value: u64) {
    let bytes = value.to_be_bytes();
    let zeros = (value.leading_zeros() as usize / 8).min(7);
    binary(to, id, &bytes[zeros..]);
}

/// Appends an unsigned integer element that always takes 8 bytes for its value.
pub(super) fn unsigned_wide(to: &mut Vec<u8>, id: u32, value: u64) {
    binary(to, id, &value.to_be_bytes());
}

/// Appends a 64-bit float element.
pub(super) fn float(to: &mut Vec<u8>, id: u32, value: f64) {
    binary(to, id, &value.to_be_bytes());
}

/// Appends a string element.
pub(super) fn text(to: &mut Vec<u8>, id: u32, value: &str) {
    binary(to, id, value.as_bytes());
}

/// Appends an element whose body `fill` writes.
pub(super) fn master(to: &mut Vec<u8>, id: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut body = Vec::new();
    fill(&mut body);
    binary(to, id, &body);
}

/// Appends the head of an element whose size is not known yet; [`known_size`] goes over its last
/// [`WIDE_SIZE_LEN`] bytes later.
pub(super) fn open(to: &mut Vec<u8>, id: u32) {
    put_id(to, id);
    to.extend_from_slice(&UNKNOWN_SIZE);
}

/// Appends the head of an element with a body of `len` bytes.
pub(super) fn head(to: &mut Vec<u8>, id: u32, len: u64) {
    put_id(to, id);
    put_size(to, len);
}

/// Appends a Void element of `total` bytes, head included: room for something later.
///
/// # Panics
///
/// In debug builds, if `total` is below the smallest element with a one-byte size or above the largest.
pub(super) fn void(to: &mut Vec<u8>, total: usize) {
    debug_assert!((2..=127).contains(&total), "void of {total} bytes");
    head(to, VOID, total as u64 - 2);
    to.resize(to.len() + total - 2, 0);
}

/// A size in the form that takes the place of [`UNKNOWN_SIZE`].
pub(super) fn known_size(size: u64) -> [u8; WIDE_SIZE_LEN] {
    (size | 0x0100_0000_0000_0000).to_be_bytes()
}

/// An id is written as it is: its length marker is part of it.
fn put_id(to: &mut Vec<u8>, id: u32) {
    let bytes = id.to_be_bytes();
    to.extend_from_slice(&bytes[id.leading_zeros() as usize / 8..]);
}

/// The shortest form. All value bits set would mean "unknown", so 127 takes two bytes already.
fn put_size(to: &mut Vec<u8>, size: u64) {
    let len = (1..8).find(|len| size < (1 << (7 * len)) - 1).unwrap_or(8);
    let bytes = (size | 1 << (7 * len)).to_be_bytes();
    to.extend_from_slice(&bytes[8 - len..]);
}

/// Bytes of a size that can be patched.
pub(super) const WIDE_SIZE_LEN: usize = 8;
/// All value bits set (RFC 8794 section 6.2).
const UNKNOWN_SIZE: [u8; WIDE_SIZE_LEN] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const VOID: u32 = 0xec;

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut to = Vec::new();
        fill(&mut to);
        to
    }

    #[test]
    fn sizes_take_their_shortest_form() {
        let cases: [(u64, &[u8]); 7] = [
            (0, &[0x80]),
            (126, &[0xfe]),
            (127, &[0x40, 0x7f]),
            (16_382, &[0x7f, 0xfe]),
            (16_383, &[0x20, 0x3f, 0xff]),
            ((1 << 49) - 2, &[0x03, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]), // seven bytes
            ((1 << 49) - 1, &[0x01, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ];
        for (size, expected) in cases {
            assert_eq!(bytes(|to| put_size(to, size)), expected, "{size}");
        }
    }

    #[test]
    fn elements() {
        assert_eq!(bytes(|to| unsigned(to, 0x4286, 1)), [0x42, 0x86, 0x81, 1]);
        assert_eq!(bytes(|to| unsigned(to, 0xe7, 0)), [0xe7, 0x81, 0]);
        assert_eq!(bytes(|to| unsigned(to, 0x2a_d7b1, 100_000)), [0x2a, 0xd7, 0xb1, 0x83, 1, 0x86, 0xa0]);
        assert_eq!(bytes(|to| text(to, 0x86, "ab")), [0x86, 0x82, b'a', b'b']);
        assert_eq!(bytes(|to| master(to, 0xae, |to| unsigned(to, 0xd7, 9))), [0xae, 0x83, 0xd7, 0x81, 9]);
        assert_eq!(bytes(|to| void(to, 4)), [0xec, 0x82, 0, 0]);
        assert_eq!(bytes(|to| open(to, 0x1f43_b675)).len(), 4 + WIDE_SIZE_LEN);
        assert_eq!(known_size(5), [1, 0, 0, 0, 0, 0, 0, 5]);
    }
}
