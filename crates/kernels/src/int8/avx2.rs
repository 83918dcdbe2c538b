use std::arch::x86_64::*;

use super::{STEP, Sums};
use crate::activations::Rows;
use crate::panels::PANEL;

/// Rows at a time: with two vectors of sums a row, of the 16 registers.
const ROWS: usize = 4;

/// Outputs at a time.
const OUTPUTS: usize = 8;

/// Sums of the products of `count` rows from `first` on with a panel's weights of the inputs from `column` on.
///
/// The instruction made for bytes (`vpmaddubsw`) sums pairs in 16 bits and saturates; here both sides are widened to 16
/// bits first, which costs a third more instructions and is exact.
///
/// # Safety
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn multiply(
    input: Rows<u8>,
    (first, count): (usize, usize),
    column: usize,
    weights: &[i8],
    sums: &mut Sums,
) {
    for at in (0..count).step_by(ROWS) {
        let sums = &mut sums[at..];
        for output in (0..PANEL).step_by(OUTPUTS) {
            // SAFETY: the caller's promise.
            unsafe {
                match (count - at).min(ROWS) {
                    1 => tile::<1>(input, (first + at, column), output, weights, sums),
                    2 => tile::<2>(input, (first + at, column), output, weights, sums),
                    3 => tile::<3>(input, (first + at, column), output, weights, sums),
                    _ => tile::<ROWS>(input, (first + at, column), output, weights, sums),
                }
            }
        }
    }
}

/// # Safety
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
unsafe fn tile<const R: usize>(
    input: Rows<u8>,
    (first, column): (usize, usize),
    output: usize,
    weights: &[i8],
    sums: &mut [[i32; PANEL]],
) {
    let steps = weights.len() / (STEP * PANEL);
    let rows = &input.values[first * input.stride..(first + R) * input.stride];
    assert!(column + steps * STEP <= input.stride, "rows are shorter than the weights");
    assert!(output + OUTPUTS <= PANEL && sums.len() >= R, "a tile inside the panel");
    // Each vector holds two partial sums of four outputs.
    let mut total = [[_mm256_setzero_si256(); 2]; R];
    for step in 0..steps {
        // SAFETY: the 32 bytes of 8 outputs lie inside the step's 128, and 4 bytes of each row inside `rows`.
        unsafe {
            let bytes = weights.as_ptr().add((step * PANEL + output) * STEP);
            let low = _mm256_cvtepi8_epi16(_mm_loadu_si128(bytes.cast()));
            let high = _mm256_cvtepi8_epi16(_mm_loadu_si128(bytes.add(16).cast()));
            for (row, total) in total.iter_mut().enumerate() {
                let value = rows
                    .as_ptr()
                    .add(row * input.stride + column + step * STEP)
                    .cast::<i32>()
                    .read_unaligned();
                let value = _mm256_cvtepu8_epi16(_mm_set1_epi32(value));
                total[0] = _mm256_add_epi32(total[0], _mm256_madd_epi16(low, value));
                total[1] = _mm256_add_epi32(total[1], _mm256_madd_epi16(high, value));
            }
        }
    }
    for (sums, total) in sums.iter_mut().zip(total) {
        // Adds neighbours: 0 1 4 5 of the outputs, then 2 3 6 7; the permutation brings them into order.
        let pairs = _mm256_hadd_epi32(total[0], total[1]);
        let ordered = _mm256_permute4x64_epi64::<0b11_01_10_00>(pairs);
        // SAFETY: `output..output + 8` lies inside the row of sums.
        unsafe { _mm256_storeu_si256(sums.as_mut_ptr().add(output).cast(), ordered) };
    }
}
