use xunpin_kernels::Gate;

use super::names::NormNames;
use crate::ModelError;
use crate::json::JsonFile;
use crate::layers::{HeadShape, Sight};

/// All that is to be known of a model besides its weights: what `config.json` says, checked, and what the architecture
/// adds.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) vocabulary: usize,
    /// Longest text in tokens.
    pub(crate) max_positions: usize,
    /// Length of a token's state.
    pub(crate) width: usize,
    /// Length of the gated layer between.
    pub(crate) inner_width: usize,
    pub(crate) heads: HeadShape,
    /// Factor on the scores of queries and keys.
    pub(crate) scale: f32,
    /// Of every norm.
    pub(crate) eps: f64,
    /// Base of the rotary frequencies in layers without a window.
    pub(crate) full_theta: f64,
    /// The same in layers with a window.
    pub(crate) sliding_theta: f64,
    /// One entry a layer: how far a token sees.
    pub(crate) layers: Vec<Sight>,
    /// Factor on the rows of the embedding table.
    pub(crate) embedding_scale: f32,
    /// Added to the weights of norms as files hold them.
    pub(crate) norm_offset: f32,
    /// What the gate of the feed-forward layer goes through.
    pub(crate) gate: Gate,
    pub(crate) norms: NormNames,
}

impl Config {
    /// The settings that change vectors and that neither the weights' shapes nor the architecture's name show.
    pub(crate) fn describe(&self) -> String {
        let layers = self.layers.iter().map(|sight| match sight {
            Sight::Full => "full".to_owned(),
            Sight::Window(window) => window.to_string(),
            Sight::Causal => "causal".to_owned(),
        });
        let layers = layers.collect::<Vec<_>>().join(",");
        let Self { heads: HeadShape { heads, kv_heads, width }, scale, eps, .. } = self;
        let (full_theta, sliding_theta) = (self.full_theta, self.sliding_theta);
        format!("{heads} {kv_heads} {width} {scale} {eps} {full_theta} {sliding_theta} {layers}")
    }
}

/// The number and width of heads.
pub(super) fn head_shape(file: &JsonFile) -> Result<HeadShape, ModelError> {
    let heads = file.size("num_attention_heads")?;
    let kv_heads = file.size("num_key_value_heads")?;
    if !heads.is_multiple_of(kv_heads) {
        let problem = format!("{kv_heads} does not divide the {heads} of `num_attention_heads`");
        return Err(file.field_error("num_key_value_heads", problem));
    }
    let width = file.size("head_dim")?;
    if !width.is_multiple_of(2) {
        return Err(file.field_error("head_dim", format!("{width} is odd; positions need pairs")));
    }
    Ok(HeadShape { heads, kv_heads, width })
}

/// The base of the rotary frequencies from an object of the newer form, which must not stretch them.
pub(super) fn rope_theta(rope: &JsonFile) -> Result<f64, ModelError> {
    rope.expect("rope_type", "default".to_owned(), "default")?;
    rope.positive("rope_theta")
}

/// Refuses a file of the older form that stretches the rotary frequencies.
pub(super) fn refuse_rope_scaling(file: &JsonFile) -> Result<(), ModelError> {
    let Some(scaling) = file.child("rope_scaling")? else { return Ok(()) };
    let kind: Option<String> = scaling.optional("rope_type")?;
    match kind.as_deref() {
        Some("default") => Ok(()),
        kind => Err(scaling.unsupported("rope_type", kind.unwrap_or("unknown"), "default")),
    }
}
