//! Comparing a model's folder with its manifest.

use crate::hash::file_sha256;
use crate::home::read_folder;
use crate::manifest::ModelManifest;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Headers of real models are a few hundred kilobytes; a longer one is a damaged length field.
const MAX_HEADER: u64 = 100 << 20;

/// How deep to look for weights in a folder without a manifest: modules have folders of their own.
const MAX_DEPTH: usize = 3;

/// What a check found, file by file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The folder that was checked.
    pub folder: PathBuf,
    /// The manifest it was compared with. `None`: no manifest is known for it, and only the safetensors
    /// files were checked, and only whether their headers agree with their lengths.
    pub manifest: Option<String>,
    /// One entry per file of the manifest, in its order; without one, per safetensors file, by path. Other
    /// files of the folder are left out.
    pub files: Vec<FileCheck>,
}

/// One file of a [`VerifyReport`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileCheck {
    /// Path inside the folder, parts separated by `/`.
    pub path: String,
    /// What was found.
    pub state: FileState,
}

/// What was found of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileState {
    /// As it should be.
    Ok,
    /// Not there, or not a file.
    Missing,
    /// Another length, in bytes.
    WrongSize {
        /// The manifest's, or the one its header asks for.
        expected: u64,
        /// The file's.
        got: u64,
    },
    /// The right length and other contents.
    WrongSha256 {
        /// The manifest's.
        expected: String,
        /// The file's.
        got: String,
    },
    /// A safetensors file whose header can't be read.
    BadHeader {
        /// What is wrong with it.
        reason: String,
    },
}

/// A check that couldn't be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// No such folder. The caller gave it.
    #[error("{} is not a folder", folder.display())]
    NoFolder {
        /// The path that was given.
        folder: PathBuf,
    },
    /// A file or folder that can't be read: rights, or the disk.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl VerifyReport {
    /// Whether every file is as it should be.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.files.iter().all(|file| file.state == FileState::Ok)
    }
}

impl std::fmt::Display for FileState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ok => write!(f, "ok"),
            Self::Missing => write!(f, "missing"),
            Self::WrongSize { expected, got } => write!(f, "{got} bytes instead of {expected}"),
            Self::WrongSha256 { expected, got } => write!(f, "sha256 is {got} instead of {expected}"),
            Self::BadHeader { reason } => write!(f, "bad safetensors header: {reason}"),
        }
    }
}

/// Checks a model's folder: every file's length and SHA-256 if there is a manifest, else what
/// [`VerifyReport::manifest`] says. Reads 1.2 GB in about a second where the processor hashes by itself and
/// the files are in memory.
///
/// # Errors
/// When the folder isn't there or something in it can't be read. A bad file is no error: it is in the report.
pub fn verify(folder: &Path, manifest: Option<&ModelManifest>) -> Result<VerifyReport, VerifyError> {
    verify_with(folder, manifest, &mut |_, _, _| {})
}

/// [`verify`], telling `progress` the path, the bytes read of it and its length, about once a mebibyte.
///
/// # Errors
/// As [`verify`].
pub fn verify_with(
    folder: &Path,
    manifest: Option<&ModelManifest>,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> Result<VerifyReport, VerifyError> {
    if !folder.is_dir() {
        return Err(VerifyError::NoFolder { folder: folder.to_owned() });
    }
    let mut files = Vec::new();
    if let Some(manifest) = manifest {
        for file in &manifest.files {
            let mut seen = |done| progress(&file.path, done, file.size);
            let state = check_file(&folder.join(&file.path), file.size, &file.sha256, &mut seen)?;
            files.push(FileCheck { path: file.path.clone(), state });
        }
    } else {
        let mut weights = Vec::new();
        find_weights(folder, "", 0, &mut weights)?;
        weights.sort();
        for path in weights {
            let state = check_header(&folder.join(&path))?;
            files.push(FileCheck { path, state });
        }
    }
    let manifest = manifest.map(|manifest| manifest.name.clone());
    Ok(VerifyReport { folder: folder.to_owned(), manifest, files })
}

/// Compares one file with what it should be. The length is compared first: a hash of 1.2 GB takes a second.
pub(crate) fn check_file(
    path: &Path,
    size: u64,
    sha256: &str,
    seen: &mut dyn FnMut(u64),
) -> Result<FileState, VerifyError> {
    let failed = |source| VerifyError::Io { path: path.to_owned(), source };
    let found = match fs::metadata(path) {
        Ok(found) if found.is_file() => found,
        Ok(_) => return Ok(FileState::Missing),
        // NotADirectory: a file stands where one of its folders should be.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(FileState::Missing);
        }
        Err(error) => return Err(failed(error)),
    };
    if found.len() != size {
        return Ok(FileState::WrongSize { expected: size, got: found.len() });
    }
    let got = file_sha256(path, seen).map_err(failed)?;
    if got == sha256 {
        Ok(FileState::Ok)
    } else {
        Ok(FileState::WrongSha256 { expected: sha256.to_owned(), got })
    }
}

fn find_weights(
    folder: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<String>,
) -> Result<(), VerifyError> {
    let failed = |source| VerifyError::Io { path: folder.to_owned(), source };
    for entry in read_folder(folder).map_err(failed)? {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if path.is_dir() {
            if depth < MAX_DEPTH && !name.starts_with('.') {
                find_weights(&path, &format!("{prefix}{name}/"), depth + 1, found)?;
            }
        } else if name.ends_with(".safetensors") {
            found.push(format!("{prefix}{name}"));
        }
    }
    Ok(())
}

