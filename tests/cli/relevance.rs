//! What the project is for, with the real model: skipped, saying so, where it or the data is absent.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use xunpin::eval::Qrels;

use crate::support::{Ran, fixture, root};

const MODEL: &str = "embeddinggemma-300m";

/// Runs the program with the user's own home, where the model is.
fn xunpin(args: &[&str]) -> Ran {
    Ran::from(Command::new(env!("CARGO_BIN_EXE_xunpin")).args(args).output().unwrap())
}

fn model_is_here() -> bool {
    let here = xunpin(&["model", "list"]).stdout.lines().any(|l| l.contains(MODEL) && l.contains("present"));
    if !here {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: the model {MODEL} is not on this machine (`xunpin model pull {MODEL}`)"
        );
    }
    here
}

fn shared(name: &str) -> Option<PathBuf> {
    let path = root().join("../shared/data").join(name);
    if !path.exists() {
        let _ = writeln!(std::io::stderr(), "skipped: {} is not here", path.display());
        return None;
    }
    Some(path)
}

#[test]
fn gentle_retinol_answers_sensitive_skin_anti_ageing() {
    if !model_is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    let index = index.to_str().unwrap();
    let skincare: String = std::fs::read_to_string(fixture("catalogue/products.jsonl"))
        .unwrap()
        .lines()
        .filter(|line| line.contains(r#""id": "s0"#))
        .map(|line| format!("{line}\n"))
        .collect();
    let file = folder.path().join("skincare.jsonl");
    std::fs::write(&file, skincare).unwrap();
    xunpin(&["index", file.to_str().unwrap(), "--index", index, "--model", MODEL]).expect(0);
    let answer = xunpin(&["search", "敏感肌抗老", "--index", index, "--format", "json"]).expect(0).json();
    let ids: Vec<&str> =
        answer["hits"].as_array().unwrap().iter().map(|h| h["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"s001"), "温和A醇精华 is not among {ids:?}");
    let qrels = Qrels::read(&fixture("catalogue/qrels.txt")).unwrap();
    assert_eq!(qrels.grade("q001", ids[0]), Some(3), "the first of {ids:?} is exactly what is wanted");
}

#[test]
fn beauty_by_exact_scan_and_by_graph() {
    let Some(beauty) = shared("beauty") else { return };
    if !model_is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    let index = index.to_str().unwrap();
    let file = |name: &str| beauty.join(name).to_str().unwrap().to_owned();
    xunpin(&["index", &file("products.csv"), "--index", index, "--model", MODEL]).expect(0);
    let ndcg = |mode: &str, strategy: &str| {
        let (queries, qrels) = (file("queries.tsv"), file("qrels.txt"));
        let args = [
            "eval",
            "--index",
            index,
            "--queries",
            &queries,
            "--qrels",
            &qrels,
            "--strategy",
            strategy,
            "--mode",
            mode,
        ];
        let report = xunpin(&[&args[..], &["--format", "json"]].concat()).expect(0).json();
        assert_eq!(report["strategy"], strategy);
        report["means"]["ndcg@10"].as_f64().unwrap()
    };
    for (mode, least) in [("semantic", 0.755), ("hybrid", 0.79)] {
        let exact = ndcg(mode, "exact");
        assert!(exact >= least, "{mode}: nDCG@10 {exact} on the exact scan");
        let graph = ndcg(mode, "graph");
        assert!(
            (graph - exact).abs() <= 0.005,
            "{mode}: nDCG@10 {graph} on the graph, {exact} on the exact scan"
        );
    }
}
