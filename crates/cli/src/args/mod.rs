//! What the command line accepts.

mod bench;
mod measure;
mod model;
mod search;
mod snapshot;
mod word2vec;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use bench::{
    BenchBuildArgs, BenchCellArgs, BenchChurnArgs, BenchColdArgs, BenchCommand, BenchEmbedArgs,
    BenchGenerateArgs, BenchProbeArgs, BenchSearchArgs, MadeArgs,
};
pub(crate) use measure::{EvalArgs, JudgedArgs, TuneArgs};
pub(crate) use model::{
    ComputeArgs, DeviceArg, ModelCommand, PrepareArgs, PullArgs, QueryComputeArgs, RebuildArgs, SourceArg,
};
pub(crate) use search::{HitFormat, SearchArgs};
pub(crate) use snapshot::{RestoreArgs, SnapshotArgs};
pub(crate) use word2vec::{
    AnalogyArgs, ExportArgs, FormArg, ImportArgs, LookUpArgs, SimilarArgs, TrainArgs, Word2VecCommand,
};

/// Where indexes go when `--index` is not given.
const DEFAULT_INDEX: &str = "indexes/default";

/// The model of a new index, and of commands without an index.
pub(crate) const DEFAULT_MODEL: &str = "embeddinggemma-300m";

/// Finds products by meaning: a shop's catalogue goes in, a shopper's own words come out as ranked products.
#[derive(Debug, Parser)]
#[command(name = "xunpin", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 done; 1 done, with rejected input or no match; 2 wrong use; 3 failed.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Get, list and check language models
    #[command(subcommand)]
    Model(ModelCommand),
    /// Put a catalogue into an index; the same command again goes on where it stopped
    Index(IndexArgs),
    /// Find products for a shopper's words
    Search(SearchArgs),
    /// Remove products by id
    Delete(DeleteArgs),
    /// Check every record, vector and graph of an index
    Verify(VerifyArgs),
    /// Tell what an index holds and how much room it takes
    Stats(StatsArgs),
    /// Merge an index into one graph and give the disk what deleted products took
    Compact(CompactArgs),
    /// Make a new index from the products of an old one: for another model or precision
    Rebuild(RebuildArgs),
    /// Put an index into one file, also while it is written
    Snapshot(SnapshotArgs),
    /// Make an index of such a file
    Restore(RestoreArgs),
    /// Measure relevance against judged queries, or compare the search modes
    Eval(EvalArgs),
    /// Learn from judged queries how words and meaning are weighed against each other
    Tune(TuneArgs),
    /// Word vectors, the baseline beside the language model
    #[command(subcommand)]
    Word2vec(Word2VecCommand),
    /// Turn texts into vectors: JSONL in, JSONL out
    Embed(EmbedArgs),
    /// Measure speed
    #[command(subcommand)]
    Bench(BenchCommand),
}

impl Command {
    /// The threads asked for, where the command computes.
    pub(crate) fn threads(&self) -> Option<usize> {
        match self {
            Self::Index(args) => args.threads.threads,
            Self::Search(args) => args.threads.threads,
            Self::Rebuild(args) => args.threads.threads,
            Self::Compact(args) => args.threads.threads,
            Self::Eval(args) => args.threads.threads,
            Self::Embed(args) => args.threads.threads,
            Self::Tune(args) => args.threads.threads,
            Self::Word2vec(command) => command.threads(),
            Self::Bench(command) => command.threads(),
            Self::Model(_) | Self::Delete(_) | Self::Verify(_) | Self::Stats(_) => None,
            Self::Snapshot(_) | Self::Restore(_) => None,
        }
    }
}

/// How a command prints its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs: one JSON document
    Json,
}

/// Which index.
#[derive(Debug, Args)]
pub(crate) struct IndexDir {
    /// Folder of the index
    #[arg(long, value_name = "DIR", env = "XUNPIN_INDEX", default_value = DEFAULT_INDEX)]
    pub(crate) index: PathBuf,
}

/// How nearest neighbours are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum StrategyArg {
    /// The index decides: exact for small indexes and narrow filters, else the graph
    #[default]
    Auto,
    /// Compare with every vector
    Exact,
    /// Walk the HNSW graph
    Graph,
}

