use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::checksums::Checksums;
use crate::entry::{EntryName, SNAPSHOT, SUMS, SUMS_SUM};
use crate::error::{ArchiveError, Damage};
use crate::header::{BLOCK, Header, parse_header};
use crate::snapshot::{ARCHIVE_FORMAT, Snapshot};
use crate::writer::BUFFER;

/// Most files of an archive: a store of a terabyte has some 16,000.
pub(crate) const MOST_FILES: usize = 100_000;
/// Longest `snapshot.json`, in bytes; ours has some 300.
const LONGEST_SNAPSHOT: u64 = 1 << 16;

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its name.
    pub name: EntryName,
    /// Bytes of its content.
    pub size: u64,
}

/// Reads an archive from its beginning to its end. Nothing of it is certain until [`next_file`](Self::next_file) has said
/// that there is no more: the checksums come last. Nothing in an archive makes the reader panic, read without end, or hold
/// more in memory than some hundred bytes for each of 100,000 files at most.
pub struct Reader<R> {
    input: R,
    archive: PathBuf,
    /// Bytes read.
    offset: u64,
    snapshot: Snapshot,
    checksums: Checksums,
    names: HashSet<EntryName>,
    /// Bytes of the files seen so far.
    bytes: u64,
    current: Option<FileEntry>,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the first entry. `archive` is what errors call the input.
    pub fn new(input: R, archive: impl Into<PathBuf>) -> Result<Self, ArchiveError> {
        let mut reader = Self {
            input,
            archive: archive.into(),
            offset: 0,
            snapshot: Snapshot { created_unix: 0, ..Snapshot::default() },
            checksums: Checksums::default(),
            names: HashSet::new(),
            bytes: 0,
            current: None,
            ended: false,
        };
        reader.begin()?;
        Ok(reader)
    }

    /// What the archive says it is.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Bytes of the archive read so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next file. `None` at the end, when all checksums have been compared and nothing follows: only then is the
    /// archive known to be whole. A file whose content was not [copied](Self::copy) is read over.
    pub fn next_file(&mut self) -> Result<Option<FileEntry>, ArchiveError> {
        if self.ended {
            return Ok(None);
        }
        if self.current.is_some() {
            self.copy(&mut io::sink(), Path::new(""), &mut |_| ControlFlow::Continue(()))?;
        }
        let begin = self.offset;
        let header = self.header(SUMS)?;
        let damaged = |damage| self.damaged(&header.name, begin, damage);
        if header.name == SUMS {
            self.finish(header.size, begin)?;
            self.ended = true;
            return Ok(None);
        }
        if header.name == SNAPSHOT || header.name == SUMS_SUM {
            return Err(damaged(Damage::OutOfPlace { expected: SUMS }));
        }
        let Some(name) = EntryName::new(&header.name) else { return Err(damaged(Damage::Name)) };
        if self.names.contains(&name) {
            return Err(damaged(Damage::Duplicate));
        }
        let count = |what, announced, found| Damage::Count { what, announced, found };
        let (files, bytes) = (self.names.len() as u64 + 1, self.bytes.saturating_add(header.size));
        if files > self.snapshot.files {
            return Err(damaged(count("files", self.snapshot.files, files)));
        }
        if bytes > self.snapshot.bytes {
            return Err(damaged(count("bytes", self.snapshot.bytes, bytes)));
        }
        self.bytes = bytes;
        self.names.insert(name.clone());
        let entry = FileEntry { name, size: header.size };
        self.current = Some(entry.clone());
        Ok(Some(entry))
    }

