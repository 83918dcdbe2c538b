use candle_core::{D, DType, Result, Tensor};
use xunpin_kernels::Gate;

use super::Model;
use super::attention::{Sights, attend};
use super::loader::{Loader, Target};
use super::padded::Padded;
use super::parts::{Matrix, RmsNorm, apply};
use crate::ModelError;
use crate::layers::{HeadShape, Rope, Sight};
use crate::rotary::names::{self, Names};
use crate::rotary::{Config, norm_weight};
use crate::weights::Weights;

/// A model with rotary positions; see [`crate::rotary`].
pub(super) struct Rotary {
    embeddings: Tensor,
    embedding_scale: f64,
    layers: Vec<Layer>,
    last_norm: RmsNorm,
    full_rope: Angles,
    /// For layers with a window, if there are any.
    sliding_rope: Option<Angles>,
}

impl Rotary {
    /// Reads the weights that `config` calls for.
    pub(super) fn load(
        config: &Config,
        weights: &Weights,
        target: &Target,
    ) -> std::result::Result<Self, ModelError> {
        let names = Names::find(weights);
        let loader = target.loader(weights);
        let angles = |theta: f64| Angles::new(theta, config, target);
        let windows = config.layers.iter().any(|sight| matches!(sight, Sight::Window(_)));
        let layers = (0..config.layers.len()).map(|at| Layer::load(config, &loader, &names, at));
        let last_norm = norm_weight(config, weights, &names.last_norm(), config.width, 1.0)?;
        Ok(Self {
            embeddings: loader.table(&names.embeddings(), config.vocabulary, config.width)?,
            embedding_scale: f64::from(config.embedding_scale),
            layers: layers.collect::<std::result::Result<_, _>>()?,
            last_norm: loader.rms_norm(last_norm, config.eps)?,
            full_rope: angles(config.full_theta)?,
            sliding_rope: windows.then(|| angles(config.sliding_theta)).transpose()?,
        })
    }
}

impl Model for Rotary {
    fn forward(&self, batch: &Padded<'_>) -> Result<Tensor> {
        let sights = batch.sights()?;
        let rows = self.embeddings.index_select(&batch.ids()?, 0)?;
        let mut states = (rows.to_dtype(DType::F32)? * self.embedding_scale)?;
        for layer in &self.layers {
            let angles = match (layer.sight, &self.sliding_rope) {
                (Sight::Window(_), Some(angles)) => angles,
                _ => &self.full_rope,
            };
            states = layer.forward(&states, batch, &sights, angles)?;
        }
        self.last_norm.apply(&states)
    }
}

/// Cosines and sines of all places.
struct Angles {
    /// `[positions, head width]`: in each row cosines, then sines; see [`Rope`].
    table: Tensor,
    half: usize,
}

impl Angles {
    fn new(theta: f64, config: &Config, target: &Target) -> std::result::Result<Self, ModelError> {
        let (width, positions) = (config.heads.width, config.max_positions);
        let table = Rope::new(theta, width, positions).into_table();
        Ok(Self { table: target.put(table, &[positions, width])?, half: width / 2 })
    }

    /// Turns heads `[texts, heads, longest, width]`: pairs of one value from either half.
    fn turn(&self, heads: &Tensor) -> Result<Tensor> {
        let here = self.table.narrow(0, 0, heads.dim(2)?)?;
        let [cos, sin] = [0, self.half].map(|from| here.narrow(1, from, self.half));
        let [low, high] = [0, self.half].map(|from| heads.narrow(D::Minus1, from, self.half));
        let (cos, sin, low, high) = (cos?, sin?, low?, high?);
        let turned_low = (low.broadcast_mul(&cos)? - high.broadcast_mul(&sin)?)?;
        let turned_high = (high.broadcast_mul(&cos)? + low.broadcast_mul(&sin)?)?;
        Tensor::cat(&[turned_low, turned_high], D::Minus1)
    }
}

/// As the layer of [`crate::rotary`].
struct Layer {
    sight: Sight,
    heads: HeadShape,
    before_attention: RmsNorm,
    qkv: Matrix,
    query_norm: RmsNorm,
    key_norm: RmsNorm,
    output: Matrix,
    after_attention: Option<RmsNorm>,
    before_mlp: RmsNorm,
    gate_up: Matrix,
    gate: Gate,
    inner_width: usize,
    down: Matrix,
    after_mlp: Option<RmsNorm>,
}

impl Layer {
    fn load(
        config: &Config,
        loader: &Loader<'_>,
        names: &Names,
        at: usize,
    ) -> std::result::Result<Self, ModelError> {
        let &Config { width, inner_width, heads, gate, norms, eps, .. } = config;
        let scaled_norm = |part: &str, length: usize, scale: f32| {
            let weight = norm_weight(config, loader.weights, &names.layer(at, part), length, scale)?;
            loader.rms_norm(weight, eps)
        };
        let norm = |part: &str| scaled_norm(part, width, 1.0);
        let matrix = |parts: &[(&str, usize)], inputs: usize| {
            let parts: Vec<_> =
                parts.iter().map(|(part, outputs)| (names.layer(at, part), *outputs)).collect();
            loader.matrix(&parts, inputs, false)
        };
        let (queries, keys) = (heads.queries(), heads.keys());
        Ok(Self {
            sight: config.layers[at],
            heads,
            before_attention: norm(norms.before_attention)?,
            qkv: matrix(&[(names::QUERY, queries), (names::KEY, keys), (names::VALUE, keys)], width)?,
            // Rotation keeps lengths, so the scale of the scores can go in here.
            query_norm: scaled_norm(names::QUERY_NORM, heads.width, config.scale)?,
            key_norm: scaled_norm(names::KEY_NORM, heads.width, 1.0)?,
            output: matrix(&[(names::OUTPUT, width)], queries)?,
            after_attention: norms.after_attention.map(norm).transpose()?,
            before_mlp: norm(norms.before_mlp)?,
            gate_up: matrix(&[(names::GATE, inner_width), (names::UP, inner_width)], width)?,
            gate,
            inner_width,
            down: matrix(&[(names::DOWN, width)], inner_width)?,
            after_mlp: norms.after_mlp.map(norm).transpose()?,
        })
    }

    /// Moves `states` `[texts * longest, width]` one layer up.
    fn forward(
        &self,
        states: &Tensor,
        batch: &Padded<'_>,
        sights: &Sights,
        angles: &Angles,
    ) -> Result<Tensor> {
        let qkv = self.qkv.apply(&self.before_attention.apply(states)?)?;
        let [queries, keys, values] = batch.split_heads(&qkv, self.heads)?;
        let queries = angles.turn(&self.query_norm.apply(&queries)?)?;
        let keys = angles.turn(&self.key_norm.apply(&keys)?)?;
        let attended = attend(&queries, &keys, &values, self.heads, sights, self.sight)?;
        let states = add_branch(states, self.output.apply(&attended)?, self.after_attention.as_ref())?;

        let gate_up = self.gate_up.apply(&self.before_mlp.apply(&states)?)?;
        let gates = apply(self.gate, &gate_up.narrow(1, 0, self.inner_width)?)?;
        let inner = (gates * gate_up.narrow(1, self.inner_width, self.inner_width)?)?;
        add_branch(&states, self.down.apply(&inner)?, self.after_mlp.as_ref())
    }
}

/// Adds a branch to the states it came from, through its last norm if there is one.
fn add_branch(states: &Tensor, branch: Tensor, norm: Option<&RmsNorm>) -> Result<Tensor> {
    match norm {
        Some(norm) => states + norm.apply(&branch)?,
        None => states + branch,
    }
}
