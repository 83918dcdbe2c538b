//! Loops over rows of f32 values. All give the same bits on every processor: sums are taken in sixteen lanes, whatever the
//! width of the registers. Where slices differ in length, the shortest counts, unless said otherwise.

use crate::{GROUP, Gate, for_each_isa};

/// Partial sums kept side by side.
const LANES: usize = 16;

/// Pieces of the loops; compiled into their callers.
pub(crate) mod inline {
    use super::LANES;

    /// Sum of `term` over the values.
    #[inline(always)]
    pub(crate) fn sum_by(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
        let (chunks, rest) = values.as_chunks::<LANES>();
        let mut sums = [0f32; LANES];
        for chunk in chunks {
            for (sum, value) in sums.iter_mut().zip(chunk) {
                *sum += term(*value);
            }
        }
        sums.iter().sum::<f32>() + rest.iter().map(|v| term(*v)).sum::<f32>()
    }

    /// Least and greatest value, NaN left out, 0 counted as one of the values; and a sum that is 0 if all are finite, NaN
    /// otherwise.
    #[inline(always)]
    pub(crate) fn range_with_zero(values: &[f32]) -> (f32, f32, f32) {
        let (mut low, mut high, mut damage) = ([0f32; LANES], [0f32; LANES], [0f32; LANES]);
        let mut take = |lane: usize, value: f32| {
            low[lane] = if value < low[lane] { value } else { low[lane] };
            high[lane] = if value > high[lane] { value } else { high[lane] };
            damage[lane] += value * 0.0;
        };
        let (chunks, rest) = values.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, value) in chunk.iter().enumerate() {
                take(lane, *value);
            }
        }
        for (lane, value) in rest.iter().enumerate() {
            take(lane, *value);
        }
        fold_range(&low, &high, &damage)
    }

    /// The end of [`range_with_zero`]. Inlined, it would make the compiler hold the lanes in pairs all along the loop.
    #[inline(never)]
    fn fold_range(low: &[f32; LANES], high: &[f32; LANES], damage: &[f32; LANES]) -> (f32, f32, f32) {
        (
            low.iter().fold(0.0, |least, value| if *value < least { *value } else { least }),
            high.iter().fold(0.0, |most, value| if *value > most { *value } else { most }),
            damage.iter().sum(),
        )
    }

    /// e^x to within 2 units in the last place for -87 <= x <= 88, clamped beyond; NaN stays NaN, so that damaged weights
    /// show. Branch-free, hence vectorised where libm's is not. Polynomial after Cephes' `expf`.
    #[inline(always)]
    pub(crate) fn exp(x: f32) -> f32 {
        const LOWEST: f32 = -87.0;
        const HIGHEST: f32 = 88.0;
        // Adding it rounds to a whole number, which its low bits then hold.
        const ROUND: f32 = 12_582_912.0;
        const LN2_HIGH: f32 = 0.693_359_4;
        const LN2_LOW: f32 = -2.121_944_4e-4;
        let x = if x < LOWEST { LOWEST } else { x };
        let x = if x > HIGHEST { HIGHEST } else { x };
        let rounded = x * std::f32::consts::LOG2_E + ROUND;
        let power = (rounded.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
        let whole = rounded - ROUND;
        let r = x - whole * LN2_HIGH - whole * LN2_LOW;
        let mut p = 1.987_569_2e-4;
        p = p * r + 1.398_2e-3;
        p = p * r + 8.333_452e-3;
        p = p * r + 4.166_579_6e-2;
        p = p * r + 1.666_666_5e-1;
        p = p * r + 0.5;
        let value = p * r * r + r + 1.0;
        value * f32::from_bits((power.wrapping_add(127) as u32) << 23)
    }
}

use inline::{exp, range_with_zero, sum_by};

for_each_isa! {
    /// RMS norm: `out = x / sqrt(mean(x²) + eps) * weight`; all three of one length.
    pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
        let factor = 1.0 / (sum_by(x, |v| v * v) / x.len() as f32 + eps).sqrt();
        for ((out, value), weight) in out.iter_mut().zip(x).zip(weight) {
            *out = value * factor * weight;
        }
    }
}

for_each_isa! {
    /// `out += rms_norm(x)`: the end of a residual branch.
    pub fn add_rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
        let factor = 1.0 / (sum_by(x, |v| v * v) / x.len() as f32 + eps).sqrt();
        for ((out, value), weight) in out.iter_mut().zip(x).zip(weight) {
            *out += value * factor * weight;
        }
    }
}

