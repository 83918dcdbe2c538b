//! A new index from the products of an old one: for another model, precision or template.
//!
//! The new index is an ordinary one that notes, in every commit until the last, what it is a rebuild of and how far it has
//! come. So one that was interrupted is never taken for a whole one, and the same rebuild again goes on: what is in is found
//! unchanged.

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use xunpin_core::{DocId, Fingerprint, shorten};
use xunpin_index::{Batch, Entry, Index};

use crate::commit::{Draft, Need};
use crate::{Engine, EngineBuilder, EngineError};

/// The name under which a rebuild's progress stands in the new index until it is complete.
const JOB: &str = "rebuild";
/// Products read at a time.
const READ: usize = 128;
/// Products whose vectors are at hand that are written between two commits.
const WRITES_PER_COMMIT: usize = 4_096;

/// How an index is rebuilt.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RebuildOptions {
    /// Products embedded between two commits; an interruption loses at most these. 128 by default.
    pub batch: usize,
}

impl Default for RebuildOptions {
    fn default() -> Self {
        Self { batch: 128 }
    }
}

/// Counts so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RebuildProgress {
    /// Products of the old index looked at.
    pub done: u64,
    /// Products of the old index.
    pub total: u64,
    /// Products embedded.
    pub embedded: u64,
    /// Products whose vector was copied: the old index's model, precision and text are those of the new one.
    pub copied: u64,
    /// Products that an interrupted rebuild before this one had put in.
    pub unchanged: u64,
}

/// What became of something that belongs to an index and not to a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Carried {
    /// The old index has none.
    Nothing,
    /// The new index has it too.
    Kept,
    /// The new index does without it.
    LeftOut {
        /// Why.
        reason: String,
    },
}

/// What a rebuild did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RebuildReport {
    /// The final counts.
    #[serde(flatten)]
    pub progress: RebuildProgress,
    /// Products that an interrupted rebuild had put in and that the old index no longer holds.
    pub deleted: usize,
    /// Word vectors. They are copied: the text they were trained on may be gone.
    pub word2vec: Carried,
    /// Learned fusion weights. They belong to the scores of one model, and are left out for another.
    pub weights: Carried,
    /// True if the caller stopped it; the same rebuild again goes on from there.
    pub interrupted: bool,
    /// Wall time in seconds, without loading the model.
    pub seconds: f64,
}

/// An index that an interrupted rebuild left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Unfinished {
    /// The old index.
    pub from: PathBuf,
    /// Products of it that are in, at least.
    pub done: u64,
    /// Products of it.
    pub total: u64,
}

impl Unfinished {
    /// A batch that notes it, to which more may be added.
    fn batch(&self) -> Batch {
        let mut batch = Batch::new();
        batch.checkpoint(JOB, serde_json::json!(self).to_string());
        batch
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, done, total } = self;
        write!(
            f,
            "this index is an unfinished rebuild of {}, with {done} of {total} products; the same rebuild again finishes it",
            from.display()
        )
    }
}

