use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use xunpin_core::durable::{TEMPORARY, sync_folder};

use crate::entry::FOLDERS;
use crate::error::ArchiveError;
use crate::reader::Reader;
use crate::snapshot::Snapshot;
use crate::writer::BUFFER;

/// An archive's files, whole and durable, in a folder beside the one they are meant for. Dropped before
/// [`put_in_place`](Self::put_in_place), it is removed.
#[derive(Debug)]
pub struct Unpacked {
    staging: Staging,
    snapshot: Snapshot,
    target: PathBuf,
}

/// Unpacks `archive` into a folder beside `target`, which must be a new or an empty folder and stays so. Everything is
/// checked on the way: this returns only if the archive is whole. `progress` is told the bytes written so far and in
/// all, about every quarter of a mebibyte, and may stop it.
///
/// A crash leaves a folder `target` + `.restore.tmp` behind, which the next unpacking to the same place takes over.
pub fn unpack(
    archive: &Path,
    target: &Path,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Unpacked, ArchiveError> {
    let target = free(target)?;
    // Before anything is made: a file that is no archive is told at once.
    let input = File::open(archive).map_err(ArchiveError::io("open", archive))?;
    let mut reader = Reader::new(input, archive)?;
    let staging = Staging::of(&target)?;
    let folder = staging.index();
    for made in [&folder, &folder.join(FOLDERS[0]), &folder.join(FOLDERS[1])] {
        fs::create_dir(made).map_err(ArchiveError::io("make the folder", made))?;
    }
    let (mut done, total) = (0, reader.snapshot().bytes);
    while let Some(entry) = reader.next_file()? {
        let path = folder.join(entry.name.as_str());
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let mut out = BufWriter::with_capacity(BUFFER, file.map_err(ArchiveError::io("make", &path))?);
        reader.copy(&mut out, &path, &mut |part| {
            done += part;
            progress(done, total)
        })?;
        out.flush().and_then(|()| out.get_ref().sync_all()).map_err(ArchiveError::io("write", &path))?;
    }
    // An index without word vectors has no folder for them.
    for name in FOLDERS {
        let made = folder.join(name);
        if fs::remove_dir(&made).is_err() {
            sync_folder(&made)?;
        }
    }
    sync_folder(&folder)?;
    Ok(Unpacked { staging, snapshot: reader.snapshot().clone(), target })
}

impl Unpacked {
    /// The folder that the files are in for now.
    pub fn folder(&self) -> PathBuf {
        self.staging.index()
    }

    /// What the archive says it is.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Where the files are meant to be.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Renames the folder to where it is meant to be: there is nothing, or all of it. Nothing in it may be open any more.
    pub fn put_in_place(self) -> Result<(), ArchiveError> {
        let folder = self.folder();
        sync_folder(&folder)?;
        free(&self.target)?;
        // Unix puts a folder in the place of an empty one at once.
        if !cfg!(unix) && self.target.exists() {
            fs::remove_dir(&self.target)
                .map_err(ArchiveError::io("replace the empty folder", &self.target))?;
        }
        fs::rename(&folder, &self.target).map_err(ArchiveError::io("rename a folder to", &self.target))?;
        Ok(sync_folder(parent(&self.target))?)
    }
}

/// The folder `target`, with its real path, if nothing is there or it is empty.
fn free(target: &Path) -> Result<PathBuf, ArchiveError> {
    let taken = |found: String| ArchiveError::Taken { path: target.into(), found };
    match fs::read_dir(target) {
        Ok(mut entries) => match entries.next() {
            Some(Ok(entry)) => Err(taken(format!("`{}`", entry.file_name().to_string_lossy()))),
            Some(Err(error)) => Err(ArchiveError::io("list the folder", target)(error)),
            // Links and `.` are followed, so that there is a name to rename to.
            None => target.canonicalize().map_err(ArchiveError::io("find", target)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A link that leads nowhere can't be renamed to either.
            match fs::symlink_metadata(target) {
                Ok(_) => Err(taken("a link that leads nowhere".into())),
                Err(_) if target.file_name().is_none() => Err(ArchiveError::io("find", target)(error)),
                Err(_) => Ok(target.into()),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(taken("a file".into())),
        Err(error) => Err(ArchiveError::io("list the folder", target)(error)),
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// A folder for one unpacking, locked for as long as it goes on, and removed with all that is left in it.
#[derive(Debug)]
struct Staging {
    path: PathBuf,
    _lock: File,
}

impl Staging {
    fn of(target: &Path) -> Result<Self, ArchiveError> {
        let mut path = target.as_os_str().to_owned();
        path.push(".restore.");
        path.push(TEMPORARY);
        let path = PathBuf::from(path);
        fs::create_dir_all(&path).map_err(ArchiveError::io("make the folder", &path))?;
        let lock = Self::lock_file(&path);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&lock);
        let file = file.map_err(ArchiveError::io("open", &lock))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ArchiveError::Busy { path: target.into() }),
            Err(TryLockError::Error(error)) => return Err(ArchiveError::io("lock", &lock)(error)),
        }
        let staging = Self { path, _lock: file };
        let left = staging.index();
        match fs::remove_dir_all(&left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ArchiveError::io("remove", &left)(error))
            }
            _ => Ok(staging),
        }
    }

    fn index(&self) -> PathBuf {
        self.path.join("index")
    }

    fn lock_file(path: &Path) -> PathBuf {
        path.join("lock")
    }
}

impl Drop for Staging {
    /// What can't be removed stays for the next unpacking. Only what was made here is removed.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.index());
        let _ = fs::remove_file(Self::lock_file(&self.path));
        let _ = fs::remove_dir(&self.path);
    }
}
