//! Creating and opening: what is found on the disk becomes a [`View`], and what is derived is made again where it
//! can't be trusted.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use serde::Serialize;
use serde_json::Value;
use xunpin_core::durable::{TEMPORARY, sync_folder};
use xunpin_core::{FORMAT_VERSION, Fingerprint};

use crate::builder::GraphBuilder;
use crate::index::{Index, Writer};
use crate::lock::WriterLock;
use crate::manifest::{Folder, Found, Manifest};
use crate::record::{self, SegmentRecord};
use crate::segment::{self, Segment};
use crate::snapshot;
use crate::store::{Access, Family, Store};
use crate::tail::{Block, Tail};
use crate::view::View;
use crate::{IndexError, IndexOptions};

/// Something that was mended. None of these loses data; a file that fails again and again points to a failing disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "note", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RecoveryNote {
    /// A segment's file could not be trusted and was written again from the store.
    SegmentRemade {
        /// The segment's number.
        segment: u32,
        /// What was wrong with the file.
        reason: String,
    },
    /// The same, but the index is open for reading: the segment is held in memory, the file is left to the writer.
    SegmentInMemory {
        /// The segment's number.
        segment: u32,
        /// What was wrong with the file.
        reason: String,
    },
    /// The store's copy of a segment's graph was damaged as well: the graph was built anew from the vectors.
    GraphRebuilt {
        /// The segment's number.
        segment: u32,
        /// What was wrong with the stored graph.
        reason: String,
    },
    /// A file in `graph` that no record names, left by a crash, was removed.
    OrphanRemoved {
        /// The file's name.
        file: String,
    },
    /// The live part could not be frozen after a batch. The batch is stored; searches are slower until a freeze works.
    FreezeFailed {
        /// Why.
        reason: String,
    },
}

impl std::fmt::Display for RecoveryNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SegmentRemade { segment, reason } => {
                write!(f, "segment {segment} was written again from the store: {reason}")
            }
            Self::SegmentInMemory { segment, reason } => {
                write!(f, "segment {segment} is held in memory until the next writer mends it: {reason}")
            }
            Self::GraphRebuilt { segment, reason } => {
                write!(f, "the graph of segment {segment} was built anew: {reason}")
            }
            Self::OrphanRemoved { file } => write!(f, "removed {file}, left by an interrupted write"),
            Self::FreezeFailed { reason } => write!(f, "the newest vectors could not be frozen: {reason}"),
        }
    }
}

impl Index {
    /// True if `path` holds an index, whatever its state.
    pub fn exists(path: impl AsRef<Path>) -> bool {
        matches!(Folder::new(path.as_ref()).inspect(), Ok(Found::Index))
    }

    /// Makes an index in a new or empty folder, and opens it for writing. `extra` is kept in the manifest as it is.
    pub fn create(
        path: impl AsRef<Path>,
        fingerprint: &Fingerprint,
        options: IndexOptions,
        extra: Value,
    ) -> Result<Self, IndexError> {
        let folder = Folder::new(path.as_ref());
        let path = folder.path();
        options.validate()?;
        if options.dimension != fingerprint.dimension {
            let problem =
                format!("{}, but the model's vectors have {}", options.dimension, fingerprint.dimension);
            return Err(IndexError::Options { option: "dimension", problem });
        }
        match folder.inspect()? {
            Found::Nothing => {
                fs::create_dir_all(path).map_err(|e| IndexError::io("make the folder", path, e))?;
            }
            Found::Unfinished => {}
            Found::Index => return Err(IndexError::AlreadyExists { path: path.into() }),
            Found::Foreign(found) => return Err(IndexError::NotAnIndex { path: path.into(), found }),
        }
        let lock = WriterLock::take(&folder.lock(), path)?;
        let store = Store::open(&folder.db(), Access::Create)?;
        let state = store.state()?;
        if state.generation > 0 {
            let problem = "the file is missing, but the store holds products".into();
            return Err(IndexError::DamagedManifest { path: folder.manifest(), problem });
        }
        let mut writes = store.batch();
        writes.put_state(&state);
        writes.commit()?;
        let graph = folder.graph();
        fs::create_dir_all(&graph).map_err(|e| IndexError::io("make the folder", &graph, e))?;
        sync_folder(path)?;
        sync_folder(path.parent().unwrap_or(path))?;
        let manifest = Manifest {
            format_version: FORMAT_VERSION,
            created_by: env!("CARGO_PKG_VERSION").into(),
            fingerprint: fingerprint.clone(),
            options,
            extra,
        };
        // Last: until the manifest is there, the folder is no index and may be created again.
        folder.write_manifest(&manifest)?;
        Self::assemble(folder, manifest, store, Some(lock))
    }

