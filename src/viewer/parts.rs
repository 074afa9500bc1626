//! Writing what lies in several places as one.

use std::io::{self, IoSlice, Write};

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

/// The head of a block and the three parts of an image.
const MOST_PARTS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe takes a few bytes at a time and is interrupted now and then.
    #[test]
    fn all_parts_are_written_through_a_narrow_pipe() {
        struct Narrow(Vec<u8>, usize);
        impl Write for Narrow {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1 += 1;
                if self.1.is_multiple_of(3) {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                let len = bytes.len().min(3);
                self.0.extend_from_slice(&bytes[..len]);
                Ok(len)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut pipe = Narrow(Vec::new(), 0);
        let written = write_all(&mut pipe, &[b"", b"one two", b"", b" three"]).unwrap();
        assert_eq!((written, pipe.0.as_slice()), (13, &b"one two three"[..]));
    }
}
