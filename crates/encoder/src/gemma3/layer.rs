use candle_core::Result;

use super::attention::Heads;
use super::config::{Config, Sight};
use super::rope::Rope;
use crate::ModelError;
use crate::batch::Run;
use crate::kernels::{RmsNorm, for_each_block, gated_gelu};
use crate::linear::Linear;
use crate::weights::Weights;

/// One layer: attention, then a gated feed-forward layer, each between two norms and added to its input.
pub(super) struct Layer {
    sight: Sight,
    heads: usize,
    kv_heads: usize,
    head_width: usize,
    before_attention: RmsNorm,
    /// Queries, keys and values in one product.
    qkv: Linear,
    query_norm: RmsNorm,
    key_norm: RmsNorm,
    output: Linear,
    after_attention: RmsNorm,
    before_mlp: RmsNorm,
    /// Gate and up in one product.
    gate_up: Linear,
    down: Linear,
    inner_width: usize,
    after_mlp: RmsNorm,
}

impl Layer {
    /// Reads layer `at`; `prefix` comes before every tensor's name.
    pub(super) fn load(
        config: &Config,
        weights: &Weights,
        prefix: &str,
        at: usize,
    ) -> std::result::Result<Self, ModelError> {
        let &Config { width, inner_width, heads, kv_heads, head_width, eps, scale, .. } = config;
        let name = |part: &str| format!("{prefix}layers.{at}.{part}.weight");
        let norm = |part: &str, length: usize, scale: f32| {
            Ok::<_, ModelError>(RmsNorm::new(&weights.vector(&name(part), length)?, eps, scale))
        };
        let linear = |parts: &[(&str, usize)], inputs: usize| {
            let parts: Vec<_> = parts.iter().map(|(part, outputs)| (name(part), *outputs)).collect();
            Linear::load(weights, &parts, inputs)
        };
        let (queries, keys) = (heads * head_width, kv_heads * head_width);
        Ok(Self {
            sight: config.layers[at],
            heads,
            kv_heads,
            head_width,
            before_attention: norm("input_layernorm", width, 1.0)?,
            qkv: linear(
                &[("self_attn.q_proj", queries), ("self_attn.k_proj", keys), ("self_attn.v_proj", keys)],
                width,
            )?,
            // Rotation keeps lengths, so the scale of the scores can go in here.
            query_norm: norm("self_attn.q_norm", head_width, scale)?,
            key_norm: norm("self_attn.k_norm", head_width, 1.0)?,
            output: linear(&[("self_attn.o_proj", width)], queries)?,
            after_attention: norm("post_attention_layernorm", width, 1.0)?,
            before_mlp: norm("pre_feedforward_layernorm", width, 1.0)?,
            gate_up: linear(&[("mlp.gate_proj", inner_width), ("mlp.up_proj", inner_width)], width)?,
            down: linear(&[("mlp.down_proj", width)], inner_width)?,
            inner_width,
            after_mlp: norm("post_feedforward_layernorm", width, 1.0)?,
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
    ) -> Result<()> {
        let qkv = self.qkv.apply(self.before_attention.apply(states))?;
        let heads = qkv.read(|qkv| self.split_heads(qkv, positions, rope))?;
        drop(qkv);
        let attended = self.output.apply(heads.attend(runs, self.sight)?)?;
        attended.read(|attended| self.after_attention.add_to(states, attended))?;
        drop(attended);

        let gate_up = self.gate_up.apply(self.before_mlp.apply(states))?;
        let inner = gate_up.read(|gate_up| gated_gelu(gate_up, self.inner_width))?;
        drop(gate_up);
        self.down.apply(inner)?.read(|branch| self.after_mlp.add_to(states, branch))
    }

    /// Norm and rotate queries and keys, and put the heads that work together side by side.
    fn split_heads(&self, qkv: &[f32], positions: &[usize], rope: &Rope) -> Heads {
        let (tokens, width, kv_heads) = (positions.len(), self.head_width, self.kv_heads);
        let group = self.heads / kv_heads;
        let row_width = (self.heads + 2 * kv_heads) * width;
        // `slots` rows a token and key-value head, `[kv_heads, tokens * slots, width]`; their head in a row of qkv is
        // `head + kv_head * slots + slot`.
        let gather = |head: usize, slots: usize, norm: Option<&RmsNorm>| {
            let mut out = vec![0.0; kv_heads * tokens * slots * width];
            for_each_block(&mut out, width, |first, block| {
                for (at, out) in block.chunks_exact_mut(width).enumerate() {
                    let (kv_head, rest) = ((first + at) / (tokens * slots), (first + at) % (tokens * slots));
                    let (token, slot) = (rest / slots, rest % slots);
                    let start = token * row_width + (head + kv_head * slots + slot) * width;
                    let values = &qkv[start..start + width];
                    match norm {
                        Some(norm) => {
                            norm.apply_row(values, out);
                            rope.rotate(out, positions[token]);
                        }
                        None => out.copy_from_slice(values),
                    }
                }
            });
            out
        };
        Heads {
            queries: gather(0, group, Some(&self.query_norm)),
            keys: gather(self.heads, 1, Some(&self.key_norm)),
            values: gather(self.heads + kv_heads, 1, None),
            tokens,
            kv_heads,
            group,
            head_width: width,
        }
    }
}
