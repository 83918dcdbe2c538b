use std::path::PathBuf;

use clap::Args;
use xunpin::Mode;

use super::{Format, IndexDir, QueryComputeArgs, RetrievalArgs, Threads};

/// Queries and what people said of the answers.
#[derive(Debug, Args)]
pub(crate) struct JudgedArgs {
    /// Queries: `id<TAB>text` a line, or BEIR's queries.jsonl
    #[arg(long, value_name = "FILE", requires = "qrels", conflicts_with = "beir")]
    pub(crate) queries: Option<PathBuf>,
    /// Judgements in TREC form, `query 0 product grade` a line, or in BEIR's
    #[arg(long, value_name = "FILE", requires = "queries", conflicts_with = "beir")]
    pub(crate) qrels: Option<PathBuf>,
    /// Folder in the form of BEIR, instead of --queries and --qrels
    #[arg(long, value_name = "FOLDER")]
    pub(crate) beir: Option<PathBuf>,
    /// Which of a BEIR folder's qrels/*.tsv (default: test, or the only one)
    #[arg(long, value_name = "NAME", requires = "beir")]
    pub(crate) split: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    #[command(flatten)]
    pub(crate) index: IndexDir,
    #[command(flatten)]
    pub(crate) judged: JudgedArgs,
    /// How to search: hybrid, semantic, lexical or word2vec
    #[arg(long, value_name = "MODE", default_value_t, conflicts_with = "compare")]
    pub(crate) mode: Mode,
    /// Set the search modes side by side, with p values
    #[arg(long)]
    pub(crate) compare: bool,
    /// The modes to compare
    #[arg(
        long,
        value_name = "MODES",
        value_delimiter = ',',
        requires = "compare",
        default_value = "lexical,word2vec,semantic,hybrid"
    )]
    pub(crate) modes: Vec<Mode>,
    /// Also write the comparison as a page that needs nothing from elsewhere
    #[arg(long, value_name = "FILE", requires = "compare")]
    pub(crate) html: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) retrieval: RetrievalArgs,
    /// Write the run in TREC form
    #[arg(long, value_name = "FILE", conflicts_with = "compare")]
    pub(crate) run_out: Option<PathBuf>,
    /// Show the figures of every query too
    #[arg(long, conflicts_with = "compare")]
    pub(crate) per_query: bool,
    #[command(flatten)]
    pub(crate) compute: QueryComputeArgs,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct TuneArgs {
    #[command(flatten)]
    pub(crate) index: IndexDir,
    #[command(flatten)]
    pub(crate) judged: JudgedArgs,
    /// Show the weights in use; learn nothing
    #[arg(long, conflicts_with_all = ["queries", "qrels", "beir"])]
    pub(crate) show: bool,
    /// Go back to the default weights; learn nothing
    #[arg(long, conflicts_with_all = ["queries", "qrels", "beir", "show"])]
    pub(crate) reset: bool,
    #[command(flatten)]
    pub(crate) compute: QueryComputeArgs,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}
