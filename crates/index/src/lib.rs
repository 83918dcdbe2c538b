//! The index on disk: products and vectors in RocksDB, nearest neighbours from an exact scan or a graph.
//!
//! * [`Index`] is an open index folder; [`Batch`] is what is written to it at once.
//! * [`Index::search`] finds neighbours through [`ExactScan`] or [`GraphSearch`], which both implement
//!   [`NearestNeighbors`](xunpin_core::NearestNeighbors).
//! * [`Index::changes_since`] tells what is derived from the products (a full-text index, columns in memory) what to
//!   do again, by generation; [`try_writer_lock`] lets a reader mend such a part on the disk.
//! * [`StaticVectors`] are a second, independent family of vectors (Word2Vec), searched by an exact scan.
//! * [`Index::snapshot`] copies an index to one file while it is written, and [`Restoring`] makes an index of such a file.
//! * [`Index::verify`] checks everything, [`Index::stats`] counts, [`RecoveryNote`]s tell what opening had to mend.
//!
//! ```
//! use xunpin_core::{Fingerprint, Product};
//! use xunpin_index::{Batch, Index, IndexOptions, SearchOptions};
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("shop");
//! # let fingerprint: Fingerprint = serde_json::from_str(r#"{"model":"m","architecture":"a","weights":"w",
//! #     "tokenizer":"t","prompts":{},"pooling":"mean","dimension":2,"precision":"f32","max_tokens":256}"#)?;
//! let index = Index::create(&path, &fingerprint, IndexOptions::new(2), serde_json::Value::Null)?;
//! let mut batch = Batch::new();
//! batch
//!     .upsert(Product::new("serum", "温和A醇精华"), 1, Some(&[0.6, 0.8]))
//!     .upsert(Product::new("cream", "保湿面霜"), 2, Some(&[0.8, -0.6]));
//! index.apply(batch)?;
//!
//! let found = index.search(&[1.0, 0.0], 1, &SearchOptions::default())?;
//! let best = index.product(found.neighbors[0].id)?.expect("nothing was deleted");
//! assert_eq!(best.id, "cream");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The folder
//!
//! ```text
//! manifest.json    what the index is: format version, fingerprint, options, the caller's settings
//! writer.lock      locked by the one writer; says who it is
//! db/              RocksDB, the truth
//! graph/           segment-NNNNNNNN.xpg, mapped; derived from db/
//! lexical/         the full-text index, derived from db/; another crate's, never touched here
//! word2vec/        word vectors; another crate's, never touched here
//! snapshot-*.tmp   a snapshot under way, or what a crash left of one
//! ```
//!
//! A vector lives in the *tail*, in memory, until the tail is *frozen*: its graph is built (or taken over from the
//! live graph, which a long ingest keeps) and written as a *segment*, which never changes. A product whose text
//! changes gets a new number; the old one becomes a *tombstone*, and its vector stays for the graph's sake. Its static
//! vector goes at once, as no graph holds it.
//!
//! Each batch leaves a row in the *journal*: which numbers had their product written, and which were removed.
//!
//! # What a crash leaves
//!
//! Assumed of the disk: what was fsynced stays, and renaming is atomic. Every commit is one RocksDB write batch,
//! synced before it is acknowledged.
//!
//! | interrupted | found at the next opening |
//! |---|---|
//! | creation, before the manifest is renamed into place | no index; `create` may be called again, and goes on |
//! | a batch, before its log record is whole | the state before the batch: RocksDB drops a torn last record |
//! | a batch, after that | the state after the batch, its row of the journal included; it may not have been acknowledged, and applying it again is harmless |
//! | filling in or clearing static vectors | chunks whose commit was acknowledged; of the last one all or nothing |
//! | forgetting changes | the rows gone or still there |
//! | the first opening for writing of an index without the family `static` | with the family, empty, or without it, to be made at the next such opening |
//! | a freeze, before its file is renamed | a temporary file, removed; the tail as it was |
//! | a freeze, before its commit | a segment file that no record names, removed; the tail as it was |
//! | a freeze, after its commit | the frozen segment; its file was durable before the commit |
//! | trimming the tail | all of it or nothing: it is one batch |
//! | a snapshot | the index as it was, and perhaps a folder `snapshot-*.tmp`, removed by the next writer |
//! | writing a segment file again | the old file or the new one; both are checked against the record |
//! | building a damaged graph again, before its commit | a file that does not match the record: it is built again |
//!
//! A record of RocksDB's log that was changed after it was written stops the opening, instead of dropping the acknowledged
//! batches after it. After a commit that failed, what is in memory is compared with the store before anything else is
//! written. `docs/design.md` says how all this is tried.

#![deny(unsafe_code)]

mod apply;
mod batch;
mod error;
#[cfg(test)]
mod faults;
mod freeze;
mod index;
mod journal;
mod live;
mod lock;
mod maintain;
mod manifest;
mod options;
mod record;
mod recovery;
mod resync;
mod sample;
mod scan;
mod segment;
mod snapshot;
mod static_vectors;
mod stats;
mod store;
mod tail;
mod top;
mod verify;
mod view;

pub use batch::{Applied, Batch};
pub use error::IndexError;
pub use index::{Gathered, Index, SearchOptions, SearchOutcome};
pub use journal::Changes;
pub use lock::{WriterLock, try_writer_lock};
pub use maintain::Compacted;
pub use options::IndexOptions;
pub use record::Entry;
pub use recovery::RecoveryNote;
pub use snapshot::{Restoring, SnapshotError, SnapshotMethod, SnapshotReport};
pub use static_vectors::StaticVectors;
pub use stats::{ByteStats, SegmentStats, Stats, TailStats};
pub use store::StoreError;
pub use verify::{Problem, VerifyReport};
pub use view::{ExactScan, GraphSearch};
pub use xunpin_core::Strategy;
