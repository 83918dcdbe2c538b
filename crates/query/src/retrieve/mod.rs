//! From a request to its answer.
//!
//! ```text
//! filter ─► allowed ─┐
//! query ─► sides ────┴─► match set ─► rules, ties, groups, sort ─► page ─► products
//!                            └──────► facets
//! ```

mod look;
mod page;
mod sides;
mod source;

use std::time::Instant;

use xunpin_core::{DocId, DocSet, ExactKind, Strategy};

use crate::fusion::Weights;
use crate::{Facet, Mode, SCHEMA, SearchRequest, SearchResponse, Sides, TookMs, format_filter};

use look::Asked;
pub use look::{SIDE_DEPTH, Sighting, look};
pub use source::{Nearest, NearestPlan, ProductSource, StaticNearest};

/// A product of the match set.
#[derive(Clone, Copy, Debug)]
struct Entry {
    doc: DocId,
    score: f32,
    /// What the order within a tier goes by, the second among equal firsts. A score near 1 has too few digits for that.
    key: [f32; 2],
    sides: Sides,
    exact: Option<ExactKind>,
}

impl Entry {
    /// Products of a lower tier come before all of a higher one. An id or a model number names one product, a brand
    /// many.
    fn tier(&self) -> u8 {
        match self.exact {
            Some(ExactKind::Id | ExactKind::ModelNumber) => 0,
            Some(ExactKind::Brand) => 1,
            None => 2,
        }
    }

    /// Whether it alone would be a good match, as far as the mode's scores tell. The mode semantic has the scale of the
    /// mode hybrid, where words are one more reason to find a match good.
    fn is_good(&self, mode: Mode, weights: &Weights) -> bool {
        let score = match mode {
            Mode::Hybrid => self.score,
            Mode::Semantic => weights.score(self.score / weights.cosine_scale),
            Mode::Lexical | Mode::Word2Vec => return true,
        };
        self.exact.is_some() || score >= weights.no_match_below
    }
}

/// What the sides found, best first; equal ones by number.
#[derive(Debug, Default)]
struct MatchSet {
    entries: Vec<Entry>,
    cut: bool,
    strategy: Option<Strategy>,
    no_good_match: bool,
    unknown_words: Vec<String>,
    lexical_weight: Option<f32>,
}

/// Answers `request`: finds the match set, orders it and reads the products of the page asked for. A product that
/// vanishes meanwhile, or no longer passes the filter, is left out and the next one takes its place. Fails only as
/// `source` does.
///
/// Parts of a request that don't go together ([`SearchRequest::check`]) are passed over: popularity counts only in
/// [`Mode::Hybrid`](crate::Mode::Hybrid), placement only where no sort key is given.
pub fn retrieve<S: ProductSource>(
    source: &S,
    request: &SearchRequest,
    weights: &Weights,
) -> Result<SearchResponse, S::Error> {
    let started = Instant::now();
    let mut took = TookMs::default();
    let generation = source.generation();
    let allowed = request.filter().map(|filter| source.allowed(filter)).transpose()?;
    if allowed.is_some() {
        took.filter = ms(started);
    }
    let mut found = if allowed.as_ref().is_some_and(|set| set.is_empty()) {
        MatchSet { no_good_match: true, ..MatchSet::default() }
    } else {
        Asked { source, request, weights, allowed: allowed.as_deref() }.match_set(&mut took)?
    };
    let since = Instant::now();
    if !request.sort().is_empty() && !request.everything() && !found.no_good_match {
        // Relevance puts weak matches last, where they do no harm; another order would put some of them first.
        found.entries.retain(|entry| entry.is_good(request.mode(), weights));
    }
    let facets = facets(source, request, &found.entries)?;
    let page = page::page(source, request, found.entries, allowed.as_deref())?;
    took.search += ms(since);
    took.total = ms(started);
    Ok(SearchResponse {
        schema: SCHEMA.to_owned(),
        query: request.query().to_owned(),
        mode: request.mode(),
        filter: request.filter().map(format_filter),
        strategy: found.strategy,
        generation,
        total: page.total,
        cut: found.cut,
        offset: request.offset(),
        no_good_match: found.no_good_match,
        unknown_words: found.unknown_words,
        lexical_weight: found.lexical_weight,
        took_ms: took,
        hits: page.hits,
        facets,
    })
}

fn facets<S: ProductSource>(
    source: &S,
    request: &SearchRequest,
    entries: &[Entry],
) -> Result<Vec<Facet>, S::Error> {
    if request.facets().is_empty() {
        return Ok(Vec::new());
    }
    let docs: DocSet = entries.iter().map(|entry| entry.doc).collect();
    let count = |facet| Ok(crate::facet(facet, source.column(facet.field())?.as_ref(), &docs));
    request.facets().iter().map(count).collect()
}

/// Milliseconds since then, to the microsecond.
fn ms(since: Instant) -> f64 {
    since.elapsed().as_micros() as f64 / 1e3
}
