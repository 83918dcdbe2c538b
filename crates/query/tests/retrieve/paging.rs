//! Pages of a request fit together, whatever the request.

use proptest::prelude::*;
use xunpin_core::{Field, Product};
use xunpin_query::fusion::Weights;
use xunpin_query::{
    Hit, MAX_RESULTS, Mode, Placement, RulePlace, SearchRequest, SearchResponse, SortKey, retrieve,
};

use super::shelf::{Shelf, product};
use super::{filter, ids, request, search, weights};

const TITLES: [&str; 8] = ["a", "b", "ab", "aab c", "c d", "a b", "bbb x", "d x"];
const BRANDS: [&str; 3] = ["x", "y", "c"];

/// Products with few different titles, so that many tie, in a random order of arrival. Ids are unique.
fn catalogue() -> impl Strategy<Value = Vec<Product>> {
    let one = (0..TITLES.len(), 0..BRANDS.len() + 1, 0..4u8);
    let many = proptest::collection::vec(one, 0..40).prop_map(|rows| {
        let products = rows.into_iter().enumerate().map(|(n, (title, brand, price))| Product {
            brand: BRANDS.get(brand).map(|b| (*b).to_owned()),
            ..product(&format!("p{n:02}"), TITLES[title], f64::from(price))
        });
        products.collect::<Vec<_>>()
    });
    many.prop_shuffle()
}

fn any_request() -> impl Strategy<Value = SearchRequest> {
    let query = proptest::sample::select(vec!["a", "ab", "a b c", "x", "c", "b p03", "y d", "zzz", "p05 x"]);
    let mode = proptest::sample::select(Mode::ALL.to_vec());
    let filters =
        proptest::sample::select(vec![None, Some("price > 0"), Some("brand = x"), Some("price > 9")]);
    let ids = || proptest::collection::vec((0..45u8).prop_map(|n| format!("p{n:02}")), 0..4);
    let flags = proptest::collection::vec(any::<bool>(), 4);
    (query, mode, filters, ids(), ids(), flags).prop_map(|(query, mode, filters, pins, buried, flags)| {
        let mut request = request(query, mode);
        if let Some(text) = filters {
            request = request.with_filter(filter(text));
        }
        if flags[0] {
            request = request.with_everything();
        }
        if flags[1] && flags[2] {
            request = request.with_sort(SortKey::parse("price:desc").unwrap());
        }
        if flags[2] && flags[3] {
            request = request.with_group(Field::Brand);
        }
        if flags[3] && mode == Mode::Hybrid {
            request = request.with_popularity(Field::Price, 2.0).unwrap();
        }
        request.with_placement(Placement { pins, buried })
    })
}

/// So few are ordered anew that most results are not.
fn short_head() -> Weights {
    Weights { head: 6, feedback_products: 3, smoothing_neighbors: 3, ..weights() }
}

fn answer(shelf: &Shelf, request: &SearchRequest, offset: usize, results: usize) -> SearchResponse {
    let request = request.clone().with_offset(offset).unwrap().with_results(results).unwrap();
    request.check().unwrap();
    retrieve(shelf, &request, &short_head()).unwrap()
}

/// What decides between two results before their ids do, as far as it can be seen from outside.
fn class(hit: &Hit) -> (u8, u8) {
    let rule = match hit.rule {
        Some(RulePlace::Pinned) => 0,
        None => 1,
        Some(RulePlace::Buried) => 2,
    };
    let tier = match hit.exact {
        Some(xunpin_core::ExactKind::Brand) => 1,
        Some(_) => 0,
        None => 2,
    };
    (rule, tier)
}

