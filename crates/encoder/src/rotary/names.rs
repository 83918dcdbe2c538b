use crate::weights::Weights;

/// Names of a model's tensors, without `.weight`. Only those of the norms differ between architectures.
pub(crate) struct Names {
    /// Before every name.
    prefix: &'static str,
}

/// Names of a layer's norms; of those that are `None` there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NormNames {
    pub(crate) before_attention: &'static str,
    pub(crate) after_attention: Option<&'static str>,
    pub(crate) before_mlp: &'static str,
    pub(crate) after_mlp: Option<&'static str>,
}

impl Names {
    /// In these weights: saved on its own a model has bare names, saved inside another one a prefix.
    pub(crate) fn find(weights: &Weights) -> Self {
        Self { prefix: if weights.contains("model.embed_tokens.weight") { "model." } else { "" } }
    }

    /// `[vocabulary, width]`.
    pub(crate) fn embeddings(&self) -> String {
        format!("{}embed_tokens", self.prefix)
    }

    /// `[width]`: the norm after the last layer.
    pub(crate) fn last_norm(&self) -> String {
        format!("{}norm", self.prefix)
    }

    /// A tensor of layer `at`, from the names below or from [`NormNames`].
    pub(crate) fn layer(&self, at: usize, part: &str) -> String {
        format!("{}layers.{at}.{part}", self.prefix)
    }
}

/// `[heads * head_width, width]`.
pub(crate) const QUERY: &str = "self_attn.q_proj";
/// `[kv_heads * head_width, width]`.
pub(crate) const KEY: &str = "self_attn.k_proj";
/// `[kv_heads * head_width, width]`.
pub(crate) const VALUE: &str = "self_attn.v_proj";
/// `[head_width]`: norm of each query head.
pub(crate) const QUERY_NORM: &str = "self_attn.q_norm";
/// `[head_width]`: norm of each key head.
pub(crate) const KEY_NORM: &str = "self_attn.k_norm";
/// `[width, heads * head_width]`.
pub(crate) const OUTPUT: &str = "self_attn.o_proj";
/// `[inner_width, width]`.
pub(crate) const GATE: &str = "mlp.gate_proj";
/// `[inner_width, width]`.
pub(crate) const UP: &str = "mlp.up_proj";
/// `[width, inner_width]`.
pub(crate) const DOWN: &str = "mlp.down_proj";
