use candle_core::{Device, Result, Tensor};

use super::config::Sight;
use crate::batch::Run;
use crate::kernels::{for_each_block, softmax};
use crate::linear::Values;

/// Queries, in tokens, that are scored at once: bounds the memory of a long text, and in layers with a window
/// leaves out most of the tokens that are out of sight.
const QUERY_BLOCK: usize = 256;

/// Queries, keys and values of a batch. Those of one key-value head lie together, tokens in order, so that a run of
/// texts is one contiguous piece.
pub(super) struct Heads {
    /// `[kv_heads, tokens * group, head_width]`: of each token the queries of all heads that share the key.
    pub(super) queries: Vec<f32>,
    /// `[kv_heads, tokens, head_width]`.
    pub(super) keys: Vec<f32>,
    /// `[kv_heads, tokens, head_width]`.
    pub(super) values: Vec<f32>,
    pub(super) tokens: usize,
    pub(super) kv_heads: usize,
    /// Heads of queries for each head of keys.
    pub(super) group: usize,
    pub(super) head_width: usize,
}

impl Heads {
    /// What every token takes from those it sees, `[tokens, kv_heads * group * head_width]`. Scores are products of
    /// queries and keys as they are: scale and positions are in them already.
    pub(super) fn attend(self, runs: &[Run], sight: Sight) -> Result<Vec<f32>> {
        let Self { tokens, kv_heads, group, head_width, .. } = self;
        let mut out = vec![0.0; tokens * kv_heads * group * head_width];
        let shape = |rows| (kv_heads, rows, head_width);
        let queries = Tensor::from_vec(self.queries, shape(tokens * group), &Device::Cpu)?;
        let keys = Tensor::from_vec(self.keys, shape(tokens), &Device::Cpu)?;
        let values = Tensor::from_vec(self.values, shape(tokens), &Device::Cpu)?;
        for head in 0..kv_heads {
            for run in runs {
                // [texts, length (* group), head_width]
                let piece = |tensor: &Tensor, per_token: usize| {
                    tensor
                        .get(head)?
                        .narrow(0, run.start * per_token, run.texts * run.length * per_token)?
                        .reshape((run.texts, run.length * per_token, head_width))
                };
                let run_of = RunHeads {
                    queries: piece(&queries, group)?,
                    keys: piece(&keys, 1)?,
                    values: piece(&values, 1)?,
                    length: run.length,
                    group,
                };
                run_of.attend(sight, |text, token, states| {
                    let row = run.start + text * run.length + token;
                    for (at, state) in states.chunks_exact(group * head_width).enumerate() {
                        let start = ((row + at) * kv_heads + head) * group * head_width;
                        out[start..start + state.len()].copy_from_slice(state);
                    }
                })?;
            }
        }
        Ok(out)
    }
}

/// One key-value head of texts of equal length.
struct RunHeads {
    /// `[texts, length * group, head_width]`.
    queries: Tensor,
    /// `[texts, length, head_width]`.
    keys: Tensor,
    values: Tensor,
    length: usize,
    group: usize,
}

impl RunHeads {
    /// Gives `place` the text, the first token and the states `[tokens, group * head_width]` of every block.
    fn attend(&self, sight: Sight, mut place: impl FnMut(usize, usize, &[f32])) -> Result<()> {
        let Self { length, group, .. } = *self;
        let reach = match sight {
            Sight::Window(window) if window < length => window - 1,
            _ => length,
        };
        for first in (0..length).step_by(QUERY_BLOCK) {
            let count = QUERY_BLOCK.min(length - first);
            // The tokens that any of these queries sees.
            let seen = first.saturating_sub(reach)..(first + count + reach).min(length);
            let queries = self.queries.narrow(1, first * group, count * group)?;
            let keys = self.keys.narrow(1, seen.start, seen.len())?;
            let values = self.values.narrow(1, seen.start, seen.len())?;

            // [texts, count * group, seen]
            let scores = queries.matmul(&keys.transpose(1, 2)?)?;
            let shape = scores.dims3()?;
            let weights = Values::new(scores)?.read(|scores| {
                let mut weights = vec![0.0; scores.len()];
                for_each_block(&mut weights, seen.len(), |block, rows| {
                    for (at, out) in rows.chunks_exact_mut(seen.len()).enumerate() {
                        let row = block + at;
                        let token = first + row % (count * group) / group;
                        let from = token.saturating_sub(reach).max(seen.start) - seen.start;
                        let to = (token + reach + 1).min(seen.end) - seen.start;
                        let scores = &scores[row * seen.len()..(row + 1) * seen.len()];
                        softmax(&scores[from..to], &mut out[from..to]);
                    }
                });
                weights
            })?;
            // [texts, count * group, head_width]
            let states = Tensor::from_vec(weights, shape, &Device::Cpu)?.matmul(&values)?;
            let per_text = states.dim(1)? * states.dim(2)?;
            Values::new(states)?.read(|states| {
                for (text, states) in states.chunks_exact(per_text).enumerate() {
                    place(text, first, states);
                }
            })?;
        }
        Ok(())
    }
}
