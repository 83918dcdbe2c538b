use std::io;
use std::path::{Path, PathBuf};

use xunpin_core::durable::FileError;

use crate::header::HeaderError;

/// Why an archive could not be written, read or unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The caller named a file of something else.
    #[error("{} is no snapshot: {found}; name a file that `xunpin snapshot` has written", archive.display())]
    NotAnArchive {
        /// The file.
        archive: PathBuf,
        /// What was found at its beginning.
        found: String,
    },
    /// The archive is not what was written: cut off, or changed by a disk or a hand. Another copy may be whole.
    #[error("{} is damaged at byte {offset} ({entry}): {damage}; take another copy of it, or another snapshot", archive.display())]
    Damaged {
        /// The archive.
        archive: PathBuf,
        /// Name of the entry, or `after` and the name of the one before where a header can't be understood.
        entry: String,
        /// Where in the archive.
        offset: u64,
        /// What is wrong there.
        damage: Damage,
    },
    /// The archive was made by a newer Xunpin.
    #[error("{} has the archive format {found}, this program reads up to {supported}; use a newer Xunpin", archive.display())]
    NewerFormat {
        /// The archive.
        archive: PathBuf,
        /// Its format.
        found: u32,
        /// Newest format this build reads.
        supported: u32,
    },
    /// A file to be archived was changed or replaced meanwhile.
    #[error("{} was changed while it was being archived: it had {expected} bytes; try again", path.display())]
    SourceChanged {
        /// The file.
        path: PathBuf,
        /// Bytes it had at first.
        expected: u64,
    },
    /// A file to be archived is not one that an archive may hold, or the files are too many. A fault of the caller.
    #[error("{} can't be put into an archive: {problem}", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: &'static str,
    },
    /// The caller would unpack to where there is something already. Nothing of it is changed.
    #[error("{} holds {found} already; name a new or an empty folder", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
        /// What there is.
        found: String,
    },
    /// Another process is unpacking to the same place.
    #[error("another process is unpacking an archive to {}; wait for it to end", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The caller stopped it. Nothing is left behind.
    #[error("stopped; nothing was left behind")]
    Stopped,
    /// The system refused a file operation.
    #[error("could not {action} {}", path.display())]
    Io {
        /// The operation, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// What is wrong with an archive at one place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// It ends there.
    #[error("the file ends too early")]
    Truncated,
    /// A header that was never written.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A header with another time than the rest.
    #[error("the header's time is not that of the snapshot")]
    Time,
    /// A name that leads elsewhere than to a file of an index.
    #[error("the name is not one that a snapshot may hold")]
    Name,
    /// An entry a second time.
    #[error("there was an entry of this name before")]
    Duplicate,
    /// An entry where another has to be.
    #[error("`{expected}` should stand here")]
    OutOfPlace {
        /// The entry that has to be there.
        expected: &'static str,
    },
    /// An entry that can't be that large.
    #[error("{size} bytes are not the size of this entry")]
    Size {
        /// What its header says.
        size: u64,
    },
    /// `snapshot.json` can't be understood.
    #[error("it can't be understood: {reason}")]
    Snapshot {
        /// Why.
        reason: String,
    },
    /// Files or bytes that `snapshot.json` does not announce.
    #[error("there are {found} {what}, and {announced} were announced")]
    Count {
        /// What is counted.
        what: &'static str,
        /// What `snapshot.json` says.
        announced: u64,
        /// What was counted so far.
        found: u64,
    },
    /// The bytes between an entry and the next, or after the last one, are not zero.
    #[error("there is something where nothing should be")]
    Padding,
    /// The content is not what was written.
    #[error("the content's SHA-256 is {found}, recorded was {recorded}")]
    Checksum {
        /// What the archive says.
        recorded: String,
        /// What the content has.
        found: String,
    },
    /// The list of checksums is not what was written.
    #[error("the list of checksums is not whole")]
    List,
    /// More bytes follow where the archive should end.
    #[error("the archive should end here, and more follows")]
    Trailing,
}

impl ArchiveError {
    /// Wraps a failed file operation.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.into(), source }
    }
}

impl From<FileError> for ArchiveError {
    fn from(FileError { action, path, source }: FileError) -> Self {
        Self::Io { action, path, source }
    }
}
