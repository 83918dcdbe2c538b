//! From the scores of both sides to one order.
//!
//! ```text
//! cosine ─ / cosine_scale ──────────┐
//!                                   ├─ + ─► evidence ─ order ─► first `head` ─► feedback ─► smoothing ─► order
//! BM25F ── × weight of the query ───┘
//! ```
//!
//! * **Evidence.** `cosine / cosine_scale + weight × BM25F`: both sides in the unit of log-odds. The cosine of an
//!   encoder that was tuned for retrieval means the same from query to query, and BM25F is a sum of the words'
//!   evidence (Robertson and Zaragoza 2009), so neither is stretched to its list: what is found says how good it is.
//! * **Weight of the query** ([`Weights::lexical_weight`]). Words decide where one product holds much of what the
//!   query says, where the query names a brand or model, and where it is long: a long text has one vector, but every
//!   word of it is evidence. They count nothing where the best product shares only a stray word with the query.
//! * **Feedback** (Rocchio 1971). The mean of the best products' vectors is mixed into the query's vector, and the
//!   head is scored by the new one: products say in the catalogue's words what the shopper said in others.
//! * **Smoothing** (score regularisation, Diaz 2007). Each score is mixed with the mean of its nearest neighbours'
//!   within the head: products that are alike get like scores, and a stray match among unlike ones falls.
//!
//! Both only order the head anew: its mean evidence stays what it was. A query's vector with products mixed in is
//! nearer to every product, whether the query was answered well or not, and would make any best match a good one.
//!
//! The result is turned into a number between 0 and 1 that means the same across queries: see [`Weights::score`].
//!
//! ```
//! use xunpin_core::{DocId, Matrix};
//! use xunpin_query::fusion::{Candidate, QueryFeatures, Weights, rank, refine};
//!
//! let weights = Weights::default();
//! let features = QueryFeatures { terms: 2, best_coverage: 0.9, names: false };
//! let weight = weights.lexical_weight(&features);
//! assert_eq!(weight.most(), weights.lexical_short);
//!
//! let candidate = |doc, cosine, lexical| Candidate { doc: DocId(doc), cosine, lexical, coverage: 0.9 };
//! let mut ranked = rank(vec![candidate(1, 0.6, 0.0), candidate(2, 0.5, 12.0)], weight, &weights);
//! assert_eq!(ranked[0].candidate.doc, DocId(2));
//!
//! let vectors = Matrix::new(vec![0.5, 0.866, 0.6, 0.8], 2);
//! refine(&mut ranked, &[1.0, 0.0], &vectors, weight, &weights);
//! assert!(weights.score(ranked[0].evidence) > 0.9);
//! ```

mod regularize;
mod weights;

use std::cmp::Ordering;

use xunpin_core::{DocId, Matrix};

pub use weights::{Weights, WeightsError};

/// A product that one side or both found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Its number.
    pub doc: DocId,
    /// Cosine of its vector to the query's.
    pub cosine: f32,
    /// Its BM25F score; 0 if it holds none of the query's words.
    pub lexical: f32,
    /// The share of the query's idf mass that it holds, 0 to 1.
    pub coverage: f32,
}

/// What a query is, as far as it decides how much words count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QueryFeatures {
    /// Different words in it.
    pub terms: usize,
    /// The largest share of its idf mass that one product holds.
    pub best_coverage: f32,
    /// It names a brand of the catalogue or a model number.
    pub names: bool,
}

/// What a query's words weigh beside the cosine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LexicalWeight {
    /// Weight of BM25F for a product that holds all of the query; one that holds a share of its idf mass gets the square
    /// root of that share, because a part of what was asked for is not what was asked for.
    pub whole: f32,
    /// Weight of BM25F for any product, by the length of the query.
    pub any: f32,
}

impl LexicalWeight {
    /// The weight for a product that holds all of the query.
    pub fn most(self) -> f32 {
        self.whole.max(self.any)
    }

    /// The evidence of a product's words.
    fn evidence(self, candidate: &Candidate) -> f32 {
        (self.whole * candidate.coverage.max(0.0).sqrt()).max(self.any) * candidate.lexical
    }
}

/// A candidate with its place in the order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// The candidate.
    pub candidate: Candidate,
    /// Evidence in log-odds; [`Weights::score`] makes a score of it.
    pub evidence: f32,
    /// The evidence before [`refine`], by which products with equal evidence are ordered.
    pub first_evidence: f32,
}

/// The first order: by evidence, ties by number. `weight` is that of the query.
pub fn rank(candidates: Vec<Candidate>, weight: LexicalWeight, weights: &Weights) -> Vec<Ranked> {
    let ranked = |candidate: Candidate| {
        let evidence = evidence(candidate.cosine, &candidate, weight, weights);
        Ranked { candidate, evidence, first_evidence: evidence }
    };
    let mut ranked: Vec<Ranked> = candidates.into_iter().map(ranked).collect();
    ranked.sort_unstable_by(order);
    ranked
}

/// What the length of the query adds to the evidence of the best of `ranked`, as [`rank`] left it. It is taken off
/// before evidence is made a score, so that scores of long and of short queries mean the same.
pub fn surplus(ranked: &[Ranked], weight: LexicalWeight) -> f32 {
    let short = LexicalWeight { any: 0.0, ..weight };
    ranked.first().map_or(0.0, |best| weight.evidence(&best.candidate) - short.evidence(&best.candidate))
}

/// How many of `ranked`, as [`rank`] left it, [`refine`] orders anew: at most [`Weights::head`], and less where that
/// would part products with equal evidence, because numbers would then decide which of them are ordered anew.
pub fn head_length(ranked: &[Ranked], weights: &Weights) -> usize {
    let Some(next) = ranked.get(weights.head) else { return ranked.len() };
    ranked[..weights.head].partition_point(|one| one.evidence > next.evidence)
}

/// Orders the head of `ranked`, which is as [`rank`] left it, anew by feedback and smoothing. `query` is the query's
/// vector, row `i` of `vectors` that of `ranked[i]`, of unit length; there are as many rows as [`head_length`] says.
/// Products whose row is zero keep their evidence and don't speak for others. The head's mean evidence stays. What
/// follows the head keeps its order and stays behind it.
pub fn refine(
    ranked: &mut [Ranked],
    query: &[f32],
    vectors: &Matrix,
    weight: LexicalWeight,
    weights: &Weights,
) {
    let length = head_length(ranked, weights).min(vectors.rows());
    let (head, rest) = ranked.split_at_mut(length);
    regularize::refine(head, query, vectors, weight, weights);
    head.sort_unstable_by(order);
    let lowest = head.last().map_or(f32::MAX, |last| last.evidence);
    for one in rest {
        one.evidence = one.evidence.min(lowest);
    }
}

fn evidence(cosine: f32, candidate: &Candidate, weight: LexicalWeight, weights: &Weights) -> f32 {
    cosine / weights.cosine_scale + weight.evidence(candidate)
}

/// Best first. What follows the head has no more first evidence than any of the head, so it stays behind the head, and
/// in its order, where its evidence was lowered to the head's lowest.
pub(crate) fn order(a: &Ranked, b: &Ranked) -> Ordering {
    let evidence = b.evidence.total_cmp(&a.evidence);
    evidence.then(b.first_evidence.total_cmp(&a.first_evidence)).then(a.candidate.doc.cmp(&b.candidate.doc))
}
