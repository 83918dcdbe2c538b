use std::collections::BTreeSet;
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode,
    Direction, FlushOptions, IteratorMode, LogLevel, Options, Snapshot, WriteBatch, WriteOptions,
};
use xunpin_core::DocId;

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

/// The truth of an index: RocksDB, with the options that its promises rest on.
pub(crate) struct Store {
    db: DB,
    path: PathBuf,
}

/// Key and value.
pub(crate) type Row = (Box<[u8]>, Box<[u8]>);

/// Payload of one row of [`Family::Graph`].
const CHUNK: usize = 1 << 20;
/// Bytes of the log that a closing writer leaves to be replayed: it takes an opening half a millisecond.
const LEFT_IN_LOG: u64 = 256 << 10;
/// How long a read-only opening is repeated beside a writer that keeps removing files, how often after any other failure,
/// and the pause in between.
const READ_PATIENCE: Duration = Duration::from_secs(5);
const READ_TRIES: u32 = 12;
const READ_PAUSE: Duration = Duration::from_millis(25);

impl Store {
    pub(crate) fn open(path: &Path, access: Access) -> Result<Self, IndexError> {
        let mut options = options(access);
        let descriptors = |families: &[Family]| {
            let cache = Cache::new_lru_cache(64 << 20);
            let descriptor = |f: &Family| ColumnFamilyDescriptor::new(f.name(), family_options(*f, &cache));
            families.iter().map(descriptor).collect::<Vec<_>>()
        };
        let db = match access {
            Access::Create | Access::Write => {
                // A missing family that every index has is damage, and RocksDB must say so.
                let whole = || families(path).map(|found| found == readable(&found));
                let creates = access == Access::Create || whole().map_err(|e| IndexError::store(path, e))?;
                options.create_missing_column_families(creates);
                DB::open_cf_descriptors(&options, path, descriptors(&Family::ALL))
                    .map_err(|e| IndexError::store(path, e))?
            }
            Access::Read => undisturbed(path, |families| {
                DB::open_cf_descriptors_read_only(&options, path, descriptors(families), false)
            })?,
        };
        Ok(Self { db, path: path.into() })
    }

    /// `None` only for [`Family::Static`], in an index that is open for reading.
    fn family(&self, family: Family) -> Option<&ColumnFamily> {
        self.db.cf_handle(family.name())
    }

    /// A family to write to.
    fn existing(&self, family: Family) -> &ColumnFamily {
        // Only who holds the writer's lock writes, and an opening for writing names or makes every family.
        self.family(family).expect("opened for writing with every family")
    }

    fn failed(&self, source: rocksdb::Error) -> IndexError {
        IndexError::store(&self.path, source)
    }

    pub(crate) fn damaged(&self, problem: String) -> IndexError {
        IndexError::Damaged { path: self.path.parent().unwrap_or(&self.path).into(), problem }
    }

    /// Starts an empty batch.
    pub(crate) fn batch(&self) -> Writes<'_> {
        Writes { store: self, batch: WriteBatch::default() }
    }

    pub(crate) fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        let Some(family) = self.family(family) else { return Ok(None) };
        self.db.get_cf(family, key).map_err(|e| self.failed(e))
    }

    /// One answer a key, in their order.
    pub(crate) fn get_many<K: AsRef<[u8]>, T>(
        &self,
        family: Family,
        keys: &[K],
        mut read: impl FnMut(usize, &[u8]) -> Result<T, IndexError>,
    ) -> Result<Vec<Option<T>>, IndexError> {
        let Some(family) = self.family(family) else { return Ok(keys.iter().map(|_| None).collect()) };
        self.db
            .batched_multi_get_cf(family, keys.iter().map(AsRef::as_ref), false)
            .into_iter()
            .enumerate()
            .map(|(at, row)| row.map_err(|e| self.failed(e))?.map(|bytes| read(at, &bytes)).transpose())
            .collect()
    }

    /// Moves what openings would have to replay from the log into tables, if it is much. For a writer that is done: nothing
    /// depends on it, so a failure leaves all to the log.
    pub(crate) fn settle(&self) {
        let bytes = |log| std::fs::metadata(self.path.join(log)).map_or(0, |file| file.len());
        if logs(&self.path).into_iter().map(bytes).sum::<u64>() > LEFT_IN_LOG {
            let families: Vec<&ColumnFamily> =
                Family::ALL.into_iter().filter_map(|f| self.family(f)).collect();
            let _ = self.db.flush_cfs_opt(&families, &FlushOptions::default());
        }
    }

    /// Puts a copy of the store as it is now into the new folder `into`: tables as hard links where the file system has
    /// them. For a store that is open for writing.
    pub(crate) fn checkpoint(&self, into: &Path) -> Result<(), IndexError> {
        Checkpoint::new(&self.db)
            .and_then(|c| c.create_checkpoint(into))
            .map_err(|e| IndexError::store(into, e))
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
        let rows = |family| self.db.iterator_cf(family, IteratorMode::From(from, Direction::Forward));
        self.family(family).map(rows).into_iter().flatten().map(|row| row.map_err(|e| self.failed(e)))
    }

    /// The store as it is now, for reads that must fit together.
    pub(crate) fn moment(&self) -> Moment<'_> {
        Moment { store: self, snapshot: self.db.snapshot() }
    }

    /// The counters; an index that was never written to has none.
    pub(crate) fn state(&self) -> Result<State, IndexError> {
        self.moment().state()
    }

    /// The frozen segments, by number.
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
    snapshot: Snapshot<'a>,
}

