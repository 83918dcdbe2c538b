//! New vectors between real ones, which lie where real ones do.

use super::random::Random;

/// Length of the noise, in lengths of the vector.
const NOISE: f32 = 0.25;
/// Lowest share of a parent in the blend, before the shares are made to sum to one.
const LEAST_SHARE: f32 = 0.2;

/// A unit vector between those of the parents, with shares drawn from 0.2 to 1, [`displaced`]; none if it has no length.
pub(super) fn blend(parents: &[&[f32]], random: &mut Random) -> Option<Vec<f32>> {
    let mut sum = vec![0.0f32; parents.first()?.len()];
    for parent in parents {
        let share = LEAST_SHARE + (1.0 - LEAST_SHARE) * random.unit();
        sum.iter_mut().zip(*parent).for_each(|(sum, value)| *sum += share * value);
    }
    normalize(&mut sum)?;
    displaced(sum, random)
}

/// A unit vector, moved by noise of length .25 and brought to unit length again; none if it then has no length.
pub(super) fn displaced(mut vector: Vec<f32>, random: &mut Random) -> Option<Vec<f32>> {
    // Uniform from -s to s has the variance s²/3, so this has NOISE² over all values together.
    let scale = NOISE * (3.0 / vector.len() as f32).sqrt();
    vector.iter_mut().for_each(|value| *value += scale * (2.0 * random.unit() - 1.0));
    normalize(&mut vector)?;
    Some(vector)
}

fn normalize(values: &mut [f32]) -> Option<()> {
    let length = values.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt() as f32;
    (length > 1e-6).then(|| values.iter_mut().for_each(|v| *v /= length))
}
