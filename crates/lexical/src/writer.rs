use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use tantivy::index::SegmentId;
use tantivy::indexer::{IndexWriterOptions, NoMergePolicy};
use tantivy::{IndexWriter, TantivyDocument, TantivyError, Term};
use xunpin_core::{DocId, Product};

use crate::LexicalError;
use crate::commit::Commit;
use crate::index::Shared;
use crate::merge::{Size, next_merge};
use crate::schema::document;

/// Bytes tantivy gathers before it writes a segment out; near the least it takes (15 MB).
const MEMORY: usize = 20_000_000;

/// Changes an index. There is one at a time; what is not committed is lost with it.
///
/// After an error nothing since the last commit is in the index, and the writer goes on from there: the caller brings the
/// changes again, from the store.
pub struct LexicalWriter {
    shared: Arc<Shared>,
    /// None after an error, until the next change.
    inner: Option<IndexWriter>,
    /// What the commit will add (true) or remove.
    pending: BTreeMap<DocId, bool>,
}

impl LexicalWriter {
    pub(crate) fn new(shared: Arc<Shared>) -> Result<Self, LexicalError> {
        let inner = open(&shared)?;
        Ok(Self { shared, inner: Some(inner), pending: BTreeMap::new() })
    }

    /// Adds a product, or replaces what the index holds under its number.
    pub fn upsert(&mut self, doc: DocId, product: &Product) -> Result<(), LexicalError> {
        self.upsert_all(&[(doc, product)])
    }

    /// As [`upsert`](Self::upsert) for each of the products, which are analysed in parallel and added in order.
    pub fn upsert_all<P: Borrow<Product> + Sync>(
        &mut self,
        products: &[(DocId, P)],
    ) -> Result<(), LexicalError> {
        let (analyzer, fields) = (&self.shared.words.analyzer, self.shared.fields);
        let document = |(doc, product): &(DocId, P)| document(analyzer, &fields, *doc, product.borrow());
        let documents: Vec<TantivyDocument> = products.par_iter().map(document).collect();
        for ((doc, _), document) in products.iter().zip(documents) {
            self.run("take a product in", |writer| {
                writer.delete_term(Term::from_field_u64(fields.doc, u64::from(doc.0)));
                writer.add_document(document).map(drop)
            })?;
            self.pending.insert(*doc, true);
        }
        Ok(())
    }

    /// Removes a product; one that is not there is none the less.
    pub fn delete(&mut self, doc: DocId) -> Result<(), LexicalError> {
        let field = self.shared.fields.doc;
        self.run("drop a product", |writer| {
            writer.delete_term(Term::from_field_u64(field, u64::from(doc.0)));
            Ok(())
        })?;
        self.pending.insert(doc, false);
        Ok(())
    }

    /// Makes the changes durable as the state of the store's `generation`, and visible to readers made afterwards.
    pub fn commit(&mut self, generation: u64) -> Result<(), LexicalError> {
        self.commit_and_merge(generation, next_merge)
    }

    /// As [`commit`](Self::commit), then merges everything into one segment.
    pub(crate) fn commit_as_one(&mut self, generation: u64) -> Result<(), LexicalError> {
        self.commit_and_merge(generation, |sizes| {
            (sizes.len() > 1).then(|| sizes.iter().map(|size| size.id).collect())
        })
    }

    /// Makes one segment of all, without what is deleted, and gives the disk what that took. The state of the store stays the same;
    /// changes that were not committed are lost.
    pub fn compact(&mut self) -> Result<(), LexicalError> {
        self.pending.clear();
        self.inner = None;
        let generation = self.shared.view().commit.generation;
        self.commit_and_merge(generation, |sizes| {
            let wasteful = sizes.len() > 1 || sizes.iter().any(|size| size.deleted > 0);
            wasteful.then(|| sizes.iter().map(|size| size.id).collect())
        })
    }

    fn commit_and_merge(
        &mut self,
        generation: u64,
        next: impl Fn(&[Size]) -> Option<Vec<SegmentId>>,
    ) -> Result<(), LexicalError> {
        let view = self.shared.view();
        let held = |doc: &DocId| view.ids.binary_search(doc).is_ok();
        let removed = self.pending.iter().filter(|(doc, added)| !**added && held(doc)).count();
        let added = self.pending.iter().filter(|(doc, added)| **added && !held(doc)).count();
        let products = view.ids.len() + added - removed;
        let payload = Commit::new(generation, products, &view.commit.dictionary).to_payload();
        drop(view);
        self.run("commit", |writer| {
            let mut prepared = writer.prepare_commit()?;
            prepared.set_payload(&payload);
            prepared.commit()?;
            while let Some(ids) = next(&sizes(writer)?) {
                writer.merge(&ids).wait()?;
            }
            Ok(())
        })?;
        self.pending.clear();
        self.shared.reload()
    }

    /// Runs a step; after a failure tantivy's writer is given up with everything that was not committed.
    fn run<T>(
        &mut self,
        action: &'static str,
        step: impl FnOnce(&mut IndexWriter) -> Result<T, TantivyError>,
    ) -> Result<T, LexicalError> {
        let mut writer = match self.inner.take() {
            Some(writer) => writer,
            None => open(&self.shared)?,
        };
        match step(&mut writer) {
            Ok(value) => {
                self.inner = Some(writer);
                Ok(value)
            }
            Err(error) => {
                self.pending.clear();
                Err(LexicalError::engine(action, &self.shared.name(), error))
            }
        }
    }
}

/// One indexing thread: the order of documents in segments is the order they come in.
fn open(shared: &Shared) -> Result<IndexWriter, LexicalError> {
    let options = IndexWriterOptions::builder()
        .num_worker_threads(1)
        .num_merge_threads(1)
        .memory_budget_per_thread(MEMORY)
        .build();
    let writer = shared
        .index
        .writer_with_options(options)
        .map_err(|e| LexicalError::engine("be opened for writing", &shared.name(), e))?;
    // Merges run inside commits, so that nothing changes between them.
    writer.set_merge_policy(Box::new(NoMergePolicy));
    Ok(writer)
}

fn sizes(writer: &IndexWriter) -> Result<Vec<Size>, TantivyError> {
    let metas = writer.index().searchable_segment_metas()?;
    Ok(metas
        .iter()
        .map(|meta| Size { id: meta.id(), documents: meta.max_doc(), deleted: meta.num_deleted_docs() })
        .collect())
}
