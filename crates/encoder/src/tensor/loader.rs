use candle_core::{DType, Tensor};
use safetensors::Dtype;

use super::parts::{LayerNorm, Matrix, RmsNorm};
use crate::weights::Weights;
use crate::{Device, ModelError, Precision};

/// Where a model goes, and in which numbers.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// As the caller names it, for errors.
    name: Device,
    pub(super) device: candle_core::Device,
    /// Of the matrices; all else is f32.
    numbers: DType,
}

impl Target {
    /// Opens the device, unless the precision has no numbers there.
    pub(crate) fn new(name: Device, precision: Precision) -> Result<Self, ModelError> {
        let numbers = match precision {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
            Precision::Int8 => return Err(ModelError::DevicePrecision { device: name, precision }),
        };
        Ok(Self { name, device: name.open()?, numbers })
    }

    /// The tensors of `weights`, put here.
    pub(super) fn loader<'a>(&'a self, weights: &'a Weights) -> Loader<'a> {
        Loader { target: self, weights }
    }

    /// A result of an operation on this device while a model is loaded.
    pub(super) fn done<T>(&self, result: candle_core::Result<T>) -> Result<T, ModelError> {
        result.map_err(|source| self.name.failed(source))
    }

    /// Values made in main memory.
    pub(super) fn put(&self, values: Vec<f32>, shape: &[usize]) -> Result<Tensor, ModelError> {
        self.done(Tensor::from_vec(values, shape, &self.device))
    }
}

/// Puts the tensors of one folder on a device.
pub(super) struct Loader<'a> {
    pub(super) target: &'a Target,
    pub(super) weights: &'a Weights,
}

impl Loader<'_> {
    /// Tensor `name`, which must have `shape`, in `numbers`.
    fn tensor(&self, name: &str, shape: &[usize], numbers: DType) -> Result<Tensor, ModelError> {
        let (bytes, kind) = self.weights.bytes(name, shape)?;
        let kind = match kind {
            Dtype::BF16 => DType::BF16,
            Dtype::F16 => DType::F16,
            _ => DType::F32,
        };
        // Converted there, which takes no room in main memory.
        let put = Tensor::from_raw_buffer(bytes, kind, shape, &self.target.device);
        self.target.done(put.and_then(|tensor| tensor.to_dtype(numbers)))
    }

    /// `[rows, width]`, from which rows are taken.
    pub(super) fn table(&self, name: &str, rows: usize, width: usize) -> Result<Tensor, ModelError> {
        self.tensor(&format!("{name}.weight"), &[rows, width], self.target.numbers)
    }

    /// The same in f32.
    pub(super) fn exact_table(&self, name: &str, rows: usize, width: usize) -> Result<Tensor, ModelError> {
        self.tensor(&format!("{name}.weight"), &[rows, width], DType::F32)
    }

    /// Layers by name and outputs, one under the other, so that one product serves all; as
    /// [`Linear::load`](crate::linear::Linear::load).
    pub(super) fn matrix(
        &self,
        parts: &[(String, usize)],
        inputs: usize,
        biased: bool,
    ) -> Result<Matrix, ModelError> {
        let mut weights = Vec::with_capacity(parts.len());
        let mut biases = Vec::new();
        for (name, outputs) in parts {
            weights.push(self.tensor(&format!("{name}.weight"), &[*outputs, inputs], self.target.numbers)?);
            if biased {
                biases.push(self.tensor(&format!("{name}.bias"), &[*outputs], DType::F32)?);
            }
        }
        let join = |tensors: &[Tensor]| self.target.done(Tensor::cat(tensors, 0));
        Ok(Matrix { weight: join(&weights)?, bias: if biased { Some(join(&biases)?) } else { None } })
    }

    /// An RMS norm whose weights are made in main memory.
    pub(super) fn rms_norm(&self, weight: Vec<f32>, eps: f64) -> Result<RmsNorm, ModelError> {
        let width = weight.len();
        Ok(RmsNorm { weight: self.target.put(weight, &[width])?, eps })
    }

    /// The layer norm of that name.
    pub(super) fn layer_norm(&self, name: &str, width: usize, eps: f64) -> Result<LayerNorm, ModelError> {
        let vector = |part: &str| self.tensor(&format!("{name}.{part}"), &[width], DType::F32);
        Ok(LayerNorm { weight: vector("weight")?, bias: vector("bias")?, eps })
    }
}
