use serde::{Deserialize, Serialize};
use xunpin_core::{ExactKind, Product, Strategy};

use crate::{Facet, Mode};

/// Name and version of the form of [`SearchResponse`]'s JSON. Fields may be added within a version; one that is
/// renamed, removed or given another meaning makes a new one.
pub const SCHEMA: &str = "xunpin.search.v1";

/// The answer to a [`SearchRequest`](crate::SearchRequest).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchResponse {
    /// [`SCHEMA`].
    pub schema: String,
    /// The query as it was understood.
    pub query: String,
    /// What decided the order.
    pub mode: Mode,
    /// The filter in its standard spelling; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// How the nearest vectors were found: [`Strategy::Exact`] or [`Strategy::Graph`]; absent where none were looked
    /// for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// The state of the index that answered. It rises with every commit; pages of one generation fit together.
    pub generation: u64,
    /// Products in the match set and pinned ones; groups of them where a group field was given.
    pub total: usize,
    /// True where a side found more than it may give ([`SIDE_DEPTH`](crate::SIDE_DEPTH)), so that the match set lacks its
    /// weakest products.
    pub cut: bool,
    /// How many results stand before the first of `hits`.
    pub offset: usize,
    /// True if nothing is a good match: nothing was found, or in [`Mode::Hybrid`] and [`Mode::Semantic`] the best match,
    /// popularity aside, is below [`Weights::no_match_below`](crate::fusion::Weights::no_match_below). A query that names
    /// a product outright has a good match.
    pub no_good_match: bool,
    /// Words of the query that the word vectors do not know; only in [`Mode::Word2Vec`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_words: Vec<String>,
    /// Weight of the words' score beside the cosine for a product that holds all of the query; only in [`Mode::Hybrid`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lexical_weight: Option<f32>,
    /// Where the time went.
    pub took_ms: TookMs,
    /// The products, best first; equal scores in the order of their ids. Fewer than asked for only where the match set
    /// ends.
    pub hits: Vec<Hit>,
    /// The counts that were asked for, over the whole match set before grouping, in the order of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facets: Vec<Facet>,
}

/// One product of a [`SearchResponse`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// The product's id.
    pub id: String,
    /// How well it matches. [`Mode::Hybrid`]: 0 to 1 on a scale that is the same for all queries, popularity included.
    /// [`Mode::Semantic`] and [`Mode::Word2Vec`]: a cosine, -1 to 1. [`Mode::Lexical`]: BM25F, 0 or more, comparable
    /// within one query. 0 for a pinned product that was not found.
    pub score: f32,
    /// What the sides said; nothing where the score is the cosine itself.
    #[serde(default, skip_serializing_if = "Sides::is_empty")]
    pub sides: Sides,
    /// By what the query names the product outright; such products come before all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<ExactKind>,
    /// Where a rule placed it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RulePlace>,
    /// Other products of its group in the match set, which are not shown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub variants: usize,
    /// The product as the shop sent it.
    pub product: Product,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// The scores that a [`Hit`]'s score was made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sides {
    /// Cosine of the query's vector to the product's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosine: Option<f32>,
    /// BM25F.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lexical: Option<f32>,
    /// Share of the query's idf mass that the product holds, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f32>,
}

impl Sides {
    /// True if nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a rule did with a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RulePlace {
    /// It stands first.
    Pinned,
    /// It stands last.
    Buried,
}

/// Times in milliseconds, to the microsecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TookMs {
    /// Turning the query into a vector.
    pub encode: f64,
    /// Finding the products that pass the filter; 0 without one.
    pub filter: f64,
    /// Everything after that: both sides, fusion, facets, reading products.
    pub search: f64,
    /// Of that, finding the products that hold the query's words.
    #[serde(default)]
    pub lexical: f64,
    /// Of that, finding the nearest vectors.
    #[serde(default)]
    pub nearest: f64,
    /// Of that, joining both sides.
    #[serde(default)]
    pub fusion: f64,
    /// All of it.
    pub total: f64,
}
