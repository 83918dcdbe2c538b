use std::path::Path;

use xunpin_core::Fingerprint;
use xxhash_rust::xxh3::Xxh3;

use crate::ModelError;
use crate::backbone::Architecture;
use crate::dense::describe;
use crate::folder::ModelFolder;
use crate::pooling::Pooling;
use crate::precision::Precision;
use crate::weights::Weights;

/// A sentence-transformers folder, understood, its weights mapped and not yet read.
pub(crate) struct Source {
    pub(crate) folder: ModelFolder,
    pub(crate) architecture: Architecture,
    pub(crate) weights: Weights,
    /// Of the dense layers, in order.
    pub(crate) dense: Vec<Weights>,
}

impl Source {
    /// Reads the folder's configuration and the headers of its weights.
    pub(crate) fn open(folder: &Path) -> Result<Self, ModelError> {
        let folder = ModelFolder::read(folder)?;
        let architecture = Architecture::read(&folder)?;
        if folder.pooling.width != architecture.width() {
            let path = folder.config.path().to_owned();
            let problem =
                format!("{} differs from the {} of the pooling", architecture.width(), folder.pooling.width);
            return Err(ModelError::Field { path, field: "hidden_size".into(), problem });
        }
        let weights = Weights::open(&folder.transformer)?;
        let dense =
            folder.dense.iter().map(|config| Weights::open(&config.folder)).collect::<Result<_, _>>()?;
        Ok(Self { folder, architecture, weights, dense })
    }

    /// Longest input in tokens.
    pub(crate) fn max_tokens(&self) -> usize {
        self.folder.max_tokens.unwrap_or(usize::MAX).min(self.architecture.max_positions())
    }

    /// Of an encoder made from this folder.
    pub(crate) fn fingerprint(&self, tokenizer_hash: &str, precision: Precision) -> Fingerprint {
        let mut hash = Xxh3::new();
        hash.update(self.architecture.settings().as_bytes());
        self.weights.hash_into(&mut hash);
        self.dense.iter().for_each(|weights| weights.hash_into(&mut hash));
        let pooling = Pooling::new(&self.folder.pooling).describe().to_owned();
        let steps = self.folder.dense.iter().map(describe);
        Fingerprint {
            model: self.folder.name.clone(),
            architecture: self.architecture.name().to_owned(),
            weights: format!("{:032x}", hash.digest128()),
            tokenizer: tokenizer_hash.to_owned(),
            prompts: self.folder.prompts.to_map(),
            pooling: std::iter::once(pooling).chain(steps).collect::<Vec<_>>().join(", "),
            dimension: self.folder.dense.last().map_or(self.architecture.width(), |dense| dense.outputs),
            precision: precision.to_string(),
            rounding: precision.rounding(),
            max_tokens: self.max_tokens(),
        }
    }
}
