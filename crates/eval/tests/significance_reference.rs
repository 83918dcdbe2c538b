//! P values and intervals agree with scipy's. `tests/data/significance_reference.py` made the figures.

#![allow(clippy::unwrap_used)] // Only functions marked as tests are exempt by default.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use xunpin_eval::{Comparison, Evaluation, Metric, QueryEvaluation, compare};

#[derive(Deserialize)]
struct Case {
    name: String,
    a: Vec<f64>,
    b: Vec<f64>,
    p_value: f64,
    interval: [f64; 2],
}

fn cases() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/significance.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

const METRIC: Metric = Metric::Ndcg(10);

fn evaluation(scores: &[f64]) -> Evaluation {
    let row = |(at, &score): (usize, &f64)| QueryEvaluation {
        query: format!("q{at:02}"),
        results: 10,
        relevant: 1,
        judged_at_10: None,
        scores: BTreeMap::from([(METRIC, score)]),
    };
    Evaluation {
        means: BTreeMap::from([(METRIC, scores.iter().sum::<f64>() / scores.len() as f64)]),
        judged_at_10: None,
        per_query: scores.iter().enumerate().map(row).collect(),
        queries_without_results: Vec::new(),
        queries_without_qrels: Vec::new(),
        queries_without_relevant: Vec::new(),
        qrels_without_query: Vec::new(),
    }
}

fn compared(case: &Case) -> Comparison {
    compare(&evaluation(&case.a), &evaluation(&case.b), METRIC).unwrap()
}

#[test]
fn p_values_are_those_of_scipy() {
    let mut ways = [0, 0];
    for case in cases() {
        let got = compared(&case);
        ways[usize::from(got.exact)] += 1;
        // Of random assignments, five standard errors.
        let error = (case.p_value * (1.0 - case.p_value) / 100_000.0).sqrt();
        let tolerance = if got.exact { 1e-12 } else { 5.0 * error + 1e-5 };
        let difference = (got.p_value - case.p_value).abs();
        assert!(difference <= tolerance, "{}: {}, not {}", case.name, got.p_value, case.p_value);
    }
    assert!(ways.iter().all(|&count| count >= 2), "both ways are tried: {ways:?}");
}

#[test]
fn intervals_are_near_those_of_scipy() {
    for case in cases() {
        let (got, [low, high]) = (compared(&case).interval, case.interval);
        // Ends of 10,000 resamples stray by about a hundredth of the interval's width; ties make them jump.
        let tolerance = 0.04 * (high - low);
        let near = (got.low - low).abs() < tolerance && (got.high - high).abs() < tolerance;
        assert!(near, "{}: {got:?}, not {low} to {high}", case.name);
    }
}

#[test]
fn equal_input_gives_equal_output() {
    for case in cases() {
        assert_eq!(compared(&case), compared(&case));
    }
}
