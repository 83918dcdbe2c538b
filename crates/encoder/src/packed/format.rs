//! The file of a prepared model, `.xpm`: everything an encoder needs, ready to be mapped and used where it lies.
//!
//! | at | what |
//! |---|---|
//! | 0 | `XPMODEL\0` |
//! | 8 | version of the format, u32: [`VERSION`] |
//! | 12 | length of the header, u32 |
//! | 16 | xxh3 (64 bits) of the header |
//! | 24 | the header: JSON, see [`Header`] |
//! | ... | the sections, each at a multiple of 64 bytes, with zeros between |
//!
//! All numbers are little-endian. The header has its own checksum and every section one in the header. Opening checks
//! the header and that all sections lie inside the file; reading all of it would cost more than opening does, so the
//! sections' checksums are left to [`Contents::verify`].

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytemuck::AnyBitPattern;
use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use xunpin_core::Fingerprint;
use xxhash_rust::xxh3::xxh3_64;

use super::blueprint::Blueprint;
use crate::ModelError;

const MAGIC: &[u8; 8] = b"XPMODEL\0";

/// Version of the layout and of how weights are rounded; another one is not read but prepared anew.
pub(crate) const VERSION: u32 = 3;

/// Where the header begins.
const HEADER_AT: usize = 24;

/// Sections begin at multiples of this, a cache line.
const ALIGNMENT: u64 = 64;

/// What a prepared model says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// Of the encoder that runs from this file; its model's name is that of the folder prepared.
    pub(crate) fingerprint: Fingerprint,
    pub(crate) blueprint: Blueprint,
    /// The files it was made from, relative to the model's folder.
    pub(crate) sources: Vec<SourceFile>,
    /// Whether texts are put in lower case before the tokenizer's own rules apply.
    pub(crate) lower_case: bool,
    pub(crate) sections: BTreeMap<String, Section>,
}

/// A file that a prepared model was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// Nanoseconds since 1970 at which it was last changed.
    pub(crate) modified: u64,
}

/// Where a section lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Section {
    offset: u64,
    bytes: u64,
    xxh3: u64,
}

/// Writes the sections of a file one after another, then its head.
pub(crate) struct Writer {
    file: File,
    path: PathBuf,
    sections: BTreeMap<String, Section>,
    at: u64,
}

impl Writer {
    /// Writes to `file`, an empty one at `path`. `header_room` is an upper bound of the header's length.
    pub(crate) fn new(file: File, path: &Path, header_room: u64) -> Self {
        let at = (HEADER_AT as u64 + header_room).next_multiple_of(ALIGNMENT);
        Self { file, path: path.to_owned(), sections: BTreeMap::new(), at }
    }

    fn failed(&self, source: std::io::Error) -> ModelError {
        ModelError::Write { path: self.path.clone(), source }
    }

    /// Adds a section.
    pub(crate) fn add<T: bytemuck::NoUninit>(&mut self, name: &str, values: &[T]) -> Result<(), ModelError> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let section = Section { offset: self.at, bytes: bytes.len() as u64, xxh3: xxh3_64(bytes) };
        let written = self.file.seek(SeekFrom::Start(self.at)).and_then(|_| self.file.write_all(bytes));
        written.map_err(|source| self.failed(source))?;
        self.at = (self.at + section.bytes).next_multiple_of(ALIGNMENT);
        self.sections.insert(name.to_owned(), section);
        Ok(())
    }

    /// Writes the head and hands the file to the disk. Returns its length.
    pub(crate) fn finish(mut self, mut header: Header) -> Result<u64, ModelError> {
        header.sections = std::mem::take(&mut self.sections);
        let first = header.sections.values().map(|section| section.offset).min().unwrap_or(self.at);
        let json = serde_json::to_vec(&header)
            .map_err(|source| ModelError::Json { path: self.path.clone(), source })?;
        if HEADER_AT as u64 + json.len() as u64 > first {
            let problem = std::io::Error::other("the header outgrew the room left for it");
            return Err(self.failed(problem));
        }
        let mut head = head_of(&json).to_vec();
        head.extend(json);
        let written = self
            .file
            .set_len(self.at)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .and_then(|_| self.file.write_all(&head))
            .and_then(|()| self.file.sync_all());
        written.map_err(|source| self.failed(source))?;
        Ok(self.at)
    }
}

/// What stands before a header.
fn head_of(json: &[u8]) -> [u8; HEADER_AT] {
    let mut head = [0; HEADER_AT];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[12..16].copy_from_slice(&(json.len() as u32).to_le_bytes());
    head[16..].copy_from_slice(&xxh3_64(json).to_le_bytes());
    head
}

/// A mapped file of a prepared model.
pub(crate) struct Contents {
    path: PathBuf,
    map: Arc<Mmap>,
    pub(crate) header: Header,
}

impl Contents {
    /// Maps the file and checks its head. A file of another version is [`ModelError::PreparedVersion`].
    pub(crate) fn open(path: &Path) -> Result<Self, ModelError> {
        let io = |source| ModelError::from_io(path, source);
        let file = File::open(path).map_err(io)?;
        // SAFETY: the map is only read, and prepared files are replaced whole, never written to.
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        Self::read(path, Arc::new(map))
    }

