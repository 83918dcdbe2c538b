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

#[test]
fn embedding_is_measured_in_processes_of_their_own() {
    let shop = Shop::new();
    let model = fixture("tiny-gemma3");
    let texts: String = (0..40).map(|n| format!("保湿 面霜 {n}号 敏感肌可用\n")).collect();
    let texts = shop.write("texts.txt", texts);
    let args = ["bench", "embed", texts.to_str().unwrap(), "--model", model.to_str().unwrap()];
    let flags = ["--precision", "f32", "--threads", "1,2", "--lengths", "8,16", "--format", "json"];
    let report = shop.run(&[&args[..], &flags].concat()).expect(0).json();
    assert_eq!((&report["schema"], &report["docs"]), (&json!("xunpin.bench.embed.v2"), &json!(40)));
    assert_eq!(report["reference"], "f32");
    let cells = report["cells"].as_array().unwrap();
    let threads: Vec<_> = cells.iter().map(|cell| cell["threads"].as_u64().unwrap()).collect();
    assert_eq!(threads, [1, 2]);
    for cell in cells {
        assert_eq!(cell["precision"], "f32");
        assert!(cell["cosine"]["least"].as_f64().unwrap() > 0.9999, "{cell}");
        for figure in ["docs_per_s", "tokens_per_s", "query_p50_ms", "query_p95_ms", "load_s"] {
            assert!(cell[figure].as_f64().unwrap() > 0.0, "{figure}: {cell}");
        }
        let lengths = cell["lengths"].as_array().unwrap();
        assert_eq!(lengths.iter().map(|l| l["length"].as_u64().unwrap()).collect::<Vec<_>>(), [8, 16]);
        for length in lengths {
            let mean = length["tokens"].as_f64().unwrap() / length["inputs"].as_f64().unwrap();
            let wanted = length["length"].as_f64().unwrap();
            assert!(mean > wanted - 2.0 && mean <= wanted + 1.0, "{length}");
        }
        if cfg!(target_os = "linux") {
            let (loaded, worked) = (&cell["memory_loaded"], &cell["memory_worked"]);
            assert!(worked["peak"].as_u64() >= loaded["resident"].as_u64(), "{cell}");
            assert!(loaded["resident"].as_u64().unwrap() > 1_000_000, "{cell}");
        }
    }
    let table = ["--precision", "f32", "--threads", "1", "--lengths", "8"];
    shop.run(&[&args[..], &table].concat()).expect(0).tells(&[
        "40 documents",
        "query ms p50 / p95",
        "cosines are to",
        "8 tokens",
    ]);
    shop.run(&[&args[..], &["--lengths", "1"]].concat()).expect(2).tells(&["1 tokens"]);
    shop.run(&["bench", "embed", "nowhere.txt"]).expect(3).tells(&["nowhere.txt"]);
    let empty = shop.write("empty.txt", "\n");
    shop.run(&["bench", "embed", empty.to_str().unwrap()]).expect(2).tells(&["no text"]);
    shop.run(&["bench", "embed", texts.to_str().unwrap(), "--model", "no-such-model"])
        .expect(2)
        .tells(&["no-such-model"]);
}

#[test]
fn a_search_is_measured_from_the_start_of_its_process() {
    let shop = Shop::with(&[("1", "保湿面霜"), ("2", "雨鞋")]);
    let args = ["bench", "cold", "--query", "面霜", "--runs", "2"];
    let report = shop.run(&[&args[..], &["--format", "json"]].concat()).expect(0).json();
    assert_eq!((&report["schema"], &report["runs"]), (&json!("xunpin.bench.cold.v1"), &json!(2)));
    let ms = |name: &str| report[name].as_f64().unwrap();
    assert!(ms("least_ms") <= ms("p50_ms") && ms("p50_ms") <= ms("most_ms"), "{report}");
    assert!(ms("encode_p50_ms") > 0.0 && ms("encode_p50_ms") < ms("most_ms"), "{report}");
    if cfg!(target_os = "linux") {
        assert!(report["memory"]["peak"].as_u64().unwrap() > 1_000_000, "{report}");
    }
    let words = [&args[..], &["--mode", "lexical"]].concat();
    shop.run(&words).expect(0).tells(&["2 products", "ms p50", "lexical"]);
    // A query that looks like a flag, and one that finds nothing, are queries.
    shop.run(&["bench", "cold", "--query=--help", "--runs", "1", "--mode", "lexical"]).expect(0);
    let nowhere = shop.path("nowhere");
    shop.run(&[&args[..], &["--index", nowhere.to_str().unwrap()]].concat()).expect(3).tells(&["nowhere"]);
    shop.run(&[&args[..], &["--mode", "word2vec"]].concat()).expect(2).tells(&["word2vec train"]);
}
