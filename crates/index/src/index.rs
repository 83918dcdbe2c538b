use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde_json::Value;
use xunpin_core::{DocId, DocSet, Fingerprint, Matrix, Neighbor, Product, Strategy};

use crate::lock::WriterLock;
use crate::maintain::Maintenance;
use crate::manifest::{Folder, Manifest};
use crate::record::{self, Entry, State};
use crate::recovery::RecoveryNote;
use crate::resync::WriterGuard;
use crate::store::{Family, Store};
use crate::view::{ExactScan, GraphSearch, View};
use crate::{IndexError, IndexOptions};

/// An index folder, open. Shared between threads as it is: searches run while one thread writes, and see every batch
/// as a whole once [`apply`](Self::apply) has returned. Segments are frozen and merged on a thread of its own, which ends with it.
pub struct Index {
    pub(crate) core: Arc<Core>,
}

/// What an open index and its background thread share.
pub(crate) struct Core {
    pub(crate) folder: Folder,
    pub(crate) manifest: Manifest,
    // Before `writer`: the store must be closed when the lock is given back.
    pub(crate) store: Store,
    pub(crate) view: RwLock<Arc<View>>,
    /// Absent where the index is open for reading. Taken after `maintenance.making`.
    pub(crate) writer: Option<Mutex<Writer>>,
    pub(crate) notes: Mutex<Vec<RecoveryNote>>,
    pub(crate) maintenance: Maintenance,
}

/// What only the one writer needs.
pub(crate) struct Writer {
    pub(crate) _lock: WriterLock,
    pub(crate) state: State,
    /// Rises when what is in memory was made anew from the store; what was decided before is void then.
    pub(crate) epoch: u64,
}

/// What a search may be told.
#[derive(Clone, Copy, Debug, Default)]
pub struct SearchOptions<'a> {
    /// Only these products.
    pub allowed: Option<&'a DocSet>,
    /// How to search. [`Strategy::Auto`] compares all vectors where the index, or the set of allowed products, holds at most
    /// [`exact_below`](IndexOptions::exact_below), which is as quick there and finds everything. [`Strategy::Graph`] looks at
    /// codes alone where that is quicker than walking.
    pub strategy: Strategy,
    /// Candidates that a walk keeps, at least `k`; more find better and take longer. `None`: what each segment was measured to
    /// need for the recall that the index wants ([`IndexOptions::recall`]).
    pub ef: Option<usize>,
}

/// What a search found, and how.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SearchOutcome {
    /// The neighbours, best first.
    pub neighbors: Vec<Neighbor>,
    /// The strategy used: `Exact` or `Graph`.
    pub strategy: Strategy,
    /// Vectors the query was compared with.
    pub scanned: usize,
}

/// Vectors of products that were asked for by number.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Gathered {
    /// For each number whether it has a vector, that is, whether its product lives.
    pub present: Vec<bool>,
    /// A row for each number; zeros where there is no vector.
    pub rows: Matrix,
}

impl Index {
    /// The index's folder.
    pub fn path(&self) -> &Path {
        self.core.folder.path()
    }

