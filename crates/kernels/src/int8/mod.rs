//! Products of activations in unsigned with weights in signed 8 bits, summed in 32 bits: exact, whatever they run on,
//! for as many inputs as an [`Int8Matrix`] may have.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod plain;

use std::ops::Range;

use crate::activations::{Activations, Rows};
use crate::finish::Finish;
use crate::isa::{Isa, Kind};
use crate::panels::{PANEL, TILE, for_each_tile, pack, panel_count};

/// Inputs in a step.
const STEP: usize = 4;

/// Most inputs whose products surely fit a sum: 255 * 128 * 65,536 < 2^31.
const MOST_INPUTS: usize = 1 << 16;

/// Sums of a tile's products; the rows in use are the first ones.
type Sums = [[i32; PANEL]; TILE];

/// Weights of a linear layer in 8 bits, with a scale for each output; borrowed, so that they can lie in a mapped file.
#[derive(Clone, Copy)]
pub struct Int8Matrix<'a> {
    inputs: usize,
    outputs: usize,
    /// See [`panels`](crate::panels); `panel_count * steps * 128` values.
    weights: &'a [i8],
    /// `weight = scale * number`, one an output.
    scales: &'a [f32],
    /// Sum of each output's numbers.
    sums: &'a [i32],
    /// Added to the outputs; empty for none.
    bias: &'a [f32],
}

/// Rounded weights on their way into a file or an [`Int8Matrix`].
#[derive(Clone, Debug, PartialEq)]
pub struct Int8Weights {
    /// The packed numbers.
    pub weights: Vec<i8>,
    /// One an output.
    pub scales: Vec<f32>,
    /// One an output.
    pub sums: Vec<i32>,
}

impl<'a> Int8Matrix<'a> {
    /// Number of packed weights of a layer.
    pub fn packed_len(inputs: usize, outputs: usize) -> usize {
        panel_count(outputs) * inputs.div_ceil(STEP) * STEP * PANEL
    }

    /// Looks at packed weights as a layer. `None` if a slice's length is not right: `weights` of
    /// [`packed_len`](Self::packed_len), `scales` and `sums` of `outputs`, `bias` of `outputs` or empty; or if there are
    /// more than 65,536 inputs, whose products might not fit the sums.
    pub fn new(
        inputs: usize,
        outputs: usize,
        weights: &'a [i8],
        scales: &'a [f32],
        sums: &'a [i32],
        bias: &'a [f32],
    ) -> Option<Self> {
        let fits = inputs <= MOST_INPUTS
            && weights.len() == Self::packed_len(inputs, outputs)
            && scales.len() == outputs
            && sums.len() == outputs
            && (bias.len() == outputs || bias.is_empty());
        fits.then_some(Self { inputs, outputs, weights, scales, sums, bias })
    }

    /// Rounds rows of weights, `row(output)` filling in its `inputs` values. Each output has its own scale, the greatest
    /// weight becoming 127; halves are rounded to even.
    pub fn round(inputs: usize, outputs: usize, mut row: impl FnMut(usize, &mut [f32])) -> Int8Weights {
        let (mut scales, mut sums) = (Vec::with_capacity(outputs), Vec::with_capacity(outputs));
        let mut values = vec![0f32; inputs];
        let weights = pack(inputs, outputs, STEP, |output, numbers: &mut [i8]| {
            row(output, &mut values);
            scales.push(round_row(&values, numbers));
            sums.push(numbers.iter().map(|number| i32::from(*number)).sum());
        });
        Int8Weights { weights, scales, sums }
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
        let input = unsafe { activations.bytes(rows.clone(), self.inputs) };
        // SAFETY: the caller is alone with the results.
        unsafe { run(isa, self, input, rows, panels, finish) };
    }

    #[inline(always)]
    fn panel(&self, panel: usize) -> &'a [i8] {
        let length = self.inputs.div_ceil(STEP) * STEP * PANEL;
        &self.weights[panel * length..(panel + 1) * length]
    }
}