/// A safetensors file is 8 bytes with the header's length N (little endian), N bytes of JSON that give each
/// tensor's place in what follows, and the tensors; the last one ends where the file ends.
fn check_header(path: &Path) -> Result<FileState, VerifyError> {
    let failed = |source| VerifyError::Io { path: path.to_owned(), source };
    let bad = |reason: String| Ok(FileState::BadHeader { reason });
    let mut file = File::open(path).map_err(failed)?;
    let got = file.metadata().map_err(failed)?.len();
    if got < 8 {
        return bad(format!("the file has {got} bytes, fewer than its first field"));
    }
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(failed)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER || length > got - 8 {
        return bad(format!("its length, {length} bytes, is more than there is or can be"));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(failed)?;
    let tensors = match serde_json::from_slice::<Value>(&header) {
        Ok(Value::Object(tensors)) => tensors,
        Ok(_) => return bad("not a JSON object".to_owned()),
        Err(error) => return bad(error.to_string()),
    };
    let mut end = 0;
    for (name, tensor) in tensors.iter().filter(|(name, _)| *name != "__metadata__") {
        let offsets = &tensor["data_offsets"];
        match (offsets[0].as_u64(), offsets[1].as_u64()) {
            (Some(from), Some(to)) if from <= to => end = end.max(to),
            _ => return bad(format!("tensor {name:?} has no valid data_offsets")),
        }
    }
    let expected = end.saturating_add(8 + length);
    if expected == got { Ok(FileState::Ok) } else { Ok(FileState::WrongSize { expected, got }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{Digested, copy};

    fn manifest(files: &[(&str, &[u8])]) -> ModelManifest {
        let files: Vec<_> = files
            .iter()
            .map(|(path, bytes)| {
                let Digested { size, sha256 } =
                    copy(&mut &bytes[..], &mut io::sink(), u64::MAX, &mut |_| {}).unwrap();
                serde_json::json!({ "path": path, "size": size, "sha256": sha256 })
            })
            .collect();
        let json = serde_json::json!({ "name": "m", "hub_id": "o/m", "dimension": 4,
            "licence": { "name": "none" }, "files": files });
        ModelManifest::from_json(&json.to_string()).unwrap()
    }

    fn states(report: &VerifyReport) -> Vec<(&str, &FileState)> {
        report.files.iter().map(|file| (file.path.as_str(), &file.state)).collect()
    }

    #[test]
    fn each_kind_of_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let manifest =
            manifest(&[("ok", b"ok"), ("gone", b"gone"), ("short", b"short"), ("d/other", b"other")]);
        fs::create_dir(folder.path().join("d")).unwrap();
        for (path, bytes) in [("ok", "ok"), ("short", "shor"), ("d/other", "0ther"), ("extra", "x")] {
            fs::write(folder.path().join(path), bytes).unwrap();
        }
        let report = verify(folder.path(), Some(&manifest)).unwrap();
        assert!(!report.is_ok());
        assert_eq!(report.manifest.as_deref(), Some("m"));
        match states(&report)[..] {
            [
                ("ok", FileState::Ok),
                ("gone", FileState::Missing),
                ("short", FileState::WrongSize { expected: 5, got: 4 }),
                ("d/other", FileState::WrongSha256 { expected, got }),
            ] => {
                assert_eq!(*expected, manifest.files[3].sha256);
                assert_ne!(got, expected);
            }
            ref states => panic!("{states:?}"),
        }
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let error = verify(Path::new("nowhere-at-all"), None).unwrap_err();
        assert!(matches!(error, VerifyError::NoFolder { .. }), "{error}");
    }

    #[test]
    fn unknown_models_have_their_headers_compared_with_their_lengths() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, header: &str, data: usize| {
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend(header.as_bytes());
            bytes.extend(vec![0; data]);
            fs::write(folder.path().join(path), bytes).unwrap();
        };
        let header =
            r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
        fs::create_dir(folder.path().join("2_Dense")).unwrap();
        write("2_Dense/model.safetensors", header, 8);
        write("cut.safetensors", header, 7);
        write("json.safetensors", "[", 0);
        write("offsets.safetensors", r#"{"a":{"data_offsets":[8]}}"#, 8);
        fs::write(folder.path().join("long.safetensors"), [255; 9]).unwrap();
        fs::write(folder.path().join("tiny.safetensors"), [0; 3]).unwrap();
        let report = verify(folder.path(), None).unwrap();
        assert_eq!(report.manifest, None);
        let expected = (8 + header.len() + 8) as u64;
        match states(&report)[..] {
            [
                ("2_Dense/model.safetensors", FileState::Ok),
                ("cut.safetensors", FileState::WrongSize { expected: wanted, got }),
                ("json.safetensors", FileState::BadHeader { .. }),
                ("long.safetensors", FileState::BadHeader { .. }),
                ("offsets.safetensors", FileState::BadHeader { .. }),
                ("tiny.safetensors", FileState::BadHeader { .. }),
            ] => assert_eq!((*wanted, *got), (expected, expected - 1)),
            ref states => panic!("{states:?}"),
        }
    }
}
