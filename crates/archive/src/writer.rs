use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use xunpin_core::durable;

use crate::checksums::Checksums;
use crate::entry::{EntryName, SNAPSHOT, SUMS, SUMS_SUM};
use crate::error::ArchiveError;
use crate::header::{BLOCK, Header};
use crate::reader::MOST_FILES;
use crate::snapshot::{ARCHIVE_FORMAT, Snapshot};

/// Bytes copied at a time.
pub(crate) const BUFFER: usize = 1 << 18;

/// A file that goes into an archive.
#[derive(Debug)]
pub struct Source {
    name: EntryName,
    path: PathBuf,
    size: u64,
    /// `None`: opened when its turn comes.
    file: Option<File>,
}

impl Source {
    /// The file at `path`, opened when its turn comes: it must stay as it is until then.
    pub fn at(name: EntryName, path: impl Into<PathBuf>) -> Result<Self, ArchiveError> {
        let path = path.into();
        let found = fs::metadata(&path).map_err(ArchiveError::io("look at", &path))?;
        Self::of(name, path, &found, None)
    }

    /// A file that is open, from its beginning: another one may take its place at `path` meanwhile.
    pub fn opened(name: EntryName, path: impl Into<PathBuf>, file: File) -> Result<Self, ArchiveError> {
        let path = path.into();
        let found = file.metadata().map_err(ArchiveError::io("look at", &path))?;
        Self::of(name, path, &found, Some(file))
    }

    fn of(
        name: EntryName,
        path: PathBuf,
        found: &fs::Metadata,
        file: Option<File>,
    ) -> Result<Self, ArchiveError> {
        if !found.is_file() {
            return Err(ArchiveError::Source { path, problem: "it is no plain file" });
        }
        Ok(Self { name, path, size: found.len(), file })
    }
}

/// What [`write()`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// `snapshot.json`, with files and bytes counted.
    pub snapshot: Snapshot,
    /// Bytes of the archive.
    pub archive_bytes: u64,
}

