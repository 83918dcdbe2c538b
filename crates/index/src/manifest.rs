use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use xunpin_core::{FORMAT_VERSION, Fingerprint, durable};

use crate::segment::Files;
use crate::{IndexError, IndexOptions, snapshot};

const MANIFEST: &str = "manifest.json";
/// The field of the manifest that guards the others.
const CHECKSUM: &str = "checksum";
const DB: &str = "db";
const GRAPH: &str = "graph";
const LOCK: &str = "writer.lock";
/// Folders of other crates, whose contents this one leaves alone.
const LEXICAL: &str = "lexical";
const WORD2VEC: &str = "word2vec";
/// Everything Xunpin puts at the top of an index folder.
const OURS: [&str; 7] = [MANIFEST, "manifest.json.tmp", DB, GRAPH, LOCK, LEXICAL, WORD2VEC];

/// `manifest.json`: what an index is, written once when it is made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format_version: u32,
    pub(crate) created_by: String,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) options: IndexOptions,
    /// The caller's own settings, kept as they are.
    #[serde(default)]
    pub(crate) extra: Value,
}

/// The paths inside an index folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

/// What a path that should be an index is.
pub(crate) enum Found {
    Nothing,
    /// A folder that is empty or holds what an interrupted creation leaves.
    Unfinished,
    Index,
    /// Something else; the text names it.
    Foreign(String),
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.0.join(MANIFEST)
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.0.join(DB)
    }

    pub(crate) fn graph(&self) -> PathBuf {
        self.0.join(GRAPH)
    }

    pub(crate) fn lexical(&self) -> PathBuf {
        self.0.join(LEXICAL)
    }

    pub(crate) fn word2vec(&self) -> PathBuf {
        self.0.join(WORD2VEC)
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join(LOCK)
    }

    pub(crate) fn segment(&self, number: u32) -> Files {
        let file = |ending: &str| self.graph().join(format!("segment-{number:08}.{ending}"));
        Files { graph: file("xpg"), vectors: file("xpv") }
    }

    /// Looks at the folder without changing it.
    pub(crate) fn inspect(&self) -> Result<Found, IndexError> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => {
                return Ok(Found::Foreign("a file, not a folder".into()));
            }
            Err(e) => return Err(IndexError::io("list the folder", &self.0, e)),
        };
        let mut foreign: Option<String> = None;
        let mut manifest = false;
        for entry in entries {
            let entry = entry.map_err(|e| IndexError::io("list the folder", &self.0, e))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            manifest |= name == MANIFEST;
            // The alphabetically first, so that the message is the same each time.
            if !OURS.contains(&name.as_str())
                && !snapshot::is_checkpoint(&name)
                && foreign.as_ref().is_none_or(|f| name < *f)
            {
                foreign = Some(name);
            }
        }
        Ok(match foreign {
            _ if manifest && (self.db().is_dir() || foreign.is_none()) => Found::Index,
            Some(name) => Found::Foreign(format!("`{name}`")),
            None => Found::Unfinished,
        })
    }

    /// The manifest of an existing index, with its errors told apart.
    pub(crate) fn read_manifest(&self) -> Result<Manifest, IndexError> {
        let path = self.manifest();
        let damaged = |problem: String| IndexError::DamagedManifest { path: path.clone(), problem };
        match self.inspect()? {
            Found::Index => {}
            Found::Nothing => return Err(IndexError::NotFound { path: self.0.clone() }),
            Found::Foreign(found) => return Err(IndexError::NotAnIndex { path: self.0.clone(), found }),
            Found::Unfinished if self.db().exists() => return Err(damaged("the file is missing".into())),
            Found::Unfinished => {
                return Err(IndexError::NotAnIndex {
                    path: self.0.clone(),
                    found: "no manifest.json".into(),
                });
            }
        }
        let text = fs::read(&path).map_err(|e| IndexError::io("read", &path, e))?;
        let mut value: Value =
            serde_json::from_slice(&text).map_err(|e| damaged(format!("not JSON: {e}")))?;
        // The version is read alone first: a newer format may change everything else.
        let Some(found) = value.get("format_version").and_then(Value::as_u64) else {
            return Err(damaged("it has no format_version".into()));
        };
        if found > u64::from(FORMAT_VERSION) {
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            return Err(IndexError::NewerFormat { path: self.0.clone(), found, supported: FORMAT_VERSION });
        }
        // Indexes made before there was one have none.
        if let Some(stored) = value.as_object_mut().and_then(|all| all.shift_remove(CHECKSUM))
            && stored != checksum(&value)
        {
            return Err(damaged("it was changed after it was written: its checksum is another".into()));
        }
        let manifest: Manifest = serde_json::from_value(value).map_err(|e| damaged(e.to_string()))?;
        manifest.options.validate().map_err(|e| damaged(e.to_string()))?;
        Ok(manifest)
    }

    /// Writes the manifest; from then on the folder is an index.
    pub(crate) fn write_manifest(&self, manifest: &Manifest) -> Result<(), IndexError> {
        durable::write_file(&self.manifest(), |out| {
            let mut value = serde_json::to_value(manifest)?;
            value[CHECKSUM] = checksum(&value).into();
            serde_json::to_writer_pretty(&mut *out, &value)?;
            out.write_all(b"\n")
        })?;
        Ok(())
    }
}

/// CRC-32 of everything else in the manifest, in its order, as JSON without spaces.
fn checksum(rest: &Value) -> u32 {
    crc32fast::hash(rest.to_string().as_bytes())
}