/// Rounds a row of weights to `numbers` of the same length and returns the scale: `weight ≈ scale * number`. The greatest
/// becomes 127, halves are rounded to even. NaN or infinity makes the scale NaN, so that damage stays visible.
pub fn round_row(values: &[f32], numbers: &mut [i8]) -> f32 {
    let greatest = values.iter().fold(0f32, |most, value| most.max(value.abs()));
    let scale = greatest / 127.0;
    // Below, the factor would be infinite; rows as small as that are rounded to nothing.
    let factor = if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
    for (number, value) in numbers.iter_mut().zip(values) {
        *number = (value * factor).round_ties_even() as i8;
    }
    scale + values.iter().map(|value| value * 0.0).sum::<f32>()
}

/// # Safety
/// See [`Int8Matrix::multiply`].
unsafe fn run(
    isa: Isa,
    matrix: &Int8Matrix,
    input: Rows<u8>,
    rows: Range<usize>,
    panels: Range<usize>,
    finish: &impl Finish,
) {
    /// # Safety
    /// See [`Int8Matrix::multiply`]; the processor has what an [`Isa`] of AVX-512 stands for.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
    unsafe fn avx512(
        matrix: &Int8Matrix,
        input: Rows<u8>,
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
    /// # Safety
    /// See [`Int8Matrix::multiply`]; the processor has AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2(
        matrix: &Int8Matrix,
        input: Rows<u8>,
        rows: Range<usize>,
        panels: Range<usize>,
        finish: &impl Finish,
    ) {
        // SAFETY: the caller's promises.
        unsafe {
            each_tile(matrix, input, rows, panels, finish, |first, count, weights, sums| {
                avx2::multiply(input, first, count, weights, sums);
            });
        }
    }
    // SAFETY: the caller's promises, and an `Isa` is only had for what this processor has.
    unsafe {
        match isa.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 | Kind::Avx512Bf16 => avx512(matrix, input, rows, panels, finish),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => avx2(matrix, input, rows, panels, finish),
            Kind::Plain => each_tile(matrix, input, rows, panels, finish, |first, count, weights, sums| {
                plain::multiply(input, first, count, weights, sums);
            }),
        }
    }
}

/// Panels outside, tiles of rows inside: a panel stays in the first cache while all rows pass it.
///
/// # Safety
/// See [`Int8Matrix::multiply`].
#[inline(always)]
unsafe fn each_tile(
    matrix: &Int8Matrix,
    input: Rows<u8>,
    rows: Range<usize>,
    panels: Range<usize>,
    finish: &impl Finish,
    multiply: impl Fn(usize, usize, &[i8], &mut Sums),
) {
    let mut sums: Sums = [[0; PANEL]; TILE];
    let mut tile = [[0f32; PANEL]; TILE];
    for panel in panels {
        let weights = matrix.panel(panel);
        let columns = Columns::of(matrix, panel);
        for_each_tile(rows.clone(), |first, count| {
            multiply(first, count, weights, &mut sums);
            for at in 0..count {
                let (scale, zero) = (input.scales[first + at], input.zeros[first + at]);
                for lane in 0..PANEL {
                    // Wrapping, for the sums may come from a damaged file; true ones never do.
                    let sum = sums[at][lane].wrapping_sub(zero.wrapping_mul(columns.sums[lane]));
                    tile[at][lane] = sum as f32 * (scale * columns.scales[lane]) + columns.bias[lane];
                }
            }
            // SAFETY: the caller is alone with the results.
            unsafe { finish.tile(first, panel, &tile[..count]) };
        });
    }
}

/// What belongs to the outputs of one panel, filled up with zeros.
struct Columns {
    scales: [f32; PANEL],
    sums: [i32; PANEL],
    bias: [f32; PANEL],
}

impl Columns {
    #[inline(always)]
    fn of(matrix: &Int8Matrix, panel: usize) -> Self {
        let mut new = Self { scales: [0.0; PANEL], sums: [0; PANEL], bias: [0.0; PANEL] };
        let range = panel * PANEL..((panel + 1) * PANEL).min(matrix.outputs);
        new.scales[..range.len()].copy_from_slice(&matrix.scales[range.clone()]);
        new.sums[..range.len()].copy_from_slice(&matrix.sums[range.clone()]);
        if !matrix.bias.is_empty() {
            new.bias[..range.len()].copy_from_slice(&matrix.bias[range]);
        }
        new
    }
}