    /// What [`open`](Self::open) makes of a file with this header, zeros from `first` on, and checksums that are right.
    pub(crate) fn of_zeros(header: &[u8], first: usize, zeros: usize) -> Result<Self, ModelError> {
        let path = Path::new("memory");
        let io = |source| ModelError::from_io(path, source);
        let end = HEADER_AT + header.len();
        let mut map = memmap2::MmapMut::map_anon(end.max(first) + zeros).map_err(io)?;
        map[..HEADER_AT].copy_from_slice(&head_of(header));
        map[HEADER_AT..end].copy_from_slice(header);
        Self::read(path, Arc::new(map.make_read_only().map_err(io)?))
    }

    fn read(path: &Path, map: Arc<Mmap>) -> Result<Self, ModelError> {
        let damaged =
            |problem: &str| ModelError::Prepared { path: path.to_owned(), problem: problem.to_owned() };
        if cfg!(target_endian = "big") {
            return Err(damaged("this processor is big-endian, the file is not"));
        }
        let head = map.get(..HEADER_AT).ok_or_else(|| damaged("shorter than its head"))?;
        if !head.starts_with(MAGIC) {
            return Err(damaged("not the beginning of a prepared model"));
        }
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if number(8) != VERSION {
            return Err(ModelError::PreparedVersion {
                path: path.to_owned(),
                found: number(8),
                expected: VERSION,
            });
        }
        let json = map.get(HEADER_AT..HEADER_AT + number(12) as usize);
        let json = json.ok_or_else(|| damaged("cut off inside the header"))?;
        if xxh3_64(json).to_le_bytes() != head[16..24] {
            return Err(damaged("the header's checksum does not match"));
        }
        let header: Header = serde_json::from_slice(json)
            .map_err(|source| ModelError::Json { path: path.to_owned(), source })?;
        for (name, section) in &header.sections {
            let end = section.offset.checked_add(section.bytes);
            if section.offset % ALIGNMENT != 0 || end.is_none_or(|end| end > map.len() as u64) {
                return Err(damaged(&format!("section `{name}` lies outside the file")));
            }
        }
        header.blueprint.check().map_err(|problem| damaged(&problem))?;
        let (fingerprint, blueprint) = (&header.fingerprint, &header.blueprint);
        if fingerprint.dimension != blueprint.dimension() || fingerprint.max_tokens > blueprint.max_positions
        {
            return Err(damaged("fingerprint and layers disagree on the vectors' length or the texts'"));
        }
        Ok(Self { path: path.to_owned(), map, header })
    }

    /// The values of a section, which must be `length` in number.
    pub(crate) fn span<T: AnyBitPattern>(&self, name: &str, length: usize) -> Result<Span<T>, ModelError> {
        let span = self.span_of_any_length(name)?;
        if span.length != length {
            let problem = format!("section `{name}` holds {} values, not {length}", span.length);
            return Err(ModelError::Prepared { path: self.path.clone(), problem });
        }
        Ok(span)
    }

    /// The values of a section.
    pub(crate) fn span_of_any_length<T: AnyBitPattern>(&self, name: &str) -> Result<Span<T>, ModelError> {
        let damaged = |problem: String| ModelError::Prepared { path: self.path.clone(), problem };
        let section = self.header.sections.get(name);
        let section = section.ok_or_else(|| damaged(format!("section `{name}` is missing")))?;
        let (start, bytes) = (section.offset as usize, section.bytes as usize);
        let values = bytemuck::try_cast_slice::<u8, T>(&self.map[start..start + bytes]);
        let values = values.map_err(|_| damaged(format!("section `{name}` is cut off inside a value")))?;
        Ok(Span { map: self.map.clone(), start, length: values.len(), kind: PhantomData })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its length.
    pub(crate) fn bytes(&self) -> u64 {
        self.map.len() as u64
    }

    /// True if there is a section of that name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.header.sections.contains_key(name)
    }

    /// Reads the whole file and returns the name of the first section that differs from its checksum.
    pub(crate) fn verify(&self) -> Option<&str> {
        let differs = |section: &Section| {
            let (start, bytes) = (section.offset as usize, section.bytes as usize);
            xxh3_64(&self.map[start..start + bytes]) != section.xxh3
        };
        self.header.sections.iter().find(|(_, section)| differs(section)).map(|(name, _)| name.as_str())
    }
}

/// Values that lie in a mapped file.
pub(crate) struct Span<T> {
    map: Arc<Mmap>,
    start: usize,
    length: usize,
    kind: PhantomData<T>,
}

impl<T: AnyBitPattern> Span<T> {
    /// The values.
    #[inline]
    pub(crate) fn get(&self) -> &[T] {
        let bytes = self.length * size_of::<T>();
        // Length and alignment were checked when the span was made.
        bytemuck::cast_slice(&self.map[self.start..self.start + bytes])
    }

    /// Bytes of the map from the first value on, and the map itself.
    pub(crate) fn bytes(&self) -> (Arc<Mmap>, std::ops::Range<usize>) {
        (self.map.clone(), self.start..self.start + self.length * size_of::<T>())
    }
}

#[cfg(test)]
mod tests;
