use std::io;
use std::path::{Path, PathBuf};

use xunpin_core::durable::FileError;
use xunpin_core::{NearestError, ProductError};
use xunpin_hnsw::BuildError;

use crate::StoreError;

/// Why an operation on an index failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The caller named a folder that is not there.
    #[error("there is no index at {path}; make one with `xunpin index CATALOGUE --index {path}`")]
    NotFound {
        /// The folder.
        path: PathBuf,
    },
    /// The caller named a folder (or a file) of something else. Nothing in it is read or changed.
    #[error("{path} is no Xunpin index: it holds {found}; name an index, or an empty or new folder")]
    NotAnIndex {
        /// The folder.
        path: PathBuf,
        /// What is there instead, such as the name of a foreign file.
        found: String,
    },
    /// The caller asked to create an index where there is one.
    #[error("{path} already holds an index; open it, or name another folder")]
    AlreadyExists {
        /// The folder.
        path: PathBuf,
    },
    /// The index was made by a newer Xunpin.
    #[error(
        "the index at {path} has format {found}, this program reads up to {supported}; use a newer Xunpin"
    )]
    NewerFormat {
        /// The folder.
        path: PathBuf,
        /// Format of the index.
        found: u32,
        /// Newest format this build reads.
        supported: u32,
    },
    /// Another process, or another [`Index`](crate::Index) of this one, has the index open for writing.
    #[error(
        "the index at {path} is open for writing by {holder}; wait for it to end or stop it (reading works meanwhile)"
    )]
    Locked {
        /// The folder.
        path: PathBuf,
        /// The process, as far as it told: `process 123 (xunpin index a.csv), since 2026-01-31 08:00:00 UTC`.
        holder: String,
    },
    /// The manifest is missing from a folder that is otherwise an index, or can't be understood.
    #[error(
        "{path} is damaged: {problem}; restore it from a snapshot, or index the catalogue into a new folder"
    )]
    DamagedManifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A stored record can't be understood: the disk or a foreign program changed it.
    #[error(
        "the index at {path} is damaged: {problem}; run `xunpin verify`, then restore a snapshot or index anew"
    )]
    Damaged {
        /// The index's folder.
        path: PathBuf,
        /// Which record, and what is wrong with it.
        problem: String,
    },
    /// RocksDB failed; the message says how.
    #[error("the store at {path} failed: {source}")]
    Store {
        /// The store's folder.
        path: PathBuf,
        /// RocksDB's error.
        source: StoreError,
    },
    /// A writer replaced the store's files again and again while they were being opened for reading.
    #[error("the store at {path} is being written too quickly to be opened for reading; try again")]
    Busy {
        /// The store's folder.
        path: PathBuf,
    },
    /// No room is left on the disk. What was acknowledged before is safe, and reads go on. Free some room: an open index
    /// takes writes again at most five seconds after 16 MB are free.
    #[error("no room is left on the disk of {path}; free some and run the command again")]
    DiskFull {
        /// The file or folder.
        path: PathBuf,
    },
    /// The system refused a file operation.
    #[error("could not {action} {path}")]
    Io {
        /// The operation, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The caller's options can't be used.
    #[error("index option `{option}`: {problem}")]
    Options {
        /// Name of the option.
        option: &'static str,
        /// What is expected.
        problem: String,
    },
    /// A write was asked of an index that is open for reading.
    #[error("the index at {path} is open for reading only; open it for writing")]
    ReadOnly {
        /// The folder.
        path: PathBuf,
    },
    /// An earlier write of this process panicked, which is a fault of ours. What was committed is safe.
    #[error("a write to the index at {path} was cut short; open the index again")]
    Interrupted {
        /// The folder.
        path: PathBuf,
    },
    /// The caller's product breaks a rule that the index relies on.
    #[error("product `{id}` can't be stored")]
    Product {
        /// The product's id.
        id: String,
        /// What is wrong.
        source: ProductError,
    },
    /// The caller's vector has another length than the index's.
    #[error("product `{id}`: its vector has {got} values, the index holds vectors of {expected}")]
    VectorLength {
        /// The product's id.
        id: String,
        /// Length of the index's vectors.
        expected: usize,
        /// Length of this one.
        got: usize,
    },
    /// The caller's vector holds NaN or an infinity, or is not of unit length within 0.001.
    #[error("product `{id}`: its vector has length {norm}, not 1; the encoder must normalise it")]
    VectorNorm {
        /// The product's id.
        id: String,
        /// Its Euclidean length; NaN or infinite where a value is.
        norm: f32,
    },
    /// The caller gave no vector for a product that has none stored yet (or is deleted earlier in the batch).
    #[error("product `{id}` is new to the index and comes without a vector; encode its text first")]
    VectorMissing {
        /// The product's id.
        id: String,
    },
    /// The caller gave a static vector to a product that the index does not hold (or that is deleted earlier in the
    /// batch).
    #[error(
        "a static vector was given for product `{id}`, which is not in the index; upsert the product first"
    )]
    NoProduct {
        /// The product's id.
        id: String,
    },
    /// The caller gave, or asked for, static vectors of another length than the stored ones: another model made them.
    #[error(
        "static vectors of {got} values don't go with the stored ones of {expected}; train or import the word vectors \
         again, which replaces all of them"
    )]
    StaticLength {
        /// Length of the stored static vectors.
        expected: usize,
        /// Length of these.
        got: usize,
    },
    /// All 2^32 - 1 internal numbers are used up.
    #[error("the index has used up its internal numbers; index the catalogue into a new folder")]
    Full,
    /// A segment's graph could not be built; the vectors are safe where they were.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The system gave no threads to build a graph with.
    #[error("the threads that build a graph could not be started; allow the process more of them")]
    Threads(#[source] rayon::ThreadPoolBuildError),
    /// The caller's query can't be searched for, or a stored vector was changed by the disk.
    #[error(transparent)]
    Query(#[from] NearestError),
}

impl IndexError {
    /// Wraps a failed file operation, telling a full disk apart.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path: path.into() },
            _ => Self::Io { action, path: path.into(), source },
        }
    }

    /// Wraps a failed store operation, telling a full disk apart.
    pub(crate) fn store(path: &Path, source: StoreError) -> Self {
        if source.is_full() {
            Self::DiskFull { path: path.into() }
        } else {
            Self::Store { path: path.into(), source }
        }
    }
}

impl From<FileError> for IndexError {
    fn from(error: FileError) -> Self {
        Self::io(error.action, &error.path, error.source)
    }
}
