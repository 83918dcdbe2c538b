use candle_core::Result;
use xunpin_kernels::Gate;

use super::config::Config;
use super::names::{self, Names};
use crate::ModelError;
use crate::backbone::Product;
use crate::batch::Run;
use crate::layers::gate::apply;
use crate::layers::{HeadShape, Heads, LayerNorm, Sight};
use crate::linear::Linear;
use crate::weights::Weights;

/// One layer: attention, then a feed-forward layer, each added to its input and followed by a norm.
pub(super) struct Layer {
    heads: HeadShape,
    scale: f32,
    /// Queries, keys and values in one product.
    qkv: Linear,
    output: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    function: Gate,
    inner_width: usize,
    down: Linear,
    mlp_norm: LayerNorm,
}

impl Layer {
    /// Reads layer `at`.
    pub(super) fn load(
        config: &Config,
        weights: &Weights,
        names: &Names,
        at: usize,
    ) -> std::result::Result<Self, ModelError> {
        let &Config { width, inner_width, heads, scale, function, .. } = config;
        let norm = |part: &str| load_norm(config, weights, &names.layer(at, part));
        let linear = |parts: &[(&str, usize)], inputs: usize| {
            let parts: Vec<_> =
                parts.iter().map(|(part, outputs)| (names.layer(at, part), *outputs)).collect();
            Linear::load(weights, &parts, inputs, true)
        };
        Ok(Self {
            heads,
            scale,
            qkv: linear(&[(names::QUERY, width), (names::KEY, width), (names::VALUE, width)], width)?,
            output: linear(&[(names::OUTPUT, width)], width)?,
            attention_norm: norm(names::ATTENTION_NORM)?,
            up: linear(&[(names::UP, inner_width)], width)?,
            function,
            inner_width,
            down: linear(&[(names::DOWN, width)], inner_width)?,
            mlp_norm: norm(names::MLP_NORM)?,
        })
    }

    /// Moves `states` `[tokens, width]` one layer up.
    pub(super) fn forward(
        &self,
        states: &mut [f32],
        runs: &[Run],
        watch: &mut dyn FnMut(Product, &[f32]),
    ) -> Result<()> {
        watch(Product::Qkv, states);
        let qkv = self.qkv.apply(states.to_vec())?;
        let query = |_: usize, values: &[f32], out: &mut [f32]| {
            out.iter_mut().zip(values).for_each(|(out, value)| *out = value * self.scale);
        };
        let key = |_: usize, values: &[f32], out: &mut [f32]| out.copy_from_slice(values);
        let heads = qkv.read(|qkv| Heads::split(qkv, self.heads, query, key))?;
        drop(qkv);
        let attended = heads.attend(runs, Sight::Full)?;
        watch(Product::Output, &attended);
        let attended = self.output.apply(attended)?;
        attended.read(|attended| self.attention_norm.add_and_apply(states, attended))?;
        drop(attended);

        watch(Product::Up, states);
        let up = self.up.apply(states.to_vec())?;
        let inner = up.read(|up| apply(self.function, up, self.inner_width))?;
        drop(up);
        watch(Product::Down, &inner);
        self.down.apply(inner)?.read(|branch| self.mlp_norm.add_and_apply(states, branch))
    }
}

/// The norm of that name.
pub(super) fn load_norm(
    config: &Config,
    weights: &Weights,
    name: &str,
) -> std::result::Result<LayerNorm, ModelError> {
    let vector = |part: &str| weights.vector(&format!("{name}.{part}"), config.width);
    Ok(LayerNorm::new(vector("weight")?, vector("bias")?, config.eps))
}
