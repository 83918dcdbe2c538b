use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::ThreadPool;
use rayon::prelude::*;
use xunpin_core::{EncodeError, Encoder, Fingerprint, Matrix, Role};
use xxhash_rust::xxh3::Xxh3;

use crate::ModelError;
use crate::backbone::{self, Backbone};
use crate::batch::{PackedTokens, plan};
use crate::dense::Dense;
use crate::folder::{ModelFolder, Prompts};
use crate::pooling::Pooling;
use crate::precision::Precision;
use crate::tokenizer::{TextTokenizer, TokenizerFile};
use crate::weights::Weights;

/// How an [`LlmEncoder`] works; but for the precision, none of it changes the vectors beyond rounding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncoderOptions {
    /// The number format to compute with.
    pub precision: Precision,
    /// Threads that encode. `None` shares rayon's global pool with the rest of the program; `Some(n)` starts a pool of
    /// `n`. A single matrix product is divided among as many threads as candle thinks right (`RAYON_NUM_THREADS`, or
    /// the physical cores), but never runs on more than the pool has.
    pub threads: Option<usize>,
    /// Tokens in a batch, about. More cost memory (some 30 KB each for EmbeddingGemma), fewer cost speed.
    pub batch_tokens: usize,
}

impl Default for EncoderOptions {
    fn default() -> Self {
        Self { precision: Precision::default(), threads: None, batch_tokens: 1024 }
    }
}

/// A language model that turns texts into vectors, read from a sentence-transformers folder.
pub struct LlmEncoder {
    fingerprint: Fingerprint,
    tokenizer: TextTokenizer,
    prompts: Prompts,
    backbone: Box<dyn Backbone>,
    pooling: Pooling,
    dense: Vec<Dense>,
    pool: Option<ThreadPool>,
    batch_tokens: usize,
}

