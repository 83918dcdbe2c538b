use std::ops::Range;

use candle_core::{D, Device, Result, Tensor};

use crate::layers::{HeadShape, Sight};

/// Scores, in values, that are in memory at once: bounds the memory of long texts.
const SCORES: usize = 1 << 25;

/// Added to a score for each place that a token is out of sight: nothing is left of it after the softmax. Finite, since what
/// padding sees may be nothing at all, and infinities would make NaN of it, which a product carries on even with weight 0.
const OUT_OF_SIGHT: f64 = -1e9;

/// Which tokens of a padded batch see which.
pub(super) struct Sights {
    texts: usize,
    longest: usize,
    /// `[longest]`, the place of each token.
    places: Tensor,
    /// `[texts, 1, 1, 1, longest]`, to be added to scores: hides what is filled up. `None` if nothing is.
    padding: Option<Tensor>,
}

impl Sights {
    /// Of texts of these lengths.
    pub(super) fn new(lengths: Vec<usize>, device: &Device) -> Result<Self> {
        let (texts, longest) = (lengths.len(), lengths.iter().copied().max().unwrap_or(0));
        let places = Tensor::arange(0f32, longest as f32, device)?;
        let padding = if lengths.iter().all(|length| *length == longest) {
            None
        } else {
            let last: Vec<f32> = lengths.iter().map(|length| *length as f32 - 1.0).collect();
            let last = Tensor::from_vec(last, (texts, 1, 1, 1, 1), device)?;
            Some(hide(&places.reshape((1, 1, 1, 1, longest))?.broadcast_sub(&last)?)?)
        };
        Ok(Self { texts, longest, places, padding })
    }

    /// What is added to the scores of the tokens `from` with the tokens `to`, in a shape that broadcasts to
    /// `[texts, kv_heads, group, from, to]`.
    fn hidden(&self, sight: Sight, from: &Range<usize>, to: &Range<usize>) -> Result<Vec<Tensor>> {
        let mut hidden = Vec::new();
        // Padding comes after all that a causal token sees.
        if sight != Sight::Causal
            && let Some(padding) = &self.padding
        {
            hidden.push(padding.narrow(D::Minus1, to.start, to.len())?);
        }
        // How many places a token is ahead.
        let ahead = || {
            let from = self.places.narrow(0, from.start, from.len())?.reshape((from.len(), 1))?;
            self.places.narrow(0, to.start, to.len())?.reshape((1, to.len()))?.broadcast_sub(&from)
        };
        match sight {
            Sight::Causal => hidden.push(hide(&ahead()?)?),
            Sight::Window(window) if window < self.longest => {
                hidden.push(hide(&(ahead()?.abs()? - (window as f64 - 1.0))?)?);
            }
            _ => {}
        }
        Ok(hidden)
    }
}

/// What is added to a score, of how many places a token is out of sight; not at all if not above 0.
fn hide(places: &Tensor) -> Result<Tensor> {
    places.relu()? * OUT_OF_SIGHT
}

/// What every token takes from those it sees, `[texts * longest, heads * width]`, of queries `[texts, heads, longest, width]`
/// and keys and values `[texts, kv_heads, longest, width]`. Scores are products of queries and keys as they are.
pub(super) fn attend(
    queries: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    shape: HeadShape,
    sights: &Sights,
    sight: Sight,
) -> Result<Tensor> {
    attend_in_blocks(queries, keys, values, shape, sights, sight, SCORES)
}

/// The same with at most `most` scores in memory, if one token's are no more.
fn attend_in_blocks(
    queries: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    shape: HeadShape,
    sights: &Sights,
    sight: Sight,
    most: usize,
) -> Result<Tensor> {
    let HeadShape { heads, kv_heads, width } = shape;
    let Sights { texts, longest, .. } = *sights;
    let group = heads / kv_heads;
    let (back, ahead) = sight.reach(longest);
    let block = (most / (texts * heads * longest)).clamp(1, longest);
    let mut blocks = Vec::with_capacity(longest.div_ceil(block));
    for first in (0..longest).step_by(block) {
        let from = first..(first + block).min(longest);
        // The tokens that any of these sees.
        let to = first.saturating_sub(back)..(from.end + ahead).min(longest);
        // [texts * kv_heads, tokens, width]; of queries those of all heads that share the key.
        let piece = |tensor: &Tensor, range: &Range<usize>, per_token: usize| {
            let piece = tensor.narrow(2, range.start, range.len())?.contiguous()?;
            piece.reshape((texts * kv_heads, per_token * range.len(), width))
        };
        let (keys, values) = (piece(keys, &to, 1)?, piece(values, &to, 1)?);
        let scores = piece(queries, &from, group)?.matmul(&keys.t()?)?;
        let mut scores = scores.reshape((texts, kv_heads, group, from.len(), to.len()))?;
        for hidden in sights.hidden(sight, &from, &to)? {
            scores = scores.broadcast_add(&hidden)?;
        }
        let weights = softmax(&scores)?.reshape((texts * kv_heads, group * from.len(), to.len()))?;
        blocks.push(weights.matmul(&values)?.reshape((texts, heads, from.len(), width))?);
    }
    let states = Tensor::cat(&blocks, 2)?;
    states.transpose(1, 2)?.reshape((texts * longest, heads * width))
}