    /// What made the vectors. Comparing it with the encoder in use is the caller's duty.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.core.manifest.fingerprint
    }

    /// The options it was made with.
    pub fn options(&self) -> &IndexOptions {
        &self.core.manifest.options
    }

    /// The caller's own settings, as given to [`create`](Self::create).
    pub fn extra(&self) -> &Value {
        &self.core.manifest.extra
    }

    /// Version of the program that made it.
    pub fn created_by(&self) -> &str {
        &self.core.manifest.created_by
    }

    /// True if it can't be written to through this value.
    pub fn is_read_only(&self) -> bool {
        self.core.writer.is_none()
    }

    /// Number of products.
    pub fn len(&self) -> usize {
        self.view().products
    }

    /// True if it holds no product.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rises by one with every batch. What is derived from the products (a filter's [`DocSet`]) holds for one
    /// generation; ask for it before deriving.
    pub fn generation(&self) -> u64 {
        self.view().generation
    }

    /// What had to be mended when the index was opened or while it was written, oldest first.
    pub fn notes(&self) -> Vec<RecoveryNote> {
        self.core.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Presence, internal number and content hash of products by their ids, in the order asked.
    pub fn lookup<S: AsRef<str>>(&self, ids: &[S]) -> Result<Vec<Option<Entry>>, IndexError> {
        let keys: Vec<&[u8]> = ids.iter().map(|id| id.as_ref().as_bytes()).collect();
        self.core.store.get_many(Family::Ids, &keys, |at, row| {
            Entry::decode(row)
                .ok_or_else(|| self.core.store.damaged(format!("ids row of `{}`", ids[at].as_ref())))
        })
    }

    /// The product of an id.
    pub fn get(&self, id: &str) -> Result<Option<Product>, IndexError> {
        match self.lookup(&[id])?[..] {
            [Some(entry)] => self.product(entry.doc),
            _ => Ok(None),
        }
    }

    /// The product of an internal number; `None` if it was deleted, also since the search that gave it.
    pub fn product(&self, doc: DocId) -> Result<Option<Product>, IndexError> {
        let row = self.core.store.get(Family::Products, &record::doc_key(doc))?;
        row.map(|row| self.read_product(doc, &row)).transpose()
    }

    /// The products of internal numbers, in the order asked.
    pub fn products(&self, docs: &[DocId]) -> Result<Vec<Option<Product>>, IndexError> {
        let keys: Vec<[u8; 4]> = docs.iter().copied().map(record::doc_key).collect();
        self.core.store.get_many(Family::Products, &keys, |at, row| self.read_product(docs[at], row))
    }

    fn read_product(&self, doc: DocId, row: &[u8]) -> Result<Product, IndexError> {
        record::decode_product(row).map_err(|e| self.core.store.damaged(format!("product {doc}: {e}")))
    }

    /// The stored vector of a product, as rounded to half precision.
    pub fn vector(&self, doc: DocId) -> Option<Vec<f32>> {
        let mut vector = vec![0.0; self.options().dimension];
        self.core.copy_vector(&self.view(), doc, &mut vector).then_some(vector)
    }

    /// The stored vectors of products, in the order asked, of one generation. Faster than [`vector`](Self::vector) one
    /// by one: for scoring the candidates of another search.
    pub fn gather(&self, docs: &[DocId]) -> Gathered {
        let view = self.view();
        let dimension = view.dimension();
        let mut rows = vec![0.0; docs.len() * dimension];
        let copy = |(doc, row): (&DocId, &mut [f32])| self.core.copy_vector(&view, *doc, row);
        let present = docs.iter().zip(rows.chunks_exact_mut(dimension)).map(copy).collect();
        Gathered { present, rows: Matrix::new(rows, dimension) }
    }

    /// All ids in byte order, with their entries, as they were when it was called.
    pub fn ids(&self) -> impl Iterator<Item = Result<(String, Entry), IndexError>> + '_ {
        self.core.store.rows(Family::Ids, &[]).map(|row| {
            let (key, value) = row?;
            let id = String::from_utf8(key.into_vec())
                .map_err(|_| self.core.store.damaged("an ids row's key is not UTF-8".into()))?;
            let entry =
                Entry::decode(&value).ok_or_else(|| self.core.store.damaged(format!("ids row of `{id}`")))?;
            Ok((id, entry))
        })
    }

    /// Calls `visit` with every product in the order of their internal numbers, as they were when it was called.
    pub fn for_each_product(&self, mut visit: impl FnMut(DocId, &Product)) -> Result<(), IndexError> {
        self.core.store.scan(Family::Products, &[], |key, row| {
            let doc =
                record::key_doc(key).ok_or_else(|| self.core.store.damaged("a products row's key".into()))?;
            visit(doc, &self.read_product(doc, row)?);
            Ok(ControlFlow::Continue(()))
        })
    }

    /// The products for which `predicate` holds. Reads and parses every product: keep the set while the generation
    /// stays the same.
    pub fn filter_ids(&self, predicate: impl Fn(&Product) -> bool) -> Result<DocSet, IndexError> {
        let mut set = DocSet::new();
        self.for_each_product(|doc, product| {
            if predicate(product) {
                set.insert(doc);
            }
        })?;
        Ok(set)
    }

    /// What was last noted for `job`.
    pub fn checkpoint(&self, job: &str) -> Result<Option<Vec<u8>>, IndexError> {
        self.core.store.get(Family::Jobs, job.as_bytes())
    }

    /// The exact scan of the index as it is now.
    pub fn exact_scan(&self) -> ExactScan {
        ExactScan::new(self.view())
    }

    /// The graph of the index as it is now; `ef` as in [`SearchOptions`].
    pub fn graph_search(&self, ef: Option<usize>) -> GraphSearch {
        GraphSearch::new(self.view(), ef)
    }

    /// The `k` products nearest to `query` (unit norm, the index's dimension).
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        options: &SearchOptions<'_>,
    ) -> Result<SearchOutcome, IndexError> {
        let view = self.view();
        let strategy = match options.strategy {
            Strategy::Auto => self.plan(&view, options.allowed),
            asked => asked,
        };
        let (neighbors, scanned) = match strategy {
            Strategy::Graph => {
                GraphSearch::new(view, options.ef).nearest_counted(query, k, options.allowed)?
            }
            _ => ExactScan::new(view).nearest_counted(query, k, options.allowed)?,
        };
        Ok(SearchOutcome { neighbors, strategy, scanned })
    }

    /// What [`Strategy::Auto`] stands for.
    pub(crate) fn plan(&self, view: &View, allowed: Option<&DocSet>) -> Strategy {
        let candidates = allowed.map_or(view.products, DocSet::len);
        if candidates <= self.options().exact_below { Strategy::Exact } else { Strategy::Graph }
    }

    /// The present view; holding it holds nothing up.
    pub(crate) fn view(&self) -> Arc<View> {
        self.core.view()
    }
}

