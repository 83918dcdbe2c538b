use xunpin_kernels::{Gate, Isa, vector};

use crate::ModelError;
use crate::folder::DenseConfig;
use crate::layers::gate::gate_name;
use crate::linear::Linear;
use crate::weights::Weights;

/// A dense layer as the fingerprint names it.
pub(crate) fn describe(config: &DenseConfig) -> String {
    format!("dense {} {}", config.outputs, gate_name(config.activation))
}

/// A layer between the pooled vector and the result.
pub(crate) struct Dense {
    linear: Linear,
    activation: Gate,
}

impl Dense {
    /// Reads the layer from its `weights`.
    pub(crate) fn load(config: &DenseConfig, weights: &Weights) -> Result<Self, ModelError> {
        let parts = [("linear".to_owned(), config.outputs)];
        Ok(Self {
            linear: Linear::load(weights, &parts, config.inputs, config.bias)?,
            activation: config.activation,
        })
    }

    /// `[rows, inputs]` in, `[rows, outputs]` out.
    pub(crate) fn apply(&self, rows: Vec<f32>) -> candle_core::Result<Vec<f32>> {
        let mut out = self.linear.apply(rows)?.read(<[f32]>::to_vec)?;
        vector::apply(Isa::detect(), self.activation, &mut out);
        Ok(out)
    }
}
