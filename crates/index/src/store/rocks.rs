//! RocksDB, with the options that the index's promises rest on.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    BlockBasedOptions, BottommostLevelCompaction, Cache, ColumnFamily, ColumnFamilyDescriptor,
    CompactOptions, DB, DBCompressionType, DBRecoveryMode, DEFAULT_COLUMN_FAMILY_NAME, Direction,
    FlushOptions, IteratorMode, LogLevel, Options, WriteOptions,
};

use super::backend::{Answer, Backend, Rows, Snapshot, StoreError, Visit, WriteBatch};
use super::{Access, Family, log};
use crate::IndexError;

/// How long a read-only opening is repeated beside a writer that keeps removing files, how often after any other failure,
/// and the pause in between.
const READ_PATIENCE: Duration = Duration::from_secs(5);
const READ_TRIES: u32 = 12;
const READ_PAUSE: Duration = Duration::from_millis(25);

/// An open database.
pub(super) struct Rocks {
    db: DB,
}

impl Rocks {
    pub(super) fn open(path: &Path, access: Access) -> Result<Self, IndexError> {
        let failed = |e: rocksdb::Error| IndexError::store(path, e.into());
        let holes = log::examine_all(path)?;
        let mut options = options(access);
        if holes {
            // The mode set there refuses an unfinished batch whose file has its full length.
            options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
        }
        let descriptors = |families: &[Family]| {
            let cache = Cache::new_lru_cache(64 << 20);
            let descriptor = |f: &Family| ColumnFamilyDescriptor::new(f.name(), family_options(*f, &cache));
            families.iter().map(descriptor).chain([unused()]).collect::<Vec<_>>()
        };
        let db = match access {
            Access::Create | Access::Write => {
                // A missing family that every index has is damage, and RocksDB must say so.
                let whole = || families(path).map(|found| found == readable(&found));
                let creates = access == Access::Create || whole().map_err(failed)?;
                options.create_missing_column_families(creates);
                DB::open_cf_descriptors(&options, path, descriptors(&Family::ALL)).map_err(failed)?
            }
            Access::Read => undisturbed(path, |families| {
                DB::open_cf_descriptors_read_only(&options, path, descriptors(families), false)
            })?,
        };
        Ok(Self { db })
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
}

impl Backend for Rocks {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(family) = self.family(family) else { return Ok(None) };
        Ok(self.db.get_cf(family, key)?)
    }

    fn get_many(&self, family: Family, keys: &[&[u8]], read: &mut Answer<'_>) {
        let Some(family) = self.family(family) else { return keys.iter().for_each(|_| read(Ok(None))) };
        for row in self.db.batched_multi_get_cf(family, keys.iter().copied(), false) {
            match row {
                Ok(row) => read(Ok(row.as_deref())),
                Err(error) => read(Err(error.into())),
            }
        }
    }

    fn rows(&self, family: Family, from: &[u8]) -> Rows<'_> {
        let rows = |family| self.db.iterator_cf(family, IteratorMode::From(from, Direction::Forward));
        Box::new(self.family(family).map(rows).into_iter().flatten().map(|row| Ok(row?)))
    }

    fn snapshot(&self) -> Box<dyn Snapshot + '_> {
        Box::new(Frozen { rocks: self, snapshot: self.db.snapshot() })
    }

    fn batch(&self) -> Box<dyn WriteBatch + '_> {
        Box::new(Filling { rocks: self, batch: rocksdb::WriteBatch::default() })
    }

    fn flush(&self) -> Result<(), StoreError> {
        let families: Vec<&ColumnFamily> = Family::ALL.into_iter().filter_map(|f| self.family(f)).collect();
        Ok(self.db.flush_cfs_opt(&families, &FlushOptions::default())?)
    }

    fn compact(&self) -> Result<(), StoreError> {
        self.flush()?;
        let mut options = CompactOptions::default();
        // Also where nothing lies above: rows deleted since are in the lowest level.
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        for family in Family::ALL.into_iter().filter_map(|f| self.family(f)) {
            self.db.compact_range_cf_opt(family, None::<&[u8]>, None::<&[u8]>, &options);
        }
        Ok(())
    }

    fn checkpoint(&self, into: &Path) -> Result<(), StoreError> {
        Ok(Checkpoint::new(&self.db)?.create_checkpoint(into)?)
    }
}

struct Frozen<'a> {
    rocks: &'a Rocks,
    snapshot: rocksdb::Snapshot<'a>,
}

impl Snapshot for Frozen<'_> {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(family) = self.rocks.family(family) else { return Ok(None) };
        Ok(self.snapshot.get_cf(family, key)?)
    }

    fn scan(&self, family: Family, from: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        let Some(family) = self.rocks.family(family) else { return Ok(()) };
        let mut rows = self.snapshot.raw_iterator_cf(family);
        rows.seek(from);
        while let Some((key, value)) = rows.item() {
            if visit(key, value).is_break() {
                return Ok(());
            }
            rows.next();
        }
        Ok(rows.status()?)
    }
}

struct Filling<'a> {
    rocks: &'a Rocks,
    batch: rocksdb::WriteBatch,
}

impl WriteBatch for Filling<'_> {
    fn put(&mut self, family: Family, key: &[u8], value: &[u8]) {
        self.batch.put_cf(self.rocks.existing(family), key, value);
    }

    fn delete(&mut self, family: Family, key: &[u8]) {
        self.batch.delete_cf(self.rocks.existing(family), key);
    }

    fn delete_range(&mut self, family: Family, from: &[u8], to: &[u8]) {
        self.batch.delete_range_cf(self.rocks.existing(family), from, to);
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        Ok(self.rocks.db.write_opt(self.batch, &options)?)
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
        Some(error) => IndexError::store(path, error.into()),
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
pub(super) fn logs(path: &Path) -> BTreeSet<OsString> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|e| e.file_name()).filter(|n| Path::new(n).extension().is_some_and(|e| e == "log")).collect()
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

/// The family that RocksDB always has. Nothing is in it, but after a full disk RocksDB waits for as much room as the largest
/// buffer of any family has, and its own default is 64 MB.
fn unused() -> ColumnFamilyDescriptor {
    let mut options = Options::default();
    options.set_write_buffer_size(1 << 20);
    ColumnFamilyDescriptor::new(DEFAULT_COLUMN_FAMILY_NAME, options)
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
