//! An index from its first catalogue to its last: formats, upserts, deletes, statistics, evaluation, embedding.

use std::io::Write;
use std::process::Stdio;

use crate::support::{Ran, Shop, fixture};

#[test]
fn upsert_delete_verify_and_stats() {
    let shop = Shop::with(&[("1", "温和A醇精华"), ("2", "儿童雨鞋"), ("3", "无线耳机")]);
    let stats = shop.stats();
    assert_eq!(stats["products"], 3);
    shop.run(&["verify"]).expect(0).tells(&["3 products"]);
    shop.run(&["delete", "2", "9"]).expect(1).tells(&["1 product deleted", "9"]);
    assert_eq!(shop.products(), 2);
    assert!(!shop.search("儿童雨鞋", &[]).contains(&"2".to_owned()));
    let file = shop.write(
        "second.jsonl",
        "{\"id\":\"1\",\"title\":\"电水壶\"}\n{\"id\":\"3\",\"title\":\"无线耳机\"}\n",
    );
    let report = shop.index_with(&[&file], &["--format", "json"]).expect(0).json();
    assert_eq!((&report["embedded"], &report["unchanged"]), (&1.into(), &1.into()));
    assert_eq!(shop.search("电水壶", &["-k", "1"]), ["1"]);
    shop.run(&["verify"]).expect(0);
}

#[test]
fn the_same_catalogue_again_embeds_nothing() {
    let shop = Shop::new();
    let file = fixture("catalogue/products.jsonl");
    let first = shop.index_with(&[&file], &["--format", "json"]).expect(0).json();
    assert_eq!(first["embedded"], 580);
    let again = shop.index_with(&[&file], &["--format", "json"]).expect(0).json();
    assert_eq!(
        (&again["embedded"], &again["updated"], &again["unchanged"]),
        (&0.into(), &0.into(), &580.into())
    );
}

#[test]
fn csv_in_gb18030_from_standard_input() {
    let shop = Shop::new();
    let mut index = shop
        .command(&[
            "index",
            "-",
            "--model",
            fixture("tiny-gemma3").to_str().unwrap(),
            "--input-format",
            "csv",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // "商品编号,商品名称,售价\n1,温和精华,239\n" in GB18030.
    let bytes = b"\xc9\xcc\xc6\xb7\xb1\xe0\xba\xc5,\xc9\xcc\xc6\xb7\xc3\xfb\xb3\xc6,\xca\xdb\xbc\xdb\n1,\xce\xc2\xba\xcd\xbe\xab\xbb\xaa,239\n";
    index.stdin.take().unwrap().write_all(bytes).unwrap();
    Ran::from(index.wait_with_output().unwrap()).expect(0);
    let answer = shop.run(&["search", "精华", "--format", "json"]).expect(0).json();
    assert_eq!(answer["hits"][0]["product"]["title"], "温和精华");
    assert_eq!(answer["hits"][0]["product"]["price"], 239.0);
}

#[test]
fn evaluation_prints_metrics_and_writes_the_run() {
    let shop = Shop::with(&[("1", "温和A醇精华"), ("2", "儿童雨鞋"), ("3", "无线耳机")]);
    let queries = shop.write("queries.tsv", "q1\t儿童雨鞋\nq2\t无线耳机\n");
    let qrels = shop.write("qrels.txt", "q1 0 2 3\nq2 0 3 2\nq2 0 1 0\n");
    let run = shop.path("run.txt");
    let args = ["eval", "--queries", queries.to_str().unwrap(), "--qrels", qrels.to_str().unwrap()];
    let mut with_run = args.to_vec();
    with_run.extend(["--run-out", run.to_str().unwrap(), "--format", "json"]);
    let report = shop.run(&with_run).expect(0).json();
    let place = |query: &str, id: &str| 1 + shop.search(query, &[]).iter().position(|hit| hit == id).unwrap();
    let expected = (1.0 / place("儿童雨鞋", "2") as f64 + 1.0 / place("无线耳机", "3") as f64) / 2.0;
    assert!((report["means"]["mrr@10"].as_f64().unwrap() - expected).abs() < 1e-9, "{report}");
    assert_eq!(report["means"]["recall@10"], 1.0);
    assert_eq!(std::fs::read_to_string(run).unwrap().lines().count(), 6);
    shop.run(&args).expect(0).tells(&["ndcg@10", "mrr@10", "recall@100", "p50"]);
    let bad = shop.write("bad.txt", "q1 0 2\n");
    shop.run(&["eval", "--queries", queries.to_str().unwrap(), "--qrels", bad.to_str().unwrap()])
        .expect(3)
        .tells(&["bad.txt:1"]);
}

#[test]
fn embed_gives_a_unit_vector_a_line() {
    let shop = Shop::new();
    let file = shop.write("texts.jsonl", "{\"id\":7,\"text\":\"面霜\"}\nnonsense\n{\"text\":\"\"}\n");
    let model = fixture("tiny-gemma3");
    let ran = shop.run(&["embed", file.to_str().unwrap(), "--model", model.to_str().unwrap()]);
    let ran = ran.expect(1).tells(&["texts.jsonl:2"]);
    let lines: Vec<serde_json::Value> =
        ran.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["id"], 7);
    let norm: f64 =
        lines[0]["embedding"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap().powi(2)).sum();
    assert!((norm - 1.0).abs() < 1e-4, "{norm}");
}

#[test]
fn help_and_version_are_success_and_unknown_flags_wrong_use() {
    let shop = Shop::new();
    shop.run(&["--version"]).expect(0).tells(&["xunpin 0.1"]);
    shop.run(&["search", "--help"]).expect(0).tells(&["--filter"]);
    shop.run(&["search", "x", "--nonsense"]).expect(2);
}