for_each_isa! {
    /// Layer norm: `out = (x - mean) / sqrt(variance + eps) * weight + bias`; all of one length.
    pub fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
        let mean = sum_by(x, |v| v) / x.len() as f32;
        let variance = sum_by(x, |v| (v - mean) * (v - mean)) / x.len() as f32;
        let factor = 1.0 / (variance + eps).sqrt();
        for (((out, value), weight), bias) in out.iter_mut().zip(x).zip(weight).zip(bias) {
            *out = (value - mean) * factor * weight + bias;
        }
    }
}

for_each_isa! {
    /// `out += x`.
    pub fn add(x: &[f32], out: &mut [f32]) {
        for (out, value) in out.iter_mut().zip(x) {
            *out += value;
        }
    }
}

for_each_isa! {
    /// `out *= x`.
    pub fn multiply(x: &[f32], out: &mut [f32]) {
        for (out, value) in out.iter_mut().zip(x) {
            *out *= value;
        }
    }
}

for_each_isa! {
    /// `values = gate(values)`.
    pub fn apply(gate: Gate, values: &mut [f32]) {
        gate.apply(values);
    }
}

for_each_isa! {
    /// `values *= factor`.
    pub fn scale(factor: f32, values: &mut [f32]) {
        values.iter_mut().for_each(|value| *value *= factor);
    }
}

for_each_isa! {
    /// Turns scores into weights that sum to 1, in place.
    pub fn softmax(scores: &mut [f32]) {
        let (chunks, rest) = scores.as_chunks::<LANES>();
        let mut lanes = [f32::NEG_INFINITY; LANES];
        for chunk in chunks {
            for lane in 0..LANES {
                lanes[lane] = if chunk[lane] > lanes[lane] { chunk[lane] } else { lanes[lane] };
            }
        }
        let highest = lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
        scores.iter_mut().for_each(|score| *score = exp(*score - highest));
        let factor = 1.0 / sum_by(scores, |v| v);
        scores.iter_mut().for_each(|score| *score *= factor);
    }
}

for_each_isa! {
    /// Turns pairs of values, one from either half of `head`, by the angles of a place: half as many cosines, then sines.
    ///
    /// # Panics
    /// If there are fewer angles than half the values.
    pub fn rotate(angles: &[f32], head: &mut [f32]) {
        let half = head.len() / 2;
        let (cosines, sines) = angles.split_at(half);
        let (low, high) = head.split_at_mut(half);
        for (((low, high), cos), sin) in low.iter_mut().zip(high).zip(cosines).zip(sines) {
            (*low, *high) = (*low * cos - *high * sin, *high * cos + *low * sin);
        }
    }
}

for_each_isa! {
    /// Rounds a row to numbers of 8 bits, filling up with zeros. Each group of [`GROUP`] values gets a scale and a zero, a
    /// whole number: `value ≈ scale * (number - zero)`. Their range is that of the group and of 0, which becomes the
    /// number `zero` exactly. A value that is not finite makes the scale NaN.
    ///
    /// # Panics
    /// If there are fewer numbers than values.
    pub fn round_to_u8(values: &[f32], numbers: &mut [u8], scales: &mut [f32], zeros: &mut [f32]) {
        // Adding it rounds to a whole number, halves to even, which its low bits then hold.
        const ROUND: f32 = 12_582_912.0;
        let (numbers, rest) = numbers.split_at_mut(values.len());
        rest.fill(0);
        let groups = values.chunks(GROUP).zip(numbers.chunks_mut(GROUP));
        for ((values, numbers), (scale, zero)) in groups.zip(scales.iter_mut().zip(zeros)) {
            let (low, high, damage) = range_with_zero(values);
            let step = (high - low) / 255.0;
            // Below, the factor would be infinite; groups as small as that are rounded to nothing.
            let factor = if step >= f32::MIN_POSITIVE { 1.0 / step } else { 0.0 };
            let middle = (-low * factor).round_ties_even();
            (*scale, *zero) = (step + damage, middle);
            for (number, value) in numbers.iter_mut().zip(values) {
                let at = value * factor + middle;
                // In this order NaN becomes 0.
                let at = if at > 0.0 { at } else { 0.0 };
                let at = if at < 255.0 { at } else { 255.0 };
                *number = (at + ROUND).to_bits() as u8;
            }
        }
    }
}

for_each_isa! {
    /// Rounds a row to bits of bf16, halves to even, filling up with zeros. NaN stays NaN.
    ///
    /// # Panics
    /// If there are fewer bits than values.
    pub fn round_to_bf16(values: &[f32], bits: &mut [u16]) {
        let (bits, rest) = bits.split_at_mut(values.len());
        for (bits, value) in bits.iter_mut().zip(values) {
            let wide = value.to_bits();
            let rounded = wide.wrapping_add(0x7fff + ((wide >> 16) & 1)) >> 16;
            *bits = if value.is_nan() { 0x7fc0 } else { rounded as u16 };
        }
        rest.fill(0);
    }
}
