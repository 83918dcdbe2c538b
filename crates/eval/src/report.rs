use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use crate::compare::{check_same_queries, compare, differences};
use crate::significance::{CONFIDENCE, EXACT_UP_TO, RESAMPLES, SAMPLES, SEED, holm};
use crate::{CompareError, Comparison, Evaluation, Latency, Metric, Queries, QueryEvaluation, html};

/// Name and version of a [`ComparisonReport`]'s JSON form.
pub const COMPARE_SCHEMA: &str = "xunpin.compare.v1";

/// What systems are ranked and compared by.
const METRIC: Metric = Metric::Ndcg(10);

/// How many of the largest gains and of the largest losses are listed.
const CHANGES: usize = 10;

/// What a report is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparisonSetup {
    /// Name of the collection.
    pub collection: String,
    /// The system whose gains and losses are listed.
    pub subject: String,
    /// [`EvalOptions::reciprocal_rank_grade`](crate::EvalOptions::reciprocal_rank_grade) of the evaluations.
    pub reciprocal_rank_grade: i32,
    /// What else a reader should know, a sentence each: the model, the catalogue's size, the machine.
    pub notes: Vec<String>,
}

impl ComparisonSetup {
    /// A report on `subject`; reciprocal rank from grade 1, no notes.
    pub fn new(collection: impl Into<String>, subject: impl Into<String>) -> Self {
        Self {
            collection: collection.into(),
            subject: subject.into(),
            reciprocal_rank_grade: 1,
            notes: Vec::new(),
        }
    }
}

/// One of the systems that are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct System {
    /// Its name, unique in the report.
    pub name: String,
    /// True if it is no combination of the others: the best of these is what all are compared with.
    pub single: bool,
    /// Its figures, over the same queries and metrics as the others'.
    pub evaluation: Evaluation,
    /// How long its queries took.
    pub latency: Option<Latency>,
}

/// Several systems side by side on one collection.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparisonReport {
    /// [`COMPARE_SCHEMA`].
    pub schema: &'static str,
    /// Name of the collection.
    pub collection: String,
    /// Number of queries that count.
    pub queries: usize,
    /// What the systems are compared by: nDCG@10.
    pub metric: Metric,
    /// The single system with the highest mean; of equal ones the first by name.
    pub best_single: String,
    /// The system whose gains and losses are listed.
    pub subject: String,
    /// A row for each system, in the order given.
    pub systems: Vec<SystemSummary>,
    /// The ten queries on which the subject gains most over the best single system, largest first, equal ones by id.
    pub gains: Vec<QueryChange>,
    /// The ten on which it loses most, likewise.
    pub losses: Vec<QueryChange>,
    /// Every query that counts, sorted by id.
    pub per_query: Vec<QueryScores>,
    /// Queries that don't count.
    pub left_out: LeftOut,
    /// How it was computed.
    pub method: Method,
    /// What else a reader should know.
    pub notes: Vec<String>,
}

/// One system's figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SystemSummary {
    /// Its name.
    pub name: String,
    /// True if it is no combination of others.
    pub single: bool,
    /// Mean by metric.
    pub means: BTreeMap<Metric, f64>,
    /// Mean share of judged documents among the first ten results; a low share makes the other figures too low.
    pub judged_at_10: Option<f64>,
    /// Number of queries it found nothing for; they count as 0.
    pub queries_without_results: usize,
    /// How long its queries took.
    pub latency: Option<Latency>,
    /// How it differs from the best single system; absent for that system itself.
    pub against_best: Option<AgainstBest>,
}

/// How a system differs from the best single one: positive differences mean it is better.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AgainstBest {
    /// Differences, p value and interval.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// The p value corrected by [`holm`] for the number of systems compared with the best.
    pub p_holm: f64,
}

/// A query on which the subject and the best single system differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueryChange {
    /// The query's id.
    pub query: String,
    /// Its words; absent if the queries given don't hold it.
    pub text: Option<String>,
    /// The subject's score.
    pub subject: f64,
    /// The best single system's score.
    pub best_single: f64,
    /// The first less the second.
    pub difference: f64,
}

