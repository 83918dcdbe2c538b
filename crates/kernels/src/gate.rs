use serde::{Deserialize, Serialize};

use crate::vector::inline::exp;

/// A function of every value, between the products of a feed-forward layer or after one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Gate {
    /// None.
    Identity,
    /// `x/2 (1 + erf(x/√2))`.
    Gelu,
    /// GELU in its tanh form.
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
    /// `x / (1 + e^-x)`, also called swish.
    Silu,
    /// Hyperbolic tangent.
    Tanh,
}

impl Gate {
    #[inline(always)]
    pub(crate) fn apply(self, values: &mut [f32]) {
        match self {
            Self::Identity => {}
            Self::Gelu => values.iter_mut().for_each(|v| *v = gelu(*v)),
            Self::GeluTanh => values.iter_mut().for_each(|v| *v = gelu_tanh(*v)),
            Self::Relu => values.iter_mut().for_each(|v| *v = relu(*v)),
            Self::Silu => values.iter_mut().for_each(|v| *v = silu(*v)),
            Self::Tanh => values.iter_mut().for_each(|v| *v = tanh(*v)),
        }
    }
}

/// `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`, written as a logistic function.
#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
    silu_of(x, TWICE_SQRT_2_OVER_PI * x * (1.0 + 0.044715 * x * x))
}

/// `x / (1 + e^-x)`.
#[inline(always)]
fn silu(x: f32) -> f32 {
    silu_of(x, x)
}

#[inline(always)]
fn silu_of(x: f32, inner: f32) -> f32 {
    x / (1.0 + exp(-inner))
}

/// Hyperbolic tangent, to within 3e-7.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (1.0 + exp(2.0 * x))
}

/// `max(x, 0)`; NaN stays NaN, unlike with `max`.
#[inline(always)]
fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// `x/2 (1 + erf(x/√2))`.
#[inline(always)]
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// The error function to within 5e-7, a quotient of polynomials: Eigen's `generic_fast_erf_float`. Selections instead of
/// branches, hence vectorised. NaN stays NaN.
#[inline(always)]
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
