/// Lanes whose sums are kept apart, so that the compiler can use vector registers.
const LANES: usize = 16;

/// The inner product of two vectors of one length.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_lanes.remainder().iter().zip(b_lanes.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_lanes.zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::dot;

    #[test]
    fn every_value_counts_once_whatever_the_length() {
        for length in [0, 1, 15, 16, 17, 32, 50] {
            let a: Vec<f32> = (0..length).map(|i| (i + 1) as f32).collect();
            let b: Vec<f32> = (0..length).map(|i| (i % 3) as f32 - 1.0).collect();
            let plain: f32 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
            // Small whole numbers: no sum is rounded.
            assert_eq!(dot(&a, &b), plain, "{length}");
            assert_eq!(dot(&a, &b), dot(&b, &a));
        }
    }
}