impl Engine {
    /// Makes the index of `into` from this one's products, with all that they hold, in the order in which they came. What
    /// `into` does not say is as in this index (model and dimension, template, index options), but for the precision, which is
    /// [`Device::default_precision`](crate::Device::default_precision). Vectors are copied where the same model made them in the same
    /// precision from the same text, and shortened where the new index keeps fewer values. Word vectors are copied; fusion weights
    /// too, unless the model is another.
    ///
    /// Products are taken as they are at the call; open this engine read-only, or write nothing meanwhile. `progress` is
    /// called every 128 products and ends the rebuild early by returning `Break`. An interrupted rebuild leaves an index
    /// that says so in [`notes`](Self::notes), and the same call again finishes it. Any other index in `into`'s place is
    /// refused.
    pub fn rebuild_into(
        &self,
        into: EngineBuilder,
        options: &RebuildOptions,
        mut progress: impl FnMut(&RebuildProgress) -> ControlFlow<()>,
    ) -> Result<(Engine, RebuildReport), EngineError> {
        if let Some(unfinished) = self.unfinished_rebuild()? {
            return Err(EngineError::UnfinishedSource { path: self.index.path().into(), unfinished });
        }
        let mut products =
            self.index.ids().map(|row| Ok(row?.1)).collect::<Result<Vec<Entry>, EngineError>>()?;
        products.sort_unstable_by_key(|entry| entry.doc);
        let begun = Unfinished { from: source_path(&self.index), done: 0, total: products.len() as u64 };
        let (made, resumed) = self.target(into, &begun)?;
        let started = Instant::now();
        let mut run = Run::new(self, &made, options, begun);
        let word2vec = match made.word2vec_take(self) {
            Ok(false) => Carried::Nothing,
            Ok(true) => Carried::Kept,
            // Those of the old index can't be read; a failure to write the new one shows again at once.
            Err(error) => Carried::LeftOut { reason: error.to_string() },
        };
        let weights = self.carry_weights(&made)?;
        let mut interrupted = false;
        for entries in products.chunks(READ) {
            run.advance(entries)?;
            if progress(&run.progress).is_break() {
                interrupted = run.progress.done < run.progress.total;
                break;
            }
        }
        let mut deleted = 0;
        if !interrupted {
            run.commit()?;
            if resumed {
                deleted = self.delete_absent(&made)?;
            }
            made.index.freeze()?;
            let mut batch = Batch::new();
            batch.clear_checkpoint(JOB);
            made.index.apply(batch)?;
        }
        let progress = run.progress;
        made.lexical.follow(&made.index, true);
        let seconds = started.elapsed().as_secs_f64();
        Ok((made, RebuildReport { progress, deleted, word2vec, weights, interrupted, seconds }))
    }

    /// What an interrupted rebuild left of this index.
    pub(crate) fn unfinished_rebuild(&self) -> Result<Option<Unfinished>, EngineError> {
        let bytes = self.index.checkpoint(JOB)?;
        // A note of another version can't be understood, and still says that the index is not whole.
        let unreadable = || Unfinished { from: "another index".into(), done: 0, total: 0 };
        Ok(bytes.map(|bytes| serde_json::from_slice(&bytes).unwrap_or_else(|_| unreadable())))
    }

    /// Opens or makes the new index. True if it is one that was begun before.
    fn target(&self, mut into: EngineBuilder, begun: &Unfinished) -> Result<(Engine, bool), EngineError> {
        let path = into.path.clone();
        let refuse = |problem: String| Err(EngineError::RebuildTarget { path: path.clone(), problem });
        if !Index::exists(&path) {
            if matches!(into.model.choice, crate::model::ModelChoice::OfTheIndex) {
                into.model.choice = self.model.choice(&self.settings.model);
                into.model.dimension.get_or_insert(self.index.options().dimension);
            }
            into.template.get_or_insert_with(|| self.settings.template.clone());
            let (old, change) = (self.index.options().clone(), into.tune);
            into.tune = Box::new(move |options| {
                let dimension = options.dimension;
                options.clone_from(&old);
                options.dimension = dimension;
                change(options);
            });
            return Ok((into.create_with(Some(begun.batch()))?, false));
        }
        let template = into.template.clone();
        let made = into.open()?;
        match made.unfinished_rebuild()? {
            Some(unfinished) if unfinished.from != begun.from => {
                return refuse(unfinished.to_string());
            }
            // Made, and interrupted before its first commit.
            None if made.index.generation() > 0 => return refuse("there is an index already".to_owned()),
            _ => {}
        }
        if template.is_some_and(|template| template != made.settings.template) {
            return refuse(format!("it was begun with another template ({})", made.settings.template));
        }
        // Before anything is read: a model that doesn't fit is told at once.
        made.document_encoder()?;
        made.index.apply(begun.batch())?;
        Ok((made, true))
    }

    fn carry_weights(&self, made: &Engine) -> Result<Carried, EngineError> {
        let weights = match self.weights() {
            Ok(weights) if weights == Default::default() => return Ok(Carried::Nothing),
            Ok(weights) => weights,
            Err(error) => return Ok(Carried::LeftOut { reason: error.to_string() }),
        };
        if !same_model(self.index.fingerprint(), made.index.fingerprint()) {
            let reason =
                "they were learned from the scores of another model; learn new ones with `xunpin tune`";
            return Ok(Carried::LeftOut { reason: reason.to_owned() });
        }
        if made.weights()? != weights {
            made.set_weights(Some(&weights))?;
        }
        Ok(Carried::Kept)
    }

