use std::path::PathBuf;

use xunpin_archive::ArchiveError;

use crate::IndexError;

/// Why an index could not be put into an archive, or got out of one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The index can't be read or made.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The archive can't be written, read or unpacked.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The caller named a file that is there, and did not allow to replace it.
    #[error("{} exists already; name another file, or replace it with `--force`", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another process is writing a snapshot of the same name.
    #[error("another process is writing a snapshot to {}; wait for it to end", path.display())]
    Busy {
        /// The archive.
        path: PathBuf,
    },
    /// Word vectors were put in again and again.
    #[error("the word vectors in {} are being exchanged; try again when that is done", path.display())]
    WordsExchanged {
        /// Their folder.
        path: PathBuf,
    },
    /// The index in the archive was made by a newer Xunpin.
    #[error(
        "{} holds an index of format {found}, this program reads up to {supported}; use a newer Xunpin", archive.display()
    )]
    NewerFormat {
        /// The archive.
        archive: PathBuf,
        /// Format of its index.
        found: u32,
        /// Newest format this build reads.
        supported: u32,
    },
    /// The archive is whole, but its index is not sound: it was damaged before it was archived.
    #[error("the index in {} is not sound: {problem}; take another snapshot", archive.display())]
    Unsound {
        /// The archive.
        archive: PathBuf,
        /// The first thing that is wrong.
        problem: String,
    },
}

impl SnapshotError {
    /// True where the caller named a place that is taken, as against a failure of files or disks.
    pub fn is_wrong_use(&self) -> bool {
        matches!(self, Self::Exists { .. } | Self::Archive(ArchiveError::Taken { .. }))
    }
}
