use std::path::{Path, PathBuf};
use std::sync::Arc;

use xunpin_core::Encoder;
use xunpin_encoder::{Device, Precision};
use xunpin_index::{Batch, Index, IndexOptions};
use xunpin_ingest::Template;

use crate::model::{ModelChoice, ModelOptions, lasting_name, shortened};
use crate::settings::Settings;
use crate::{Engine, EngineError};

/// How an [`Engine`] is opened.
pub struct EngineBuilder {
    pub(crate) path: PathBuf,
    pub(crate) model: ModelOptions,
    /// `None`: that of the index, for a new one the default.
    pub(crate) template: Option<Template>,
    pub(crate) tune: Box<dyn FnOnce(&mut IndexOptions)>,
    graph: GraphOptions,
}

/// What was asked of the graphs of an index.
#[derive(Clone, Copy, Default)]
struct GraphOptions {
    m: Option<usize>,
    ef_construction: Option<usize>,
    recall: Option<f64>,
}

impl GraphOptions {
    fn set(&self, options: &mut IndexOptions) {
        options.m = self.m.unwrap_or(options.m);
        options.ef_construction = self.ef_construction.unwrap_or(options.ef_construction);
        options.recall = self.recall.unwrap_or(options.recall);
    }

    /// Refuses what an existing index was not made with.
    fn check(&self, index: &Index, dimension: Option<usize>) -> Result<(), EngineError> {
        let has = index.options();
        let refuse = |option: &'static str, given: String, made_with: String| {
            Err(EngineError::OtherOptions { path: index.path().into(), option, given, made_with })
        };
        if let Some(dimension) = dimension.filter(|dimension| *dimension != has.dimension) {
            return refuse("dimension", dimension.to_string(), has.dimension.to_string());
        }
        match (self.m, self.ef_construction, self.recall) {
            (Some(m), ..) if m != has.m => refuse("m", m.to_string(), has.m.to_string()),
            (_, Some(ef), _) if ef != has.ef_construction => {
                refuse("ef_construction", ef.to_string(), has.ef_construction.to_string())
            }
            (.., Some(recall)) if recall != has.recall => {
                refuse("recall", recall.to_string(), has.recall.to_string())
            }
            _ => Ok(()),
        }
    }
}

