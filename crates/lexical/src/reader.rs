use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use tantivy::TantivyError;

use crate::LexicalError;
use xunpin_core::ExactMatch;

use crate::exact::{exact, has_brand};
use crate::index::Shared;
use crate::options::LexicalOptions;
use crate::query::Plan;
use crate::search::{LexicalMatches, search};
use crate::view::View;

/// The index as of one commit. Later commits don't change what it finds. Cheap to make; may be used from many threads.
#[derive(Clone)]
pub struct LexicalReader {
    shared: Arc<Shared>,
    view: Arc<View>,
}

impl LexicalReader {
    pub(crate) fn new(shared: Arc<Shared>, view: Arc<View>) -> Self {
        Self { shared, view }
    }

    /// The store's generation that the index is at.
    pub fn generation(&self) -> u64 {
        self.view.commit.generation
    }

    /// How many products the index holds.
    pub fn products(&self) -> usize {
        self.view.ids.len()
    }

    /// Scores every product that holds a term of the query. A query without terms (punctuation alone) finds nothing.
    /// Fails only where files are damaged or the system can't read them.
    pub fn search(&self, query: &str, options: &LexicalOptions) -> Result<LexicalMatches, LexicalError> {
        let plan = Plan::new(&self.shared.words.analyzer.query_terms(query));
        let pool = || self.shared.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = pool().pop().unwrap_or_default();
        let found = self.guard(|| search(&self.view, &self.shared.fields, &plan, options, &mut scratch))?;
        // After a failure it may not be zero; then it is dropped.
        pool().push(scratch);
        Ok(found)
    }

    /// The products that the query names: by an id or a model number anywhere in it, or by a brand that is the whole
    /// query (`兰蔻`, not `兰蔻平替`). By rising DocId, each once, by the most exact name.
    ///
    /// An id is a word between white space or Hanzi, in any case. Inside a longer query, ids count that have a digit and
    /// three characters or more, and plain numbers from five digits. A model number that more than 0.5% of the products
    /// have (and more than 20) names none of them.
    pub fn exact(&self, query: &str) -> Result<Vec<ExactMatch>, LexicalError> {
        self.guard(|| exact(&self.view, &self.shared.fields, query))
    }

    /// True if a word of the query, or up to three in a row, is a brand of the catalogue.
    pub fn has_brand(&self, query: &str) -> Result<bool, LexicalError> {
        let words = self.shared.words.analyzer.words(query);
        self.guard(|| has_brand(&self.view, &self.shared.fields, &words))
    }

    /// tantivy panics on some damaged files. Those up to 64 MiB were checked at the opening; of larger ones it is told here.
    fn guard<T>(&self, work: impl FnOnce() -> Result<T, TantivyError>) -> Result<T, LexicalError> {
        let damaged =
            || LexicalError::Damaged { path: self.shared.name(), reason: "a search in it broke off".into() };
        catch_unwind(AssertUnwindSafe(work))
            .map_err(|_| damaged())?
            .map_err(|e| LexicalError::engine("be searched", &self.shared.name(), e))
    }
}
