use std::sync::{Mutex, PoisonError};

use candle_core::Tensor;
use xunpin_core::EncodeError;
use xunpin_kernels::Gate;

use super::Model;
use super::bert::Bert;
use super::loader::Target;
use super::padded::{Padded, plan};
use super::parts::{Matrix, apply};
use super::rotary::Rotary;
use crate::ModelError;
use crate::backbone::Architecture;
use crate::pooling::Pooling;
use crate::source::Source;
use crate::workers::Workers;

/// Runs a model on a device of candle's.
pub(crate) struct TensorEngine {
    device: candle_core::Device,
    model: Box<dyn Model>,
    pooling: Pooling,
    /// With the function after each.
    dense: Vec<(Matrix, Gate)>,
    dimension: usize,
    batch_tokens: usize,
    /// For what is done on the processor: making tokens.
    workers: Workers,
    /// Held by whoever computes: batches at the same time would only share the device, and its memory.
    turn: Mutex<()>,
}

impl TensorEngine {
    /// Puts the weights on the device.
    pub(crate) fn new(
        source: &Source,
        target: Target,
        threads: Option<usize>,
        batch_tokens: usize,
    ) -> Result<Self, ModelError> {
        let model: Box<dyn Model> = match &source.architecture {
            Architecture::Rotary(_, config) => Box::new(Rotary::load(config, &source.weights, &target)?),
            Architecture::Bert(_, config) => Box::new(Bert::load(config, &source.weights, &target)?),
        };
        let mut dense = Vec::with_capacity(source.dense.len());
        for (config, weights) in source.folder.dense.iter().zip(&source.dense) {
            let parts = [("linear".to_owned(), config.outputs)];
            let matrix = target.loader(weights).matrix(&parts, config.inputs, config.bias)?;
            dense.push((matrix, config.activation));
        }
        Ok(Self {
            model,
            pooling: Pooling::new(&source.folder.pooling),
            dense,
            dimension: source.folder.dense.last().map_or(source.architecture.width(), |dense| dense.outputs),
            batch_tokens,
            workers: Workers::new(threads)?,
            turn: Mutex::new(()),
            device: target.device,
        })
    }

    /// Threads beside the device.
    pub(crate) fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Vectors of texts given as token ids, not normalised, each of the model's dimension.
    pub(crate) fn vectors(&self, ids: &[Vec<u32>], prompt: usize) -> Result<Vec<Vec<f32>>, EncodeError> {
        let lengths: Vec<usize> = ids.iter().map(Vec::len).collect();
        let mut vectors = vec![Vec::new(); ids.len()];
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        for batch in plan(&lengths, self.batch_tokens) {
            let texts: Vec<&[u32]> = batch.iter().map(|&text| ids[text].as_slice()).collect();
            let tokens = texts.iter().map(|text| text.len()).sum();
            let rows = match tokens {
                0 => vec![vec![0.0; self.dimension]; texts.len()],
                _ => self.run(&texts, prompt).map_err(|source| EncodeError::Compute {
                    texts: texts.len(),
                    tokens,
                    source: Box::new(source),
                })?,
            };
            for (text, row) in batch.into_iter().zip(rows) {
                vectors[text] = row;
            }
        }
        Ok(vectors)
    }

    /// One batch: `[texts, dimension]`.
    fn run(&self, texts: &[&[u32]], prompt: usize) -> candle_core::Result<Vec<Vec<f32>>> {
        let batch = Padded::new(texts.to_vec(), &self.device);
        let states = self.model.forward(&batch)?;
        let mut rows: Tensor = batch.pool(&states, &self.pooling, prompt)?;
        for (matrix, function) in &self.dense {
            rows = apply(*function, &matrix.apply(&rows)?)?;
        }
        rows.to_vec2()
    }
}
