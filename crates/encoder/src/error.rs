use std::path::PathBuf;

use crate::{Device, Precision};

/// Why a model folder could not be opened. Every message names the file and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The caller's path is no folder.
    #[error("{}: not a folder; give a sentence-transformers folder, or fetch a known model with `xunpin model pull`", path.display())]
    NotAFolder {
        /// The path as given.
        path: PathBuf,
    },
    /// A file that the model needs is absent: the folder is incomplete or of another kind.
    #[error("{}: file is missing; fetch the model again with `xunpin model pull`, or check the folder with `xunpin model verify`", path.display())]
    MissingFile {
        /// The absent file.
        path: PathBuf,
    },
    /// The folder holds an older form of a file instead of the one we read.
    #[error("{}: file is missing, and the older {found} beside it is not read; convert the folder with sentence-transformers: `SentenceTransformer(FOLDER).save(NEW)` in Python", path.display())]
    Unconverted {
        /// The absent file.
        path: PathBuf,
        /// The older file's name.
        found: &'static str,
    },
    /// The operating system refused to read a file.
    #[error("{}: cannot be read; check its permissions and the disk", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A configuration file is not JSON: it is damaged, or a placeholder left by an unfinished download.
    #[error("{}: not valid JSON; fetch the model again with `xunpin model pull`, or check it with `xunpin model verify`", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why reading stopped.
        source: serde_json::Error,
    },
    /// A configuration field is absent or holds something it can't.
    #[error("{}: field `{field}`: {problem}; check the file with `xunpin model verify`", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The field, with its parents (`rope_parameters.full_attention`).
        field: String,
        /// What is wrong and what is expected.
        problem: String,
    },
    /// The model is sound, but of an architecture that this build can't run.
    #[error("{}: architecture {found} is not supported; supported are: {}", path.display(), supported.join(", "))]
    Architecture {
        /// `config.json`.
        path: PathBuf,
        /// What the file says.
        found: String,
        /// Names that [`supported_architectures`](crate::supported_architectures) gives.
        supported: &'static [&'static str],
    },
    /// The architecture is supported, but this model uses a variation of it that is not.
    #[error("{}: field `{field}` is {found}, which is not supported; supported: {supported}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// What it holds.
        found: String,
        /// What it may hold.
        supported: &'static str,
    },
    /// A weights file is truncated or damaged.
    #[error("{}: not a whole safetensors file; fetch the model again with `xunpin model pull`, or check it with `xunpin model verify`", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What the header check found.
        source: safetensors::SafeTensorError,
    },
    /// A tensor that the configuration calls for is in none of the weights files.
    #[error("{}: tensor `{name}` is missing; the weights don't belong to this config.json, check them with `xunpin model verify`", path.display())]
    TensorMissing {
        /// The weights file, or the folder if there are several.
        path: PathBuf,
        /// The tensor's name.
        name: String,
    },
    /// A tensor has another shape than the configuration calls for.
    #[error("{}: tensor `{name}` has shape {got:?}, expected {expected:?}; the weights don't belong to this config.json, check them with `xunpin model verify`", path.display())]
    TensorShape {
        /// The weights file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
        /// The shape the configuration calls for.
        expected: Vec<usize>,
        /// The shape found.
        got: Vec<usize>,
    },
    /// A tensor's number format can't be used.
    #[error("{}: tensor `{name}` holds {got} values; supported are F32, F16 and BF16", path.display())]
    TensorType {
        /// The weights file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
        /// The format found.
        got: String,
    },
    /// The tokenizer's file is damaged or of an unknown kind.
    #[error("{}: not a readable tokenizer; fetch the model again with `xunpin model pull`, or check it with `xunpin model verify`", path.display())]
    Tokenizer {
        /// `tokenizer.json`.
        path: PathBuf,
        /// The tokenizer library's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The prepared form of a tokenizer is damaged, or was made by another version of this program.
    #[error("{}: its prepared tokenizer can't be used; make the file again with `xunpin model prepare`", path.display())]
    PreparedTokenizer {
        /// The file that holds it.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The tokenizer knows more tokens than the model has embeddings: the two belong to different models.
    #[error("{}: the tokenizer has {tokens} tokens, but the model embeds only {rows}; the files belong to different models, check them with `xunpin model verify`", path.display())]
    Vocabulary {
        /// `tokenizer.json`.
        path: PathBuf,
        /// Tokens the tokenizer can give.
        tokens: usize,
        /// Rows of the model's embedding table.
        rows: usize,
    },
    /// A prepared model is damaged, or not one at all.
    #[error("{}: {problem}; delete the file, `xunpin model prepare` makes it anew", path.display())]
    Prepared {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A prepared model was made by another version of this program.
    #[error("{}: prepared in format {found}, this program reads {expected}; `xunpin model prepare` makes it anew", path.display())]
    PreparedVersion {
        /// The file.
        path: PathBuf,
        /// Version of the file.
        found: u32,
        /// Version that is read.
        expected: u32,
    },
    /// A prepared model could not be written.
    #[error("{}: cannot be written; check permissions and free space, or run with precision f32, which needs no file", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The numeric library refused the weights; the source says why.
    #[error("the weights could not be prepared")]
    Prepare {
        /// The numeric library's error.
        #[from]
        source: candle_core::Error,
    },
    /// The caller asked for a device that this program was built without.
    #[error(
        "{device}: this program was built without CUDA; build it with `--features cuda` (docs/gpu.md), or compute on the processor (`--device cpu`)"
    )]
    DeviceNotBuilt {
        /// The device asked for.
        device: Device,
    },
    /// The device is not there, has no driver, or refused the model; the source says which.
    #[error(
        "{device}: the model can't run there; see in `nvidia-smi` that the GPU is there and has memory left, or compute on the processor (`--device cpu`)"
    )]
    Device {
        /// The device asked for.
        device: Device,
        /// The numeric library's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The caller asked for a precision that the device does not compute in.
    #[error(
        "{device}: {precision} runs on the processor alone; compute in bf16 there (`--precision bf16`), or on the processor (`--device cpu`)"
    )]
    DevicePrecision {
        /// The device asked for.
        device: Device,
        /// The precision asked for, or that of the index.
        precision: Precision,
    },
    /// The operating system gave no threads.
    #[error("a pool of {threads} threads could not be started; ask for fewer")]
    Threads {
        /// The number asked for.
        threads: usize,
        /// The pool's error.
        source: rayon::ThreadPoolBuildError,
    },
}

impl ModelError {
    /// The variant for an error of the file system at `path`.
    pub(crate) fn from_io(path: &std::path::Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::MissingFile { path },
            _ => Self::Read { path, source },
        }
    }
}
