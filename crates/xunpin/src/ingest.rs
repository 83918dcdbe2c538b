use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use xunpin_index::Batch;
use xunpin_ingest::{Catalogue, Entry, Reject, RejectsWriter};

use crate::commit::{Draft, Need};
use crate::{Engine, EngineError};

/// Records looked up in the index at a time.
const LOOKUP: usize = 128;

/// Records written without embedding between two commits.
const WRITES_PER_COMMIT: usize = 4_096;

/// The share of the index that a sync deletes without being forced.
const SYNC_LIMIT: f64 = 0.2;

/// How a catalogue goes in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IngestOptions {
    /// Products embedded between two commits; a crash or an interruption loses at most these. 128 by default.
    pub batch: usize,
    /// Where rejected lines are kept, as JSONL with the reason; made only if there are any.
    pub rejects: Option<PathBuf>,
    /// Delete the products that the catalogue does not hold.
    pub sync: bool,
    /// Let a sync delete more than a fifth of the index, or delete although lines whose id can't be read were rejected.
    pub force: bool,
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self { batch: 128, rejects: None, sync: false, force: false }
    }
}

/// Counts so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct IngestProgress {
    /// Lines read, good and bad.
    pub read: u64,
    /// Products embedded: new ones and those with a changed text.
    pub embedded: u64,
    /// Products whose record was written and whose vector was kept.
    pub updated: u64,
    /// Products that were in the index exactly so.
    pub unchanged: u64,
    /// Lines rejected.
    pub rejected: u64,
    /// Share of the input read so far, 0 to 1; none where its size is unknown (standard input).
    pub fraction: Option<f64>,
}

/// What a sync did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SyncOutcome {
    /// Products that the catalogue does not hold were deleted.
    Deleted {
        /// How many.
        deleted: usize,
    },
    /// More than a fifth of the index would have gone; nothing was deleted.
    TooMany {
        /// Products that would have been deleted.
        absent: usize,
        /// Products in the index.
        total: usize,
    },
    /// Lines whose id can't be read were rejected: one of them may be a product that seems absent. Nothing was deleted.
    UnreadableIds {
        /// Such lines.
        lines: u64,
        /// Products that would have been deleted.
        absent: usize,
    },
    /// The run was interrupted before the catalogue's end; nothing was deleted.
    Interrupted,
}

/// What an ingest run did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct IngestReport {
    /// The final counts.
    #[serde(flatten)]
    pub progress: IngestProgress,
    /// The first rejected lines, at most 20.
    pub first_rejects: Vec<Reject>,
    /// The file of rejected lines, if there are any and a place was given.
    pub rejects_file: Option<PathBuf>,
    /// What the sync did, if one was asked for.
    pub sync: Option<SyncOutcome>,
    /// True if the caller stopped the run; the same catalogue again goes on from there.
    pub interrupted: bool,
    /// Products that an interrupted run before this one had already put in.
    pub resumed_after: Option<u64>,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// Rejected lines that a report repeats.
const FIRST_REJECTS: usize = 20;

/// The name under which a run's progress stands in the index until it is complete.
const JOB: &str = "ingest";

impl Engine {
    /// Puts a catalogue into the index: new products are embedded, those with a changed text embedded again, those with
    /// other changes written; by id, so that the same catalogue again changes nothing. Each commit holds whole products;
    /// an interrupted run goes on where it stopped, because what it committed is found unchanged. A bad line is
    /// rejected, reported and kept in the rejects file, and the rest goes on; so is a second line with the same id. If
    /// the catalogue can't be read to its end, what came before is committed and the error returned.
    ///
    /// `progress` is called every 128 products and ends the run early by returning `Break`; what was committed stays.
    pub fn ingest(
        &self,
        catalogue: &mut Catalogue,
        options: &IngestOptions,
        mut progress: impl FnMut(&IngestProgress) -> ControlFlow<()>,
    ) -> Result<IngestReport, EngineError> {
        self.must_write()?;
        let started = Instant::now();
        let mut run = Run::new(self, catalogue, options)?;
        let mut interrupted = false;
        while let Some(entry) = catalogue.next() {
            match entry {
                Ok(Entry::Record(record)) => run.unread.push(record.product),
                Ok(Entry::Reject(reject)) => run.reject(reject)?,
                Err(error) => {
                    // What came before the damage is good.
                    run.advance()?;
                    run.commit()?;
                    return Err(error.into());
                }
            }
            run.progress.read += 1;
            if run.unread.len() >= LOOKUP {
                run.advance()?;
                run.progress.fraction = share_read(catalogue);
                if progress(&run.progress).is_break() {
                    interrupted = true;
                    break;
                }
            }
        }
        if !interrupted {
            run.advance()?;
            run.commit()?;
            run.progress.fraction = Some(1.0);
            // Whether the caller wants to stop no longer matters: all is in.
            let _ = progress(&run.progress);
        }
        let sync = match (options.sync, interrupted) {
            (false, _) => None,
            (true, true) => Some(SyncOutcome::Interrupted),
            (true, false) => Some(run.sync(catalogue, options.force)?),
        };
        run.finish(interrupted, sync, started)
    }
}

fn share_read(catalogue: &Catalogue) -> Option<f64> {
    let progress = catalogue.progress();
    let total = progress.bytes_total.filter(|&total| total > 0)?;
    Some(progress.bytes_read as f64 / total as f64)
}