proptest! {
    #[test]
    fn pages_make_up_the_whole(
        products in catalogue(),
        request in any_request(),
        sizes in proptest::collection::vec(1..12usize, 1..50),
    ) {
        let shelf = Shelf::new(products);
        let whole = answer(&shelf, &request, 0, MAX_RESULTS);
        let mut hits: Vec<Hit> = Vec::new();
        for size in sizes {
            let page = answer(&shelf, &request, hits.len(), size);
            prop_assert_eq!(page.hits.len(), size.min(whole.total - hits.len()));
            prop_assert_eq!((page.total, page.offset), (whole.total, hits.len()));
            prop_assert_eq!((page.cut, page.no_good_match), (whole.cut, whole.no_good_match));
            hits.extend(page.hits);
        }
        prop_assert_eq!(&hits[..], &whole.hits[..hits.len()]);
        prop_assert_eq!(whole.hits.len(), whole.total);
        let mut found = ids(&whole);
        found.sort_unstable();
        found.dedup();
        prop_assert_eq!(found.len(), whole.total);
    }

    #[test]
    fn results_are_in_order_and_pass(products in catalogue(), request in any_request(), results in 1..50usize) {
        let shelf = Shelf::new(products);
        let whole = answer(&shelf, &request, 0, MAX_RESULTS);
        let few = answer(&shelf, &request, 0, results);
        prop_assert_eq!(&few.hits[..], &whole.hits[..results.min(whole.total)]);
        for hit in &whole.hits {
            prop_assert!(request.filter().is_none_or(|filter| filter.matches(&hit.product)));
            prop_assert!(hit.score.is_finite());
            if request.mode() == Mode::Hybrid {
                prop_assert!((0.0..=1.0).contains(&hit.score));
            } else {
                prop_assert_eq!(hit.exact, None);
            }
        }
        if !request.sort().is_empty() {
            prop_assert!(whole.hits.is_sorted_by(|a, b| a.product.price >= b.product.price));
            return Ok(());
        }
        let pins = whole.hits.iter().take_while(|hit| hit.rule == Some(RulePlace::Pinned)).count();
        for pair in whole.hits[pins..].windows(2) {
            prop_assert!(class(&pair[0]) <= class(&pair[1]));
            prop_assert!(class(&pair[0]) < class(&pair[1]) || pair[0].score >= pair[1].score);
        }
        let twins = |a: &Hit, b: &Hit| {
            let kind = |hit: &Hit| (hit.product.title.clone(), hit.product.brand.clone());
            class(a) == class(b) && kind(a) == kind(b) && a.product.price == b.product.price
        };
        for (at, hit) in whole.hits.iter().enumerate().skip(pins) {
            for later in whole.hits[at + 1..].iter().filter(|later| twins(hit, later)) {
                prop_assert_eq!(hit.score, later.score);
                prop_assert!(hit.id < later.id, "{} {}", hit.id, later.id);
            }
        }
    }

    #[test]
    fn the_order_of_arrival_does_not_matter(
        (products, others) in catalogue().prop_flat_map(|p| (Just(p.clone()), Just(p).prop_shuffle())),
        request in any_request(),
    ) {
        // Without feedback and smoothing: different products of these few letters have equal evidence by chance, and
        // sums over them depend on their order in the last bit.
        let plain = Weights { feedback: 0.0, smoothing: 0.0, ..short_head() };
        let request = request.with_results(MAX_RESULTS).unwrap();
        let one = retrieve(&Shelf::new(products), &request, &plain).unwrap();
        let other = retrieve(&Shelf::new(others), &request, &plain).unwrap();
        prop_assert_eq!(one.hits, other.hits);
    }
}

#[test]
fn beyond_the_end_is_nothing() {
    let shelf = Shelf::of_titles(["a", "ab", "aab"]);
    for mode in Mode::ALL {
        for (offset, left) in [(2, 1), (3, 0), (10_000, 0)] {
            let response = search(&shelf, &request("a ab aab", *mode).with_everything());
            assert_eq!((response.total, response.hits.len()), (3, 3), "{mode}");
            let request = request("a ab aab", *mode).with_everything().with_offset(offset).unwrap();
            let page = search(&shelf, &request);
            assert_eq!((page.total, page.hits.len(), page.offset), (3, left, offset), "{mode}");
        }
    }
}

#[test]
fn ties_run_across_pages() {
    // Ids fall with the order of arrival.
    let shelf = Shelf::new((0..150).map(|n| product(&format!("p{:03}", 149 - n), "a b", 1.0)));
    let expected: Vec<String> = (0..150).map(|n| format!("p{n:03}")).collect();
    for mode in Mode::ALL {
        let page = |offset| {
            let request = request("a b", *mode).with_offset(offset).unwrap().with_results(7).unwrap();
            search(&shelf, &request).hits.into_iter().map(|hit| hit.id)
        };
        let pages: Vec<String> = (0..22).flat_map(|n| page(7 * n)).collect();
        assert_eq!(pages, expected, "{mode}");
    }
}

#[test]
fn an_empty_catalogue_and_a_single_product() {
    for mode in Mode::ALL {
        let response = search(&Shelf::default(), &request("a", *mode));
        assert_eq!((response.total, response.cut, response.no_good_match), (0, false, true), "{mode}");
        let response = search(&Shelf::of_titles(["a"]), &request("a", *mode));
        assert_eq!(ids(&response), ["p000"], "{mode}");
    }
}

#[test]
fn the_longest_query_is_answered() {
    let words: Vec<String> = (0..400).map(|n| format!("w{n:03}")).collect();
    let query = words.join(" ");
    let shelf = Shelf::of_titles([query.as_str(), "w001 w002", "a"]);
    let response = search(&shelf, &request(&query, Mode::Hybrid));
    assert_eq!(ids(&response)[0], "p000");
    assert_eq!(response.lexical_weight, Some(0.5));
}
