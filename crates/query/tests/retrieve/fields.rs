//! Rules, groups, sort keys, facets and popularity.

use xunpin_core::{Field, Literal, Product};
use xunpin_query::{FacetRequest, Mode, Placement, RulePlace, SearchRequest, SearchResponse, SortKey};

use super::shelf::{Shelf, product};
use super::{filter, ids, plain, request, search, search_with};

fn placed(request: SearchRequest, pins: &[&str], buried: &[&str]) -> SearchRequest {
    let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    request.with_placement(Placement { pins: owned(pins), buried: owned(buried) })
}

fn rules(response: &SearchResponse) -> Vec<Option<RulePlace>> {
    response.hits.iter().map(|hit| hit.rule).collect()
}

#[test]
fn pinned_first_and_buried_last() {
    use RulePlace::{Buried, Pinned};
    let shelf = Shelf::of_titles(["a", "aaab", "aab", "d", "a"]);
    for mode in [Mode::Hybrid, Mode::Semantic, Mode::Word2Vec] {
        let base = request("a", mode);
        // p003 is not in the match set of the first two, p999 is not there at all.
        let response =
            search(&shelf, &placed(base.clone(), &["p003", "p999", "p002"], &["p000", "p777", "p003"]));
        assert_eq!(ids(&response), ["p003", "p002", "p004", "p001", "p000"], "{mode}");
        assert_eq!(rules(&response), [Some(Pinned), Some(Pinned), None, None, Some(Buried)]);
        assert_eq!(response.total, 5);
        if mode != Mode::Word2Vec {
            assert_eq!((response.hits[0].score, response.hits[0].sides.is_empty()), (0.0, true));
        }

        let filtered =
            placed(base.clone(), &["p003", "p001"], &["p000"]).with_filter(filter("price in (0, 1)"));
        assert_eq!(ids(&search(&shelf, &filtered)), ["p001", "p000"], "{mode}");

        let sorted = placed(base, &["p002"], &["p000"]).with_sort(SortKey::parse("price").unwrap());
        let response = search(&shelf, &sorted);
        assert_eq!(ids(&response)[..3], ["p000", "p001", "p002"], "{mode}");
        assert!(rules(&response).iter().all(Option::is_none));
    }
}

#[test]
fn buried_equals_are_in_the_order_of_ids_on_the_last_page() {
    let shelf = Shelf::new(["9", "8", "7", "6", "5"].map(|id| product(id, "a", 1.0)));
    let request = placed(request("a", Mode::Semantic), &[], &["9", "6", "8"]);
    assert_eq!(ids(&search(&shelf, &request)), ["5", "7", "6", "8", "9"]);
    let last = request.with_offset(3).unwrap().with_results(1).unwrap();
    assert_eq!(ids(&search(&shelf, &last)), ["8"]);
}

fn in_group(id: &str, title: &str, price: f64, group: Option<&str>) -> Product {
    let mut product = product(id, title, price);
    product.extra.extend(group.map(|group| ("group".into(), group.into())));
    product
}

fn variants() -> Shelf {
    Shelf::new([
        in_group("s-30", "aaab", 30.0, Some("s")),
        in_group("s-50", "a", 50.0, Some("S")),
        in_group("t-1", "aab", 5.0, Some("t")),
        in_group("t-0", "aab", 6.0, Some("t")),
        in_group("alone", "aaaab", 7.0, None),
        in_group("s-90", "aab", 90.0, Some("s")),
    ])
}

#[test]
fn variants_collapse_to_the_best() {
    let group = Field::Named("group".into());
    for mode in [Mode::Hybrid, Mode::Semantic, Mode::Word2Vec] {
        let base = request("a", mode).with_group(group.clone());
        let response = search_with(&variants(), &base, plain);
        let seen: Vec<_> = response.hits.iter().map(|hit| (hit.id.as_str(), hit.variants)).collect();
        assert_eq!(seen, [("s-50", 2), ("alone", 0), ("t-0", 1)], "{mode}");
        assert_eq!(response.total, 3);
        // The best is chosen by relevance, then the rest is sorted.
        let sorted = base.with_sort(SortKey::parse("price").unwrap());
        assert_eq!(ids(&search_with(&variants(), &sorted, plain)), ["t-0", "alone", "s-50"], "{mode}");
    }
    // A pinned variant stands for its group, a buried one gives way.
    let base = request("a", Mode::Semantic).with_group(group);
    let response = search(&variants(), &placed(base, &["t-1"], &["s-50"]));
    assert_eq!(ids(&response), ["t-1", "alone", "s-30"]);
    assert_eq!(response.hits[2].variants, 2);
}

