//! A frozen segment: the graph of a contiguous range of DocIds, in one flat, immutable file.
//!
//! ```text
//! hnsw_rs graph ─► Adjacency ─┬─► rows of `graph` (RocksDB, checksummed): the truth
//!                             └─► segment-NNNNNNNN.xpg ◄─ vectors (RocksDB)
//!                                          └─ mapped ─► search
//! ```
//!
//! | file | role |
//! |---|---|
//! | `mod` | the byte layout, opening and checking a file |
//! | `adjacency` | the arrays of the graph, to and from bytes |
//! | `bytes` | the file's bytes, mapped or in memory, as numbers |
//! | `search` | the walk |
//!
//! `segment-NNNNNNNN.xpg`, little-endian; a word has 4 bytes:
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 8 | magic `XPGRAPH` and a zero byte |
//! | 8 | 4 | layout version, 1 |
//! | 12 | 4 | segment number |
//! | 16 | 4 | values of a vector, `d` |
//! | 20 | 4 | nodes, `n` |
//! | 24 | 4 | slots of a row in layer 0, `s` |
//! | 28 | 4 | slots of a row in the layers above, `t` |
//! | 32 | 4 | layers, layer 0 included, `l` |
//! | 36 | 4 | entry node |
//! | 40 | 4 | first DocId the segment may hold |
//! | 44 | 4 | DocId after the last it may hold |
//! | 48 | 8 | bytes of adjacency, `a` |
//! | 56 | 4 | CRC-32 of the adjacency |
//! | 60 | 4 | CRC-32 of the vectors |
//! | 64 | 60 | zero |
//! | 124 | 4 | CRC-32 of the 124 bytes before |
//! | 128 | `a` | adjacency |
//! | next multiple of 64 | `4nd` | vectors, 32-bit floats, node after node |
//!
//! Adjacency, in words: the nodes' DocIds, rising (`n`); for each node the next with an equal vector, `FFFFFFFF` for
//! none (`n`); layer 0, a row of `s` node numbers a node, `FFFFFFFF` in slots not used (`ns`); then for each layer above its count `c` of nodes (`l - 1`); then for each layer above its
//! nodes, rising (`c`), and a row of `t` slots for each (`ct`).
//!
//! The header repeats the segment's record in RocksDB: a file is taken only if its header equals the one made from
//! the record, its length is right and its adjacency has the recorded checksum. The vectors' checksum is taken at
//! opening up to 64 MiB, and always by `verify`.

mod adjacency;
mod bytes;
mod search;

use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

pub(crate) use adjacency::{Adjacency, NONE, UpperLayer, encoded_ids};
use bytes::Bytes;
use xunpin_core::durable;

use crate::IndexError;
use crate::distance::dot;
use crate::record::SegmentRecord;
use crate::store::chunk_count;

const MAGIC: [u8; 8] = *b"XPGRAPH\0";
const LAYOUT_VERSION: u32 = 1;
const HEADER: usize = 128;
/// Vectors start at a multiple of this, a cache line.
const ALIGN: usize = 64;
/// Vectors up to this many bytes are checked when the file is opened.
const CHECK_AT_OPEN: usize = 64 << 20;

/// A frozen segment, ready to be searched.
pub(crate) struct Segment {
    record: SegmentRecord,
    dimension: usize,
    bytes: Bytes,
    /// Where the layers above the lowest lie, in words from the start: nodes, then rows.
    upper: Vec<(usize, usize)>,
}

