//! Measures how well rankings answer queries whose right answers are known, and how sure one may be that one system
//! is better than another. Needs no engine: it reads files in the forms of TREC and BEIR or takes the same data from
//! memory.
//!
//! * [`Queries`] are what is asked, [`Qrels`] the grades people gave (0 not relevant, higher is better),
//!   [`Run`] what a system ranked for each query.
//! * [`evaluate`] scores a run by the [`Metric`]s of [`EvalOptions`] and gives an [`Evaluation`]: a row for each
//!   query and the means, which serialise to JSON.
//! * [`Latency`] sums up how long the queries took.
//! * [`Collection`] opens a BEIR folder.
//! * [`compare`] says what separates two systems, with p value and interval; [`ComparisonReport`] sets several side
//!   by side, as JSON and as a page of HTML.
//! * [`ndcg`] on plain grades and [`folds`] serve programs that tune a ranking.
//!
//! # Which queries count
//!
//! Means are taken over the queries with at least one relevant judgement (grade >= 1), whether or not the run
//! answered them: an unanswered one counts as 0. That is `trec_eval -c`, except that queries without any
//! relevant judgement, which no system can do well on, are left out instead of counted as 0. Without `-c`,
//! trec_eval (and pytrec_eval) leaves out the unanswered ones too, which rewards a system for staying silent.
//!
//! ```
//! use xunpin_eval::{EvalOptions, Metric, Qrels, Run, ScoredDoc, evaluate};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let qrels = Qrels::parse("q1 0 serum 3\nq1 0 cream 1\nq1 0 soap 0\n".as_bytes(), "qrels.txt".as_ref())?;
//! let mut run = Run::new();
//! run.set("q1", vec![ScoredDoc::new("soap", 0.81), ScoredDoc::new("serum", 0.80)]);
//! let evaluation = evaluate(&run, &qrels, &EvalOptions::default())?;
//! assert_eq!(evaluation.means[&Metric::ReciprocalRank(10)], 0.5);
//! assert_eq!(evaluation.means[&Metric::Recall(10)], 0.5);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod collection;
mod compare;
mod error;
mod evaluate;
mod folds;
mod html;
mod latency;
mod lines;
mod metric;
mod qrels;
mod queries;
mod report;
mod run;
mod significance;

pub use collection::{Collection, Corpus};
pub use compare::{Comparison, compare};
pub use error::{CollectionError, CompareError, EvaluateError, ReadError, WriteError};
pub use evaluate::{EvalOptions, Evaluation, JUDGED_DEPTH, QueryEvaluation, evaluate};
pub use folds::folds;
pub use latency::Latency;
pub use metric::{Metric, ParseMetricError, ndcg};
pub use qrels::{MAX_GRADE, Qrels};
pub use queries::{Queries, Query};
pub use report::{
    AgainstBest, COMPARE_SCHEMA, ComparisonReport, ComparisonSetup, LeftOut, Method, QueryChange,
    QueryScores, System, SystemSummary,
};
pub use run::{Run, ScoredDoc};
pub use significance::{Interval, holm};
