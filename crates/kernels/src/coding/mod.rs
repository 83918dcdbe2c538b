//! Vectors to codes of 8 bits: a fast rotation, rounding, and the signs of codes. All give the same bits on every processor.
//!
//! | file | for |
//! |---|---|
//! | `mod` | any processor |
//! | `avx2` | the first stages of a transform on x86-64 with AVX2 |

#[cfg(target_arch = "x86_64")]
mod avx2;

use crate::{Isa, for_each_isa};

/// Greatest absolute value of a code.
pub const MOST: f32 = 127.0;

/// Walsh-Hadamard transform, in place, that keeps the length of the vector. `values` are a power of two of values; of others the
/// result is of no use.
pub fn hadamard(isa: Isa, values: &mut [f32]) {
    let done = first_stages(isa, values);
    later_stages(isa, values, done);
}

/// The stages within blocks of so many values as are given back.
fn first_stages(isa: Isa, values: &mut [f32]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if isa != Isa(crate::isa::Kind::Plain) && values.len() >= avx2::BLOCK {
        // SAFETY: an `Isa` is only had for what this processor has, and all but the plain one have AVX2.
        unsafe { avx2::blocks(values) };
        return avx2::BLOCK;
    }
    let _ = (isa, values);
    1
}

for_each_isa! {
/// The stages after those within blocks of `half` values. Two at a time, so that values are read half as often.
fn later_stages(values: &mut [f32], half: usize) {
    let length = values.len();
    let mut half = half;
    while 4 * half <= length {
        for values in values.chunks_exact_mut(4 * half) {
            let (ab, cd) = values.split_at_mut(2 * half);
            let ((a, b), (c, d)) = (ab.split_at_mut(half), cd.split_at_mut(half));
            for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
                let ((e, f), (g, h)) = ((*a + *b, *a - *b), (*c + *d, *c - *d));
                (*a, *b, *c, *d) = (e + g, f + h, e - g, f - h);
            }
        }
        half *= 4;
    }
    while 2 * half <= length {
        for values in values.chunks_exact_mut(2 * half) {
            let (low, high) = values.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    let norm = 1.0 / (length as f32).sqrt();
    values.iter_mut().for_each(|value| *value *= norm);
}
}

for_each_isa! {
/// Writes `values` times `scale` as codes, rounded to the nearest, halves away from zero; cut at [`MOST`]. NaN becomes 0.
pub fn round_to_codes(values: &[f32], scale: f32, codes: &mut [i8]) {
    for (code, value) in codes.iter_mut().zip(values) {
        let value = value * scale;
        // Comparisons, unlike `clamp`, leave a NaN where it can be replaced without a branch.
        let value = if value > MOST { MOST } else { value };
        let value = if value < -MOST { -MOST } else { value };
        let value = if value.is_nan() { 0.0 } else { value };
        // SAFETY: between -127 and 127, so that it fits.
        *code = unsafe { value.round().to_int_unchecked::<i32>() } as i8;
    }
}
}

/// The signs of 64 codes: bit `i` is set where code `i` is negative.
#[inline]
pub fn sign_bits(codes: &[i8; 64]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_loadu_si128, _mm_movemask_epi8};
        codes.as_chunks::<16>().0.iter().rev().fold(0, |bits, codes| {
            // SAFETY: the array holds the 16 bytes that are read, and SSE2 is part of x86-64.
            let signs = unsafe { _mm_movemask_epi8(_mm_loadu_si128(codes.as_ptr().cast())) };
            bits << 16 | u64::from(signs as u16)
        })
    }
    #[cfg(not(target_arch = "x86_64"))]
    codes.iter().rev().fold(0, |bits, code| bits << 1 | u64::from(*code < 0))
}
