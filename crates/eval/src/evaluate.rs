use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use crate::{EvaluateError, Metric, Qrels, Run, ScoredDoc};

/// How many of a query's first results [`QueryEvaluation::judged_at_10`] looks at.
pub const JUDGED_DEPTH: usize = 10;

/// What to measure, and over which queries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalOptions {
    /// The metrics.
    pub metrics: BTreeSet<Metric>,
    /// Lowest grade that [`Metric::ReciprocalRank`] takes for an answer; at least 1.
    pub reciprocal_rank_grade: i32,
    /// Ids of the queries that were asked; judgements of others are reported and not used. `None`: the queries of
    /// the qrels and of the run.
    pub queries: Option<BTreeSet<String>>,
}

impl Default for EvalOptions {
    /// nDCG@10, MRR@10, recall@10, recall@100; reciprocal rank from grade 1; all queries.
    fn default() -> Self {
        Self {
            metrics: BTreeSet::from([
                Metric::Ndcg(10),
                Metric::ReciprocalRank(10),
                Metric::Recall(10),
                Metric::Recall(100),
            ]),
            reciprocal_rank_grade: 1,
            queries: None,
        }
    }
}

impl EvalOptions {
    /// The same with the ids of the queries that were asked.
    pub fn with_queries<'a>(mut self, ids: impl IntoIterator<Item = &'a str>) -> Self {
        self.queries = Some(ids.into_iter().map(str::to_owned).collect());
        self
    }
}

/// One query's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueryEvaluation {
    /// The query's id.
    pub query: String,
    /// Number of results.
    pub results: usize,
    /// Number of relevant documents (grade >= 1) in the qrels.
    pub relevant: usize,
    /// Share of the first [`JUDGED_DEPTH`] results that somebody judged; absent if there are no results.
    pub judged_at_10: Option<f64>,
    /// Value by metric.
    pub scores: BTreeMap<Metric, f64>,
}

/// A run's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Mean by metric over [`per_query`](Self::per_query).
    pub means: BTreeMap<Metric, f64>,
    /// Mean share of judged documents among the first [`JUDGED_DEPTH`] results, over the queries with results.
    /// Documents that nobody judged count as not relevant, so a low share makes the other figures too low.
    pub judged_at_10: Option<f64>,
    /// The queries that count, sorted by id: asked, and with at least one relevant judgement.
    pub per_query: Vec<QueryEvaluation>,
    /// Those of them for which the run has no results; they score 0.
    pub queries_without_results: Vec<String>,
    /// Queries that were asked and nobody judged; not counted.
    pub queries_without_qrels: Vec<String>,
    /// Queries that were asked and have no relevant judgement; not counted.
    pub queries_without_relevant: Vec<String>,
    /// Judged queries that were not asked; not counted.
    pub qrels_without_query: Vec<String>,
}

impl Evaluation {
    /// The figures of the query with the id `id`, if it counts.
    pub fn query(&self, id: &str) -> Option<&QueryEvaluation> {
        self.per_query.iter().find(|row| row.query == id)
    }

    /// Every query's value of `metric`, in the order of [`per_query`](Self::per_query); `None` if a query has none.
    pub fn values(&self, metric: Metric) -> Option<Vec<f64>> {
        self.per_query.iter().map(|row| row.scores.get(&metric).copied()).collect()
    }
}

/// Scores `run` against `qrels`. Documents without a judgement count as not relevant, negative grades as 0. See
/// the [crate documentation](crate) for the queries that count.
pub fn evaluate(run: &Run, qrels: &Qrels, options: &EvalOptions) -> Result<Evaluation, EvaluateError> {
    if let Some(&metric) = options.metrics.iter().find(|metric| metric.depth() == 0) {
        return Err(EvaluateError::ZeroDepth { metric });
    }
    let asked: BTreeSet<&str> = match &options.queries {
        Some(ids) => ids.iter().map(String::as_str).collect(),
        None => qrels.queries().chain(run.iter().map(|(query, _)| query)).collect(),
    };
    let owned = |query: &str| query.to_owned();
    let mut evaluation = Evaluation {
        means: BTreeMap::new(),
        judged_at_10: None,
        per_query: Vec::new(),
        queries_without_results: Vec::new(),
        queries_without_qrels: Vec::new(),
        queries_without_relevant: Vec::new(),
        qrels_without_query: qrels.queries().filter(|query| !asked.contains(query)).map(owned).collect(),
    };
    for &query in &asked {
        let Some(grades) = qrels.query(query) else {
            evaluation.queries_without_qrels.push(query.to_owned());
            continue;
        };
        if !grades.values().any(|&grade| grade >= 1) {
            evaluation.queries_without_relevant.push(query.to_owned());
            continue;
        }
        let ranking = run.ranking(query).unwrap_or_default();
        if ranking.is_empty() {
            evaluation.queries_without_results.push(query.to_owned());
        }
        evaluation.per_query.push(evaluate_query(query, ranking, grades, options)?);
    }
    if evaluation.per_query.is_empty() {
        return Err(EvaluateError::NothingToScore { asked: asked.len(), judged: qrels.queries().len() });
    }
    let mean_of = |metric: Metric| mean(evaluation.per_query.iter().map(|row| row.scores[&metric]));
    evaluation.means =
        options.metrics.iter().filter_map(|&metric| Some((metric, mean_of(metric)?))).collect();
    evaluation.judged_at_10 = mean(evaluation.per_query.iter().filter_map(|row| row.judged_at_10));
    Ok(evaluation)
}

