use crate::ModelError;
use crate::json::JsonFile;

/// What `config.json` says, checked.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) vocabulary: usize,
    pub(crate) max_positions: usize,
    /// Length of a token's state.
    pub(crate) width: usize,
    /// Length of the gated layer between.
    pub(crate) inner_width: usize,
    pub(crate) heads: usize,
    /// Heads of keys and values, each shared by `heads / kv_heads` heads of queries.
    pub(crate) kv_heads: usize,
    pub(crate) head_width: usize,
    /// Factor on the scores of queries and keys.
    pub(crate) scale: f32,
    pub(crate) eps: f64,
    /// Base of the rotary frequencies in layers that see everything.
    pub(crate) full_theta: f64,
    /// The same in layers with a window.
    pub(crate) sliding_theta: f64,
    /// One entry a layer: how far a token sees.
    pub(crate) layers: Vec<Sight>,
}

/// Which tokens of its text a token sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// All.
    Full,
    /// Those less than this many places away, to either side.
    Window(usize),
}

impl Config {
    /// Reads and checks the fields; a variation that we don't run is refused.
    pub(crate) fn read(file: &JsonFile) -> Result<Self, ModelError> {
        file.expect("hidden_activation", "gelu_pytorch_tanh".to_owned(), "gelu_pytorch_tanh")?;
        file.expect("attention_bias", false, "false")?;
        if file.optional::<f64>("attn_logit_softcapping")?.is_some() {
            return Err(file.unsupported("attn_logit_softcapping", "set", "null"));
        }
        let heads = file.size("num_attention_heads")?;
        let kv_heads = file.size("num_key_value_heads")?;
        if !heads.is_multiple_of(kv_heads) {
            let problem = format!("{kv_heads} does not divide the {heads} of `num_attention_heads`");
            return Err(file.field_error("num_key_value_heads", problem));
        }
        let head_width = file.size("head_dim")?;
        if !head_width.is_multiple_of(2) {
            return Err(file.field_error("head_dim", format!("{head_width} is odd; positions need pairs")));
        }
        let (full_theta, sliding_theta) = read_thetas(file)?;
        Ok(Self {
            vocabulary: file.size("vocab_size")?,
            max_positions: file.size("max_position_embeddings")?,
            width: file.size("hidden_size")?,
            inner_width: file.size("intermediate_size")?,
            heads,
            kv_heads,
            head_width,
            scale: (1.0 / file.positive("query_pre_attn_scalar")?.sqrt()) as f32,
            eps: file.positive("rms_norm_eps")?,
            full_theta,
            sliding_theta,
            layers: read_layers(file)?,
        })
    }

    /// The settings that change vectors and that the weights' shapes don't show.
    pub(crate) fn describe(&self) -> String {
        let layers = self.layers.iter().map(|sight| match sight {
            Sight::Full => "full".to_owned(),
            Sight::Window(window) => window.to_string(),
        });
        let layers = layers.collect::<Vec<_>>().join(",");
        let Self { heads, kv_heads, head_width, scale, eps, full_theta, sliding_theta, .. } = self;
        format!("{heads} {kv_heads} {head_width} {scale} {eps} {full_theta} {sliding_theta} {layers}")
    }
}

/// Bases for full and sliding layers, from either way of writing them.
fn read_thetas(file: &JsonFile) -> Result<(f64, f64), ModelError> {
    let default_only = |rope: &JsonFile, field: &str| rope.expect(field, "default".to_owned(), "default");
    if let Some(rope) = file.child("rope_parameters")? {
        let theta = |kind: &str| {
            let layer = rope.child(kind)?.ok_or_else(|| rope.field_error(kind, "missing".into()))?;
            default_only(&layer, "rope_type")?;
            layer.positive("rope_theta")
        };
        return Ok((theta("full_attention")?, theta("sliding_attention")?));
    }
    if let Some(scaling) = file.child("rope_scaling")? {
        let kind: Option<String> = scaling.optional("rope_type")?;
        if kind.as_deref() != Some("default") {
            return Err(scaling.unsupported("rope_type", kind.as_deref().unwrap_or("unknown"), "default"));
        }
    }
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
