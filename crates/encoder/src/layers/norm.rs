use xunpin_kernels::{Isa, vector};

use crate::blocks::for_each_block;

/// RMS norm: `x / sqrt(mean(x²) + eps) * weight`.
#[derive(Clone, Debug)]
pub(crate) struct RmsNorm {
    weight: Vec<f32>,
    eps: f32,
}

impl RmsNorm {
    pub(crate) fn new(weight: Vec<f32>, eps: f64) -> Self {
        Self { weight, eps: eps as f32 }
    }

    /// Norm of one row into `out`.
    pub(crate) fn apply_row(&self, row: &[f32], out: &mut [f32]) {
        vector::rms_norm(Isa::detect(), row, &self.weight, self.eps, out);
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
                vector::add_rms_norm(Isa::detect(), row, &self.weight, self.eps, out);
            }
        });
    }
}

/// Layer norm: `(x - mean(x)) / sqrt(var(x) + eps) * weight + bias`, with the variance of all values.
#[derive(Clone, Debug)]
pub(crate) struct LayerNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    eps: f32,
}

impl LayerNorm {
    /// `weight` and `bias` are of one length.
    pub(crate) fn new(weight: Vec<f32>, bias: Vec<f32>, eps: f64) -> Self {
        Self { weight, bias, eps: eps as f32 }
    }

    /// Norm of one row into `out`.
    pub(crate) fn apply_row(&self, row: &[f32], out: &mut [f32]) {
        vector::layer_norm(Isa::detect(), row, &self.weight, &self.bias, self.eps, out);
    }

    /// `states = norm(states + branch)`: the end of a residual branch where norms come last.
    pub(crate) fn add_and_apply(&self, states: &mut [f32], branch: &[f32]) {
        let width = self.weight.len();
        for_each_block(states, width, |first, block| {
            let rows = branch[first * width..].chunks_exact(width);
            let mut sum = vec![0.0; width];
            for (row, branch) in block.chunks_exact_mut(width).zip(rows) {
                sum.copy_from_slice(row);
                vector::add(Isa::detect(), branch, &mut sum);
                self.apply_row(&sum, row);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rms_norm_agrees_with_the_formula() {
        let norm = RmsNorm::new(vec![3.0, 1.5, 2.0], 1e-6);
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
    }

    #[test]
    fn layer_norm_agrees_with_the_formula() {
        // More values than one lane's worth, around a mean that is large beside their spread.
        let width = 37;
        let value = |at: usize| 100.0 + (at * 31 % 17) as f32 * 0.125;
        let weight: Vec<f32> = (0..width).map(|at| 0.5 + at as f32 / 64.0).collect();
        let bias: Vec<f32> = (0..width).map(|at| at as f32 / 16.0 - 1.0).collect();
        let norm = LayerNorm::new(weight.clone(), bias.clone(), 1e-12);
        let mut states: Vec<f32> = (0..3 * width).map(value).collect();
        let branch: Vec<f32> = (0..3 * width).map(|at| (at % 5) as f32 - 2.0).collect();
        let sums: Vec<f64> = states.iter().zip(&branch).map(|(a, b)| f64::from(a + b)).collect();
        norm.add_and_apply(&mut states, &branch);
        for (got, row) in states.chunks_exact(width).zip(sums.chunks_exact(width)) {
            let mean = row.iter().sum::<f64>() / width as f64;
            let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / width as f64;
            for at in 0..width {
                let want = (row[at] - mean) / variance.sqrt() * f64::from(weight[at]) + f64::from(bias[at]);
                assert!((f64::from(got[at]) - want).abs() < 1e-4, "{} {want}", got[at]);
            }
        }
    }
}
