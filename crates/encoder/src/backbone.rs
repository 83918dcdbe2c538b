use crate::ModelError;
use crate::batch::PackedTokens;
use crate::bert::{self, Bert, Family};
use crate::folder::ModelFolder;
use crate::layers::HeadShape;
use crate::rotary::{self, Rotary, gemma3, qwen3};
use crate::weights::Weights;

/// A language model: token ids in, one state a token out. Prompts, batches, pooling and the layers after it are the
/// encoder's; another kind of layers is a new implementation of this trait.
pub(crate) trait Backbone: Send + Sync {
    /// The states after the last layer and norm, `[tokens, width]`, rows in the order of [`PackedTokens::ids`]. Every
    /// id is below the vocabulary's size, no text longer than the model takes.
    /// A text's rows do not depend on the other texts.
    ///
    /// `watch` sees the input of every product on the way: the layer's number, which product, and the rows.
    fn forward(&self, batch: &PackedTokens, watch: &mut Watch<'_>) -> candle_core::Result<Vec<f32>>;
}

/// See [`Backbone::forward`].
pub(crate) type Watch<'a> = dyn FnMut(usize, Product, &[f32]) + 'a;

/// The products of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Product {
    /// Queries, keys and values; the input is as wide as a state.
    Qkv,
    /// What attention gives; the input is as wide as all queries.
    Output,
    /// The first of the feed-forward layer, with its gate if it has one; the input is as wide as a state.
    Up,
    /// The second; the input is as wide as the inner row.
    Down,
}

/// Names of the architectures that [`LlmEncoder::open`](crate::LlmEncoder::open) can run, as fingerprints give them:
/// EmbeddingGemma's, Qwen3-Embedding's, and those of the many encoders made of BERT, RoBERTa and XLM-RoBERTa.
pub fn supported_architectures() -> &'static [&'static str] {
    const NAMES: &[&str] = &[
        gemma3::ARCHITECTURE,
        qwen3::ARCHITECTURE,
        Family::Bert.architecture(),
        Family::Roberta.architecture(),
        Family::XlmRoberta.architecture(),
    ];
    NAMES
}

/// Which model a folder holds: what its `config.json` says, checked.
pub(crate) enum Architecture {
    Rotary(&'static str, rotary::Config),
    Bert(Family, bert::Config),
}

impl Architecture {
    /// Reads the folder's `config.json`.
    pub(crate) fn read(folder: &ModelFolder) -> Result<Self, ModelError> {
        let config = &folder.config;
        let kind: String = config.required("model_type")?;
        let unsupported = |found: String| ModelError::Architecture {
            path: config.path().to_owned(),
            found,
            supported: supported_architectures(),
        };
        let bert = |family: Family| Ok(Self::Bert(family, bert::Config::read(config, family)?));
        match kind.as_str() {
            "gemma3_text" => {
                // Run the wrong way round, such a model still gives vectors, but bad ones.
                if config.optional::<bool>("use_bidirectional_attention")? != Some(true) {
                    let found =
                        "gemma3_text with causal attention (`use_bidirectional_attention` is not true)";
                    return Err(unsupported(found.into()));
                }
                Ok(Self::Rotary(gemma3::ARCHITECTURE, gemma3::read(config)?))
            }
            "qwen3" => Ok(Self::Rotary(qwen3::ARCHITECTURE, qwen3::read(config)?)),
            "bert" => bert(Family::Bert),
            "roberta" => bert(Family::Roberta),
            "xlm-roberta" => bert(Family::XlmRoberta),
            _ => Err(unsupported(format!("`{kind}`"))),
        }
    }

    /// Name in fingerprints, one of [`supported_architectures`].
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Rotary(name, _) => name,
            Self::Bert(family, _) => family.architecture(),
        }
    }

    /// The configuration as we understood it, for the fingerprint: equal weights under other settings give other
    /// vectors.
    pub(crate) fn settings(&self) -> String {
        match self {
            Self::Rotary(_, config) => config.describe(),
            Self::Bert(_, config) => config.describe(),
        }
    }

    /// Length of a token's state.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Rotary(_, config) => config.width,
            Self::Bert(_, config) => config.width,
        }
    }

    /// Length of the feed-forward layer between.
    pub(crate) fn inner_width(&self) -> usize {
        match self {
            Self::Rotary(_, config) => config.inner_width,
            Self::Bert(_, config) => config.inner_width,
        }
    }

    /// How many heads a layer has, and how wide they are.
    pub(crate) fn heads(&self) -> HeadShape {
        match self {
            Self::Rotary(_, config) => config.heads,
            Self::Bert(_, config) => config.heads,
        }
    }

    /// Longest text in tokens.
    pub(crate) fn max_positions(&self) -> usize {
        match self {
            Self::Rotary(_, config) => config.max_positions,
            Self::Bert(_, config) => config.max_positions(),
        }
    }

    /// Number of token ids that have an embedding.
    pub(crate) fn vocabulary(&self) -> usize {
        match self {
            Self::Rotary(_, config) => config.vocabulary,
            Self::Bert(_, config) => config.vocabulary,
        }
    }

    /// Reads the weights into the reference engine, in f32 on candle.
    pub(crate) fn load(&self, weights: &Weights) -> Result<Box<dyn Backbone>, ModelError> {
        Ok(match self {
            Self::Rotary(_, config) => Box::new(Rotary::load(config.clone(), weights)?),
            Self::Bert(_, config) => Box::new(Bert::load(config.clone(), weights)?),
        })
    }
}
