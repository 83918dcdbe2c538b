//! Products of activations in unsigned with weights in signed 8 bits.
//!
//! Inputs are cut into groups of [`GROUP`], and on both sides a group has its own scale: a value that is large among its
//! neighbours then costs only those their precision. Within a group products are summed in 32 bits, exactly; the groups'
//! sums are added up in f32, in order, so that the result is the same on every processor.

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

/// Inputs that share a scale. All sums of a group are whole numbers below 2^24, hence exact in f32: 255 * 128 * 128 for the
/// products, as much for the zero's part.
pub const GROUP: usize = 128;

/// Groups of a layer of `inputs`; the last one may be shorter.
pub fn group_count(inputs: usize) -> usize {
    inputs.div_ceil(GROUP)
}

/// Sums of a tile's products in one group; the rows in use are the first ones.
type Sums = [[i32; PANEL]; TILE];

/// Products of a tile; the rows in use are the first ones.
type Tile = [[f32; PANEL]; TILE];

/// The weights of 32 outputs.
#[derive(Clone, Copy)]
struct Panel<'a> {
    weights: &'a [i8],
    /// Both one entry a group.
    scales: &'a [[f32; PANEL]],
    sums: &'a [[f32; PANEL]],
}

/// Weights of a linear layer in 8 bits, with a scale for each output; borrowed, so that they can lie in a mapped file.
#[derive(Clone, Copy)]
pub struct Int8Matrix<'a> {
    inputs: usize,
    outputs: usize,
    /// See [`panels`](crate::panels); `panel_count * steps * 128` values.
    weights: &'a [i8],
    /// `weight = scale * number`: for every panel and group one an output.
    scales: &'a [f32],
    /// Sum of the numbers, laid out like the scales.
    sums: &'a [f32],
    /// Added to the outputs; empty for none.
    bias: &'a [f32],
}

/// Rounded weights on their way into a file or an [`Int8Matrix`].
#[derive(Clone, Debug, PartialEq)]
pub struct Int8Weights {
    /// The packed numbers.
    pub weights: Vec<i8>,
    /// `[panels, groups, 32]`.
    pub scales: Vec<f32>,
    /// `[panels, groups, 32]`, whole numbers.
    pub sums: Vec<f32>,
}

impl<'a> Int8Matrix<'a> {
    /// Number of packed weights of a layer.
    pub fn packed_len(inputs: usize, outputs: usize) -> usize {
        panel_count(outputs) * inputs.div_ceil(STEP) * STEP * PANEL
    }

    /// Number of scales, and of sums, of a layer.
    pub fn scales_len(inputs: usize, outputs: usize) -> usize {
        panel_count(outputs) * group_count(inputs) * PANEL
    }

    /// Looks at packed weights as a layer. `None` if a slice's length is not right: `weights` of
    /// [`packed_len`](Self::packed_len), `scales` and `sums` of [`scales_len`](Self::scales_len), `bias` of `outputs` or
    /// empty.
    pub fn new(
        inputs: usize,
        outputs: usize,
        weights: &'a [i8],
        scales: &'a [f32],
        sums: &'a [f32],
        bias: &'a [f32],
    ) -> Option<Self> {
        let fits = weights.len() == Self::packed_len(inputs, outputs)
            && scales.len() == Self::scales_len(inputs, outputs)
            && sums.len() == scales.len()
            && (bias.len() == outputs || bias.is_empty());
        fits.then_some(Self { inputs, outputs, weights, scales, sums, bias })
    }