/// Of the last dimension.
fn softmax(scores: &Tensor) -> Result<Tensor> {
    let powers = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    powers.broadcast_div(&powers.sum_keepdim(D::Minus1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one token's head takes, by the definition.
    fn plain(
        (query, keys, values): (&[f32], &[Vec<f32>], &[Vec<f32>]),
        sees: impl Fn(usize) -> bool,
    ) -> Vec<f32> {
        let seen: Vec<usize> = (0..keys.len()).filter(|key| sees(*key)).collect();
        let power =
            |key: usize| query.iter().zip(&keys[key]).map(|(a, b)| f64::from(a * b)).sum::<f64>().exp();
        let total: f64 = seen.iter().map(|key| power(*key)).sum();
        let value =
            |at: usize| seen.iter().map(|key| power(*key) * f64::from(values[*key][at])).sum::<f64>() / total;
        (0..query.len()).map(|at| value(at) as f32).collect()
    }

    #[test]
    fn every_sight_agrees_with_the_definition() {
        let shape = HeadShape { heads: 4, kv_heads: 2, width: 6 };
        let lengths = [9, 40, 1, 0, 40, 23];
        let longest = 40;
        let make = |heads: usize, seed: usize| {
            let count = lengths.len() * heads * longest * shape.width;
            let value = |at: usize| ((at * 7919 + seed * 131) % 1013) as f32 / 506.5 - 1.0;
            let values: Vec<f32> = (0..count).map(value).collect();
            Tensor::from_vec(values, (lengths.len(), heads, longest, shape.width), &Device::Cpu).unwrap()
        };
        let (queries, keys, values) = (make(4, 1), make(2, 2), make(2, 3));
        let rows = |tensor: &Tensor, text: usize, head: usize| {
            let rows = tensor.get(text).unwrap().get(head).unwrap();
            rows.narrow(0, 0, lengths[text]).unwrap().to_vec2::<f32>().unwrap()
        };
        type Sees = fn(usize, usize) -> bool;
        let cases: [(Sight, Sees); 6] = [
            (Sight::Full, |_, _| true),
            (Sight::Window(1), |token, other| token == other),
            (Sight::Window(2), |token, other| token.abs_diff(other) < 2),
            (Sight::Window(12), |token, other| token.abs_diff(other) < 12),
            (Sight::Window(1000), |_, _| true),
            (Sight::Causal, |token, other| other <= token),
        ];
        let sights = Sights::new(lengths.to_vec(), &Device::Cpu).unwrap();
        for (sight, sees) in cases {
            for most in [SCORES, 7 * 6 * 4 * longest, 0] {
                let got = attend_in_blocks(&queries, &keys, &values, shape, &sights, sight, most).unwrap();
                let got = got.to_vec2::<f32>().unwrap();
                assert!(got.iter().flatten().all(|value| value.is_finite()), "{sight:?}");
                for (text, length) in lengths.into_iter().enumerate() {
                    for head in 0..shape.heads {
                        let (queries, kv_head) = (rows(&queries, text, head), head / 2);
                        let (keys, values) = (rows(&keys, text, kv_head), rows(&values, text, kv_head));
                        for (token, query) in queries.iter().enumerate() {
                            let want = plain((query, &keys, &values), |other| sees(token, other));
                            let got = &got[text * longest + token][head * shape.width..];
                            let close = |(got, want): (&f32, &f32)| (got - want).abs() < 1e-5;
                            assert!(
                                got.iter().zip(&want).all(close),
                                "{sight:?} in blocks of {most}: text {text} of {length}, head {head}, token {token}"
                            );
                        }
                    }
                }
            }
        }
    }
}
