//! Folders that live as long as a snapshot is being taken.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use xunpin_core::durable::TEMPORARY;

use super::SnapshotError;
use crate::IndexError;
use crate::manifest::Folder;

const PREFIX: &str = "snapshot-";
const LOCK: &str = "lock";

/// A folder with a lock that tells others that its snapshot is still being taken: the system gives it back when the process
/// ends, however it ends. Removed when dropped.
pub(super) struct Temporary {
    path: PathBuf,
    _lock: File,
}

impl Temporary {
    /// A new one inside an index's folder, on the file system of its store, so that hard links are possible. The caller
    /// holds the right to write, as [`remove_leftovers`] does, so neither sees what the other has half made.
    pub(super) fn in_index(folder: &Folder) -> Result<Self, IndexError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("{PREFIX}{}-{number}.{TEMPORARY}", std::process::id());
            match Self::make(folder.path().join(name)) {
                // Of another machine's process, or of a dead one of the same number.
                Err(IndexError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made,
            }
        }
    }

    /// The one beside the archive `out`. What a crash left of it is removed.
    pub(super) fn beside(out: &Path) -> Result<Self, SnapshotError> {
        let mut path: OsString = out.into();
        path.push(".store.");
        path.push(TEMPORARY);
        let path = PathBuf::from(path);
        if path.exists() && !remove_abandoned(&path) {
            return Err(SnapshotError::Busy { path: out.into() });
        }
        Ok(Self::make(path)?)
    }

    fn make(path: PathBuf) -> Result<Self, IndexError> {
        fs::create_dir(&path).map_err(|e| IndexError::io("make the folder", &path, e))?;
        let lock = path.join(LOCK);
        let taken =
            File::create(&lock).and_then(|file| file.try_lock().map(|()| file).map_err(io::Error::from));
        Ok(Self { _lock: taken.map_err(|e| IndexError::io("lock", &lock, e))?, path })
    }

    /// Where the store's copy goes; RocksDB makes the folder.
    pub(super) fn db(&self) -> PathBuf {
        self.path.join("db")
    }
}

impl Drop for Temporary {
    /// What can't be removed is left to [`remove_leftovers`].
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Whether a name in an index's folder is that of a [`Temporary`].
pub(crate) fn is_checkpoint(name: &str) -> bool {
    let number = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(TEMPORARY));
    number.is_some_and(|number| {
        number.ends_with('.') && number.bytes().all(|b| b.is_ascii_digit() || b"-.".contains(&b))
    })
}

/// Removes what crashed snapshots left in an index's folder. What can't be removed does no harm. The caller holds the right
/// to write.
pub(crate) fn remove_leftovers(folder: &Folder) {
    for entry in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
        if is_checkpoint(&entry.file_name().to_string_lossy()) {
            remove_abandoned(&entry.path());
        }
    }
}

/// Removes the folder if the process that made it is gone. False if it is not, or the system refuses.
fn remove_abandoned(path: &Path) -> bool {
    // Held until the folder is gone. Without a lock file, the process ended before it had made one.
    let lock = match OpenOptions::new().write(true).open(path.join(LOCK)) {
        Ok(file) if file.try_lock().is_err() => return false,
        Ok(file) => Some(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(_) => return false,
    };
    let removed = fs::remove_dir_all(path).is_ok();
    drop(lock);
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_others() {
        assert!(is_checkpoint("snapshot-4711-0.tmp"));
        for name in
            ["snapshot-.xpa", "snapshot-shop.tmp", "snapshot-1-0tmp", "snapshot-1-0.tmp.gz", "segment-1.tmp"]
        {
            assert!(!is_checkpoint(name), "{name}");
        }
    }

    #[test]
    fn what_is_in_use_stays_and_what_is_left_goes() {
        let index = tempfile::tempdir().unwrap();
        let folder = Folder::new(index.path());
        let count = || fs::read_dir(index.path()).unwrap().count();
        let (first, second) = (Temporary::in_index(&folder).unwrap(), Temporary::in_index(&folder).unwrap());
        fs::create_dir(first.db()).unwrap();
        fs::create_dir(index.path().join("snapshot-1-0.tmp")).unwrap();
        fs::create_dir(index.path().join("snapshot-1-1.tmp")).unwrap();
        fs::write(index.path().join("snapshot-1-1.tmp/lock"), "").unwrap();
        assert_eq!(count(), 4);
        remove_leftovers(&folder);
        assert_eq!(count(), 2);
        drop((first, second));
        assert_eq!(count(), 0);

        let out = index.path().join("out.xpa");
        let held = Temporary::beside(&out).unwrap();
        assert!(matches!(Temporary::beside(&out), Err(SnapshotError::Busy { path }) if path == out));
        drop(held);
        fs::create_dir_all(index.path().join("out.xpa.store.tmp/db")).unwrap();
        drop(Temporary::beside(&out).unwrap());
        assert_eq!(count(), 0);
    }
}