fn evaluate_query(
    query: &str,
    ranking: &[ScoredDoc],
    grades: &BTreeMap<String, i32>,
    options: &EvalOptions,
) -> Result<QueryEvaluation, EvaluateError> {
    let mut seen = HashSet::with_capacity(ranking.len());
    if let Some(twice) = ranking.iter().find(|result| !seen.insert(result.doc.as_str())) {
        return Err(EvaluateError::RankedTwice { query: query.to_owned(), doc: twice.doc.clone() });
    }
    let ranked: Vec<i32> =
        ranking.iter().map(|result| grades.get(&result.doc).copied().unwrap_or(0)).collect();
    let mut judged: Vec<i32> = grades.values().copied().collect();
    judged.sort_unstable_by(|a, b| b.cmp(a));
    let top = &ranking[..ranking.len().min(JUDGED_DEPTH)];
    let known = |result: &ScoredDoc| f64::from(u8::from(grades.contains_key(&result.doc)));
    let score =
        |&metric: &Metric| (metric, metric.score(&ranked, &judged, options.reciprocal_rank_grade.max(1)));
    Ok(QueryEvaluation {
        query: query.to_owned(),
        results: ranking.len(),
        relevant: judged.iter().filter(|&&grade| grade >= 1).count(),
        judged_at_10: mean(top.iter().map(known)),
        scores: options.metrics.iter().map(score).collect(),
    })
}

/// The mean; `None` of nothing.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0usize, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qrels() -> Qrels {
        let text = "q1 0 a 3\nq1 0 b 1\nq1 0 c 0\nq2 0 a 1\nq3 0 a 0\nq9 0 a 2\n";
        Qrels::parse(text.as_bytes(), "qrels".as_ref()).unwrap()
    }

    fn run(rankings: &[(&str, &[&str])]) -> Run {
        let mut run = Run::new();
        for (query, docs) in rankings {
            let score = |at: usize| 1.0 - at as f64 / 100.0;
            run.set(
                *query,
                docs.iter().enumerate().map(|(at, doc)| ScoredDoc::new(*doc, score(at))).collect(),
            );
        }
        run
    }

    #[test]
    fn sorts_queries_into_counted_and_reported() {
        let run = run(&[("q1", &["x", "a"]), ("q3", &["a"]), ("q4", &["a"])]);
        let options = EvalOptions::default().with_queries(["q1", "q2", "q3", "q4"]);
        let got = evaluate(&run, &qrels(), &options).unwrap();
        assert_eq!(got.per_query.iter().map(|row| row.query.as_str()).collect::<Vec<_>>(), ["q1", "q2"]);
        assert_eq!(got.queries_without_results, ["q2"]);
        assert_eq!(got.queries_without_relevant, ["q3"]);
        assert_eq!(got.queries_without_qrels, ["q4"]);
        assert_eq!(got.qrels_without_query, ["q9"]);
        assert_eq!(got.means[&Metric::ReciprocalRank(10)], 0.25, "q1 gives 1/2, the unanswered q2 gives 0");
        assert_eq!(got.judged_at_10, Some(0.5), "one of q1's two results is judged");
        assert_eq!((got.per_query[0].results, got.per_query[0].relevant), (2, 2));
        assert_eq!(got.per_query[1].judged_at_10, None);
        assert_eq!(got.values(Metric::ReciprocalRank(10)), Some(vec![0.5, 0.0]));
        assert_eq!(got.values(Metric::Ndcg(3)), None);
        assert_eq!(got.query("q2"), Some(&got.per_query[1]));
        assert_eq!(got.query("q3"), None);
    }

    #[test]
    fn without_a_list_all_judged_queries_count() {
        let got =
            evaluate(&run(&[("q1", &["a"]), ("q4", &["a"])]), &qrels(), &EvalOptions::default()).unwrap();
        assert_eq!(got.per_query.len(), 3);
        assert_eq!(got.queries_without_results, ["q2", "q9"]);
        assert_eq!(got.queries_without_qrels, ["q4"]);
        assert!(got.qrels_without_query.is_empty());
    }

    #[test]
    fn the_order_given_counts_whatever_the_scores() {
        let mut tied = Run::new();
        tied.set("q1", vec![ScoredDoc::new("c", 0.5), ScoredDoc::new("a", 0.5)]);
        let got = evaluate(&tied, &qrels(), &EvalOptions::default().with_queries(["q1"])).unwrap();
        assert_eq!(got.means[&Metric::ReciprocalRank(10)], 0.5);
    }

    #[test]
    fn what_cannot_be_scored_is_refused() {
        let none =
            evaluate(&run(&[("q1", &["a"])]), &qrels(), &EvalOptions::default().with_queries(["q3", "q5"]));
        assert_eq!(none, Err(EvaluateError::NothingToScore { asked: 2, judged: 4 }));
        let twice = evaluate(&run(&[("q1", &["a", "a"])]), &qrels(), &EvalOptions::default());
        assert_eq!(twice, Err(EvaluateError::RankedTwice { query: "q1".into(), doc: "a".into() }));
        let options = EvalOptions { metrics: BTreeSet::from([Metric::Recall(0)]), ..EvalOptions::default() };
        let zero = evaluate(&run(&[]), &qrels(), &options);
        assert_eq!(zero, Err(EvaluateError::ZeroDepth { metric: Metric::Recall(0) }));
    }

    #[test]
    fn json_names_the_metrics_and_reads_back() {
        let got = evaluate(&run(&[("q1", &["a"])]), &qrels(), &EvalOptions::default()).unwrap();
        let json = serde_json::to_value(&got).unwrap();
        assert_eq!(json["per_query"][0]["scores"]["mrr@10"], 1.0);
        assert_eq!(json["per_query"][1]["judged_at_10"], serde_json::Value::Null);
        assert!(json["means"]["ndcg@10"].is_number());
        assert_eq!(serde_json::from_value::<Evaluation>(json).unwrap(), got);
    }
}
