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

/// What is asked, of whom.
pub(super) struct Asked<'a, S> {
    pub(super) source: &'a S,
    pub(super) request: &'a SearchRequest,
    pub(super) weights: &'a Weights,
    pub(super) allowed: Option<&'a DocSet>,
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
    Asked { source, request, weights, allowed }.look(took)
}

impl<S: ProductSource> Asked<'_, S> {
    /// [`look`].
    pub(super) fn look(&self, took: &mut TookMs) -> Result<Sighting, S::Error> {
        let since = Instant::now();
        let text = self.text_matches()?;
        let exact = self.exact_matches()?;
        let features = features(&text);
        let brand = exact.iter().any(|m| m.kind == ExactKind::Brand);
        let (matches, cut_words) =
            if self.weights.lexical_weight(&features).most() > 0.0 || brand || self.request.everything() {
                self.best_matches(&text)
            } else {
                (Vec::new(), false)
            };
        took.lexical = ms(since);
        let vector = self.encode(took)?;
        let (neighbors, strategy, cut_near) = self.nearest(&vector, took)?;
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
            let rows = self.source.vectors(&others)?;
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

    pub(super) fn text_matches(&self) -> Result<TextMatches, S::Error> {
        let mut text = self.source.text_matches(self.request.query())?;
        text.matches.retain(|m| m.score.is_finite() && m.coverage.is_finite());
        Ok(text)
    }

    /// Each product once, by its most exact name.
    fn exact_matches(&self) -> Result<Vec<ExactMatch>, S::Error> {
        let mut exact = self.source.exact_matches(self.request.query())?;
        exact.retain(|m| self.allows(m.doc));
        exact.sort_unstable_by_key(|m| (m.doc, m.kind as u8));
        exact.dedup_by_key(|m| m.doc);
        Ok(exact)
    }

    fn allows(&self, doc: DocId) -> bool {
        self.allowed.is_none_or(|set| set.contains(doc))
    }

    /// The [`SIDE_DEPTH`] best matches that hold enough of the query's words, best first, and whether there were more.
    pub(super) fn best_matches(&self, text: &TextMatches) -> (Vec<TextMatch>, bool) {
        // A share of what the best holds, because no product holds most of a long query. Where there is no other side to find
        // the rest, every product that holds a word counts.
        let everything = self.request.everything() || self.request.mode() == Mode::Lexical;
        let floor = if everything { 0.0 } else { self.weights.coverage_floor * best_coverage(text) };
        let passes = |m: &&TextMatch| m.coverage >= floor && self.allows(m.doc);
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

    pub(super) fn encode(&self, took: &mut TookMs) -> Result<Vec<f32>, S::Error> {
        let since = Instant::now();
        let vector = self.source.encode(self.request.query())?;
        took.encode = ms(since);
        Ok(vector)
    }

    /// The [`SIDE_DEPTH`] nearest that are near enough to be in the match set, best first; how they were found, and
    /// whether there were more.
    pub(super) fn nearest(
        &self,
        vector: &[f32],
        took: &mut TookMs,
    ) -> Result<(Vec<Neighbor>, Strategy, bool), S::Error> {
        let since = Instant::now();
        // One more than is used shows whether there are more.
        let plan =
            NearestPlan { depth: SIDE_DEPTH + 1, strategy: self.request.strategy(), ef: self.request.ef() };
        let found = self.source.nearest(vector, &plan, self.allowed)?;
        let mut neighbors = in_order(found.neighbors);
        if let Some(best) = neighbors.first().filter(|_| !self.request.everything()) {
            let floor = self.weights.floor.max(best.score - self.weights.floor_below_best);
            neighbors.truncate(neighbors.partition_point(|n| n.score >= floor));
        }
        let cut = neighbors.len() > SIDE_DEPTH;
        neighbors.truncate(SIDE_DEPTH);
        took.nearest = ms(since);
        Ok((neighbors, found.strategy, cut))
    }
}

/// Best first, without those whose score is none.
pub(super) fn in_order(mut neighbors: Vec<Neighbor>) -> Vec<Neighbor> {
    neighbors.retain(|n| n.score.is_finite());
    neighbors.sort_unstable_by(Neighbor::order);
    neighbors
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
