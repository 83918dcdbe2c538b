//! The two loops that training spends its time in. Rows are padded to [`LANES`] values, and a sum is always taken in
//! the same order, so that the bits do not depend on how the compiler vectorises.

/// Rows are padded with zeros to a multiple of this.
pub(crate) const LANES: usize = 16;

pub(crate) fn padded(dimension: usize) -> usize {
    dimension.next_multiple_of(LANES)
}

/// Inner product of two rows of equal padded length.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (a, _) = a.as_chunks::<LANES>();
    let (b, _) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

/// `sum += step * output; output += step * input`, each from the values before.
pub(crate) fn exchange(step: f32, input: &[f32], output: &mut [f32], sum: &mut [f32]) {
    let (input, _) = input.as_chunks::<LANES>();
    let (output, _) = output.as_chunks_mut::<LANES>();
    let (sum, _) = sum.as_chunks_mut::<LANES>();
    for ((input, output), sum) in input.iter().zip(output).zip(sum) {
        for lane in 0..LANES {
            sum[lane] += step * output[lane];
            output[lane] += step * input[lane];
        }
    }
}

/// `to += from`.
pub(crate) fn add(from: &[f32], to: &mut [f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}
