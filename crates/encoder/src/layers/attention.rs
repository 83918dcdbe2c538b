use candle_core::{Device, Result, Tensor};
use serde::{Deserialize, Serialize};
use xunpin_kernels::{Isa, vector};

use crate::batch::Run;
use crate::blocks::for_each_block;
use crate::linear::Values;

/// Queries, in tokens, that are scored at once: bounds the memory of a long text, and in layers with a window
/// leaves out most of the tokens that are out of sight.
const QUERY_BLOCK: usize = 256;

/// Which tokens of its text a token sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sight {
    /// All.
    Full,
    /// Those less than this many places away, to either side.
    Window(usize),
    /// Itself and those before it.
    Causal,
}

impl Sight {
    /// How many places back and ahead a token of a text of `length` tokens sees.
    pub(crate) fn reach(self, length: usize) -> (usize, usize) {
        match self {
            Self::Window(window) if window < length => (window - 1, window - 1),
            Self::Causal => (length, 0),
            _ => (length, length),
        }
    }
}

/// How many heads a layer has, and how wide they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeadShape {
    /// Heads of queries.
    pub(crate) heads: usize,
    /// Heads of keys and values, each shared by `heads / kv_heads` heads of queries.
    pub(crate) kv_heads: usize,
    /// Values of one head.
    pub(crate) width: usize,
}

impl HeadShape {
    /// Values of a token's queries.
    pub(crate) fn queries(self) -> usize {
        self.heads * self.width
    }

    /// Values of a token's keys.
    pub(crate) fn keys(self) -> usize {
        self.kv_heads * self.width
    }
}

/// Queries, keys and values of a batch. Those of one key-value head lie together, tokens in order, so that a run of
/// texts is one contiguous piece.
pub(crate) struct Heads {
    /// `[kv_heads, tokens * group, head_width]`: of each token the queries of all heads that share the key.
    queries: Vec<f32>,
    /// `[kv_heads, tokens, head_width]`.
    keys: Vec<f32>,
    /// `[kv_heads, tokens, head_width]`.
    values: Vec<f32>,
    tokens: usize,
    kv_heads: usize,
    /// Heads of queries for each head of keys.
    group: usize,
    head_width: usize,
}

impl Heads {
    /// Takes rows of `[queries | keys | values]`, `[tokens, (heads + 2 * kv_heads) * width]`, apart. `query` and `key`
    /// get a token, the values of one head and where to write them, ready to be multiplied: scores are products of
    /// queries and keys as they are, so scale and positions go in here.
    pub(crate) fn split(
        qkv: &[f32],
        shape: HeadShape,
        query: impl Fn(usize, &[f32], &mut [f32]) + Sync,
        key: impl Fn(usize, &[f32], &mut [f32]) + Sync,
    ) -> Self {
        let HeadShape { heads, kv_heads, width } = shape;
        let row_width = (heads + 2 * kv_heads) * width;
        let (tokens, group) = (qkv.len() / row_width, heads / kv_heads);
        let split = Split { qkv, row_width, tokens, kv_heads, width };
        Self {
            queries: split.gather(0, group, query),
            keys: split.gather(heads, 1, key),
            values: split.gather(heads + kv_heads, 1, |_, values, out| out.copy_from_slice(values)),
            tokens,
            kv_heads,
            group,
            head_width: width,
        }
    }

