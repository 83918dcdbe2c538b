use std::sync::Arc;

use xunpin_core::{DocId, DocSet, ExactMatch, Field, Filter, Matrix, Product, Role, TextMatches};
use xunpin_index::SearchOptions;
use xunpin_query::fusion::Weights;
use xunpin_query::{
    Column, Nearest, NearestPlan, ProductSource, SearchRequest, SearchResponse, Sighting, StaticNearest,
    look, retrieve,
};

use crate::lexical::text_matches;
use crate::{Engine, EngineError};

impl Engine {
    /// The products that answer the request, best first.
    pub fn search(&self, request: &SearchRequest) -> Result<SearchResponse, EngineError> {
        request.check()?;
        self.fields.check(&self.index, request)?;
        retrieve(&Source { engine: self }, request, &self.weights()?)
    }

    /// What both sides say of the request's query, before fusion; see [`Sighting`].
    pub(crate) fn look(&self, request: &SearchRequest, weights: &Weights) -> Result<Sighting, EngineError> {
        look(&Source { engine: self }, request, weights, None, &mut Default::default())
    }

    pub(crate) fn source(&self) -> impl ProductSource<Error = EngineError> + '_ {
        Source { engine: self }
    }
}

struct Source<'a> {
    engine: &'a Engine,
}

impl ProductSource for Source<'_> {
    type Error = EngineError;

    fn generation(&self) -> u64 {
        self.engine.index.generation()
    }

    fn allowed(&self, filter: &Filter) -> Result<Arc<DocSet>, EngineError> {
        self.engine.fields.allowed(&self.engine.index, filter)
    }

    fn encode(&self, query: &str) -> Result<Vec<f32>, EngineError> {
        let vectors = self.engine.encoder()?.encode(&[query], Role::Query)?;
        Ok(vectors.row(0).to_vec())
    }

    fn nearest(
        &self,
        query: &[f32],
        plan: &NearestPlan,
        allowed: Option<&DocSet>,
    ) -> Result<Nearest, EngineError> {
        let options = SearchOptions { allowed, strategy: plan.strategy, ef: plan.ef };
        let found = self.engine.index.search(query, plan.depth, &options)?;
        Ok(Nearest { neighbors: found.neighbors, strategy: found.strategy })
    }

    fn vectors(&self, docs: &[DocId]) -> Result<Matrix, EngineError> {
        Ok(self.engine.index.gather(docs).rows)
    }

    fn text_matches(&self, query: &str) -> Result<TextMatches, EngineError> {
        Ok(text_matches(&self.engine.lexical.reader(&self.engine.index)?, query)?)
    }

    fn exact_matches(&self, query: &str) -> Result<Vec<ExactMatch>, EngineError> {
        Ok(self.engine.lexical.reader(&self.engine.index)?.exact(query)?)
    }

    fn static_nearest(
        &self,
        query: &str,
        depth: usize,
        allowed: Option<&DocSet>,
    ) -> Result<StaticNearest, EngineError> {
        self.engine.statics.nearest(&self.engine.index, query, depth, allowed)
    }

    fn column(&self, field: &Field) -> Result<Arc<Column>, EngineError> {
        self.engine.fields.column(&self.engine.index, field)
    }

    fn find(&self, ids: &[String]) -> Result<Vec<Option<DocId>>, EngineError> {
        Ok(self.engine.index.lookup(ids)?.into_iter().map(|entry| Some(entry?.doc)).collect())
    }

    fn products(&self, docs: &[DocId]) -> Result<Vec<Option<Product>>, EngineError> {
        Ok(self.engine.index.products(docs)?)
    }
}
