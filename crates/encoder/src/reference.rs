use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use xunpin_core::EncodeError;

use crate::ModelError;
use crate::backbone::Backbone;
use crate::batch::{PackedTokens, plan, take};
use crate::dense::Dense;
use crate::pooling::Pooling;
use crate::source::Source;
use crate::workers::Workers;

/// Runs a model in f32 on candle: what the other precisions are measured against.
pub(crate) struct ReferenceEngine {
    backbone: Box<dyn Backbone>,
    width: usize,
    pooling: Pooling,
    dense: Vec<Dense>,
    dimension: usize,
    workers: Workers,
    batch_tokens: usize,
}

impl ReferenceEngine {
    /// Reads the weights.
    pub(crate) fn new(
        source: &Source,
        threads: Option<usize>,
        batch_tokens: usize,
    ) -> Result<Self, ModelError> {
        let dense = source.folder.dense.iter().zip(&source.dense);
        let width = source.architecture.width();
        Ok(Self {
            workers: Workers::new(threads)?,
            backbone: source.architecture.load(&source.weights)?,
            width,
            pooling: Pooling::new(&source.folder.pooling),
            dense: dense.map(|(config, weights)| Dense::load(config, weights)).collect::<Result<_, _>>()?,
            dimension: source.folder.dense.last().map_or(width, |dense| dense.outputs),
            batch_tokens: batch_tokens.max(1),
        })
    }

    /// Threads that compute.
    pub(crate) fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Vectors of texts given as token ids, not normalised, each of the model's dimension. Several batches run at a time,
    /// each on one thread as long as there are enough, which wastes nothing on handing over.
    pub(crate) fn vectors(&self, ids: &[Vec<u32>], prompt: usize) -> Result<Vec<Vec<f32>>, EncodeError> {
        let lengths: Vec<usize> = ids.iter().map(Vec::len).collect();
        let batches = plan(&lengths, self.batch_tokens, self.workers.count());
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::with_capacity(batches.len()));
        self.workers.install(|| {
            let workers = rayon::current_num_threads().min(batches.len());
            (0..workers).into_par_iter().with_max_len(1).for_each(|_| {
                while let Some((at, batch)) = take(&batches, &next) {
                    let result = self.run(&PackedTokens::pick(ids, batch), prompt);
                    let failed = result.is_err();
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                    if failed {
                        next.store(batches.len(), Ordering::Relaxed);
                    }
                }
            });
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(at, _)| *at);
        let mut vectors = vec![Vec::new(); ids.len()];
        for (at, result) in done {
            let rows = result?;
            for (text, row) in batches[at].iter().zip(rows.chunks_exact(self.dimension)) {
                vectors[*text] = row.to_vec();
            }
        }
        Ok(vectors)
    }

    /// One batch: `[texts, dimension]`.
    fn run(&self, packed: &PackedTokens, prompt: usize) -> Result<Vec<f32>, EncodeError> {
        let (texts, width) = (packed.ranges().len(), self.width);
        if packed.ids().is_empty() {
            return Ok(vec![0.0; texts * self.dimension]);
        }
        let compute = || {
            let states = self.backbone.forward(packed, &mut |_, _, _| {})?;
            let mut pooled = vec![0.0; texts * width];
            for (range, out) in packed.ranges().zip(pooled.chunks_exact_mut(width)) {
                self.pooling.pool(&states[range.start * width..range.end * width], prompt, out);
            }
            self.dense.iter().try_fold(pooled, |rows, layer| layer.apply(rows))
        };
        compute().map_err(|source: candle_core::Error| EncodeError::Compute {
            texts,
            tokens: packed.ids().len(),
            source: Box::new(source),
        })
    }
}
