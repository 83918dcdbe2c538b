//! The JSON that is documented.

use serde_json::{Value, json};
use xunpin_query::{FacetRequest, Mode, Placement, SCHEMA, SearchResponse};

use super::shelf::{Shelf, product};
use super::{filter, request, search};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_field_of_an_answer() {
    let shelf = Shelf::new([product("p1", "a", 239.0), product("p2", "aab", 9.0)]);
    let request = request(" a \n p1", Mode::Hybrid)
        .with_filter(filter("price < 300"))
        .with_facet(FacetRequest::parse("price").unwrap())
        .with_placement(Placement { pins: vec!["p2".into()], buried: Vec::new() });
    let response = search(&shelf, &request);
    let json = serde_json::to_value(&response).unwrap();
    assert_eq!(
        keys(&json),
        [
            "schema",
            "query",
            "mode",
            "filter",
            "strategy",
            "generation",
            "total",
            "cut",
            "offset",
            "no_good_match",
            "lexical_weight",
            "took_ms",
            "hits",
            "facets"
        ]
    );
    assert_eq!((SCHEMA, &json["schema"]), ("xunpin.search.v1", &json!("xunpin.search.v1")));
    assert_eq!((&json["query"], &json["filter"]), (&json!("a p1"), &json!("price < 300")));
    assert_eq!((&json["mode"], &json["strategy"]), (&json!("hybrid"), &json!("exact")));
    assert_eq!(
        keys(&json["took_ms"]),
        ["encode", "filter", "search", "lexical", "nearest", "fusion", "total"]
    );
    let (pinned, named) = (&json["hits"][0], &json["hits"][1]);
    assert_eq!(keys(pinned), ["id", "score", "sides", "rule", "product"]);
    assert_eq!(keys(named), ["id", "score", "sides", "exact", "product"]);
    assert_eq!((&pinned["rule"], &named["exact"]), (&json!("pinned"), &json!("id")));
    assert_eq!(keys(&named["sides"]), ["cosine", "lexical", "coverage"]);
    assert_eq!(named["product"], json!({"id": "p1", "title": "a", "price": 239.0}));
    assert_eq!(serde_json::from_value::<SearchResponse>(json).unwrap(), response);
}

#[test]
fn what_a_mode_does_not_have_is_absent() {
    let shelf = Shelf::of_titles(["a b", "c"]);
    for (mode, absent, sides) in [
        (Mode::Semantic, vec!["lexical_weight", "unknown_words", "filter", "facets"], false),
        (Mode::Lexical, vec!["lexical_weight", "unknown_words", "strategy"], true),
        (Mode::Word2Vec, vec!["lexical_weight", "strategy"], false),
    ] {
        let json = serde_json::to_value(search(&shelf, &request("a 水", mode))).unwrap();
        assert!(absent.iter().all(|key| !keys(&json).contains(key)), "{mode}");
        assert_eq!(keys(&json["hits"][0]).contains(&"sides"), sides, "{mode}");
        assert_eq!(json["mode"], json!(mode.to_string()));
    }
    let json = serde_json::to_value(search(&shelf, &request("a 水", Mode::Word2Vec))).unwrap();
    assert_eq!(json["unknown_words"], json!(["水"]));
}

#[test]
fn times_add_up() {
    let shelf = Shelf::of_titles(["a", "ab", "b a"]);
    for mode in Mode::ALL {
        let took = search(&shelf, &request("a b", *mode).with_filter(filter("price >= 0"))).took_ms;
        let parts = took.lexical + took.nearest + took.fusion;
        // Each is cut to the microsecond.
        assert!(parts <= took.search + 0.01, "{mode} {took:?}");
        assert!(took.encode + took.filter + took.search <= took.total + 0.01, "{mode} {took:?}");
    }
}
