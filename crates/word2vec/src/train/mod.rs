//! Training. An epoch goes through the sentences in a shuffled order, in rounds; a round is up to [`MAX_SHARDS`]
//! pieces of about [`PIECE_WORDS`] words, each learned on copies of the rows it touches and then added in order.
//!
//! Compared with threads that write into one matrix ("Hogwild"), no update is lost, nothing is undefined, and the
//! result is the same on one thread or sixteen; the price is copying each row once a piece. An update is seen by other
//! pieces up to two thousand words late. Where few words share all updates that lets them overshoot: 16 pieces
//! diverged on 2,000 distinct words and cost nothing on 27,000, so there is a piece for each [`WORDS_PER_SHARD`].

mod kernel;
mod options;
mod overlay;
mod random;
mod sampling;
mod shard;
mod sigmoid;

use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::corpus::{Corpus, Vocabulary};
use crate::{TrainError, WordVectors};
pub use options::{Architecture, TrainOptions};
use random::Random;
use shard::{Layers, Loss, Piece, Shard, Task};

/// Most pieces of a round; no more threads than this are of use. Part of what a seed means.
const MAX_SHARDS: usize = 16;
/// Distinct words for each piece of a round. Part of what a seed means.
const WORDS_PER_SHARD: usize = 2_048;
/// Words of a piece, at least, unless the epoch ends. Part of what a seed means.
const PIECE_WORDS: usize = 128;
/// The step falls to this share of the first one.
const LOWEST_RATE: f64 = 1e-4;

/// How far a training is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The pass over the corpus, from 1.
    pub epoch: usize,
    /// Passes in all.
    pub epochs: usize,
    /// Occurrences of words gone through, over all passes.
    pub words_done: u64,
    /// Occurrences to go through, over all passes.
    pub words_total: u64,
    /// Mean loss of the predictions since the last report: it should fall, most in the first passes.
    pub loss: f64,
}

/// Trains word vectors with negative sampling (Mikolov, Sutskever, Chen, Corrado and Dean, 2013).
///
/// ```
/// use std::ops::ControlFlow;
/// use xunpin_word2vec::{Corpus, TrainOptions, Trainer};
///
/// let mut corpus = Corpus::new();
/// for _ in 0..50 {
///     corpus.push(["补水", "面霜", "秋冬"]);
///     corpus.push(["控油", "洗面奶", "夏季"]);
/// }
/// let options = TrainOptions { dimension: 16, epochs: Some(3), ..TrainOptions::default() };
/// let vectors = Trainer::new(options)?.train(&corpus, |_| ControlFlow::Continue(()))?;
/// assert_eq!((vectors.len(), vectors.dimension()), (6, 16));
/// # Ok::<(), xunpin_word2vec::TrainError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trainer {
    options: TrainOptions,
    threads: usize,
}

impl Trainer {
    /// A trainer on one thread. Fails if an option is outside its limits.
    pub fn new(options: TrainOptions) -> Result<Self, TrainError> {
        options.validate()?;
        Ok(Self { options, threads: 1 })
    }