    /// Opens an index for writing, mends what is derived, and removes what a crash left behind. One writer at a time.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, IndexError> {
        let folder = Folder::new(path.as_ref());
        let manifest = folder.read_manifest()?;
        let lock = WriterLock::take(&folder.lock(), folder.path())?;
        snapshot::remove_leftovers(&folder);
        let store = Store::open(&folder.db(), Access::Write)?;
        Self::assemble(folder, manifest, store, Some(lock))
    }

    /// Opens an index for reading, also while another process writes to it, and changes nothing on the disk. Shows
    /// what was committed at this moment, for as long as it is open.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, IndexError> {
        let folder = Folder::new(path.as_ref());
        let manifest = folder.read_manifest()?;
        let store = Store::open(&folder.db(), Access::Read)?;
        Self::assemble(folder, manifest, store, None)
    }

    fn assemble(
        folder: Folder,
        manifest: Manifest,
        store: Store,
        lock: Option<WriterLock>,
    ) -> Result<Self, IndexError> {
        let mut opening = Opening {
            folder: &folder,
            options: &manifest.options,
            store: &store,
            writable: lock.is_some(),
            notes: Vec::new(),
        };
        let state = store.state()?;
        let records = store.segments()?;
        let mut segments = Vec::with_capacity(records.len());
        let mut end = 0;
        for record in &records {
            if record.first_doc != end || record.end_doc < end {
                return Err(
                    store.damaged(format!("segment {} does not follow the one before", record.number))
                );
            }
            end = record.end_doc;
            segments.push(Arc::new(opening.segment(record)?));
        }
        if lock.is_some() {
            opening.remove_orphans(&records)?;
        }
        let tail = opening.tail(end)?;
        let notes = opening.notes;
        let view = View {
            dimension: manifest.options.dimension,
            generation: state.generation,
            products: state.products as usize,
            static_version: state.static_version,
            next_doc: state.next_doc,
            segments,
            tail,
            dead: Arc::new(store.tombstones()?.into_iter().collect()),
        };
        let writer = lock.map(|lock| Mutex::new(Writer { _lock: lock, state, graph_from: state.next_doc }));
        Ok(Self {
            folder,
            manifest,
            store,
            view: RwLock::new(Arc::new(view)),
            writer,
            notes: Mutex::new(notes),
        })
    }
}

struct Opening<'a> {
    folder: &'a Folder,
    options: &'a IndexOptions,
    store: &'a Store,
    writable: bool,
    notes: Vec<RecoveryNote>,
}

