use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use tantivy::TantivyError;
use tantivy::directory::error::{OpenDirectoryError, OpenReadError, OpenWriteError};
use xunpin_core::durable::FileError;

/// Why an operation on the full-text index failed. Nothing of the store is touched by it: the folder can always be
/// removed and built again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LexicalError {
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
    /// No room is left on the disk. Free some and run the command again.
    #[error("no room is left on the disk of {path}; free some and run the command again")]
    DiskFull {
        /// The file or folder.
        path: PathBuf,
    },
    /// tantivy failed; its error says how.
    #[error("the full-text index at {path} could not {action}")]
    Engine {
        /// The operation, as a verb.
        action: &'static str,
        /// The index's folder; `memory` for one in memory.
        path: PathBuf,
        /// tantivy's error.
        source: Box<TantivyError>,
    },
    /// The disk or a foreign program changed the index's files since they were opened.
    #[error("the full-text index at {path} is damaged: {reason}; it must be built again")]
    Damaged {
        /// The index's folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The caller asked to write to an index that is open for reading.
    #[error("the full-text index at {path} is open for reading only; open it for writing")]
    ReadOnly {
        /// The index's folder.
        path: PathBuf,
    },
    /// The caller holds another writer of this index, in this process or another.
    #[error("the full-text index at {path} has another writer; drop that one first")]
    Busy {
        /// The index's folder.
        path: PathBuf,
    },
    /// Another process built the index again; open it anew.
    #[error("the full-text index at {path} was built again by another process; open it anew")]
    Replaced {
        /// The index's folder.
        path: PathBuf,
    },
    /// The caller's source of products failed during a rebuild. The index that was there still is.
    #[error("the products for the full-text index could not be read")]
    Source(#[source] Box<dyn Error + Send + Sync>),
}

impl LexicalError {
    /// Wraps a failed file operation, telling a full disk apart.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        if is_full(source.kind()) {
            Self::DiskFull { path: path.into() }
        } else {
            Self::Io { action, path: path.into(), source }
        }
    }

    /// Wraps tantivy's error, telling a full disk and a held lock apart.
    pub(crate) fn engine(action: &'static str, path: &Path, source: TantivyError) -> Self {
        if io_kind(&source).is_some_and(is_full) {
            return Self::DiskFull { path: path.into() };
        }
        match source {
            TantivyError::LockFailure(tantivy::directory::error::LockError::LockBusy, _) => {
                Self::Busy { path: path.into() }
            }
            source => Self::Engine { action, path: path.into(), source: Box::new(source) },
        }
    }
}

impl From<FileError> for LexicalError {
    fn from(error: FileError) -> Self {
        Self::io(error.action, &error.path, error.source)
    }
}

fn is_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The system's error inside tantivy's, where there is one.
pub(crate) fn io_kind(error: &TantivyError) -> Option<io::ErrorKind> {
    match error {
        TantivyError::IoError(e) => Some(e.kind()),
        TantivyError::OpenReadError(OpenReadError::IoError { io_error, .. })
        | TantivyError::OpenWriteError(OpenWriteError::IoError { io_error, .. })
        | TantivyError::OpenDirectoryError(OpenDirectoryError::IoError { io_error, .. }) => {
            Some(io_error.kind())
        }
        _ => None,
    }
}
