//! The truth of an index: rows in families, written in batches. `backend` is what this asks of a database, `rocks` is
//! RocksDB, `log` looks at RocksDB's logs before it does.

mod backend;
#[cfg(test)]
pub(crate) mod faulty;
mod log;
mod rocks;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use xunpin_core::DocId;

pub use backend::StoreError;
use backend::{Backend, Row, Snapshot, WriteBatch};

use crate::IndexError;
use crate::record::{self, DEAD_PREFIX, SEGMENT_PREFIX, STATE_KEY, SegmentRecord, State};

/// A column family; `record` says what its rows hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Meta,
    Ids,
    Products,
    Vectors,
    Graph,
    Jobs,
    /// Absent from indexes made before it existed, until they are opened for writing.
    Static,
}

impl Family {
    pub(crate) const ALL: [Self; 7] =
        [Self::Meta, Self::Ids, Self::Products, Self::Vectors, Self::Graph, Self::Jobs, Self::Static];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Ids => "ids",
            Self::Products => "products",
            Self::Vectors => "vectors",
            Self::Graph => "graph",
            Self::Jobs => "jobs",
            Self::Static => "static",
        }
    }
}

/// How a store is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Made if it is not there.
    Create,
    Write,
    /// A view of what was committed when it was opened.
    Read,
}

/// The truth of an index.
pub(crate) struct Store {
    backend: Box<dyn Backend>,
    path: PathBuf,
    /// A commit failed, so that what is in memory may not be what is stored.
    unsure: AtomicBool,
}

/// Payload of one row of [`Family::Graph`].
const CHUNK: usize = 1 << 20;
/// Bytes of the log that a closing writer leaves to be replayed: it takes an opening half a millisecond.
const LEFT_IN_LOG: u64 = 256 << 10;

impl Store {
    pub(crate) fn open(path: &Path, access: Access) -> Result<Self, IndexError> {
        let backend: Box<dyn Backend> = Box::new(rocks::Rocks::open(path, access)?);
        #[cfg(test)]
        let backend = faulty::wrap(backend);
        Ok(Self { backend, path: path.into(), unsure: AtomicBool::new(false) })
    }

    fn failed(&self, source: StoreError) -> IndexError {
        IndexError::store(&self.path, source)
    }

    /// True from a failed commit until [`trust`](Self::trust): its rows may have been written all the same.
    pub(crate) fn is_unsure(&self) -> bool {
        self.unsure.load(Ordering::Acquire)
    }

    /// What is in memory was made to fit what is stored.
    pub(crate) fn trust(&self) {
        self.unsure.store(false, Ordering::Release);
    }

    pub(crate) fn damaged(&self, problem: String) -> IndexError {
        IndexError::Damaged { path: self.path.parent().unwrap_or(&self.path).into(), problem }
    }

