//! Where things lie in a segment's two files; the tables are at the top of the parent module.

use std::io::{self, Write};

use rayon::prelude::*;
use xunpin_hnsw::{LINE, link_count, upper_count};

use crate::record::SegmentRecord;

/// Version of both files and of the adjacency.
pub(crate) const LAYOUT: u32 = 3;

const GRAPH_MAGIC: [u8; 8] = *b"XPGRAPH\0";
const VECTORS_MAGIC: [u8; 8] = *b"XPVECTS\0";
/// Both headers have this length.
pub(super) const HEADER: usize = 128;
/// Bytes of which checksums are taken on several threads.
const PIECE: usize = 4 << 20;

/// Words of adjacency: links, the nodes of the places, the nodes' first rows, the rows' DocIds, the rows' twins. `None` where the
/// record can't be.
pub(super) fn adjacency_words(record: &SegmentRecord) -> Option<usize> {
    let links = link_count(record.degree0 as usize, record.degree as usize, &record.layer_nodes)?;
    Some(links + upper_count(&record.layer_nodes) + record.nodes() + 2 * record.rows as usize)
}

/// Where the codes begin in the graph's file.
pub(super) fn codes_offset(record: &SegmentRecord) -> usize {
    (HEADER + record.graph_len as usize).next_multiple_of(LINE)
}

/// Where the sketches begin in it.
pub(super) fn sketches_offset(record: &SegmentRecord, stride: usize) -> usize {
    codes_offset(record) + record.nodes() * stride
}

/// Length of the graph's file.
pub(super) fn graph_file_len(record: &SegmentRecord, stride: usize) -> usize {
    sketches_offset(record, stride) + record.nodes() * stride / LINE * 8
}

/// Where the checksums begin in the vectors' file.
pub(super) fn checks_offset(record: &SegmentRecord, dimension: usize) -> usize {
    (HEADER + record.rows as usize * dimension * 2).next_multiple_of(4)
}

/// Length of the vectors' file.
pub(super) fn vectors_file_len(record: &SegmentRecord, dimension: usize) -> usize {
    checks_offset(record, dimension) + record.rows as usize * 4
}

pub(super) fn graph_header(record: &SegmentRecord, dimension: usize) -> [u8; HEADER] {
    let words = [
        LAYOUT,
        record.number,
        dimension as u32,
        record.rows,
        record.nodes() as u32,
        record.layer_nodes.len() as u32,
        record.degree0,
        record.degree,
        record.first_doc,
        record.end_doc,
        record.graph_len as u32,
        (record.graph_len >> 32) as u32,
        record.graph_crc,
        record.codes_crc,
    ];
    header(GRAPH_MAGIC, &words)
}

pub(super) fn vectors_header(record: &SegmentRecord, dimension: usize) -> [u8; HEADER] {
    let words = [LAYOUT, record.number, dimension as u32, record.rows, record.first_doc, record.end_doc];
    header(VECTORS_MAGIC, &words)
}

fn header(magic: [u8; 8], words: &[u32]) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&magic);
    for (word, slot) in words.iter().zip(bytes[8..].chunks_exact_mut(4)) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    let crc = crc32fast::hash(&bytes[..HEADER - 4]);
    bytes[HEADER - 4..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Writes zeros from `at` to `until`.
pub(super) fn pad(out: &mut dyn Write, at: usize, until: usize) -> io::Result<()> {
    out.write_all(&vec![0; until.saturating_sub(at)])
}

/// CRC-32, on all processors where it is worth it.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    if bytes.len() <= PIECE {
        return crc32fast::hash(bytes);
    }
    let piece = |piece: &[u8]| {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(piece);
        hasher
    };
    let pieces: Vec<_> = bytes.par_chunks(PIECE).map(piece).collect();
    let mut whole = crc32fast::Hasher::new();
    pieces.iter().for_each(|piece| whole.combine(piece));
    whole.finalize()
}
