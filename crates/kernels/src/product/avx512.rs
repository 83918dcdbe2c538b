use std::arch::x86_64::*;

use half::f16;

use super::{LANES, finish, plain};

/// Bytes of a register.
const WIDTH: usize = 64;

/// VNNI multiplies bytes without a sign by bytes with one: `a` is taken as `a + 128`, and 128 times the sum of `b` is taken off
/// again. Sums have 32 bits and don't saturate.
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    let (a_blocks, a_rest) = a.as_chunks::<WIDTH>();
    let (b_blocks, b_rest) = b.as_chunks::<WIDTH>();
    let shift = _mm512_set1_epi8(-128);
    // Two of each, so that a sum need not wait for the one before.
    let mut sums = [_mm512_setzero_si512(); 2];
    let mut excess = [_mm512_setzero_si512(); 2];
    for (at, (a, b)) in a_blocks.iter().zip(b_blocks).enumerate() {
        // SAFETY: both blocks hold the 64 bytes that are read.
        let (a, b) =
            unsafe { (_mm512_loadu_si512(a.as_ptr().cast()), _mm512_loadu_si512(b.as_ptr().cast())) };
        sums[at % 2] = _mm512_dpbusd_epi32(sums[at % 2], _mm512_xor_si512(a, shift), b);
        // As bytes without a sign, `shift` is 128.
        excess[at % 2] = _mm512_dpbusd_epi32(excess[at % 2], shift, b);
    }
    let sum = _mm512_add_epi32(sums[0], sums[1]);
    let excess = _mm512_add_epi32(excess[0], excess[1]);
    _mm512_reduce_add_epi32(_mm512_sub_epi32(sum, excess)) + plain::dot_i8(a_rest, b_rest)
}

/// Multiplied and added apart: a fused operation would round otherwise than plain code.
#[target_feature(enable = "avx512f")]
pub(super) fn dot_f16(query: &[f32], row: &[f16]) -> f32 {
    const VALUES: usize = 16;
    let (queries, query_rest) = query.as_chunks::<LANES>();
    let (rows, row_rest) = row.as_chunks::<LANES>();
    let mut sums = [_mm512_setzero_ps(); LANES / VALUES];
    for (query, row) in queries.iter().zip(rows) {
        for (at, sum) in sums.iter_mut().enumerate() {
            // SAFETY: values `16 at` to `16 at + 15` lie inside both blocks of 32.
            let (query, row) = unsafe {
                (
                    _mm512_loadu_ps(query.as_ptr().add(at * VALUES)),
                    _mm256_loadu_si256(row.as_ptr().add(at * VALUES).cast()),
                )
            };
            *sum = _mm512_add_ps(*sum, _mm512_mul_ps(query, _mm512_cvtph_ps(row)));
        }
    }
    let mut lanes = [0f32; LANES];
    for (lanes, sum) in lanes.as_chunks_mut::<VALUES>().0.iter_mut().zip(sums) {
        // SAFETY: the block holds the 16 values that are written.
        unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), sum) };
    }
    finish(lanes, query_rest, row_rest)
}
