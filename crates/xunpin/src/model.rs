//! The model of an engine: which one, loaded on first use, and compared with what made the index's vectors.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use xunpin_core::{Encoder, Shortened};
use xunpin_encoder::{Device, EncoderOptions, LlmEncoder, Precision};
use xunpin_index::Index;

use crate::EngineError;

/// Which model an engine uses.
#[derive(Clone)]
pub(crate) enum ModelChoice {
    /// The one named in the index's manifest.
    OfTheIndex,
    /// A known model or a folder.
    Named(String),
    /// An encoder that the caller has loaded.
    Given(Arc<dyn Encoder>),
}

/// What the caller said of the model.
#[derive(Clone)]
pub(crate) struct ModelOptions {
    pub(crate) choice: ModelChoice,
    /// `None`: that of the index, for a new one the default.
    pub(crate) precision: Option<Precision>,
    /// Values of a vector. `None`: those of the index, for a new one those of the model.
    pub(crate) dimension: Option<usize>,
    pub(crate) device: Device,
    pub(crate) threads: Option<usize>,
    pub(crate) allow_precision_mismatch: bool,
}

impl ModelOptions {
    /// Loads a model as the caller said, in `precision`.
    pub(crate) fn load(&self, name: &str, precision: Precision) -> Result<Arc<dyn Encoder>, EngineError> {
        let Self { device, threads, .. } = *self;
        load_encoder(name, EncoderOptions { precision, device, threads, ..EncoderOptions::default() })
    }
}

/// The model of an open index.
pub(crate) struct Model {
    options: ModelOptions,
    encoder: OnceLock<Arc<dyn Encoder>>,
    loading: Mutex<()>,
}

impl Model {
    pub(crate) fn new(options: ModelOptions) -> Self {
        Self { options, encoder: OnceLock::new(), loading: Mutex::new(()) }
    }

    /// The choice, with the index's own model by its name.
    pub(crate) fn choice(&self, made_by: &str) -> ModelChoice {
        match &self.options.choice {
            ModelChoice::OfTheIndex => ModelChoice::Named(made_by.to_owned()),
            choice => choice.clone(),
        }
    }

    /// The encoder for queries. `made_by`: the model named when the index was made.
    pub(crate) fn encoder(&self, index: &Index, made_by: &str) -> Result<&Arc<dyn Encoder>, EngineError> {
        if let Some(encoder) = self.encoder.get() {
            return Ok(encoder);
        }
        let _one_loads = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(encoder) = self.encoder.get() {
            return Ok(encoder);
        }
        let encoder = match &self.options.choice {
            ModelChoice::Given(encoder) => encoder.clone(),
            ModelChoice::Named(name) => self.load(index, name, made_by)?,
            ModelChoice::OfTheIndex => self.load(index, made_by, made_by)?,
        };
        let (most, kept) = (encoder.fingerprint().dimension, index.fingerprint().dimension);
        let encoder = if kept < most { shortened(encoder, Some(kept))? } else { encoder };
        self.check(index, encoder.as_ref(), made_by)?;
        Ok(self.encoder.get_or_init(|| encoder))
    }

    /// The encoder for products: what it gives goes into the index, so nothing may differ.
    pub(crate) fn document_encoder(
        &self,
        index: &Index,
        made_by: &str,
    ) -> Result<&Arc<dyn Encoder>, EngineError> {
        let encoder = self.encoder(index, made_by)?;
        let (given, made_with) = (encoder.fingerprint(), index.fingerprint());
        if given.differs_in_precision_alone(made_with) {
            let (given, made_with) = (given.precision.clone(), made_with.precision.clone());
            return Err(EngineError::MixedPrecision { path: index.path().into(), given, made_with });
        }
        Ok(encoder)
    }

    fn load(&self, index: &Index, name: &str, made_by: &str) -> Result<Arc<dyn Encoder>, EngineError> {
        let made_with = &index.fingerprint().precision;
        let unknown =
            |_| EngineError::UnknownPrecision { path: index.path().into(), precision: made_with.clone() };
        let precision = match self.options.precision {
            Some(precision) => precision,
            None => made_with.parse().map_err(unknown)?,
        };
        // Told before the model is prepared and loaded in vain.
        if lasting_name(name) == made_by && !self.options.allow_precision_mismatch {
            other_precision(index, &precision.to_string())?;
        }
        self.options.load(name, precision)
    }

    fn check(&self, index: &Index, encoder: &dyn Encoder, made_by: &str) -> Result<(), EngineError> {
        let given = encoder.fingerprint();
        if given.differs_in_precision_alone(index.fingerprint()) {
            if self.options.allow_precision_mismatch {
                return Ok(());
            }
            other_precision(index, &given.precision)?;
        }
        let differences = given.differences(index.fingerprint());
        if differences.is_empty() {
            return Ok(());
        }
        Err(EngineError::OtherModel {
            path: index.path().into(),
            model: given.model.clone(),
            made_by: made_by.to_owned(),
            differences,
        })
    }
}

fn other_precision(index: &Index, given: &str) -> Result<(), EngineError> {
    let made_with = &index.fingerprint().precision;
    if given == made_with {
        return Ok(());
    }
    let (given, made_with) = (given.to_owned(), made_with.clone());
    Err(EngineError::OtherPrecision { path: index.path().into(), given, made_with })
}

/// Loads a model: a known name or a sentence-transformers folder. The file that [`xunpin_encoder::prepare`] makes for the
/// precision is made now if it is needed and missing.
pub fn load_encoder(name_or_folder: &str, options: EncoderOptions) -> Result<Arc<dyn Encoder>, EngineError> {
    let folder = xunpin_models::resolve(name_or_folder)?;
    Ok(Arc::new(LlmEncoder::open(&folder, options)?))
}

/// `encoder` with vectors of `dimension` values, the first of those that it gives, at unit length ([`Shortened`]); as it is where none
/// is said.
pub fn shortened(
    encoder: Arc<dyn Encoder>,
    dimension: Option<usize>,
) -> Result<Arc<dyn Encoder>, EngineError> {
    let (most, model) = (encoder.fingerprint().dimension, encoder.fingerprint().model.clone());
    match dimension.filter(|asked| *asked != most) {
        None => Ok(encoder),
        Some(asked) => match Shortened::new(encoder, asked) {
            Some(shortened) => Ok(Arc::new(shortened)),
            None => Err(EngineError::Dimension { model, asked, most }),
        },
    }
}

/// A folder's name must still lead there from another working directory.
pub(crate) fn lasting_name(name: &str) -> String {
    if xunpin_models::known().iter().any(|m| m.name == name) {
        return name.to_owned();
    }
    Path::new(name).canonicalize().map_or_else(|_| name.to_owned(), |p| p.to_string_lossy().into_owned())
}
