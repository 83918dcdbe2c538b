use super::kernel;
use super::overlay::Overlay;
use super::random::Random;
use super::sampling::{NoiseTable, keep_thresholds};
use super::sigmoid::Sigmoid;
use crate::corpus::{Corpus, Vocabulary};
use crate::{Architecture, TrainOptions};

/// What all shards read and none changes.
pub(crate) struct Task<'a> {
    pub(crate) corpus: &'a Corpus,
    pub(crate) options: &'a TrainOptions,
    /// Row of each word of the corpus.
    pub(crate) rows: &'a [u32],
    noise: NoiseTable,
    keep: Vec<u32>,
    sigmoid: Sigmoid,
}

impl<'a> Task<'a> {
    pub(crate) fn new(corpus: &'a Corpus, options: &'a TrainOptions, vocabulary: &'a Vocabulary) -> Self {
        Self {
            corpus,
            options,
            rows: &vocabulary.rows,
            noise: NoiseTable::new(&vocabulary.counts),
            keep: keep_thresholds(&vocabulary.counts, options.subsample),
            sigmoid: Sigmoid::new(),
        }
    }
}

/// The two matrices of word2vec, rows padded to `stride`.
pub(crate) struct Layers {
    pub(crate) stride: usize,
    /// The vectors that are kept.
    pub(crate) input: Vec<f32>,
    /// What predicts: as many rows, used in training alone.
    pub(crate) output: Vec<f32>,
}

/// A piece of a round: sentences, the step and the random numbers to train them with.
pub(crate) struct Piece<'a> {
    pub(crate) sentences: &'a [u32],
    pub(crate) rate: f32,
    pub(crate) random: Random,
}

/// Sum of losses and how many there were.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loss {
    pub(crate) sum: f64,
    pub(crate) terms: u64,
}

/// One of the learners of a round, with its buffers.
pub(crate) struct Shard {
    input: Overlay,
    output: Overlay,
    /// Rows of the sentence's words that were not passed over.
    sentence: Vec<u32>,
    /// Copies of the context words' rows.
    context: Vec<usize>,
    /// Copies of the rows to tell apart, the true word first.
    targets: Vec<usize>,
    /// Change of the input row.
    change: Vec<f32>,
    /// Mean of the context (CBOW).
    mean: Vec<f32>,
    loss: Loss,
}

impl Shard {
    pub(crate) fn new(words: usize, stride: usize) -> Self {
        Self {
            input: Overlay::new(words, stride),
            output: Overlay::new(words, stride),
            sentence: Vec::new(),
            context: Vec::new(),
            targets: Vec::new(),
            change: vec![0.0; stride],
            mean: vec![0.0; stride],
            loss: Loss::default(),
        }
    }

    /// Learns a piece on copies of the rows it touches.
    pub(crate) fn learn(&mut self, task: &Task<'_>, layers: &Layers, mut piece: Piece<'_>) {
        for &number in piece.sentences {
            self.sentence.clear();
            for &word in task.corpus.sentence(number as usize) {
                let row = task.rows[word as usize];
                if row != Vocabulary::DROPPED && piece.random.bits() <= task.keep[row as usize] {
                    self.sentence.push(row);
                }
            }
            for at in 0..self.sentence.len() {
                self.learn_word(task, layers, at, &mut piece);
            }
        }
        self.input.seal(&layers.input);
        self.output.seal(&layers.output);
    }

    fn learn_word(&mut self, task: &Task<'_>, layers: &Layers, at: usize, piece: &mut Piece<'_>) {
        let width = 1 + piece.random.below(task.options.window as u32) as usize;
        let around = at.saturating_sub(width)..(at + width + 1).min(self.sentence.len());
        if around.len() == 1 {
            return;
        }
        self.context.clear();
        for neighbour in around.filter(|&n| n != at) {
            self.context.push(self.input.touch(&layers.input, self.sentence[neighbour]));
        }
        // One draw of noise serves the whole window (Ji et al. 2016), so that its rows stay in the cache.
        let word = self.sentence[at];
        self.targets.clear();
        self.targets.push(self.output.touch(&layers.output, word));
        for _ in 0..task.options.negative {
            let noise = task.noise.draw(&mut piece.random);
            if noise != word {
                self.targets.push(self.output.touch(&layers.output, noise));
            }
        }
        match task.options.architecture {
            Architecture::SkipGram => self.skip_gram(&task.sigmoid, piece.rate),
            Architecture::Cbow => self.cbow(&task.sigmoid, piece.rate),
        }
    }

    fn skip_gram(&mut self, sigmoid: &Sigmoid, rate: f32) {
        for &neighbour in &self.context {
            self.change.fill(0.0);
            let input = self.input.copy_mut(neighbour);
            predict(sigmoid, rate, &self.targets, &mut self.output, input, &mut self.change, &mut self.loss);
            kernel::add(&self.change, input);
        }
    }

    /// As in Mikolov's program, each context word gets the whole change of the mean.
    fn cbow(&mut self, sigmoid: &Sigmoid, rate: f32) {
        self.change.fill(0.0);
        self.mean.fill(0.0);
        for &neighbour in &self.context {
            kernel::add(self.input.copy(neighbour), &mut self.mean);
        }
        let share = 1.0 / self.context.len() as f32;
        self.mean.iter_mut().for_each(|v| *v *= share);
        predict(sigmoid, rate, &self.targets, &mut self.output, &self.mean, &mut self.change, &mut self.loss);
        for &neighbour in &self.context {
            kernel::add(&self.change, self.input.copy_mut(neighbour));
        }
    }

    /// Adds what was learned to `layers`.
    pub(crate) fn apply(&mut self, layers: &mut Layers) -> Loss {
        self.input.apply(&mut layers.input);
        self.output.apply(&mut layers.output);
        std::mem::take(&mut self.loss)
    }
}

/// One step of negative sampling: pulls `input` and the first target together and the others apart. The change of
/// `input` is added to `change`; the targets change at once.
fn predict(
    sigmoid: &Sigmoid,
    rate: f32,
    targets: &[usize],
    output: &mut Overlay,
    input: &[f32],
    change: &mut [f32],
    loss: &mut Loss,
) {
    for (at, &target) in targets.iter().enumerate() {
        let row = output.copy_mut(target);
        let score = kernel::dot(input, row);
        let (label, cost) = if at == 0 { (1.0, sigmoid.cost(score)) } else { (0.0, sigmoid.cost(-score)) };
        kernel::exchange((label - sigmoid.at(score)) * rate, input, row, change);
        loss.sum += f64::from(cost);
    }
    loss.terms += 1;
}
