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
        let mut column = 0;
        while column + COLUMNS <= columns {
            strip::<COLUMNS>(rows, inner, a, a_stride, &b[column..], b_stride, &mut out[column..], out_stride);
            column += COLUMNS;
        }
        while column + 16 <= columns {
            strip::<16>(rows, inner, a, a_stride, &b[column..], b_stride, &mut out[column..], out_stride);
            column += 16;
        }
        while column < columns {
            strip::<1>(rows, inner, a, a_stride, &b[column..], b_stride, &mut out[column..], out_stride);
            column += 1;
        }
    }
}

/// `C` columns of all rows.
#[inline(always)]
fn strip<const C: usize>(
    rows: usize,
    inner: usize,
    a: &[f32],
    a_stride: usize,
    b: &[f32],
    b_stride: usize,
    out: &mut [f32],
    out_stride: usize,
) {
    // Tiles of nearly equal height: a last one of a row or two would wait for its own sums.
    let tiles = rows.div_ceil(ROWS);
    for tile in 0..tiles {
        let (row, end) = (rows * tile / tiles, rows * (tile + 1) / tiles);
        let (a, out) = (&a[row * a_stride..], &mut out[row * out_stride..]);
        match end - row {
            1 => block::<1, C>(inner, a, a_stride, b, b_stride, out, out_stride),
            2 => block::<2, C>(inner, a, a_stride, b, b_stride, out, out_stride),
            3 => block::<3, C>(inner, a, a_stride, b, b_stride, out, out_stride),
            4 => block::<4, C>(inner, a, a_stride, b, b_stride, out, out_stride),
            5 => block::<5, C>(inner, a, a_stride, b, b_stride, out, out_stride),
            6 => block::<6, C>(inner, a, a_stride, b, b_stride, out, out_stride),
            7 => block::<7, C>(inner, a, a_stride, b, b_stride, out, out_stride),
            _ => block::<ROWS, C>(inner, a, a_stride, b, b_stride, out, out_stride),
        }
    }
}

#[inline(always)]
fn block<const R: usize, const C: usize>(
    inner: usize,
    a: &[f32],
    a_stride: usize,
    b: &[f32],
    b_stride: usize,
    out: &mut [f32],
    out_stride: usize,
) {
    let mut sums = [[0f32; C]; R];
    assert!(inner == 0 || (a.len() >= (R - 1) * a_stride + inner && b.len() >= (inner - 1) * b_stride + C));
    for step in 0..inner {
        // SAFETY: checked above; bounds checks here would cost more than the products.
        let from = unsafe { &*b.as_ptr().add(step * b_stride).cast::<[f32; C]>() };
        for row in 0..R {
            // SAFETY: as above.
            let factor = unsafe { *a.get_unchecked(row * a_stride + step) };
            for lane in 0..C {
                sums[row][lane] += factor * from[lane];
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        out[row * out_stride..][..C].copy_from_slice(sums);
    }
}
