use crate::gate::Gate;
use crate::panels::PANEL;
use crate::shared::Shared;

/// What becomes of a tile of products while it is still in the cache.
pub trait Finish: Sync {
    /// Takes the products of rows `row..row + tile.len()` with the outputs of `panel`. Called once for each pair. Must be
    /// `#[inline(always)]` to be compiled for the instructions that the product runs on.
    ///
    /// # Safety
    /// While this runs nobody else may read or write the results of these rows and this panel.
    unsafe fn tile(&self, row: usize, panel: usize, tile: &[[f32; PANEL]]);
}

/// Writes `gate(products)` to rows of `outputs` values.
pub struct Store<'a> {
    /// `[rows, outputs]`.
    pub out: &'a Shared<f32>,
    /// Values in a row.
    pub outputs: usize,
    /// Function on every value.
    pub gate: Gate,
}

impl Finish for Store<'_> {
    #[inline(always)]
    unsafe fn tile(&self, row: usize, panel: usize, tile: &[[f32; PANEL]]) {
        let first = panel * PANEL;
        let count = PANEL.min(self.outputs - first);
        // Asked once, outside: asked for every row, both copies would become one call with a length.
        if count == PANEL {
            // SAFETY: the caller's promise.
            unsafe { self.rows(row, first, tile, |values, out| out.copy_from_slice(values), PANEL) };
        } else {
            // SAFETY: the caller's promise.
            unsafe {
                self.rows(row, first, tile, |values, out| out.copy_from_slice(&values[..out.len()]), count)
            };
        }
    }
}

impl Store<'_> {
    /// # Safety
    /// See [`Finish::tile`].
    #[inline(always)]
    unsafe fn rows(
        &self,
        row: usize,
        first: usize,
        tile: &[[f32; PANEL]],
        copy: impl Fn(&[f32; PANEL], &mut [f32]),
        count: usize,
    ) {
        for (at, values) in tile.iter().enumerate() {
            let start = (row + at) * self.outputs + first;
            let mut values = *values;
            self.gate.apply(&mut values);
            // SAFETY: the caller is alone with these results.
            copy(&values, unsafe { self.out.part_mut(start..start + count) });
        }
    }
}

/// Writes `gate(a) * b` where a panel holds 16 outputs `a`, then the 16 outputs `b` that belong to them.
pub struct Gated<'a> {
    /// `[rows, outputs]`, `outputs` being half of the layer's.
    pub out: &'a Shared<f32>,
    /// Values in a row.
    pub outputs: usize,
    /// Function on the first of each pair.
    pub gate: Gate,
}

impl Gated<'_> {
    /// The place, in a layer of gates and ups of `width` each, of the output that was `from` when all gates lay before
    /// all ups. `width` is a multiple of 16, `from` below twice that.
    pub fn place(from: usize, width: usize) -> usize {
        const HALF: usize = PANEL / 2;
        let (at, shift) = if from < width { (from, 0) } else { (from - width, HALF) };
        at / HALF * PANEL + shift + at % HALF
    }
}

impl Finish for Gated<'_> {
    #[inline(always)]
    unsafe fn tile(&self, row: usize, panel: usize, tile: &[[f32; PANEL]]) {
        const HALF: usize = PANEL / 2;
        for (at, values) in tile.iter().enumerate() {
            let mut gates = [0f32; HALF];
            gates.copy_from_slice(&values[..HALF]);
            self.gate.apply(&mut gates);
            for (gate, up) in gates.iter_mut().zip(&values[HALF..]) {
                *gate *= up;
            }
            let start = (row + at) * self.outputs + panel * HALF;
            // SAFETY: the caller is alone with these results.
            let out = unsafe { self.out.part_mut(start..start + HALF) };
            out.copy_from_slice(&gates);
        }
    }
}
