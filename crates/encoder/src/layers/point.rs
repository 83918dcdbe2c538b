use serde::{Deserialize, Serialize};
use crate::kernels::{exp, for_each_block};

/// The function between the two products of a feed-forward layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Nonlinearity {
    /// GELU by its definition, `x Φ(x)`.
    Gelu,
    /// GELU in its tanh form.
    GeluTanh,
    Relu,
    /// `x / (1 + e^-x)`, also called swish.
    Silu,
}

impl Nonlinearity {
    /// As configurations of transformers name it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "gelu" | "gelu_python" => Some(Self::Gelu),
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Some(Self::GeluTanh),
            "relu" => Some(Self::Relu),
            "silu" | "swish" => Some(Self::Silu),
            _ => None,
        }
    }

    /// As settings in a fingerprint name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu-tanh",
            Self::Relu => "relu",
            Self::Silu => "silu",
        }
    }

    /// The function of every value, row after row of `width` values.
    pub(crate) fn apply(self, values: &[f32], width: usize) -> Vec<f32> {
        match self {
            Self::Gelu => map(values, width, gelu),
            Self::GeluTanh => map(values, width, gelu_tanh),
            Self::Relu => map(values, width, relu),
            Self::Silu => map(values, width, silu),
        }
    }

    /// The function of the gate times up, for rows of `[gate | up]`, each `width` long.
    pub(crate) fn apply_gated(self, gate_up: &[f32], width: usize) -> Vec<f32> {
        match self {
            Self::Gelu => map_gated(gate_up, width, gelu),
            Self::GeluTanh => map_gated(gate_up, width, gelu_tanh),
            Self::Relu => map_gated(gate_up, width, relu),
            Self::Silu => map_gated(gate_up, width, silu),
        }
    }
}

fn map(values: &[f32], width: usize, function: impl Fn(f32) -> f32 + Sync) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for_each_block(&mut out, width, |first, block| {
        for (out, value) in block.iter_mut().zip(&values[first * width..]) {
            *out = function(*value);
        }
    });
    out
}

fn map_gated(gate_up: &[f32], width: usize, function: impl Fn(f32) -> f32 + Sync) -> Vec<f32> {
    let mut out = vec![0.0; gate_up.len() / 2];
    for_each_block(&mut out, width, |first, block| {
        let rows = gate_up[first * 2 * width..].chunks_exact(2 * width);
        for (out, row) in block.chunks_exact_mut(width).zip(rows) {
            let (gate, up) = row.split_at(width);
            for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
                *out = function(*gate) * up;
            }
        }
    });
    out
}

/// `x/2 (1 + erf(x/√2))`.
#[inline]
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`, written as a logistic function.
#[inline]
fn gelu_tanh(x: f32) -> f32 {
    const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
    let inner = TWICE_SQRT_2_OVER_PI * x * (1.0 + 0.044715 * x * x);
    x / (1.0 + exp(-inner))
}

/// NaN stays NaN, unlike with `max`.
#[inline]
fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

#[inline]
fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// The error function to within 5e-7, a quotient of polynomials: Eigen's `generic_fast_erf_float`. Selections instead of
/// branches, hence vectorised. NaN stays NaN.
#[inline]
fn erf(x: f32) -> f32 {
    let square = x * x;
    let mut above = -2.726_142_3e-10;
    above = above * square + 2.770_681_4e-8;
    above = above * square - 2.101_024e-6;
    above = above * square - 5.692_506_4e-5;
    above = above * square - 7.349_906_3e-4;
    above = above * square - 2.954_6e-3;
    above = above * square - 1.609_603_3e-2;
    let mut below = -1.456_607_2e-5;
    below = below * square - 2.133_740_6e-4;
    below = below * square - 1.682_827e-3;
    below = below * square - 7.373_329e-3;
    below = below * square - 1.426_473_9e-2;
    let value = x * above / below;
    // From here on ±1 in f32; exactly so, since GELU multiplies the rest by x.
    let value = if x >= 4.0 { 1.0 } else { value };
    if x <= -4.0 { -1.0 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The series of all positive terms, which loses no digits.
    fn exact_erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= 2.0 * x * x / f64::from(2 * n + 1);
            sum += term;
        }
        2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp() * sum
    }

    proptest! {
        #[test]
        fn erf_and_gelu_are_close(x in -6f32..6.0) {
            let x64 = f64::from(x);
            prop_assert!((f64::from(erf(x)) - exact_erf(x64)).abs() < 5e-7, "{x}: {}", erf(x));
            let want = 0.5 * x64 * (1.0 + exact_erf(x64 / 2f64.sqrt()));
            prop_assert!((f64::from(gelu(x)) - want).abs() < 1e-6, "{x}: {} is not {want}", gelu(x));
        }

        #[test]
        fn gelu_in_tanh_form_and_silu_are_close(x in -30f32..30.0) {
            let x64 = f64::from(x);
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x64 + 0.044715 * x64.powi(3));
            let want = 0.5 * x64 * (1.0 + inner.tanh());
            prop_assert!((f64::from(gelu_tanh(x)) - want).abs() < 1e-6 * want.abs().max(1.0), "{x}");
            let want = x64 / (1.0 + (-x64).exp());
            prop_assert!((f64::from(silu(x)) - want).abs() < 1e-6 * want.abs().max(1.0), "{x}");
        }
    }

    #[test]
    fn extremes_and_nan() {
        let all = [Nonlinearity::Gelu, Nonlinearity::GeluTanh, Nonlinearity::Relu, Nonlinearity::Silu];
        for function in all {
            let values = function.apply(&[f32::NAN, 0.0, 100.0, -100.0, 1e30], 5);
            assert!(values[0].is_nan(), "{function:?}");
            assert_eq!((values[1], values[2], values[4]), (0.0, 100.0, 1e30), "{function:?}");
            assert!(values[3].abs() < 1e-6, "{function:?}: {}", values[3]);
            assert_eq!(
                Nonlinearity::named(function.name().replace("gelu-tanh", "gelu_new").as_str()),
                Some(function)
            );
            let gated = function.apply_gated(&[100.0, 0.0, 2.0, 3.0], 2);
            assert_eq!(gated, [200.0, 0.0], "{function:?}");
        }
        assert_eq!(Nonlinearity::named("quick_gelu"), None);
    }
}