    /// Starts an empty batch.
    pub(crate) fn batch(&self) -> Writes<'_> {
        Writes { store: self, batch: self.backend.batch() }
    }

    pub(crate) fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        self.backend.get(family, key).map_err(|e| self.failed(e))
    }

    /// One answer a key, in their order.
    pub(crate) fn get_many<K: AsRef<[u8]>, T>(
        &self,
        family: Family,
        keys: &[K],
        mut read: impl FnMut(usize, &[u8]) -> Result<T, IndexError>,
    ) -> Result<Vec<Option<T>>, IndexError> {
        let keys: Vec<&[u8]> = keys.iter().map(AsRef::as_ref).collect();
        let mut found = Vec::with_capacity(keys.len());
        let mut failed = None;
        self.backend.get_many(family, &keys, &mut |row| {
            if failed.is_none() {
                let row = row.map_err(|e| self.failed(e));
                match row.and_then(|row| row.map(|bytes| read(found.len(), bytes)).transpose()) {
                    Ok(answer) => found.push(answer),
                    Err(error) => failed = Some(error),
                }
            }
        });
        failed.map_or(Ok(found), Err)
    }

    /// Moves what openings would have to replay from the log into tables, if it is much. For a writer that is done: nothing
    /// depends on it, so a failure leaves all to the log.
    pub(crate) fn settle(&self) {
        let bytes = |log| std::fs::metadata(self.path.join(log)).map_or(0, |file| file.len());
        if rocks::logs(&self.path).into_iter().map(bytes).sum::<u64>() > LEFT_IN_LOG {
            let _ = self.backend.flush();
        }
    }

    /// Gives the disk what deleted and overwritten rows take. Reads and writes go on meanwhile.
    pub(crate) fn compact(&self) -> Result<(), IndexError> {
        self.backend.compact().map_err(|e| self.failed(e))
    }

    /// Puts a copy of the store as it is now into the new folder `into`: tables as hard links where the file system has
    /// them. For a store that is open for writing.
    pub(crate) fn checkpoint(&self, into: &Path) -> Result<(), IndexError> {
        self.backend.checkpoint(into).map_err(|e| IndexError::store(into, e))
    }

    /// [`Moment::scan`] of now.
    pub(crate) fn scan(
        &self,
        family: Family,
        from: &[u8],
        visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, IndexError>,
    ) -> Result<(), IndexError> {
        self.moment().scan(family, from, visit)
    }

    /// The rows from `from` on, in key order.
    pub(crate) fn rows(
        &self,
        family: Family,
        from: &[u8],
    ) -> impl Iterator<Item = Result<Row, IndexError>> + '_ {
        self.backend.rows(family, from).map(|row| row.map_err(|e| self.failed(e)))
    }

    /// The store as it is now, for reads that must fit together.
    pub(crate) fn moment(&self) -> Moment<'_> {
        Moment { store: self, snapshot: self.backend.snapshot() }
    }

    /// The counters; an index that was never written to has none.
    pub(crate) fn state(&self) -> Result<State, IndexError> {
        self.moment().state()
    }

    /// The frozen segments, in the order of their DocIds.
    pub(crate) fn segments(&self) -> Result<Vec<SegmentRecord>, IndexError> {
        let mut found: Vec<SegmentRecord> = Vec::new();
        self.scan(Family::Meta, SEGMENT_PREFIX, |key, json| {
            if !key.starts_with(SEGMENT_PREFIX) {
                return Ok(ControlFlow::Break(()));
            }
            let record = serde_json::from_slice(json)
                .map_err(|e| self.damaged(format!("record of segment {}: {e}", found.len())))?;
            found.push(record);
            Ok(ControlFlow::Continue(()))
        })?;
        found.sort_by_key(|record| (record.first_doc, record.end_doc));
        Ok(found)
    }

    /// The numbers that are deleted but still nodes of a graph, rising.
    pub(crate) fn tombstones(&self) -> Result<Vec<DocId>, IndexError> {
        let mut found = Vec::new();
        self.scan(Family::Meta, DEAD_PREFIX, |key, _| {
            let Some(number) = key.strip_prefix(DEAD_PREFIX) else { return Ok(ControlFlow::Break(())) };
            let doc = record::key_doc(number).ok_or_else(|| self.damaged("a tombstone's key".into()))?;
            found.push(doc);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// A segment's adjacency out of its chunks, or what is wrong with them.
    pub(crate) fn adjacency(&self, record: &SegmentRecord) -> Result<Result<Vec<u8>, String>, IndexError> {
        let mut bytes = Vec::new();
        for chunk in 0..record.chunks {
            let Some(row) = self.get(Family::Graph, &record::chunk_key(record.number, chunk))? else {
                return Ok(Err(format!("adjacency chunk {chunk} is missing")));
            };
            match row.split_first_chunk::<4>() {
                Some((crc, payload)) if u32::from_le_bytes(*crc) == crc32fast::hash(payload) => {
                    bytes.extend_from_slice(payload);
                }
                _ => return Ok(Err(format!("adjacency chunk {chunk} fails its checksum"))),
            }
        }
        if bytes.len() as u64 != record.graph_len || crc32fast::hash(&bytes) != record.graph_crc {
            return Ok(Err("adjacency does not match its record".into()));
        }
        Ok(Ok(bytes))
    }
}

/// The store at one moment: what is committed later does not show.
pub(crate) struct Moment<'a> {
    store: &'a Store,
    snapshot: Box<dyn Snapshot + 'a>,
}

impl Moment<'_> {
    /// The counters of this moment.
    pub(crate) fn state(&self) -> Result<State, IndexError> {
        match self.snapshot.get(Family::Meta, STATE_KEY).map_err(|e| self.store.failed(e))? {
            Some(json) => serde_json::from_slice(&json)
                .map_err(|e| self.store.damaged(format!("meta row `state`: {e}"))),
            None => Ok(State::default()),
        }
    }

    /// Calls `visit` with every row from `from` on, in key order, until it breaks.
    pub(crate) fn scan(
        &self,
        family: Family,
        from: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, IndexError>,
    ) -> Result<(), IndexError> {
        let mut outcome = Ok(());
        let read = self.snapshot.scan(family, from, &mut |key, value| match visit(key, value) {
            Ok(flow) => flow,
            Err(error) => {
                outcome = Err(error);
                ControlFlow::Break(())
            }
        });
        read.map_err(|e| self.store.failed(e)).and(outcome)
    }
}

