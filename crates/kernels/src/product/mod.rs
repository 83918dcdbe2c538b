//! Inner products of stored vectors: what a search of nearest neighbours spends its time on.
//!
//! [`dot_i8`] compares codes of 8 bits, exactly, and [`masked_sum`] their signs, roughly; [`dot_f16`] compares a query with a vector in half precision, in 32 partial
//! sums that are added in one order. All give the same bits on every processor. Where slices differ in length, the shorter
//! counts.
//!
//! | file | for |
//! |---|---|
//! | `plain` | any processor, and what the others are held to |
//! | `avx2` | x86-64 with AVX2, FMA and F16C |
//! | `avx512` | x86-64 with AVX-512 and VNNI |
//! | `neon` | aarch64 |

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod plain;

use half::f16;

use crate::Isa;
#[cfg(target_arch = "x86_64")]
use crate::isa::Kind;

/// Partial sums of [`dot_f16`]: value `i` goes into sum `i % LANES`.
const LANES: usize = 32;

/// Inner product of two codes. Values are -127 to 127 (AVX2's sums of pairs have 16 bits, which two products with -128 on both
/// sides would exceed); up to 133,000 of them fit the sum.
#[inline]
pub fn dot_i8(isa: Isa, a: &[i8], b: &[i8]) -> i32 {
    let length = a.len().min(b.len());
    let (a, b) = (&a[..length], &b[..length]);
    #[cfg(target_arch = "x86_64")]
    match isa.0 {
        // SAFETY: an `Isa` is only had for what this processor has.
        Kind::Avx512 | Kind::Avx512Bf16 => return unsafe { avx512::dot_i8(a, b) },
        // SAFETY: as above.
        Kind::Avx2 => return unsafe { avx2::dot_i8(a, b) },
        Kind::Plain => {}
    }
    let _ = isa;
    #[cfg(target_arch = "aarch64")]
    return neon::dot_i8(a, b);
    #[cfg(not(target_arch = "aarch64"))]
    plain::dot_i8(a, b)
}

/// Sum of those of 64 values a word whose bit is set in `bits`. The values have four bits, -8 to 7 in two's complement, and lie in
/// `planes` by bit: bit `i` of word `j` of plane word `w` is bit `j` of value `64 w + i`.
#[inline]
pub fn masked_sum(isa: Isa, planes: &[[u64; 4]], bits: &[u64]) -> i32 {
    #[cfg(target_arch = "x86_64")]
    match isa.0 {
        // SAFETY: an `Isa` is only had for what this processor has.
        Kind::Avx2 | Kind::Avx512 | Kind::Avx512Bf16 => return unsafe { avx2::masked_sum(planes, bits) },
        Kind::Plain => {}
    }
    let _ = isa;
    plain::masked_sum(planes, bits)
}

/// Inner product of a query and a stored vector: the cosine, where both have unit length.
#[inline]
pub fn dot_f16(isa: Isa, query: &[f32], row: &[f16]) -> f32 {
    let length = query.len().min(row.len());
    let (query, row) = (&query[..length], &row[..length]);
    #[cfg(target_arch = "x86_64")]
    match isa.0 {
        // SAFETY: an `Isa` is only had for what this processor has.
        Kind::Avx512 | Kind::Avx512Bf16 => return unsafe { avx512::dot_f16(query, row) },
        // SAFETY: as above.
        Kind::Avx2 => return unsafe { avx2::dot_f16(query, row) },
        Kind::Plain => {}
    }
    let _ = isa;
    plain::dot_f16(query, row)
}

/// Asks for all cache lines of `values`, which will be read soon. A hint: it reads nothing.
#[inline(always)]
pub fn prefetch<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let start = values.as_ptr().cast::<i8>();
        for offset in (0..size_of_val(values)).step_by(64) {
            // SAFETY: a prefetch reads nothing, and SSE is part of x86-64.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(offset)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

/// The items in their order; what lies at `place` of each is asked for `distance` items before it comes.
#[inline(always)]
pub fn fetched<'a, T: Copy, V: 'a>(
    items: &[T],
    distance: usize,
    place: impl Fn(T) -> &'a [V],
) -> impl Iterator<Item = T> {
    items.iter().take(distance).for_each(|item| prefetch(place(*item)));
    items.iter().enumerate().map(move |(at, &item)| {
        if let Some(&ahead) = items.get(at + distance) {
            prefetch(place(ahead));
        }
        item
    })
}

/// The end of [`dot_f16`]: values past the last whole block go into the first sums, then halves are added until one is left.
fn finish(mut sums: [f32; LANES], query: &[f32], row: &[f16]) -> f32 {
    for ((sum, query), value) in sums.iter_mut().zip(query).zip(row) {
        *sum += query * value.to_f32();
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for at in 0..width {
            sums[at] += sums[at + width];
        }
    }
    sums[0]
}
