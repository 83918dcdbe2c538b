use candle_core::Result;
use xunpin_kernels::{Gate, Isa, vector};

use super::config::Config;
use super::names::{self, Names};
use crate::ModelError;
use crate::backbone::Product;
use crate::batch::Run;
use crate::blocks::for_each_block;
use crate::layers::gate::apply_gated;
use crate::layers::{HeadShape, Heads, RmsNorm, Rope, Sight};
use crate::linear::Linear;
use crate::weights::Weights;

/// One layer: attention, then a gated feed-forward layer, each after a norm, if need be before another, and added to
/// its input.
pub(super) struct Layer {
    sight: Sight,
    /// Length of a token's state.
    width: usize,
    heads: HeadShape,
    before_attention: RmsNorm,
    /// Queries, keys and values in one product.
    qkv: Linear,
    query_norm: RmsNorm,
    key_norm: RmsNorm,
    output: Linear,
    after_attention: Option<RmsNorm>,
    before_mlp: RmsNorm,
    /// Gate and up in one product.
    gate_up: Linear,
    gate: Gate,
    down: Linear,
    inner_width: usize,
    after_mlp: Option<RmsNorm>,
}

impl Layer {
    /// Reads layer `at`.
    pub(super) fn load(
        config: &Config,
        weights: &Weights,
        names: &Names,
        at: usize,
    ) -> std::result::Result<Self, ModelError> {
        let &Config { width, inner_width, heads, gate, norms, .. } = config;
        let norm = |part: &str| load_norm(config, weights, &names.layer(at, part), width, 1.0);
        let head_norm =
            |part: &str, scale: f32| load_norm(config, weights, &names.layer(at, part), heads.width, scale);
        let linear = |parts: &[(&str, usize)], inputs: usize| {
            let parts: Vec<_> =
                parts.iter().map(|(part, outputs)| (names.layer(at, part), *outputs)).collect();
            Linear::load(weights, &parts, inputs, false)
        };
        let (queries, keys) = (heads.queries(), heads.keys());
        Ok(Self {
            sight: config.layers[at],
            width,
            heads,
            before_attention: norm(norms.before_attention)?,
            qkv: linear(&[(names::QUERY, queries), (names::KEY, keys), (names::VALUE, keys)], width)?,
            // Rotation keeps lengths, so the scale of the scores can go in here.
            query_norm: head_norm(names::QUERY_NORM, config.scale)?,
            key_norm: head_norm(names::KEY_NORM, 1.0)?,
            output: linear(&[(names::OUTPUT, width)], queries)?,
            after_attention: norms.after_attention.map(norm).transpose()?,
            before_mlp: norm(norms.before_mlp)?,
            gate_up: linear(&[(names::GATE, inner_width), (names::UP, inner_width)], width)?,
            gate,
            down: linear(&[(names::DOWN, width)], inner_width)?,
            inner_width,
            after_mlp: norms.after_mlp.map(norm).transpose()?,
        })
    }

    pub(super) fn sight(&self) -> Sight {
        self.sight
    }

    /// Moves `states` `[tokens, width]` one layer up. `positions` holds the place of every token in its text.
    pub(super) fn forward(
        &self,
        states: &mut [f32],
        positions: &[usize],
        runs: &[Run],
        rope: &Rope,
        watch: &mut dyn FnMut(Product, &[f32]),
    ) -> Result<()> {
        let input = self.before_attention.apply(states);
        watch(Product::Qkv, &input);
        let qkv = self.qkv.apply(input)?;
        let turn = |norm: &RmsNorm, token: usize, values: &[f32], out: &mut [f32]| {
            norm.apply_row(values, out);
            rope.rotate(out, positions[token]);
        };
        let heads = qkv.read(|qkv| {
            let query =
                |token: usize, values: &[f32], out: &mut [f32]| turn(&self.query_norm, token, values, out);
            let key =
                |token: usize, values: &[f32], out: &mut [f32]| turn(&self.key_norm, token, values, out);
            Heads::split(qkv, self.heads, query, key)
        })?;
        drop(qkv);
        let attended = heads.attend(runs, self.sight)?;
        watch(Product::Output, &attended);
        let attended = self.output.apply(attended)?;
        attended.read(|attended| add_branch(states, attended, self.width, self.after_attention.as_ref()))?;
        drop(attended);

        let input = self.before_mlp.apply(states);
        watch(Product::Up, &input);
        let gate_up = self.gate_up.apply(input)?;
        let inner = gate_up.read(|gate_up| apply_gated(self.gate, gate_up, self.inner_width))?;
        drop(gate_up);
        watch(Product::Down, &inner);
        self.down.apply(inner)?.read(|branch| add_branch(states, branch, self.width, self.after_mlp.as_ref()))
    }
}

/// Adds a branch to the states it came from, through its last norm if there is one.
fn add_branch(states: &mut [f32], branch: &[f32], width: usize, norm: Option<&RmsNorm>) {
    match norm {
        Some(norm) => norm.add_to(states, branch),
        None => for_each_block(states, width, |first, block| {
            vector::add(Isa::detect(), &branch[first * width..], block);
        }),
    }
}

/// The norm of that name; see [`norm_weight`].
pub(super) fn load_norm(
    config: &Config,
    weights: &Weights,
    name: &str,
    length: usize,
    scale: f32,
) -> std::result::Result<RmsNorm, ModelError> {
    Ok(RmsNorm::new(norm_weight(config, weights, name, length, scale)?, config.eps))
}

/// What the norm of that name multiplies with, times `scale`.
pub(crate) fn norm_weight(
    config: &Config,
    weights: &Weights,
    name: &str,
    length: usize,
    scale: f32,
) -> std::result::Result<Vec<f32>, ModelError> {
    let mut weight = weights.vector(&format!("{name}.weight"), length)?;
    weight.iter_mut().for_each(|w| *w = (config.norm_offset + *w) * scale);
    Ok(weight)
}
