use std::sync::atomic::{AtomicUsize, Ordering};

/// Texts as token ids, one after another without padding: what a model runs on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PackedTokens {
    ids: Vec<u32>,
    /// Where each text begins, and at the end the number of tokens.
    starts: Vec<usize>,
}

/// Neighbouring texts of equal length, which are attended to in one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The first text's first token.
    pub(crate) start: usize,
    /// Number of texts.
    pub(crate) texts: usize,
    /// Tokens of each.
    pub(crate) length: usize,
}

impl PackedTokens {
    pub(crate) fn new<'a>(texts: impl IntoIterator<Item = &'a [u32]>) -> Self {
        let mut packed = Self { ids: Vec::new(), starts: vec![0] };
        for text in texts {
            packed.ids.extend_from_slice(text);
            packed.starts.push(packed.ids.len());
        }
        packed
    }

    /// The texts at the places `batch` of `ids`.
    pub(crate) fn pick(ids: &[Vec<u32>], batch: &[usize]) -> Self {
        Self::new(batch.iter().map(|&text| ids[text].as_slice()))
    }

    /// Ids of all texts.
    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// First token and end of each text.
    pub(crate) fn ranges(&self) -> impl ExactSizeIterator<Item = std::ops::Range<usize>> + '_ {
        self.starts.windows(2).map(|ends| ends[0]..ends[1])
    }

    /// The place of every token in its own text.
    pub(crate) fn positions(&self) -> Vec<usize> {
        self.ranges().flat_map(|range| 0..range.len()).collect()
    }

    /// The texts as runs of equal length; empty texts are left out.
    pub(crate) fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for range in self.ranges().filter(|range| !range.is_empty()) {
            match runs.last_mut() {
                Some(run) if run.length == range.len() => run.texts += 1,
                _ => runs.push(Run { start: range.start, texts: 1, length: range.len() }),
            }
        }
        runs
    }
}

/// Divides texts of the given `lengths` (in tokens) into batches: longest first, ties by place, as many batches as
/// `budget` tokens each ask for, of about equal size. More than one are a multiple of `workers`, so that all have as much
/// to do. Returns the places of each batch's texts.
pub(crate) fn plan(lengths: &[usize], budget: usize, workers: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&at| (std::cmp::Reverse(lengths[at]), at));
    let total = lengths.iter().sum::<usize>().max(1);
    let count = match total.div_ceil(budget.max(1)) {
        1 => 1,
        count => count.next_multiple_of(workers.max(1)),
    };
    let mut batches = vec![Vec::new(); count];
    let mut before = 0;
    for at in order {
        // The batch in whose share of all tokens the middle of this text lies.
        let middle = before + lengths[at] / 2;
        batches[(middle * count / total).min(count - 1)].push(at);
        before += lengths[at];
    }
    batches.retain(|batch| !batch.is_empty());
    batches
}

/// The next batch that nobody has taken, and its number; `next` counts them.
pub(crate) fn take<'a>(batches: &'a [Vec<usize>], next: &AtomicUsize) -> Option<(usize, &'a [usize])> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    batches.get(at).map(|batch| (at, batch.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn runs_join_equal_neighbours() {
        let texts: [&[u32]; 5] = [&[1, 2], &[3, 4], &[], &[5], &[6, 7]];
        let packed = PackedTokens::new(texts);
        let run = |start, texts, length| Run { start, texts, length };
        assert_eq!(packed.runs(), [run(0, 2, 2), run(4, 1, 1), run(5, 1, 2)]);
        assert_eq!(packed.positions(), [0, 1, 0, 1, 0, 0, 1]);
        assert_eq!(packed.ranges().nth(2), Some(4..4));
    }

    proptest! {
        #[test]
        fn every_text_is_in_one_batch_of_bounded_size(
            lengths in prop::collection::vec(1usize..300, 0..200),
            budget in 1usize..2000,
            workers in 1usize..5,
        ) {
            let batches = plan(&lengths, budget, workers);
            let mut seen: Vec<usize> = batches.concat();
            let longest_first = seen.windows(2).all(|w| lengths[w[0]] >= lengths[w[1]]);
            prop_assert!(longest_first);
            seen.sort_unstable();
            prop_assert!(seen.into_iter().eq(0..lengths.len()));
            for batch in &batches {
                let tokens: usize = batch.iter().map(|&at| lengths[at]).sum();
                let longest = batch.iter().map(|&at| lengths[at]).max().unwrap_or(0);
                prop_assert!(tokens <= budget + longest, "{tokens} tokens, budget {budget}, longest {longest}");
            }
        }
    }
}
