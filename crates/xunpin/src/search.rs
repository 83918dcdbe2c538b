use std::sync::{Arc, Mutex, PoisonError};

use xunpin_core::{DocId, DocSet, Filter, Product};
use xunpin_index::{Index, IndexError, SearchOptions};
use xunpin_query::{
    Candidates, NearestPlan, ProductSource, RetrieveError, SearchRequest, SearchResponse, retrieve,
};

use crate::{Engine, EngineError};

impl Engine {
    /// The products nearest in meaning to the request's words, best first.
    pub fn search(&self, request: &SearchRequest) -> Result<SearchResponse, EngineError> {
        let encoder = self.encoder()?;
        let source = Source { index: &self.index, filters: &self.filters };
        retrieve(encoder.as_ref(), &source, request).map_err(|error| match error {
            RetrieveError::Encode(error) => EngineError::Encode(error),
            RetrieveError::Source(error) => EngineError::Index(error),
        })
    }
}

struct Source<'a> {
    index: &'a Index,
    filters: &'a FilterCache,
}

impl ProductSource for Source<'_> {
    type Error = IndexError;

    fn allowed(&self, filter: &Filter) -> Result<Arc<DocSet>, IndexError> {
        self.filters.get(self.index, filter)
    }

    fn nearest(
        &self,
        query: &[f32],
        plan: &NearestPlan,
        allowed: Option<&DocSet>,
    ) -> Result<Candidates, IndexError> {
        let options = SearchOptions { allowed, strategy: plan.strategy, ef: plan.ef };
        let found = self.index.search(query, plan.depth, &options)?;
        Ok(Candidates { neighbors: found.neighbors, strategy: found.strategy })
    }

    fn product(&self, id: DocId) -> Result<Option<Product>, IndexError> {
        self.index.product(id)
    }
}

/// Filters whose matches are remembered.
const REMEMBERED: usize = 16;

/// The matches of the filters used last, each good for one generation of the index: finding them reads every product.
#[derive(Default)]
pub(crate) struct FilterCache {
    /// The filter used last stands last.
    entries: Mutex<Vec<(u64, Filter, Arc<DocSet>)>>,
}

impl FilterCache {
    fn get(&self, index: &Index, filter: &Filter) -> Result<Arc<DocSet>, IndexError> {
        let generation = index.generation();
        {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            entries.retain(|(g, _, _)| *g == generation);
            if let Some(at) = entries.iter().position(|(_, f, _)| f == filter) {
                let entry = entries.remove(at);
                let found = entry.2.clone();
                entries.push(entry);
                return Ok(found);
            }
        }
        let found = Arc::new(index.filter_ids(|product| filter.matches(product))?);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == REMEMBERED {
            entries.remove(0);
        }
        entries.push((generation, filter.clone(), found.clone()));
        Ok(found)
    }
}
