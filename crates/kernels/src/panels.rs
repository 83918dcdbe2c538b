//! The layout of packed weights.
//!
//! A linear layer of `k` inputs and `n` outputs is cut into panels of 32 outputs. A panel holds, for every step along
//! the inputs, the weights of its 32 outputs side by side: 4 inputs a step in 8 bits, 2 in bf16, so 128 bytes either way.
//! That is what one step of the multiplication loads: two vectors of AVX-512, four of AVX2. Inputs are filled up with
//! zeros to a whole step, outputs to a whole panel.

/// Outputs in a panel.
pub const PANEL: usize = 32;

/// Most rows of activations that are multiplied at once.
pub(crate) const TILE: usize = 12;

/// Panels of a layer of `outputs`.
pub fn panel_count(outputs: usize) -> usize {
    outputs.div_ceil(PANEL)
}

/// Cuts `rows` into tiles of at most [`TILE`] rows, as equal as possible.
#[inline(always)]
pub(crate) fn for_each_tile(rows: std::ops::Range<usize>, mut visit: impl FnMut(usize, usize)) {
    let count = rows.len();
    let tiles = count.div_ceil(TILE);
    for tile in 0..tiles {
        let (from, to) = (count * tile / tiles, count * (tile + 1) / tiles);
        visit(rows.start + from, to - from);
    }
}

/// Packs rows of weights, `row(output)` giving `inputs` values each: `per_step` inputs of an output lie together.
pub(crate) fn pack<T: Copy + Default>(
    inputs: usize,
    outputs: usize,
    per_step: usize,
    mut row: impl FnMut(usize, &mut [T]),
) -> Vec<T> {
    let steps = inputs.div_ceil(per_step);
    let mut packed = vec![T::default(); panel_count(outputs) * steps * per_step * PANEL];
    let mut values = vec![T::default(); inputs];
    for output in 0..outputs {
        row(output, &mut values);
        let (panel, lane) = (output / PANEL, output % PANEL);
        let panel = &mut packed[panel * steps * per_step * PANEL..][..steps * per_step * PANEL];
        for (step, group) in values.chunks(per_step).enumerate() {
            panel[(step * PANEL + lane) * per_step..][..group.len()].copy_from_slice(group);
        }
    }
    packed
}
