//! The metrics agree with pytrec_eval on a small collection with ties, negative grades, queries without results
//! and queries without relevant documents. `tests/data/pytrec_reference.py` made the figures.

#![allow(clippy::unwrap_used)] // Only functions marked as tests are exempt by default.

use std::collections::BTreeMap;
use std::path::Path;

use xunpin_eval::{EvalOptions, Metric, Qrels, Run, evaluate};

/// By query, and under `mean`, the value of each metric.
fn expected(path: &Path) -> BTreeMap<String, BTreeMap<Metric, f64>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t'));
    let metrics: Vec<Metric> = lines.next().unwrap().skip(1).map(|name| name.parse().unwrap()).collect();
    lines
        .map(|mut columns| {
            let query = columns.next().unwrap().to_owned();
            (query, metrics.iter().copied().zip(columns.map(|value| value.parse().unwrap())).collect())
        })
        .collect()
}

fn assert_close(what: &str, got: &BTreeMap<Metric, f64>, expected: &BTreeMap<Metric, f64>) {
    assert_eq!(got.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}");
    for (metric, value) in got {
        assert!(
            (value - expected[metric]).abs() < 1e-8,
            "{what} {metric}: {value}, not {}",
            expected[metric]
        );
    }
}

#[test]
fn agrees_with_pytrec_eval() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let run = Run::read(&data.join("run.txt")).unwrap();
    let qrels = Qrels::read(&data.join("qrels.txt")).unwrap();
    let mut expected = expected(&data.join("expected.tsv"));

    let got = evaluate(&run, &qrels, &EvalOptions::default()).unwrap();
    assert_close("mean", &got.means, &expected.remove("mean").unwrap());
    assert_eq!(got.per_query.len(), expected.len());
    for row in &got.per_query {
        assert_close(&row.query, &row.scores, &expected[&row.query]);
    }
    assert_eq!(got.queries_without_results, ["need-04"]);
    assert_eq!(got.queries_without_relevant, ["need-03"]);
    assert_eq!(got.queries_without_qrels, ["need-99"]);
}
