use crate::folder::{PoolingConfig, PoolingMode};

/// Turns the token states of a text into one vector.
#[derive(Clone, Debug)]
pub(crate) struct Pooling {
    mode: PoolingMode,
    include_prompt: bool,
}

impl Pooling {
    pub(crate) fn new(config: &PoolingConfig) -> Self {
        Self { mode: config.mode, include_prompt: config.include_prompt }
    }

    /// As the fingerprint names it.
    pub(crate) fn describe(&self) -> &'static str {
        match (self.mode, self.include_prompt) {
            (PoolingMode::Cls, _) => "cls",
            (PoolingMode::LastToken, _) => "last token",
            (PoolingMode::Mean, true) => "mean",
            (PoolingMode::Mean, false) => "mean without prompt",
        }
    }

    /// Writes to `out`, which holds zeros, the vector of `states` `[tokens, out.len()]`, the first `prompt` of which
    /// belong to the prompt. A text without tokens gives zeros, as does one that is all prompt where the prompt doesn't
    /// count, as in the reference.
    pub(crate) fn pool(&self, states: &[f32], prompt: usize, out: &mut [f32]) {
        let mut rows = states.chunks_exact(out.len());
        let row = match self.mode {
            PoolingMode::Cls => rows.next(),
            PoolingMode::LastToken => rows.next_back(),
            PoolingMode::Mean => {
                let skipped = if self.include_prompt { 0 } else { prompt };
                return mean(rows.skip(skipped), out);
            }
        };
        if let Some(row) = row {
            out.copy_from_slice(row);
        }
    }

    /// Writes to `out`, which holds zeros, how much each token state of a text of `length` tokens counts: [`pool`](Self::pool)
    /// as one product. `out` is at least as long as the text.
    pub(crate) fn shares(&self, length: usize, prompt: usize, out: &mut [f32]) {
        let counted = match self.mode {
            PoolingMode::Cls => 0..length.min(1),
            PoolingMode::LastToken => length.saturating_sub(1)..length,
            PoolingMode::Mean if self.include_prompt => 0..length,
            PoolingMode::Mean => prompt.min(length)..length,
        };
        let share = 1.0 / counted.len().max(1) as f32;
        out[counted].fill(share);
    }
}

/// Adds the mean of `rows` to `out`.
fn mean<'a>(rows: impl ExactSizeIterator<Item = &'a [f32]>, out: &mut [f32]) {
    let count = rows.len().max(1) as f32;
    for row in rows {
        for (sum, value) in out.iter_mut().zip(row) {
            *sum += value;
        }
    }
    for sum in out {
        *sum /= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 8.0, 0.0];

    fn pooled(mode: PoolingMode, include_prompt: bool, prompt: usize, states: &[f32]) -> [f32; 2] {
        let mut out = [0.0; 2];
        Pooling { mode, include_prompt }.pool(states, prompt, &mut out);
        out
    }

    #[test]
    fn shares_do_the_same() {
        for (mode, include_prompt, prompt) in [
            (PoolingMode::Cls, true, 1),
            (PoolingMode::LastToken, true, 1),
            (PoolingMode::Mean, true, 2),
            (PoolingMode::Mean, false, 2),
            (PoolingMode::Mean, false, 3),
            (PoolingMode::Mean, false, 5),
        ] {
            for length in 0..=3 {
                // Longer by a place of padding.
                let mut shares = [0.0; 4];
                Pooling { mode, include_prompt }.shares(length, prompt, &mut shares);
                let states = &STATES[..2 * length];
                let mut got = [0.0; 2];
                for (share, state) in shares.iter().zip(states.chunks_exact(2)) {
                    got.iter_mut().zip(state).for_each(|(got, value)| *got += share * value);
                }
                assert!(shares[length..].iter().all(|share| *share == 0.0));
                let want = pooled(mode, include_prompt, prompt, states);
                assert!(
                    got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-6),
                    "{got:?} {want:?}"
                );
            }
        }
    }

    #[test]
    fn mean_with_and_without_prompt() {
        let mean = |include_prompt, prompt| pooled(PoolingMode::Mean, include_prompt, prompt, &STATES);
        assert_eq!(mean(true, 1), [4.0, 2.0]);
        assert_eq!(mean(false, 1), [5.5, 2.0]);
        assert_eq!(mean(false, 3), [0.0, 0.0]);
    }

    #[test]
    fn first_and_last() {
        assert_eq!(pooled(PoolingMode::Cls, true, 1, &STATES), [1.0, 2.0]);
        assert_eq!(pooled(PoolingMode::LastToken, true, 1, &STATES), [8.0, 0.0]);
        for mode in [PoolingMode::Cls, PoolingMode::LastToken, PoolingMode::Mean] {
            assert_eq!(pooled(mode, true, 0, &[]), [0.0, 0.0]);
        }
    }
}
