use half::bf16;
use xunpin_kernels::{Isa, Precision, round_row, vector};

use super::format::{Contents, Span, Writer};
use crate::ModelError;

/// Rows of rounded values in a mapped file: the token embeddings, of which a text needs a few.
pub(crate) struct RowTable {
    width: usize,
    rows: Rows,
}

enum Rows {
    /// Numbers, and a scale a row.
    Int8 {
        numbers: Span<i8>,
        scales: Span<f32>,
    },
    Bf16(Span<u16>),
}

impl RowTable {
    /// Writes the sections of table `name`; `row(at, out)` gives the rows' values.
    pub(crate) fn write(
        writer: &mut Writer,
        name: &str,
        precision: Precision,
        (rows, width): (usize, usize),
        row: impl Fn(usize, &mut [f32]),
    ) -> Result<(), ModelError> {
        let mut values = vec![0f32; width];
        if precision == Precision::Bf16 {
            let mut halves = Vec::with_capacity(rows * width);
            for at in 0..rows {
                row(at, &mut values);
                halves.extend(values.iter().map(|value| bf16::from_f32(*value).to_bits()));
            }
            return writer.add(&format!("{name}.bf16"), &halves);
        }
        let (mut numbers, mut scales) = (Vec::with_capacity(rows * width), Vec::with_capacity(rows));
        for at in 0..rows {
            row(at, &mut values);
            let start = numbers.len();
            numbers.resize(start + width, 0);
            scales.push(round_row(&values, &mut numbers[start..]));
        }
        writer.add(&format!("{name}.int8"), &numbers)?;
        writer.add(&format!("{name}.scales"), &scales)
    }

    /// Finds the sections of table `name`.
    pub(crate) fn read(
        contents: &Contents,
        name: &str,
        rows: usize,
        width: usize,
    ) -> Result<Self, ModelError> {
        let halves = format!("{name}.bf16");
        let rows = if contents.contains(&halves) {
            Rows::Bf16(contents.span(&halves, rows * width)?)
        } else {
            Rows::Int8 {
                numbers: contents.span(&format!("{name}.int8"), rows * width)?,
                scales: contents.span(&format!("{name}.scales"), rows)?,
            }
        };
        Ok(Self { width, rows })
    }

    /// Writes row `at` to `out`, of the table's width.
    ///
    /// # Panics
    /// If there is no such row.
    pub(crate) fn copy_row(&self, isa: Isa, at: usize, out: &mut [f32]) {
        let range = at * self.width..(at + 1) * self.width;
        match &self.rows {
            Rows::Int8 { numbers, scales } => {
                vector::scale_i8(isa, &numbers.get()[range], scales.get()[at], out);
            }
            Rows::Bf16(halves) => {
                for (out, bits) in out.iter_mut().zip(&halves.get()[range]) {
                    *out = bf16::from_bits(*bits).to_f32();
                }
            }
        }
    }
}
