//! The benchmarks run and say what they measure; how fast they are decides nothing.

use serde_json::json;

use crate::support::{Shop, fixture, ids};

#[test]
fn a_large_index_is_made_of_a_small_one_and_searched() {
    let shop = Shop::new();
    shop.index(&[&fixture("catalogue/products.jsonl")]).expect(0);
    let made = |name: &str, seed: &str| {
        let out = shop.path(name);
        let out = out.to_str().unwrap();
        let args =
            ["bench", "generate", "--out", out, "--products", "1500", "--seed", seed, "--format", "json"];
        let report = shop.run(&args).expect(0).json();
        assert_eq!((&report["products"], &report["sources"]), (&json!(1500), &json!(580)));
        let answer = |mode| {
            shop.run(&["search", "面霜", "--index", out, "--mode", mode, "--format", "json", "-k", "50"])
                .json()
        };
        (ids(&answer("lexical")), answer("semantic")["hits"].clone())
    };
    let first = made("a", "1");
    assert_eq!(made("b", "1"), first);
    assert_ne!(made("c", "2"), first);
    let out = shop.path("a");
    let out = out.to_str().unwrap();
    shop.run(&["verify", "--index", out]).expect(0).tells(&["1,500 products checked"]);
    shop.run(&["bench", "generate", "--out", out, "--products", "10"]).expect(3).tells(&[out]);

    let queries = fixture("catalogue/queries.tsv");
    let args = ["bench", "search", "--index", out, "--queries", queries.to_str().unwrap(), "--limit", "6"];
    let report = shop.run(&[&args[..], &["--warmup", "1", "--format", "json"]].concat()).expect(0).json();
    assert_eq!((&report["schema"], &report["queries"]), (&json!("xunpin.bench.search.v1"), &json!(6)));
    let modes: Vec<&str> =
        report["modes"].as_array().unwrap().iter().map(|m| m["mode"].as_str().unwrap()).collect();
    assert_eq!(modes, ["lexical", "semantic", "hybrid"]);
    assert_eq!(report["modes"][0]["encode"]["p50"], 0.0, "words need no model");
    assert!(report["hybrid_over_semantic"]["paired_p50"].is_number());
    shop.run(&args).expect(0).tells(&["hybrid over semantic", "nearest", "p50"]);
    let empty = shop.write("empty.txt", "\n\n");
    shop.run(&["bench", "search", "--queries", empty.to_str().unwrap()]).expect(2).tells(&["no query"]);
}
