use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use xunpin_archive::{ArchiveError, Reader, Snapshot, Unpacked};
use xunpin_core::FORMAT_VERSION;

use super::SnapshotError;
use crate::IndexError;
use crate::index::Index;
use crate::manifest::Folder;
use crate::verify::VerifyReport;

/// An index from an archive, in a folder beside the one that it is meant for. There it can be opened, what is derived made
/// again, and everything checked, before [`put_in_place`](Self::put_in_place) makes it an index like any other. Dropped
/// before that, it is removed. [`Index::restore`] does all of it.
#[derive(Debug)]
pub struct Restoring {
    unpacked: Unpacked,
    archive: PathBuf,
}

impl Restoring {
    /// Unpacks an archive, checking every byte. `target` must be a new or an empty folder. `progress` is told the bytes
    /// unpacked and those of all files, and may stop it.
    pub fn unpack(
        archive: &Path,
        target: &Path,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self, SnapshotError> {
        refuse_newer(archive)?;
        let unpacked = xunpin_archive::unpack(archive, target, progress)?;
        let restoring = Self { unpacked, archive: archive.into() };
        // As a new index has it.
        let graph = Folder::new(&restoring.folder()).graph();
        fs::create_dir(&graph).map_err(|e| IndexError::io("make the folder", &graph, e))?;
        Ok(restoring)
    }

    /// What the archive says it is.
    pub fn snapshot(&self) -> &Snapshot {
        self.unpacked.snapshot()
    }

    /// The folder it is in for now.
    pub fn folder(&self) -> PathBuf {
        self.unpacked.folder()
    }

    /// Opens the index where it is now, to write, which makes its graphs again.
    pub fn open(&self) -> Result<Index, SnapshotError> {
        Index::open(self.folder()).map_err(|error| match error {
            IndexError::Damaged { problem, .. } | IndexError::DamagedManifest { problem, .. } => {
                self.unsound(problem)
            }
            IndexError::Store { source, .. } => self.unsound(source.to_string()),
            error => error.into(),
        })
    }

    /// Compares the open index with what the archive says of it, and if `verify` checks all of it.
    pub fn check(&self, index: &Index, verify: bool) -> Result<Option<VerifyReport>, SnapshotError> {
        let said = self.snapshot();
        for (what, said, found) in [
            ("generation", said.generation, index.generation()),
            ("products", said.products, index.len() as u64),
        ] {
            if said != found {
                return Err(self.unsound(format!("{what} should be {said} and is {found}")));
            }
        }
        if !verify {
            return Ok(None);
        }
        let report = index.verify(None);
        match report.problems.first() {
            None => Ok(Some(report)),
            Some(first) if report.problem_count == 1 => Err(self.unsound(first.to_string())),
            Some(first) => {
                Err(self.unsound(format!("{first} (the first of {} problems)", report.problem_count)))
            }
        }
    }

    /// Renames it to where it is meant to be. It must not be open any more. Until this returns there is nothing at that
    /// place, and then all of it.
    pub fn put_in_place(self) -> Result<(), SnapshotError> {
        Ok(self.unpacked.put_in_place()?)
    }

    fn unsound(&self, problem: String) -> SnapshotError {
        SnapshotError::Unsound { archive: self.archive.clone(), problem }
    }
}

impl Index {
    /// Makes an index at `target`, a new or an empty folder, from an archive, and opens it to write: unpacks it to a
    /// neighbour, opens it there, which makes the graphs again, compares it with what the archive says, verifies it if
    /// `verify`, and renames it. Whatever fails or crashes before the end leaves nothing at `target`.
    pub fn restore(
        archive: &Path,
        target: &Path,
        verify: bool,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<(Self, Option<VerifyReport>), SnapshotError> {
        let restoring = Restoring::unpack(archive, target, progress)?;
        let report = restoring.check(&restoring.open()?, verify)?;
        restoring.put_in_place()?;
        Ok((Self::open(target)?, report))
    }
}

/// Tells a newer index before anything is unpacked.
fn refuse_newer(archive: &Path) -> Result<(), SnapshotError> {
    let opened = |source| ArchiveError::Io { action: "open", path: archive.into(), source };
    let reader = Reader::new(File::open(archive).map_err(opened)?, archive)?;
    let found = reader.snapshot().index_format;
    if found > FORMAT_VERSION {
        return Err(SnapshotError::NewerFormat { archive: archive.into(), found, supported: FORMAT_VERSION });
    }
    Ok(())
}
