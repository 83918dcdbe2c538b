use serde::{Deserialize, Serialize};

/// Version of the archive's layout that this build writes. Readers refuse newer ones.
pub const ARCHIVE_FORMAT: u32 = 1;

/// `snapshot.json`, the first entry of an archive: what it is a snapshot of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Version of the archive's layout.
    pub archive_format: u32,
    /// Version of the program that made the archive.
    pub created_by: String,
    /// When it was made, in seconds since 1970.
    pub created_unix: u64,
    /// Version of the index format.
    pub index_format: u32,
    /// Name of the model that made the vectors.
    pub model: String,
    /// The index's generation.
    pub generation: u64,
    /// Its products.
    pub products: u64,
    /// Files that follow. [`write`](crate::write()) counts them itself.
    pub files: u64,
    /// Bytes of their contents together, counted by it too.
    pub bytes: u64,
}

impl Default for Snapshot {
    /// Of this build, now, and of nothing.
    fn default() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            archive_format: ARCHIVE_FORMAT,
            created_by: env!("CARGO_PKG_VERSION").into(),
            created_unix: now.map_or(0, |d| d.as_secs()),
            index_format: xunpin_core::FORMAT_VERSION,
            model: String::new(),
            generation: 0,
            products: 0,
            files: 0,
            bytes: 0,
        }
    }
}
