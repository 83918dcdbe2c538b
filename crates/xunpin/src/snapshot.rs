//! An index in one file, and back: what belongs to the engine beside the store (word vectors come along, the full-text index
//! is made again).

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use xunpin_index::{Restoring, SnapshotReport};

use crate::lexical::LexicalNote;
use crate::{Engine, EngineBuilder, EngineError};

/// How an index is restored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// Checks every record, vector and graph before the index is put in its place. On by default. The archive's checksums are
    /// compared in any case.
    pub verify: bool,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        Self { verify: true }
    }
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RestoreReport {
    /// The index's generation, as it was when the snapshot was taken.
    pub generation: u64,
    /// Products in the index.
    pub products: u64,
    /// Version of the program that took the snapshot.
    pub created_by: String,
    /// When it was taken, in seconds since 1970.
    pub created_unix: u64,
    /// Files in the archive.
    pub files: u64,
    /// Bytes of these files.
    pub bytes: u64,
    /// Frozen graphs, whose files were made again.
    pub segments: usize,
    /// Whether everything was checked.
    pub verified: bool,
    /// Wall time in seconds.
    pub seconds: f64,
}

impl Engine {
    /// Puts the index into one file: the state after some commit, with all commits that were acknowledged before the call.
    /// Searches and writes go on meanwhile, in this process and in others; see
    /// [`Index::snapshot`](xunpin_index::Index::snapshot). `progress` is told bytes archived and bytes in all, and may
    /// stop it.
    pub fn snapshot(
        &self,
        out: impl AsRef<Path>,
        overwrite: bool,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<SnapshotReport, EngineError> {
        Ok(self.index.snapshot(out.as_ref(), overwrite, &mut progress)?)
    }

    /// Makes an index of an archive that [`snapshot`](Self::snapshot) has written, at the folder of `into`, which must be new
    /// or empty, and opens it to write. Everything is done in a folder beside it, which is renamed last: graphs and the
    /// full-text index are made again, and all of it is checked. Whatever fails before that leaves nothing behind. The
    /// model need not be at hand. `progress` is told bytes unpacked and bytes in all, and may stop the unpacking.
    pub fn restore(
        archive: impl AsRef<Path>,
        into: EngineBuilder,
        options: &RestoreOptions,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<(Engine, RestoreReport), EngineError> {
        let started = Instant::now();
        let restoring = Restoring::unpack(archive.as_ref(), &into.path, &mut progress)?;
        let said = restoring.snapshot().clone();
        let report = {
            let index = restoring.open()?;
            restoring.check(&index, options.verify)?;
            let segments = index.stats().segments.len();
            let engine = Self::builder(restoring.folder()).over(index)?;
            // That graphs and words were made again is as it has to be; anything else is said by the opening below.
            for note in engine.lexical.notes() {
                if let LexicalNote::NotFollowed { reason } = note {
                    return Err(EngineError::FullTextNotMade { path: into.path, reason });
                }
            }
            RestoreReport {
                generation: said.generation,
                products: said.products,
                created_by: said.created_by,
                created_unix: said.created_unix,
                files: said.files,
                bytes: said.bytes,
                segments,
                verified: options.verify,
                seconds: 0.0,
            }
        };
        restoring.put_in_place()?;
        let engine = into.open()?;
        Ok((engine, RestoreReport { seconds: started.elapsed().as_secs_f64(), ..report }))
    }
}
