use super::{STEP, Sums};
use crate::activations::Rows;
use crate::panels::{PANEL, TILE};

/// Sums of the products of `count` rows from `first` on with a panel's weights of the inputs from `column` on.
///
/// For each step the weights are sorted by input and widened, once for all rows; then every operation is one on 32
/// outputs side by side, which compilers turn into vectors of whatever width there is. A single product fits 16 bits
/// (255 * -128), where multiplying is cheap everywhere; a sum of two does not.
pub(super) fn multiply(
    input: Rows<u8>,
    (first, count): (usize, usize),
    column: usize,
    weights: &[i8],
    sums: &mut Sums,
) {
    let length = weights.len() / PANEL;
    let rows: [&[u8]; TILE] = std::array::from_fn(|at| {
        if at < count { &input.values[(first + at) * input.stride + column..][..length] } else { &[] }
    });
    sums[..count].fill([0; PANEL]);
    for (step, weights) in weights.as_chunks::<{ STEP * PANEL }>().0.iter().enumerate() {
        let mut wide = [[0i16; PANEL]; STEP];
        for lane in 0..PANEL {
            for (at, wide) in wide.iter_mut().enumerate() {
                wide[lane] = i16::from(weights[lane * STEP + at]);
            }
        }
        for (row, sums) in rows[..count].iter().zip(sums.iter_mut()) {
            let mut values = [0i16; STEP];
            for (value, byte) in values.iter_mut().zip(&row[step * STEP..]) {
                *value = i16::from(*byte);
            }
            for lane in 0..PANEL {
                let product = |at: usize| i32::from(wide[at][lane].wrapping_mul(values[at]));
                let sum = product(0) + product(1) + product(2) + product(3);
                sums[lane] = sums[lane].wrapping_add(sum);
            }
        }
    }
}
