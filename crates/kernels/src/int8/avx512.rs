use std::arch::x86_64::*;

use super::{GROUP, Panel, STEP, Tile};
use crate::activations::Rows;
use crate::panels::PANEL;

/// Products of `R` rows from `first` on with one panel.
pub(super) type Multiply = unsafe fn(Rows<u8>, usize, Panel, &mut Tile);

/// Tiles of 1 to 12 rows. Twelve rows of two vectors of sums, two of weights and one of activations fill 27 of the 32
/// registers, and load 14 times for 24 multiplications.
pub(super) const TILES: [Multiply; 12] = [
    tile::<1>, tile::<2>, tile::<3>, tile::<4>, tile::<5>, tile::<6>, tile::<7>, tile::<8>, tile::<9>,
    tile::<10>, tile::<11>, tile::<12>,
];

/// How far ahead weights are fetched, in steps of 128 bytes.
const AHEAD: usize = 16;

/// # Safety
/// The processor has AVX-512 F and VNNI.
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn tile<const R: usize>(input: Rows<u8>, first: usize, panel: Panel, tile: &mut Tile) {
    let groups = panel.scales.len();
    let rows = &input.values[first * input.stride..(first + R) * input.stride];
    let scales = &input.scales[first * groups..(first + R) * groups];
    let zeros = &input.zeros[first * groups..(first + R) * groups];
    assert!(panel.weights.len() <= input.stride * PANEL, "rows are shorter than the weights");
    assert!(panel.sums.len() == groups && panel.weights.len().div_ceil(GROUP * PANEL) == groups, "groups");
    for (group, weights) in panel.weights.chunks(GROUP * PANEL).enumerate() {
        let mut total = [[_mm512_setzero_si512(); 2]; R];
        // SAFETY: row `at` begins inside `rows`, and the group inside the row.
        let values: [_; R] =
            std::array::from_fn(|at| unsafe { rows.as_ptr().add(at * input.stride + group * GROUP) });
        let steps = weights.len() / (STEP * PANEL);
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
                    let value =
                        _mm512_set1_epi32(values[row].add(step * STEP).cast::<i32>().read_unaligned());
                    total[row][0] = _mm512_dpbusd_epi32(total[row][0], value, low);
                    total[row][1] = _mm512_dpbusd_epi32(total[row][1], value, high);
                }
            }
        }
        // SAFETY: there is a row of 32 scales and sums for every group, and one scale and zero for every row and group.
        unsafe {
            let column_scales = panel.scales.as_ptr().add(group).cast::<f32>();
            let column_sums = panel.sums.as_ptr().add(group).cast::<f32>();
            for half in 0..2 {
                let column_scale = _mm512_loadu_ps(column_scales.add(half * 16));
                let column_sum = _mm512_loadu_ps(column_sums.add(half * 16));
                for (row, total) in total.iter().enumerate() {
                    let scale = _mm512_set1_ps(*scales.get_unchecked(row * groups + group));
                    let zero = _mm512_set1_ps(*zeros.get_unchecked(row * groups + group));
                    // Exact, so it may be one operation here and two elsewhere; the others may not.
                    let sum = _mm512_fnmadd_ps(zero, column_sum, _mm512_cvtepi32_ps(total[half]));
                    let product = _mm512_mul_ps(sum, _mm512_mul_ps(scale, column_scale));
                    let out = tile[row].as_mut_ptr().add(half * 16);
                    let before = if group == 0 { _mm512_setzero_ps() } else { _mm512_loadu_ps(out) };
                    _mm512_storeu_ps(out, _mm512_add_ps(before, product));
                }
            }
        }
    }
}
