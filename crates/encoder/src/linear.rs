use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Result, Storage, Tensor};

use crate::ModelError;
use crate::blocks::for_each_block;
use crate::weights::Weights;

/// A product with a weight matrix, `y = x Wᵀ + b`; the one place where token states meet weights.
pub(crate) struct Linear {
    /// `[inputs, outputs]`, contiguous. Files hold `[outputs, inputs]`; with AVX-512 kernels products of few rows, as
    /// queries are, run more than twice as fast on the transposed copy, which need not be packed. With AVX2 the two
    /// are about equal.
    weight: Tensor,
    bias: Option<Bias>,
    inputs: usize,
}

impl Linear {
    /// Loads layers by name and outputs, one under the other, so that one product serves all: of each the tensor
    /// `NAME.weight`, `[outputs, inputs]`, and if `biased` also `NAME.bias`.
    pub(crate) fn load(
        weights: &Weights,
        parts: &[(String, usize)],
        inputs: usize,
        biased: bool,
    ) -> std::result::Result<Self, ModelError> {
        let outputs: usize = parts.iter().map(|(_, outputs)| outputs).sum();
        let mut transposed = vec![0.0; inputs * outputs];
        let mut part = Vec::new();
        let mut bias = Vec::new();
        let mut first = 0;
        for (name, rows) in parts {
            part.clear();
            weights.append(&format!("{name}.weight"), &[*rows, inputs], &mut part)?;
            transpose_into(&part, inputs, &mut transposed, outputs, first);
            if biased {
                weights.append(&format!("{name}.bias"), &[*rows], &mut bias)?;
            }
            first += rows;
        }
        let weight = Tensor::from_vec(transposed, (inputs, outputs), &Device::Cpu)?;
        Ok(Self { weight, bias: biased.then_some(Bias(bias)), inputs })
    }

    /// `[rows, inputs]` in, `[rows, outputs]` out.
    pub(crate) fn apply(&self, rows: Vec<f32>) -> Result<Values> {
        let count = rows.len() / self.inputs;
        let product = Tensor::from_vec(rows, (count, self.inputs), &Device::Cpu)?.matmul(&self.weight)?;
        if let Some(bias) = &self.bias {
            product.inplace_op1(bias)?;
        }
        Values::new(product)
    }
}

/// Added to every row of a product where it lies, instead of making a second tensor.
struct Bias(Vec<f32>);

impl InplaceOp1 for Bias {
    fn name(&self) -> &'static str {
        "bias"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(values), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
            candle_core::bail!("a product is not f32 in one piece");
        };
        for_each_block(&mut values[start..end], self.0.len(), |_, block| {
            for row in block.chunks_exact_mut(self.0.len()) {
                row.iter_mut().zip(&self.0).for_each(|(value, bias)| *value += bias);
            }
        });
        Ok(())
    }
}

/// The values of a product, read in place.
pub(crate) struct Values(Tensor);

impl Values {
    /// Of a contiguous tensor.
    pub(crate) fn new(tensor: Tensor) -> Result<Self> {
        Ok(Self(tensor.contiguous()?))
    }

    /// Gives `read` the values, row after row.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&[f32]) -> R) -> Result<R> {
        let (storage, layout) = self.0.storage_and_layout();
        match (&*storage, layout.contiguous_offsets()) {
            (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => Ok(read(&values[start..end])),
            _ => candle_core::bail!("a product is not f32 in main memory"),
        }
    }
}

/// Writes the rows of `rows` (each `width` long) as columns `first..` of `out`, whose rows are `out_width` long.
fn transpose_into(rows: &[f32], width: usize, out: &mut [f32], out_width: usize, first: usize) {
    // Squares small enough that a row of each, and a column, stay in the cache.
    const SQUARE: usize = 32;
    let count = rows.len() / width;
    for row in (0..count).step_by(SQUARE) {
        let rows_here = row..(row + SQUARE).min(count);
        for column in (0..width).step_by(SQUARE) {
            for column in column..(column + SQUARE).min(width) {
                let out = &mut out[column * out_width + first..];
                for row in rows_here.clone() {
                    out[row] = rows[row * width + column];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bias_is_added_to_every_row() {
        let product = Tensor::from_vec((0..70).map(|at| at as f32).collect(), (35, 2), &Device::Cpu).unwrap();
        product.inplace_op1(&Bias(vec![1.0, -1.0])).unwrap();
        let got = Values::new(product).unwrap().read(<[f32]>::to_vec).unwrap();
        assert!(got.iter().enumerate().all(|(at, value)| *value == (at + 1 - at % 2 * 2) as f32), "{got:?}");
    }

    #[test]
    fn parts_are_transposed_side_by_side() {
        let (width, counts) = (70, [45, 3]);
        let total = 48;
        let mut out = vec![0.0; width * total];
        let mut first = 0;
        for count in counts {
            let rows: Vec<f32> = (0..count * width).map(|at| (first * width + at) as f32).collect();
            transpose_into(&rows, width, &mut out, total, first);
            first += count;
        }
        for (at, value) in out.iter().enumerate() {
            assert_eq!(*value, (at % total * width + at / total) as f32);
        }
    }
}
