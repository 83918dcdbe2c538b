//! Writing: batches.
//!
//! A batch is committed to RocksDB first, as one synced write, and published to readers after that. Whatever a crash interrupts,
//! the last commit stands.

use std::sync::Arc;

use xunpin_core::DocId;
use xunpin_hnsw::Coder;

use crate::IndexError;
use crate::batch::{Applied, Batch, Change, StaticVector, Upsert};
use crate::index::Index;
use crate::journal;
use crate::record::{self, DEAD_PREFIX, Entry, State};
use crate::segment;
use crate::static_vectors::StaticRows;
use crate::store::{Family, Writes};
use crate::tail::Block;
use crate::view::View;

impl Index {
    /// Writes a batch: all of it, durably, or nothing. Reads see it when this has returned. Where the live part has
    /// reached [`freeze_at`](crate::IndexOptions::freeze_at), it is frozen meanwhile, on a thread of its own; should that fail, a
    /// note says why. Only a live part that is many times as long makes a batch wait.
    ///
    /// Products get their internal numbers in the order of the batch. One that comes with a vector always gets a new
    /// number, and its old one is never given again.
    pub fn apply(&self, batch: Batch) -> Result<Applied, IndexError> {
        let mut writer = self.core.writer()?;
        let mut batch = batch;
        let jobs = std::mem::take(&mut batch.jobs);
        let changes = batch.into_changes(self.options().dimension)?;
        let ids: Vec<&str> = changes.iter().map(|(id, _)| id.as_str()).collect();
        let before = self.lookup(&ids)?;

        let view = self.view();
        let mut pending = Pending {
            writes: self.core.store.batch(),
            state: writer.state,
            statics: StaticRows::new(&writer.state),
            block: Block::new(&view.coder),
            coder: &view.coder,
            journal: record::Change::default(),
            applied: Applied::default(),
        };
        for ((id, change), before) in changes.iter().zip(before) {
            match change {
                Change::Delete => pending.delete(id, before),
                Change::Upsert(upsert) => pending.upsert(upsert, before)?,
                Change::Static(vector) => {
                    let entry = before.ok_or_else(|| IndexError::NoProduct { id: id.clone() })?;
                    pending.set_static(entry.doc, vector)?;
                }
            }
        }
        for (job, bytes) in &jobs {
            match bytes {
                Some(bytes) => pending.writes.put(Family::Jobs, job.as_bytes(), bytes),
                None => pending.writes.delete(Family::Jobs, job.as_bytes()),
            }
        }
        let Pending { mut writes, mut state, statics, block, mut journal, mut applied, .. } = pending;
        state.generation += 1;
        statics.finish(&mut state);
        journal::write(&mut writes, state.generation, &mut journal);
        writes.put_state(&state);
        writes.commit()?;

        writer.state = state;
        applied.generation = state.generation;
        let mut view = View::clone(&view);
        view.tail = view.tail.with(block, self.options());
        if !journal.removed.is_empty() {
            let dead = Arc::make_mut(&mut view.dead);
            journal.removed.into_iter().for_each(|doc| {
                dead.insert(doc);
            });
        }
        view.generation = state.generation;
        view.static_version = state.static_version;
        view.products = state.products as usize;
        view.next_doc = state.next_doc;
        self.core.publish(view);
        drop(writer);
        self.tidy();
        Ok(applied)
    }
}

/// A batch being worked out.
struct Pending<'a> {
    writes: Writes<'a>,
    state: State,
    statics: StaticRows,
    block: Block,
    journal: record::Change,
    applied: Applied,
    coder: &'a Coder,
}

impl Pending<'_> {
    fn delete(&mut self, id: &str, before: Option<Entry>) {
        let Some(entry) = before else {
            self.applied.missing += 1;
            return;
        };
        self.writes.delete(Family::Ids, id.as_bytes());
        self.retire(entry.doc);
        self.state.products = self.state.products.saturating_sub(1);
        self.applied.deleted += 1;
    }

    fn upsert(&mut self, upsert: &Upsert, before: Option<Entry>) -> Result<(), IndexError> {
        let id = &upsert.product.id;
        let doc = match (&upsert.vector, before) {
            (None, None) => return Err(IndexError::VectorMissing { id: id.clone() }),
            (None, Some(entry)) => {
                self.applied.updated_in_place += 1;
                entry.doc
            }
            (Some(vector), before) => {
                match before {
                    Some(entry) => {
                        self.retire(entry.doc);
                        self.applied.re_embedded += 1;
                    }
                    None => {
                        self.state.products += 1;
                        self.applied.inserted += 1;
                    }
                }
                self.add(vector)?
            }
        };
        let entry = Entry { doc, content_hash: upsert.content_hash };
        self.writes.put(Family::Ids, id.as_bytes(), &entry.encode());
        self.writes.put(Family::Products, &record::doc_key(doc), &record::encode_product(&upsert.product));
        self.journal.written.push(doc);
        self.set_static(doc, &upsert.static_vector)
    }

    fn set_static(&mut self, doc: DocId, vector: &StaticVector) -> Result<(), IndexError> {
        match vector {
            StaticVector::Keep => Ok(()),
            StaticVector::Set(vector) => self.statics.put(&mut self.writes, doc, vector),
            StaticVector::Clear => {
                self.statics.delete(&mut self.writes, doc);
                Ok(())
            }
        }
    }

    /// Stores a vector under the next number. What is searched is what is stored, rounding included.
    fn add(&mut self, vector: &[f32]) -> Result<DocId, IndexError> {
        // The last number stays free: it marks empty slots of segments.
        if self.state.next_doc == segment::NONE {
            return Err(IndexError::Full);
        }
        let doc = DocId(self.state.next_doc);
        self.state.next_doc += 1;
        let stored = record::encode_vector(vector);
        self.writes.put(Family::Vectors, &record::doc_key(doc), &stored);
        // The batch has checked its length.
        self.block.push(self.coder, doc.0, &stored);
        Ok(doc)
    }

    /// The product's row goes, and its static vector; the vector stays under a tombstone, because graphs hold it and a
    /// segment's file is made again from it.
    fn retire(&mut self, doc: DocId) {
        self.writes.delete(Family::Products, &record::doc_key(doc));
        self.writes.put(Family::Meta, &record::meta_key(DEAD_PREFIX, doc.0), &[]);
        self.statics.delete(&mut self.writes, doc);
        self.journal.removed.push(doc);
    }
}
