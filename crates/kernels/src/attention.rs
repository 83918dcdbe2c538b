//! Products of small dense blocks of f32, for the scores of attention and what is taken by them.

use crate::for_each_isa;

/// Columns of a block of sums.
const COLUMNS: usize = 32;

/// Most rows of a block of sums.
const ROWS: usize = 8;

for_each_isa! {
    /// `out = a * b`: `a` is `[rows, inner]` with `a_stride` values from row to row, `b` `[inner, columns]` and `out`
    /// `[rows, columns]` likewise. Every value of `out` is summed along `inner` in order.
    ///
    /// # Panics
    /// If a slice is too short.
    pub fn multiply(
        rows: usize,
        inner: usize,
        columns: usize,
        a: &[f32],
        a_stride: usize,
        b: &[f32],
        b_stride: usize,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let a = Strided { values: a, stride: a_stride };
        let mut column = 0;
        while column < columns {
            let b = Strided { values: &b[column..], stride: b_stride };
            let out = &mut out[column..];
            column += match columns - column {
                COLUMNS.. => strip::<COLUMNS>(rows, inner, a, b, out, out_stride),
                16.. => strip::<16>(rows, inner, a, b, out, out_stride),
                _ => strip::<1>(rows, inner, a, b, out, out_stride),
            };
        }
    }
}

/// Rows of values, and how far it is from one to the next.
#[derive(Clone, Copy)]
struct Strided<'a> {
    values: &'a [f32],
    stride: usize,
}

/// `C` columns of all rows; returns `C`.
#[inline(always)]
fn strip<const C: usize>(
    rows: usize,
    inner: usize,
    a: Strided,
    b: Strided,
    out: &mut [f32],
    out_stride: usize,
) -> usize {
    // Tiles of nearly equal height: a last one of a row or two would wait for its own sums.
    let tiles = rows.div_ceil(ROWS);
    for tile in 0..tiles {
        let (row, end) = (rows * tile / tiles, rows * (tile + 1) / tiles);
        let a = Strided { values: &a.values[row * a.stride..], ..a };
        let out = &mut out[row * out_stride..];
        match end - row {
            1 => block::<1, C>(inner, a, b, out, out_stride),
            2 => block::<2, C>(inner, a, b, out, out_stride),
            3 => block::<3, C>(inner, a, b, out, out_stride),
            4 => block::<4, C>(inner, a, b, out, out_stride),
            5 => block::<5, C>(inner, a, b, out, out_stride),
            6 => block::<6, C>(inner, a, b, out, out_stride),
            7 => block::<7, C>(inner, a, b, out, out_stride),
            _ => block::<ROWS, C>(inner, a, b, out, out_stride),
        }
    }
    C
}

#[inline(always)]
fn block<const R: usize, const C: usize>(
    inner: usize,
    a: Strided,
    b: Strided,
    out: &mut [f32],
    out_stride: usize,
) {
    // Saturating, because a wrapped product would pass.
    let least =
        |count: usize, stride: usize, last: usize| (count - 1).saturating_mul(stride).saturating_add(last);
    assert!(
        inner == 0
            || (a.values.len() >= least(R, a.stride, inner) && b.values.len() >= least(inner, b.stride, C)),
        "a slice is too short"
    );
    let mut sums = [[0f32; C]; R];
    for step in 0..inner {
        // SAFETY: checked above; bounds checks here would cost more than the products.
        let from = unsafe { &*b.values.as_ptr().add(step * b.stride).cast::<[f32; C]>() };
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: as above.
            let factor = unsafe { *a.values.get_unchecked(row * a.stride + step) };
            for lane in 0..C {
                sums[lane] += factor * from[lane];
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        out[row * out_stride..][..C].copy_from_slice(sums);
    }
}
