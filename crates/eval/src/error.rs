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
    /// A line is longer than any of such a file is: most often a file of another kind.
    #[error("{}:{line}: longer than the {limit} bytes that a line may have; is this the right file?", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Bytes a line may have.
        limit: usize,
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
    /// A line of a JSON Lines file is not the object it should be.
    #[error("{}:{line}: expected {expected}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the line should be.
        expected: &'static str,
        /// What is wrong, with the column.
        source: serde_json::Error,
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

/// Why a BEIR folder could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectionError {
    /// A part of the folder is missing: the path is wrong, or the collection is incomplete.
    #[error("{}: no `{part}` in it; a BEIR folder holds corpus.jsonl, queries.jsonl and qrels/*.tsv", folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// What is not there.
        part: &'static str,
    },
    /// There are several splits and none is called `test`: the caller names one.
    #[error("{}: several splits and no `test` among them; choose one of {}", folder.display(), splits.join(", "))]
    ChooseSplit {
        /// The folder.
        folder: PathBuf,
        /// The splits there are, sorted.
        splits: Vec<String>,
    },
    /// The caller named a split that the folder doesn't have.
    #[error("{}: no split `{split}`; there is {}", folder.display(), splits.join(", "))]
    UnknownSplit {
        /// The folder.
        folder: PathBuf,
        /// What was asked for.
        split: String,
        /// The splits there are, sorted.
        splits: Vec<String>,
    },
    /// No query of the split stands in the queries file: the two belong to different collections.
    #[error("{}: judges none of the queries in {}; check that both use the same ids", qrels.display(), queries.display())]
    NoCommonQuery {
        /// The split's file.
        qrels: PathBuf,
        /// The queries' file.
        queries: PathBuf,
    },
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
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

/// Why systems could not be compared: the caller's evaluations or names don't fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// The evaluations are not over the same queries in the same order.
    #[error(
        "query `{query}` counts for one system only, or at another place; evaluate all systems with the same qrels and queries"
    )]
    OtherQueries {
        /// A query that makes the difference.
        query: String,
    },
    /// There is no query to compare by.
    #[error("the evaluations hold no query")]
    NoQueries,
    /// An evaluation has no value of a metric that is compared or that another system has.
    #[error("{metric} was not measured for every system; evaluate all systems with the same metrics")]
    NoMetric {
        /// The metric.
        metric: Metric,
    },
    /// Two systems have one name, or a name is empty.
    #[error("system name `{name}` is empty or given twice; give every system a name of its own")]
    Name {
        /// The name.
        name: String,
    },
    /// The system whose gains and losses are asked for is not among those compared.
    #[error("no system `{name}` among those compared")]
    UnknownSystem {
        /// The name.
        name: String,
    },
    /// Not one system is marked as single, so there is nothing to compare with.
    #[error("no system is marked as single; mark those that are no combination of others")]
    NoSingleSystem,
}
