use std::collections::HashSet;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::ReadError;

/// Where a catalogue comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// One file.
    File(PathBuf),
    /// Every file that matches, sorted by path. Folders that match are passed over.
    Glob(String),
    /// Standard input.
    Stdin,
}

impl FromStr for Input {
    type Err = Infallible;

    /// `-` is standard input, the name of an existing file is that file, and any other text with `*`, `?` or `[` is a
    /// glob.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "-" {
            Self::Stdin
        } else if text.contains(['*', '?', '[']) && !Path::new(text).exists() {
            Self::Glob(text.to_owned())
        } else {
            Self::File(text.into())
        })
    }
}

/// One input to read: a path, or standard input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Place {
    /// `bytes` is absent for pipes and devices.
    File {
        path: PathBuf,
        bytes: Option<u64>,
    },
    Stdin,
}

impl Place {
    /// The file's path; `<stdin>` for standard input.
    pub(crate) fn path(&self) -> Arc<Path> {
        match self {
            Self::File { path, .. } => path.as_path().into(),
            Self::Stdin => Path::new("<stdin>").into(),
        }
    }
}

/// Looks every input up, so that a misspelt name is told before the work begins. A file named twice is read once.
pub(crate) fn resolve(inputs: &[Input]) -> Result<Vec<Place>, ReadError> {
    let mut places = Vec::new();
    let mut known = HashSet::new();
    let mut add_file =
        |places: &mut Vec<Place>, path: &Path, metadata: &fs::Metadata| -> Result<(), ReadError> {
            // Pipes have a path that cannot be resolved, such as /dev/fd/63.
            let bytes = metadata.is_file().then_some(metadata.len());
            let name = match bytes {
                Some(_) => fs::canonicalize(path).map_err(|source| unreadable(path, source))?,
                None => path.to_owned(),
            };
            if known.insert(name) {
                places.push(Place::File { path: path.into(), bytes });
            }
            Ok(())
        };
    for input in inputs {
        match input {
            Input::File(path) => {
                let metadata = fs::metadata(path).map_err(|source| unreadable(path, source))?;
                if metadata.is_dir() {
                    return Err(ReadError::IsFolder { path: path.into() });
                }
                add_file(&mut places, path, &metadata)?;
            }
            Input::Glob(pattern) => {
                let mut matched = false;
                for path in expand(pattern)? {
                    let metadata = fs::metadata(&path).map_err(|source| unreadable(&path, source))?;
                    if !metadata.is_dir() {
                        matched = true;
                        add_file(&mut places, &path, &metadata)?;
                    }
                }
                if !matched {
                    return Err(ReadError::NoMatch { pattern: pattern.clone() });
                }
            }
            Input::Stdin if places.contains(&Place::Stdin) => {}
            Input::Stdin => places.push(Place::Stdin),
        }
    }
    if places.is_empty() { Err(ReadError::NoInput) } else { Ok(places) }
}

fn expand(pattern: &str) -> Result<Vec<PathBuf>, ReadError> {
    let bad = |source| ReadError::BadPattern { pattern: pattern.to_owned(), source };
    let mut paths = Vec::new();
    for path in glob::glob(pattern).map_err(bad)? {
        paths.push(path.map_err(|e| {
            let at = e.path().to_path_buf();
            unreadable(&at, e.into())
        })?);
    }
    paths.sort();
    Ok(paths)
}

pub(crate) fn unreadable(path: &Path, source: io::Error) -> ReadError {
    match source.kind() {
        io::ErrorKind::NotFound => ReadError::NotFound { path: path.into() },
        _ => ReadError::Unreadable { path: path.into(), source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_sorted_and_files_are_read_once() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.jsonl", "a.jsonl", "c.csv"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::create_dir(dir.path().join("d.jsonl")).unwrap();
        let text = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let places = resolve(&[text("b.jsonl").parse().unwrap(), text("*.jsonl").parse().unwrap()]).unwrap();
        let names: Vec<_> = places
            .iter()
            .map(|p| match p {
                Place::File { path, .. } => path.file_name().unwrap().to_str().unwrap(),
                Place::Stdin => "-",
            })
            .collect();
        assert_eq!(names, ["b.jsonl", "a.jsonl"]);

        let fails = |name: &str| resolve(&[text(name).parse().unwrap()]).unwrap_err();
        assert!(matches!(fails("none.jsonl"), ReadError::NotFound { .. }));
        assert!(matches!(fails("*.xml"), ReadError::NoMatch { .. }));
        assert!(matches!(fails("***"), ReadError::BadPattern { .. }));
        assert!(matches!(fails("d.jsonl"), ReadError::IsFolder { .. }));
        assert!(matches!(resolve(&[]), Err(ReadError::NoInput)));
    }
}
