//! Segments out of stored vectors: new ones with their graph, and the files of known ones again.

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use xunpin_core::{DocId, durable};
use xunpin_hnsw::{BuildError, BuildOptions, CodeBuffer, Coder, build};
use xxhash_rust::xxh3::xxh3_128;

use super::adjacency::{Adjacency, NONE};
use super::bytes::Bytes;
use super::layout::{self, HEADER};
use super::{Files, Segment, VectorFile, vectors, width};
use crate::record::{self, SegmentRecord};
use crate::store::{Family, Store, chunk_count};
use crate::{IndexError, IndexOptions};

/// Where the stored vectors are read from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) store: &'a Store,
    pub(crate) dimension: usize,
}

/// Where a segment's bytes go.
#[derive(Clone, Copy)]
pub(crate) enum WriteFiles<'a> {
    /// To the disk, whole or not at all; then they are mapped.
    Disk(&'a Files),
    /// Into memory, for a reader that must not write.
    Memory,
}

/// What segments are made with. Runs in the pool of threads that it is called in.
#[derive(Clone, Copy)]
pub(crate) struct Making<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) options: &'a IndexOptions,
    /// Making ends with an error soon after this goes up.
    pub(crate) stop: &'a AtomicBool,
}

impl Source<'_> {
    /// Gives the stored bytes of each vector, in order; `ids` rise.
    pub(crate) fn each(
        &self,
        ids: &[u32],
        mut visit: impl FnMut(&[u8]) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let missing = |id: u32| self.store.damaged(format!("the vector of {id} is missing"));
        let mut wanted = ids.iter().copied().peekable();
        let Some(&first) = wanted.peek() else { return Ok(()) };
        self.store.scan(Family::Vectors, &record::doc_key(DocId(first)), |key, row| {
            let Some(&next) = wanted.peek() else { return Ok(ControlFlow::Break(())) };
            let doc = record::key_doc(key).ok_or_else(|| self.store.damaged("a vectors row's key".into()))?;
            if doc.0 > next {
                return Err(missing(next));
            }
            if doc.0 == next {
                self.check(next, row)?;
                visit(row)?;
                wanted.next();
            }
            Ok(ControlFlow::Continue(()))
        })?;
        wanted.next().map_or(Ok(()), |id| Err(missing(id)))
    }

    fn check(&self, id: u32, row: &[u8]) -> Result<(), IndexError> {
        let expected = self.dimension * 2;
        if row.len() == expected {
            return Ok(());
        }
        Err(self.store.damaged(format!("the vector of {id} has {} bytes, not {expected}", row.len())))
    }
}

/// Codes of a segment's vectors, and which of them are equal.
struct Coded {
    coder: Coder,
    codes: CodeBuffer,
    /// The first row of each code.
    firsts: Vec<u32>,
    /// The last row of each code so far.
    lasts: Vec<u32>,
    twins: Vec<u32>,
    known: HashMap<u128, u32>,
    values: Vec<f32>,
}

impl Coded {
    fn new(dimension: usize, rows: usize) -> Self {
        let coder = Coder::new(dimension);
        let mut codes = CodeBuffer::new(&coder);
        codes.reserve(rows);
        Self {
            coder,
            codes,
            firsts: Vec::with_capacity(rows),
            lasts: Vec::with_capacity(rows),
            twins: Vec::with_capacity(rows),
            known: HashMap::with_capacity(rows),
            values: Vec::with_capacity(dimension),
        }
    }

    fn add(&mut self, row: &[u8]) {
        self.values.clear();
        // The length was checked.
        record::decode_vector(row, self.coder.dimension(), &mut self.values);
        let at = self.twins.len() as u32;
        self.twins.push(NONE);
        let code = self.codes.push(&self.coder, &self.values);
        let next = self.firsts.len() as u32;
        let code = *self.known.entry(xxh3_128(bytemuck::cast_slice(code))).or_insert(next);
        if code == next {
            self.firsts.push(at);
            self.lasts.push(at);
        } else {
            self.codes.pop();
            let last = &mut self.lasts[code as usize];
            self.twins[*last as usize] = at;
            *last = at;
        }
    }
}

