//! Learning the fusion's weights from judged queries.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use xunpin_core::{DocId, Matrix};
use xunpin_eval::{Qrels, Queries, folds, ndcg};
use xunpin_index::Batch;
use xunpin_query::fusion::{Ranked, Weights, rank, refine};
use xunpin_query::{ProductSource, SearchRequest, Sighting};

use crate::{Engine, EngineError};

/// The name under which the weights stand in the index.
const JOB: &str = "fusion";
/// Rank down to which an order is judged.
const CUT: usize = 10;
/// Parts into which queries are cut: each is judged with weights learned from the others.
const FOLDS: usize = 5;
/// Fixes which query is in which part.
const SEED: u64 = 20_110_601;
/// Most queries learned from; of more, evenly spread ones are taken.
const MAX_QUERIES: usize = 400;
/// Rounds over all weights; later ones hardly change anything.
const ROUNDS: usize = 2;
/// A change must raise the mean nDCG@10 by more than this: smaller gains on the queries at hand are chance.
const LEAST_GAIN: f64 = 5e-4;

/// The weights stored with the index, once they have been read.
#[derive(Default)]
pub(crate) struct StoredWeights(Mutex<Option<Weights>>);

/// What [`Engine::tune`] did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TuneReport {
    /// Judged queries learned from.
    pub queries: usize,
    /// Ids in the judgements that the index does not hold, sorted.
    pub unknown_ids: Vec<String>,
    /// Queries that were left out because no product judged relevant is in the index, sorted.
    pub queries_without_relevant: Vec<String>,
    /// The weights before.
    pub before: Weights,
    /// The weights learned.
    pub after: Weights,
    /// Mean nDCG@10 with the weights before.
    pub ndcg_before: f64,
    /// Mean nDCG@10 with the learned weights on the queries they were learned from.
    pub ndcg_after: f64,
    /// Mean nDCG@10 of each fifth of the queries with weights learned from the other four: what to expect of queries
    /// that were not judged.
    pub ndcg_held_out: f64,
    /// Whether the learned weights were stored with the index. They are not where the held-out figure is no better than
    /// the figure before.
    pub stored: bool,
}

impl Engine {
    /// The weights by which words and meaning are joined: those stored with the index, else the defaults.
    pub fn weights(&self) -> Result<Weights, EngineError> {
        // Held while they are read: what is kept is never older than what the last change forgot.
        let mut held = self.weights.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(weights) = &*held {
            return Ok(weights.clone());
        }
        let weights = match self.index.checkpoint(JOB)? {
            Some(bytes) => {
                let damaged =
                    |problem: String| EngineError::Weights { path: self.index.path().into(), problem };
                let weights: Weights = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
                weights.check().map_err(|e| damaged(e.to_string()))?;
                weights
            }
            None => Weights::default(),
        };
        *held = Some(weights.clone());
        Ok(weights)
    }

    /// Stores weights with the index; `None` goes back to the defaults.
    pub fn set_weights(&self, weights: Option<&Weights>) -> Result<(), EngineError> {
        self.must_write()?;
        let mut batch = Batch::new();
        match weights {
            Some(weights) => {
                weights.check()?;
                batch.checkpoint(JOB, serde_json::json!(weights).to_string());
            }
            None => {
                batch.clear_checkpoint(JOB);
            }
        }
        self.index.apply(batch)?;
        *self.weights.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.lexical.follow(&self.index, true);
        Ok(())
    }

    /// Learns weights from judged queries and stores them, if they are better on queries that were held out. One weight
    /// at a time is tried at a few values around its present one, twice over all of them, and kept where the mean nDCG@10
    /// rises. The same input gives the same weights. `progress` is told what share is done.
    ///
    /// Fails where the judgements have no query and product in common with the queries and the index.
    pub fn tune(
        &self,
        queries: &Queries,
        qrels: &Qrels,
        mut progress: impl FnMut(f64),
    ) -> Result<TuneReport, EngineError> {
        self.must_write()?;
        let before = self.weights()?;
        let mut bench = self.gather(queries, qrels, &before)?;
        let all: Vec<usize> = (0..bench.cases.len()).collect();
        let ids: Vec<&str> = bench.cases.iter().map(|case| case.id.as_str()).collect();
        let parts = folds(&ids, FOLDS.min(ids.len()), SEED);
        let steps = (parts.len() + 1) as f64;
        let ndcg_before = bench.mean(&before, &all);
        let after = bench.learn(&before, &all);
        progress(1.0 / steps);
        let mut held_out = 0.0;
        for (done, part) in parts.iter().enumerate() {
            let rest: Vec<usize> = all.iter().copied().filter(|at| !part.contains(at)).collect();
            let learned = if rest.is_empty() { before.clone() } else { bench.learn(&before, &rest) };
            held_out += bench.mean(&learned, part) * part.len() as f64;
            progress((done + 2) as f64 / steps);
        }
        let ndcg_held_out = held_out / all.len() as f64;
        let ndcg_after = bench.mean(&after, &all);
        let stored = ndcg_held_out > ndcg_before;
        if stored {
            self.set_weights(Some(&after))?;
        }
        Ok(TuneReport {
            queries: all.len(),
            unknown_ids: std::mem::take(&mut bench.unknown_ids),
            queries_without_relevant: std::mem::take(&mut bench.without_relevant),
            before,
            after,
            ndcg_before,
            ndcg_after,
            ndcg_held_out,
            stored,
        })
    }

