use rayon::prelude::*;

use super::config::{Config, Sight};
use super::layer::Layer;
use super::rope::Rope;
use crate::ModelError;
use crate::backbone::Backbone;
use crate::batch::PackedTokens;
use crate::kernels::{RmsNorm, for_each_block};
use crate::weights::{Table, Weights};

/// The model with its weights; token embeddings stay in the mapped file.
pub(crate) struct Gemma3 {
    embeddings: Table,
    width: usize,
    max_positions: usize,
    layers: Vec<Layer>,
    last_norm: RmsNorm,
    full_rope: Rope,
    sliding_rope: Rope,
}

impl Gemma3 {
    /// Reads the weights that `config` calls for.
    pub(crate) fn load(config: Config, weights: &Weights) -> Result<Self, ModelError> {
        // Saved on its own the model has bare names, saved inside another one a prefix.
        let prefix = if weights.contains("model.embed_tokens.weight") { "model." } else { "" };
        let name = |part: &str| format!("{prefix}{part}.weight");
        let layers =
            (0..config.layers.len()).into_par_iter().map(|at| Layer::load(&config, weights, prefix, at));
        let rope = |theta: f64| Rope::new(theta, config.head_width, config.max_positions);
        Ok(Self {
            embeddings: weights.table(&name("embed_tokens"), config.vocabulary, config.width)?,
            width: config.width,
            max_positions: config.max_positions,
            layers: layers.collect::<Result<_, _>>()?,
            last_norm: RmsNorm::new(&weights.vector(&name("norm"), config.width)?, config.eps, 1.0),
            full_rope: rope(config.full_theta),
            sliding_rope: rope(config.sliding_theta),
        })
    }

    /// Rows of the embedding table times the root of the width, `[tokens, width]`.
    fn embed(&self, ids: &[u32]) -> Vec<f32> {
        let scale = (self.width as f64).sqrt() as f32;
        let mut states = vec![0.0; ids.len() * self.width];
        for_each_block(&mut states, self.width, |first, block| {
            for (out, id) in block.chunks_exact_mut(self.width).zip(&ids[first..]) {
                self.embeddings.copy_row(*id as usize, out);
                out.iter_mut().for_each(|value| *value *= scale);
            }
        });
        states
    }
}

impl Backbone for Gemma3 {
    fn width(&self) -> usize {
        self.width
    }

    fn vocabulary(&self) -> usize {
        self.embeddings.rows()
    }

    fn max_positions(&self) -> usize {
        self.max_positions
    }

    fn forward(&self, batch: &PackedTokens) -> candle_core::Result<Vec<f32>> {
        let positions = batch.positions();
        let runs = batch.runs();
        let mut states = self.embed(batch.ids());
        for layer in &self.layers {
            let rope = match layer.sight() {
                Sight::Full => &self.full_rope,
                Sight::Window(_) => &self.sliding_rope,
            };
            layer.forward(&mut states, &positions, &runs, rope)?;
        }
        self.last_norm.apply_in_place(&mut states);
        Ok(states)
    }
}
