use std::sync::Arc;
use std::time::{Duration, Instant};

use xunpin_core::{DocId, DocSet, EncodeError, Encoder, Filter, Neighbor, Product, Role, Strategy};

use crate::{Hit, SCHEMA, SearchRequest, SearchResponse, TookMs, format_filter};

/// Up to how many results the smaller of the two candidate depths serves.
const FEW_RESULTS: usize = 200;
/// Candidates asked for where few results are wanted, and where many are. Fixed depths keep the graph's answer the
/// same whatever number of results is asked for; what they have to spare makes up for products that vanish meanwhile.
const DEPTHS: [usize; 2] = [256, 1_280];

/// How a [`ProductSource`] is to look for the nearest vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearestPlan {
    /// How many are wanted.
    pub depth: usize,
    /// How to find them.
    pub strategy: Strategy,
    /// Width of a graph search; `None`: the source decides.
    pub ef: Option<usize>,
}

/// What a [`ProductSource`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidates {
    /// The nearest vectors.
    pub neighbors: Vec<Neighbor>,
    /// What was done: [`Strategy::Exact`] or [`Strategy::Graph`].
    pub strategy: Strategy,
}

/// Where vectors and products live. The methods are called one after the other and may see later states of the
/// source in turn.
pub trait ProductSource {
    /// Why the source could not answer.
    type Error: std::error::Error + 'static;

    /// The products that `filter` lets through.
    fn allowed(&self, filter: &Filter) -> Result<Arc<DocSet>, Self::Error>;

    /// The `plan.depth` stored vectors nearest to `query`, which has unit length; fewer if there are no more. With
    /// `allowed`, only those.
    fn nearest(
        &self,
        query: &[f32],
        plan: &NearestPlan,
        allowed: Option<&DocSet>,
    ) -> Result<Candidates, Self::Error>;

    /// The product of a vector; `None` if it was deleted or replaced.
    fn product(&self, id: DocId) -> Result<Option<Product>, Self::Error>;
}

/// Why a search failed.
#[derive(Debug, thiserror::Error)]
pub enum RetrieveError<E: std::error::Error + 'static> {
    /// The model could not encode the query.
    #[error("the query could not be encoded")]
    Encode(#[from] EncodeError),
    /// The source of vectors and products failed.
    #[error("the index could not be searched")]
    Source(#[source] E),
}

/// Answers `request`: encodes the query, finds the nearest products that pass the filter and reads them. A product
/// that vanishes meanwhile, or no longer passes the filter, is left out and the next one takes its place.
pub fn retrieve<S: ProductSource>(
    encoder: &dyn Encoder,
    source: &S,
    request: &SearchRequest,
) -> Result<SearchResponse, RetrieveError<S::Error>> {
    let started = Instant::now();
    let mut took = TookMs::default();
    let allowed =
        request.filter().map(|filter| source.allowed(filter)).transpose().map_err(RetrieveError::Source)?;
    if allowed.is_some() {
        took.filter = ms(started.elapsed());
    }
    let (hits, strategy) = if allowed.as_ref().is_some_and(|set| set.is_empty()) {
        (Vec::new(), Strategy::Exact)
    } else {
        let since = Instant::now();
        let vectors = encoder.encode(&[request.query()], Role::Query)?;
        let vector = vectors.iter().next().ok_or(EncodeError::Unusable { row: 0 })?;
        took.encode = ms(since.elapsed());
        let since = Instant::now();
        let found = search(source, vector, request, allowed.as_deref()).map_err(RetrieveError::Source)?;
        took.search = ms(since.elapsed());
        found
    };
    took.total = ms(started.elapsed());
    Ok(SearchResponse {
        schema: SCHEMA.to_owned(),
        query: request.query().to_owned(),
        mode: request.mode(),
        filter: request.filter().map(format_filter),
        strategy,
        took_ms: took,
        hits,
    })
}

fn search<S: ProductSource>(
    source: &S,
    vector: &[f32],
    request: &SearchRequest,
    allowed: Option<&DocSet>,
) -> Result<(Vec<Hit>, Strategy), S::Error> {
    let first = DEPTHS[usize::from(request.results() > FEW_RESULTS)];
    let mut plan = NearestPlan { depth: first, strategy: request.strategy(), ef: request.ef() };
    loop {
        let Candidates { mut neighbors, strategy } = source.nearest(vector, &plan, allowed)?;
        neighbors.sort_unstable_by(Neighbor::order);
        let hits = read_hits(source, &neighbors, request)?;
        // Only a mass deletion between the two steps uses up what the depth has to spare. One deeper look then
        // sees the source after it.
        if hits.len() == request.results() || neighbors.len() < plan.depth || plan.depth > first {
            return Ok((hits, strategy));
        }
        plan.depth *= 4;
    }
}

/// The products of the first `request.results()` of `neighbors` that are still there and pass the filter.
fn read_hits<S: ProductSource>(
    source: &S,
    neighbors: &[Neighbor],
    request: &SearchRequest,
) -> Result<Vec<Hit>, S::Error> {
    let mut hits: Vec<Hit> = Vec::with_capacity(request.results());
    for neighbor in neighbors {
        // Internal numbers depend on the order of arrival, so all products that tie with the last place are read
        // and the shop's ids decide.
        if hits.len() >= request.results() && hits.last().is_some_and(|last| last.score > neighbor.score) {
            break;
        }
        let Some(product) = source.product(neighbor.id)? else { continue };
        if request.filter().is_none_or(|filter| filter.matches(&product)) {
            hits.push(Hit { id: product.id.clone(), score: neighbor.score, product });
        }
    }
    hits.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
    hits.truncate(request.results());
    Ok(hits)
}

fn ms(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e3
}
