use crate::folder::PoolingConfig;

/// Turns the token states of a text into one vector: their mean.
#[derive(Clone, Debug)]
pub(crate) struct Pooling {
    include_prompt: bool,
}

impl Pooling {
    pub(crate) fn new(config: &PoolingConfig) -> Self {
        Self { include_prompt: config.include_prompt }
    }

    /// As the fingerprint names it.
    pub(crate) fn describe(&self) -> &'static str {
        if self.include_prompt { "mean" } else { "mean without prompt" }
    }

    /// Adds to `out` the mean of `states` `[tokens, out.len()]`, the first `prompt` of which belong to the prompt. A
    /// text that is all prompt gives zeros, as in the reference.
    pub(crate) fn pool(&self, states: &[f32], prompt: usize, out: &mut [f32]) {
        let skipped = if self.include_prompt { 0 } else { prompt };
        let rows = states.chunks_exact(out.len()).skip(skipped);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_with_and_without_prompt() {
        let states = [1.0, 2.0, 3.0, 4.0, 8.0, 0.0];
        let pooled = |include_prompt, prompt| {
            let mut out = [0.0; 2];
            Pooling { include_prompt }.pool(&states, prompt, &mut out);
            out
        };
        assert_eq!(pooled(true, 1), [4.0, 2.0]);
        assert_eq!(pooled(false, 1), [5.5, 2.0]);
        assert_eq!(pooled(false, 3), [0.0, 0.0]);
    }
}
