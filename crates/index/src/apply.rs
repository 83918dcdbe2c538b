//! Writing: batches and freezing.
//!
//! A batch is committed to RocksDB first, as one synced write, and published to readers after that; a freeze puts its
//! file in place first, then commits the record that names it, then publishes. Whatever a crash interrupts, the last
//! commit stands.

use std::sync::Arc;

use xunpin_core::{DocId, DocSet};

use crate::IndexError;
use crate::batch::{Applied, Batch, Change, StaticVector, Upsert};
use crate::builder::GraphBuilder;
use crate::index::{Index, Writer};
use crate::journal;
use crate::record::{self, DEAD_PREFIX, Entry, State};
use crate::recovery::RecoveryNote;
use crate::segment::{self, Segment};
use crate::static_vectors::StaticRows;
use crate::store::{Family, Writes};
use crate::tail::{Block, Tail};
use crate::view::View;

/// A tail with more deleted than live vectors is trimmed, once it has this many deleted ones.
const TRIM_AT: usize = 1_000;

impl Index {
    /// Writes a batch: all of it, durably, or nothing. Reads see it when this has returned. When the live part has
    /// reached [`freeze_at`](crate::IndexOptions::freeze_at), it is frozen before this returns; should that fail, the
    /// batch is written all the same and a note says why.
    ///
    /// Products get their internal numbers in the order of the batch. One that comes with a vector always gets a new
    /// number, and its old one is never given again.
    pub fn apply(&self, batch: Batch) -> Result<Applied, IndexError> {
        let mut writer = self.writer()?;
        let mut batch = batch;
        let jobs = std::mem::take(&mut batch.jobs);
        let changes = batch.into_changes(self.options().dimension)?;
        let ids: Vec<&str> = changes.iter().map(|(id, _)| id.as_str()).collect();
        let before = self.lookup(&ids)?;

        let mut pending = Pending {
            writes: self.store.batch(),
            state: writer.state,
            statics: StaticRows::new(&writer.state),
            block: Block::default(),
            journal: record::Change::default(),
            applied: Applied::default(),
            dimension: self.options().dimension,
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
        let mut view = View::clone(&self.view());
        view.tail = view.tail.with(block, writer.graph_from, self.options());
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
        let (rows, dead_rows) = (view.tail.rows(), view.tail.dead_rows(&view.dead));
        self.publish(view);

        let tidied = if dead_rows > TRIM_AT.max(rows - dead_rows) {
            self.trim_tail(&mut writer)
        } else if rows >= self.options().freeze_at {
            self.freeze_tail(&mut writer, 1).map(|frozen| applied.frozen = frozen)
        } else {
            Ok(())
        };
        if let Err(error) = tidied {
            self.note(RecoveryNote::FreezeFailed { reason: error.to_string() });
        }
        Ok(applied)
    }

    /// Turns the live part into a frozen segment if it holds at least
    /// [`freeze_min`](crate::IndexOptions::freeze_min) vectors; else only drops what is deleted of it. True if it was
    /// frozen. Call it at the end of an ingest run. Searches go on meanwhile, batches wait.
    pub fn freeze(&self) -> Result<bool, IndexError> {
        let mut writer = self.writer()?;
        let minimum = self.options().freeze_min;
        let frozen = self.freeze_tail(&mut writer, minimum)?;
        if !frozen && self.view().tail.dead_rows(&self.view().dead) > 0 {
            self.trim_tail(&mut writer)?;
        }
        Ok(frozen)
    }

    fn freeze_tail(&self, writer: &mut Writer, minimum: usize) -> Result<bool, IndexError> {
        let view = self.view();
        let options = self.options();
        let dead_rows = view.tail.dead_rows(&view.dead);
        if view.tail.rows() - dead_rows < minimum {
            return Ok(false);
        }
        // A live graph is kept with its deleted nodes unless they are many; a graph made anew leaves them out.
        let live = view.tail.complete_graph().filter(|_| dead_rows * 10 <= view.tail.rows());
        let (block, adjacency, dropped) = match live {
            Some(live) => {
                let block = view.tail.collect(options.dimension, &DocSet::new());
                let adjacency = live.graph.export(&block.ids);
                (block, adjacency, Vec::new())
            }
            None => {
                let block = view.tail.collect(options.dimension, &view.dead);
                let adjacency = GraphBuilder::build(options, &block.ids, &block.vectors).export(&block.ids);
                (block, adjacency, dead_in(&view))
            }
        };
        let mut state = writer.state;
        let first_doc = view.segments.last().map_or(0, |s| s.record().end_doc);
        let docs = first_doc..view.next_doc;
        let bytes = adjacency.encode();
        let record = segment::record(state.next_segment, docs, &adjacency, &bytes, &block.vectors);
        state.next_segment += 1;
        let path = self.folder.segment(record.number);
        Segment::write(&path, &record, options.dimension, &bytes, &block.vectors)?;
        // Mapped before the commit, so that nothing can fail between it and publishing.
        let segment = Segment::open(&path, &record, options.dimension)?
            .map_err(|problem| self.store.damaged(format!("{}, just written: {problem}", path.display())))?;

        let mut writes = self.store.batch();
        writes.put_segment(&record, &bytes);
        bury(&mut writes, &dropped);
        writes.put_state(&state);
        writes.commit()?;

        writer.state = state;
        writer.graph_from = state.next_doc;
        let mut next = View::clone(&view);
        next.segments.push(Arc::new(segment));
        next.tail = Tail::default();
        forget(&mut next, &dropped);
        self.publish(next);
        Ok(true)
    }

    /// Drops the tail's deleted vectors, and its graph with them: the next batch begins another if it is due.
    fn trim_tail(&self, writer: &mut Writer) -> Result<(), IndexError> {
        let view = self.view();
        let dropped = dead_in(&view);
        let mut writes = self.store.batch();
        bury(&mut writes, &dropped);
        writes.commit()?;

        let mut next = View::clone(&view);
        next.tail = Tail::from_blocks([view.tail.collect(self.options().dimension, &view.dead)]);
        if view.tail.graph().is_some() {
            writer.graph_from = next.tail.ids().next().unwrap_or(view.next_doc);
        }
        forget(&mut next, &dropped);
        self.publish(next);
        Ok(())
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
    dimension: usize,
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
        self.block.ids.push(doc.0);
        record::decode_vector(&stored, self.dimension, &mut self.block.vectors);
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

/// The tail's deleted numbers.
fn dead_in(view: &View) -> Vec<DocId> {
    view.tail.ids().map(DocId).filter(|doc| view.dead.contains(*doc)).collect()
}

/// Removes vectors that no graph holds, and their tombstones.
fn bury(writes: &mut Writes<'_>, docs: &[DocId]) {
    for doc in docs {
        writes.delete(Family::Vectors, &record::doc_key(*doc));
        writes.delete(Family::Meta, &record::meta_key(DEAD_PREFIX, doc.0));
    }
}

fn forget(view: &mut View, docs: &[DocId]) {
    if !docs.is_empty() {
        let dead = Arc::make_mut(&mut view.dead);
        for doc in docs {
            dead.remove(*doc);
        }
    }
}