/// A batch being filled; it is written as one or not at all.
pub(crate) struct Writes<'a> {
    store: &'a Store,
    batch: Box<dyn WriteBatch + 'a>,
}

impl Writes<'_> {
    pub(crate) fn put(&mut self, family: Family, key: &[u8], value: &[u8]) {
        self.batch.put(family, key, value);
    }

    pub(crate) fn delete(&mut self, family: Family, key: &[u8]) {
        self.batch.delete(family, key);
    }

    /// Deletes the rows of keys from `from` to before `to`, however many, in one record.
    pub(crate) fn delete_range(&mut self, family: Family, from: &[u8], to: &[u8]) {
        self.batch.delete_range(family, from, to);
    }

    pub(crate) fn put_state(&mut self, state: &State) {
        // Four numbers.
        let json = serde_json::to_vec(state).expect("numbers are JSON");
        self.put(Family::Meta, STATE_KEY, &json);
    }

    /// Adds a segment's record and adjacency; `record.chunks` must be [`chunk_count`] of its length.
    pub(crate) fn put_segment(&mut self, record: &SegmentRecord, adjacency: &[u8]) {
        for (number, payload) in (0u32..).zip(adjacency.chunks(CHUNK)) {
            let row = [&crc32fast::hash(payload).to_le_bytes(), payload].concat();
            self.put(Family::Graph, &record::chunk_key(record.number, number), &row);
        }
        // Numbers only.
        let json = serde_json::to_vec(record).expect("numbers are JSON");
        self.put(Family::Meta, &record::meta_key(SEGMENT_PREFIX, record.number), &json);
    }

    /// Removes a segment's record and adjacency.
    pub(crate) fn delete_segment(&mut self, record: &SegmentRecord) {
        let (first, end) = (record::chunk_key(record.number, 0), record::chunk_key(record.number, u32::MAX));
        self.delete_range(Family::Graph, &first, &end);
        self.delete(Family::Meta, &record::meta_key(SEGMENT_PREFIX, record.number));
    }

    /// Writes the batch; it is durable when this returns. There is no other way to write: that each batch is on the disk
    /// before the next one begins is what tells a torn log from a damaged one.
    pub(crate) fn commit(self) -> Result<(), IndexError> {
        self.batch.commit().map_err(|e| {
            self.store.unsure.store(true, Ordering::Release);
            self.store.failed(e)
        })
    }
}

/// Rows that `length` bytes of adjacency take.
pub(crate) fn chunk_count(length: usize) -> u32 {
    length.div_ceil(CHUNK) as u32
}