    /// Writes the content of the file that [`next_file`](Self::next_file) gave last to `out`; nothing if that was done
    /// before. `path` is what an error of `out` is told of; `progress` is told the bytes written, a quarter of a mebibyte
    /// at a time, and may stop the reading.
    pub fn copy(
        &mut self,
        out: &mut dyn Write,
        path: &Path,
        progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<(), ArchiveError> {
        let Some(FileEntry { name, size }) = self.current.take() else { return Ok(()) };
        let begin = self.offset;
        let mut hasher = Sha256::new();
        let mut left = size;
        let mut buffer = vec![0; BUFFER.min(usize::try_from(size).unwrap_or(BUFFER))];
        while left > 0 {
            let part = buffer.len().min(usize::try_from(left).unwrap_or(BUFFER));
            self.fill(&mut buffer[..part], name.as_str())?;
            hasher.update(&buffer[..part]);
            out.write_all(&buffer[..part]).map_err(ArchiveError::io("write", path))?;
            left -= part as u64;
            if progress(part as u64).is_break() {
                return Err(ArchiveError::Stopped);
            }
        }
        self.checksums.add(name.as_str(), begin, hasher);
        self.padding(name.as_str())
    }

    fn begin(&mut self) -> Result<(), ArchiveError> {
        let mut block = [0; BLOCK];
        let foreign = |archive: &Path, found| ArchiveError::NotAnArchive { archive: archive.into(), found };
        match self.read(&mut block)? {
            BLOCK => {}
            0 => return Err(foreign(&self.archive, "it is empty".into())),
            short => return Err(foreign(&self.archive, format!("it ends after {short} bytes"))),
        }
        let header = parse_header(&block)
            .map_err(|e| foreign(&self.archive, format!("its beginning can't be understood: {e}")))?;
        if header.name != SNAPSHOT {
            let found = format!("it is an archive that begins with `{}`", header.name.escape_debug());
            return Err(foreign(&self.archive, found));
        }
        if header.size > LONGEST_SNAPSHOT {
            return Err(self.damaged(SNAPSHOT, 0, Damage::Size { size: header.size }));
        }
        let begin = self.offset;
        let text = self.text(SNAPSHOT, header.size)?;
        self.checksums.add(SNAPSHOT, begin, Sha256::new().chain_update(&text));
        let damaged = |reason| self.damaged(SNAPSHOT, begin, Damage::Snapshot { reason });
        let value: Value = serde_json::from_slice(&text).map_err(|e| damaged(e.to_string()))?;
        // The version alone first: a newer layout may change everything else.
        let found = value.get("archive_format").and_then(Value::as_u64);
        let found = found.ok_or_else(|| damaged("it has no archive_format".into()))?;
        if found > u64::from(ARCHIVE_FORMAT) {
            let (archive, found) = (self.archive.clone(), u32::try_from(found).unwrap_or(u32::MAX));
            return Err(ArchiveError::NewerFormat { archive, found, supported: ARCHIVE_FORMAT });
        }
        let snapshot: Snapshot = serde_json::from_value(value).map_err(|e| damaged(e.to_string()))?;
        if snapshot.files > MOST_FILES as u64 {
            return Err(damaged(format!("it announces {} files", snapshot.files)));
        }
        if snapshot.created_unix != header.time {
            return Err(self.damaged(SNAPSHOT, 0, Damage::Time));
        }
        self.snapshot = snapshot;
        Ok(())
    }

    /// What comes after the files.
    fn finish(&mut self, size: u64, header_at: u64) -> Result<(), ArchiveError> {
        let expected = self.checksums.list().len() as u64;
        let count = |what, announced, found| Damage::Count { what, announced, found };
        let (files, bytes) = (self.names.len() as u64, self.bytes);
        if files != self.snapshot.files {
            return Err(self.damaged(SUMS, header_at, count("files", self.snapshot.files, files)));
        }
        if bytes != self.snapshot.bytes {
            return Err(self.damaged(SUMS, header_at, count("bytes", self.snapshot.bytes, bytes)));
        }
        if size != expected {
            return Err(self.damaged(SUMS, header_at, Damage::Size { size }));
        }
        let list_at = self.offset;
        let list = self.text(SUMS, size)?;
        let header_at = self.offset;
        let header = self.header(SUMS_SUM)?;
        if header.name != SUMS_SUM {
            let damage = Damage::OutOfPlace { expected: SUMS_SUM };
            return Err(self.damaged(&header.name, header_at, damage));
        }
        if header.size != Checksums::of_list(&list).len() as u64 {
            return Err(self.damaged(SUMS_SUM, header_at, Damage::Size { size: header.size }));
        }
        let own_at = self.offset;
        let own = self.text(SUMS_SUM, header.size)?;
        self.checksums
            .check(&list, list_at, &own, own_at)
            .map_err(|found| self.damaged(&found.name, found.offset, found.damage))?;
        let end = self.offset;
        let mut zeros = [0; 2 * BLOCK];
        self.fill(&mut zeros, SUMS_SUM)?;
        if let Some(at) = zeros.iter().position(|b| *b != 0) {
            return Err(self.damaged(SUMS_SUM, end + at as u64, Damage::Padding));
        }
        let end = self.offset;
        match self.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(self.damaged(SUMS_SUM, end, Damage::Trailing)),
        }
    }

    /// The next header, where `expected` may stand at the latest.
    fn header(&mut self, expected: &'static str) -> Result<Header, ArchiveError> {
        let begin = self.offset;
        let here = format!("after {}", self.checksums.last().unwrap_or(SNAPSHOT));
        let mut block = [0; BLOCK];
        self.fill(&mut block, &here)?;
        let header = parse_header(&block).map_err(|e| {
            // The end of a tar archive, or a gap.
            let gap = block.iter().all(|b| *b == 0);
            self.damaged(&here, begin, if gap { Damage::OutOfPlace { expected } } else { e.into() })
        })?;
        if header.time != self.snapshot.created_unix {
            return Err(self.damaged(&header.name, begin, Damage::Time));
        }
        Ok(header)
    }

    /// Content that is held in memory; `size` has been judged.
    fn text(&mut self, name: &str, size: u64) -> Result<Vec<u8>, ArchiveError> {
        // Grown while reading, not allocated at a word of the archive.
        let mut text = Vec::new();
        let read = (&mut self.input).take(size).read_to_end(&mut text);
        read.map_err(ArchiveError::io("read", &self.archive))?;
        self.offset += text.len() as u64;
        if text.len() as u64 != size {
            return Err(self.damaged(name, self.offset, Damage::Truncated));
        }
        self.padding(name)?;
        Ok(text)
    }

    fn padding(&mut self, name: &str) -> Result<(), ArchiveError> {
        let begin = self.offset;
        let mut block = [0; BLOCK];
        let padding = &mut block[..(BLOCK - (begin % BLOCK as u64) as usize) % BLOCK];
        self.fill(padding, name)?;
        match padding.iter().position(|b| *b != 0) {
            Some(at) => Err(self.damaged(name, begin + at as u64, Damage::Padding)),
            None => Ok(()),
        }
    }

    /// Fills `buffer`, or says that the archive ends too early, in `name`.
    fn fill(&mut self, buffer: &mut [u8], name: &str) -> Result<(), ArchiveError> {
        if self.read(buffer)? == buffer.len() {
            Ok(())
        } else {
            Err(self.damaged(name, self.offset, Damage::Truncated))
        }
    }

    /// Reads until `buffer` is full or the input ends.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.input.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ArchiveError::io("read", &self.archive)(error)),
            }
        }
        self.offset += filled as u64;
        Ok(filled)
    }

    fn damaged(&self, entry: &str, offset: u64, damage: Damage) -> ArchiveError {
        // A name may hold anything.
        let entry = entry.escape_debug().to_string();
        ArchiveError::Damaged { archive: self.archive.clone(), entry, offset, damage }
    }
}