/// One query's scores by every system.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueryScores {
    /// The query's id.
    pub query: String,
    /// Its words; absent if the queries given don't hold it.
    pub text: Option<String>,
    /// Number of relevant documents in the qrels.
    pub relevant: usize,
    /// Values by system and metric.
    pub scores: BTreeMap<String, BTreeMap<Metric, f64>>,
}

/// Queries that don't count; see the [crate documentation](crate).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Asked, and nobody judged them.
    pub without_qrels: Vec<String>,
    /// Asked, and no judgement is relevant.
    pub without_relevant: Vec<String>,
    /// Judged and not asked.
    pub not_asked: Vec<String>,
}

/// How significance and intervals were computed; see [`compare`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Method {
    /// The test.
    pub test: &'static str,
    /// Random sign assignments where more than [`exact_up_to`](Self::exact_up_to) queries differ.
    pub samples: usize,
    /// With at most so many queries that differ, all sign assignments are tried.
    pub exact_up_to: usize,
    /// How p values are corrected for several comparisons.
    pub correction: &'static str,
    /// The interval.
    pub interval: &'static str,
    /// What the interval covers, as a share.
    pub confidence: f64,
    /// Bootstrap samples behind it.
    pub resamples: usize,
    /// Where the random numbers (SplitMix64) of both begin.
    pub seed: u64,
    /// Lowest grade that the reciprocal rank takes for an answer.
    pub reciprocal_rank_grade: i32,
}

impl ComparisonReport {
    /// Sets `systems` side by side. `queries` gives the texts.
    ///
    /// Errors: names that are empty, repeated or unknown, no single system, evaluations with other queries or
    /// metrics, or without nDCG@10.
    pub fn new(
        setup: ComparisonSetup,
        queries: &Queries,
        systems: Vec<System>,
    ) -> Result<Self, CompareError> {
        check_names(&systems)?;
        let find = |name: &str| systems.iter().find(|system| system.name == name);
        let subject = find(&setup.subject)
            .ok_or_else(|| CompareError::UnknownSystem { name: setup.subject.clone() })?;
        check_alike(subject, &systems)?;
        let best = best_single(&systems)?;
        let texts: HashMap<&str, &str> = queries.iter().map(|q| (q.id.as_str(), q.text.as_str())).collect();
        let text = |id: &str| texts.get(id).map(|&text| text.to_owned());
        let (gains, losses) = changes(subject, best, text)?;
        let left_out = LeftOut {
            without_qrels: subject.evaluation.queries_without_qrels.clone(),
            without_relevant: subject.evaluation.queries_without_relevant.clone(),
            not_asked: subject.evaluation.qrels_without_query.clone(),
        };
        Ok(Self {
            schema: COMPARE_SCHEMA,
            queries: subject.evaluation.per_query.len(),
            metric: METRIC,
            best_single: best.name.clone(),
            systems: summaries(&systems, best)?,
            gains,
            losses,
            per_query: per_query(subject, &systems, text),
            left_out,
            method: method(setup.reciprocal_rank_grade),
            collection: setup.collection,
            subject: setup.subject,
            notes: setup.notes,
        })
    }

    /// The row of the system called `name`.
    pub fn system(&self, name: &str) -> Option<&SystemSummary> {
        self.systems.iter().find(|system| system.name == name)
    }

    /// What was measured, the same for every system.
    pub fn metrics(&self) -> Vec<Metric> {
        self.systems.first().map(|system| system.means.keys().copied().collect()).unwrap_or_default()
    }

    /// The report as one HTML page that needs nothing from elsewhere: no script, no font, no image. All texts are
    /// escaped. It follows the reader's choice of light or dark.
    pub fn to_html(&self) -> String {
        html::page(self)
    }
}

fn check_names(systems: &[System]) -> Result<(), CompareError> {
    let mut seen = BTreeSet::new();
    match systems.iter().find(|s| s.name.trim().is_empty() || !seen.insert(s.name.as_str())) {
        Some(System { name, .. }) => Err(CompareError::Name { name: name.clone() }),
        None => Ok(()),
    }
}