    /// Deletes from `made` what this index does not hold.
    fn delete_absent(&self, made: &Engine) -> Result<usize, EngineError> {
        let ids = made.index.ids().map(|row| Ok(row?.0)).collect::<Result<Vec<String>, EngineError>>()?;
        let mut deleted = 0;
        for ids in ids.chunks(WRITES_PER_COMMIT) {
            let mut batch = Batch::new();
            for (id, _) in ids.iter().zip(self.index.lookup(ids)?).filter(|(_, entry)| entry.is_none()) {
                batch.delete(id);
            }
            if !batch.is_empty() {
                deleted += made.index.apply(batch)?.deleted;
            }
        }
        Ok(deleted)
    }
}

fn same_model(old: &Fingerprint, new: &Fingerprint) -> bool {
    old.differences(new).is_empty() || old.differs_in_precision_alone(new)
}

/// How a rebuild names the old index: the same from any working directory.
fn source_path(index: &Index) -> PathBuf {
    let path: &Path = index.path();
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// One rebuild under way.
struct Run<'a> {
    old: &'a Engine,
    made: &'a Engine,
    batch: u64,
    /// What every commit notes.
    state: Unfinished,
    /// Whether the old index's vectors, or the first values of them, are what the new one's model would give.
    copies: bool,
    progress: RebuildProgress,
    pending: Vec<Draft>,
    /// How many of those are to be embedded.
    embedding: u64,
    /// How many of those have their vector.
    copying: u64,
}

impl<'a> Run<'a> {
    fn new(old: &'a Engine, made: &'a Engine, options: &RebuildOptions, begun: Unfinished) -> Self {
        let (has, wants) = (old.index.fingerprint(), made.index.fingerprint());
        let shortened = Fingerprint { dimension: wants.dimension, ..has.clone() };
        Self {
            old,
            made,
            batch: options.batch.max(1) as u64,
            copies: wants.dimension <= has.dimension && shortened.differences(wants).is_empty(),
            progress: RebuildProgress { total: begun.total, ..RebuildProgress::default() },
            state: begun,
            pending: Vec::new(),
            embedding: 0,
            copying: 0,
        }
    }

    /// Compares products with the new index and commits every full batch.
    fn advance(&mut self, entries: &[Entry]) -> Result<(), EngineError> {
        let docs: Vec<DocId> = entries.iter().map(|entry| entry.doc).collect();
        let found = entries.iter().zip(self.old.index.products(&docs)?);
        let (entries, products): (Vec<&Entry>, Vec<_>) =
            found.filter_map(|(entry, product)| Some((entry, product?))).unzip();
        self.progress.done += (docs.len() - entries.len()) as u64;
        for (entry, mut draft) in entries.into_iter().zip(self.made.draft(products)?) {
            self.progress.done += 1;
            if draft.need == Need::Nothing {
                self.progress.unchanged += 1;
                continue;
            }
            let dimension = self.made.index.options().dimension;
            let vector = || match self.old.index.vector(entry.doc) {
                Some(vector) if vector.len() > dimension => shorten(&vector, dimension),
                vector => vector,
            };
            if self.copies && draft.reuse(entry.content_hash, vector) {
                self.copying += 1;
            } else {
                self.embedding += u64::from(draft.need == Need::Embedding);
            }
            self.pending.push(draft);
            if self.embedding >= self.batch || self.pending.len() >= WRITES_PER_COMMIT {
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
        self.state.done = self.progress.done;
        self.made.commit(std::mem::take(&mut self.pending), self.state.batch())?;
        self.progress.embedded += std::mem::take(&mut self.embedding);
        self.progress.copied += std::mem::take(&mut self.copying);
        self.made.lexical.follow(&self.made.index, false);
        Ok(())
    }
}