#[test]
fn sorted_by_fields_then_relevance_then_id() {
    let shelf = Shelf::new([
        product("p4", "aab", 1.0),
        product("p3", "a", 2.0),
        product("p2", "a", 1.0),
        Product::new("p9", "a"),
        product("p1", "a", 1.0),
        product("p0", "aaaaab", 1.0),
    ]);
    for mode in [Mode::Hybrid, Mode::Semantic, Mode::Word2Vec] {
        let base = request("a", mode);
        let up = search_with(&shelf, &base.clone().with_sort(SortKey::parse("price").unwrap()), plain);
        assert_eq!(ids(&up), ["p1", "p2", "p0", "p4", "p3", "p9"], "{mode}");
        let down = search_with(&shelf, &base.with_sort(SortKey::parse("price:desc").unwrap()), plain);
        assert_eq!(ids(&down), ["p3", "p1", "p2", "p0", "p4", "p9"], "{mode}");
    }
    let keys = request("a", Mode::Lexical)
        .with_sort(SortKey::parse("price:desc").unwrap())
        .with_sort(SortKey::parse("stock").unwrap());
    assert_eq!(ids(&search(&shelf, &keys)), ["p3", "p1", "p2", "p9"], "only those that hold the word");
}

#[test]
fn facets_count_the_match_set_before_grouping_and_paging() {
    let base = request("a", Mode::Hybrid)
        .with_facet(FacetRequest::parse("group").unwrap())
        .with_facet(FacetRequest::parse("price:2").unwrap())
        .with_group(Field::Named("group".into()));
    let page = base.clone().with_results(1).unwrap().with_offset(1).unwrap();
    for request in [base.clone(), page, placed(base.clone(), &["p999"], &["t-0"])] {
        let response = search(&variants(), &request);
        let counts: Vec<_> = response.facets[0].values.iter().map(|v| (v.value.clone(), v.count)).collect();
        assert_eq!(counts, [(Literal::Text("s".into()), 3), (Literal::Text("t".into()), 2)]);
        assert_eq!((response.facets[0].missing, response.facets[1].field.as_str()), (1, "price"));
        assert_eq!(response.facets[1].values.len(), 2);
        assert_eq!(response.total, 3);
    }
    let few = search(&variants(), &base.clone().with_filter(filter("price < 6")));
    assert_eq!((few.facets[0].values.len(), few.facets[0].missing), (1, 0));
    let none = search(&variants(), &base.with_filter(filter("price < 0")));
    assert!(none.facets[0].values.is_empty());
}

#[test]
fn popularity_moves_results() {
    // Prices are percentiles .1, .3, .5, .7, .9; cosines to a fall.
    let shelf = Shelf::of_titles(["a", "aaab", "aab", "ab", "abb"]);
    let with = |weight| {
        let request = request("a", Mode::Hybrid).with_everything();
        search_with(&shelf, &request.with_popularity(Field::Price, weight).unwrap(), |weights| {
            plain(weights);
            weights.lexical_short = 0.0;
        })
    };
    assert_eq!(ids(&with(0.0)), ["p000", "p001", "p002", "p003", "p004"]);
    assert_eq!(ids(&with(100.0)), ["p004", "p003", "p002", "p001", "p000"]);
    // 1, .949 and .894: evidence 18.18, 17.25 and 16.26; a fifth of the weight lies between one and the next.
    assert_eq!(ids(&with(4.0))[..3], ["p000", "p001", "p002"]);
    assert_eq!(ids(&with(4.75))[..3], ["p001", "p000", "p002"]);
    let response = with(4.75);
    assert!(response.hits.is_sorted_by(|a, b| a.score >= b.score));
    assert!(response.hits.iter().all(|hit| (0.0..=1.0).contains(&hit.score)));
    // It moves what was not ordered anew as well, and nothing out of its tier.
    let request = request("a p000", Mode::Hybrid).with_everything();
    let popular = request.with_popularity(Field::Price, 100.0).unwrap();
    let response = search_with(&shelf, &popular, |weights| weights.head = 2);
    assert_eq!(ids(&response), ["p000", "p004", "p003", "p002", "p001"]);
}
