//! What happens when the source fails or changes.

use xunpin_core::Field;
use xunpin_query::{FacetRequest, Mode, Placement, SearchRequest, SortKey, retrieve};

use super::shelf::{Shelf, ShelfError, product};
use super::{filter, ids, request, search, weights};

/// A request that needs everything that its mode does.
fn full(mode: Mode) -> SearchRequest {
    request("ab a", mode)
        .with_filter(filter("price >= 0"))
        .with_group(Field::Brand)
        .with_facet(FacetRequest::parse("price").unwrap())
        .with_placement(Placement { pins: vec!["p001".into()], buried: Vec::new() })
}

#[test]
fn failures_of_the_source_are_passed_on() {
    let methods = [
        ("allowed", Mode::ALL),
        ("encode", &[Mode::Hybrid, Mode::Semantic]),
        ("nearest", &[Mode::Hybrid, Mode::Semantic]),
        ("vectors", &[Mode::Hybrid]),
        ("text_matches", &[Mode::Hybrid, Mode::Lexical]),
        ("exact_matches", &[Mode::Hybrid]),
        ("static_nearest", &[Mode::Word2Vec]),
        ("column", Mode::ALL),
        ("find", Mode::ALL),
        ("products", Mode::ALL),
    ];
    for (method, needed_by) in methods {
        for mode in Mode::ALL {
            let shelf = Shelf { broken: Some(method), ..Shelf::of_titles(["a", "ab", "ab a"]) };
            let result = retrieve(&shelf, &full(*mode), &weights());
            if needed_by.contains(mode) {
                assert_eq!(result.unwrap_err(), ShelfError::Broken(method), "{mode}");
            } else {
                assert!(result.is_ok(), "{mode} has no need of {method}");
            }
        }
    }
    let plain = request("a", Mode::Hybrid).with_sort(SortKey::parse("price").unwrap());
    let shelf = Shelf { broken: Some("column"), ..Shelf::of_titles(["a"]) };
    assert!(retrieve(&shelf, &plain, &weights()).is_err());
    let popular = request("a", Mode::Hybrid).with_popularity(Field::Id, 1.0).unwrap();
    let result = retrieve(&Shelf::of_titles(["a"]), &popular, &weights());
    assert_eq!(result.unwrap_err(), ShelfError::NoColumn(Field::Id));
}

#[test]
fn vanished_products_are_replaced_by_the_next() {
    for vanish in [3, 300] {
        for mode in Mode::ALL {
            let shelf = Shelf::new((0..900).map(|n| product(&format!("p{n:04}"), "a", 1.0)));
            shelf.meanwhile.replace(Some(Box::new(move |products| {
                products.iter_mut().take(vanish).for_each(|product| *product = None);
            })));
            let response = search(&shelf, &request("a", *mode));
            assert_eq!((response.hits.len(), response.generation), (10, 7), "{mode}");
            assert_eq!(response.hits[0].id, format!("p{vanish:04}"), "{mode}");
        }
    }
}

#[test]
fn vanished_products_do_no_harm_to_the_others() {
    let titles = ["ab", "aab", "aaab", "abb", "ab b", "a"];
    let request = request("aab", Mode::Hybrid).with_everything();
    let without = Shelf::new([0, 2, 4, 5].map(|n| product(&format!("p{n}"), titles[n], 1.0)));
    let shelf = Shelf::new((0..6).map(|n| product(&format!("p{n}"), titles[n], 1.0)));
    shelf.meanwhile.replace(Some(Box::new(|products| (products[1], products[3]) = (None, None))));
    let (expected, found) = (search(&without, &request), search(&shelf, &request));
    assert_eq!(ids(&found), ids(&expected));
    // The words' evidence was told while the two were there.
    let close = |(a, b): (&xunpin_query::Hit, &xunpin_query::Hit)| (a.score - b.score).abs() < 1e-3;
    assert!(found.hits.iter().zip(&expected.hits).all(close));

    let shelf = Shelf::of_titles(["ab", "b"]);
    shelf.meanwhile.replace(Some(Box::new(|products| products.fill(None))));
    assert!(search(&shelf, &request).hits.is_empty());
}

#[test]
fn a_product_that_no_longer_passes_is_left_out() {
    for mode in Mode::ALL {
        let shelf = Shelf::of_titles(["a", "a", "a"]);
        shelf.meanwhile.replace(Some(Box::new(|products| {
            products[0].as_mut().unwrap().price = Some(100.0);
        })));
        let response = search(&shelf, &request("a", *mode).with_filter(filter("price < 2")));
        assert_eq!(ids(&response), ["p001"], "{mode}");
    }
}

#[test]
fn a_replaced_product_is_shown_once() {
    let shelf = Shelf::of_titles(["a", "a", "ab"]);
    shelf.meanwhile.replace(Some(Box::new(|products| {
        products[1].as_mut().unwrap().id = "p000".into();
    })));
    assert_eq!(ids(&search(&shelf, &request("a", Mode::Word2Vec))), ["p000", "p002"]);
}
