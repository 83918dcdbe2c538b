use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use xunpin_core::{Encoder, Product};
use xunpin_index::{Batch, Compacted, Index, Stats, VerifyReport};
use xunpin_ingest::content_hash;

use crate::EngineError;
use crate::builder::EngineBuilder;
use crate::fields::Fields;
use crate::lexical::{Lexical, LexicalNote};
use crate::model::{Model, ModelOptions};
use crate::rebuild::Unfinished;
use crate::settings::Settings;
use crate::tune::StoredWeights;
use crate::word2vec::Statics;

/// An open index with the model that understands it. `Send + Sync`: share it behind an `Arc`; searches run during
/// writes and see each commit whole.
pub struct Engine {
    pub(crate) index: Index,
    pub(crate) settings: Settings,
    pub(crate) fields: Fields,
    pub(crate) lexical: Lexical,
    pub(crate) statics: Statics,
    pub(crate) weights: StoredWeights,
    /// Held while a commit is checked against the index and applied.
    pub(crate) writing: Mutex<()>,
    pub(crate) model: Model,
}

/// What [`Engine::delete`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeleteReport {
    /// Products removed.
    pub deleted: usize,
    /// Ids that the index did not hold, in the order given.
    pub unknown: Vec<String>,
}

/// Something that had to be mended, or that is not as it should be; the engine works.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Note {
    /// About the store or the vectors.
    #[error("{0}")]
    Index(xunpin_index::RecoveryNote),
    /// About the full-text index.
    #[error("{0}")]
    Lexical(LexicalNote),
    /// The index is not all that it is meant to be yet.
    #[error("{0}")]
    Unfinished(Unfinished),
}

impl Engine {
    /// Starts opening the index in folder `path`.
    pub fn builder(path: impl AsRef<Path>) -> EngineBuilder {
        EngineBuilder::new(path.as_ref())
    }

    pub(crate) fn new(index: Index, settings: Settings, model: ModelOptions) -> Self {
        let engine = Self {
            fields: Fields::default(),
            lexical: Lexical::new(index.path()),
            statics: Statics::new(index.path()),
            weights: StoredWeights::default(),
            index,
            settings,
            writing: Mutex::new(()),
            model: Model::new(model),
        };
        // A writer mends at once what an interrupted one left; a reader when it needs it. Words are cut only if there is
        // something to mend.
        engine.lexical.follow(&engine.index, true);
        engine
    }

    /// What opening or following the store had to mend, oldest first, and whether the index is unfinished.
    pub fn notes(&self) -> Vec<Note> {
        let unfinished = self.unfinished_rebuild().ok().flatten().map(Note::Unfinished);
        let index = self.index.notes().into_iter().map(Note::Index);
        let lexical = self.lexical.notes().into_iter().map(Note::Lexical);
        index.chain(lexical).chain(unfinished).collect()
    }

    /// The model that encodes queries, loaded on first use (a second or two): call it at start-up to have the first search
    /// quick. Refuses a model that did not make the index's vectors, and another precision of the one that did unless
    /// [`EngineBuilder::allow_precision_mismatch`] allows it.
    pub fn encoder(&self) -> Result<&Arc<dyn Encoder>, EngineError> {
        self.model.encoder(&self.index, &self.settings.model)
    }

    /// The model that encodes products.
    pub(crate) fn document_encoder(&self) -> Result<&Arc<dyn Encoder>, EngineError> {
        self.model.document_encoder(&self.index, &self.settings.model)
    }

    /// The product with the shop's id `id`.
    pub fn get(&self, id: &str) -> Result<Option<Product>, EngineError> {
        Ok(self.index.get(id)?)
    }

    /// Puts products in, in one commit: new ones are embedded, known ones whose rendered text is unchanged only cost
    /// a write. An id twice in one call: the last one counts. Nothing is kept if one of them is refused.
    pub fn upsert(&self, products: &[Product]) -> Result<xunpin_index::Applied, EngineError> {
        for (position, product) in products.iter().enumerate() {
            product.validate().map_err(|source| EngineError::Product {
                position,
                id: product.id.clone(),
                source,
            })?;
        }
        self.must_write()?;
        let drafts = self.draft(last_of_each(products))?;
        let applied = self.commit(drafts, Batch::new())?;
        self.lexical.follow(&self.index, true);
        Ok(applied)
    }

    /// Removes products by the shop's ids, in one commit.
    pub fn delete(&self, ids: &[&str]) -> Result<DeleteReport, EngineError> {
        self.must_write()?;
        let _one_writes = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut report = DeleteReport::default();
        let mut batch = Batch::new();
        let mut seen = std::collections::HashSet::new();
        for (&id, entry) in ids.iter().zip(self.index.lookup(ids)?) {
            if !seen.insert(id) {
                continue;
            }
            match entry {
                Some(_) => drop(batch.delete(id)),
                None => report.unknown.push(id.to_owned()),
            }
        }
        if !batch.is_empty() {
            report.deleted = self.index.apply(batch)?.deleted;
            self.lexical.follow(&self.index, true);
        }
        Ok(report)
    }

    /// Makes one segment of all vectors, drops what is deleted everywhere, the full-text index included, and gives the disk what
    /// that took. Searches and commits go on meanwhile; what comes meanwhile stays in the live part. Needs room for a second
    /// copy of the vectors and their graph until it is done, and no model.
    pub fn compact(&self) -> Result<Compacted, EngineError> {
        self.must_write()?;
        let before = self.stats().bytes.total;
        let mut compacted = self.index.compact()?;
        self.lexical.compact(&self.index)?;
        compacted.bytes_before = before;
        compacted.bytes_after = self.stats().bytes.total;
        Ok(compacted)
    }

    /// Counts and sizes.
    pub fn stats(&self) -> Stats {
        self.index.stats()
    }

    /// Reads everything and says what is wrong; see [`VerifyReport`]. Where the model is at hand, it also compares each
    /// product's text with the one that its vector was made from.
    pub fn verify(&self) -> VerifyReport {
        match self.encoder() {
            Ok(encoder) => {
                let template = &self.settings.template;
                // A text that can't be rendered has no hash that any text has.
                let hash = |p: &Product| template.render(p, encoder.as_ref()).map_or(0, |t| content_hash(&t));
                self.index.verify(Some(&hash))
            }
            Err(_) => self.index.verify(None),
        }
    }

    /// How products become the text that is embedded.
    pub fn template(&self) -> &xunpin_ingest::Template {
        &self.settings.template
    }

    /// The index beneath, for reading what the engine has no words for.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The model named when the index was made.
    pub fn model_name(&self) -> &str {
        &self.settings.model
    }

    pub(crate) fn must_write(&self) -> Result<(), EngineError> {
        if self.index.is_read_only() {
            return Err(EngineError::ReadOnly { path: self.index.path().into() });
        }
        Ok(())
    }
}

fn last_of_each(products: &[Product]) -> Vec<Product> {
    let mut seen = std::collections::HashSet::new();
    let mut kept: Vec<Product> =
        products.iter().rev().filter(|p| seen.insert(p.id.as_str())).cloned().collect();
    kept.reverse();
    kept
}
