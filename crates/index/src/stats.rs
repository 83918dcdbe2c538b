use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::Strategy;
use crate::index::Index;
use crate::live::LiveGraph;

/// What an index holds, and where.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Products.
    pub products: usize,
    /// Length of a vector.
    pub dimension: usize,
    /// Generation: the number of batches written.
    pub generation: u64,
    /// Version of the format on the disk.
    pub format_version: u32,
    /// Version of the program that made the index.
    pub created_by: String,
    /// The next internal number.
    pub next_doc: u32,
    /// Frozen segments, oldest first.
    pub segments: Vec<SegmentStats>,
    /// The live part.
    pub tail: TailStats,
    /// Deleted vectors that still take room.
    pub tombstones: usize,
    /// What a search without filter uses.
    pub strategy: Strategy,
    /// Disk use.
    pub bytes: ByteStats,
}

/// One frozen segment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SegmentStats {
    /// Its number.
    pub number: u32,
    /// Vectors, deleted ones included.
    pub vectors: usize,
    /// Deleted ones of them.
    pub deleted: usize,
    /// Nodes of its graph: distinct vectors, as far as their codes tell.
    pub nodes: usize,
    /// Layers of its graph.
    pub layers: usize,
    /// Candidates that a walk for ten results keeps.
    pub ef: usize,
    /// Bytes of its files.
    pub bytes: u64,
    /// False if it is held in memory because its files can't be used.
    pub mapped: bool,
}

/// The live part.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TailStats {
    /// Vectors, deleted ones included.
    pub vectors: usize,
    /// Deleted ones of them.
    pub deleted: usize,
    /// Vectors in the live graph; the others are scanned.
    pub in_graph: usize,
}

/// Disk use in bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ByteStats {
    /// The store: products, vectors, adjacency, write-ahead log.
    pub db: u64,
    /// The mapped files, which are derived: `graphs` and `vectors`.
    pub graph: u64,
    /// Of those, what walks read: adjacency and codes (`*.xpg`).
    pub graphs: u64,
    /// Of those, the vectors in half precision, for rescoring and exact scans (`*.xpv`).
    pub vectors: u64,
    /// The full-text index, which is derived.
    pub lexical: u64,
    /// The word vectors.
    pub word2vec: u64,
    /// The whole folder, parts of other crates included.
    pub total: u64,
}

impl Index {
    /// What the index holds at this moment.
    pub fn stats(&self) -> Stats {
        let view = self.view();
        let deleted =
            |ids: &[u32]| ids.iter().filter(|id| view.dead.contains(xunpin_core::DocId(**id))).count();
        Stats {
            products: view.products,
            dimension: view.dimension(),
            generation: view.generation,
            format_version: self.core.manifest.format_version,
            created_by: self.core.manifest.created_by.clone(),
            next_doc: view.next_doc,
            segments: view
                .segments
                .iter()
                .map(|s| SegmentStats {
                    number: s.record().number,
                    vectors: s.ids().len(),
                    deleted: deleted(s.ids()),
                    nodes: s.record().nodes(),
                    layers: s.record().layer_nodes.len(),
                    ef: s.width(10),
                    bytes: s.size() as u64,
                    mapped: s.is_mapped(),
                })
                .collect(),
            tail: TailStats {
                vectors: view.tail.rows(),
                deleted: view.tail.dead_rows(&view.dead),
                in_graph: view.tail.graph().map_or(0, LiveGraph::len),
            },
            tombstones: view.dead.len(),
            strategy: self.plan(&view, None),
            bytes: ByteStats {
                db: folder_size(&self.core.folder.db()),
                graph: folder_size(&self.core.folder.graph()),
                graphs: size_of_files(&self.core.folder.graph(), "xpg"),
                vectors: size_of_files(&self.core.folder.graph(), "xpv"),
                lexical: folder_size(&self.core.folder.lexical()),
                word2vec: folder_size(&self.core.folder.word2vec()),
                total: folder_size(self.path()),
            },
        }
    }
}

/// Bytes of the files below a folder. A file that goes away meanwhile, as RocksDB's do, counts nothing.
fn folder_size(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => folder_size(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Bytes of the files in a folder whose names end in this.
fn size_of_files(path: &Path, ending: &str) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    let wanted = entries.flatten().filter(|entry| entry.path().extension().is_some_and(|e| e == ending));
    wanted.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}
