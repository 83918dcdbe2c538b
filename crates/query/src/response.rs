use serde::{Deserialize, Serialize};
use xunpin_core::{Product, Strategy};

use crate::Mode;

/// Name and version of the form of [`SearchResponse`]'s JSON. Fields may be added within a version; one that is
/// renamed, removed or given another meaning makes a new one.
pub const SCHEMA: &str = "xunpin.search.v1";

/// The answer to a [`SearchRequest`](crate::SearchRequest).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchResponse {
    /// [`SCHEMA`].
    pub schema: String,
    /// The query as it was encoded.
    pub query: String,
    /// What decided the order.
    pub mode: Mode,
    /// The filter in its standard spelling; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// How the nearest were found: [`Strategy::Exact`] or [`Strategy::Graph`].
    pub strategy: Strategy,
    /// Where the time went.
    pub took_ms: TookMs,
    /// The products, best first; equal scores in the order of their ids. Fewer than asked for only where no more
    /// products pass the filter.
    pub hits: Vec<Hit>,
}

/// One product of a [`SearchResponse`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// The product's id.
    pub id: String,
    /// Cosine of the query's vector to the product's, -1 to 1.
    pub score: f32,
    /// The product as the shop sent it.
    pub product: Product,
}

/// Times in milliseconds, to the microsecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TookMs {
    /// Turning the query into a vector.
    pub encode: f64,
    /// Finding the products that pass the filter; 0 without one.
    pub filter: f64,
    /// Finding the nearest vectors and reading their products.
    pub search: f64,
    /// All of it.
    pub total: f64,
}
