use rayon::prelude::*;

use super::config::Config;
use super::layer::{Layer, load_norm};
use super::names::Names;
use crate::ModelError;
use crate::backbone::{Backbone, Product, Watch};
use crate::batch::PackedTokens;
use crate::blocks::for_each_block;
use crate::layers::{RmsNorm, Rope, Sight};
use crate::weights::{Table, Weights};

/// The model with its weights; token embeddings stay in the mapped file.
pub(crate) struct Rotary {
    embeddings: Table,
    embedding_scale: f32,
    width: usize,
    layers: Vec<Layer>,
    last_norm: RmsNorm,
    full_rope: Rope,
    /// For layers with a window, if there are any.
    sliding_rope: Option<Rope>,
}

impl Rotary {
    /// Reads the weights that `config` calls for.
    pub(crate) fn load(config: Config, weights: &Weights) -> Result<Self, ModelError> {
        let names = Names::find(weights);
        let layers = (0..config.layers.len()).into_par_iter();
        let layers = layers.map(|at| Layer::load(&config, weights, &names, at));
        let rope = |theta: f64| Rope::new(theta, config.heads.width, config.max_positions);
        let windows = config.layers.iter().any(|sight| matches!(sight, Sight::Window(_)));
        let embeddings = format!("{}.weight", names.embeddings());
        Ok(Self {
            embeddings: weights.table(&embeddings, config.vocabulary, config.width)?,
            embedding_scale: config.embedding_scale,
            width: config.width,
            layers: layers.collect::<Result<_, _>>()?,
            last_norm: load_norm(&config, weights, &names.last_norm(), config.width, 1.0)?,
            full_rope: rope(config.full_theta),
            sliding_rope: windows.then(|| rope(config.sliding_theta)),
        })
    }

    /// Rows of the embedding table times the scale, `[tokens, width]`.
    fn embed(&self, ids: &[u32]) -> Vec<f32> {
        let mut states = vec![0.0; ids.len() * self.width];
        for_each_block(&mut states, self.width, |first, block| {
            for (out, id) in block.chunks_exact_mut(self.width).zip(&ids[first..]) {
                self.embeddings.copy_row(*id as usize, out);
                out.iter_mut().for_each(|value| *value *= self.embedding_scale);
            }
        });
        states
    }
}

impl Backbone for Rotary {
    fn forward(&self, batch: &PackedTokens, watch: &mut Watch<'_>) -> candle_core::Result<Vec<f32>> {
        let positions = batch.positions();
        let runs = batch.runs();
        let mut states = self.embed(batch.ids());
        for (at, layer) in self.layers.iter().enumerate() {
            let mut watch = |product: Product, rows: &[f32]| watch(at, product, rows);
            let rope = match (layer.sight(), &self.sliding_rope) {
                (Sight::Window(_), Some(rope)) => rope,
                _ => &self.full_rope,
            };
            layer.forward(&mut states, &positions, &runs, rope, &mut watch)?;
        }
        Ok(self.last_norm.apply(&states))
    }
}
