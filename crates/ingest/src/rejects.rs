use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::{Reject, RejectsError};

/// Writes rejected lines to a file, one JSON object each, with the reason and the original line. The file comes into
/// being with the first of them.
pub struct RejectsWriter {
    path: PathBuf,
    out: Option<BufWriter<File>>,
    count: u64,
}

impl RejectsWriter {
    /// A writer to `path`. An earlier file of rejected lines there is removed, so that what is there after the run is
    /// from that run; any other file is refused and left alone.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, RejectsError> {
        let path = path.into();
        match is_ours(&path) {
            Ok(Some(true)) => fs::remove_file(&path).map_err(|source| unwritable(&path, source))?,
            Ok(Some(false)) => return Err(RejectsError::Occupied { path }),
            Ok(None) => {}
            Err(source) => return Err(unwritable(&path, source)),
        }
        Ok(Self { path, out: None, count: 0 })
    }

    /// Writes one rejected line.
    pub fn write(&mut self, reject: &Reject) -> Result<(), RejectsError> {
        self.try_write(reject).map_err(|source| unwritable(&self.path, source))
    }

    fn try_write(&mut self, reject: &Reject) -> io::Result<()> {
        let out = match &mut self.out {
            Some(out) => out,
            None => self.out.insert(BufWriter::new(File::create(&self.path)?)),
        };
        serde_json::to_writer(&mut *out, reject)?;
        out.write_all(b"\n")?;
        self.count += 1;
        Ok(())
    }

    /// Hands what was written so far to the system. Call it at the end, and wherever it should be seen.
    pub fn flush(&mut self) -> Result<(), RejectsError> {
        match &mut self.out {
            Some(out) => out.flush().map_err(|source| unwritable(&self.path, source)),
            None => Ok(()),
        }
    }

    /// How many were written.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The file, whether or not it exists yet.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn unwritable(path: &Path, source: io::Error) -> RejectsError {
    RejectsError::Unwritable { path: path.into(), source }
}

/// Whether `path` is a file of rejected lines; `None` if there is nothing to lose: no file, or a device or pipe.
fn is_ours(path: &Path) -> io::Result<Option<bool>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Ok(Some(false)),
        Ok(metadata) if !metadata.is_file() => return Ok(None),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    }
    const LONGEST: u64 = 1 << 20;
    let mut first = Vec::new();
    BufReader::new(File::open(path)?).take(LONGEST).read_until(b'\n', &mut first)?;
    Ok(Some(first.is_empty() || serde_json::from_slice::<Reject>(&first).is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject() -> Reject {
        Reject {
            file: Path::new("a.csv").into(),
            line: 3,
            id: None,
            field: Some("price".into()),
            problem: "no".into(),
            raw: "1,\"x\"\n😀".into(),
            raw_exact: true,
        }
    }

    #[test]
    fn the_file_is_made_by_the_first_reject() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rejects.jsonl");
        let mut writer = RejectsWriter::new(&path).unwrap();
        writer.flush().unwrap();
        assert!(!path.exists());
        writer.write(&reject()).unwrap();
        writer.write(&reject()).unwrap();
        writer.flush().unwrap();
        assert_eq!(writer.count(), 2);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert_eq!(serde_json::from_str::<Reject>(text.lines().next().unwrap()).unwrap(), reject());
        RejectsWriter::new(&path).unwrap();
        assert!(!path.exists(), "the earlier run's file is gone");
    }

    #[test]
    fn other_files_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalogue.jsonl");
        fs::write(&path, "{\"id\":\"1\",\"title\":\"t\"}\n").unwrap();
        assert!(matches!(RejectsWriter::new(&path), Err(RejectsError::Occupied { .. })));
        assert!(path.exists());
        assert!(matches!(RejectsWriter::new(dir.path()), Err(RejectsError::Occupied { .. })));
        let mut nowhere = RejectsWriter::new(dir.path().join("none/rejects.jsonl")).unwrap();
        assert!(matches!(nowhere.write(&reject()), Err(RejectsError::Unwritable { .. })));
    }
}
