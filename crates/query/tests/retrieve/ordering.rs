//! Best first, equals by the shop's id.

use xunpin_query::{MAX_RESULTS, Mode, Strategy};

use super::shelf::{Shelf, product};
use super::{ids, plain, request, search, search_with};

#[test]
fn nearest_first_and_ties_by_the_shops_id() {
    let shelf = Shelf::new([
        product("p9", "ab", 1.0),
        product("p3", "a", 2.0),
        product("p1", "ab", 3.0),
        product("p2", "c", 4.0),
    ]);
    for mode in [Mode::Semantic, Mode::Word2Vec, Mode::Hybrid] {
        let response = search(&shelf, &request("ab", mode).with_everything());
        assert_eq!(ids(&response), ["p1", "p9", "p3", "p2"], "{mode}");
        let first = search(&shelf, &request("ab", mode).with_results(1).unwrap());
        assert_eq!(ids(&first), ["p1"], "though p9 arrived earlier");
    }
    let response = search(&shelf, &request("ab", Mode::Lexical));
    assert_eq!(ids(&response), ["p1", "p9"]);
}

#[test]
fn what_a_score_is() {
    let shelf = Shelf::of_titles(["a b", "a", "c", "a b"]);
    let semantic = search(&shelf, &request("a b", Mode::Semantic));
    assert!((semantic.hits[0].score - 1.0).abs() < 1e-6);
    assert!(semantic.hits.iter().all(|hit| hit.sides.is_empty()));

    let lexical = search(&shelf, &request("a b", Mode::Lexical).with_everything());
    assert_eq!(ids(&lexical), ["p000", "p003", "p001"]);
    assert_eq!(lexical.hits[0].sides.lexical, Some(lexical.hits[0].score));
    assert_eq!(lexical.hits[0].sides.coverage, Some(1.0));
    assert!(lexical.hits.iter().all(|hit| hit.sides.cosine.is_none()));

    let hybrid = search_with(&shelf, &request("a b", Mode::Hybrid), plain);
    let best = &hybrid.hits[0];
    let (cosine, words) = (best.sides.cosine.unwrap(), best.sides.lexical.unwrap());
    // Two words: weight 0.2; logistic of the evidence beyond 7.
    assert_eq!(hybrid.lexical_weight, Some(0.2));
    let evidence = cosine / 0.055 + 0.2 * words;
    assert!((best.score - 1.0 / (1.0 + (7.0 - evidence).exp())).abs() < 1e-6);
    assert_eq!(best.sides.coverage, Some(1.0));
    for response in [&semantic, &lexical] {
        assert_eq!(response.lexical_weight, None);
    }
}

#[test]
fn where_the_scores_of_hybrid_are_all_1_the_evidence_still_decides() {
    let shelf = Shelf::of_titles(["aab", "aaab", "a", "aaaab"]);
    let response = search_with(&shelf, &request("a", Mode::Hybrid), |weights| {
        (weights.cosine_scale, weights.lexical_short) = (0.001, 0.0);
    });
    assert!(response.hits.iter().all(|hit| hit.score == 1.0));
    assert_eq!(ids(&response), ["p002", "p003", "p001", "p000"]);
}

#[test]
fn hybrid_takes_what_either_side_finds() {
    // The first holds the rare word and is far in meaning, the second the reverse.
    let shelf = Shelf::of_titles(["ddd u", "aaa", "ccc", "ccc", "ccc"]);
    let found = search_with(&shelf, &request("a u", Mode::Hybrid), plain);
    assert_eq!(ids(&found), ["p001", "p000"]);
    assert_eq!(found.hits[0].sides.lexical, Some(0.0));
    assert!(found.hits[1].sides.cosine.unwrap() < 0.1 && found.hits[1].sides.coverage.unwrap() > 0.3);
    // With more weight for words the order turns.
    let found = search_with(&shelf, &request("a u", Mode::Hybrid), |weights| {
        plain(weights);
        weights.lexical_short = 100.0;
    });
    assert_eq!(ids(&found), ["p000", "p001"]);
    let semantic = search(&shelf, &request("a u", Mode::Semantic));
    assert_eq!(ids(&semantic), ["p001"]);
}

