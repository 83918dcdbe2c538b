use std::ops::Range;

use crate::Isa;
use crate::int8::group_count;
use crate::shared::Shared;
use crate::vector::{round_to_bf16, round_to_u8};

/// Number format of weights and of the activations they are multiplied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precision {
    /// Both in 8 bits, with scales for groups of inputs: see [`Int8Matrix`](crate::Int8Matrix).
    Int8,
    /// Both in bf16, sums in f32.
    Bf16,
}

/// Rows of activations, rounded to the format that they are multiplied in.
pub struct Activations {
    precision: Precision,
    bytes: Shared<u8>,
    halves: Shared<u16>,
    scales: Shared<f32>,
    zeros: Shared<f32>,
}

/// The rows of [`Activations`], as a kernel reads them.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    pub(crate) values: &'a [T],
    /// Values from one row to the next.
    pub(crate) stride: usize,
    /// `value = scale * (number - zero)`, for every row one a group; empty for bf16.
    pub(crate) scales: &'a [f32],
    /// Whole numbers.
    pub(crate) zeros: &'a [f32],
}

impl Activations {
    /// Room for `rows` rows of at most `width` values.
    pub fn new(precision: Precision, rows: usize, width: usize) -> Self {
        let mut new = Self {
            precision,
            bytes: Shared::new(0),
            halves: Shared::new(0),
            scales: Shared::new(0),
            zeros: Shared::new(0),
        };
        new.reserve(rows, width);
        new
    }

    /// Makes room for `rows` rows of at most `width` values; what was in it may be lost.
    pub fn reserve(&mut self, rows: usize, width: usize) {
        let values = rows * stride(width);
        match self.precision {
            Precision::Int8 => {
                self.bytes.reserve(values);
                let groups = rows * group_count(width);
                self.scales.reserve(groups);
                self.zeros.reserve(groups);
            }
            Precision::Bf16 => self.halves.reserve(values),
        }
    }

    /// The format.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Rounds `values` into row `row`. All rows of a product have the same length.
    ///
    /// # Safety
    /// While this runs nobody else may read or write the row.
    ///
    /// # Panics
    /// If there is no room for the row.
    #[inline]
    pub unsafe fn set_row(&self, isa: Isa, row: usize, values: &[f32]) {
        let stride = stride(values.len());
        let range = row * stride..(row + 1) * stride;
        // SAFETY: the caller is alone with the row.
        unsafe {
            match self.precision {
                Precision::Int8 => {
                    let groups = group_count(values.len());
                    let groups = row * groups..(row + 1) * groups;
                    round_to_u8(
                        isa,
                        values,
                        self.bytes.part_mut(range),
                        self.scales.part_mut(groups.clone()),
                        self.zeros.part_mut(groups),
                    );
                }
                Precision::Bf16 => round_to_bf16(isa, values, self.halves.part_mut(range)),
            }
        }
    }

    /// Rows of `width` numbers in 8 bits.
    ///
    /// # Safety
    /// While the rows are in use nobody may write to them or to those before them.
    pub(crate) unsafe fn bytes(&self, rows: Range<usize>, width: usize) -> Rows<'_, u8> {
        let (stride, groups) = (stride(width), group_count(width));
        // SAFETY: the caller keeps writers away.
        unsafe {
            Rows {
                values: self.bytes.part(0..rows.end * stride),
                stride,
                scales: self.scales.part(0..rows.end * groups),
                zeros: self.zeros.part(0..rows.end * groups),
            }
        }
    }

    /// Rows of `width` numbers in bf16.
    ///
    /// # Safety
    /// While the rows are in use nobody may write to them or to those before them.
    pub(crate) unsafe fn halves(&self, rows: Range<usize>, width: usize) -> Rows<'_, u16> {
        let stride = stride(width);
        // SAFETY: the caller keeps writers away.
        let values = unsafe { self.halves.part(0..rows.end * stride) };
        Rows { values, stride, scales: &[], zeros: &[] }
    }
}

/// Values a row takes: a whole number of steps in either format.
fn stride(width: usize) -> usize {
    width.next_multiple_of(4)
}
