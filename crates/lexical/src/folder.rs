//! Folders that appear whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use xunpin_core::durable::sync_folder;

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
    sync_folder(&new)?;
    if path.exists() {
        fs::rename(path, &old).map_err(|e| LexicalError::io("rename", path, e))?;
    }
    fs::rename(&new, path).map_err(|e| LexicalError::io("rename a new folder to", path, e))?;
    sync_folder(path.parent().unwrap_or(Path::new("")))?;
    // Left behind, it only takes room until the next opening.
    let _ = remove(&old);
    Ok(())
}
