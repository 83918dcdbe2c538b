use std::path::{Path, PathBuf};
use std::sync::Arc;

use xunpin_core::Encoder;
use xunpin_encoder::{EncoderOptions, LlmEncoder};
use xunpin_index::{Index, IndexOptions};
use xunpin_ingest::Template;

use crate::settings::Settings;
use crate::{Engine, EngineError};

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

/// How an [`Engine`] is opened.
pub struct EngineBuilder {
    path: PathBuf,
    model: ModelChoice,
    threads: Option<usize>,
    template: Template,
    tune: Box<dyn FnOnce(&mut IndexOptions)>,
}

impl EngineBuilder {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.into(),
            model: ModelChoice::OfTheIndex,
            threads: None,
            template: Template::default(),
            tune: Box::new(|_| {}),
        }
    }

    /// The model: a known name (see `xunpin model list`) or a sentence-transformers folder. Needed for a new index;
    /// for an existing one the default is the model named in its manifest, and any other is refused.
    #[must_use]
    pub fn model(mut self, name_or_folder: impl Into<String>) -> Self {
        self.model = ModelChoice::Named(name_or_folder.into());
        self
    }

    /// An encoder already loaded, for instance one that several engines share.
    #[must_use]
    pub fn encoder(mut self, encoder: Arc<dyn Encoder>) -> Self {
        self.model = ModelChoice::Given(encoder);
        self
    }

    /// Threads the model computes with; all cores by default. Has no effect on a given encoder.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// How a product becomes the text that is embedded. Only a new index takes it; an existing one keeps its own.
    #[must_use]
    pub fn template(mut self, template: Template) -> Self {
        self.template = template;
        self
    }

    /// Changes the options of a new index, such as `m` or `exact_below`.
    #[must_use]
    pub fn tune(mut self, change: impl FnOnce(&mut IndexOptions) + 'static) -> Self {
        self.tune = Box::new(change);
        self
    }

    /// Opens the index to write, making it first where there is none.
    pub fn create(self) -> Result<Engine, EngineError> {
        if Index::exists(&self.path) {
            return self.open();
        }
        let (encoder, model) = match &self.model {
            ModelChoice::OfTheIndex => return Err(EngineError::NoModel { path: self.path }),
            ModelChoice::Named(name) => (load_encoder(name, self.threads)?, lasting_name(name)),
            ModelChoice::Given(encoder) => (encoder.clone(), encoder.fingerprint().model.clone()),
        };
        let mut options = IndexOptions::new(encoder.fingerprint().dimension);
        (self.tune)(&mut options);
        let settings = Settings { model, template: self.template };
        let extra = serde_json::to_value(&settings)
            .map_err(|source| EngineError::Settings { path: self.path.clone(), source })?;
        let index = Index::create(&self.path, encoder.fingerprint(), options, extra)?;
        Ok(Engine::new(index, settings, ModelChoice::Given(encoder), self.threads))
    }

    /// Opens an existing index to write. One engine, in one process, may do so at a time.
    pub fn open(self) -> Result<Engine, EngineError> {
        let index = Index::open(&self.path)?;
        self.over(index)
    }

    /// Opens an existing index to read, also while another process writes to it. What is written later is seen by
    /// engines opened later.
    pub fn open_read_only(self) -> Result<Engine, EngineError> {
        let index = Index::open_read_only(&self.path)?;
        self.over(index)
    }

    fn over(self, index: Index) -> Result<Engine, EngineError> {
        let settings = serde_json::from_value(index.extra().clone())
            .map_err(|source| EngineError::Settings { path: self.path, source })?;
        Ok(Engine::new(index, settings, self.model, self.threads))
    }
}

/// Loads a model: a known name or a sentence-transformers folder. `threads`: all cores if not given.
pub fn load_encoder(name_or_folder: &str, threads: Option<usize>) -> Result<Arc<dyn Encoder>, EngineError> {
    let folder = xunpin_models::resolve(name_or_folder)?;
    let options = EncoderOptions { threads, ..EncoderOptions::default() };
    Ok(Arc::new(LlmEncoder::open(&folder, options)?))
}

/// A folder's name must still lead there from another working directory.
fn lasting_name(name: &str) -> String {
    if xunpin_models::known().iter().any(|m| m.name == name) {
        return name.to_owned();
    }
    Path::new(name).canonicalize().map_or_else(|_| name.to_owned(), |p| p.to_string_lossy().into_owned())
}
