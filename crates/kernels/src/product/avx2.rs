use std::arch::x86_64::*;

use half::f16;

use super::{LANES, finish, plain};

/// Bytes of a register.
const WIDTH: usize = 32;

/// The instruction for bytes (`vpmaddubsw`) wants one side without a sign: it gets the absolute values of `a`, and `b` with the
/// signs of `a`. Two products of at most 127 x 127 fit its 16 bits.
#[target_feature(enable = "avx2")]
pub(super) fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    let (a_blocks, a_rest) = a.as_chunks::<WIDTH>();
    let (b_blocks, b_rest) = b.as_chunks::<WIDTH>();
    let ones = _mm256_set1_epi16(1);
    // Two, so that additions need not wait for one another.
    let mut sums = [_mm256_setzero_si256(); 2];
    let (a_pairs, a_last) = a_blocks.as_chunks::<2>();
    let (b_pairs, b_last) = b_blocks.as_chunks::<2>();
    for (a, b) in a_pairs.iter().zip(b_pairs) {
        for at in 0..2 {
            sums[at] = _mm256_add_epi32(sums[at], products(&a[at], &b[at], ones));
        }
    }
    for (a, b) in a_last.iter().zip(b_last) {
        sums[0] = _mm256_add_epi32(sums[0], products(a, b, ones));
    }
    let sum = _mm256_add_epi32(sums[0], sums[1]);
    let half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
    let quarter = _mm_add_epi32(half, _mm_shuffle_epi32::<0b01_00_11_10>(half));
    let one = _mm_add_epi32(quarter, _mm_shuffle_epi32::<0b10_11_00_01>(quarter));
    _mm_cvtsi128_si32(one) + plain::dot_i8(a_rest, b_rest)
}

/// Eight sums of four products each.
#[inline]
#[target_feature(enable = "avx2")]
fn products(a: &[i8; WIDTH], b: &[i8; WIDTH], ones: __m256i) -> __m256i {
    // SAFETY: both arrays hold the 32 bytes that are read.
    let (a, b) = unsafe { (_mm256_loadu_si256(a.as_ptr().cast()), _mm256_loadu_si256(b.as_ptr().cast())) };
    let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a));
    _mm256_madd_epi16(pairs, ones)
}

/// Words whose counts of bits fit a byte when they are added: 8 each.
const COUNTED: usize = 31;

/// A plane is a quarter of the register, and bits are counted by the table of those of half a byte (Mula 2018).
#[target_feature(enable = "avx2")]
pub(super) fn masked_sum(planes: &[[u64; 4]], bits: &[u64]) -> i32 {
    let table = _mm256_setr_epi8(
        0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
    );
    let low = _mm256_set1_epi8(15);
    let mut counts = _mm256_setzero_si256();
    for (planes, bits) in planes.chunks(COUNTED).zip(bits.chunks(COUNTED)) {
        let mut bytes = _mm256_setzero_si256();
        for (planes, bits) in planes.iter().zip(bits) {
            // SAFETY: the array holds the 32 bytes that are read.
            let planes = unsafe { _mm256_loadu_si256(planes.as_ptr().cast()) };
            let masked = _mm256_and_si256(planes, _mm256_set1_epi64x(*bits as i64));
            let halves =
                [_mm256_and_si256(masked, low), _mm256_and_si256(_mm256_srli_epi16::<4>(masked), low)];
            for half in halves {
                bytes = _mm256_add_epi8(bytes, _mm256_shuffle_epi8(table, half));
            }
        }
        counts = _mm256_add_epi64(counts, _mm256_sad_epu8(bytes, _mm256_setzero_si256()));
    }
    let mut lanes = [0i64; 4];
    // SAFETY: the array holds the 32 bytes that are written.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), counts) };
    (lanes[0] + 2 * lanes[1] + 4 * lanes[2] - 8 * lanes[3]) as i32
}

/// Multiplied and added apart: a fused operation would round otherwise than plain code.
#[target_feature(enable = "avx2,f16c")]
pub(super) fn dot_f16(query: &[f32], row: &[f16]) -> f32 {
    const VALUES: usize = 8;
    let (queries, query_rest) = query.as_chunks::<LANES>();
    let (rows, row_rest) = row.as_chunks::<LANES>();
    let mut sums = [_mm256_setzero_ps(); LANES / VALUES];
    for (query, row) in queries.iter().zip(rows) {
        for (at, sum) in sums.iter_mut().enumerate() {
            // SAFETY: values `8 at` to `8 at + 7` lie inside both blocks of 32.
            let (query, row) = unsafe {
                (
                    _mm256_loadu_ps(query.as_ptr().add(at * VALUES)),
                    _mm_loadu_si128(row.as_ptr().add(at * VALUES).cast()),
                )
            };
            *sum = _mm256_add_ps(*sum, _mm256_mul_ps(query, _mm256_cvtph_ps(row)));
        }
    }
    let mut lanes = [0f32; LANES];
    for (lanes, sum) in lanes.as_chunks_mut::<VALUES>().0.iter_mut().zip(sums) {
        // SAFETY: the block holds the 8 values that are written.
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sum) };
    }
    finish(lanes, query_rest, row_rest)
}
