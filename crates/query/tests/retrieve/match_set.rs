//! What counts as found.

use xunpin_query::fusion::Weights;
use xunpin_query::{Mode, SIDE_DEPTH, SearchRequest, Strategy};

use super::shelf::{Shelf, product};
use super::{filter, ids, plain, request, search, search_with};

#[test]
fn a_filter_is_honoured_and_shown() {
    let titles = (0..500).map(|n| if n < 300 { "a" } else { "b" });
    let shelf = Shelf::of_titles(titles);
    for mode in Mode::ALL {
        let some = request("a b", *mode).with_filter(filter("价格 >= 400 and not price>404"));
        let response = search(&shelf, &some);
        assert_eq!(ids(&response), ["p400", "p401", "p402", "p403", "p404"], "{mode}");
        assert_eq!(response.filter.as_deref(), Some("price >= 400 and not price > 404"));
        let strategy = matches!(mode, Mode::Hybrid | Mode::Semantic).then_some(Strategy::Exact);
        assert_eq!(response.strategy, strategy, "{mode}");

        let asked = shelf.plans.borrow().len();
        let none = search(&shelf, &request("a b", *mode).with_filter(filter("price > 1e6")));
        assert!(none.hits.is_empty() && none.no_good_match && none.total == 0);
        assert_eq!((none.strategy, none.took_ms.encode), (None, 0.0));
        assert_eq!(shelf.plans.borrow().len(), asked, "nothing passes, so nothing is searched");
    }
}

#[test]
fn what_the_sides_say_does_not_depend_on_the_filter() {
    let titles: Vec<String> = (0..60).map(|n| format!("{} w{}", "a".repeat(n % 7) + "b", n % 5)).collect();
    let shelf = Shelf::of_titles(titles.iter().map(String::as_str));
    for mode in Mode::ALL {
        let base = request("aab w3", *mode).with_everything().with_results(1_000).unwrap();
        let all = search(&shelf, &base);
        let some = search(&shelf, &base.clone().with_filter(filter("price >= 20")));
        assert_eq!((some.total, some.lexical_weight), (all.total * 2 / 3, all.lexical_weight), "{mode}");
        let of = |id: &str| all.hits.iter().find(|hit| hit.id == id).unwrap();
        assert!(some.hits.iter().all(|hit| hit.sides == of(&hit.id).sides), "{mode}");
        if *mode != Mode::Hybrid {
            assert!(some.hits.iter().all(|hit| hit.score == of(&hit.id).score), "{mode}");
        }
    }
    // In the mode hybrid the head's scores depend on what else is found; without feedback and smoothing none does.
    let base = request("aab w3", Mode::Hybrid).with_everything().with_results(1_000).unwrap();
    let all = search_with(&shelf, &base, plain);
    let some = search_with(&shelf, &base.clone().with_filter(filter("price >= 20")), plain);
    let passing = all.hits.iter().filter(|hit| hit.product.price >= Some(20.0));
    assert!(passing.eq(&some.hits));
}

#[test]
fn the_floors() {
    // Cosines to a: 1, .894, .707, .447, .316, 0.
    let shelf = Shelf::of_titles(["a", "aab", "ab", "abb", "abbb", "b"]);
    let semantic = |floor, below| {
        let response = search_with(&shelf, &request("a", Mode::Semantic), |weights: &mut Weights| {
            (weights.floor, weights.floor_below_best) = (floor, below);
        });
        response.total
    };
    assert_eq!(semantic(0.25, 0.2), 2, "not further below the best than that");
    assert_eq!(semantic(0.25, 2.0), 5, "not below that");
    assert_eq!(semantic(-1.0, 2.0), 6);
    assert_eq!(search(&shelf, &request("a", Mode::Semantic).with_everything()).total, 6);
    // Of the products that pass the filter the best one counts.
    let among = request("a", Mode::Semantic).with_filter(filter("price >= 3"));
    assert_eq!(ids(&search(&shelf, &among)), ["p003", "p004"]);

    // Products hold 3, 2 and 1 of the words.
    let shelf = Shelf::of_titles(["u v w", "u v", "w", "x", "x", "x"]);
    // No product is near enough to be found for its meaning alone, but the one that says the same.
    let words = |request: &SearchRequest, share| {
        search_with(&shelf, request, |weights: &mut Weights| {
            (weights.coverage_floor, weights.floor) = (share, 1.0);
        })
    };
    let short = request("u v w", Mode::Hybrid);
    assert_eq!([1.0, 0.6, 0.0].map(|share| words(&short, share).total), [1, 2, 3]);
    // Of all products the best one counts: what holds few of the words is no better for the others being left out.
    let among = short.clone().with_filter(filter("price >= 2"));
    assert_eq!(words(&among, 0.6).total, 0);
    // The best holds three of six words: the floor is a share of that.
    assert_eq!(ids(&words(&request("u v w 1 2 3", Mode::Hybrid), 0.6)), ["p000", "p001"]);
    // Without another side to find the rest, every product that holds a word is found.
    assert_eq!(words(&request("u v w", Mode::Lexical), 1.0).total, 3);
}

#[test]
fn words_that_count_nothing_find_nothing() {
    // One word of eight is known, and the products that hold it are far in meaning.
    let shelf = Shelf::of_titles(["ddd u", "aaa", "ccc", "ccc u"]);
    let query = "a u 1 2 3 4 5 6";
    let response = search(&shelf, &request(query, Mode::Hybrid));
    assert_eq!((response.lexical_weight, ids(&response)), (Some(0.0), vec!["p001"]));
    let response = search(&shelf, &request(query, Mode::Hybrid).with_everything());
    assert_eq!(response.total, 4);
    assert_eq!(search(&shelf, &request(query, Mode::Lexical)).total, 2, "it is all there is");
}

#[test]
fn the_answer_says_when_it_was_cut() {
    for (products, cut) in [(SIDE_DEPTH, false), (SIDE_DEPTH + 1, true)] {
        let shelf = Shelf::new((0..products).map(|n| product(&format!("p{n:04}"), "a", 1.0)));
        for mode in Mode::ALL {
            let response = search(&shelf, &request("a", *mode));
            assert_eq!((response.cut, response.total), (cut, SIDE_DEPTH), "{mode}");
        }
        let few = request("a", Mode::Hybrid).with_filter(filter("id = p0000"));
        assert!(!search(&shelf, &few).cut);
    }
}

#[test]
fn both_sides_may_give_as_many() {
    // The halves have nothing in common but the match set.
    let titles = (0..2_400).map(|n| if n % 2 == 0 { "aa" } else { "d w" });
    let products = titles.enumerate().map(|(n, title)| product(&format!("p{n:04}"), title, 1.0));
    let shelf = Shelf::new(products);
    let response = search_with(&shelf, &request("a w", Mode::Hybrid), |weights| weights.coverage_from = 0.0);
    assert_eq!((response.total, response.cut), (2 * SIDE_DEPTH, true));
}