    /// Asks both sides each query once.
    fn gather(&self, queries: &Queries, qrels: &Qrels, weights: &Weights) -> Result<Bench, EngineError> {
        let mut bench = Bench::default();
        let mut judged: BTreeMap<&str, BTreeMap<&str, i32>> = BTreeMap::new();
        for query in qrels.queries() {
            let grades = qrels.query(query).into_iter().flatten();
            judged.insert(query, grades.map(|(id, grade)| (id.as_str(), *grade)).collect());
        }
        let ids: Vec<&str> = {
            let mut ids: Vec<&str> = judged.values().flat_map(|grades| grades.keys().copied()).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let docs: HashMap<&str, DocId> = ids
            .iter()
            .zip(self.index.lookup(&ids)?)
            .filter_map(|(id, entry)| Some((*id, entry?.doc)))
            .collect();
        bench.unknown_ids =
            ids.iter().filter(|id| !docs.contains_key(*id)).map(|id| (*id).to_owned()).collect();
        let mut asked = Vec::new();
        for query in queries.iter() {
            let Some(grades) = judged.get(query.id.as_str()) else { continue };
            let grades: HashMap<DocId, i32> =
                grades.iter().filter_map(|(id, grade)| Some((*docs.get(id)?, *grade))).collect();
            if grades.values().any(|grade| *grade > 0) {
                asked.push((query, grades));
            } else {
                bench.without_relevant.push(query.id.clone());
            }
        }
        bench.without_relevant.sort();
        if asked.is_empty() {
            return Err(EngineError::NothingJudged {
                queries: queries.len(),
                unknown_ids: bench.unknown_ids.len(),
            });
        }
        let step = asked.len().div_ceil(MAX_QUERIES).max(1);
        for (query, grades) in asked.into_iter().step_by(step) {
            let request = SearchRequest::new(&query.text)?.with_everything();
            let sighting = self.look(&request, weights)?;
            let mut sorted: Vec<i32> = grades.values().copied().collect();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            bench.cases.push(Case { id: query.id.clone(), sighting, grades, sorted });
        }
        let mut needed: Vec<DocId> =
            bench.cases.iter().flat_map(|case| case.sighting.candidates.iter().map(|c| c.doc)).collect();
        needed.sort_unstable();
        needed.dedup();
        bench.vectors = self.source().vectors(&needed)?;
        bench.rows = needed.into_iter().enumerate().map(|(row, doc)| (doc, row)).collect();
        Ok(bench)
    }
}

/// A judged query and what both sides say of it.
struct Case {
    id: String,
    sighting: Sighting,
    grades: HashMap<DocId, i32>,
    /// The grades, highest first.
    sorted: Vec<i32>,
}

/// Everything needed to try weights without asking the index again.
#[derive(Default)]
struct Bench {
    cases: Vec<Case>,
    vectors: Matrix,
    rows: HashMap<DocId, usize>,
    unknown_ids: Vec<String>,
    without_relevant: Vec<String>,
}

/// A weight that is learned, and its values.
type Knob = (fn(&mut Weights, f32), &'static [f32]);

/// What is learned. Scales and floors are not: they are the model's, not the collection's.
const KNOBS: [Knob; 8] = [
    (|w, v| w.lexical_short = v, &[0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0]),
    (|w, v| w.lexical_long = v, &[0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5]),
    (|w, v| w.coverage_from = v, &[0.0, 0.1, 0.2, 0.3, 0.4]),
    (|w, v| w.coverage_to = v, &[0.3, 0.4, 0.5, 0.6, 0.8, 1.0]),
    (|w, v| w.feedback = v, &[0.0, 0.1, 0.2, 0.3, 0.4]),
    (|w, v| w.feedback_products = v as usize, &[3.0, 5.0, 10.0, 20.0]),
    (|w, v| w.smoothing = v, &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
    (|w, v| w.smoothing_neighbors = v as usize, &[5.0, 10.0, 20.0, 30.0]),
];

impl Bench {
    fn mean(&self, weights: &Weights, cases: &[usize]) -> f64 {
        // Added up in one order, so that the same queries give the same mean on any number of threads.
        let scores: Vec<f64> = cases.par_iter().map(|at| self.score(weights, &self.cases[*at])).collect();
        scores.iter().sum::<f64>() / cases.len().max(1) as f64
    }

    fn score(&self, weights: &Weights, case: &Case) -> f64 {
        let weight = weights.lexical_weight(&case.sighting.features);
        let mut ranked: Vec<Ranked> = rank(case.sighting.candidates.clone(), weight, weights);
        let mut head = Vec::with_capacity(weights.head * self.vectors.columns());
        for one in ranked.iter().take(weights.head) {
            head.extend_from_slice(self.vectors.row(self.rows[&one.candidate.doc]));
        }
        let head = Matrix::new(head, self.vectors.columns());
        refine(&mut ranked, &case.sighting.vector, &head, weight, weights);
        let grades: Vec<i32> = ranked
            .iter()
            .take(CUT)
            .map(|one| case.grades.get(&one.candidate.doc).copied().unwrap_or(0))
            .collect();
        ndcg(&grades, &case.sorted, CUT)
    }

    fn learn(&self, start: &Weights, cases: &[usize]) -> Weights {
        let mut best = start.clone();
        let mut best_mean = self.mean(&best, cases);
        for _ in 0..ROUNDS {
            for (set, values) in KNOBS {
                for value in values {
                    let mut tried = best.clone();
                    set(&mut tried, *value);
                    if tried == best || tried.coverage_from >= tried.coverage_to {
                        continue;
                    }
                    let mean = self.mean(&tried, cases);
                    if mean > best_mean + LEAST_GAIN {
                        (best, best_mean) = (tried, mean);
                    }
                }
            }
        }
        best
    }
}
