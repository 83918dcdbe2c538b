use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;
use xunpin_core::{EncodeError, Encoder, Fingerprint, Matrix, Role};

use crate::folder::{ModelFolder, Prompts, folder_name};
use crate::packed::{self, Contents, PackedEngine};
use crate::precision::Precision;
use crate::reference::ReferenceEngine;
use crate::source::Source;
use crate::tensor::{Target, TensorEngine};
use crate::tokenizer::{TextTokenizer, TokenizerFile};
use crate::{Device, ModelError};

/// Tokens in a batch on the processor, where a small one stays in the caches.
const BATCH_TOKENS: usize = 512;

/// The same on other devices, which are idle if they get little to do at a time; padding counts.
const DEVICE_BATCH_TOKENS: usize = 16_384;

/// How an [`LlmEncoder`] works. But for the precision, nothing here changes the vectors beyond rounding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncoderOptions {
    /// Number format of the computation; part of the fingerprint.
    pub precision: Precision,
    /// Where the model runs. Not part of the fingerprint: vectors of two devices differ by rounding, those of bf16 by a
    /// cosine of .999 or nearer to 1.
    pub device: Device,
    /// Threads that encode. `None` takes as many as rayon's global pool has, all cores unless told otherwise. In f32 a
    /// single matrix product is divided among as many threads as candle thinks right (`RAYON_NUM_THREADS`, or the physical
    /// cores), but never runs on more than the pool has.
    pub threads: Option<usize>,
    /// Tokens in a batch, about. More cost memory (some 30 KB each for EmbeddingGemma), fewer cost speed. `None` takes 512
    /// on the processor and 16,384 on a GPU.
    pub batch_tokens: Option<usize>,
}

/// A language model that turns texts into vectors, read from a sentence-transformers folder.
pub struct LlmEncoder {
    fingerprint: Fingerprint,
    tokenizer: TextTokenizer,
    prompts: Prompts,
    engine: Engine,
}

/// What computes.
enum Engine {
    Reference(Box<ReferenceEngine>),
    Packed(Box<PackedEngine>),
    Tensor(Box<TensorEngine>),
}

impl LlmEncoder {
    /// Opens `folder`, whose files say which architecture it holds (see
    /// [`supported_architectures`](crate::supported_architectures)), what prompts it wants and how token states become
    /// one vector. On the processor all precisions but f32 run from a file that is made first where it is missing or belongs
    /// to other weights ([`prepare`]). Where the folder lacks files of the model, such as the weights, the prepared file is
    /// taken as it is; if it holds the tokenizer too, as Gemma's does, it needs no other. On a GPU f32 and bf16 are read from
    /// the folder's own weights, and int8 is refused.
    /// Weights are mapped; the folder's files must not be written to while the encoder lives.
    ///
    /// [`prepare`]: crate::prepare
    pub fn open(folder: &Path, options: EncoderOptions) -> Result<Self, ModelError> {
        match (options.device, options.precision) {
            (Device::Cpu, Precision::F32) => Self::open_source(folder, Precision::F32, |source| {
                let batch_tokens = options.batch_tokens.unwrap_or(BATCH_TOKENS);
                let engine = ReferenceEngine::new(source, options.threads, batch_tokens)?;
                Ok(Engine::Reference(Box::new(engine)))
            }),
            (Device::Cpu, _) => Self::open_packed(folder, &options),
            _ => Self::open_tensor(folder, &options),
        }
    }

    /// With the engine for devices, which runs on the processor too.
    pub(crate) fn open_tensor(folder: &Path, options: &EncoderOptions) -> Result<Self, ModelError> {
        let target = Target::new(options.device, options.precision)?;
        Self::open_source(folder, options.precision, |source| {
            let batch_tokens = options.batch_tokens.unwrap_or(DEVICE_BATCH_TOKENS);
            let engine = TensorEngine::new(source, target, options.threads, batch_tokens)?;
            Ok(Engine::Tensor(Box::new(engine)))
        })
    }

