use half::f16;

use super::{LANES, finish};

pub(super) fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    // Pairs of 16 bits, as the compiler vectorises best.
    a.iter().zip(b).map(|(a, b)| i32::from(i16::from(*a) * i16::from(*b))).sum()
}

pub(super) fn dot_f16(query: &[f32], row: &[f16]) -> f32 {
    let (queries, query_rest) = query.as_chunks::<LANES>();
    let (rows, row_rest) = row.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for (query, row) in queries.iter().zip(rows) {
        for ((sum, query), value) in sums.iter_mut().zip(query).zip(row) {
            *sum += query * value.to_f32();
        }
    }
    finish(sums, query_rest, row_rest)
}

#[inline(always)]
pub(super) fn masked_sum(planes: &[[u64; 4]], bits: &[u64]) -> i32 {
    let mut counts = [0u32; 4];
    for (planes, bits) in planes.iter().zip(bits) {
        for (count, plane) in counts.iter_mut().zip(planes) {
            *count += (plane & bits).count_ones();
        }
    }
    let [ones, twos, fours, eights] = counts.map(|count| count as i32);
    ones + 2 * twos + 4 * fours - 8 * eights
}
