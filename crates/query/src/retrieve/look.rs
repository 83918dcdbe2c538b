//! What both sides say of a query.

use std::time::Instant;

use xunpin_core::{DocId, DocSet, ExactKind, ExactMatch, Neighbor, Strategy, TextMatch, TextMatches};

use super::{NearestPlan, ProductSource, ms};
use crate::dot::dot;
use crate::fusion::{Candidate, QueryFeatures, Weights};
use crate::{Mode, SearchRequest, TookMs};

/// Most products that one side gives to a match set. Both sides are always asked for that many, so that the first
/// results don't depend on how many are wanted.
pub const SIDE_DEPTH: usize = 1_000;

/// What both sides say of one query, before any weights: enough to try weights on.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The query's vector.
    pub vector: Vec<f32>,
    /// What the query is.
    pub features: QueryFeatures,
    /// The products found by either side, by rising number.
    pub candidates: Vec<Candidate>,
    /// Products that the query names outright, by rising number, each once.
    pub exact: Vec<ExactMatch>,
    /// How the nearest vectors were found.
    pub strategy: Strategy,
    /// A side found more than it may give.
    pub cut: bool,
}

/// Asks both sides. Candidates are the products of the match set: the nearest above the floor, those that hold enough
/// of the query's words, and those that the query names.
pub fn look<S: ProductSource>(
    source: &S,
    request: &SearchRequest,
    weights: &Weights,
    allowed: Option<&DocSet>,
    took: &mut TookMs,
) -> Result<Sighting, S::Error> {
    let since = Instant::now();
    let text = text_matches(source, request)?;
    let exact = exact_matches(source, request, allowed)?;
    let features = features(&text);
    let brand = exact.iter().any(|m| m.kind == ExactKind::Brand);
    let (matches, cut_words) =
        if weights.lexical_weight(&features).most() > 0.0 || brand || request.everything() {
            best_matches(&text, request, weights, allowed)
        } else {
            (Vec::new(), false)
        };
    took.lexical = ms(since);
    let vector = encode(source, request, took)?;
    let (neighbors, strategy, cut_near) = nearest(source, request, weights, &vector, allowed, took)?;
    let since = Instant::now();
    let mut cosines: Vec<(DocId, f32)> = neighbors.iter().map(|n| (n.id, n.score)).collect();
    cosines.sort_unstable_by_key(|(doc, _)| *doc);
    // A brand's products hold its name and are among the matches; ids and model numbers need not be.
    let named = exact.iter().filter(|m| m.kind != ExactKind::Brand).map(|m| m.doc);
    let near = |doc: &DocId| cosines.binary_search_by_key(doc, |(near, _)| *near).is_ok();
    let mut others: Vec<DocId> =
        matches.iter().map(|m| m.doc).chain(named).filter(|doc| !near(doc)).collect();
    others.sort_unstable();
    others.dedup();
    if !others.is_empty() {
        let rows = source.vectors(&others)?;
        cosines.extend(others.into_iter().zip(rows.iter().map(|row| cosine(row, &vector))));
        cosines.sort_unstable_by_key(|(doc, _)| *doc);
    }
    let candidate = |(doc, cosine)| {
        let (lexical, coverage) = text.get(doc).map_or((0.0, 0.0), |m| (m.score, m.coverage));
        Candidate { doc, cosine, lexical, coverage }
    };
    let candidates = cosines.into_iter().map(candidate).collect();
    took.fusion = ms(since);
    took.search = took.lexical + took.nearest + took.fusion;
    Ok(Sighting { vector, features, candidates, exact, strategy, cut: cut_words || cut_near })
}

/// A vector that is not finite says nothing.
fn cosine(row: &[f32], query: &[f32]) -> f32 {
    let cosine = dot(row, query);
    if cosine.is_finite() { cosine } else { 0.0 }
}

fn features(text: &TextMatches) -> QueryFeatures {
    QueryFeatures { terms: text.terms, best_coverage: best_coverage(text), names: text.names }
}

