use candle_core::{D, DType, Result, Tensor};
use xunpin_kernels::Gate;

/// A product with a weight matrix, `y = x Wᵀ + b`.
pub(super) struct Matrix {
    /// `[outputs, inputs]`, in the precision's numbers.
    pub(super) weight: Tensor,
    /// `[outputs]`, in f32.
    pub(super) bias: Option<Tensor>,
}

impl Matrix {
    /// `[rows, inputs]` in, `[rows, outputs]` out, both in f32. The product is rounded to the weights' numbers.
    pub(super) fn apply(&self, rows: &Tensor) -> Result<Tensor> {
        let product = rows.to_dtype(self.weight.dtype())?.matmul(&self.weight.t()?)?;
        let product = product.to_dtype(DType::F32)?;
        match &self.bias {
            Some(bias) => product.broadcast_add(bias),
            None => Ok(product),
        }
    }
}

/// RMS norm of the last dimension: `x / sqrt(mean(x²) + eps) * weight`.
pub(super) struct RmsNorm {
    pub(super) weight: Tensor,
    pub(super) eps: f64,
}

impl RmsNorm {
    pub(super) fn apply(&self, values: &Tensor) -> Result<Tensor> {
        scale_to_one(values, self.eps)?.broadcast_mul(&self.weight)
    }
}

/// Layer norm of the last dimension: `(x - mean(x)) / sqrt(var(x) + eps) * weight + bias`, with the variance of all values.
pub(super) struct LayerNorm {
    pub(super) weight: Tensor,
    pub(super) bias: Tensor,
    pub(super) eps: f64,
}

impl LayerNorm {
    pub(super) fn apply(&self, values: &Tensor) -> Result<Tensor> {
        let centred = values.broadcast_sub(&values.mean_keepdim(D::Minus1)?)?;
        scale_to_one(&centred, self.eps)?.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)
    }
}

/// `x / sqrt(mean(x²) + eps)` of the last dimension.
fn scale_to_one(values: &Tensor, eps: f64) -> Result<Tensor> {
    let root = (values.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
    values.broadcast_div(&root)
}

/// The function of every value.
pub(super) fn apply(gate: Gate, values: &Tensor) -> Result<Tensor> {
    match gate {
        Gate::Identity => Ok(values.clone()),
        Gate::Gelu => values.gelu_erf(),
        Gate::GeluTanh => values.gelu(),
        Gate::Relu => values.relu(),
        Gate::Silu => values.silu(),
        Gate::Tanh => values.tanh(),
        gate => candle_core::bail!("no tensor operation for {gate:?}"),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use xunpin_kernels::{Isa, vector};

    use super::*;

    #[test]
    fn functions_are_those_of_the_other_engines() {
        let values: Vec<f32> = (-400..400).map(|at| at as f32 / 40.0).collect();
        let tensor = Tensor::new(values.as_slice(), &Device::Cpu).unwrap();
        for gate in [Gate::Identity, Gate::Gelu, Gate::GeluTanh, Gate::Relu, Gate::Silu, Gate::Tanh] {
            let mut want = values.clone();
            vector::apply(Isa::detect(), gate, &mut want);
            let got = apply(gate, &tensor).unwrap().to_vec1::<f32>().unwrap();
            assert!(got.iter().zip(&want).all(|(got, want)| (got - want).abs() < 1e-5), "{gate:?}");
        }
    }

    #[test]
    fn norms_are_those_of_the_other_engines() {
        let width = 37;
        let values: Vec<f32> = (0..3 * width).map(|at| 10.0 + (at * 31 % 17) as f32 * 0.125).collect();
        let weight: Vec<f32> = (0..width).map(|at| 0.5 + at as f32 / 64.0).collect();
        let bias: Vec<f32> = (0..width).map(|at| at as f32 / 16.0 - 1.0).collect();
        let put = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
        let rows = put(&values).reshape((3, width)).unwrap();
        let rms = RmsNorm { weight: put(&weight), eps: 1e-6 }.apply(&rows).unwrap().to_vec2::<f32>().unwrap();
        let layer = LayerNorm { weight: put(&weight), bias: put(&bias), eps: 1e-12 };
        let layer = layer.apply(&rows).unwrap().to_vec2::<f32>().unwrap();
        for (at, row) in values.chunks_exact(width).enumerate() {
            let mut want = vec![0.0; width];
            vector::rms_norm(Isa::detect(), row, &weight, 1e-6, &mut want);
            assert!(rms[at].iter().zip(&want).all(|(got, want)| (got - want).abs() < 1e-5));
            vector::layer_norm(Isa::detect(), row, &weight, &bias, 1e-12, &mut want);
            assert!(layer[at].iter().zip(&want).all(|(got, want)| (got - want).abs() < 1e-4));
        }
    }
}
