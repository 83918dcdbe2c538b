use std::path::PathBuf;

use clap::{Args, Subcommand};
use xunpin::{Mode, Precision};

use super::{DEFAULT_MODEL, DeviceArg, Format, GraphArgs, IndexDir, QueryComputeArgs, Threads};

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Embedding: documents a second by length, the time of one query, memory, nearness to the reference
    Embed(BenchEmbedArgs),
    /// One measurement of `bench embed`, which starts it
    #[command(hide = true)]
    Cell(BenchCellArgs),
    /// A search from the start of the process to its end
    Cold(BenchColdArgs),
    /// Search: where the time of a query goes, in each mode
    Search(BenchSearchArgs),
    /// Make a large index out of a small one, to measure searches in: no model runs
    Generate(BenchGenerateArgs),
    /// Build an index of made-up vectors: time, memory, disk, and the speed and recall of searches in it
    Build(BenchBuildArgs),
    /// Change and delete a fifth of an index of made-up vectors: recall and speed before, meanwhile and after
    Churn(BenchChurnArgs),
    /// One measurement of the commands that search vectors, which they start
    #[command(hide = true)]
    Probe(BenchProbeArgs),
}

impl BenchCommand {
    pub(super) fn threads(&self) -> Option<usize> {
        match self {
            Self::Embed(_) => None,
            Self::Cell(args) => Some(args.threads),
            Self::Cold(args) => args.threads.threads,
            Self::Search(args) => args.threads.threads,
            Self::Generate(args) => args.threads.threads,
            Self::Build(args) => args.made.threads.threads,
            Self::Churn(args) => args.made.threads.threads,
            Self::Probe(args) => args.threads.threads,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct BenchEmbedArgs {
    /// Documents, one a line
    pub(crate) texts: PathBuf,
    /// A known name or a sentence-transformers folder
    #[arg(long, value_name = "NAME|DIR", env = "XUNPIN_MODEL", default_value = DEFAULT_MODEL)]
    pub(crate) model: String,
    /// Number formats to measure, each in a process of its own (default: the program's choice)
    #[arg(long, value_name = "P,...", value_delimiter = ',')]
    pub(crate) precision: Vec<Precision>,
    #[command(flatten)]
    pub(crate) device: DeviceArg,
    /// Numbers of threads to measure, each in a process of its own (default: all cores)
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    pub(crate) threads: Vec<usize>,
    /// Lengths of input to measure beside the texts as they are, in tokens
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "8,32,128,512")]
    pub(crate) lengths: Vec<usize>,
    /// Precision whose vectors the others are compared with (default: f32 where it is measured)
    #[arg(long, value_name = "P")]
    pub(crate) reference: Option<Precision>,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct BenchCellArgs {
    pub(crate) texts: PathBuf,
    #[arg(long)]
    pub(crate) model: String,
    #[arg(long)]
    pub(crate) precision: Precision,
    #[command(flatten)]
    pub(crate) device: DeviceArg,
    #[arg(long)]
    pub(crate) threads: usize,
    #[arg(long, value_delimiter = ',')]
    pub(crate) lengths: Vec<usize>,
    /// Write the texts' vectors after the report
    #[arg(long)]
    pub(crate) vectors: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchColdArgs {
    #[command(flatten)]
    pub(crate) index: IndexDir,
    /// What is asked, each time by a new process
    #[arg(long, value_name = "QUERY")]
    pub(crate) query: String,
    /// Processes timed
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) runs: usize,
    /// How to search: hybrid, semantic, lexical or word2vec
    #[arg(long, value_name = "MODE", default_value_t)]
    pub(crate) mode: Mode,
    #[command(flatten)]
    pub(crate) compute: QueryComputeArgs,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct BenchSearchArgs {
    #[command(flatten)]
    pub(crate) index: IndexDir,
    /// Queries, one a line; an id and a tab before a query are passed over
    #[arg(long, value_name = "FILE", required_unless_present = "nearest", conflicts_with = "nearest")]
    pub(crate) queries: Option<PathBuf>,
    /// Measure the search of vectors alone, without words or model: queries are stored vectors, displaced
    #[arg(long)]
    pub(crate) nearest: bool,
    /// Queries timed, from the file's beginning (default: 200; with --nearest 1000)
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    #[command(flatten)]
    pub(crate) ladder: LadderArgs,
    /// The modes; each query is asked in all of them before the next one is
    #[arg(long, value_name = "MODES", value_delimiter = ',', default_value = "lexical,semantic,hybrid")]
    pub(crate) modes: Vec<Mode>,
    /// Queries asked beforehand and not timed
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) warmup: usize,
    /// Hits of a query
    #[arg(short, long = "top", value_name = "K", default_value_t = 10)]
    pub(crate) k: usize,
    #[command(flatten)]
    pub(crate) compute: QueryComputeArgs,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct BenchGenerateArgs {
    /// The index whose products and vectors are recombined
    #[command(flatten)]
    pub(crate) index: IndexDir,
    /// Folder of the new index
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Products of the new index
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) products: usize,
    /// Another seed, other products; the same seed and index give the same
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

/// How searches of vectors are measured.
#[derive(Debug, Args)]
pub(crate) struct LadderArgs {
    /// Widths of a walk to measure beside the index's own, for searches of vectors
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "16,24,32,48,64,96,128,192,256"
    )]
    pub(crate) ef: Vec<usize>,
    /// How often each setting is timed, in turns with the others, for searches of vectors
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) rounds: usize,
}

/// An index of made-up vectors.
#[derive(Debug, Args)]
pub(crate) struct MadeArgs {
    /// The index whose vectors are blended
    #[command(flatten)]
    pub(crate) index: IndexDir,
    /// Vectors to make
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) vectors: usize,
    /// Folder of the new index, which stays (default: a temporary one)
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) graph: GraphArgs,
    /// Another seed, other vectors; the same seed and index give the same
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Queries asked: made-up vectors, displaced
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(crate) queries: usize,
    /// Results of a query
    #[arg(short, long = "top", value_name = "K", default_value_t = 10)]
    pub(crate) k: usize,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct BenchBuildArgs {
    #[command(flatten)]
    pub(crate) made: MadeArgs,
    #[command(flatten)]
    pub(crate) ladder: LadderArgs,
    /// A Python that has hnswlib, usearch, faiss-cpu and numpy: measures them on the same vectors, in turns
    #[arg(long, value_name = "PYTHON")]
    pub(crate) peers: Option<PathBuf>,
    /// With more vectors neither peers nor the building of a graph alone are measured
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    pub(crate) peers_up_to: usize,
}

#[derive(Debug, Args)]
pub(crate) struct BenchChurnArgs {
    #[command(flatten)]
    pub(crate) made: MadeArgs,
    /// How often each query is timed at each stage
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) rounds: usize,
}

#[derive(Debug, Args)]
pub(crate) struct BenchProbeArgs {
    #[arg(long)]
    pub(crate) index: PathBuf,
    /// Folder of the queries and their truth
    #[arg(long)]
    pub(crate) asked: PathBuf,
    #[arg(long, value_delimiter = ',')]
    pub(crate) ef: Vec<usize>,
    /// 0: only opens the index
    #[arg(long)]
    pub(crate) rounds: usize,
    #[command(flatten)]
    pub(crate) threads: Threads,
}
