//! Creating and opening: what is found on the disk becomes a [`View`], and what is derived is made again where it
//! can't be trusted.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use xunpin_core::durable::{TEMPORARY, sync_folder};
use xunpin_core::{FORMAT_VERSION, Fingerprint};
use xunpin_hnsw::Coder;

use crate::index::{Core, Index, Writer};
use crate::lock::WriterLock;
use crate::maintain::Maintenance;
use crate::manifest::{Folder, Found, Manifest};
use crate::record::{self, SegmentRecord, State};
use crate::segment::{LAYOUT, Making, Segment, Source, WriteFiles};
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
    /// A segment's files could not be trusted and were written again from the store.
    SegmentRemade {
        /// The segment's number.
        segment: u32,
        /// What was wrong with the files.
        reason: String,
    },
    /// The same, but the index is open for reading: the segment is held in memory, the files are left to the writer.
    SegmentInMemory {
        /// The segment's number.
        segment: u32,
        /// What was wrong with the files.
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
    /// The live part could not be frozen, or segments could not be merged. Everything is stored; searches are slower until it works.
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

/// How often an opening for reading is repeated where a segment's file is missing, and the pause in between.
const READ_TRIES: u32 = 4;
const READ_PAUSE: Duration = Duration::from_millis(25);

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
        let mut tries = 0;
        let store = loop {
            let store = Store::open(&folder.db(), Access::Read)?;
            tries += 1;
            // A writer that merges removes the files of segments that this opening has just read of.
            let gone = |record: &SegmentRecord| !folder.segment(record.number).graph.exists();
            if tries == READ_TRIES || !store.segments()?.iter().any(gone) {
                break store;
            }
            std::thread::sleep(READ_PAUSE);
        };
        Self::assemble(folder, manifest, store, None)
    }

    fn assemble(
        folder: Folder,
        manifest: Manifest,
        store: Store,
        lock: Option<WriterLock>,
    ) -> Result<Self, IndexError> {
        let coder = Arc::new(Coder::new(manifest.options.dimension));
        let mut opening = Opening::new(&folder, &manifest.options, &store, &coder, lock.is_some());
        let (view, state) = opening.view()?;
        let notes = opening.notes;
        let core = Core {
            folder,
            manifest,
            store,
            view: RwLock::new(Arc::new(view)),
            writer: lock.map(|lock| Mutex::new(Writer { _lock: lock, state, epoch: 0 })),
            notes: Mutex::new(notes),
            maintenance: Maintenance::default(),
        };
        Ok(Self { core: Arc::new(core) })
    }
}

/// What is found on the disk becoming a view.
pub(crate) struct Opening<'a> {
    folder: &'a Folder,
    options: &'a IndexOptions,
    store: &'a Store,
    coder: &'a Arc<Coder>,
    writable: bool,
    pub(crate) notes: Vec<RecoveryNote>,
}

impl<'a> Opening<'a> {
    pub(crate) fn new(
        folder: &'a Folder,
        options: &'a IndexOptions,
        store: &'a Store,
        coder: &'a Arc<Coder>,
        writable: bool,
    ) -> Self {
        Self { folder, options, store, coder, writable, notes: Vec::new() }
    }

    /// What the store holds. A writer mends what is derived and removes what no record names.
    pub(crate) fn view(&mut self) -> Result<(View, State), IndexError> {
        let state = self.store.state()?;
        let records = self.store.segments()?;
        let mut segments = Vec::with_capacity(records.len());
        let mut end = 0;
        for record in &records {
            if record.first_doc != end || record.end_doc < end {
                let problem = format!("segment {} does not follow the one before", record.number);
                return Err(self.store.damaged(problem));
            }
            end = record.end_doc;
            segments.push(Arc::new(self.segment(record)?));
        }
        if self.writable {
            self.remove_orphans(&records)?;
        }
        let view = View {
            coder: Arc::clone(self.coder),
            generation: state.generation,
            products: state.products as usize,
            static_version: state.static_version,
            next_doc: state.next_doc,
            segments,
            tail: self.tail(end)?,
            dead: Arc::new(self.store.tombstones()?.into_iter().collect()),
        };
        Ok((view, state))
    }

