//! Gemma 3 as a text encoder: every token sees every other (in some layers, every other within a window), as
//! EmbeddingGemma was trained. The reference is `Gemma3TextModel` of Hugging Face's transformers with
//! `use_bidirectional_attention`.

use xunpin_kernels::Gate;

use super::config::{Config, head_shape, refuse_rope_scaling, rope_theta};
use super::names::NormNames;
use crate::ModelError;
use crate::json::JsonFile;
use crate::layers::Sight;

/// Name of the architecture in fingerprints.
pub(crate) const ARCHITECTURE: &str = "gemma3-bidirectional";

const NORMS: NormNames = NormNames {
    before_attention: "input_layernorm",
    after_attention: Some("post_attention_layernorm"),
    before_mlp: "pre_feedforward_layernorm",
    after_mlp: Some("post_feedforward_layernorm"),
};

/// Reads and checks the fields of `config.json`; a variation that we don't run is refused.
pub(crate) fn read(file: &JsonFile) -> Result<Config, ModelError> {
    file.expect("hidden_activation", "gelu_pytorch_tanh".to_owned(), "gelu_pytorch_tanh")?;
    file.expect("attention_bias", false, "false")?;
    if file.optional::<f64>("attn_logit_softcapping")?.is_some() {
        return Err(file.unsupported("attn_logit_softcapping", "set", "null"));
    }
    let (full_theta, sliding_theta) = read_thetas(file)?;
    let width = file.size("hidden_size")?;
    Ok(Config {
        vocabulary: file.size("vocab_size")?,
        max_positions: file.size("max_position_embeddings")?,
        width,
        inner_width: file.size("intermediate_size")?,
        heads: head_shape(file)?,
        scale: (1.0 / file.positive("query_pre_attn_scalar")?.sqrt()) as f32,
        eps: file.positive("rms_norm_eps")?,
        full_theta,
        sliding_theta,
        layers: read_layers(file)?,
        embedding_scale: (width as f64).sqrt() as f32,
        norm_offset: 1.0,
        gate: Gate::GeluTanh,
        norms: NORMS,
    })
}

/// Bases for full and sliding layers, from either way of writing them.
fn read_thetas(file: &JsonFile) -> Result<(f64, f64), ModelError> {
    if let Some(rope) = file.child("rope_parameters")? {
        let theta = |kind: &str| {
            let layer = rope.child(kind)?.ok_or_else(|| rope.field_error(kind, "missing".into()))?;
            rope_theta(&layer)
        };
        return Ok((theta("full_attention")?, theta("sliding_attention")?));
    }
    refuse_rope_scaling(file)?;
    Ok((file.positive("rope_theta")?, file.positive("rope_local_base_freq")?))
}

fn read_layers(file: &JsonFile) -> Result<Vec<Sight>, ModelError> {
    let count = file.size("num_hidden_layers")?;
    // The file counts the window to both sides together; transformers keeps half, and a bound that is exclusive.
    let sliding = Sight::Window(file.size("sliding_window")? / 2 + 1);
    let Some(kinds) = file.optional::<Vec<String>>("layer_types")? else {
        let pattern = file.optional("sliding_window_pattern")?.or(file.optional("_sliding_window_pattern")?);
        let pattern: usize = pattern.unwrap_or(6).max(1);
        let full = |layer: usize| (layer + 1).is_multiple_of(pattern);
        return Ok((0..count).map(|layer| if full(layer) { Sight::Full } else { sliding }).collect());
    };
    if kinds.len() != count {
        let problem = format!("{} entries for the {count} of `num_hidden_layers`", kinds.len());
        return Err(file.field_error("layer_types", problem));
    }
    let sight = |kind: &String| match kind.as_str() {
        "full_attention" => Ok(Sight::Full),
        "sliding_attention" => Ok(sliding),
        _ => Err(file.unsupported("layer_types", kind, "full_attention, sliding_attention")),
    };
    kinds.iter().map(sight).collect()
}
