use std::io;
use std::path::PathBuf;

use crate::Metric;

/// Why a file of queries, qrels or results could not be read. All but [`Io`](Self::Io) are the file's fault:
/// mend the named line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file could not be opened or read.
    #[error("{}: cannot be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file has no entry at all.
    #[error("{}: empty; expected lines of the form `{form}`", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What a line looks like.
        form: &'static str,
    },
    /// A line is not UTF-8.
    #[error("{}:{line}: byte {byte} is not valid UTF-8; save the file as UTF-8", path.display())]
    InvalidUtf8 {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Byte within the line, from 1.
        byte: usize,
    },
    /// A line has too few or too many columns.
    #[error("{}:{line}: expected {expected} columns, found {found}: `{form}`", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Columns there should be.
        expected: usize,
        /// Columns there are.
        found: usize,
        /// What a line looks like.
        form: &'static str,
    },
    /// A column holds something that it can't.
    #[error("{}:{line}: {column} is `{value}`; expected {expected}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The column's name.
        column: &'static str,
        /// What it holds, shortened.
        value: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// A query id is given twice.
    #[error("{}:{line}: query `{query}` is already on line {first_line}; give every query its own id", path.display())]
    DuplicateQuery {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Line of the first one.
        first_line: usize,
        /// The id.
        query: String,
    },
    /// The same document is judged twice for a query, with different grades.
    #[error(
        "{}:{line}: query `{query}`, document `{doc}` has grade {second} here and {first} further up; keep one",
        path.display()
    )]
    ConflictingGrade {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The query's id.
        query: String,
        /// The document's id.
        doc: String,
        /// The grade given first.
        first: i32,
        /// The grade on this line.
        second: i32,
    },
    /// The same document is ranked twice for a query.
    #[error("{}:{line}: query `{query}` already has document `{doc}`; a run names a document once", path.display())]
    DuplicateResult {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The query's id.
        query: String,
        /// The document's id.
        doc: String,
    },
}

/// Why a run could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The file could not be created or written.
    #[error("{}: cannot be written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A name is empty or holds white space, which separates the columns of a run: give it another name.
    #[error("{what} `{value}` cannot stand in a TREC run: it is empty or holds white space")]
    Name {
        /// `query id`, `document id` or `tag`.
        what: &'static str,
        /// The name.
        value: String,
    },
    /// A score is NaN or infinite: the ranking that was handed over is broken.
    #[error("query `{query}`, document `{doc}`: score {score} is not a finite number")]
    Score {
        /// The query's id.
        query: String,
        /// The document's id.
        doc: String,
        /// The score.
        score: f64,
    },
}

/// Why a run could not be scored: the caller's options or files don't fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// A metric looks at no result at all.
    #[error("{metric}: the depth must be at least 1")]
    ZeroDepth {
        /// The metric.
        metric: Metric,
    },
    /// Not one of the queries has a relevant judgement, so there is nothing to average. Most often queries and
    /// qrels are of different collections.
    #[error(
        "none of the {asked} queries has a relevant judgement (grade 1 or more) among the {judged} judged queries; \
         check that queries and qrels use the same ids"
    )]
    NothingToScore {
        /// Queries asked.
        asked: usize,
        /// Queries in the qrels.
        judged: usize,
    },
    /// A ranking names a document twice, which would count it twice.
    #[error("query `{query}`: document `{doc}` is ranked twice; a ranking names a document once")]
    RankedTwice {
        /// The query's id.
        query: String,
        /// The document's id.
        doc: String,
    },
}
