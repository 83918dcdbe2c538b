//! Files that appear whole or not at all, even across a power cut.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::WriteError;

/// Writes `path` through a temporary neighbour: write, fsync, rename, fsync of the folder.
pub(crate) fn write_file(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), WriteError> {
    let failed = |action, path: &Path, source| WriteError::Io { action, path: path.to_owned(), source };
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = Path::new(&name);
    let written = File::create(temporary).and_then(|file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        fill(&mut out)?;
        out.flush()?;
        out.get_ref().sync_all()
    });
    let renamed = match written {
        Ok(()) => fs::rename(temporary, path).map_err(|e| failed("rename a temporary file to", path, e)),
        Err(source) => Err(failed("write", path, source)),
    };
    if renamed.is_err() {
        // The error that matters is the first one.
        let _ = fs::remove_file(temporary);
        return renamed;
    }
    // Only Unix lets a program open a folder; elsewhere a rename is as durable as the system makes it.
    if cfg!(unix) {
        let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|f| f.sync_all())
            .map_err(|e| failed("make durable the folder", folder, e))?;
    }
    Ok(())
}
