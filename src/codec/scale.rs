//! Pictures of another size: each sample of the output is the mean of what it covers (shrinking), or
//! lies between its neighbours (enlarging).

use super::planes::{PlanarPicture, Plane, RawBuffer};
use super::{CodecError, check_size};
use crate::picture::RawPicture;

/// Scales planar pictures to one size. Make one, use it for all frames.
///
/// Either direction is scaled on its own, by a box filter where it shrinks and linearly where it grows.
/// Pictures may change in size from call to call; nothing is allocated while they do not.
pub struct Scaler {
    size: (u32, u32),
    /// Across and down, of luma and of chroma.
    axes: [[Axis; 2]; 2],
    sums: Vec<u32>,
    output: RawBuffer,
}

impl Scaler {
    /// For an output of `size` columns and rows.
    ///
    /// # Errors
    ///
    /// [`CodecError::Size`] if that is nothing or too much.
    pub fn new(size: (u32, u32)) -> Result<Self, CodecError> {
        check_size(size.0, size.1)?;
        Ok(Self { size, axes: Default::default(), sums: Vec::new(), output: RawBuffer::default() })
    }

    /// Columns and rows of what comes out.
    #[must_use]
    pub const fn output_size(&self) -> (u32, u32) {
        self.size
    }

    /// Scales a picture: YU12, or GREY if it is a grey one, as JFIF means it.
    ///
    /// # Errors
    ///
    /// [`CodecError::Size`] if the picture is empty.
    pub fn scale(&mut self, picture: &PlanarPicture) -> Result<RawPicture<'_>, CodecError> {
        check_size(picture.width() as u32, picture.height() as u32)?;
        self.output.reset(self.size.0, self.size.1, picture.is_grey());
        for (index, from) in picture.planes().iter().enumerate() {
            let Some((samples, stride, width, height)) = self.output.plane_mut(index) else { continue };
            let [across, down] = &mut self.axes[index.min(1)];
            across.fit(from.width(), width);
            down.fit(from.rows(), height);
            for (line, span) in samples.chunks_mut(stride).zip(down.spans()) {
                mix_rows(from, &span, &mut self.sums);
                mix_columns(&self.sums, across, &mut line[..width]);
            }
        }
        Ok(self.output.picture())
    }
}

/// Weights sum up to this.
const ONE: u32 = 1 << 12;

/// Adds rows up by their weights: 20 bits for each sample.
fn mix_rows(from: &Plane, span: &Span<'_>, sums: &mut Vec<u32>) {
    sums.clear();
    sums.resize(from.width(), 0);
    for (row, &weight) in span.weights.iter().enumerate() {
        for (sum, &value) in sums.iter_mut().zip(from.row(span.first + row)) {
            *sum += u32::from(value) * u32::from(weight);
        }
    }
}

/// Adds columns up by their weights. Four bits are dropped before, so that 32 are enough.
fn mix_columns(sums: &[u32], across: &Axis, line: &mut [u8]) {
    for (out, span) in line.iter_mut().zip(across.spans()) {
        let values = &sums[span.first..][..span.weights.len()];
        let sum: u32 =
            values.iter().zip(span.weights).map(|(&sum, &weight)| (sum >> 4) * u32::from(weight)).sum();
        *out = ((sum + (1 << 19)) >> 20) as u8;
    }
}

/// What each place of the output takes from which places of the source, along one direction.
#[derive(Default)]
struct Axis {
    made_for: (usize, usize),
    /// First place of the source, and end of the weights in the list.
    starts: Vec<(u32, u32)>,
    weights: Vec<u16>,
}

struct Span<'a> {
    first: usize,
    weights: &'a [u16],
}

impl Axis {
    fn spans(&self) -> impl Iterator<Item = Span<'_>> {
        let mut begin = 0;
        self.starts.iter().map(move |&(first, end)| {
            let weights = &self.weights[begin..end as usize];
            begin = end as usize;
            Span { first: first as usize, weights }
        })
    }

    /// Makes the weights from `source` to `target` places, unless they are there already.
    fn fit(&mut self, source: usize, target: usize) {
        if self.made_for == (source, target) {
            return;
        }
        self.made_for = (source, target);
        self.starts.clear();
        self.weights.clear();
        let step = source as f64 / target as f64;
        for place in 0..target {
            let (from, to) = if step > 1.0 {
                (place as f64 * step, (place + 1) as f64 * step)
            } else {
                // A box of one sample's width around the place: the linear mean of two neighbours.
                let centre = (place as f64 + 0.5) * step;
                (centre - 0.5, centre + 0.5)
            };
            self.push(from, to, source);
        }
    }

    /// Weights by overlap with `from..to`; what lies outside falls to the first and the last place.
    fn push(&mut self, from: f64, to: f64, source: usize) {
        let last = source - 1;
        let first = (from.floor().max(0.0) as usize).min(last);
        let end = (to.ceil().max(1.0) as usize).clamp(first + 1, source);
        let begin = self.weights.len();
        let mut spent = 0;
        for place in first..end {
            let low = if place == first { from } else { place as f64 };
            let high = if place + 1 == end { to } else { (place + 1) as f64 };
            // Cumulative rounding: the weights sum up to ONE exactly.
            let until = ((high.max(low) - from) / (to - from) * f64::from(ONE)).round() as u32;
            self.weights.push((until - spent) as u16);
            spent = until;
        }
        debug_assert_eq!(self.weights[begin..].iter().map(|&w| u32::from(w)).sum::<u32>(), ONE);
        self.starts.push((first as u32, self.weights.len() as u32));
    }
}
