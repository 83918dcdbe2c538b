use std::collections::BTreeSet;

use serde::Serialize;

use crate::significance::{bootstrap_interval, sign_flip_test};
use crate::{CompareError, Evaluation, Interval, Metric};

/// Scores that differ by less are equal: sums of the same gains in another order differ in their last digits.
const TIE: f64 = 1e-9;

/// What separates two systems on the same queries.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What they are compared by.
    pub metric: Metric,
    /// Number of queries.
    pub queries: usize,
    /// Mean of the first system's score less the second's; above 0 the first is better.
    pub mean_difference: f64,
    /// 95% interval of the mean difference by the bootstrap: what it might have been with other queries of the same
    /// kind.
    pub interval: Interval,
    /// Two-sided p value, above 0 and at most 1: how often chance alone would give a mean difference at least this
    /// large if both systems were alike.
    pub p_value: f64,
    /// True if the p value comes from all sign assignments (at most 16 queries differ), false if from 100,000 random
    /// ones.
    pub exact: bool,
    /// Queries on which the first is better.
    pub wins: usize,
    /// Queries on which both are equal.
    pub ties: usize,
    /// Queries on which the first is worse.
    pub losses: usize,
}

/// Compares two systems query by query.
///
/// The p value is that of the paired two-sided randomisation test recommended by Smucker, Allan and Carterette, "A
/// comparison of statistical significance tests for information retrieval evaluation" (CIKM 2007): the share of all
/// ways to give the queries' differences a sign whose mean is at least as far from 0 as the one observed. With several
/// comparisons at a time, correct the p values with [`holm`](crate::holm). The interval holds the middle 95% of
/// 10,000 bootstrap means (Efron and Tibshirani 1993, percentile method). With few queries (below about 20) it is
/// too narrow. Both use fixed seeds: equal input gives equal output.
///
/// Errors: the evaluations have other queries, none, or no value of `metric`.
pub fn compare(a: &Evaluation, b: &Evaluation, metric: Metric) -> Result<Comparison, CompareError> {
    check_same_queries(a, b)?;
    let differences = differences(a, b, metric)?;
    let interval = bootstrap_interval(&differences).ok_or(CompareError::NoQueries)?;
    let test = sign_flip_test(&differences);
    let count = |holds: fn(f64) -> bool| differences.iter().filter(|&&d| holds(d)).count();
    Ok(Comparison {
        metric,
        queries: differences.len(),
        mean_difference: differences.iter().sum::<f64>() / differences.len() as f64,
        interval,
        p_value: test.p_value,
        exact: test.exact,
        wins: count(|d| d > 0.0),
        ties: count(|d| d == 0.0),
        losses: count(|d| d < 0.0),
    })
}

/// Score of `a` less score of `b` for each query, 0 for ties. The queries must be the same.
pub(crate) fn differences(a: &Evaluation, b: &Evaluation, metric: Metric) -> Result<Vec<f64>, CompareError> {
    let missing = || CompareError::NoMetric { metric };
    let (a, b) = (a.values(metric).ok_or_else(missing)?, b.values(metric).ok_or_else(missing)?);
    let settle = |difference: f64| if difference.abs() < TIE { 0.0 } else { difference };
    Ok(a.iter().zip(&b).map(|(a, b)| settle(a - b)).collect())
}

pub(crate) fn check_same_queries(a: &Evaluation, b: &Evaluation) -> Result<(), CompareError> {
    let ids = |evaluation: &Evaluation| -> Vec<String> {
        evaluation.per_query.iter().map(|row| row.query.clone()).collect()
    };
    let (a, b) = (ids(a), ids(b));
    if a == b {
        return Ok(());
    }
    let (a, b): (BTreeSet<_>, BTreeSet<_>) = (a.into_iter().collect(), b.into_iter().collect());
    // Lists of the same names that still differ are out of order or repeat one; any name stands for that.
    let odd = a.symmetric_difference(&b).next().or_else(|| a.first());
    Err(CompareError::OtherQueries { query: odd.cloned().unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EvalOptions, Qrels, Run, ScoredDoc, evaluate};

    /// An evaluation with the right document of query `i` at rank `ranks[i]` (from 1).
    pub(crate) fn with_ranks(ranks: &[usize]) -> Evaluation {
        let (mut run, mut qrels) = (Run::new(), Qrels::new());
        for (at, &rank) in ranks.iter().enumerate() {
            let query = format!("q{at:02}");
            qrels.insert(&query, "right", 1);
            let docs = (1..=10).map(|n| if n == rank { "right".to_owned() } else { format!("wrong{n}") });
            run.set(query, docs.map(|doc| ScoredDoc::new(doc, 0.0)).collect());
        }
        evaluate(&run, &qrels, &EvalOptions::default()).unwrap()
    }

    #[test]
    fn counts_and_mean_by_hand() {
        let (a, b) = (with_ranks(&[1, 1, 2, 4]), with_ranks(&[2, 1, 1, 10]));
        let got = compare(&a, &b, Metric::ReciprocalRank(10)).unwrap();
        assert_eq!((got.queries, got.wins, got.ties, got.losses), (4, 2, 1, 1));
        assert!((got.mean_difference - (0.5 - 0.5 + 0.15) / 4.0).abs() < 1e-12);
        // Sums of ±.5 ±.5 ±.15: all eight are at least .15 from 0.
        assert_eq!((got.p_value, got.exact), (1.0, true));
        assert!(got.interval.low < got.mean_difference && got.mean_difference < got.interval.high);
    }

    #[test]
    fn equal_systems_have_p_one() {
        let a = with_ranks(&[1, 3, 5]);
        let got = compare(&a, &a, Metric::Ndcg(10)).unwrap();
        assert_eq!((got.p_value, got.mean_difference, got.ties), (1.0, 0.0, 3));
        assert_eq!((got.interval.low, got.interval.high), (0.0, 0.0));
    }

    #[test]
    fn what_cannot_be_compared_is_named() {
        let (three, four) = (with_ranks(&[1, 1, 1]), with_ranks(&[1, 1, 1, 1]));
        let metric = Metric::Ndcg(10);
        let message = |a, b, metric| compare(a, b, metric).unwrap_err().to_string();
        assert!(message(&three, &four, metric).starts_with("query `q03` counts for one system only"));
        assert!(message(&three, &three, Metric::Ndcg(3)).starts_with("ndcg@3 was not measured"));
        let mut none = three.clone();
        none.per_query.clear();
        assert_eq!(compare(&none, &none, metric), Err(CompareError::NoQueries));
        let mut turned = three.clone();
        turned.per_query.reverse();
        assert!(message(&three, &turned, metric).starts_with("query `q00`"));
    }
}