    /// Rounds rows of weights, `row(output)` filling in its `inputs` values. Each group of an output has its own scale, the
    /// greatest weight becoming 127; halves are rounded to even.
    pub fn round(inputs: usize, outputs: usize, mut row: impl FnMut(usize, &mut [f32])) -> Int8Weights {
        let length = Self::scales_len(inputs, outputs);
        let (mut scales, mut sums) = (vec![0f32; length], vec![0f32; length]);
        let mut values = vec![0f32; inputs];
        let weights = pack(inputs, outputs, STEP, |output, numbers: &mut [i8]| {
            row(output, &mut values);
            for (group, (values, numbers)) in values.chunks(GROUP).zip(numbers.chunks_mut(GROUP)).enumerate()
            {
                let place = (output / PANEL * group_count(inputs) + group) * PANEL + output % PANEL;
                scales[place] = round_row(values, numbers);
                sums[place] = numbers.iter().map(|number| f32::from(*number)).sum();
            }
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
    fn panel(&self, panel: usize) -> Panel<'a> {
        let length = self.inputs.div_ceil(STEP) * STEP * PANEL;
        let groups = group_count(self.inputs) * PANEL;
        let groups = panel * groups..(panel + 1) * groups;
        Panel {
            weights: &self.weights[panel * length..(panel + 1) * length],
            scales: self.scales[groups.clone()].as_chunks().0,
            sums: self.sums[groups].as_chunks().0,
        }
    }

    /// What is added to the outputs of a panel, filled up with zeros.
    #[inline(always)]
    fn panel_bias(&self, panel: usize) -> Option<[f32; PANEL]> {
        let range = panel * PANEL..((panel + 1) * PANEL).min(self.outputs);
        let bias = self.bias.get(range)?;
        let mut filled = [0f32; PANEL];
        filled[..bias.len()].copy_from_slice(bias);
        Some(filled)
    }
}

/// Rounds weights that share a scale to `numbers` of the same length and returns the scale: `weight ≈ scale * number`. The greatest
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
            each_tile(matrix, rows, panels, finish, |first, count, panel, tile| {
                avx512::TILES[count - 1](input, first, panel, tile);
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
            each_tile(matrix, rows, panels, finish, |first, count, panel, tile| {
                by_groups(input, (first, count), panel, tile, |column, weights, sums| {
                    avx2::multiply(input, (first, count), column, weights, sums);
                });
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
            Kind::Plain => each_tile(matrix, rows, panels, finish, |first, count, panel, tile| {
                by_groups(input, (first, count), panel, tile, |column, weights, sums| {
                    plain::multiply(input, (first, count), column, weights, sums);
                });
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
    rows: Range<usize>,
    panels: Range<usize>,
    finish: &impl Finish,
    multiply: impl Fn(usize, usize, Panel, &mut Tile),
) {
    let mut tile: Tile = [[0.0; PANEL]; TILE];
    for panel in panels {
        let (weights, bias) = (matrix.panel(panel), matrix.panel_bias(panel));
        for_each_tile(rows.clone(), |first, count| {
            multiply(first, count, weights, &mut tile);
            if let Some(bias) = &bias {
                for values in &mut tile[..count] {
                    values.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
                }
            }
            // SAFETY: the caller is alone with the results.
            unsafe { finish.tile(first, panel, &tile[..count]) };
        });
    }
}

/// A tile of `count` rows from `first` on, `multiply` giving the sums of the inputs from a column on.
#[inline(always)]
fn by_groups(
    input: Rows<u8>,
    (first, count): (usize, usize),
    panel: Panel,
    tile: &mut Tile,
    multiply: impl Fn(usize, &[i8], &mut Sums),
) {
    let mut sums: Sums = [[0; PANEL]; TILE];
    let groups = panel.scales.len();
    tile[..count].fill([0.0; PANEL]);
    for (group, weights) in panel.weights.chunks(GROUP * PANEL).enumerate() {
        multiply(group * GROUP, weights, &mut sums);
        let (column_scales, column_sums) = (&panel.scales[group], &panel.sums[group]);
        for (at, (sums, tile)) in sums.iter().zip(tile[..count].iter_mut()).enumerate() {
            let place = (first + at) * groups + group;
            let (scale, zero) = (input.scales[place], input.zeros[place]);
            for lane in 0..PANEL {
                let sum = sums[lane] as f32 - zero * column_sums[lane];
                tile[lane] += sum * (scale * column_scales[lane]);
            }
        }
    }
}
