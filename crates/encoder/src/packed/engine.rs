use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, PoisonError};

use xunpin_kernels::{Crew, Member};

use super::format::Contents;
use super::model::PackedModel;
use super::pass::{Pass, Scratch};
use crate::ModelError;
use crate::batch::{PackedTokens, plan, take};

/// Runs a prepared model on a crew of threads.
pub(crate) struct PackedEngine {
    model: PackedModel,
    crew: Crew,
    batch_tokens: usize,
    /// Buffers that no pass uses now.
    idle: Mutex<Vec<Scratch>>,
}

impl PackedEngine {
    /// Finds the weights in the file and starts `threads` threads.
    pub(crate) fn new(contents: &Contents, threads: usize, batch_tokens: usize) -> Result<Self, ModelError> {
        let crew = Crew::new(threads)
            .map_err(|error| ModelError::Threads { threads: error.threads, source: error.source })?;
        let model = PackedModel::read(contents)?;
        Ok(Self { model, crew, batch_tokens, idle: Mutex::new(Vec::new()) })
    }

    pub(crate) fn crew(&self) -> &Crew {
        &self.crew
    }

    /// Vectors of texts given as token ids, not normalised, each of the model's dimension.
    ///
    /// Where there are batches for all threads, each thread runs its own, which wastes nothing on waiting; a single one
    /// is run by all together.
    pub(crate) fn vectors(&self, ids: &[Vec<u32>], prompt: usize) -> Vec<Vec<f32>> {
        let lengths: Vec<usize> = ids.iter().map(Vec::len).collect();
        let batches = plan(&lengths, self.batch_tokens, self.crew.size());
        let done = if batches.len() < self.crew.size() {
            batches.iter().map(|batch| self.together(&PackedTokens::pick(ids, batch), prompt)).collect()
        } else {
            self.side_by_side(ids, &batches, prompt)
        };
        let dimension = self.model.blueprint.dimension();
        let mut vectors = vec![Vec::new(); ids.len()];
        for (batch, rows) in batches.iter().zip(done) {
            for (text, row) in batch.iter().zip(rows.chunks_exact(dimension)) {
                vectors[*text] = row.to_vec();
            }
        }
        vectors
    }

    /// One batch on all threads.
    fn together(&self, batch: &PackedTokens, prompt: usize) -> Vec<f32> {
        self.with_scratch(|scratch| {
            let pass = Pass::new(&self.model, batch, prompt, scratch);
            self.crew.together(pass.steps(), |member| pass.run(member));
            pass.vectors()
        })
    }

    /// Many batches, each on one thread. Rows in the order of the batches.
    fn side_by_side(&self, ids: &[Vec<u32>], batches: &[Vec<usize>], prompt: usize) -> Vec<Vec<f32>> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(vec![Vec::new(); batches.len()]);
        self.crew.together(0, |_| {
            self.with_scratch(|scratch| {
                while let Some((at, batch)) = take(batches, &next) {
                    let tokens = PackedTokens::pick(ids, batch);
                    let pass = Pass::new(&self.model, &tokens, prompt, scratch);
                    Member::alone(|member| pass.run(member));
                    let rows = pass.vectors();
                    done.lock().unwrap_or_else(PoisonError::into_inner)[at] = rows;
                }
            });
        });
        done.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_scratch<R>(&self, work: impl FnOnce(&mut Scratch) -> R) -> R {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut scratch = idle.unwrap_or_else(Scratch::new);
        let result = work(&mut scratch);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        result
    }
}