impl Segment {
    /// Maps a segment's file. The inner error says why it can't be trusted; it must then be made again.
    pub(crate) fn open(
        path: &Path,
        record: &SegmentRecord,
        dimension: usize,
    ) -> Result<Result<Self, String>, IndexError> {
        let bytes = match Bytes::map(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Err("the file is missing".into())),
            Err(e) => return Err(IndexError::io("map", path, e)),
        };
        Ok(Self::check(bytes, record, dimension))
    }

    /// The same in memory, for a reader that must not write the file.
    pub(crate) fn in_memory(
        record: &SegmentRecord,
        dimension: usize,
        adjacency: &[u8],
        vectors: &[f32],
    ) -> Result<Self, String> {
        let mut image = Vec::with_capacity(vectors_offset(record) + vectors.len() * 4);
        write_image(&mut image, record, dimension, adjacency, vectors).map_err(|e| e.to_string())?;
        Self::check(Bytes::copy(&image), record, dimension)
    }

    /// Writes a segment's file, whole or not at all.
    pub(crate) fn write(
        path: &Path,
        record: &SegmentRecord,
        dimension: usize,
        adjacency: &[u8],
        vectors: &[f32],
    ) -> Result<(), IndexError> {
        durable::write_file(path, |out| write_image(out, record, dimension, adjacency, vectors))?;
        Ok(())
    }

    fn check(bytes: Bytes, record: &SegmentRecord, dimension: usize) -> Result<Self, String> {
        let vectors = record.nodes as usize * dimension * 4;
        let expected = vectors_offset(record) + vectors;
        let held = bytes.as_bytes();
        if held.len() != expected {
            return Err(format!("the file has {} bytes, not {expected}", held.len()));
        }
        if held[..HEADER] != header(record, dimension) {
            return Err("its header does not match its record".into());
        }
        if crc32fast::hash(adjacency_of(&bytes, record)) != record.graph_crc {
            return Err("its adjacency fails its checksum".into());
        }
        if vectors <= CHECK_AT_OPEN && crc32fast::hash(&held[expected - vectors..]) != record.vectors_crc {
            return Err("its vectors fail their checksum".into());
        }
        let upper = adjacency::upper_layers(&bytes.words()[HEADER / 4..], record)
            .ok_or("its layers do not fit its adjacency")?
            .into_iter()
            .map(|(nodes, rows)| (nodes + HEADER / 4, rows + HEADER / 4))
            .collect();
        Ok(Self { record: record.clone(), dimension, bytes, upper })
    }

    /// What RocksDB records of it.
    pub(crate) fn record(&self) -> &SegmentRecord {
        &self.record
    }

    /// Bytes of its image.
    pub(crate) fn size(&self) -> usize {
        self.bytes.as_bytes().len()
    }

    /// True if it is served from its file.
    pub(crate) fn is_mapped(&self) -> bool {
        self.bytes.is_mapped()
    }

    /// The nodes' DocIds, rising.
    pub(crate) fn ids(&self) -> &[u32] {
        &self.bytes.words()[HEADER / 4..][..self.record.nodes as usize]
    }

    /// The nodes' vectors, one after the other.
    pub(crate) fn vectors(&self) -> &[f32] {
        &self.bytes.floats()[vectors_offset(&self.record) / 4..]
    }

    /// The adjacency as RocksDB holds it.
    pub(crate) fn adjacency(&self) -> &[u8] {
        adjacency_of(&self.bytes, &self.record)
    }

    /// Reads all vectors and compares their checksum.
    pub(crate) fn vectors_intact(&self) -> bool {
        crc32fast::hash(&self.bytes.as_bytes()[vectors_offset(&self.record)..]) == self.record.vectors_crc
    }

    /// For each node the next with an equal vector, or [`NONE`].
    pub(crate) fn twins(&self) -> &[u32] {
        let nodes = self.record.nodes as usize;
        &self.bytes.words()[HEADER / 4 + nodes..][..nodes]
    }

    /// The row of `node` in layer 0, unused slots cut off.
    pub(crate) fn row0(&self, node: u32) -> &[u32] {
        let slots = self.record.degree0 as usize;
        let start = HEADER / 4 + 2 * self.record.nodes as usize + node as usize * slots;
        used(&self.bytes.words()[start..start + slots])
    }

    /// The row of `node` in layer `layer`, 1 or above; empty where the node is not in that layer.
    pub(crate) fn row(&self, layer: usize, node: u32) -> &[u32] {
        let Some((nodes, rows)) = self.upper.get(layer - 1) else { return &[] };
        let words = self.bytes.words();
        let Ok(at) = words[*nodes..*rows].binary_search(&node) else { return &[] };
        let slots = self.record.degree as usize;
        used(&words[rows + at * slots..][..slots])
    }

    /// The nodes of layer `layer`, 1 or above, rising.
    pub(crate) fn layer_nodes(&self, layer: usize) -> &[u32] {
        self.upper.get(layer - 1).map_or(&[], |(nodes, rows)| &self.bytes.words()[*nodes..*rows])
    }

    fn score(&self, query: &[f32], node: u32) -> f32 {
        dot(query, &self.vectors()[node as usize * self.dimension..][..self.dimension])
    }
}

