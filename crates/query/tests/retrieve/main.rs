//! Retrieval over a source in memory.

#![allow(clippy::unwrap_used)] // Only functions marked as tests are exempt by default.

mod exact;
mod failures;
mod fields;
mod match_set;
mod no_match;
mod ordering;
mod paging;
mod schema;
mod shelf;
mod speed;

use xunpin_core::Filter;
use xunpin_query::fusion::Weights;
use xunpin_query::{Mode, SearchRequest, SearchResponse, parse_filter, retrieve};

use shelf::Shelf;

/// A request in a mode.
fn request(query: &str, mode: Mode) -> SearchRequest {
    SearchRequest::new(query).unwrap().with_mode(mode)
}

fn filter(text: &str) -> Filter {
    parse_filter(text).unwrap()
}

/// Weights that stay as they are when the defaults are learned anew.
fn weights() -> Weights {
    Weights {
        cosine_scale: 0.055,
        lexical_short: 0.2,
        lexical_long: 0.5,
        coverage_from: 0.2,
        coverage_to: 0.5,
        terms_from: 12.0,
        terms_to: 30.0,
        feedback: 0.3,
        feedback_products: 10,
        smoothing: 0.3,
        smoothing_neighbors: 20,
        head: 100,
        center: 7.0,
        no_match_below: 0.4,
        floor: 0.25,
        floor_below_best: 0.2,
        coverage_floor: 0.6,
    }
}

fn search(shelf: &Shelf, request: &SearchRequest) -> SearchResponse {
    search_with(shelf, request, |_| ())
}

/// The answer with `change` made to the weights.
fn search_with(shelf: &Shelf, request: &SearchRequest, change: impl FnOnce(&mut Weights)) -> SearchResponse {
    let mut weights = weights();
    change(&mut weights);
    weights.check().unwrap();
    retrieve(shelf, request, &weights).unwrap()
}

/// Scores are those of the sides, nothing is ordered anew.
fn plain(weights: &mut Weights) {
    (weights.feedback, weights.smoothing) = (0.0, 0.0);
}

fn ids(response: &SearchResponse) -> Vec<&str> {
    response.hits.iter().map(|hit| hit.id.as_str()).collect()
}
