use std::cmp::Reverse;

use candle_core::{Device, Result, Tensor};

use super::attention::Sights;
use crate::layers::HeadShape;
use crate::pooling::Pooling;

/// Texts side by side, each filled up at its end to the length of the longest.
pub(super) struct Padded<'a> {
    texts: Vec<&'a [u32]>,
    longest: usize,
    device: &'a Device,
}

impl<'a> Padded<'a> {
    /// At least one of the texts has a token.
    pub(super) fn new(texts: Vec<&'a [u32]>, device: &'a Device) -> Self {
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        Self { texts, longest, device }
    }

    /// The tokens' ids, `[texts * longest]`; 0 in padding, which every table has a row for.
    pub(super) fn ids(&self) -> Result<Tensor> {
        self.numbers(|text, out| out.extend_from_slice(text))
    }

    /// A number for each token, `[texts * longest]`; `write` appends those of a text, and padding has 0.
    pub(super) fn numbers(&self, write: impl Fn(&[u32], &mut Vec<u32>)) -> Result<Tensor> {
        let mut numbers = Vec::with_capacity(self.texts.len() * self.longest);
        for (text, end) in self.texts.iter().zip(1..) {
            write(text, &mut numbers);
            numbers.resize(end * self.longest, 0);
        }
        Tensor::from_vec(numbers, self.texts.len() * self.longest, self.device)
    }

    /// What keeps tokens from seeing padding and what is out of their sight.
    pub(super) fn sights(&self) -> Result<Sights> {
        Sights::new(self.texts.iter().map(|text| text.len()).collect(), self.device)
    }

    /// Rows of `[queries | keys | values]`, `[texts * longest, (heads + 2 * kv_heads) * width]`, taken apart:
    /// `[texts, heads, longest, width]` of queries, and of keys and values with as many heads as these have.
    pub(super) fn split_heads(&self, qkv: &Tensor, shape: HeadShape) -> Result<[Tensor; 3]> {
        let HeadShape { heads, kv_heads, width } = shape;
        let qkv = qkv.reshape((self.texts.len(), self.longest, heads + 2 * kv_heads, width))?;
        let part = |from: usize, count: usize| qkv.narrow(2, from, count)?.transpose(1, 2)?.contiguous();
        Ok([part(0, heads)?, part(heads, kv_heads)?, part(heads + kv_heads, kv_heads)?])
    }

    /// One vector a text, `[texts, width]`, of states `[texts * longest, width]`.
    pub(super) fn pool(&self, states: &Tensor, pooling: &Pooling, prompt: usize) -> Result<Tensor> {
        let (texts, longest) = (self.texts.len(), self.longest);
        let mut shares = vec![0.0; texts * longest];
        for (text, shares) in self.texts.iter().zip(shares.chunks_exact_mut(longest)) {
            pooling.shares(text.len(), prompt, shares);
        }
        let shares = Tensor::from_vec(shares, (texts, 1, longest), self.device)?;
        let states = states.reshape((texts, longest, ()))?;
        shares.matmul(&states)?.squeeze(1)
    }
}

/// Divides texts of the given `lengths` (in tokens) into batches of at most `budget` tokens, padding included, but at least
/// one text: longest first, ties by place. Returns the places of each batch's texts.
pub(super) fn plan(lengths: &[usize], budget: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&at| (Reverse(lengths[at]), at));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for at in order {
        match batches.last_mut() {
            // The first is the longest.
            Some(batch) if (batch.len() + 1).saturating_mul(lengths[batch[0]]) <= budget => batch.push(at),
            _ => batches.push(vec![at]),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_filled_up() {
        let texts: Vec<&[u32]> = vec![&[5, 6, 7], &[], &[8]];
        let padded = Padded::new(texts, &Device::Cpu);
        assert_eq!(padded.ids().unwrap().to_vec1::<u32>().unwrap(), [5, 6, 7, 0, 0, 0, 8, 0, 0]);
    }

    proptest! {
        #[test]
        fn every_text_is_in_one_batch_of_bounded_size(
            lengths in prop::collection::vec(0usize..300, 0..200),
            budget in 0usize..2000,
        ) {
            let batches = plan(&lengths, budget);
            let mut seen: Vec<usize> = batches.concat();
            prop_assert!(seen.windows(2).all(|w| lengths[w[0]] >= lengths[w[1]]));
            seen.sort_unstable();
            prop_assert!(seen.into_iter().eq(0..lengths.len()));
            for batch in &batches {
                prop_assert!(batch.len() == 1 || batch.len() * lengths[batch[0]] <= budget);
            }
        }
    }
}
