use candle_core::{DType, Result, Tensor};
use xunpin_kernels::Gate;

use super::Model;
use super::attention::{Sights, attend};
use super::loader::{Loader, Target};
use super::padded::Padded;
use super::parts::{LayerNorm, Matrix, apply};
use crate::ModelError;
use crate::bert::names::{self, Names};
use crate::bert::{Config, place_rows};
use crate::layers::{HeadShape, Sight};
use crate::weights::Weights;

/// A model of BERT's family; see [`crate::bert`].
pub(super) struct Bert {
    words: Tensor,
    /// Rows for places, the token type's included.
    places: Tensor,
    /// As in [`Config`].
    padding: Option<u32>,
    embedding_norm: LayerNorm,
    layers: Vec<Layer>,
}

impl Bert {
    /// Reads the weights that `config` calls for.
    pub(super) fn load(
        config: &Config,
        weights: &Weights,
        target: &Target,
    ) -> std::result::Result<Self, ModelError> {
        let names = Names::find(weights);
        let loader = target.loader(weights);
        let positions =
            loader.exact_table(&names.of(names::POSITIONS), config.position_rows, config.width)?;
        let types = loader.exact_table(&names.of(names::TOKEN_TYPES), config.token_types, config.width)?;
        // A text on its own is of token type 0 throughout.
        let places = types.get(0).and_then(|token_type| positions.broadcast_add(&token_type));
        let layers = (0..config.layers).map(|at| Layer::load(config, &loader, &names, at));
        Ok(Self {
            words: loader.table(&names.of(names::WORDS), config.vocabulary, config.width)?,
            places: target.done(places)?,
            padding: config.padding,
            embedding_norm: loader.layer_norm(&names.of(names::EMBEDDING_NORM), config.width, config.eps)?,
            layers: layers.collect::<std::result::Result<_, _>>()?,
        })
    }
}

impl Model for Bert {
    fn forward(&self, batch: &Padded<'_>) -> Result<Tensor> {
        let sights = batch.sights()?;
        let words = self.words.index_select(&batch.ids()?, 0)?.to_dtype(DType::F32)?;
        let rows = batch.numbers(|text, out| {
            let mut rows = Vec::with_capacity(text.len());
            place_rows(self.padding, text, &mut rows);
            out.extend(rows.into_iter().map(|row| row as u32));
        })?;
        let places = self.places.index_select(&rows, 0)?;
        let mut states = self.embedding_norm.apply(&(words + places)?)?;
        for layer in &self.layers {
            states = layer.forward(&states, batch, &sights)?;
        }
        Ok(states)
    }
}

/// As the layer of [`crate::bert`].
struct Layer {
    heads: HeadShape,
    scale: f64,
    qkv: Matrix,
    output: Matrix,
    attention_norm: LayerNorm,
    up: Matrix,
    function: Gate,
    down: Matrix,
    mlp_norm: LayerNorm,
}

impl Layer {
    fn load(
        config: &Config,
        loader: &Loader<'_>,
        names: &Names,
        at: usize,
    ) -> std::result::Result<Self, ModelError> {
        let &Config { width, inner_width, heads, scale, function, eps, .. } = config;
        let norm = |part: &str| loader.layer_norm(&names.layer(at, part), width, eps);
        let matrix = |parts: &[&str], inputs: usize, outputs: usize| {
            let parts: Vec<_> = parts.iter().map(|part| (names.layer(at, part), outputs)).collect();
            loader.matrix(&parts, inputs, true)
        };
        Ok(Self {
            heads,
            scale: f64::from(scale),
            qkv: matrix(&[names::QUERY, names::KEY, names::VALUE], width, width)?,
            output: matrix(&[names::OUTPUT], width, width)?,
            attention_norm: norm(names::ATTENTION_NORM)?,
            up: matrix(&[names::UP], width, inner_width)?,
            function,
            down: matrix(&[names::DOWN], inner_width, width)?,
            mlp_norm: norm(names::MLP_NORM)?,
        })
    }

    /// Moves `states` `[texts * longest, width]` one layer up.
    fn forward(&self, states: &Tensor, batch: &Padded<'_>, sights: &Sights) -> Result<Tensor> {
        let [queries, keys, values] = batch.split_heads(&self.qkv.apply(states)?, self.heads)?;
        let queries = (queries * self.scale)?;
        let attended = attend(&queries, &keys, &values, self.heads, sights, Sight::Full)?;
        let states = self.attention_norm.apply(&(states + self.output.apply(&attended)?)?)?;

        let inner = apply(self.function, &self.up.apply(&states)?)?;
        self.mlp_norm.apply(&(&states + self.down.apply(&inner)?)?)
    }
}
