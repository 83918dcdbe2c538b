use std::arch::x86_64::*;

use super::{STEP, Sums};
use crate::activations::Rows;
use crate::panels::PANEL;

/// Sums of the products of `R` rows with one panel: row `first` on, weights, sums.
pub(super) type Tile = unsafe fn(Rows<u8>, usize, &[i8], &mut Sums);

/// Tiles of 1 to 12 rows. Twelve rows of two vectors of sums, two of weights and one of activations fill 27 of the 32
/// registers, and load 14 times for 24 multiplications.
pub(super) const TILES: [Tile; 12] = [
    tile::<1>, tile::<2>, tile::<3>, tile::<4>, tile::<5>, tile::<6>, tile::<7>, tile::<8>, tile::<9>,
    tile::<10>, tile::<11>, tile::<12>,
];

/// How far ahead weights are fetched, in steps of 128 bytes.
const AHEAD: usize = 16;

/// # Safety
/// The processor has AVX-512 F and VNNI.
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn tile<const R: usize>(input: Rows<u8>, first: usize, weights: &[i8], sums: &mut Sums) {
    let steps = weights.len() / (STEP * PANEL);
    let rows = &input.values[first * input.stride..(first + R) * input.stride];
    assert!(steps * STEP <= input.stride, "rows are shorter than the weights");
    let mut total = [[_mm512_setzero_si512(); 2]; R];
    let mut values = [rows.as_ptr(); R];
    for (at, values) in values.iter_mut().enumerate() {
        // SAFETY: row `at` begins inside `rows`.
        *values = unsafe { rows.as_ptr().add(at * input.stride) };
    }
    let weights = weights.as_ptr();
    for step in 0..steps {
        // SAFETY: a step is 128 bytes of the weights and 4 of each row, both inside their slices; a prefetch may go
        // beyond, it reads nothing.
        unsafe {
            let at = weights.add(step * STEP * PANEL);
            _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(AHEAD * STEP * PANEL));
            _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(AHEAD * STEP * PANEL + 64));
            let low = _mm512_loadu_si512(at.cast());
            let high = _mm512_loadu_si512(at.add(64).cast());
            for row in 0..R {
                let value = _mm512_set1_epi32(values[row].add(step * STEP).cast::<i32>().read_unaligned());
                total[row][0] = _mm512_dpbusd_epi32(total[row][0], value, low);
                total[row][1] = _mm512_dpbusd_epi32(total[row][1], value, high);
            }
        }
    }
    for (sums, total) in sums.iter_mut().zip(total) {
        // SAFETY: a row of sums is two vectors long.
        unsafe {
            _mm512_storeu_si512(sums.as_mut_ptr().cast(), total[0]);
            _mm512_storeu_si512(sums.as_mut_ptr().add(16).cast(), total[1]);
        }
    }
}