#[derive(Debug, Args)]
pub(crate) struct RetrievalArgs {
    /// How nearest neighbours are found
    #[arg(long, value_enum, default_value_t)]
    pub(crate) strategy: StrategyArg,
    /// Candidates the graph walk keeps (default: chosen by the index)
    #[arg(long, value_name = "N")]
    pub(crate) ef: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct IndexArgs {
    /// Files, quoted globs, or - for standard input: JSONL, CSV, TSV or Parquet, plain, .gz or .zst
    #[arg(required = true, value_name = "CATALOGUE")]
    pub(crate) inputs: Vec<String>,
    #[command(flatten)]
    pub(crate) index: IndexDir,
    /// Model of a new index: a known name or a sentence-transformers folder (default: embeddinggemma-300m)
    #[arg(long, value_name = "NAME|DIR", env = "XUNPIN_MODEL")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    #[command(flatten)]
    pub(crate) vectors: DimensionArg,
    #[command(flatten)]
    pub(crate) graph: GraphArgs,
    /// Name a column: `--map title=商品名称` (again for more)
    #[arg(long, value_name = "FIELD=COLUMN")]
    pub(crate) map: Vec<String>,
    /// TOML file that names the columns
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: Option<PathBuf>,
    /// Format of the input where its name doesn't tell: jsonl, csv, tsv or parquet
    #[arg(long, value_name = "FORMAT")]
    pub(crate) input_format: Option<String>,
    /// Encoding of the input: utf-8, gb18030 or utf-16 (default: detected)
    #[arg(long, value_name = "NAME")]
    pub(crate) encoding: Option<String>,
    /// Longest line that is read, in bytes; longer ones are rejected
    #[arg(long, value_name = "N", default_value_t = 1 << 20)]
    pub(crate) max_line_bytes: usize,
    /// Where rejected lines go (default: INDEX.rejects.jsonl beside the index; written only if there are any)
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,
    /// Also delete the ids that the input doesn't hold; refused above 20% of the index
    #[arg(long)]
    pub(crate) sync: bool,
    /// Let --sync delete whatever its share
    #[arg(long, requires = "sync")]
    pub(crate) force: bool,
    /// Show how columns are understood and what text of each product is embedded; write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Products shown by --dry-run
    #[arg(long, value_name = "N", default_value_t = 5, requires = "dry_run")]
    pub(crate) sample: usize,
    /// Products embedded between two commits: a crash loses at most these
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(crate) batch: usize,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

/// How many of a model's values are kept.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct DimensionArg {
    /// Values of a vector, the first of those that the model gives, as a new index keeps them (default: all; EmbeddingGemma was
    /// trained for 512, 256 and 128 too)
    #[arg(long, value_name = "N")]
    pub(crate) dimension: Option<usize>,
}

/// How a new index builds its graphs.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct GraphArgs {
    /// Links of a graph node of a new index, 2 to 128 (default: 16)
    #[arg(long, value_name = "N")]
    pub(crate) m: Option<usize>,
    /// Candidates looked at when a node of a new index is linked, 1 to 10000 (default: 200)
    #[arg(long, value_name = "N")]
    pub(crate) ef_construction: Option<usize>,
    /// Share of the true nearest that searches of a new index are to find, 0.5 to 0.999 (default: 0.99)
    #[arg(long, value_name = "R")]
    pub(crate) recall: Option<f64>,
}

#[derive(Debug, Args)]
pub(crate) struct Threads {
    /// Threads to compute with (default: all cores)
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// Ids of the products
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) index: IndexDir,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) index: IndexDir,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    #[command(flatten)]
    pub(crate) index: IndexDir,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    pub(crate) index: IndexDir,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleArg {
    /// A shopper's words
    Query,
    /// A product's text
    #[default]
    Document,
    /// No prompt is added
    Raw,
}

#[derive(Debug, Args)]
pub(crate) struct EmbedArgs {
    /// JSONL files of {"id": ..., "text": ...}, or - for standard input
    #[arg(default_value = "-", value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// What the texts are to the model
    #[arg(long, value_enum, default_value_t)]
    pub(crate) role: RoleArg,
    /// A known name or a sentence-transformers folder
    #[arg(long, value_name = "NAME|DIR", env = "XUNPIN_MODEL", default_value = DEFAULT_MODEL)]
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    #[command(flatten)]
    pub(crate) vectors: DimensionArg,
    #[command(flatten)]
    pub(crate) threads: Threads,
}
