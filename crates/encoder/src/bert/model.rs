use rayon::prelude::*;

use super::config::{Config, place_rows};
use super::layer::{Layer, load_norm};
use super::names::{self, Names};
use crate::ModelError;
use crate::backbone::{Backbone, Product, Watch};
use crate::batch::PackedTokens;
use crate::blocks::for_each_block;
use crate::layers::LayerNorm;
use crate::weights::{Table, Weights};

/// The model with its weights; the embeddings of tokens and positions stay in the mapped file.
pub(crate) struct Bert {
    config: Config,
    words: Table,
    positions: Table,
    /// The embedding of token type 0, which all tokens are of.
    token_type: Vec<f32>,
    embedding_norm: LayerNorm,
    layers: Vec<Layer>,
}

impl Bert {
    /// Reads the weights that `config` calls for.
    pub(crate) fn load(config: Config, weights: &Weights) -> Result<Self, ModelError> {
        let names = Names::find(weights);
        let layers = (0..config.layers).into_par_iter();
        let layers = layers.map(|at| Layer::load(&config, weights, &names, at));
        let table =
            |part: &str, rows| weights.table(&format!("{}.weight", names.of(part)), rows, config.width);
        let mut token_type = vec![0.0; config.width];
        table(names::TOKEN_TYPES, config.token_types)?.copy_row(0, &mut token_type);
        Ok(Self {
            words: table(names::WORDS, config.vocabulary)?,
            positions: table(names::POSITIONS, config.position_rows)?,
            token_type,
            embedding_norm: load_norm(&config, weights, &names.of(names::EMBEDDING_NORM))?,
            layers: layers.collect::<Result<_, _>>()?,
            config,
        })
    }

    /// The norm of token, type and position together, `[tokens, width]`.
    fn embed(&self, batch: &PackedTokens) -> Vec<f32> {
        let (ids, width) = (batch.ids(), self.config.width);
        let mut positions = Vec::with_capacity(ids.len());
        for range in batch.ranges() {
            place_rows(self.config.padding, &ids[range], &mut positions);
        }
        let mut states = vec![0.0; ids.len() * width];
        for_each_block(&mut states, width, |first, block| {
            let (mut row, mut position) = (vec![0.0; width], vec![0.0; width]);
            for (at, out) in block.chunks_exact_mut(width).enumerate() {
                self.words.copy_row(ids[first + at] as usize, &mut row);
                self.positions.copy_row(positions[first + at], &mut position);
                for ((value, token_type), position) in row.iter_mut().zip(&self.token_type).zip(&position) {
                    *value += token_type + position;
                }
                self.embedding_norm.apply_row(&row, out);
            }
        });
        states
    }
}

impl Backbone for Bert {
    fn forward(&self, batch: &PackedTokens, watch: &mut Watch<'_>) -> candle_core::Result<Vec<f32>> {
        let runs = batch.runs();
        let mut states = self.embed(batch);
        for (at, layer) in self.layers.iter().enumerate() {
            let mut watch = |product: Product, rows: &[f32]| watch(at, product, rows);
            layer.forward(&mut states, &runs, &mut watch)?;
        }
        Ok(states)
    }
}