impl EngineBuilder {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.into(),
            model: ModelOptions {
                choice: ModelChoice::OfTheIndex,
                precision: None,
                dimension: None,
                device: Device::Cpu,
                threads: None,
                allow_precision_mismatch: false,
            },
            template: None,
            tune: Box::new(|_| {}),
            graph: GraphOptions::default(),
        }
    }

    /// The model: a known name (see `xunpin model list`) or a sentence-transformers folder. Needed for a new index;
    /// for an existing one the default is the model named in its manifest, and any other is refused.
    #[must_use]
    pub fn model(mut self, name_or_folder: impl Into<String>) -> Self {
        self.model.choice = ModelChoice::Named(name_or_folder.into());
        self
    }

    /// An encoder already loaded, for instance one that several engines share.
    #[must_use]
    pub fn encoder(mut self, encoder: Arc<dyn Encoder>) -> Self {
        self.model.choice = ModelChoice::Given(encoder);
        self
    }

    /// Threads the model computes with and graphs are built by; all cores by default. Has no effect on a given encoder.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.model.threads = Some(threads);
        self
    }

    /// The number format the model computes with. For a new index the default is [`Device::default_precision`], for an existing
    /// one the precision that its vectors were made with, and any other is refused. Has no effect on a given encoder.
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.model.precision = Some(precision);
        self
    }

    /// Values of a vector of a new index: the first of those that the model gives, which take less memory and time and find
    /// less; models are trained for it (EmbeddingGemma: 512, 256 and 128) or may lose much. An existing index that was made with another number is refused.
    #[must_use]
    pub fn dimension(mut self, dimension: usize) -> Self {
        self.model.dimension = Some(dimension);
        self
    }

    /// Where the model runs; the processor by default. Vectors of a GPU go with those of the processor: the two differ by
    /// rounding alone. Has no effect on a given encoder.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.model.device = device;
        self
    }

    /// Lets queries be encoded in another precision than the products were. Cosines then are off by what the two precisions
    /// of the model differ; products can't be put in. Any other difference of the models is refused as ever.
    #[must_use]
    pub fn allow_precision_mismatch(mut self, allow: bool) -> Self {
        self.model.allow_precision_mismatch = allow;
        self
    }

    /// How a product becomes the text that is embedded. Only a new index takes it; an existing one keeps its own.
    #[must_use]
    pub fn template(mut self, template: Template) -> Self {
        self.template = Some(template);
        self
    }

    /// Changes the options of a new index, such as `m` or `exact_below`.
    #[must_use]
    pub fn tune(mut self, change: impl FnOnce(&mut IndexOptions) + 'static) -> Self {
        self.tune = Box::new(change);
        self
    }

    /// Links of a graph node of a new index ([`IndexOptions::m`]); an existing one that was made with another number is refused.
    #[must_use]
    pub fn m(mut self, m: usize) -> Self {
        self.graph.m = Some(m);
        self
    }

    /// Candidates looked at when a node of a new index is linked ([`IndexOptions::ef_construction`]); an existing one that was made
    /// with another number is refused.
    #[must_use]
    pub fn ef_construction(mut self, ef_construction: usize) -> Self {
        self.graph.ef_construction = Some(ef_construction);
        self
    }

    /// The share of the true nearest that searches of a new index are to find ([`IndexOptions::recall`]); an existing one that was made
    /// with another share is refused.
    #[must_use]
    pub fn recall(mut self, recall: f64) -> Self {
        self.graph.recall = Some(recall);
        self
    }

    /// Opens the index to write, making it first where there is none.
    pub fn create(self) -> Result<Engine, EngineError> {
        self.create_with(None)
    }

    /// The same; a new index begins with the commit of `first`, before anything is derived from it.
    pub(crate) fn create_with(self, first: Option<Batch>) -> Result<Engine, EngineError> {
        if Index::exists(&self.path) {
            return self.open();
        }
        let precision = self.model.precision.unwrap_or(self.model.device.default_precision());
        let (encoder, model) = match &self.model.choice {
            ModelChoice::OfTheIndex => return Err(EngineError::NoModel { path: self.path }),
            ModelChoice::Named(name) => (self.model.load(name, precision)?, lasting_name(name)),
            ModelChoice::Given(encoder) => (encoder.clone(), encoder.fingerprint().model.clone()),
        };
        let encoder = shortened(encoder, self.model.dimension)?;
        let mut options = IndexOptions::new(encoder.fingerprint().dimension);
        (self.tune)(&mut options);
        self.graph.set(&mut options);
        let settings = Settings { model, template: self.template.unwrap_or_default() };
        let extra = serde_json::to_value(&settings)
            .map_err(|source| EngineError::Settings { path: self.path.clone(), source })?;
        let index = Index::create(&self.path, encoder.fingerprint(), options, extra)?;
        index.set_build_threads(self.model.threads.unwrap_or(0));
        if let Some(first) = first {
            index.apply(first)?;
        }
        let model = ModelOptions { choice: ModelChoice::Given(encoder), ..self.model };
        Ok(Engine::new(index, settings, model))
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

    /// An engine over an index that is open.
    pub(crate) fn over(self, index: Index) -> Result<Engine, EngineError> {
        self.graph.check(&index, self.model.dimension)?;
        index.set_build_threads(self.model.threads.unwrap_or(0));
        let settings = serde_json::from_value(index.extra().clone())
            .map_err(|source| EngineError::Settings { path: self.path, source })?;
        Ok(Engine::new(index, settings, self.model))
    }
}
