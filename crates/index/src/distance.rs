//! Inner product of two vectors: the one number every part of the index ranks by.
//!
//! Written out for the processors that most machines have. For 768 values in the cache of a Zen 5 core, a plain loop of 32
//! lanes took 110 ns as the compiler made it for AVX2; the versions below take 32 (AVX2) and 26 (AVX-512).

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Inner product of vectors of equal length (of the shorter, where they differ): the cosine, where both have unit
/// length. The order of additions depends on the processor, not on the caller, so on one machine equal inputs give
/// equal bits.
#[inline]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let length = a.len().min(b.len());
    let (a, b) = (&a[..length], &b[..length]);
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has the feature; the function asks nothing else of its caller.
            return unsafe { dot_avx512(a, b) };
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            // SAFETY: the processor has both features; the function asks nothing else of its caller.
            return unsafe { dot_avx2(a, b) };
        }
    }
    dot_portable(a, b)
}

/// [`dot`] as the graph's distance: 0 for equal directions, up to 2; finite and never negative for finite vectors,
/// which hnsw_rs relies on. Rounding to half precision lets a product exceed 1 by a little.
#[inline]
pub(crate) fn distance(a: &[f32], b: &[f32]) -> f32 {
    let distance = 1.0 - dot(a, b);
    if distance > 0.0 { distance } else { 0.0 }
}

/// Sums that run side by side: additions take several cycles each, and would otherwise wait for one another.
const SUMS: usize = 4;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn dot_avx512(a: &[f32], b: &[f32]) -> f32 {
    const WIDTH: usize = 16;
    let mut sums = [_mm512_setzero_ps(); SUMS];
    let (a_blocks, b_blocks) = (a.chunks_exact(SUMS * WIDTH), b.chunks_exact(SUMS * WIDTH));
    let rest = a_blocks.remainder().chunks(WIDTH).zip(b_blocks.remainder().chunks(WIDTH));
    for (a, b) in a_blocks.zip(b_blocks) {
        for ((a, b), sum) in a.chunks_exact(WIDTH).zip(b.chunks_exact(WIDTH)).zip(&mut sums) {
            // SAFETY: both chunks hold the 16 values that are read.
            let (a, b) = unsafe { (_mm512_loadu_ps(a.as_ptr()), _mm512_loadu_ps(b.as_ptr())) };
            *sum = _mm512_fmadd_ps(a, b, *sum);
        }
    }
    for ((a, b), sum) in rest.zip(&mut sums) {
        // Chunks have 1 to 16 values.
        let mask = u16::MAX >> (WIDTH - a.len().min(b.len()));
        // SAFETY: only the values under the mask are read, and both chunks hold as many.
        let (a, b) =
            unsafe { (_mm512_maskz_loadu_ps(mask, a.as_ptr()), _mm512_maskz_loadu_ps(mask, b.as_ptr())) };
        *sum = _mm512_fmadd_ps(a, b, *sum);
    }
    let [s0, s1, s2, s3] = sums;
    _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn dot_avx2(a: &[f32], b: &[f32]) -> f32 {
    const WIDTH: usize = 8;
    let mut sums = [_mm256_setzero_ps(); SUMS];
    let (a_blocks, b_blocks) = (a.chunks_exact(SUMS * WIDTH), b.chunks_exact(SUMS * WIDTH));
    let (a_rest, b_rest) = (a_blocks.remainder(), b_blocks.remainder());
    for (a, b) in a_blocks.zip(b_blocks) {
        for ((a, b), sum) in a.chunks_exact(WIDTH).zip(b.chunks_exact(WIDTH)).zip(&mut sums) {
            // SAFETY: both chunks hold the 8 values that are read.
            let (a, b) = unsafe { (_mm256_loadu_ps(a.as_ptr()), _mm256_loadu_ps(b.as_ptr())) };
            *sum = _mm256_fmadd_ps(a, b, *sum);
        }
    }
    let [s0, s1, s2, s3] = sums;
    let mut sum = _mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3));
    let (a_chunks, b_chunks) = (a_rest.chunks_exact(WIDTH), b_rest.chunks_exact(WIDTH));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    for (a, b) in a_chunks.zip(b_chunks) {
        // SAFETY: both chunks hold the 8 values that are read.
        let (a, b) = unsafe { (_mm256_loadu_ps(a.as_ptr()), _mm256_loadu_ps(b.as_ptr())) };
        sum = _mm256_fmadd_ps(a, b, sum);
    }
    let half = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum));
    let quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
    let one = _mm_add_ss(quarter, _mm_shuffle_ps::<1>(quarter, quarter));
    rest.fold(_mm_cvtss_f32(one), |sum, (a, b)| a.mul_add(*b, sum))
}

/// For processors without either; lanes let the compiler use what registers there are.
fn dot_portable(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut lanes = [0.0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    rest.fold(lanes.iter().sum(), |sum, (a, b)| sum + a * b)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Dot = fn(&[f32], &[f32]) -> f32;

    /// The versions that this processor can run.
    fn versions() -> Vec<Dot> {
        let mut all: Vec<Dot> = vec![dot, dot_portable];
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f") {
                // SAFETY: the processor has the feature.
                all.push(|a, b| unsafe { dot_avx512(a, b) });
            }
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                // SAFETY: the processor has both features.
                all.push(|a, b| unsafe { dot_avx2(a, b) });
            }
        }
        all
    }

    #[test]
    fn agrees_with_double_precision_at_every_length() {
        for length in (0..200).chain([256, 768, 1_000, 1_024]) {
            let a: Vec<f32> = (0..length).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
            let b: Vec<f32> = (0..length).map(|i| ((i * 53 % 97) as f32 - 48.0) / 48.0).collect();
            let exact: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            for (at, version) in versions().into_iter().enumerate() {
                let got = version(&a, &b);
                let off = (f64::from(got) - exact).abs();
                assert!(off < 1e-6 * (1.0 + length as f64), "version {at} of {length}: {got} {exact}");
            }
        }
    }

    /// Each value must count, and nothing beyond the end.
    #[test]
    fn reads_all_values_and_no_other() {
        let ones = vec![1.0f32; 300];
        let mut guarded = vec![f32::NAN; 300];
        for length in 0..200 {
            guarded[..length].fill(1.0);
            for version in versions() {
                assert_eq!(version(&ones[..length], &guarded[..length]), length as f32);
            }
            assert_eq!(dot(&ones, &guarded[..length]), length as f32, "the shorter counts");
            guarded.fill(f32::NAN);
        }
    }

    #[test]
    fn distance_is_never_negative() {
        let long = [0.8, 0.61];
        assert_eq!(distance(&long, &long), 0.0);
        assert_eq!(distance(&[1.0, 0.0], &[-1.0, 0.0]), 2.0);
        assert_eq!(distance(&[f32::NAN], &[1.0]), 0.0);
    }
}