    /// With an engine that `start` makes of the folder's own weights.
    fn open_source(
        folder: &Path,
        precision: Precision,
        start: impl FnOnce(&Source) -> Result<Engine, ModelError>,
    ) -> Result<Self, ModelError> {
        let source = Source::open(folder)?;
        // The tokenizer takes longer than the weights, and one thread.
        let (tokenizer, engine) = std::thread::scope(|scope| {
            let folder = &source.folder;
            let tokenizer = scope.spawn(|| TokenizerFile::read(&folder.transformer, folder.lower_case));
            let engine = start(&source);
            (tokenizer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), engine)
        });
        let (tokenizer, engine) = (tokenizer?, engine?);
        Ok(Self {
            fingerprint: source.fingerprint(&tokenizer.hash, precision),
            tokenizer: tokenizer.fit_to(source.architecture.vocabulary(), source.max_tokens())?,
            prompts: source.folder.prompts,
            engine,
        })
    }

    fn open_packed(folder: &Path, options: &EncoderOptions) -> Result<Self, ModelError> {
        if !folder.is_dir() {
            return Err(ModelError::NotAFolder { path: folder.to_owned() });
        }
        let (contents, _) = packed::current(folder, options.precision)?;
        let tokenizer = match packed::tokenizer(&contents)? {
            Some(tokenizer) => tokenizer,
            None => Self::tokenizer_beside(&contents, folder)?,
        };
        let threads = options.threads.unwrap_or_else(rayon::current_num_threads);
        let batch_tokens = options.batch_tokens.unwrap_or(BATCH_TOKENS).max(1);
        let engine = PackedEngine::new(&contents, threads, batch_tokens)?;
        // The file may have been prepared under another name of the folder.
        let fingerprint = Fingerprint { model: folder_name(folder), ..contents.header.fingerprint };
        Ok(Self {
            tokenizer: tokenizer.fit_to(contents.header.blueprint.vocabulary, fingerprint.max_tokens)?,
            prompts: Prompts::from_map(&fingerprint.prompts),
            engine: Engine::Packed(Box::new(engine)),
            fingerprint,
        })
    }

    /// Of a prepared file that holds no tokenizer. Needs the folder's configuration, but no weights.
    fn tokenizer_beside(contents: &Contents, folder: &Path) -> Result<TokenizerFile, ModelError> {
        let header = &contents.header;
        let tokenizer = TokenizerFile::read(&ModelFolder::read(folder)?.transformer, header.lower_case)?;
        if tokenizer.hash != header.fingerprint.tokenizer {
            let problem = "made for another tokenizer.json than the folder's".to_owned();
            return Err(ModelError::Prepared { path: contents.path().to_owned(), problem });
        }
        Ok(tokenizer)
    }

    /// Threads that encode; on a GPU those that make tokens for it.
    pub fn threads(&self) -> usize {
        match &self.engine {
            Engine::Reference(engine) => engine.workers().count(),
            Engine::Packed(engine) => engine.crew().size(),
            Engine::Tensor(engine) => engine.workers().count(),
        }
    }

    /// The prompt of `role` and `text` as one input.
    fn input(&self, text: &str, role: Role) -> String {
        format!("{}{text}", self.prompts.of(role))
    }

    /// Runs `work` with the engine's threads at hand.
    fn in_pool<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.engine {
            Engine::Reference(engine) => engine.workers().install(work),
            Engine::Packed(engine) => engine.crew().install(work),
            Engine::Tensor(engine) => engine.workers().install(work),
        }
    }

    /// Ids of the texts at the places `rows`.
    fn ids(&self, texts: &[&str], rows: &[usize], role: Role) -> Result<Vec<Vec<u32>>, EncodeError> {
        let ids = |&row: &usize| self.tokenizer.ids(&self.input(texts[row], role), row);
        if let [row] = rows {
            return Ok(vec![ids(row)?]);
        }
        let ids: Vec<_> = self.in_pool(|| rows.par_iter().map(ids).collect());
        ids.into_iter().collect()
    }
}

impl Encoder for LlmEncoder {
    fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    fn encode(&self, texts: &[&str], role: Role) -> Result<Matrix, EncodeError> {
        // Equal texts are encoded once.
        let mut first_of: HashMap<&str, usize> = HashMap::new();
        let mut distinct = Vec::new();
        let mut place = Vec::with_capacity(texts.len());
        for (row, &text) in texts.iter().enumerate() {
            place.push(*first_of.entry(text).or_insert_with(|| {
                distinct.push(row);
                distinct.len() - 1
            }));
        }
        let ids = self.ids(texts, &distinct, role)?;
        let prompt = self.tokenizer.count_prompt(self.prompts.of(role))?;
        let vectors = match &self.engine {
            Engine::Reference(engine) => engine.vectors(&ids, prompt)?,
            Engine::Packed(engine) => engine.vectors(&ids, prompt),
            Engine::Tensor(engine) => engine.vectors(&ids, prompt)?,
        };

        let mut data = Vec::with_capacity(texts.len() * self.fingerprint.dimension);
        for (row, at) in place.into_iter().enumerate() {
            let vector = &vectors[at];
            let norm = vector.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
            if !(norm.is_finite() && norm > 0.0) {
                return Err(EncodeError::Unusable { row });
            }
            data.extend(vector.iter().map(|v| (f64::from(*v) / norm) as f32));
        }
        Ok(Matrix::new(data, self.fingerprint.dimension))
    }

    fn count_tokens(&self, text: &str, role: Role) -> Result<usize, EncodeError> {
        self.tokenizer.count(&self.input(text, role))
    }

    fn fit<'a>(&self, text: &'a str, max_tokens: usize) -> Result<&'a str, EncodeError> {
        self.tokenizer.fit(text, max_tokens)
    }
}
