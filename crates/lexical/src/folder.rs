//! Folders that appear whole or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::LexicalError;

/// Where an index is built before it takes its place.
pub(crate) fn building(path: &Path) -> PathBuf {
    sibling(path, "building")
}

fn replaced(path: &Path) -> PathBuf {
    sibling(path, "replaced")
}

fn sibling(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Removes what an interrupted rebuild left.
pub(crate) fn remove_leftovers(path: &Path) -> Result<(), LexicalError> {
    remove(&building(path))?;
    remove(&replaced(path))
}

fn remove(path: &Path) -> Result<(), LexicalError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    };
    removed.map_err(|e| LexicalError::io("remove", path, e))
}

/// Puts the folder under construction in the place of `path`. A crash between the two renames leaves no index, which
/// the next opening tells; what was there is never half of the old and half of the new one.
pub(crate) fn put_in_place(path: &Path) -> Result<(), LexicalError> {
    let (new, old) = (building(path), replaced(path));
    sync(&new)?;
    if path.exists() {
        fs::rename(path, &old).map_err(|e| LexicalError::io("rename", path, e))?;
    }
    fs::rename(&new, path).map_err(|e| LexicalError::io("rename a new folder to", path, e))?;
    sync(path.parent().unwrap_or(Path::new(".")))?;
    // Left behind, it only takes room until the next opening.
    let _ = remove(&old);
    Ok(())
}

/// Writes a file and waits until it is on the disk.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), LexicalError> {
    File::create(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|e| LexicalError::io("write", path, e))
}

/// Makes the names in a folder durable.
fn sync(folder: &Path) -> Result<(), LexicalError> {
    // Only Unix lets a program open a folder; elsewhere a rename is as durable as the system makes it.
    if cfg!(unix) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)
            .and_then(|f| f.sync_all())
            .map_err(|e| LexicalError::io("make durable the folder", folder, e))?;
    }
    Ok(())
}
