use xunpin_kernels::Gate;

use crate::ModelError;
use crate::json::JsonFile;
use crate::layers::HeadShape;
use crate::layers::gate::{gate_name, gate_named};

/// Who counts positions how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Bert,
    Roberta,
    XlmRoberta,
}

impl Family {
    /// Name of the architecture in fingerprints.
    pub(crate) const fn architecture(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
            Self::XlmRoberta => "xlm-roberta",
        }
    }
}

/// All that is to be known of a model besides its weights: what `config.json` says, checked.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) vocabulary: usize,
    /// Rows of the table of positions.
    pub(crate) position_rows: usize,
    /// The token that takes no position of its own: it has the row of its id, and the positions of others begin after
    /// that row. `None` where positions begin at row 0.
    pub(crate) padding: Option<u32>,
    /// Rows of the table of token types; a text on its own is of type 0.
    pub(crate) token_types: usize,
    /// Length of a token's state.
    pub(crate) width: usize,
    /// Length of the feed-forward layer between.
    pub(crate) inner_width: usize,
    pub(crate) heads: HeadShape,
    /// Factor on the scores of queries and keys.
    pub(crate) scale: f32,
    /// Of every norm.
    pub(crate) eps: f64,
    pub(crate) layers: usize,
    /// Between the products of the feed-forward layer.
    pub(crate) function: Gate,
}

impl Config {
    /// Reads and checks the fields; a variation that we don't run is refused.
    pub(crate) fn read(file: &JsonFile, family: Family) -> Result<Self, ModelError> {
        file.expect("position_embedding_type", "absolute".to_owned(), "absolute")?;
        file.expect("is_decoder", false, "false")?;
        let function: String = file.required("hidden_act")?;
        let function = gate_named(&function)
            .ok_or_else(|| file.unsupported("hidden_act", &function, "gelu, gelu_new, relu, silu"))?;
        let width = file.size("hidden_size")?;
        let heads = file.size("num_attention_heads")?;
        if !width.is_multiple_of(heads) {
            let problem = format!("{heads} does not divide the {width} of `hidden_size`");
            return Err(file.field_error("num_attention_heads", problem));
        }
        let heads = HeadShape { heads, kv_heads: heads, width: width / heads };
        let padding = match family {
            Family::Bert => None,
            // transformers' own default.
            Family::Roberta | Family::XlmRoberta => Some(file.optional("pad_token_id")?.unwrap_or(1)),
        };
        let config = Self {
            vocabulary: file.size("vocab_size")?,
            position_rows: file.size("max_position_embeddings")?,
            padding,
            token_types: file.size("type_vocab_size")?,
            width,
            inner_width: file.size("intermediate_size")?,
            heads,
            scale: (1.0 / (heads.width as f64).sqrt()) as f32,
            eps: file.positive("layer_norm_eps")?,
            layers: file.size("num_hidden_layers")?,
            function,
        };
        if config.max_positions() == 0 {
            let problem =
                format!("{} leaves no position after those before the first token", config.position_rows);
            return Err(file.field_error("max_position_embeddings", problem));
        }
        Ok(config)
    }

    /// Longest text in tokens.
    pub(crate) fn max_positions(&self) -> usize {
        let before = self.padding.map_or(0, |padding| padding as usize + 1);
        self.position_rows.saturating_sub(before)
    }

    /// The settings that change vectors and that neither the weights' shapes nor the architecture's name show.
    pub(crate) fn describe(&self) -> String {
        let Self { heads: HeadShape { heads, width, .. }, scale, eps, layers, function, .. } = self;
        let padding = self.padding.map_or("none".to_owned(), |padding| padding.to_string());
        format!("{heads} {width} {scale} {eps} {layers} {} {padding}", gate_name(*function))
    }
}

/// Writes the rows of the table of positions for a text's tokens; `padding` as in [`Config`].
pub(crate) fn place_rows(padding: Option<u32>, ids: &[u32], out: &mut Vec<usize>) {
    let Some(padding) = padding else { return out.extend(0..ids.len()) };
    let mut next = padding as usize;
    out.extend(ids.iter().map(|id| {
        if *id == padding {
            return padding as usize;
        }
        next += 1;
        next
    }));
}
