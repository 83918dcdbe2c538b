//! A frozen segment: the vectors of a contiguous range of DocIds and their graph, in two flat, immutable files.
//!
//! ```text
//!            ┌─► segment-NNNNNNNN.xpv   half precision, mapped: rescoring and exact scans
//! `vectors` ─┤
//! (RocksDB)  └─► codes ─► graph ─┬─► segment-NNNNNNNN.xpg   mapped: walks
//!                                └─► `graph` (RocksDB, checksummed)
//! ```
//!
//! | file | role |
//! |---|---|
//! | `mod` | opening and checking a segment, its parts |
//! | `layout` | where things lie in the files, checksums |
//! | `adjacency` | the arrays of the graph, as bytes |
//! | `vectors` | the vectors' file |
//! | `gaps` | bits by DocId as bits by row |
//! | `bytes` | a file's bytes, mapped or in memory, as numbers |
//! | `make` | files out of stored vectors |
//! | `search` | walk and rescoring |
//! | `width` | how wide a walk must be |
//!
//! Everything is little-endian; a word has 4 bytes. A *row* is a vector of the segment, in the order of DocIds. A *node* is a
//! distinct code (`xunpin_hnsw::Coder`), in the order of their first rows: where no codes are equal, nodes are rows. A *place* is a
//! node of the layers above the lowest, the highest first.
//!
//! `segment-NNNNNNNN.xpg`:
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 8 | magic `XPGRAPH` and a zero byte |
//! | 8 | 4 | layout version, 3 |
//! | 12 | 4 | segment number |
//! | 16 | 4 | values of a vector, `d` |
//! | 20 | 4 | rows, `r` |
//! | 24 | 4 | nodes, `n` |
//! | 28 | 4 | layers, layer 0 included, `l` |
//! | 32 | 4 | slots of a row of links in layer 0, `s` |
//! | 36 | 4 | slots of a row of links in the layers above, `t` |
//! | 40 | 4 | first DocId the segment may hold |
//! | 44 | 4 | DocId after the last it may hold |
//! | 48 | 8 | bytes of adjacency, `a` |
//! | 56 | 4 | CRC-32 of the adjacency |
//! | 60 | 4 | CRC-32 of the codes and sketches |
//! | 64 | 60 | zero |
//! | 124 | 4 | CRC-32 of the 124 bytes before |
//! | 128 | `a` | adjacency |
//! | next multiple of 64 | `cn` | codes, node after node; `c` is `d` rounded up to a multiple of 64, zeros at the end |
//! | then | `cn/8` | sketches, node after node: a bit for each value of the code, set where it is negative |
//!
//! Adjacency, in words: layer 0, `s` node numbers a node, `FFFFFFFF` in slots not used (`ns`); for each layer above, `t` places a
//! place of the layer; the node of each place, or in a graph of one layer of that where walks begin; the first row of each node
//! (`n`); the rows' DocIds, rising (`r`); for each row the next with an equal code, `FFFFFFFF` for none (`r`). How many nodes each
//! layer has stands in the segment's record.
//!
//! `segment-NNNNNNNN.xpv`:
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 8 | magic `XPVECTS` and a zero byte |
//! | 8 | 4 | layout version, 3 |
//! | 12 | 4 | segment number |
//! | 16 | 4 | values of a vector, `d` |
//! | 20 | 4 | rows, `r` |
//! | 24 | 4 | first DocId the segment may hold |
//! | 28 | 4 | DocId after the last it may hold |
//! | 32 | 92 | zero |
//! | 124 | 4 | CRC-32 of the 124 bytes before |
//! | 128 | `2dr` | vectors, half precision, row after row |
//! | next multiple of 4 | `4r` | CRC-32 of each vector |
//!
//! The headers repeat the segment's record in RocksDB, which also has the checksum of the vectors' checksums: a file is taken
//! only if its header equals the one made from the record and its length is right. Adjacency and codes are checked whole at
//! opening, vectors by a writer; a reader checks each vector when it first reads it.

mod adjacency;
mod bytes;
mod gaps;
mod layout;
mod make;
mod search;
mod vectors;
mod width;

