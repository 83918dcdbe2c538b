use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::files::MAX_DIMENSION;

/// What is predicted from what (Mikolov, Chen, Corrado and Dean, 2013).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// Each word of the window predicts the middle one. Better for rare words and small corpora.
    #[default]
    SkipGram,
    /// The mean of the window predicts the middle word. Several times faster.
    Cbow,
}

/// Words that the default number of epochs comes to.
const WORDS_IN_ALL: u64 = 15_000_000;

/// How word vectors are trained. The defaults suit titles and queries of a shop: few words each, whose order says
/// little, so that the window spans a whole title; and little text, so that it is gone through often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainOptions {
    /// Skip-gram or CBOW.
    pub architecture: Architecture,
    /// Length of the vectors, 1 to 8,192.
    pub dimension: usize,
    /// Words to either side that count as context, at most; 1 to 1,000. Each occurrence draws its own width from 1
    /// to this, so that near words count more.
    pub window: usize,
    /// Noise words that each true one is told apart from, 1 to 1,000.
    pub negative: usize,
    /// Passes over the corpus, 1 to 10,000. By default as many as make 15 million words in all, within 5 to 30: small
    /// corpora gain from many.
    pub epochs: Option<usize>,
    /// Words more frequent than this share of the corpus are passed over at random, the more the more frequent they
    /// are; 0 (none) to 1.
    pub subsample: f64,
    /// Rarer words get no vector; at least 1.
    pub min_count: u64,
    /// Step of the first update, above 0 and at most 1. It falls linearly to a ten-thousandth over the training.
    pub learning_rate: f32,
    /// Another seed, another start and other random choices. The same seed, corpus and options give the same bits
    /// on every machine, with any number of threads.
    pub seed: u64,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            architecture: Architecture::SkipGram,
            dimension: 200,
            window: 10,
            negative: 10,
            epochs: None,
            subsample: 1e-3,
            min_count: 2,
            learning_rate: 0.05,
            seed: 1,
        }
    }
}

impl TrainOptions {
    /// Checks the limits given with each field.
    pub fn validate(&self) -> Result<(), TrainError> {
        within("dimension", self.dimension, 1, MAX_DIMENSION)?;
        within("window", self.window, 1, 1_000)?;
        within("negative", self.negative, 1, 1_000)?;
        within("epochs", self.epochs.unwrap_or(1), 1, 10_000)?;
        within("subsample", self.subsample, 0.0, 1.0)?;
        within("min_count", self.min_count, 1, u64::MAX)?;
        within("learning_rate", self.learning_rate, f32::MIN_POSITIVE, 1.0)
    }

    /// Passes over a corpus of that many words.
    pub(crate) fn epochs_over(&self, words: u64) -> usize {
        // Within 5 to 30, whatever the size of a word on this machine.
        self.epochs.unwrap_or((WORDS_IN_ALL / words.max(1)).clamp(5, 30) as usize)
    }
}

fn within<T: PartialOrd + Display>(
    option: &'static str,
    value: T,
    lowest: T,
    highest: T,
) -> Result<(), TrainError> {
    // NaN is in no range.
    if value >= lowest && value <= highest {
        return Ok(());
    }
    let lowest = if option == "learning_rate" { "above 0".to_owned() } else { format!("{lowest}") };
    Err(TrainError::Option { option, value: value.to_string(), expected: format!("{lowest} to {highest}") })
}
