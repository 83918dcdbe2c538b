//! Files that appear whole or not at all, even across a power cut.
//!
//! What this guarantees, on a file system that keeps what it has synced: after [`write_file`] has returned, the new content
//! is on the disk under its name; after a crash or an error before that, the name holds what it held before, the whole new
//! content, or nothing if there was nothing. What may stay behind is a file with the ending [`TEMPORARY`], which the next
//! writing replaces and which is never to be read. Two writers of one name at the same time are the caller's to prevent.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Ending of files that are not complete yet.
pub const TEMPORARY: &str = "tmp";

/// The system refused a file operation. Crates wrap it in errors of their own.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} {}", path.display())]
pub struct FileError {
    /// The operation, as a verb.
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// The system's error.
    pub source: io::Error,
}

impl FileError {
    fn new(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { action, path: path.into(), source }
    }
}

/// Writes `path` through a temporary neighbour: write, fsync, rename, fsync of the folder.
pub fn write_file(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), FileError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".");
    temporary.push(TEMPORARY);
    let temporary = Path::new(&temporary);
    let written = File::create(temporary).and_then(|file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        fill(&mut out)?;
        out.flush()?;
        out.get_ref().sync_all()
    });
    let renamed = written.map_err(FileError::new("write", path)).and_then(|()| {
        fs::rename(temporary, path).map_err(FileError::new("rename a temporary file to", path))
    });
    if renamed.is_err() {
        // The error that matters is the first one.
        let _ = fs::remove_file(temporary);
        return renamed;
    }
    sync_folder(path.parent().unwrap_or(Path::new("")))
}

/// Makes the names in a folder durable; an empty path is the working directory.
pub fn sync_folder(folder: &Path) -> Result<(), FileError> {
    // Only Unix lets a program open a folder; elsewhere a rename is as durable as the system makes it.
    if cfg!(unix) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)
            .and_then(|f| f.sync_all())
            .map_err(FileError::new("make durable the folder", folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_replaced_whole_or_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        // What a crash left.
        fs::write(folder.path().join("a.json.tmp"), "half, and longer than what comes").unwrap();
        write_file(&path, |out| out.write_all(b"one")).unwrap();
        assert_eq!(
            (fs::read(&path).unwrap(), names(folder.path())),
            (b"one".to_vec(), vec!["a.json".into()])
        );

        let error = write_file(&path, |out| {
            out.write_all(b"two")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        let error = error.unwrap_err();
        assert_eq!(
            (error.action, &error.path, error.source.kind()),
            ("write", &path, io::ErrorKind::StorageFull)
        );
        assert_eq!(
            (fs::read(&path).unwrap(), names(folder.path())),
            (b"one".to_vec(), vec!["a.json".into()])
        );
    }

    #[test]
    fn errors_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no/such");
        assert_eq!(write_file(&missing, |_| Ok(())).unwrap_err().path, missing);
        assert_eq!(sync_folder(&missing).unwrap_err().path, missing);
        // A folder stands where the file should.
        let error = write_file(folder.path(), |_| Ok(())).unwrap_err();
        assert_eq!(error.path, folder.path());
    }
}
