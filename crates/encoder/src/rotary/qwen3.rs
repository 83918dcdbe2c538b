//! Qwen3 as a text encoder: a token sees those before it, and the last one of a text stands for the whole, as
//! Qwen3-Embedding was trained. The reference is `Qwen3Model` of Hugging Face's transformers.

use xunpin_kernels::Gate;

use super::config::{Config, head_shape, refuse_rope_scaling, rope_theta};
use super::names::NormNames;
use crate::ModelError;
use crate::json::JsonFile;
use crate::layers::Sight;

/// Name of the architecture in fingerprints.
pub(crate) const ARCHITECTURE: &str = "qwen3-causal";

const NORMS: NormNames = NormNames {
    before_attention: "input_layernorm",
    after_attention: None,
    // The name that Gemma 3 has for the norm at the end of the attention.
    before_mlp: "post_attention_layernorm",
    after_mlp: None,
};

/// Reads and checks the fields of `config.json`; a variation that we don't run is refused.
pub(crate) fn read(file: &JsonFile) -> Result<Config, ModelError> {
    file.expect("hidden_act", "silu".to_owned(), "silu")?;
    file.expect("attention_bias", false, "false")?;
    file.expect("use_sliding_window", false, "false")?;
    // Fields by which derived models say that every token sees every other.
    file.expect("is_causal", true, "true")?;
    file.expect("use_bidirectional_attention", false, "false")?;
    for kind in file.optional::<Vec<String>>("layer_types")?.unwrap_or_default() {
        if kind != "full_attention" {
            return Err(file.unsupported("layer_types", &kind, "full_attention"));
        }
    }
    let theta = match file.child("rope_parameters")? {
        Some(rope) => rope_theta(&rope)?,
        None => {
            refuse_rope_scaling(file)?;
            file.positive("rope_theta")?
        }
    };
    let heads = head_shape(file)?;
    Ok(Config {
        vocabulary: file.size("vocab_size")?,
        max_positions: file.size("max_position_embeddings")?,
        width: file.size("hidden_size")?,
        inner_width: file.size("intermediate_size")?,
        heads,
        scale: (1.0 / (heads.width as f64).sqrt()) as f32,
        eps: file.positive("rms_norm_eps")?,
        full_theta: theta,
        sliding_theta: theta,
        layers: vec![Sight::Causal; file.size("num_hidden_layers")?],
        embedding_scale: 1.0,
        norm_offset: 0.0,
        gate: Gate::Silu,
        norms: NORMS,
    })
}