impl LlmEncoder {
    /// Opens `folder`, whose files say which architecture it holds (see
    /// [`supported_architectures`](crate::supported_architectures)), what prompts it wants and how token states become
    /// one vector. Weights are mapped; the folder's files must not be written to while the encoder lives.
    pub fn open(folder: &Path, options: EncoderOptions) -> Result<Self, ModelError> {
        if options.precision != Precision::F32 {
            let (path, precision) = (folder.to_owned(), options.precision);
            return Err(ModelError::Precision { path, precision });
        }
        let start_pool = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
            pool.map_err(|source| ModelError::Threads { threads, source })
        };
        let pool = options.threads.map(start_pool).transpose()?;
        let folder = ModelFolder::read(folder)?;
        // The tokenizer takes longer than the weights, and one thread.
        let (tokenizer, model) = std::thread::scope(|scope| {
            let tokenizer = scope.spawn(|| TokenizerFile::read(&folder.transformer));
            let model = read_model(&folder);
            (tokenizer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), model)
        });
        let (model, tokenizer) = (model?, tokenizer?);

        let backbone = model.loaded.backbone;
        if folder.pooling.width != backbone.width() {
            let path = folder.config.path().to_owned();
            let problem =
                format!("{} differs from the {} of the pooling", backbone.width(), folder.pooling.width);
            return Err(ModelError::Field { path, field: "hidden_size".into(), problem });
        }
        let max_tokens = folder.max_tokens.unwrap_or(usize::MAX).min(backbone.max_positions());
        let pooling = Pooling::new(&folder.pooling);
        let steps = model.dense.iter().map(Dense::describe);
        let fingerprint = Fingerprint {
            model: folder.name.clone(),
            architecture: model.loaded.architecture.to_owned(),
            weights: model.hash,
            tokenizer: tokenizer.hash.clone(),
            prompts: folder.prompts.to_map(),
            pooling: std::iter::once(pooling.describe().to_owned())
                .chain(steps)
                .collect::<Vec<_>>()
                .join(", "),
            dimension: model.dense.last().map_or(backbone.width(), Dense::outputs),
            precision: options.precision.to_string(),
            max_tokens,
        };
        Ok(Self {
            fingerprint,
            tokenizer: tokenizer.fit_to(backbone.vocabulary(), max_tokens)?,
            prompts: folder.prompts,
            backbone,
            pooling,
            dense: model.dense,
            pool,
            batch_tokens: options.batch_tokens.max(1),
        })
    }

    /// Threads that encode.
    pub fn threads(&self) -> usize {
        self.pool.as_ref().map_or_else(rayon::current_num_threads, ThreadPool::current_num_threads)
    }

    /// Runs `work` on a thread of the pool: products and loops are handed over faster from within.
    fn in_pool<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => rayon::scope(|_| work()),
        }
    }

    /// The prompt of `role` and `text` as one input.
    fn input(&self, text: &str, role: Role) -> String {
        format!("{}{text}", self.prompts.of(role))
    }

    /// Vectors of texts given as token ids, not normalised, `[ids.len(), dimension]`. Several batches run at a time,
    /// each on one thread as long as there are enough, which wastes nothing on handing over.
    fn vectors(&self, ids: &[Vec<u32>], prompt: usize) -> Result<Vec<Vec<f32>>, EncodeError> {
        let lengths: Vec<usize> = ids.iter().map(Vec::len).collect();
        let batches = plan(&lengths, self.batch_tokens);
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::with_capacity(batches.len()));
        let workers = rayon::current_num_threads().min(batches.len());
        (0..workers).into_par_iter().with_max_len(1).for_each(|_| {
            while let Some((at, batch)) = take(&batches, &next) {
                let texts: Vec<&[u32]> = batch.iter().map(|&text| ids[text].as_slice()).collect();
                let result = self.run(&texts, prompt);
                let failed = result.is_err();
                done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                if failed {
                    next.store(batches.len(), Ordering::Relaxed);
                }
            }
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(at, _)| *at);
        let mut vectors = vec![Vec::new(); ids.len()];
        for (at, result) in done {
            let rows = result?;
            let rows = rows.chunks_exact(self.fingerprint.dimension);
            for (text, row) in batches[at].iter().zip(rows) {
                vectors[*text] = row.to_vec();
            }
        }
        Ok(vectors)
    }

    /// One batch: `[texts, dimension]`.
    fn run(&self, texts: &[&[u32]], prompt: usize) -> Result<Vec<f32>, EncodeError> {
        let packed = PackedTokens::new(texts.iter().copied());
        let width = self.backbone.width();
        if packed.ids().is_empty() {
            return Ok(vec![0.0; texts.len() * self.fingerprint.dimension]);
        }
        let compute = || {
            let states = self.backbone.forward(&packed)?;
            let mut pooled = vec![0.0; texts.len() * width];
            for (range, out) in packed.ranges().zip(pooled.chunks_exact_mut(width)) {
                self.pooling.pool(&states[range.start * width..range.end * width], prompt, out);
            }
            self.dense.iter().try_fold(pooled, |rows, layer| layer.apply(rows))
        };
        compute().map_err(|source: candle_core::Error| EncodeError::Compute {
            texts: texts.len(),
            tokens: packed.ids().len(),
            source: Box::new(source),
        })
    }
}

/// The next batch that nobody has taken.
fn take<'a>(batches: &'a [Vec<usize>], next: &AtomicUsize) -> Option<(usize, &'a Vec<usize>)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    batches.get(at).map(|batch| (at, batch))
}

/// What the weights of a folder give.
struct Model {
    loaded: backbone::Loaded,
    dense: Vec<Dense>,
    hash: String,
}

fn read_model(folder: &ModelFolder) -> Result<Model, ModelError> {
    let weights = Weights::open(&folder.transformer)?;
    let loaded = backbone::load(folder, &weights)?;
    let mut hash = Xxh3::new();
    hash.update(loaded.settings.as_bytes());
    weights.hash_into(&mut hash);
    let mut dense = Vec::new();
    for config in &folder.dense {
        let weights = Weights::open(&config.folder)?;
        dense.push(Dense::load(config, &weights)?);
        weights.hash_into(&mut hash);
    }
    Ok(Model { loaded, dense, hash: format!("{:032x}", hash.digest128()) })
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
        let vectors = self.in_pool(|| {
            let ids = |&row: &usize| self.tokenizer.ids(&self.input(texts[row], role), row);
            let ids: Vec<_> = distinct.par_iter().map(ids).collect();
            let ids = ids.into_iter().collect::<Result<Vec<_>, _>>()?;
            let prompt = self.tokenizer.count_prompt(self.prompts.of(role))?;
            self.vectors(&ids, prompt)
        })?;

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