    /// Maps a segment, or makes it again from the store. A writer looks at everything; a reader leaves the vectors to be checked
    /// when they are read.
    fn segment(&mut self, record: &SegmentRecord) -> Result<Segment, IndexError> {
        let files = self.folder.segment(record.number);
        let number = record.number;
        if record.layout != LAYOUT {
            let reason = "it is of an older version".into();
            self.notes.push(RecoveryNote::GraphRebuilt { segment: number, reason });
            return self.rebuild(record);
        }
        let reason = match Segment::open(&files, record, self.options.dimension, self.writable)? {
            Ok(segment) => return Ok(segment),
            Err(reason) => reason,
        };
        self.notes.push(if self.writable {
            RecoveryNote::SegmentRemade { segment: number, reason }
        } else {
            RecoveryNote::SegmentInMemory { segment: number, reason }
        });
        match self.store.adjacency(record)? {
            Ok(adjacency) => self.making(|making, to| making.again(record, &adjacency, to), number),
            Err(reason) => {
                self.notes.push(RecoveryNote::GraphRebuilt { segment: number, reason });
                self.rebuild(record)
            }
        }
    }

    /// Builds a segment's graph from the vectors of its range.
    fn rebuild(&self, old: &SegmentRecord) -> Result<Segment, IndexError> {
        let docs = old.first_doc..old.end_doc;
        let mut ids = Vec::new();
        self.store.scan(Family::Vectors, &docs.start.to_be_bytes(), |key, _| {
            let doc = self.key(key)?;
            if doc >= docs.end {
                return Ok(ControlFlow::Break(()));
            }
            ids.push(doc);
            Ok(ControlFlow::Continue(()))
        })?;
        let (segment, adjacency) =
            self.making(|making, to| making.new_segment(old.number, docs, ids, to), old.number)?;
        if self.writable {
            let mut writes = self.store.batch();
            writes.delete_segment(old);
            writes.put_segment(segment.record(), &adjacency);
            writes.commit()?;
        }
        Ok(segment)
    }

    /// Makes a segment: into its files for the writer, into memory for a reader.
    fn making<T>(
        &self,
        make: impl FnOnce(Making<'_>, WriteFiles<'_>) -> Result<T, IndexError>,
        number: u32,
    ) -> Result<T, IndexError> {
        let stop = AtomicBool::new(false);
        let source = Source { store: self.store, dimension: self.options.dimension };
        let making = Making { source, options: self.options, stop: &stop };
        if !self.writable {
            return make(making, WriteFiles::Memory);
        }
        let graph = self.folder.graph();
        fs::create_dir_all(&graph).map_err(|e| IndexError::io("make the folder", &graph, e))?;
        make(making, WriteFiles::Disk(&self.folder.segment(number)))
    }

    fn key(&self, key: &[u8]) -> Result<u32, IndexError> {
        let doc = record::key_doc(key).ok_or_else(|| self.store.damaged("a vectors row's key".into()))?;
        Ok(doc.0)
    }

    /// What is not frozen, to be scanned.
    fn tail(&self, from: u32) -> Result<Tail, IndexError> {
        let mut block = Block::new(self.coder);
        self.store.scan(Family::Vectors, &from.to_be_bytes(), |key, row| {
            let id = self.key(key)?;
            if !block.push(self.coder, id, row) {
                let expected = self.options.dimension * 2;
                let problem = format!("the vector of {id} has {} bytes, not {expected}", row.len());
                return Err(self.store.damaged(problem));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(Tail::from_blocks([block], self.options.dimension))
    }

    fn remove_orphans(&mut self, records: &[SegmentRecord]) -> Result<(), IndexError> {
        let graph = self.folder.graph();
        let Ok(entries) = fs::read_dir(&graph) else { return Ok(()) };
        let files = |record: &SegmentRecord| self.folder.segment(record.number);
        let known: Vec<_> =
            records.iter().map(files).flat_map(|files| [files.graph, files.vectors]).collect();
        for entry in entries.flatten() {
            let path = entry.path();
            let file = entry.file_name().to_string_lossy().into_owned();
            let ours = file.starts_with("segment-")
                && path.extension().is_some_and(|e| e == "xpg" || e == "xpv" || e == TEMPORARY);
            if ours && !known.contains(&path) {
                fs::remove_file(&path).map_err(|e| IndexError::io("remove", &path, e))?;
                self.notes.push(RecoveryNote::OrphanRemoved { file });
            }
        }
        self.notes.sort_by_key(|note| matches!(note, RecoveryNote::OrphanRemoved { .. }));
        Ok(())
    }
}
