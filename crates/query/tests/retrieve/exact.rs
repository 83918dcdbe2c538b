//! What a query names outright comes first.

use xunpin_core::{AttributeValue, ExactKind, Product};
use xunpin_query::Mode;

use super::shelf::{Shelf, product};
use super::{filter, ids, request, search, search_with};

/// Two products of the brand `x`, one with the model number `m1`, and one that is near to everything.
fn shelf() -> Shelf {
    let brand = |id: &str, title: &str| Product { brand: Some("X".into()), ..product(id, title, 1.0) };
    let mut model = product("far", "dddd", 2.0);
    model.attributes.insert("型号".into(), vec![AttributeValue::Text("M1".into())]);
    Shelf::new([brand("b2", "cc"), brand("b1", "c"), model, product("near", "abc m1 x", 3.0)])
}

fn kinds(response: &xunpin_query::SearchResponse) -> Vec<(&str, Option<ExactKind>)> {
    response.hits.iter().map(|hit| (hit.id.as_str(), hit.exact)).collect()
}

#[test]
fn an_id_or_a_model_number_anywhere_then_a_brand_then_the_rest() {
    let shelf = shelf();
    let response = search(&shelf, &request("abc m1", Mode::Hybrid));
    assert_eq!(kinds(&response)[..2], [("far", Some(ExactKind::ModelNumber)), ("near", None)]);
    assert!(response.hits[0].score < response.hits[1].score, "the tier decides, not the score");

    let response = search(&shelf, &request("abc b2", Mode::Hybrid));
    assert_eq!(kinds(&response)[..2], [("b2", Some(ExactKind::Id)), ("near", None)]);

    // Both are of the first tier, whatever they are named by: the better match comes first.
    let response = search(&shelf, &request("d b2 m1", Mode::Hybrid));
    assert_eq!(kinds(&response)[..2], [("far", Some(ExactKind::ModelNumber)), ("b2", Some(ExactKind::Id))]);

    let response = search(&shelf, &request("x", Mode::Hybrid));
    assert_eq!(ids(&response)[..2], ["b1", "b2"]);
    assert!(response.hits[..2].iter().all(|hit| hit.exact == Some(ExactKind::Brand)));
    assert_eq!(response.hits[2].exact, None);
    // A brand with other words is a word like any other.
    assert!(search(&shelf, &request("x abc", Mode::Hybrid)).hits.iter().all(|hit| hit.exact.is_none()));
}

#[test]
fn only_in_the_mode_hybrid() {
    for mode in [Mode::Semantic, Mode::Lexical, Mode::Word2Vec] {
        for query in ["abc m1", "abc b2", "x"] {
            let response = search(&shelf(), &request(query, mode).with_everything());
            assert!(response.hits.iter().all(|hit| hit.exact.is_none()), "{mode} {query}");
        }
    }
    let semantic = search(&shelf(), &request("abc m1", Mode::Semantic));
    assert_eq!(ids(&semantic)[0], "near");
}

#[test]
fn the_filter_holds_for_them_too() {
    let response = search(&shelf(), &request("abc m1", Mode::Hybrid).with_filter(filter("price != 2")));
    assert!(response.hits.iter().all(|hit| hit.exact.is_none()));
    assert_eq!(ids(&response)[0], "near");
}

#[test]
fn a_brand_is_found_though_words_count_nothing() {
    let response = search_with(&shelf(), &request("x", Mode::Hybrid), |weights| {
        (weights.lexical_short, weights.lexical_long) = (0.0, 0.0);
    });
    assert_eq!(ids(&response)[..2], ["b1", "b2"]);
}

#[test]
fn a_product_is_in_one_tier() {
    // Id and brand of one product, which the source tells twice.
    let shelf = Shelf::new([Product { brand: Some("x9".into()), ..product("x9", "a", 1.0) }]);
    let response = search(&shelf, &request("x9", Mode::Hybrid));
    assert_eq!(kinds(&response), [("x9", Some(ExactKind::Id))]);
}
