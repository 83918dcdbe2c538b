//! What the store asks of the database under it. Everything above this is the same over RocksDB and over what tests put
//! in its place.

use std::ops::ControlFlow;
use std::path::Path;

use super::Family;

/// Why the database failed: its message, which names the file.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    message: String,
    pub(super) kind: Kind,
}

/// What the store does differently about some failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No room on the disk, or none left of a quota.
    Full,
    Other,
}

/// What the system says where nothing more can be written; RocksDB passes it on as text only.
const FULL: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

impl StoreError {
    pub(super) fn new(message: String) -> Self {
        let kind = if FULL.iter().any(|text| message.contains(text)) { Kind::Full } else { Kind::Other };
        Self { message, kind }
    }

    /// True where there was no room left.
    pub(crate) fn is_full(&self) -> bool {
        self.kind == Kind::Full
    }
}

impl From<rocksdb::Error> for StoreError {
    fn from(error: rocksdb::Error) -> Self {
        Self::new(error.into_string())
    }
}

/// Key and value.
pub(crate) type Row = (Box<[u8]>, Box<[u8]>);
/// Rows in key order.
pub(crate) type Rows<'a> = Box<dyn Iterator<Item = Result<Row, StoreError>> + Send + 'a>;

/// Takes one answer of several.
pub(crate) type Answer<'a> = dyn FnMut(Result<Option<&[u8]>, StoreError>) + 'a;
/// Takes key and value of a row, and says whether to go on.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// A database of families. A family that it lacks, which only an index open for reading may, holds nothing.
pub(crate) trait Backend: Send + Sync {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Calls `read` with one answer a key, in their order.
    fn get_many(&self, family: Family, keys: &[&[u8]], read: &mut Answer<'_>);

    /// The rows from `from` on, in key order, as they are now.
    fn rows(&self, family: Family, from: &[u8]) -> Rows<'_>;

    /// The database as it is now, for reads that must fit together.
    fn snapshot(&self) -> Box<dyn Snapshot + '_>;

    /// Starts an empty batch.
    fn batch(&self) -> Box<dyn WriteBatch + '_>;

    /// Moves what stands in the log into tables.
    fn flush(&self) -> Result<(), StoreError>;

    /// Gives the disk what deleted and overwritten rows take.
    fn compact(&self) -> Result<(), StoreError>;

    /// Puts a copy of everything that is committed into a new folder.
    fn checkpoint(&self, into: &Path) -> Result<(), StoreError>;
}

/// A [`Backend`] at one moment.
pub(crate) trait Snapshot {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Calls `visit` with every row from `from` on, in key order, until it breaks.
    fn scan(&self, family: Family, from: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError>;
}

/// Changes that are written as one or not at all.
pub(crate) trait WriteBatch {
    fn put(&mut self, family: Family, key: &[u8], value: &[u8]);
    fn delete(&mut self, family: Family, key: &[u8]);
    /// Deletes the rows of keys from `from` to before `to`.
    fn delete_range(&mut self, family: Family, from: &[u8], to: &[u8]);
    /// Writes the changes; they are durable when this returns. After an error they may have been written all the same.
    fn commit(self: Box<Self>) -> Result<(), StoreError>;
}