    /// Uses `threads` threads, 0 for as many as the machine has cores; the vectors are the same. More than one for
    /// each 2,048 distinct words, or than 16, are of no use.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            given => given,
        }
        .min(MAX_SHARDS);
        self
    }

    /// Trains on `corpus` and reports to `progress` every few thousand words; `ControlFlow::Break` stops with
    /// [`TrainError::Cancelled`]. Memory: 8 bytes a value of the result, and 128 bytes a word.
    pub fn train(
        &self,
        corpus: &Corpus,
        mut progress: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<WordVectors, TrainError> {
        if corpus.words() == 0 {
            return Err(TrainError::EmptyCorpus);
        }
        let epochs = self.options.epochs_over(corpus.words());
        let options = &TrainOptions { epochs: Some(epochs), ..self.options.clone() };
        let vocabulary = corpus.vocabulary(options.min_count);
        if vocabulary.words.len() < 2 {
            return Err(TrainError::TooFewWords {
                kept: vocabulary.words.len(),
                distinct: corpus.distinct(),
                min_count: options.min_count,
            });
        }
        let pool = match self.threads {
            1 => None,
            threads => Some(
                rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .build()
                    .map_err(|source| TrainError::Threads { threads, source })?,
            ),
        };
        let task = Task::new(corpus, options, &vocabulary);
        let mut layers = initial_layers(vocabulary.words.len(), options);
        let shards = (vocabulary.words.len() / WORDS_PER_SHARD).clamp(1, MAX_SHARDS);
        let mut shards: Vec<Shard> =
            (0..shards).map(|_| Shard::new(vocabulary.words.len(), layers.stride)).collect();
        let mut order: Vec<u32> = (0..corpus.sentences() as u32).collect();
        let words_total = corpus.words() * epochs as u64;
        let mut words_done = 0;

        for epoch in 1..=epochs {
            Random::new(options.seed, [epoch as u64, 0]).shuffle(&mut order);
            let mut rest = &order[..];
            let mut piece_number = 0;
            while !rest.is_empty() {
                let left = 1.0 - words_done as f64 / words_total as f64;
                let rate = options.learning_rate * left.max(LOWEST_RATE) as f32;
                let mut pieces = Vec::with_capacity(shards.len());
                while pieces.len() < shards.len() && !rest.is_empty() {
                    let (sentences, words) = cut_piece(corpus, rest);
                    rest = &rest[sentences.len()..];
                    words_done += words;
                    piece_number += 1;
                    let random = Random::new(options.seed, [epoch as u64, piece_number]);
                    pieces.push(Piece { sentences, rate, random });
                }
                let loss = round(&mut shards, pool.as_ref(), &task, &mut layers, pieces);
                let report = Progress {
                    epoch,
                    epochs,
                    words_done,
                    words_total,
                    loss: loss.sum / loss.terms.max(1) as f64,
                };
                if progress(&report).is_break() {
                    return Err(TrainError::Cancelled);
                }
            }
        }
        finish(vocabulary, &layers, options)
    }
}

/// Input rows uniform in ±1/(2 d), output rows zero, as in Mikolov's program.
fn initial_layers(words: usize, options: &TrainOptions) -> Layers {
    let stride = kernel::padded(options.dimension);
    let mut input = vec![0.0; words * stride];
    let mut random = Random::new(options.seed, [0, 0]);
    for row in input.chunks_exact_mut(stride) {
        for value in &mut row[..options.dimension] {
            *value = (random.unit() - 0.5) / options.dimension as f32;
        }
    }
    Layers { stride, output: vec![0.0; input.len()], input }
}

/// The first sentences of `rest` that hold [`PIECE_WORDS`] words together, and how many words they hold.
fn cut_piece<'a>(corpus: &Corpus, rest: &'a [u32]) -> (&'a [u32], u64) {
    let mut words = 0;
    let mut end = 0;
    while end < rest.len() && words < PIECE_WORDS {
        words += corpus.sentence(rest[end] as usize).len();
        end += 1;
    }
    (&rest[..end], words as u64)
}

fn round(
    shards: &mut [Shard],
    pool: Option<&rayon::ThreadPool>,
    task: &Task<'_>,
    layers: &mut Layers,
    pieces: Vec<Piece<'_>>,
) -> Loss {
    let used = pieces.len();
    let read: &Layers = layers;
    match pool {
        Some(pool) => pool.install(|| {
            let work = shards.par_iter_mut().zip(pieces.into_par_iter());
            work.for_each(|(shard, piece)| shard.learn(task, read, piece));
        }),
        None => {
            for (shard, piece) in shards.iter_mut().zip(pieces) {
                shard.learn(task, read, piece);
            }
        }
    }
    let mut total = Loss::default();
    for shard in &mut shards[..used] {
        let loss = shard.apply(layers);
        total.sum += loss.sum;
        total.terms += loss.terms;
    }
    total
}

fn finish(
    vocabulary: Vocabulary,
    layers: &Layers,
    options: &TrainOptions,
) -> Result<WordVectors, TrainError> {
    let mut values = Vec::with_capacity(vocabulary.words.len() * options.dimension);
    for row in layers.input.chunks_exact(layers.stride) {
        values.extend_from_slice(&row[..options.dimension]);
    }
    let diverged = |_| TrainError::Diverged { learning_rate: options.learning_rate };
    // Words are distinct and the shape is right by construction: only values can be wrong.
    WordVectors::new(vocabulary.words, vocabulary.counts, values, options.dimension)
        .map(|vectors| vectors.trained(options.clone()))
        .map_err(diverged)
}
