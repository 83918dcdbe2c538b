//! The loops between the matrix products, each one pass over its rows. They are written in lanes that the compiler
//! turns into vector instructions, and divided among the threads by blocks of rows.

use rayon::prelude::*;

/// Rows a thread takes at a time: enough work to pay for the hand-over.
const BLOCK_ROWS: usize = 16;

/// Partial sums kept side by side.
const LANES: usize = 16;

/// Calls `visit` with the number of the first row and the values of every block of rows of `out`.
pub(crate) fn for_each_block(out: &mut [f32], width: usize, visit: impl Fn(usize, &mut [f32]) + Sync) {
    out.par_chunks_mut(BLOCK_ROWS * width).enumerate().for_each(|(at, block)| visit(at * BLOCK_ROWS, block));
}

/// The sum of `term` over `values`.
pub(crate) fn sum_by(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += term(chunk[lane]);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|v| term(*v)).sum::<f32>()
}

/// Turns the scores of one row into weights that sum to 1.
pub(crate) fn softmax(scores: &[f32], out: &mut [f32]) {
    let (chunks, rest) = scores.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] = if chunk[lane] > lanes[lane] { chunk[lane] } else { lanes[lane] };
        }
    }
    let highest = lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
    for (out, score) in out.iter_mut().zip(scores) {
        *out = exp(score - highest);
    }
    let factor = 1.0 / sum_by(out, |v| v);
    for value in out {
        *value *= factor;
    }
}

/// e^x to within 2 units in the last place for -87 <= x <= 88, clamped beyond; NaN stays NaN, so that damaged weights
/// show. Branch-free, hence vectorised where libm's is not. Polynomial after Cephes' `expf`.
#[inline]
pub(crate) fn exp(x: f32) -> f32 {
    const LOWEST: f32 = -87.0;
    const HIGHEST: f32 = 88.0;
    // Adding it rounds to a whole number, which its low bits then hold.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < LOWEST { LOWEST } else { x };
    let x = if x > HIGHEST { HIGHEST } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let power = (rounded.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let whole = rounded - ROUND;
    let r = x - whole * LN2_HIGH - whole * LN2_LOW;
    let mut p = 1.987_569_2e-4;
    p = p * r + 1.398_2e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let value = p * r * r + r + 1.0;
    value * f32::from_bits((power.wrapping_add(127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn exp_is_close(x in -87f32..88.0) {
            let want = f64::from(x).exp();
            prop_assert!((f64::from(exp(x)) / want - 1.0).abs() < 3e-7, "{x}: {} is not {want}", exp(x));
        }

        #[test]
        fn softmax_sums_to_one(scores in prop::collection::vec(-50f32..50.0, 1..100)) {
            let mut out = vec![0.0; scores.len()];
            softmax(&scores, &mut out);
            prop_assert!((out.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            let total: f64 = scores.iter().map(|s| f64::from(*s).exp()).sum();
            for (score, weight) in scores.iter().zip(&out) {
                prop_assert!((f64::from(*score).exp() / total - f64::from(*weight)).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn extremes_and_nan() {
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(-1e30) >= 0.0 && exp(1e30).is_finite());
        let mut out = [0.0; 3];
        softmax(&[0.0, f32::NAN, 1.0], &mut out);
        assert!(out[0].is_nan());
    }
}