impl Moment<'_> {
    /// The counters of this moment.
    pub(crate) fn state(&self) -> Result<State, IndexError> {
        let Some(meta) = self.store.family(Family::Meta) else { return Ok(State::default()) };
        match self.snapshot.get_cf(meta, STATE_KEY).map_err(|e| self.store.failed(e))? {
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
        let Some(family) = self.store.family(family) else { return Ok(()) };
        for row in self.snapshot.iterator_cf(family, IteratorMode::From(from, Direction::Forward)) {
            let (key, value) = row.map_err(|e| self.store.failed(e))?;
            if visit(&key, &value)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// A batch being filled; it is written as one or not at all.
pub(crate) struct Writes<'a> {
    store: &'a Store,
    batch: WriteBatch,
}

impl Writes<'_> {
    pub(crate) fn put(&mut self, family: Family, key: &[u8], value: &[u8]) {
        self.batch.put_cf(self.store.existing(family), key, value);
    }

    pub(crate) fn delete(&mut self, family: Family, key: &[u8]) {
        self.batch.delete_cf(self.store.existing(family), key);
    }

    /// Deletes the rows of keys from `from` to before `to`, however many, in one record.
    pub(crate) fn delete_range(&mut self, family: Family, from: &[u8], to: &[u8]) {
        self.batch.delete_range_cf(self.store.existing(family), from, to);
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

    /// Writes the batch; it is durable when this returns.
    pub(crate) fn commit(self) -> Result<(), IndexError> {
        self.write(true)
    }

    /// Writes the batch; a crash of the machine may undo it, but only together with what was written after it.
    pub(crate) fn commit_unsynced(self) -> Result<(), IndexError> {
        self.write(false)
    }

    fn write(self, sync: bool) -> Result<(), IndexError> {
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.store.db.write_opt(self.batch, &options).map_err(|e| self.store.failed(e))
    }
}

/// Opens for reading, again if the writer dropped a log meanwhile. Had RocksDB read its list of tables
/// before a flush and looked for logs after it, it would miss the batches in between without noticing. Logs go in their
/// order, so if those of before are all there still, none was missed. A table dropped too early makes the opening fail.
fn undisturbed(
    path: &Path,
    open: impl Fn(&[Family]) -> Result<DB, rocksdb::Error>,
) -> Result<DB, IndexError> {
    let mut failed = None;
    let started = Instant::now();
    let mut tries = 0;
    while tries < READ_TRIES && started.elapsed() < READ_PATIENCE {
        let before = logs(path);
        // Listing the families reads the manifest once more, so only an index that may lack one pays for it.
        let opened = match open(&Family::ALL) {
            Err(error) if error.kind() == rocksdb::ErrorKind::InvalidArgument => {
                families(path).and_then(|found| open(&readable(&found)))
            }
            opened => opened,
        };
        match opened {
            Ok(db) if before.is_subset(&logs(path)) => return Ok(db),
            Ok(_) => failed = None,
            Err(error) => {
                // A file that was there a moment ago is an I/O error; damage is another kind.
                tries += u32::from(error.kind() != rocksdb::ErrorKind::IOError);
                failed = Some(error);
            }
        }
        std::thread::sleep(READ_PAUSE);
    }
    Err(match failed {
        Some(error) => IndexError::store(path, error),
        None => IndexError::Busy { path: path.into() },
    })
}

/// The families that a store holds.
fn families(path: &Path) -> Result<Vec<Family>, rocksdb::Error> {
    let names = DB::list_cf(&Options::default(), path)?;
    Ok(Family::ALL.into_iter().filter(|f| names.iter().any(|name| name == f.name())).collect())
}

/// The families to open for reading: all, but for the one that may be absent.
fn readable(found: &[Family]) -> Vec<Family> {
    Family::ALL.into_iter().filter(|f| *f != Family::Static || found.contains(f)).collect()
}

/// Names of RocksDB's logs.
fn logs(path: &Path) -> BTreeSet<OsString> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|e| e.file_name()).filter(|n| Path::new(n).extension().is_some_and(|e| e == "log")).collect()
}

/// Rows that `length` bytes of adjacency take.
pub(crate) fn chunk_count(length: usize) -> u32 {
    length.div_ceil(CHUNK) as u32
}

fn options(access: Access) -> Options {
    let mut options = Options::default();
    options.create_if_missing(access == Access::Create);
    // Refuses to open on a damaged record that has others after it; only a torn last record (a write that was never
    // acknowledged) is dropped. The default mode would drop every acknowledged batch after the damage.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    // Bounds what an opening, above all a read-only one, must replay.
    options.set_max_total_wal_size(32 << 20);
    // All table files stay open, so that a reader keeps those that the writer deletes.
    options.set_max_open_files(-1);
    // Sixteen threads for each family otherwise, also where there is not one table: starting them takes longer than it
    // does to open the tables.
    options.set_max_file_opening_threads(1);
    options.set_bytes_per_sync(1 << 20);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(2);
    options
}

fn family_options(family: Family, cache: &Cache) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    // Large rows read in order want large blocks; small ones read singly, small blocks.
    blocks.set_block_size(match family {
        Family::Vectors | Family::Graph | Family::Static => 64 << 10,
        _ => 8 << 10,
    });
    if family == Family::Ids {
        blocks.set_bloom_filter(10.0, false);
    }
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    options.set_compression_type(DBCompressionType::None);
    options.set_write_buffer_size(match family {
        Family::Vectors | Family::Products | Family::Graph => 16 << 20,
        Family::Meta | Family::Ids | Family::Jobs | Family::Static => 4 << 20,
    });
    options
}
