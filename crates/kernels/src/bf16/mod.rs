//! Products of activations and weights in bf16, summed in f32.

#[cfg(target_arch = "x86_64")]
mod avx512;

use std::ops::Range;

use half::bf16;

use crate::activations::{Activations, Rows};
use crate::finish::Finish;
use crate::isa::{Isa, Kind, for_each_isa};
use crate::panels::{PANEL, TILE, for_each_tile, pack, panel_count};

/// Inputs in a step.
const STEP: usize = 2;

/// Sums of a tile's products; the rows in use are the first ones.
type Sums = [[f32; PANEL]; TILE];

/// Weights of a linear layer in bf16; borrowed, so that they can lie in a mapped file.
#[derive(Clone, Copy)]
pub struct Bf16Matrix<'a> {
    inputs: usize,
    outputs: usize,
    /// Bits of bf16 values; see [`panels`](crate::panels).
    weights: &'a [u16],
    /// Added to the outputs; empty for none.
    bias: &'a [f32],
}

impl<'a> Bf16Matrix<'a> {
    /// Number of packed weights of a layer.
    pub fn packed_len(inputs: usize, outputs: usize) -> usize {
        panel_count(outputs) * inputs.div_ceil(STEP) * STEP * PANEL
    }

    /// Looks at packed weights as a layer. `None` if a slice's length is not right: `weights` of
    /// [`packed_len`](Self::packed_len), `bias` of `outputs` or empty.
    pub fn new(inputs: usize, outputs: usize, weights: &'a [u16], bias: &'a [f32]) -> Option<Self> {
        let fits =
            weights.len() == Self::packed_len(inputs, outputs) && (bias.len() == outputs || bias.is_empty());
        fits.then_some(Self { inputs, outputs, weights, bias })
    }

    /// Rounds rows of weights, `row(output)` filling in its `inputs` values.
    pub fn round(inputs: usize, outputs: usize, mut row: impl FnMut(usize, &mut [f32])) -> Vec<u16> {
        let mut values = vec![0f32; inputs];
        pack(inputs, outputs, STEP, |output, bits: &mut [u16]| {
            row(output, &mut values);
            for (bits, value) in bits.iter_mut().zip(&values) {
                *bits = bf16::from_f32(*value).to_bits();
            }
        })
    }

    /// Outputs of the layer.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Multiplies `rows` of the activations with the outputs of `panels` and gives the tiles to `finish`.
    ///
    /// # Safety
    /// While this runs nobody may write to the activations, and nobody else may touch what `finish` writes for these
    /// rows and panels.
    ///
    /// # Panics
    /// If the activations hold fewer rows, or `panels` exceeds the layer.
    pub unsafe fn multiply(
        &self,
        isa: Isa,
        activations: &Activations,
        rows: Range<usize>,
        panels: Range<usize>,
        finish: &impl Finish,
    ) {
        assert!(panels.end <= panel_count(self.outputs), "panels beyond the layer");
        // SAFETY: the caller keeps writers away.
        let input = unsafe { activations.halves(rows.clone(), self.inputs) };
        // SAFETY: the caller is alone with the results.
        unsafe { run(isa, self, input, rows, panels, finish) };
    }

    #[inline(always)]
    fn panel(&self, panel: usize) -> &'a [u16] {
        let length = self.inputs.div_ceil(STEP) * STEP * PANEL;
        &self.weights[panel * length..(panel + 1) * length]
    }
}

/// # Safety
/// See [`Bf16Matrix::multiply`].
unsafe fn run(
    isa: Isa,
    matrix: &Bf16Matrix,
    input: Rows<u16>,
    rows: Range<usize>,
    panels: Range<usize>,
    finish: &impl Finish,
) {
    /// # Safety
    /// See [`Bf16Matrix::multiply`]; the processor has what an [`Isa`] of AVX-512 with bf16 stands for.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma")]
    unsafe fn avx512(
        matrix: &Bf16Matrix,
        input: Rows<u16>,
        rows: Range<usize>,
        panels: Range<usize>,
        finish: &impl Finish,
    ) {
        // SAFETY: the caller's promises.
        unsafe {
            each_tile(matrix, input, rows, panels, finish, |first, count, weights, sums| {
                avx512::TILES[count - 1](input, first, weights, sums);
            });
        }
    }
    // SAFETY: the caller's promises, and an `Isa` is only had for what this processor has.
    unsafe {
        match isa.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Bf16 => avx512(matrix, input, rows, panels, finish),
            _ => each_tile(matrix, input, rows, panels, finish, |first, count, weights, sums| {
                widened(isa, input, first, count, weights, sums);
            }),
        }
    }
}

for_each_isa! {
    /// Sums of the products of `count` rows from `first` on with one panel, in f32 arithmetic.
    fn widened(input: Rows<'_, u16>, first: usize, count: usize, weights: &[u16], sums: &mut Sums) {
        let length = weights.len() / PANEL;
        let wide = |bits: u16| f32::from_bits(u32::from(bits) << 16);
        for (at, sums) in sums.iter_mut().take(count).enumerate() {
            let row = &input.values[(first + at) * input.stride..][..length];
            let mut total = [0f32; PANEL];
            for (step, values) in weights.chunks_exact(STEP * PANEL).zip(row.as_chunks::<STEP>().0) {
                let (one, two) = (wide(values[0]), wide(values[1]));
                for (sum, pair) in total.iter_mut().zip(step.as_chunks::<STEP>().0) {
                    *sum += one * wide(pair[0]);
                    *sum += two * wide(pair[1]);
                }
            }
            *sums = total;
        }
    }
}

/// Panels outside, tiles of rows inside: a panel stays in the first cache while all rows pass it.
///
/// # Safety
/// See [`Bf16Matrix::multiply`].
#[inline(always)]
unsafe fn each_tile(
    matrix: &Bf16Matrix,
    input: Rows<u16>,
    rows: Range<usize>,
    panels: Range<usize>,
    finish: &impl Finish,
    multiply: impl Fn(usize, usize, &[u16], &mut Sums),
) {
    debug_assert!(input.scales.is_empty() && input.zeros.is_empty());
    let mut sums: Sums = [[0.0; PANEL]; TILE];
    for panel in panels {
        let weights = matrix.panel(panel);
        let mut bias = [0f32; PANEL];
        if !matrix.bias.is_empty() {
            let range = panel * PANEL..((panel + 1) * PANEL).min(matrix.outputs);
            bias[..range.len()].copy_from_slice(&matrix.bias[range]);
        }
        for_each_tile(rows.clone(), |first, count| {
            multiply(first, count, weights, &mut sums);
            for sums in &mut sums[..count] {
                for (sum, bias) in sums.iter_mut().zip(&bias) {
                    *sum += bias;
                }
            }
            // SAFETY: the caller is alone with the results.
            unsafe { finish.tile(first, panel, &sums[..count]) };
        });
    }
}
