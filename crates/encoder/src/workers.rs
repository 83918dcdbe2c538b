use rayon::ThreadPool;

use crate::ModelError;

/// Threads of an engine's own, or rayon's global pool.
pub(crate) struct Workers(Option<ThreadPool>);

impl Workers {
    /// Starts `threads` threads; `None` takes the global pool.
    pub(crate) fn new(threads: Option<usize>) -> Result<Self, ModelError> {
        let start = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
            pool.map_err(|source| ModelError::Threads { threads, source })
        };
        threads.map(start).transpose().map(Self)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.as_ref().map_or_else(rayon::current_num_threads, ThreadPool::current_num_threads)
    }

    /// Runs `work` on one of them: products and loops are handed over faster from within.
    pub(crate) fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.0 {
            Some(pool) => pool.install(work),
            None => rayon::scope(|_| work()),
        }
    }
}
