//! From a shopper's words to ranked products, on the traits of `xunpin-core` alone: which encoder runs and where
//! vectors and products live is the caller's business.
//!
//! * [`SearchRequest`] is a checked query: text, [`Mode`], filter, page, sort keys, facets, group, rules.
//! * [`parse_filter`] reads the filter grammar (`price <= 300 and brand in ("雅漾", "薇姿")`) into a
//!   [`Filter`](xunpin_core::Filter), [`format_filter`] writes it back, [`Columns`] answer it.
//! * [`retrieve`] asks a [`ProductSource`] for the nearest products and for those that hold the query's words, joins
//!   both ([`fusion`]) and gives a [`SearchResponse`], whose JSON is the schema of the command line and the library.
//!
//! ```
//! use xunpin_core::{Filter, Product};
//! use xunpin_query::{SearchRequest, format_filter, parse_filter};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let filter = parse_filter("价格 <= 300 and not 酒精 = true")?;
//! let mut product = Product::new("p1", "温和A醇精华 30ml");
//! product.price = Some(239.0);
//! assert!(filter.matches(&product));
//! assert_eq!(format_filter(&filter), "price <= 300 and 酒精 != true");
//!
//! let request = SearchRequest::new("  敏感肌\n抗老 ")?.with_results(20)?.with_filter(filter);
//! assert_eq!(request.query(), "敏感肌 抗老");
//!
//! let error = parse_filter("price < 便宜").unwrap_err();
//! assert_eq!(error.column(), 9);
//! # Ok(())
//! # }
//! ```
//!
//! Searching any source: the second page of the cheapest good matches, and how many there are of each brand.
//!
//! ```
//! use xunpin_query::fusion::Weights;
//! use xunpin_query::{FacetRequest, ProductSource, SearchRequest, SortKey, retrieve};
//!
//! fn cheapest<S: ProductSource>(source: &S, query: &str) -> Result<Vec<String>, Box<dyn std::error::Error>>
//! where
//!     S::Error: std::error::Error + 'static,
//! {
//!     let request = SearchRequest::new(query)?
//!         .with_sort(SortKey::parse("price")?)
//!         .with_facet(FacetRequest::parse("brand")?)
//!         .with_offset(10)?;
//!     request.check()?;
//!     let response = retrieve(source, &request, &Weights::default())?;
//!     if response.no_good_match {
//!         return Ok(Vec::new());
//!     }
//!     println!("{} found, by brand {:?}", response.total, response.facets[0].values);
//!     Ok(response.hits.into_iter().map(|hit| hit.product.title).collect())
//! }
//! ```

#![forbid(unsafe_code)]

mod collapse;
mod columns;
mod dot;
mod facets;
mod filter;
pub mod fusion;
mod request;
mod response;
mod retrieve;
mod rules;
mod sort;
mod text;

pub use collapse::{Collapsed, collapse};
pub use columns::{
    Column, Columns, FieldCatalogue, FieldError, FieldKinds, MAX_FIELD_NAMES, Popularity, ValueKind,
    check_filter, filter_docs,
};
pub use facets::{
    DEFAULT_FACET_VALUES, Facet, FacetRequest, FacetRest, FacetValue, MAX_FACET_VALUES, NumberFacet,
    NumberRange, facet,
};
pub use filter::{
    FilterError, FilterProblem, MAX_FILTER_CHARS, MAX_FILTER_DEPTH, format_filter, parse_filter,
};
pub use request::{
    DEFAULT_RESULTS, MAX_EF, MAX_FACETS, MAX_OFFSET, MAX_POPULARITY, MAX_RESULTS, MAX_SORT_KEYS, Mode,
    QueryError, SearchRequest,
};
pub use response::{Hit, RulePlace, SCHEMA, SearchResponse, Sides, TookMs};
pub use retrieve::{
    Nearest, NearestPlan, ProductSource, SIDE_DEPTH, Sighting, StaticNearest, look, retrieve,
};
pub use rules::{Place, Placed, Placement, Rules, RulesError, place};
pub use sort::{SortKey, sort_by_column};
pub use text::{MAX_QUERY_CHARS, normalize_query};
pub use xunpin_core::Strategy;