impl Opening<'_> {
    /// Maps a segment, or makes it again from the store.
    fn segment(&mut self, record: &SegmentRecord) -> Result<Segment, IndexError> {
        let path = self.folder.segment(record.number);
        let reason = match Segment::open(&path, record, self.options.dimension)? {
            Ok(segment) => return Ok(segment),
            Err(reason) => reason,
        };
        let number = record.number;
        self.notes.push(if self.writable {
            RecoveryNote::SegmentRemade { segment: number, reason }
        } else {
            RecoveryNote::SegmentInMemory { segment: number, reason }
        });
        match self.store.adjacency(record)? {
            Ok(adjacency) => {
                let ids = segment::encoded_ids(&adjacency, record.nodes as usize);
                let vectors = self.vectors_of(&ids)?;
                self.serve(record, &adjacency, &vectors)
            }
            Err(reason) => {
                self.notes.push(RecoveryNote::GraphRebuilt { segment: number, reason });
                self.rebuild(record)
            }
        }
    }

    /// Builds a segment's graph from the vectors of its range.
    fn rebuild(&self, old: &SegmentRecord) -> Result<Segment, IndexError> {
        let block = self.read(old.first_doc, old.end_doc)?;
        let graph = GraphBuilder::build(self.options, &block.ids, &block.vectors).export(&block.ids);
        let adjacency = graph.encode();
        let docs = old.first_doc..old.end_doc;
        let record = segment::record(old.number, docs, &graph, &adjacency, &block.vectors);
        let segment = self.serve(&record, &adjacency, &block.vectors)?;
        if self.writable {
            let mut writes = self.store.batch();
            for chunk in 0..old.chunks {
                writes.delete(Family::Graph, &record::chunk_key(old.number, chunk));
            }
            writes.put_segment(&record, &adjacency);
            writes.commit()?;
        }
        Ok(segment)
    }

    /// A segment of known parts: from its file for the writer, from memory for a reader.
    fn serve(
        &self,
        record: &SegmentRecord,
        adjacency: &[u8],
        vectors: &[f32],
    ) -> Result<Segment, IndexError> {
        let dimension = self.options.dimension;
        let made = if self.writable {
            let graph = self.folder.graph();
            fs::create_dir_all(&graph).map_err(|e| IndexError::io("make the folder", &graph, e))?;
            let path = self.folder.segment(record.number);
            Segment::write(&path, record, dimension, adjacency, vectors)?;
            Segment::open(&path, record, dimension)?
        } else {
            Segment::in_memory(record, dimension, adjacency, vectors)
        };
        made.map_err(|problem| {
            self.store.damaged(format!("segment {} can't be made again: {problem}", record.number))
        })
    }

    fn vectors_of(&self, ids: &[u32]) -> Result<Vec<f32>, IndexError> {
        let mut vectors = Vec::with_capacity(ids.len() * self.options.dimension);
        for part in ids.chunks(1_024) {
            let keys: Vec<[u8; 4]> = part.iter().map(|id| id.to_be_bytes()).collect();
            let found = self
                .store
                .get_many(Family::Vectors, &keys, |at, row| self.decode(part[at], row, &mut vectors))?;
            if let Some(at) = found.iter().position(Option::is_none) {
                return Err(self.store.damaged(format!("the vector of {} is missing", part[at])));
            }
        }
        Ok(vectors)
    }

    fn decode(&self, id: u32, row: &[u8], out: &mut Vec<f32>) -> Result<(), IndexError> {
        if record::decode_vector(row, self.options.dimension, out) {
            Ok(())
        } else {
            let expected = self.options.dimension * 2;
            Err(self.store.damaged(format!("the vector of {id} has {} bytes, not {expected}", row.len())))
        }
    }

    /// The stored vectors of a range.
    fn read(&self, from: u32, before: u32) -> Result<Block, IndexError> {
        let mut block = Block::default();
        self.store.scan(Family::Vectors, &from.to_be_bytes(), |key, row| {
            let doc = record::key_doc(key).ok_or_else(|| self.store.damaged("a vectors row's key".into()))?;
            if doc.0 >= before {
                return Ok(ControlFlow::Break(()));
            }
            self.decode(doc.0, row, &mut block.vectors)?;
            block.ids.push(doc.0);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(block)
    }

    /// What is not frozen, to be scanned.
    fn tail(&self, from: u32) -> Result<Tail, IndexError> {
        Ok(Tail::from_blocks([self.read(from, segment::NONE)?]))
    }

    fn remove_orphans(&mut self, records: &[SegmentRecord]) -> Result<(), IndexError> {
        let graph = self.folder.graph();
        let Ok(entries) = fs::read_dir(&graph) else { return Ok(()) };
        let known: Vec<_> = records.iter().map(|r| self.folder.segment(r.number)).collect();
        for entry in entries.flatten() {
            let path = entry.path();
            let file = entry.file_name().to_string_lossy().into_owned();
            let ours = file.starts_with("segment-")
                && path.extension().is_some_and(|e| e == "xpg" || e == TEMPORARY);
            if ours && !known.contains(&path) {
                fs::remove_file(&path).map_err(|e| IndexError::io("remove", &path, e))?;
                self.notes.push(RecoveryNote::OrphanRemoved { file });
            }
        }
        self.notes.sort_by_key(|note| matches!(note, RecoveryNote::OrphanRemoved { .. }));
        Ok(())
    }
}
