//! Blocks of quantised coefficients.

/// 64 coefficients of one block, natural order.
pub(super) type Block = [i16; 64];

/// What each of the 64 coefficients of a block is multiplied by, natural order, 0..=1.
pub(super) type Factors = [f32; 64];

pub(super) fn clear(blocks: &mut [Block]) {
    blocks.as_flattened_mut().fill(0);
}

/// Factors that take coefficients from the quantisation of `source` to that of `target`.
///
/// No entry of `target` is less than its fellow in `source`, so no coefficient grows.
pub(super) fn factors(source: &[u16; 64], target: &[u16; 64]) -> Factors {
    core::array::from_fn(|i| f32::from(source[i]) / f32::from(target[i]))
}

/// Multiplies every coefficient and rounds to the nearest integer.
///
/// Adding 1.5 * 2^23 leaves a float whose lowest bits are the rounded value: the sum has no room for
/// a fraction. Four operations that every vector unit has, where a division or a call to `round` for each
/// coefficient would cost as much as entropy coding. Half-way cases may go to either neighbour.
pub(super) fn scale(blocks: &mut [Block], factors: &Factors) {
    const ROUND: f32 = 12_582_912.0;
    for block in blocks {
        for (value, factor) in block.iter_mut().zip(factors) {
            *value = (f32::from(*value) * factor + ROUND).to_bits() as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_rounds_to_the_nearest() {
        for source in [1u16, 2, 3, 7, 16, 99] {
            for target in [source, source + 1, 2 * source, 50, 101, 255] {
                let target = target.max(source);
                let by = factors(&[source; 64], &[target; 64]);
                for value in (-2048..=2047).chain([-32_767, -32_768, 32_767]) {
                    let mut block = [[value; 64]];
                    scale(&mut block, &by);
                    let exact = f64::from(value) * f64::from(source) / f64::from(target);
                    let off = (f64::from(block[0][0]) - exact).abs();
                    assert!(off <= 0.51, "{value} * {source} / {target} = {exact}, not {}", block[0][0]);
                }
            }
        }
    }

    #[test]
    fn equal_tables_change_nothing() {
        let mut blocks: Vec<Block> =
            (0..8).map(|b| core::array::from_fn(|i| (b * 64 + i) as i16 - 256)).collect();
        let before = blocks.clone();
        let table = core::array::from_fn(|i| i as u16 + 1);
        scale(&mut blocks, &factors(&table, &table));
        assert_eq!(blocks, before);
        clear(&mut blocks);
        assert!(blocks.as_flattened().iter().all(|&v| v == 0));
    }
}
