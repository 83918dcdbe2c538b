use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use xunpin::words::{Architecture, Pooling, TrainOptions};

use super::{Format, IndexDir, Threads};

#[derive(Debug, Subcommand)]
pub(crate) enum Word2VecCommand {
    /// Train word vectors on the products' texts, and give every product its vector
    Train(TrainArgs),
    /// Take word vectors from a file (vectors.txt or .bin, plain or .gz), and give every product its vector
    Import(ImportArgs),
    /// Write the index's word vectors to a file that other programs read
    Export(ExportArgs),
    /// The words nearest to a word
    Similar(SimilarArgs),
    /// The words that are to C as A is to B: nearest to A - B + C
    Analogy(AnalogyArgs),
}

impl Word2VecCommand {
    pub(super) fn threads(&self) -> Option<usize> {
        match self {
            Self::Train(args) => args.threads.threads,
            Self::Import(_) | Self::Export(_) | Self::Similar(_) | Self::Analogy(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ArchArg {
    /// Each word of the window predicts the middle one: better for rare words and little text
    #[default]
    SkipGram,
    /// The window together predicts the middle word: several times faster
    Cbow,
}

impl From<ArchArg> for Architecture {
    fn from(arch: ArchArg) -> Self {
        match arch {
            ArchArg::SkipGram => Self::SkipGram,
            ArchArg::Cbow => Self::Cbow,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PoolingArg {
    /// Frequent words count less
    #[default]
    Sif,
    /// Every word counts the same
    Mean,
}

impl From<PoolingArg> for Pooling {
    fn from(pooling: PoolingArg) -> Self {
        match pooling {
            PoolingArg::Sif => Self::default(),
            PoolingArg::Mean => Self::Mean,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) index: IndexDir,
    /// More text to train on, a sentence a line (again for more files)
    #[arg(long, value_name = "FILE")]
    pub(crate) text: Vec<PathBuf>,
    /// What is predicted from what
    #[arg(long, value_enum, default_value_t)]
    pub(crate) arch: ArchArg,
    /// Length of the vectors
    #[arg(long, value_name = "N", default_value_t = TrainOptions::default().dimension)]
    pub(crate) dim: usize,
    /// Words to either side that count as context, at most
    #[arg(long, value_name = "N", default_value_t = TrainOptions::default().window)]
    pub(crate) window: usize,
    /// Noise words that each true one is told apart from
    #[arg(long, value_name = "N", default_value_t = TrainOptions::default().negative)]
    pub(crate) negative: usize,
    /// Passes over the text (default: the more the less text there is)
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<usize>,
    /// Rarer words get no vector
    #[arg(long, value_name = "N", default_value_t = TrainOptions::default().min_count)]
    pub(crate) min_count: u64,
    /// Words more frequent than this share of the text are passed over at times; 0 for none
    #[arg(long, value_name = "SHARE", default_value_t = TrainOptions::default().subsample)]
    pub(crate) subsample: f64,
    /// The same seed and text give the same vectors, on any number of threads
    #[arg(long, value_name = "N", default_value_t = TrainOptions::default().seed)]
    pub(crate) seed: u64,
    /// How the vectors of a text's words become one
    #[arg(long, value_enum, default_value_t)]
    pub(crate) pooling: PoolingArg,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

impl TrainArgs {
    pub(crate) fn options(&self) -> TrainOptions {
        TrainOptions {
            architecture: self.arch.into(),
            dimension: self.dim,
            window: self.window,
            negative: self.negative,
            epochs: self.epochs,
            subsample: self.subsample,
            min_count: self.min_count,
            seed: self.seed,
            ..TrainOptions::default()
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// vectors.txt of word2vec, fastText or GloVe, or .bin of word2vec; plain or .gz
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) index: IndexDir,
    /// Words of the file that are kept beside those of the catalogue, the first ones, for queries to use
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    pub(crate) max_words: usize,
    /// How the vectors of a text's words become one
    #[arg(long, value_enum, default_value_t)]
    pub(crate) pooling: PoolingArg,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

/// Form of an exported file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormArg {
    /// word2vec's text form, with a header line
    Text,
    /// word2vec's binary form
    Binary,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// File to write; one that is there is replaced
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) index: IndexDir,
    /// Form of the file (default: binary for .bin, else text)
    #[arg(long, value_enum)]
    pub(crate) form: Option<FormArg>,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

/// Where words are looked up, and how many are told.
#[derive(Debug, Args)]
pub(crate) struct LookUpArgs {
    #[command(flatten)]
    pub(crate) index: IndexDir,
    /// Words wanted
    #[arg(short, long = "top", value_name = "K", default_value_t = 10)]
    pub(crate) k: usize,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct SimilarArgs {
    /// The word
    pub(crate) word: String,
    #[command(flatten)]
    pub(crate) look_up: LookUpArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AnalogyArgs {
    /// A, B and C: 女鞋 女装 男装 asks for the word that is to 男装 as 女鞋 is to 女装
    #[arg(num_args = 3, value_names = ["A", "B", "C"], required_unless_present = "positive")]
    pub(crate) words: Vec<String>,
    /// A word to be near to, instead of A, B and C (again for more)
    #[arg(long, value_name = "WORD", conflicts_with = "words")]
    pub(crate) positive: Vec<String>,
    /// A word to be far from (again for more)
    #[arg(long, value_name = "WORD", requires = "positive")]
    pub(crate) negative: Vec<String>,
    #[command(flatten)]
    pub(crate) look_up: LookUpArgs,
}