/// One ingest run under way.
struct Run<'a> {
    engine: &'a Engine,
    options: &'a IngestOptions,
    progress: IngestProgress,
    /// Ids of rejected lines: out of date, but not gone.
    rejected_ids: HashSet<String>,
    /// Rejected lines whose id can't be read.
    nameless: u64,
    rejects: Option<RejectsWriter>,
    first_rejects: Vec<Reject>,
    /// Read, not yet compared with the index.
    unread: Vec<xunpin_core::Product>,
    /// Compared, not yet committed.
    pending: Vec<Draft>,
    /// How many of those are to be embedded.
    embedding: usize,
    /// The catalogue's files, by which a run that goes on is told from another one.
    sources: Vec<String>,
    resumed_after: Option<u64>,
}

/// How far a run came; in the index from its first commit to its end.
#[derive(Serialize, Deserialize)]
struct Checkpoint {
    sources: Vec<String>,
    /// Products that were in the index as the catalogue has them.
    done: u64,
}

impl<'a> Run<'a> {
    fn new(
        engine: &'a Engine,
        catalogue: &Catalogue,
        options: &'a IngestOptions,
    ) -> Result<Self, EngineError> {
        let sources: Vec<String> =
            catalogue.sources().iter().map(|s| s.to_string_lossy().into_owned()).collect();
        // A checkpoint only informs: one that can't be understood, of another version say, tells nothing.
        let before =
            engine.index.checkpoint(JOB)?.and_then(|b| serde_json::from_slice::<Checkpoint>(&b).ok());
        let resumed_after = before.filter(|b| b.sources == sources).map(|b| b.done);
        Ok(Self {
            engine,
            options,
            progress: IngestProgress::default(),
            rejected_ids: HashSet::new(),
            nameless: 0,
            rejects: options.rejects.as_deref().map(RejectsWriter::new).transpose()?,
            first_rejects: Vec::new(),
            unread: Vec::new(),
            pending: Vec::new(),
            embedding: 0,
            sources,
            resumed_after,
        })
    }

    fn reject(&mut self, reject: Reject) -> Result<(), EngineError> {
        self.progress.rejected += 1;
        match &reject.id {
            Some(id) => drop(self.rejected_ids.insert(id.clone())),
            None => self.nameless += 1,
        }
        if let Some(writer) = &mut self.rejects {
            writer.write(&reject)?;
        }
        if self.first_rejects.len() < FIRST_REJECTS {
            self.first_rejects.push(reject);
        }
        Ok(())
    }

    /// Compares what was read with the index and commits every full batch.
    fn advance(&mut self) -> Result<(), EngineError> {
        for draft in self.engine.draft(std::mem::take(&mut self.unread))? {
            if draft.need == Need::Nothing {
                self.progress.unchanged += 1;
                continue;
            }
            self.embedding += usize::from(draft.need == Need::Embedding);
            self.pending.push(draft);
            // A batch is full by what it embeds, counted over products in the catalogue's order. So a run that
            // goes on after a crash embeds the same batches as one that never stopped.
            if self.embedding >= self.options.batch.max(1) || self.pending.len() >= WRITES_PER_COMMIT {
                self.commit()?;
            }
        }
        Ok(())
    }

    /// Commits what is pending.
    fn commit(&mut self) -> Result<(), EngineError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.embedding = 0;
        let done = self.progress.embedded + self.progress.updated + self.progress.unchanged;
        let done = done + self.pending.len() as u64;
        let checkpoint = serde_json::json!(Checkpoint { sources: self.sources.clone(), done });
        let mut batch = Batch::new();
        batch.checkpoint(JOB, checkpoint.to_string());
        let applied = self.engine.commit(std::mem::take(&mut self.pending), batch)?;
        self.progress.embedded += (applied.inserted + applied.re_embedded) as u64;
        self.progress.updated += applied.updated_in_place as u64;
        self.engine.lexical.follow(&self.engine.index, false);
        Ok(())
    }

    fn sync(&self, catalogue: &Catalogue, force: bool) -> Result<SyncOutcome, EngineError> {
        let index = &self.engine.index;
        let mut absent = Vec::new();
        for id in index.ids() {
            let (id, _) = id?;
            if !catalogue.seen().contains(&id) && !self.rejected_ids.contains(&id) {
                absent.push(id);
            }
        }
        let total = index.len();
        if self.nameless > 0 && !absent.is_empty() && !force {
            return Ok(SyncOutcome::UnreadableIds { lines: self.nameless, absent: absent.len() });
        }
        if absent.len() as f64 > total as f64 * SYNC_LIMIT && !force {
            return Ok(SyncOutcome::TooMany { absent: absent.len(), total });
        }
        let mut deleted = 0;
        for ids in absent.chunks(WRITES_PER_COMMIT) {
            let mut batch = Batch::new();
            for id in ids {
                batch.delete(id);
            }
            let _one_writes = self.engine.writing.lock().unwrap_or_else(PoisonError::into_inner);
            deleted += index.apply(batch)?.deleted;
        }
        Ok(SyncOutcome::Deleted { deleted })
    }

    fn finish(
        mut self,
        interrupted: bool,
        sync: Option<SyncOutcome>,
        started: Instant,
    ) -> Result<IngestReport, EngineError> {
        let rejects_file = match &mut self.rejects {
            Some(writer) if writer.count() > 0 => {
                writer.flush()?;
                Some(writer.path().to_owned())
            }
            _ => None,
        };
        if !interrupted {
            if self.engine.index.checkpoint(JOB)?.is_some() {
                let mut batch = Batch::new();
                batch.clear_checkpoint(JOB);
                self.engine.index.apply(batch)?;
            }
            self.engine.index.freeze()?;
        }
        self.engine.lexical.follow(&self.engine.index, true);
        Ok(IngestReport {
            progress: self.progress,
            first_rejects: self.first_rejects,
            rejects_file,
            sync,
            interrupted,
            resumed_after: self.resumed_after,
            seconds: started.elapsed().as_secs_f64(),
        })
    }
}
