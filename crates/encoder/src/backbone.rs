use crate::ModelError;
use crate::batch::PackedTokens;
use crate::bert::{self, Bert, Family};
use crate::folder::ModelFolder;
use crate::rotary::{self, Rotary, gemma3, qwen3};
use crate::weights::Weights;

/// A language model: token ids in, one state a token out. Prompts, batches, pooling and the layers after it are the
/// encoder's; another kind of layers is a new implementation of this trait.
pub(crate) trait Backbone: Send + Sync {
    /// Length of a token's state.
    fn width(&self) -> usize;

    /// Number of token ids that have an embedding.
    fn vocabulary(&self) -> usize;

    /// Longest text in tokens.
    fn max_positions(&self) -> usize;

    /// The states after the last layer and norm, `[tokens, width]`, rows in the order of [`PackedTokens::ids`]. Every
    /// id is below [`vocabulary`](Self::vocabulary), every text at most [`max_positions`](Self::max_positions) long.
    /// A text's rows do not depend on the other texts.
    fn forward(&self, batch: &PackedTokens) -> candle_core::Result<Vec<f32>>;
}

/// A language model that was read from a folder.
pub(crate) struct Loaded {
    /// Name of the architecture, one of [`supported_architectures`].
    pub(crate) architecture: &'static str,
    pub(crate) backbone: Box<dyn Backbone>,
    /// The configuration as we understood it, for the fingerprint: equal weights under other settings give other
    /// vectors.
    pub(crate) settings: String,
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

/// Reads the language model that the folder's `config.json` names.
pub(crate) fn load(folder: &ModelFolder, weights: &Weights) -> Result<Loaded, ModelError> {
    let config = &folder.config;
    let kind: String = config.required("model_type")?;
    let unsupported = |found: String| ModelError::Architecture {
        path: config.path().to_owned(),
        found,
        supported: supported_architectures(),
    };
    let rotary = |architecture: &'static str, config: rotary::Config| {
        let settings = config.describe();
        let backbone = Box::new(Rotary::load(config, weights)?);
        Ok(Loaded { architecture, backbone, settings })
    };
    let bert = |family: Family| {
        let config = bert::Config::read(config, family)?;
        let settings = config.describe();
        let backbone = Box::new(Bert::load(config, weights)?);
        Ok(Loaded { architecture: family.architecture(), backbone, settings })
    };
    match kind.as_str() {
        "gemma3_text" => {
            // Run the wrong way round, such a model still gives vectors, but bad ones.
            if config.optional::<bool>("use_bidirectional_attention")? != Some(true) {
                let found = "gemma3_text with causal attention (`use_bidirectional_attention` is not true)";
                return Err(unsupported(found.into()));
            }
            rotary(gemma3::ARCHITECTURE, gemma3::read(config)?)
        }
        "qwen3" => rotary(qwen3::ARCHITECTURE, qwen3::read(config)?),
        "bert" => bert(Family::Bert),
        "roberta" => bert(Family::Roberta),
        "xlm-roberta" => bert(Family::XlmRoberta),
        _ => Err(unsupported(format!("`{kind}`"))),
    }
}
