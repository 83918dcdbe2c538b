//! Which files of an index go into an archive.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use xunpin_archive::{ArchiveError, EntryName, Source};
use xunpin_core::durable::TEMPORARY;

use super::SnapshotError;
use crate::IndexError;
use crate::manifest::Folder;

/// The manifest, which never changes.
pub(super) fn manifest(folder: &Folder) -> Result<Source, SnapshotError> {
    Ok(Source::at(named("manifest.json", &folder.manifest())?, folder.manifest())?)
}

/// The files of a store that nobody has open, by name.
pub(super) fn store_files(db: &Path) -> Result<Vec<Source>, SnapshotError> {
    let mut files = Vec::new();
    for name in names(db)? {
        // RocksDB's lock and its own diary.
        if name == "LOCK" || name.starts_with("LOG") {
            continue;
        }
        let path = db.join(&name);
        files.push(Source::at(named(&format!("db/{name}"), &path)?, path)?);
    }
    Ok(files)
}

/// What tells a file from another one that took its place.
#[derive(PartialEq)]
struct Mark {
    name: String,
    bytes: u64,
    modified: Option<SystemTime>,
    /// Not given to another file while this one is open.
    number: u64,
}

/// The files of word vectors, open: others may take their place.
pub(super) struct Words {
    pub(super) files: Vec<Source>,
    marks: Vec<Mark>,
}

impl Words {
    pub(super) fn open(folder: &Folder) -> Result<Self, SnapshotError> {
        let words = folder.word2vec();
        let mut found = Self { files: Vec::new(), marks: Vec::new() };
        let names = match names(&words) {
            Err(IndexError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(found);
            }
            names => names?,
        };
        for name in names {
            let path = words.join(&name);
            let temporary = path.extension().is_some_and(|ending| ending == TEMPORARY);
            // What else lies there is not the index's.
            let Some(entry) =
                EntryName::new(&format!("word2vec/{name}")).filter(|_| !temporary && path.is_file())
            else {
                continue;
            };
            let failed = |e| IndexError::io("open", &path, e);
            let file = File::open(&path).map_err(failed)?;
            let meta = file.metadata().map_err(failed)?;
            let mark =
                Mark { name, bytes: meta.len(), modified: meta.modified().ok(), number: number(&meta) };
            found.marks.push(mark);
            found.files.push(Source::opened(entry, &path, file)?);
        }
        Ok(found)
    }

    /// Whether these are the same files.
    pub(super) fn are(&self, others: &Self) -> bool {
        self.marks == others.marks
    }
}

#[cfg(unix)]
fn number(meta: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> u64 {
    0
}

fn named(name: &str, path: &Path) -> Result<EntryName, SnapshotError> {
    let problem = "its name is none that a file of an index has";
    Ok(EntryName::new(name).ok_or_else(|| ArchiveError::Source { path: path.into(), problem })?)
}

/// Names in a folder, in order.
fn names(folder: &Path) -> Result<Vec<String>, IndexError> {
    let failed = |e| IndexError::io("list the folder", folder, e);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