#[test]
fn what_is_not_ordered_anew_stays_behind_in_its_order() {
    // Feedback from the nearest, which are all a and b, pulls the head towards b.
    let titles = ["aab", "aab", "aaab", "aac", "aaac", "aad", "aaad", "aacd", "aaacd", "aacc"];
    let shelf = Shelf::of_titles(titles);
    let request = request("aaab", Mode::Hybrid).with_everything();
    let first = search_with(&shelf, &request, plain);
    for head in 0..=titles.len() {
        let anew = search_with(&shelf, &request, |weights| {
            (weights.head, weights.feedback_products, weights.smoothing_neighbors) = (head, 2, 3);
            weights.feedback = 0.9;
        });
        let (first, anew) = (ids(&first), ids(&anew));
        // Two equal products are never parted: they are ordered anew both or neither.
        let sorted = |ids: &[&str]| {
            let mut ids: Vec<String> = ids.iter().map(|id| id.to_string()).collect();
            ids.sort();
            ids
        };
        let same = (head.saturating_sub(1)..=head).any(|length| {
            sorted(&first[..length]) == sorted(&anew[..length]) && first[length..] == anew[length..]
        });
        assert!(same, "{head}: {first:?} {anew:?}");
    }
}

#[test]
fn equal_products_are_never_parted_by_the_head() {
    // Five equal products, of which a head of three would hold those that arrived first.
    let mut products = vec![product("z", "aab", 0.0)];
    products.extend(["5", "4", "3", "2", "1"].map(|id| product(id, "ab", 0.0)));
    let shelf = Shelf::new(products);
    let response = search_with(&shelf, &request("aab", Mode::Hybrid), |weights| weights.head = 3);
    assert_eq!(ids(&response), ["z", "1", "2", "3", "4", "5"]);
    let scores: Vec<f32> = response.hits[1..].iter().map(|hit| hit.score).collect();
    assert!(scores.iter().all(|score| *score == scores[0]), "{scores:?}");
}

#[test]
fn the_depth_does_not_depend_on_the_number_of_results() {
    let shelf = Shelf::new((0..1_500).map(|n| product(&format!("p{n:04}"), "a", 1.0)));
    for mode in [Mode::Hybrid, Mode::Semantic] {
        for results in [1, 10, 200, MAX_RESULTS] {
            let request = request("a", mode).with_results(results).unwrap();
            let request = request.with_strategy(Strategy::Graph).with_ef(77).unwrap();
            let response = search(&shelf, &request);
            assert_eq!((response.hits.len(), response.total, response.cut), (results, 1_000, true));
        }
    }
    let plans = shelf.plans.borrow();
    assert!(plans.iter().all(|plan| *plan == plans[0]));
    assert_eq!((plans[0].strategy, plans[0].ef), (Strategy::Graph, Some(77)));
}

#[test]
fn only_the_page_is_read() {
    let titles: Vec<String> = (0..200).map(|n| format!("a{} w{n}", "b".repeat(n))).collect();
    let shelf = Shelf::of_titles(titles.iter().map(String::as_str));
    let response = search(&shelf, &request("a", Mode::Semantic).with_everything().with_results(5).unwrap());
    assert_eq!((response.hits.len(), shelf.read.get()), (5, 5), "nothing ties");
}

#[test]
fn cosines_that_are_none_are_left_out() {
    for cosine in [f32::NAN, f32::INFINITY] {
        let shelf = Shelf { cosine: Some(cosine), ..Shelf::of_titles(["ab", "b"]) };
        for mode in [Mode::Semantic, Mode::Word2Vec] {
            let response = search(&shelf, &request("ab", mode));
            assert!(response.hits.is_empty() && response.no_good_match);
        }
        let response = search(&shelf, &request("ab", Mode::Hybrid));
        assert_eq!(ids(&response), ["p000"], "for its word");
        assert!(response.hits[0].score.is_finite());
    }
}