impl Making<'_> {
    /// A new segment of the vectors `ids`, which rise and lie in `docs`, and the adjacency that belongs into the store with its
    /// record.
    pub(crate) fn new_segment(
        &self,
        number: u32,
        docs: std::ops::Range<u32>,
        ids: Vec<u32>,
        to: WriteFiles<'_>,
    ) -> Result<(Segment, Vec<u8>), IndexError> {
        let dimension = self.source.dimension;
        let mut record = SegmentRecord {
            number,
            layout: layout::LAYOUT,
            first_doc: docs.start,
            end_doc: docs.end,
            rows: ids.len() as u32,
            ..SegmentRecord::default()
        };
        let mut coded = Coded::new(dimension, ids.len());
        let (vectors, crc) = self.vectors(&record, &ids, to, |row| coded.add(row))?;
        record.vectors_crc = crc;

        let options = BuildOptions { m: self.options.m, ef_construction: self.options.ef_construction };
        let codes = coded.codes.codes();
        let graph = build(codes, &options, self.stop)?;
        let adjacency = Adjacency { graph, ids, twins: coded.twins, firsts: coded.firsts };
        let bytes = adjacency.encode();
        let graph = &adjacency.graph;
        record.layer_nodes.clone_from(&graph.layer_nodes);
        (record.degree0, record.degree) = (graph.degree0 as u32, graph.degree as u32);
        record.graph_len = bytes.len() as u64;
        record.chunks = chunk_count(bytes.len());
        record.graph_crc = layout::checksum(&bytes);
        let parts: [&[u8]; 2] =
            [bytemuck::cast_slice(codes.as_bytes()), bytemuck::cast_slice(codes.sketches())];
        let mut crc = crc32fast::Hasher::new();
        parts.iter().for_each(|part| crc.update(part));
        record.codes_crc = crc.finalize();
        let graph =
            self.graph(&record, &bytes, to, |out| parts.iter().try_for_each(|part| out.write_all(part)))?;
        // What was built of is not needed to measure.
        drop((coded.codes, adjacency));
        let mut segment = self.opened(&record, graph, vectors, to)?;
        let widths = width::measure(&segment, self.options.recall, self.stop)?;
        segment.record.widths = widths.ok_or(BuildError::Stopped)?;
        Ok((segment, bytes))
    }

    /// A known segment again. Its adjacency must be that of its record.
    pub(crate) fn again(
        &self,
        record: &SegmentRecord,
        adjacency: &[u8],
        to: WriteFiles<'_>,
    ) -> Result<Segment, IndexError> {
        let damaged = || self.source.store.damaged(format!("the record of segment {}", record.number));
        let words: Vec<u32> = adjacency.as_chunks::<4>().0.iter().map(|w| u32::from_le_bytes(*w)).collect();
        let rows = record.rows as usize;
        let ids = words.len().checked_sub(2 * rows).ok_or_else(damaged)?;
        let (others, ids) = words[..words.len() - rows].split_at(ids);
        let firsts = &others[others.len().checked_sub(record.nodes()).ok_or_else(damaged)?..];
        let mut firsts = firsts.iter().copied().peekable();
        let coder = Coder::new(self.source.dimension);
        let mut codes = CodeBuffer::new(&coder);
        let (mut row, mut values) = (0, Vec::new());
        let (vectors, _) = self.vectors(record, ids, to, |stored| {
            if firsts.next_if_eq(&row).is_some() {
                values.clear();
                // The length was checked.
                record::decode_vector(stored, coder.dimension(), &mut values);
                codes.push(&coder, &values);
            }
            row += 1;
        })?;
        let codes = codes.codes();
        let graph = self.graph(record, adjacency, to, |out| {
            out.write_all(bytemuck::cast_slice(codes.as_bytes()))?;
            out.write_all(bytemuck::cast_slice(codes.sketches()))
        })?;
        self.opened(record, graph, vectors, to)
    }

    /// Writes the vectors' file, or gives its image; and the checksum of its checksums.
    fn vectors(
        &self,
        record: &SegmentRecord,
        ids: &[u32],
        to: WriteFiles<'_>,
        mut also: impl FnMut(&[u8]),
    ) -> Result<(Option<Vec<u8>>, u32), IndexError> {
        let (mut crc, mut failed) = (0, None);
        let mut fill = |out: &mut dyn Write| -> io::Result<()> {
            crc = vectors::write(out, record, self.source.dimension, |take| {
                let each = self.source.each(ids, |row| {
                    if self.stop.load(Ordering::Relaxed) {
                        return Err(BuildError::Stopped.into());
                    }
                    also(row);
                    take(row).map_err(|e| IndexError::io("write", write_path(to), e))
                });
                each.map_err(|error| {
                    // Kept as it is: what passes through the writing of files is the system's errors.
                    failed = Some(error);
                    io::Error::other("")
                })
            })?;
            Ok(())
        };
        let image = match to {
            WriteFiles::Disk(files) => durable::write_file(&files.vectors, fill).map(|()| None),
            WriteFiles::Memory => {
                let mut image = Vec::new();
                // Memory takes everything.
                let _ = fill(&mut image);
                Ok(Some(image))
            }
        };
        match failed {
            Some(error) => Err(error),
            None => Ok((image?, crc)),
        }
    }

    /// Writes the graph's file, or gives its image. `codes` writes codes and sketches.
    fn graph(
        &self,
        record: &SegmentRecord,
        adjacency: &[u8],
        to: WriteFiles<'_>,
        codes: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Option<Vec<u8>>, IndexError> {
        let fill = |out: &mut dyn Write| -> io::Result<()> {
            out.write_all(&layout::graph_header(record, self.source.dimension))?;
            out.write_all(adjacency)?;
            layout::pad(out, HEADER + adjacency.len(), layout::codes_offset(record))?;
            codes(out)
        };
        match to {
            WriteFiles::Disk(files) => {
                durable::write_file(&files.graph, fill)?;
                Ok(None)
            }
            WriteFiles::Memory => {
                let mut image = Vec::new();
                fill(&mut image).map_err(|e| self.unmakeable(record, &e.to_string()))?;
                Ok(Some(image))
            }
        }
    }

    fn opened(
        &self,
        record: &SegmentRecord,
        graph: Option<Vec<u8>>,
        vectors: Option<Vec<u8>>,
        to: WriteFiles<'_>,
    ) -> Result<Segment, IndexError> {
        let dimension = self.source.dimension;
        let opened = match (to, graph, vectors) {
            (WriteFiles::Disk(files), ..) => Segment::open(files, record, dimension, false)?,
            (WriteFiles::Memory, graph, vectors) => {
                let image = |image: Option<Vec<u8>>| Bytes::copy(&image.unwrap_or_default());
                VectorFile::new(Path::new("memory"), image(vectors), record, dimension, true)
                    .and_then(|vectors| Segment::check(image(graph), vectors, record, dimension))
            }
        };
        opened.map_err(|reason| self.unmakeable(record, &reason))
    }

    fn unmakeable(&self, record: &SegmentRecord, reason: &str) -> IndexError {
        self.source.store.damaged(format!("segment {} can't be made again: {reason}", record.number))
    }
}

fn write_path<'a>(to: WriteFiles<'a>) -> &'a Path {
    match to {
        WriteFiles::Disk(files) => &files.vectors,
        WriteFiles::Memory => Path::new("memory"),
    }
}
