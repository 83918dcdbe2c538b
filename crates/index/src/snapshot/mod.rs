//! An index in one file, and an index of such a file.
//!
//! ```text
//! writer's store ── checkpoint (hard links) ──► snapshot-*.tmp/db ─┐
//! reader's store ── rows of one moment ───────► OUT.store.tmp/db ──┼─► OUT (manifest.json, db/, word2vec/)
//!                   manifest.json, word2vec/ ──────────────────────┘
//! OUT ──► NEW.restore.tmp/index ── opened for writing: graph/ ──► verified ── rename ──► NEW
//! ```
//!
//! What is derived from the store (`graph/`, `lexical/`) is not in the file and is made again. The file's layout is
//! `xunpin-archive`'s business.
//!
//! Who holds the right to write takes RocksDB's checkpoint: hard links to the tables, and the logs flushed or copied, so that
//! it holds every batch acknowledged before, and batches wait only for that. A store that is open for reading can't be
//! checkpointed, since nothing keeps the writer from deleting a file in between; so a reader takes the right to write for
//! that moment if nobody has it, and else copies the rows of the state it opens into a store of its own.
//!
//! Word vectors lie beside the store and have to be those that the store speaks of. Under the right to write they can't be
//! exchanged against others with the store saying that all is well (that takes a commit before and one after), so opening
//! the files then is enough: another one put in their place doesn't change what was opened. A reader opens them before the
//! store, and again if one was exchanged before the store was open.

mod error;
mod files;
mod restore;
mod rows;
mod temporary;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use xunpin_archive::{Snapshot, Source};

use crate::index::Index;
use crate::lock::try_writer_lock;
use crate::record::State;
use crate::store::{Access, Store};
pub use error::SnapshotError;
use files::{Words, manifest, store_files};
pub use restore::Restoring;
use temporary::Temporary;
pub(crate) use temporary::{is_checkpoint, remove_leftovers};

/// How often a reader begins again because word vectors were exchanged meanwhile.
const TRIES: u32 = 5;

/// How the state of a moment was held fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SnapshotMethod {
    /// By a checkpoint of the store.
    Checkpoint,
    /// By copying every row, because another process was writing or the index's folder can't be written to. It takes longer,
    /// and for its time as much room beside the archive again.
    Rows,
}

/// What [`Index::snapshot`] did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SnapshotReport {
    /// The generation that the archive holds.
    pub generation: u64,
    /// Products in it.
    pub products: u64,
    /// Files in it.
    pub files: u64,
    /// Bytes of these files.
    pub bytes: u64,
    /// Bytes of the archive.
    pub archive_bytes: u64,
    /// How the state was held fast.
    pub method: SnapshotMethod,
    /// How long batches of this process had to wait at most, in seconds; 0 where it is not the one that writes.
    pub held_seconds: f64,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// The state of one moment, held fast.
struct Held {
    /// Holds the store's copy in a folder `db`.
    folder: Temporary,
    state: State,
    words: Vec<Source>,
    method: SnapshotMethod,
    seconds: f64,
}

impl Index {
    /// Puts everything that can't be made again into one file, `out`: the state after some batch, with all batches that
    /// were acknowledged before the call. It can be called while the index is written, in this process or another one;
    /// batches of this process wait for a moment only. The file appears whole or not at all. One that is there is replaced
    /// if `overwrite`, and else refused.
    ///
    /// `progress` is told the bytes archived and those of all files, about every quarter of a mebibyte, and may stop it.
    pub fn snapshot(
        &self,
        out: &Path,
        overwrite: bool,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<SnapshotReport, SnapshotError> {
        if !overwrite && out.symlink_metadata().is_ok() {
            return Err(SnapshotError::Exists { path: out.into() });
        }
        let started = Instant::now();
        let held = match self.held_by_writer()? {
            Some(held) => held,
            None => self.held_by_rows(out, progress)?,
        };
        let mut files = vec![manifest(&self.core.folder)?];
        files.extend(store_files(&held.folder.db())?);
        files.extend(held.words);
        let about = Snapshot {
            model: self.fingerprint().model.clone(),
            index_format: self.core.manifest.format_version,
            generation: held.state.generation,
            products: held.state.products,
            ..Snapshot::default()
        };
        let written = xunpin_archive::write(out, &about, files, progress)?;
        Ok(SnapshotReport {
            generation: held.state.generation,
            products: held.state.products,
            files: written.snapshot.files,
            bytes: written.snapshot.bytes,
            archive_bytes: written.archive_bytes,
            method: held.method,
            held_seconds: held.seconds,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// By the right to write, if it is ours or nobody's.
    fn held_by_writer(&self) -> Result<Option<Held>, SnapshotError> {
        if !self.is_read_only() {
            let started = Instant::now();
            let _writer = self.core.writer()?;
            let mut held = self.checkpoint_of(&self.core.store)?;
            held.seconds = started.elapsed().as_secs_f64();
            return Ok(Some(held));
        }
        let Some(_lock) = try_writer_lock(self.path())? else { return Ok(None) };
        remove_leftovers(&self.core.folder);
        let store = Store::open(&self.core.folder.db(), Access::Write)?;
        Ok(Some(self.checkpoint_of(&store)?))
    }

    fn checkpoint_of(&self, store: &Store) -> Result<Held, SnapshotError> {
        let words = Words::open(&self.core.folder)?.files;
        let folder = Temporary::in_index(&self.core.folder)?;
        store.checkpoint(&folder.db())?;
        Ok(Held { folder, state: store.state()?, words, method: SnapshotMethod::Checkpoint, seconds: 0.0 })
    }

    /// By reading: the state that is committed now, which may be newer than the one this index shows.
    fn held_by_rows(
        &self,
        out: &Path,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Held, SnapshotError> {
        let folder = Temporary::beside(out)?;
        let (store, words) = self.store_and_words()?;
        let state = rows::copy(&store, &folder.db(), &mut || progress(0, 0))?;
        Ok(Held { folder, state, words, method: SnapshotMethod::Rows, seconds: 0.0 })
    }

    fn store_and_words(&self) -> Result<(Store, Vec<Source>), SnapshotError> {
        for _ in 0..TRIES {
            let before = Words::open(&self.core.folder)?;
            let store = Store::open(&self.core.folder.db(), Access::Read)?;
            if Words::open(&self.core.folder)?.are(&before) {
                return Ok((store, before.files));
            }
        }
        Err(SnapshotError::WordsExchanged { path: self.core.folder.word2vec() })
    }
}
