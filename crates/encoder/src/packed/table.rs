use half::bf16;

use super::format::{Contents, Span, Writer};
use crate::ModelError;

/// The token embeddings in a mapped file, of which a text needs a few rows. In bf16 whatever the precision: what is lost
/// here goes through every layer, and costs as much as half of them in 8 bits.
pub(crate) struct RowTable {
    width: usize,
    /// Bits of bf16 values, row after row.
    rows: Span<u16>,
}

impl RowTable {
    /// Writes table `name`; `row(at, out)` gives the rows' values.
    pub(crate) fn write(
        writer: &mut Writer,
        name: &str,
        (rows, width): (usize, usize),
        row: impl Fn(usize, &mut [f32]),
    ) -> Result<(), ModelError> {
        let mut values = vec![0f32; width];
        let mut bits = Vec::with_capacity(rows * width);
        for at in 0..rows {
            row(at, &mut values);
            bits.extend(values.iter().map(|value| bf16::from_f32(*value).to_bits()));
        }
        writer.add(name, &bits)
    }

    /// Finds table `name`.
    pub(crate) fn read(
        contents: &Contents,
        name: &str,
        rows: usize,
        width: usize,
    ) -> Result<Self, ModelError> {
        Ok(Self { width, rows: contents.span(name, rows * width)? })
    }

    /// Writes row `at` to `out`, of the table's width.
    ///
    /// # Panics
    /// If there is no such row.
    pub(crate) fn copy_row(&self, at: usize, out: &mut [f32]) {
        let range = at * self.width..(at + 1) * self.width;
        for (out, bits) in out.iter_mut().zip(&self.rows.get()[range]) {
            *out = bf16::from_bits(*bits).to_f32();
        }
    }
}
