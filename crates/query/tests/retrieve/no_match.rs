//! When nothing is a good match.

use xunpin_query::fusion::Weights;
use xunpin_query::{Mode, Placement};

use super::shelf::{Shelf, product};
use super::{ids, request, search, search_with};

#[test]
fn a_weak_best_match_is_no_good_one() {
    // Cosines to a: .316 (evidence 5.7) and .447 (8.1); the score of 0.4 is an evidence of 6.6, a cosine of .363.
    for mode in [Mode::Hybrid, Mode::Semantic] {
        for (title, weak) in [("abbb", true), ("abb", false)] {
            let response = search(&Shelf::of_titles([title]), &request("a", mode));
            assert_eq!((response.total, response.no_good_match), (1, weak), "{mode} {title}");
        }
    }
    // Words make a good match of it: more than a third of the query's idf mass, 1.5.
    let shelf = Shelf::of_titles(["abbb u", "bb", "bb", "bb", "bb", "bb"]);
    let weak = |weight| {
        let change = |weights: &mut Weights| weights.lexical_short = weight;
        search_with(&shelf, &request("a u", Mode::Hybrid), change).no_good_match
    };
    assert_eq!((weak(0.0), weak(0.2), weak(5.0)), (true, true, false));
}

#[test]
fn feedback_does_not_make_good_matches_of_weak_ones() {
    // Products like each other and unlike the query: a query mixed with them is near to all of them.
    let titles: Vec<String> = (0..50).map(|n| format!("abbbb{}", "bc".repeat(n % 3))).collect();
    let shelf = Shelf::of_titles(titles.iter().map(String::as_str));
    let response = search_with(&shelf, &request("a", Mode::Hybrid), |weights| weights.floor = -1.0);
    assert!(response.total > 10 && response.no_good_match);
    assert!(response.hits[0].score < 0.4);
}

#[test]
fn what_is_named_outright_is_a_good_match() {
    let shelf = Shelf::new([product("p1", "ddd", 1.0), product("p2", "ab", 1.0)]);
    let response = search(&shelf, &request("p1", Mode::Hybrid));
    assert!(!response.no_good_match && response.hits[0].id == "p1");
    assert!(response.hits[0].score < 0.1);
}

#[test]
fn popularity_and_pins_do_not_make_a_good_match() {
    let shelf = Shelf::of_titles(["abbbb", "abbbbb"]);
    let request = request("a", Mode::Hybrid).with_everything();
    let popular = request.clone().with_popularity(xunpin_core::Field::Price, 100.0).unwrap();
    let response = search(&shelf, &popular);
    assert!(response.hits[0].score > 0.99 && response.no_good_match);
    let pinned = request.with_placement(Placement { pins: vec!["p001".into()], buried: Vec::new() });
    assert!(search(&shelf, &pinned).no_good_match);
}

#[test]
fn nothing_found_is_no_good_match_whatever_the_threshold() {
    let shelf = Shelf::of_titles(["b"]);
    for mode in Mode::ALL {
        let response = search_with(&shelf, &request("zzz", *mode), |weights| weights.no_match_below = 0.0);
        assert!(response.hits.is_empty() && response.no_good_match, "{mode}");
    }
}

#[test]
fn words_that_word_vectors_do_not_know() {
    let shelf = Shelf::of_titles(["a", "b"]);
    let response = search(&shelf, &request("a 神仙 ab 水", Mode::Word2Vec));
    assert_eq!(response.unknown_words, ["神仙", "水"]);
    assert!(!response.no_good_match && ids(&response)[0] == "p000");
    let none = search(&shelf, &request("神仙 水", Mode::Word2Vec));
    assert_eq!(none.unknown_words, ["神仙", "水"]);
    assert!(none.hits.is_empty() && none.no_good_match, "no random hits");
    assert!(search(&shelf, &request("神仙", Mode::Hybrid)).unknown_words.is_empty());
}
