//! What the tests of this crate share.
#![allow(dead_code, reason = "every test file uses its own part")]

use xunpin_kernels::{Activations, Isa, PANEL, Precision};

/// Numbers that look random and are the same every time.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    /// From -1 to 1.
    pub(crate) fn unit(&mut self) -> f32 {
        self.bits() as f32 / (u32::MAX / 2) as f32 - 1.0
    }

    pub(crate) fn units(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.unit()).collect()
    }

    /// A weight from -127 to 127.
    pub(crate) fn weight(&mut self) -> i8 {
        (((self.bits() >> 8) % 255) as i32 - 127) as i8
    }
}

/// Rows of `width` values made ready to be multiplied.
pub(crate) fn activations(precision: Precision, isa: Isa, rows: &[f32], width: usize) -> Activations {
    let new = Activations::new(precision, rows.len() / width, width);
    for (at, row) in rows.chunks_exact(width).enumerate() {
        // SAFETY: there is no other thread.
        unsafe { new.set_row(isa, at, row) };
    }
    new
}

/// Weights `[outputs, inputs]` in panels, by the description of the layout.
pub(crate) fn packed<T: Copy + Default>(
    weights: &[T],
    inputs: usize,
    outputs: usize,
    per_step: usize,
) -> Vec<T> {
    let steps = inputs.div_ceil(per_step);
    let mut packed = Vec::new();
    for panel in 0..outputs.div_ceil(PANEL) {
        for step in 0..steps {
            for lane in 0..PANEL {
                for at in 0..per_step {
                    let (output, input) = (panel * PANEL + lane, step * per_step + at);
                    let inside = output < outputs && input < inputs;
                    packed.push(if inside { weights[output * inputs + input] } else { T::default() });
                }
            }
        }
    }
    packed
}

/// Bits of values, so that NaN equals itself and 0 differs from -0.
pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// `0..count` in so many ranges of about equal length.
pub(crate) fn divided(count: usize, parts: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..parts).map(move |part| count * part / parts..count * (part + 1) / parts)
}
