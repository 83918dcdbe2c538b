use std::arch::x86_64::*;

use super::{STEP, Sums};
use crate::activations::Rows;
use crate::panels::PANEL;

/// Sums of the products of `R` rows with one panel: row `first` on, weights, sums.
pub(super) type Tile = unsafe fn(Rows<u16>, usize, &[u16], &mut Sums);

/// Tiles of 1 to 12 rows; see the 8-bit ones.
pub(super) const TILES: [Tile; 12] = [
    tile::<1>, tile::<2>, tile::<3>, tile::<4>, tile::<5>, tile::<6>, tile::<7>, tile::<8>, tile::<9>,
    tile::<10>, tile::<11>, tile::<12>,
];

/// # Safety
/// The processor has AVX-512 F and BF16.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn tile<const R: usize>(input: Rows<u16>, first: usize, weights: &[u16], sums: &mut Sums) {
    let steps = weights.len() / (STEP * PANEL);
    let rows = &input.values[first * input.stride..(first + R) * input.stride];
    assert!(steps * STEP <= input.stride, "rows are shorter than the weights");
    let mut total = [[_mm512_setzero_ps(); 2]; R];
    for step in 0..steps {
        // SAFETY: a step is 128 bytes of the weights and 4 of each row, both inside their slices; a vector of bf16
        // pairs has the bits of one of integers.
        unsafe {
            let at = weights.as_ptr().add(step * STEP * PANEL);
            let low: __m512bh = std::mem::transmute(_mm512_loadu_si512(at.cast()));
            let high: __m512bh = std::mem::transmute(_mm512_loadu_si512(at.add(PANEL).cast()));
            for (row, total) in total.iter_mut().enumerate() {
                let pair = rows.as_ptr().add(row * input.stride + step * STEP).cast::<i32>().read_unaligned();
                let value: __m512bh = std::mem::transmute(_mm512_set1_epi32(pair));
                total[0] = _mm512_dpbf16_ps(total[0], value, low);
                total[1] = _mm512_dpbf16_ps(total[1], value, high);
            }
        }
    }
    for (sums, total) in sums.iter_mut().zip(total) {
        // SAFETY: a row of sums is two vectors long.
        unsafe {
            _mm512_storeu_ps(sums.as_mut_ptr(), total[0]);
            _mm512_storeu_ps(sums.as_mut_ptr().add(16), total[1]);
        }
    }
}
