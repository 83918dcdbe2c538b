//! Inner product of two vectors: the one number every part of the index ranks by.

/// Sum lanes of the portable loop; wide enough that the compiler fills its registers several times over.
const LANES: usize = 32;

/// Inner product of vectors of equal length (of the shorter, where they differ). The order of additions depends on
/// the processor, not on the caller, so on one machine equal inputs give equal bits.
#[inline]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        // SAFETY: the processor has both features; the function asks nothing else of its caller.
        return unsafe { dot_avx2(a, b) };
    }
    dot_with(a, b, |a, b, sum| a * b + sum)
}

/// [`dot`] as the graph's distance: 0 for equal directions, up to 2; finite and never negative for finite vectors,
/// which hnsw_rs relies on. Rounding to half precision lets a product exceed 1 by a little.
#[inline]
pub(crate) fn distance(a: &[f32], b: &[f32]) -> f32 {
    let distance = 1.0 - dot(a, b);
    if distance > 0.0 { distance } else { 0.0 }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn dot_avx2(a: &[f32], b: &[f32]) -> f32 {
    dot_with(a, b, f32::mul_add)
}

#[inline(always)]
fn dot_with(a: &[f32], b: &[f32], multiply_add: impl Fn(f32, f32, f32) -> f32) -> f32 {
    let length = a.len().min(b.len());
    let (a, b) = (&a[..length], &b[..length]);
    let mut lanes = [0.0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] = multiply_add(a[lane], b[lane], lanes[lane]);
        }
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
    }
    rest.fold(lanes[0], |sum, (a, b)| multiply_add(*a, *b, sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_double_precision_at_every_length() {
        for length in 0..200 {
            let a: Vec<f32> = (0..length).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
            let b: Vec<f32> = (0..length).map(|i| ((i * 53 % 97) as f32 - 48.0) / 48.0).collect();
            let exact: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let portable = dot_with(&a, &b, |a, b, sum| a * b + sum);
            for got in [dot(&a, &b), portable] {
                assert!(
                    (f64::from(got) - exact).abs() < 1e-5 * (1.0 + length as f64),
                    "{length}: {got} {exact}"
                );
            }
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