    /// What every token takes from those it sees, `[tokens, kv_heads * group * head_width]`.
    pub(crate) fn attend(self, runs: &[Run], sight: Sight) -> Result<Vec<f32>> {
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

/// Rows of queries, keys and values side by side, to be put together by head.
struct Split<'a> {
    qkv: &'a [f32],
    row_width: usize,
    tokens: usize,
    kv_heads: usize,
    width: usize,
}

impl Split<'_> {
    /// `[kv_heads, tokens * slots, width]`: of every token and key-value head `slots` heads, the first of all being head
    /// `first` of a row. `write` gets a token, a head's values and where they go.
    fn gather(
        &self,
        first: usize,
        slots: usize,
        write: impl Fn(usize, &[f32], &mut [f32]) + Sync,
    ) -> Vec<f32> {
        let Self { qkv, row_width, tokens, kv_heads, width } = *self;
        let mut out = vec![0.0; kv_heads * tokens * slots * width];
        for_each_block(&mut out, width, |row, block| {
            for (at, out) in block.chunks_exact_mut(width).enumerate() {
                let (kv_head, rest) = ((row + at) / (tokens * slots), (row + at) % (tokens * slots));
                let (token, slot) = (rest / slots, rest % slots);
                let start = token * row_width + (first + kv_head * slots + slot) * width;
                write(token, &qkv[start..start + width], out);
            }
        });
        out
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
        let (back, ahead) = sight.reach(length);
        for first in (0..length).step_by(QUERY_BLOCK) {
            let count = QUERY_BLOCK.min(length - first);
            // The tokens that any of these queries sees.
            let seen = first.saturating_sub(back)..(first + count + ahead).min(length);
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
                        let from = token.saturating_sub(back).max(seen.start) - seen.start;
                        let to = (token + ahead + 1).min(seen.end) - seen.start;
                        let scores = &scores[row * seen.len()..(row + 1) * seen.len()];
                        out[from..to].copy_from_slice(&scores[from..to]);
                        vector::softmax(Isa::detect(), &mut out[from..to]);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What one head takes, by the definition.
    fn plain(
        qkv: &[f32],
        shape: HeadShape,
        texts: &[usize],
        sees: impl Fn(usize, usize) -> bool,
    ) -> Vec<f32> {
        let HeadShape { heads, kv_heads, width } = shape;
        let part =
            |token: usize, head: usize| &qkv[(token * (heads + 2 * kv_heads) + head) * width..][..width];
        let mut out = Vec::new();
        let mut start = 0;
        for length in texts {
            for token in 0..*length {
                for head in 0..heads {
                    let kv_head = heads + head / (heads / kv_heads);
                    let score = |other: usize| {
                        let pairs = part(start + token, head).iter().zip(part(start + other, kv_head));
                        pairs.map(|(query, key)| f64::from(query * key)).sum::<f64>().exp()
                    };
                    let seen: Vec<usize> = (0..*length).filter(|other| sees(token, *other)).collect();
                    let total: f64 = seen.iter().map(|other| score(*other)).sum();
                    out.extend((0..width).map(|at| {
                        let value = |other: &usize| f64::from(part(start + other, kv_head + kv_heads)[at]);
                        (seen.iter().map(|other| score(*other) * value(other)).sum::<f64>() / total) as f32
                    }));
                }
            }
            start += length;
        }
        out
    }

    #[test]
    fn every_sight_agrees_with_the_definition() {
        let shape = HeadShape { heads: 4, kv_heads: 2, width: 6 };
        let texts = [3, 3, 1, 300];
        let runs = [(0, 2, 3), (6, 1, 1), (7, 1, 300)];
        let runs = runs.map(|(start, texts, length)| Run { start, texts, length });
        let count = texts.iter().sum::<usize>() * (4 + 2 * 2) * 6;
        let qkv: Vec<f32> = (0..count).map(|at| ((at * 7919 % 1013) as f32 / 506.5 - 1.0) * 0.9).collect();
        let copy = |_: usize, values: &[f32], out: &mut [f32]| out.copy_from_slice(values);
        type Sees = fn(usize, usize) -> bool;
        let cases: [(Sight, Sees); 5] = [
            (Sight::Full, |_, _| true),
            (Sight::Window(2), |token, other| token.abs_diff(other) < 2),
            (Sight::Window(64), |token, other| token.abs_diff(other) < 64),
            (Sight::Window(1000), |_, _| true),
            (Sight::Causal, |token, other| other <= token),
        ];
        for (sight, sees) in cases {
            let got = Heads::split(&qkv, shape, copy, copy).attend(&runs, sight).unwrap();
            let want = plain(&qkv, shape, &texts, sees);
            assert_eq!(got.len(), want.len());
            for (got, want) in got.iter().zip(want) {
                assert!((got - want).abs() < 1e-5, "{sight:?}: {got} is not {want}");
            }
        }
    }
}
