//! Queries to measure recall with: stored vectors, a little displaced so that they are no trivial ones. Always the same.

use xunpin_core::SplitMix64;

/// Length of the displacement, in lengths of the vector.
const DISPLACEMENT: f32 = 0.25;

/// `vector`, displaced by the noise of `seed` and brought to unit length.
pub(crate) fn displaced(vector: &[f32], seed: u64) -> Vec<f32> {
    let mut random = SplitMix64::new(seed);
    // Uniform from -s to s has the variance s²/3.
    let scale = DISPLACEMENT * (3.0 / vector.len().max(1) as f32).sqrt();
    let mut query: Vec<f32> = vector.iter().map(|v| v + scale * (2.0 * random.unit() - 1.0)).collect();
    let norm = query.iter().map(|v| v * v).sum::<f32>().sqrt();
    query.iter_mut().for_each(|v| *v /= norm);
    query
}