/// The record of a segment that holds `graph`, which is `adjacency` encoded, and may hold `docs`.
pub(crate) fn record(
    number: u32,
    docs: Range<u32>,
    graph: &Adjacency,
    adjacency: &[u8],
    vectors: &[f32],
) -> SegmentRecord {
    SegmentRecord {
        number,
        first_doc: docs.start,
        end_doc: docs.end,
        nodes: graph.ids.len() as u32,
        degree0: graph.degree0 as u32,
        degree: graph.degree as u32,
        layers: graph.upper.len() as u32 + 1,
        entry: graph.entry,
        graph_len: adjacency.len() as u64,
        chunks: chunk_count(adjacency.len()),
        graph_crc: crc32fast::hash(adjacency),
        vectors_crc: vectors_checksum(vectors),
    }
}

/// CRC-32 of vectors as a file holds them.
fn vectors_checksum(vectors: &[f32]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    // A sink that can't fail.
    let _ = each_block(vectors, |block| {
        hasher.update(block);
        Ok(())
    });
    hasher.finalize()
}

fn adjacency_of<'a>(bytes: &'a Bytes, record: &SegmentRecord) -> &'a [u8] {
    &bytes.as_bytes()[HEADER..HEADER + record.graph_len as usize]
}

fn used(row: &[u32]) -> &[u32] {
    &row[..row.iter().position(|n| *n == NONE).unwrap_or(row.len())]
}

fn vectors_offset(record: &SegmentRecord) -> usize {
    (HEADER + record.graph_len as usize).next_multiple_of(ALIGN)
}

fn header(record: &SegmentRecord, dimension: usize) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&MAGIC);
    let words = [
        LAYOUT_VERSION,
        record.number,
        dimension as u32,
        record.nodes,
        record.degree0,
        record.degree,
        record.layers,
        record.entry,
        record.first_doc,
        record.end_doc,
        record.graph_len as u32,
        (record.graph_len >> 32) as u32,
        record.graph_crc,
        record.vectors_crc,
    ];
    for (word, slot) in words.iter().zip(bytes[8..].chunks_exact_mut(4)) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    let crc = crc32fast::hash(&bytes[..HEADER - 4]);
    bytes[HEADER - 4..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn write_image(
    out: &mut dyn Write,
    record: &SegmentRecord,
    dimension: usize,
    adjacency: &[u8],
    vectors: &[f32],
) -> io::Result<()> {
    out.write_all(&header(record, dimension))?;
    out.write_all(adjacency)?;
    out.write_all(&[0; ALIGN][..vectors_offset(record) - HEADER - adjacency.len()])?;
    each_block(vectors, |block| out.write_all(block))
}

fn each_block(vectors: &[f32], mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut block = Vec::with_capacity(64 << 10);
    for part in vectors.chunks(16 << 10) {
        block.clear();
        block.extend(part.iter().flat_map(|v| v.to_le_bytes()));
        take(&block)?;
    }
    Ok(())
}