/// Checks that all systems have the queries and metrics of `first`.
fn check_alike(first: &System, systems: &[System]) -> Result<(), CompareError> {
    let metrics = |system: &System| system.evaluation.means.keys().copied().collect::<BTreeSet<_>>();
    let expected = metrics(first);
    if !expected.contains(&METRIC) {
        return Err(CompareError::NoMetric { metric: METRIC });
    }
    for system in systems {
        check_same_queries(&first.evaluation, &system.evaluation)?;
        if let Some(&metric) = metrics(system).symmetric_difference(&expected).next() {
            return Err(CompareError::NoMetric { metric });
        }
    }
    Ok(())
}

fn best_single(systems: &[System]) -> Result<&System, CompareError> {
    let mean = |system: &System| system.evaluation.means.get(&METRIC).copied().unwrap_or(0.0);
    systems
        .iter()
        .filter(|system| system.single)
        .min_by(|a, b| mean(b).total_cmp(&mean(a)).then_with(|| a.name.cmp(&b.name)))
        .ok_or(CompareError::NoSingleSystem)
}

fn summaries(systems: &[System], best: &System) -> Result<Vec<SystemSummary>, CompareError> {
    let mut comparisons = Vec::new();
    for system in systems.iter().filter(|system| system.name != best.name) {
        comparisons.push(compare(&system.evaluation, &best.evaluation, METRIC)?);
    }
    let corrected = holm(&comparisons.iter().map(|c| c.p_value).collect::<Vec<_>>());
    let mut against =
        comparisons.into_iter().zip(corrected).map(|(comparison, p_holm)| AgainstBest { comparison, p_holm });
    let summary = |system: &System| SystemSummary {
        name: system.name.clone(),
        single: system.single,
        means: system.evaluation.means.clone(),
        judged_at_10: system.evaluation.judged_at_10,
        queries_without_results: system.evaluation.queries_without_results.len(),
        latency: system.latency,
        against_best: if system.name == best.name { None } else { against.next() },
    };
    Ok(systems.iter().map(summary).collect())
}

/// The largest gains and the largest losses.
fn changes(
    subject: &System,
    best: &System,
    text: impl Fn(&str) -> Option<String>,
) -> Result<(Vec<QueryChange>, Vec<QueryChange>), CompareError> {
    let differences = differences(&subject.evaluation, &best.evaluation, METRIC)?;
    let rows = subject.evaluation.per_query.iter().zip(&best.evaluation.per_query);
    let all: Vec<QueryChange> = rows
        .zip(differences)
        .map(|((ours, theirs), difference)| QueryChange {
            query: ours.query.clone(),
            text: text(&ours.query),
            // Both have the metric, or there would be no differences.
            subject: ours.scores[&METRIC],
            best_single: theirs.scores[&METRIC],
            difference,
        })
        .collect();
    let largest = |sign: f64| {
        let mut found: Vec<QueryChange> =
            all.iter().filter(|change| change.difference * sign > 0.0).cloned().collect();
        found.sort_by(|a, b| {
            b.difference.abs().total_cmp(&a.difference.abs()).then_with(|| a.query.cmp(&b.query))
        });
        found.truncate(CHANGES);
        found
    };
    Ok((largest(1.0), largest(-1.0)))
}

/// Systems must have the same queries in the same order.
fn per_query(first: &System, systems: &[System], text: impl Fn(&str) -> Option<String>) -> Vec<QueryScores> {
    let row = |(at, row): (usize, &QueryEvaluation)| QueryScores {
        query: row.query.clone(),
        text: text(&row.query),
        relevant: row.relevant,
        scores: systems
            .iter()
            .map(|system| (system.name.clone(), system.evaluation.per_query[at].scores.clone()))
            .collect(),
    };
    first.evaluation.per_query.iter().enumerate().map(row).collect()
}

fn method(reciprocal_rank_grade: i32) -> Method {
    Method {
        test: "paired two-sided randomisation of signs",
        samples: SAMPLES,
        exact_up_to: EXACT_UP_TO,
        correction: "Holm",
        interval: "bootstrap percentiles of the mean difference",
        confidence: CONFIDENCE,
        resamples: RESAMPLES,
        seed: SEED,
        reciprocal_rank_grade,
    }
}
