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

fn sum_by(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += term(chunk[lane]);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|v| term(*v)).sum::<f32>()
}

/// Gemma's RMS norm: `x / sqrt(mean(x²) + eps) * weight`. Files hold `weight - 1`; the caller has added the 1.
#[derive(Clone, Debug)]
pub(crate) struct RmsNorm {
    weight: Vec<f32>,
    eps: f32,
}

impl RmsNorm {
    /// Of the values a file holds, multiplied by `scale`.
    pub(crate) fn new(file_values: &[f32], eps: f64, scale: f32) -> Self {
        Self { weight: file_values.iter().map(|w| (1.0 + w) * scale).collect(), eps: eps as f32 }
    }

    /// Norm of one row into `out`.
    pub(crate) fn apply_row(&self, row: &[f32], out: &mut [f32]) {
        let factor = self.factor(row);
        for ((out, value), weight) in out.iter_mut().zip(row).zip(&self.weight) {
            *out = value * factor * weight;
        }
    }

    /// Adds the norm of one row to `out`.
    fn add_row(&self, row: &[f32], out: &mut [f32]) {
        let factor = self.factor(row);
        for ((out, value), weight) in out.iter_mut().zip(row).zip(&self.weight) {
            *out += value * factor * weight;
        }
    }

    fn factor(&self, row: &[f32]) -> f32 {
        let mean = sum_by(row, |v| v * v) / row.len() as f32;
        1.0 / (mean + self.eps).sqrt()
    }

    /// Norms of all rows of `states`, in place.
    pub(crate) fn apply_in_place(&self, states: &mut [f32]) {
        let width = self.weight.len();
        for_each_block(states, width, |_, block| {
            for row in block.chunks_exact_mut(width) {
                let factor = self.factor(row);
                for (value, weight) in row.iter_mut().zip(&self.weight) {
                    *value = *value * factor * weight;
                }
            }
        });
    }

    /// Norms of all rows of `states`.
    pub(crate) fn apply(&self, states: &[f32]) -> Vec<f32> {
        let width = self.weight.len();
        let mut out = vec![0.0; states.len()];
        for_each_block(&mut out, width, |first, block| {
            let rows = states[first * width..].chunks_exact(width);
            for (out, row) in block.chunks_exact_mut(width).zip(rows) {
                self.apply_row(row, out);
            }
        });
        out
    }

    /// `states += norm(branch)`: the end of a residual branch.
    pub(crate) fn add_to(&self, states: &mut [f32], branch: &[f32]) {
        let width = self.weight.len();
        for_each_block(states, width, |first, block| {
            let rows = branch[first * width..].chunks_exact(width);
            for (out, row) in block.chunks_exact_mut(width).zip(rows) {
                self.add_row(row, out);
            }
        });
    }
}

/// `gelu(gate) * up` for rows of `[gate | up]`, each `width` long; GELU in its tanh form.
pub(crate) fn gated_gelu(gate_up: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0.0; gate_up.len() / 2];
    for_each_block(&mut out, width, |first, block| {
        let rows = gate_up[first * 2 * width..].chunks_exact(2 * width);
        for (out, row) in block.chunks_exact_mut(width).zip(rows) {
            let (gate, up) = row.split_at(width);
            for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
                *out = gelu_tanh(*gate) * up;
            }
        }
    });
    out
}

/// `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`, written as a logistic function.
#[inline]
fn gelu_tanh(x: f32) -> f32 {
    const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
    let inner = TWICE_SQRT_2_OVER_PI * x * (1.0 + 0.044715 * x * x);
    x / (1.0 + exp(-inner))
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
fn exp(x: f32) -> f32 {
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
        fn gelu_is_close(x in -30f32..30.0) {
            let x64 = f64::from(x);
            let want = 0.5 * x64 * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x64 + 0.044715 * x64.powi(3))).tanh());
            prop_assert!((f64::from(gelu_tanh(x)) - want).abs() < 1e-6 * want.abs().max(1.0), "{x}");
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
        assert!(exp(f32::NAN).is_nan() && gelu_tanh(f32::NAN).is_nan());
        assert!(exp(-1e30) >= 0.0 && exp(1e30).is_finite());
        assert_eq!(gelu_tanh(0.0), 0.0);
        let mut out = [0.0; 3];
        softmax(&[0.0, f32::NAN, 1.0], &mut out);
        assert!(out[0].is_nan());
    }

    #[test]
    fn norms_agree_with_the_formula() {
        let norm = RmsNorm::new(&[0.5, -0.25, 0.0], 1e-6, 2.0);
        let rows = [3.0f32, 4.0, 12.0, 0.0, 0.0, 0.0];
        let mean = (9.0 + 16.0 + 144.0) / 3.0;
        let want: Vec<f32> = [3.0 * 3.0, 4.0 * 1.5, 12.0 * 2.0]
            .iter()
            .map(|v: &f64| (v / (mean + 1e-6f64).sqrt()) as f32)
            .collect();
        let got = norm.apply(&rows);
        for (got, want) in got.iter().zip(want.iter().chain(&[0.0; 3])) {
            assert!((got - want).abs() < 1e-6, "{got} {want}");
        }
        let mut states = rows;
        norm.add_to(&mut states, &rows);
        assert!((states[2] - 12.0 - want[2]).abs() < 1e-5);
        states = rows;
        norm.apply_in_place(&mut states);
        assert_eq!(states.to_vec(), got);
    }
}