impl Core {
    /// The present view; holding it holds nothing up.
    pub(crate) fn view(&self) -> Arc<View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn publish(&self, view: View) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }

    pub(crate) fn options(&self) -> &IndexOptions {
        &self.manifest.options
    }

    pub(crate) fn note(&self, note: RecoveryNote) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    /// The right to write, or the reason why not.
    pub(crate) fn writer(&self) -> Result<WriterGuard<'_>, IndexError> {
        let path = self.folder.path();
        let Some(writer) = &self.writer else {
            return Err(IndexError::ReadOnly { path: path.into() });
        };
        // A panic may have left a committed batch unpublished; freezing on top of that would lose it.
        let mut writer = writer.lock().map_err(|_| IndexError::Interrupted { path: path.into() })?;
        self.resync(&mut writer)?;
        Ok(WriterGuard { core: self, writer })
    }

    /// Copies the vector of `doc` into `row`, if it is not deleted; false where there is none. Where the disk has changed the
    /// mapped one, it is read from the store.
    fn copy_vector(&self, view: &View, doc: DocId, row: &mut [f32]) -> bool {
        if view.dead.contains(doc) {
            return false;
        }
        match view.vector(doc) {
            Ok(Some(vector)) => {
                row.iter_mut().zip(vector).for_each(|(to, from)| *to = from.to_f32());
                true
            }
            Ok(None) => false,
            Err(_) => {
                let mut values = Vec::with_capacity(row.len());
                let stored = self.store.get(Family::Vectors, &record::doc_key(doc));
                let whole = stored.is_ok_and(|stored| {
                    stored.is_some_and(|stored| record::decode_vector(&stored, row.len(), &mut values))
                });
                if whole {
                    row.copy_from_slice(&values);
                }
                whole
            }
        }
    }
}

impl Drop for Index {
    /// A writer leaves the index quick to open. What was committed is as durable before as after.
    fn drop(&mut self) {
        self.core.end_maintenance();
        if !self.is_read_only() {
            self.core.store.settle();
        }
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index")
            .field("path", &self.path())
            .field("read_only", &self.is_read_only())
            .finish_non_exhaustive()
    }
}