fn best_coverage(text: &TextMatches) -> f32 {
    text.matches.iter().map(|m| m.coverage).fold(0.0, f32::max)
}

pub(super) fn text_matches<S: ProductSource>(
    source: &S,
    request: &SearchRequest,
) -> Result<TextMatches, S::Error> {
    let mut text = source.text_matches(request.query())?;
    text.matches.retain(|m| m.score.is_finite() && m.coverage.is_finite());
    Ok(text)
}

/// Each product once, by its most exact name.
fn exact_matches<S: ProductSource>(
    source: &S,
    request: &SearchRequest,
    allowed: Option<&DocSet>,
) -> Result<Vec<ExactMatch>, S::Error> {
    let mut exact = source.exact_matches(request.query())?;
    exact.retain(|m| allowed.is_none_or(|set| set.contains(m.doc)));
    exact.sort_unstable_by_key(|m| (m.doc, m.kind as u8));
    exact.dedup_by_key(|m| m.doc);
    Ok(exact)
}

/// The [`SIDE_DEPTH`] best matches that hold enough of the query's words, best first, and whether there were more.
pub(super) fn best_matches(
    text: &TextMatches,
    request: &SearchRequest,
    weights: &Weights,
    allowed: Option<&DocSet>,
) -> (Vec<TextMatch>, bool) {
    // A share of what the best holds, because no product holds most of a long query. Where there is no other side to find
    // the rest, every product that holds a word counts.
    let everything = request.everything() || request.mode() == Mode::Lexical;
    let floor = if everything { 0.0 } else { weights.coverage_floor * best_coverage(text) };
    let passes = |m: &&TextMatch| m.coverage >= floor && allowed.is_none_or(|set| set.contains(m.doc));
    let mut matches: Vec<TextMatch> = text.matches.iter().filter(passes).copied().collect();
    let order = |a: &TextMatch, b: &TextMatch| b.score.total_cmp(&a.score).then(a.doc.cmp(&b.doc));
    let cut = matches.len() > SIDE_DEPTH;
    if cut {
        matches.select_nth_unstable_by(SIDE_DEPTH, order);
        matches.truncate(SIDE_DEPTH);
    }
    matches.sort_unstable_by(order);
    (matches, cut)
}

pub(super) fn encode<S: ProductSource>(
    source: &S,
    request: &SearchRequest,
    took: &mut TookMs,
) -> Result<Vec<f32>, S::Error> {
    let since = Instant::now();
    let vector = source.encode(request.query())?;
    took.encode = ms(since);
    Ok(vector)
}

/// The [`SIDE_DEPTH`] nearest that are near enough to be in the match set, best first; how they were found, and
/// whether there were more.
pub(super) fn nearest<S: ProductSource>(
    source: &S,
    request: &SearchRequest,
    weights: &Weights,
    vector: &[f32],
    allowed: Option<&DocSet>,
    took: &mut TookMs,
) -> Result<(Vec<Neighbor>, Strategy, bool), S::Error> {
    let since = Instant::now();
    // One more than is used shows whether there are more.
    let plan = NearestPlan { depth: SIDE_DEPTH + 1, strategy: request.strategy(), ef: request.ef() };
    let found = source.nearest(vector, &plan, allowed)?;
    let mut neighbors = in_order(found.neighbors);
    if let Some(best) = neighbors.first().filter(|_| !request.everything()) {
        let floor = weights.floor.max(best.score - weights.floor_below_best);
        neighbors.truncate(neighbors.partition_point(|n| n.score >= floor));
    }
    let cut = neighbors.len() > SIDE_DEPTH;
    neighbors.truncate(SIDE_DEPTH);
    took.nearest = ms(since);
    Ok((neighbors, found.strategy, cut))
}

/// Best first, without those whose score is none.
pub(super) fn in_order(mut neighbors: Vec<Neighbor>) -> Vec<Neighbor> {
    neighbors.retain(|n| n.score.is_finite());
    neighbors.sort_unstable_by(Neighbor::order);
    neighbors
}
