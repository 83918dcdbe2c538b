use super::{STEP, Sums};
use crate::activations::Rows;
use crate::panels::PANEL;

/// Sums of the products of `count` rows from `first` on with one panel.
pub(super) fn multiply(input: Rows<u8>, first: usize, count: usize, weights: &[i8], sums: &mut Sums) {
    let length = weights.len() / PANEL;
    for (at, sums) in sums.iter_mut().take(count).enumerate() {
        let row = &input.values[(first + at) * input.stride..][..length];
        *sums = [0; PANEL];
        for (step, values) in weights.chunks_exact(STEP * PANEL).zip(row.as_chunks::<STEP>().0) {
            for (sum, group) in sums.iter_mut().zip(step.as_chunks::<STEP>().0) {
                for (weight, value) in group.iter().zip(values) {
                    *sum += i32::from(*weight) * i32::from(*value);
                }
            }
        }
    }
}