/// Writes an archive to `path`: when this returns, it is there, whole and durable. An error, or a crash before that, leaves
/// what was there before, and at most a file `path` + `.tmp`, which the next writing replaces. `progress` is told the bytes
/// of content so far and in all, about every quarter of a mebibyte, and may stop the writing. Files are read one after another, never
/// held whole.
pub fn write(
    path: &Path,
    about: &Snapshot,
    files: Vec<Source>,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Written, ArchiveError> {
    let mut names = HashSet::new();
    if let Some(twice) = files.iter().find(|source| !names.insert(&source.name)) {
        return Err(ArchiveError::Source {
            path: twice.path.clone(),
            problem: "there is one of its name already",
        });
    }
    if files.len() > MOST_FILES {
        return Err(ArchiveError::Source { path: path.into(), problem: "the files are too many" });
    }
    let snapshot = Snapshot {
        archive_format: ARCHIVE_FORMAT,
        files: files.len() as u64,
        bytes: files.iter().map(|source| source.size).sum(),
        ..about.clone()
    };
    // `write_file` knows the errors of the system alone; what else goes wrong is handed past it.
    let mut failed = None;
    let mut archive_bytes = 0;
    let written = durable::write_file(path, |out| {
        let mut archive =
            Writing { out, snapshot: &snapshot, checksums: Checksums::default(), bytes: 0, done: 0 };
        let filled = archive.fill(files, progress);
        archive_bytes = archive.bytes;
        filled.map_err(|error| match error {
            Failed::Write(error) => error,
            Failed::Other(error) => {
                failed = Some(error);
                io::ErrorKind::Other.into()
            }
        })
    });
    match (failed, written) {
        (Some(error), _) => Err(error),
        (None, written) => {
            written?;
            Ok(Written { snapshot, archive_bytes })
        }
    }
}

enum Failed {
    /// The archive can't be written.
    Write(io::Error),
    Other(ArchiveError),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl From<ArchiveError> for Failed {
    fn from(error: ArchiveError) -> Self {
        Self::Other(error)
    }
}

/// An archive being written.
struct Writing<'a> {
    out: &'a mut dyn Write,
    snapshot: &'a Snapshot,
    checksums: Checksums,
    /// Bytes written.
    bytes: u64,
    /// Bytes of files among them.
    done: u64,
}

impl Writing<'_> {
    fn fill(
        &mut self,
        files: Vec<Source>,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<(), Failed> {
        let mut about = serde_json::to_vec_pretty(self.snapshot).map_err(io::Error::from)?;
        about.push(b'\n');
        self.text(SNAPSHOT, &about)?;
        for source in files {
            self.file(source, progress)?;
        }
        let list = self.checksums.list();
        self.text(SUMS, list.as_bytes())?;
        self.text(SUMS_SUM, Checksums::of_list(list.as_bytes()).as_bytes())?;
        self.put(&[0; 2 * BLOCK])?;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn header(&mut self, name: &str, size: u64) -> Result<(), Failed> {
        let header = Header { name: name.into(), size, time: self.snapshot.created_unix };
        let block = header
            .encode()
            .ok_or(ArchiveError::Source { path: name.into(), problem: "its name is too long" })?;
        Ok(self.put(&block)?)
    }

    fn padding(&mut self) -> io::Result<()> {
        let beyond = self.bytes as usize % BLOCK;
        self.put(&[0; BLOCK][..(BLOCK - beyond) % BLOCK])
    }

    fn text(&mut self, name: &str, text: &[u8]) -> Result<(), Failed> {
        self.header(name, text.len() as u64)?;
        if name == SNAPSHOT {
            self.checksums.add(name, self.bytes, Sha256::new().chain_update(text));
        }
        self.put(text)?;
        Ok(self.padding()?)
    }

    fn file(
        &mut self,
        source: Source,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<(), Failed> {
        let Source { name, path, size, file } = source;
        let file = match file {
            Some(file) => file,
            None => File::open(&path).map_err(ArchiveError::io("open", &path))?,
        };
        self.header(name.as_str(), size)?;
        let begin = self.bytes;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; usize::try_from(size).map_or(BUFFER, |size| BUFFER.min(size + 1))];
        // One byte more than there should be, so that a file that has grown shows.
        let mut file = file.take(size.saturating_add(1));
        loop {
            let read = match file.read(&mut buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ArchiveError::io("read", &path)(error).into()),
            };
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            self.put(&buffer[..read])?;
            self.done += read as u64;
            if progress(self.done, self.snapshot.bytes).is_break() {
                return Err(ArchiveError::Stopped.into());
            }
        }
        if self.bytes - begin != size {
            return Err(ArchiveError::SourceChanged { path, expected: size }.into());
        }
        self.checksums.add(name.as_str(), begin, hasher);
        Ok(self.padding()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_archived_is_told_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (file, archive) = (path("f"), path("a.xpa"));
        fs::write(&file, "abc").unwrap();
        let name = || EntryName::new("db/f").unwrap();
        let none = || Source::at(name(), path("none"));
        assert!(matches!(none(), Err(ArchiveError::Io { path: p, .. }) if p == path("none")));
        assert!(matches!(Source::at(name(), folder.path()), Err(ArchiveError::Source { .. })));

        let source = || Source::at(name(), &file).unwrap();
        let write = |sources, flow: ControlFlow<()>| {
            super::write(&archive, &Snapshot::default(), sources, &mut |_, _| flow)
        };
        let on = ControlFlow::Continue(());
        assert!(matches!(write(vec![source(), source()], on), Err(ArchiveError::Source { .. })));
        assert!(matches!(write(vec![source()], ControlFlow::Break(())), Err(ArchiveError::Stopped)));
        for now in ["ab", "abcd"] {
            fs::write(&file, "abc").unwrap();
            let sources = vec![source()];
            fs::write(&file, now).unwrap();
            assert!(
                matches!(write(sources, on), Err(ArchiveError::SourceChanged { expected: 3, .. })),
                "{now}"
            );
        }
        let sources = vec![source()];
        fs::remove_file(&file).unwrap();
        assert!(matches!(write(sources, on), Err(ArchiveError::Io { path, .. }) if path == file));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_opened_file_may_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("f"), "old one").unwrap();
        let source =
            Source::opened(EntryName::new("db/f").unwrap(), path("f"), File::open(path("f")).unwrap())
                .unwrap();
        fs::write(path("g"), "new").unwrap();
        fs::rename(path("g"), path("f")).unwrap();
        let on = &mut |_, _| ControlFlow::Continue(());
        let written = super::write(&path("a"), &Snapshot::default(), vec![source], on).unwrap();
        assert_eq!((written.snapshot.files, written.snapshot.bytes), (1, 7));
        let bytes = fs::read(path("a")).unwrap();
        assert_eq!(bytes.len() as u64, written.archive_bytes);
        assert!(bytes.windows(7).any(|window| window == b"old one"));
    }
}