use std::io;
use std::path::{Path, PathBuf};

use xunpin_hnsw::{Coder, Codes, GraphRef, LINE, upper_count};

pub(crate) use adjacency::NONE;
use bytes::Bytes;
use gaps::Gaps;
use layout::HEADER;
pub(crate) use layout::LAYOUT;
pub(crate) use make::{Making, Source, WriteFiles};
pub(crate) use search::{Accept, Query, by_code};
pub(crate) use vectors::VectorFile;

use crate::IndexError;
use crate::record::SegmentRecord;

/// A frozen segment, ready to be searched.
pub(crate) struct Segment {
    record: SegmentRecord,
    graph: Bytes,
    vectors: VectorFile,
    stride: usize,
    gaps: Option<Gaps>,
}

/// The two files of a segment.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) graph: PathBuf,
    pub(crate) vectors: PathBuf,
}

impl Segment {
    /// Maps a segment's files. The inner error says why they can't be trusted; they must then be made again. With `whole`, all
    /// vectors are checked too.
    pub(crate) fn open(
        files: &Files,
        record: &SegmentRecord,
        dimension: usize,
        whole: bool,
    ) -> Result<Result<Self, String>, IndexError> {
        let map = |path: &Path| match Bytes::map(path) {
            Ok(bytes) => Ok(Ok(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Err("a file of it is missing".to_owned())),
            // An empty file can't be mapped.
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(Err("a file of it is empty".to_owned())),
            Err(e) => Err(IndexError::io("map", path, e)),
        };
        Ok(match (map(&files.graph)?, map(&files.vectors)?) {
            (Ok(graph), Ok(vectors)) => VectorFile::new(&files.vectors, vectors, record, dimension, whole)
                .and_then(|vectors| Self::check(graph, vectors, record, dimension)),
            (Err(reason), _) | (_, Err(reason)) => Err(reason),
        })
    }

    fn check(
        graph: Bytes,
        vectors: VectorFile,
        record: &SegmentRecord,
        dimension: usize,
    ) -> Result<Self, String> {
        let stride = Coder::new(dimension).stride();
        let words = layout::adjacency_words(record).filter(|words| *words as u64 * 4 == record.graph_len);
        if words.is_none() || record.layout != LAYOUT {
            return Err("its record has another layout".into());
        }
        let expected = layout::graph_file_len(record, stride);
        let held = graph.as_bytes();
        if held.len() != expected {
            return Err(format!("its graph has {} bytes, not {expected}", held.len()));
        }
        if held[..HEADER] != layout::graph_header(record, dimension) {
            return Err("the header of its graph does not match its record".into());
        }
        if layout::checksum(&held[HEADER..HEADER + record.graph_len as usize]) != record.graph_crc {
            return Err("its adjacency fails its checksum".into());
        }
        if layout::checksum(&held[layout::codes_offset(record)..]) != record.codes_crc {
            return Err("its codes fail their checksum".into());
        }
        let mut segment = Self { record: record.clone(), graph, vectors, stride, gaps: None };
        segment.check_numbers()?;
        segment.gaps = Gaps::of(segment.ids());
        Ok(segment)
    }

    /// That all numbers lead somewhere. Searches rely on it, and a checksum only says that they are the ones that were written.
    fn check_numbers(&self) -> Result<(), String> {
        let record = &self.record;
        GraphRef::new(
            record.degree0 as usize,
            record.degree as usize,
            &record.layer_nodes,
            self.links(),
            self.uppers(),
            self.codes(),
        )
        .ok_or("its links do not make a graph")?;
        let range = record.first_doc..record.end_doc;
        if !self.ids().is_sorted_by(|a, b| a < b) || !self.ids().iter().all(|id| range.contains(id)) {
            return Err("its internal numbers are not rising or leave its range".into());
        }
        if !self.firsts().is_sorted_by(|a, b| a < b)
            || self.firsts().last().is_some_and(|row| *row >= record.rows)
        {
            return Err("a node of it stands for no vector".into());
        }
        // Rising, so that following them ends.
        let rises = |(row, twin): (u32, &u32)| *twin == NONE || *twin > row && *twin < record.rows;
        if !(0u32..).zip(self.twins()).all(rises) {
            return Err("a twin in it is no vector after its first".into());
        }
        Ok(())
    }

    /// What RocksDB records of it.
    pub(crate) fn record(&self) -> &SegmentRecord {
        &self.record
    }

    /// Bytes of its files.
    pub(crate) fn size(&self) -> usize {
        self.graph.as_bytes().len() + self.vectors.size()
    }

    /// True if it is served from its files.
    pub(crate) fn is_mapped(&self) -> bool {
        self.graph.is_mapped() && self.vectors.is_mapped()
    }

    /// The rows' DocIds, rising.
    pub(crate) fn ids(&self) -> &[u32] {
        let rows = self.record.rows as usize;
        self.graph.words(self.end_of_adjacency() - rows * 8, rows)
    }

    /// The row of a DocId.
    pub(crate) fn row_of(&self, id: u32) -> Option<usize> {
        let ids = self.ids();
        let first = *ids.first()?;
        // Most segments have no gaps.
        let guess = id.checked_sub(first)? as usize;
        if ids.get(guess) == Some(&id) { Some(guess) } else { ids.binary_search(&id).ok() }
    }

    /// The vectors, by row.
    pub(crate) fn vectors(&self) -> &VectorFile {
        &self.vectors
    }

    /// The adjacency as RocksDB holds it.
    pub(crate) fn adjacency(&self) -> &[u8] {
        &self.graph.as_bytes()[HEADER..self.end_of_adjacency()]
    }

    /// Reads both files again and says what is wrong.
    pub(crate) fn damage(&self) -> Option<String> {
        let held = self.graph.as_bytes();
        if layout::checksum(self.adjacency()) != self.record.graph_crc {
            return Some("its adjacency fails its checksum".into());
        }
        if layout::checksum(&held[layout::codes_offset(&self.record)..]) != self.record.codes_crc {
            return Some("its codes fail their checksum".into());
        }
        let row = self.vectors.first_damaged()?;
        Some(format!("its vector {row} fails its checksum"))
    }

    fn end_of_adjacency(&self) -> usize {
        HEADER + self.record.graph_len as usize
    }

    fn links(&self) -> &[u32] {
        let others = self.uppers().len() + self.record.nodes() + 2 * self.record.rows as usize;
        self.graph.words(HEADER, (self.record.graph_len as usize / 4).saturating_sub(others))
    }

    /// The node of each place.
    fn uppers(&self) -> &[u32] {
        let (rows, nodes) = (self.record.rows as usize, self.record.nodes());
        let uppers = upper_count(&self.record.layer_nodes);
        self.graph.words(self.end_of_adjacency() - rows * 8 - (nodes + uppers) * 4, uppers)
    }

    fn codes(&self) -> Codes<'_> {
        let nodes = self.record.nodes();
        let codes = self.graph.codes(layout::codes_offset(&self.record), nodes * self.stride);
        let offset = layout::sketches_offset(&self.record, self.stride);
        Codes::new(codes, self.graph.double_words(offset, codes.len() / LINE), self.vectors.dimension())
    }

    /// The first row of each node.
    fn firsts(&self) -> &[u32] {
        let (rows, nodes) = (self.record.rows as usize, self.record.nodes());
        self.graph.words(self.end_of_adjacency() - rows * 8 - nodes * 4, nodes)
    }

    /// For each row the next with an equal code, or [`NONE`].
    fn twins(&self) -> &[u32] {
        let rows = self.record.rows as usize;
        self.graph.words(self.end_of_adjacency() - rows * 4, rows)
    }

    fn graph(&self) -> GraphRef<'_> {
        let record = &self.record;
        GraphRef::checked(
            record.degree0 as usize,
            record.degree as usize,
            &record.layer_nodes,
            self.links(),
            self.uppers(),
            self.codes(),
        )
    }
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segment").field("record", &self.record).finish_non_exhaustive()
    }
}
