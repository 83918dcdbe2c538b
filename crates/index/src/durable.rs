//! Files that appear whole or not at all, even across a power cut.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::IndexError;

/// Ending of files that are not complete yet. A crash may leave one; it is never read.
pub(crate) const TEMPORARY: &str = "tmp";

/// Writes `path` through a temporary neighbour: write, fsync, rename, fsync of the folder.
pub(crate) fn write_file(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), IndexError> {
    let temporary = with_suffix(path, TEMPORARY);
    let written = File::create(&temporary).and_then(|file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        fill(&mut out)?;
        out.flush()?;
        out.get_ref().sync_all()
    });
    if let Err(source) = written {
        // The error that matters is the first one.
        let _ = fs::remove_file(&temporary);
        return Err(IndexError::io("write", &temporary, source));
    }
    fs::rename(&temporary, path).map_err(|e| IndexError::io("rename a temporary file to", path, e))?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), IndexError> {
    // Only Unix lets a program open a folder; elsewhere a rename is as durable as the system makes it.
    if cfg!(unix) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)
            .and_then(|f| f.sync_all())
            .map_err(|e| IndexError::io("make durable the folder", folder, e))?;
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
