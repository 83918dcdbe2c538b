use crate::weights::Weights;

/// Names of a model's tensors, without `.weight` and `.bias`.
pub(crate) struct Names {
    /// Before every name.
    prefix: &'static str,
}

impl Names {
    /// In these weights: saved on its own a model has bare names, saved inside another one a prefix.
    pub(crate) fn find(weights: &Weights) -> Self {
        let fits = |prefix: &&str| weights.contains(&format!("{prefix}{WORDS}.weight"));
        Self { prefix: ["", "bert.", "roberta."].into_iter().find(fits).unwrap_or_default() }
    }

    /// A tensor outside the layers, from the names below.
    pub(crate) fn of(&self, part: &str) -> String {
        format!("{}{part}", self.prefix)
    }

    /// A tensor of layer `at`, from the names below.
    pub(crate) fn layer(&self, at: usize, part: &str) -> String {
        format!("{}encoder.layer.{at}.{part}", self.prefix)
    }
}

/// `[vocabulary, width]`.
pub(crate) const WORDS: &str = "embeddings.word_embeddings";
/// `[position_rows, width]`.
pub(crate) const POSITIONS: &str = "embeddings.position_embeddings";
/// `[token_types, width]`.
pub(crate) const TOKEN_TYPES: &str = "embeddings.token_type_embeddings";
/// Weight and bias `[width]`: the norm before the first layer.
pub(crate) const EMBEDDING_NORM: &str = "embeddings.LayerNorm";

/// `[width, width]` with bias, as are the next three.
pub(crate) const QUERY: &str = "attention.self.query";
pub(crate) const KEY: &str = "attention.self.key";
pub(crate) const VALUE: &str = "attention.self.value";
pub(crate) const OUTPUT: &str = "attention.output.dense";
/// Weight and bias `[width]`: the norm after the attention.
pub(crate) const ATTENTION_NORM: &str = "attention.output.LayerNorm";
/// `[inner_width, width]` with bias.
pub(crate) const UP: &str = "intermediate.dense";
/// `[width, inner_width]` with bias.
pub(crate) const DOWN: &str = "output.dense";
/// Weight and bias `[width]`: the norm after the feed-forward layer.
pub(crate) const MLP_NORM: &str = "output.LayerNorm";
