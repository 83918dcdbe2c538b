//! Sketches: the signs of a code's values, a bit each. They tell roughly how near a code is for an eighth of the memory, so that
//! most of those that are too far need not be read.
//!
//! The estimate is that of RaBitQ (Gao and Long 2024): of a randomly rotated unit vector of `d` values, the inner product with a
//! query is near the query's with its signs, divided by `sqrt(d) * sqrt(2 / pi)`, with a deviation of `0.755 sqrt(1 - p * p) /
//! sqrt(d)` where the product is `p`.

use xunpin_kernels::Isa;
use xunpin_kernels::coding::sign_bits;
use xunpin_kernels::product::masked_sum;

use crate::code::LINE;

/// Mean of the absolute values of a normal distribution, `sqrt(2 / pi)`.
const MEAN: f32 = 0.797_884_6;
/// `sqrt(1 - MEAN * MEAN) / MEAN`.
const SPREAD: f32 = 0.755_51;

/// The sketch of a code, of 64 values a word: the bits of negative values are set.
pub(crate) fn sketch(code: &[i8]) -> impl Iterator<Item = u64> + '_ {
    code.as_chunks::<LINE>().0.iter().map(sign_bits)
}

/// A query, to be compared with sketches.
#[derive(Clone, Debug)]
pub(crate) struct SketchQuery {
    /// Its values in four bits, by bit.
    planes: Vec<[u64; 4]>,
    /// Sum of the values in four bits.
    total: i32,
    /// What an inner product of codes is, of one of four bits with signs.
    unit: f32,
    /// One deviation of the estimate of an inner product of codes, where that is 0.
    deviation: f32,
    /// Inner product of a code with itself, about.
    length: f32,
}

impl SketchQuery {
    /// Of the code of a query of `dimension` values.
    pub(crate) fn new(dimension: usize, code: &[i8]) -> Self {
        let most = code.iter().fold(1, |most: u8, value| most.max(value.unsigned_abs()));
        let step = f32::from(most) / 7.0;
        let mut planes = Vec::with_capacity(code.len() / LINE);
        let (mut total, mut length) = (0, 0);
        for line in code.as_chunks::<LINE>().0 {
            let values = line.map(|value| {
                length += i32::from(value) * i32::from(value);
                // Rounded to the nearest; the least is -7.
                (f32::from(value) / step + 7.5) as i8 - 7
            });
            total += values.iter().map(|value| i32::from(*value)).sum::<i32>();
            planes.push([7, 6, 5, 4].map(|shift| sign_bits(&values.map(|value| value << shift))));
        }
        // Codes are about equally long.
        let length = length.max(1) as f32;
        let root = (dimension.max(1) as f32).sqrt();
        Self {
            planes,
            total,
            unit: step * length.sqrt() / (root * MEAN),
            deviation: length * SPREAD / root,
            length,
        }
    }

    /// The greatest [`sum`](Self::sum) of a code whose inner product may be `least` or more, unless its estimate is off by
    /// `deviations`.
    pub(crate) fn most(&self, least: i32, deviations: f32) -> i32 {
        let least = least as f32;
        let share = least / self.length;
        let margin = deviations * self.deviation * (1.0 - share * share).max(0.0).sqrt();
        // The product with signs is the sum of what they leave positive, less the sum of the rest: `total - 2 * sum`.
        ((self.total as f32 - (least - margin) / self.unit) / 2.0).floor() as i32
    }

    /// Sum of the query's values where the sketched code's are negative.
    #[inline(always)]
    pub(crate) fn sum(&self, isa: Isa, sketch: &[u64]) -> i32 {
        masked_sum(isa, &self.planes, sketch)
    }
}
