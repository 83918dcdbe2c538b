use std::path::PathBuf;

use clap::{Args, Subcommand};
use xunpin::{Mode, Precision};

use super::{DEFAULT_MODEL, DeviceArg, Format, IndexDir, QueryComputeArgs, Threads};

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
}

impl BenchCommand {
    pub(super) fn threads(&self) -> Option<usize> {
        match self {
            Self::Embed(_) => None,
            Self::Cell(args) => Some(args.threads),
            Self::Cold(args) => args.threads.threads,
            Self::Search(args) => args.threads.threads,
            Self::Generate(args) => args.threads.threads,
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
    #[arg(long, value_name = "FILE")]
    pub(crate) queries: PathBuf,
    /// Queries timed, from the file's beginning
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) limit: usize,
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
