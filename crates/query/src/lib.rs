//! From a shopper's words to ranked products, on the traits of `xunpin-core` alone: which encoder runs and where
//! vectors and products live is the caller's business.
//!
//! * [`SearchRequest`] is a checked query: text, number of results, filter, mode, strategy.
//! * [`parse_filter`] reads the filter grammar (`price <= 300 and brand in ("雅漾", "薇姿")`) into a
//!   [`Filter`](xunpin_core::Filter), [`format_filter`] writes it back.
//! * [`retrieve`] encodes the query, asks a [`ProductSource`] for the nearest products and gives a
//!   [`SearchResponse`], whose JSON is the schema of the command line and the library.
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

mod filter;
mod request;
mod response;
mod retrieve;
mod text;

pub use filter::{
    FilterError, FilterProblem, MAX_FILTER_CHARS, MAX_FILTER_DEPTH, format_filter, parse_filter,
};
pub use request::{DEFAULT_RESULTS, MAX_EF, MAX_RESULTS, Mode, QueryError, SearchRequest};
pub use response::{Hit, SCHEMA, SearchResponse, TookMs};
pub use retrieve::{Candidates, NearestPlan, ProductSource, RetrieveError, retrieve};
pub use text::{MAX_QUERY_CHARS, normalize_query};
pub use xunpin_core::Strategy;
