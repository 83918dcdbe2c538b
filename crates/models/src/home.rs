//! Where models live: `HOME/models/NAME`, with unfinished pulls under `HOME/models/.partial`.

use crate::manifest::{ModelManifest, is_plain_name, known, known_names};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// No folder to keep models in. The environment caused it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// The user has no cache folder.
    #[error("no cache folder is known for this user: set XUNPIN_HOME to a folder")]
    NoCacheFolder,
}

/// A model that can't be opened. The caller's name or path caused it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// A known model that isn't on this machine.
    #[error("model {name} is not at {}: run `xunpin model pull {name}`", folder.display())]
    Absent {
        /// The model's name.
        name: String,
        /// Where it would be.
        folder: PathBuf,
    },
    /// A known model's folder in which a file is missing or has another length.
    #[error("{} in the folder of model {name} is missing or damaged: run `xunpin model pull {name}`", file.display())]
    Incomplete {
        /// The model's name.
        name: String,
        /// The first such file.
        file: PathBuf,
    },
    /// A folder that holds no model.
    #[error("{} has neither modules.json nor config.json: it is not a sentence-transformers folder", folder.display())]
    NotAModel {
        /// The folder.
        folder: PathBuf,
    },
    /// Neither a known name nor a folder.
    #[error(
        "{given:?} is neither a known model nor a sentence-transformers folder; known models: {}",
        known_names()
    )]
    Unknown {
        /// What was given.
        given: String,
    },
    /// No folder to look in.
    #[error(transparent)]
    Home(#[from] HomeError),
}

/// What is on this machine of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelState {
    /// Every file is there in its full length. Contents are checked by [`verify`](crate::verify()) alone.
    Present,
    /// Some of it: an unfinished pull, or a folder with files missing or of another length.
    Partial,
    /// Nothing.
    Absent,
    /// A folder that isn't a sentence-transformers folder.
    NotAModel,
}

/// One line of [`list`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelStatus {
    /// The model's name, which is its folder's name.
    pub name: String,
    /// Whether a manifest is known.
    pub known: bool,
    /// What is there.
    pub state: ModelState,
    /// Where it is, or would be.
    pub folder: PathBuf,
    /// Bytes on disk, those of an unfinished pull included.
    pub size_on_disk: u64,
    /// Bytes of the complete model, if it is known.
    pub size: Option<u64>,
    /// The licence's name, if the model is known.
    pub licence: Option<String>,
}

/// `$XUNPIN_HOME`, else `xunpin` in the user's cache folder. It need not exist.
///
/// # Errors
/// When neither is known.
pub fn home() -> Result<PathBuf, HomeError> {
    match env("XUNPIN_HOME") {
        Some(home) => Ok(home.into()),
        None => Ok(dirs::cache_dir().ok_or(HomeError::NoCacheFolder)?.join("xunpin")),
    }
}

/// Where a model of this name lives under `home`.
#[must_use]
pub fn model_folder(home: &Path, name: &str) -> PathBuf {
    home.join("models").join(name)
}

/// The folder of a model that is named, or given as a path to a sentence-transformers folder.
///
/// A name wins over a folder of the same name in the working folder: write `./NAME` for that one. Names
/// are those of the known models and of the other folders under `HOME/models`.
///
/// # Errors
/// When it isn't there or isn't a model; the message says what to do.
pub fn resolve(name_or_path: &str) -> Result<PathBuf, ResolveError> {
    // Without a home a path still works.
    match home() {
        Ok(home) => resolve_in(&home, name_or_path),
        Err(_) if Path::new(name_or_path).is_dir() => resolve_path(Path::new(name_or_path)),
        Err(error) => Err(error.into()),
    }
}

/// [`resolve`] with another home.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_in(home: &Path, name_or_path: &str) -> Result<PathBuf, ResolveError> {
    if let Some(manifest) = known().iter().find(|manifest| manifest.name == name_or_path) {
        return resolve_known(home, manifest);
    }
    if is_plain_name(name_or_path) {
        let folder = model_folder(home, name_or_path);
        if folder.is_dir() {
            return resolve_path(&folder);
        }
    }
    let path = Path::new(name_or_path);
    if path.is_dir() {
        return resolve_path(path);
    }
    Err(ResolveError::Unknown { given: name_or_path.to_owned() })
}

fn resolve_known(home: &Path, manifest: &ModelManifest) -> Result<PathBuf, ResolveError> {
    let folder = model_folder(home, &manifest.name);
    let name = manifest.name.clone();
    if !folder.is_dir() {
        return Err(ResolveError::Absent { name, folder });
    }
    match first_bad_file(&folder, manifest) {
        Some(file) => Err(ResolveError::Incomplete { name, file }),
        None => Ok(folder),
    }
}

fn resolve_path(folder: &Path) -> Result<PathBuf, ResolveError> {
    if looks_like_a_model(folder) {
        Ok(folder.to_owned())
    } else {
        Err(ResolveError::NotAModel { folder: folder.to_owned() })
    }
}

/// Every known model, then the other folders under `HOME/models`, each part by name. A home that doesn't
/// exist has none of them.
///
/// # Errors
/// When a folder can't be read.
pub fn list(home: &Path) -> io::Result<Vec<ModelStatus>> {
    let models = home.join("models");
    list_models(home, &models).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot read the models under {}: {error}", models.display()))
    })
}

fn list_models(home: &Path, models: &Path) -> io::Result<Vec<ModelStatus>> {
    let mut statuses = Vec::new();
    for manifest in known() {
        let folder = model_folder(home, &manifest.name);
        let staging = staging_folder(home, &manifest.name);
        let complete = folder.is_dir() && first_bad_file(&folder, manifest).is_none();
        let state = match (complete, folder.is_dir() || staging.is_dir()) {
            (true, _) => ModelState::Present,
            (false, true) => ModelState::Partial,
            (false, false) => ModelState::Absent,
        };
        statuses.push(ModelStatus {
            name: manifest.name.clone(),
            known: true,
            state,
            size_on_disk: folder_size(&folder)? + folder_size(&staging)?,
            folder,
            size: Some(manifest.size()),
            licence: Some(manifest.licence.name.clone()),
        });
    }
    let mut others = Vec::new();
    for entry in read_folder(models)? {
        let name = entry.file_name().to_string_lossy().into_owned();
        let folder = entry.path();
        let is_known = known().iter().any(|manifest| manifest.name == name);
        if is_known || name.starts_with('.') || !folder.is_dir() {
            continue;
        }
        let state = if looks_like_a_model(&folder) { ModelState::Present } else { ModelState::NotAModel };
        let size_on_disk = folder_size(&folder)?;
        others.push(ModelStatus {
            name,
            known: false,
            state,
            folder,
            size_on_disk,
            size: None,
            licence: None,
        });
    }
    others.sort_by(|a, b| a.name.cmp(&b.name));
    statuses.extend(others);
    Ok(statuses)
}

/// Where an unfinished pull of a model keeps its files.
pub(crate) fn staging_folder(home: &Path, name: &str) -> PathBuf {
    home.join("models").join(".partial").join(name)
}

/// An environment variable; an empty one counts as not set.
pub(crate) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn looks_like_a_model(folder: &Path) -> bool {
    folder.join("modules.json").is_file() || folder.join("config.json").is_file()
}

fn first_bad_file(folder: &Path, manifest: &ModelManifest) -> Option<PathBuf> {
    manifest.files.iter().find_map(|file| {
        let path = folder.join(&file.path);
        let whole = fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() == file.size);
        (!whole).then_some(path)
    })
}

/// Bytes of all files under a folder. Links are not followed: a loop of them would never end.
pub(crate) fn folder_size(folder: &Path) -> io::Result<u64> {
    let mut size = 0;
    for entry in read_folder(folder)? {
        // A pull in another process may be moving its files.
        let Ok(found) = entry.metadata() else { continue };
        size += if found.is_dir() { folder_size(&entry.path())? } else { found.len() };
    }
    Ok(size)
}

/// Entries of a folder; none when it doesn't exist.
pub(crate) fn read_folder(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "embeddinggemma-300m";

    /// The model's files in their right lengths, as holes.
    fn hollow_model(folder: &Path) {
        for file in &known()[0].files {
            let path = folder.join(&file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::File::create(&path).unwrap().set_len(file.size).unwrap();
        }
    }

    #[test]
    fn a_known_model_is_resolved_once_it_is_whole() {
        let home = tempfile::tempdir().unwrap();
        let absent = resolve_in(home.path(), NAME).unwrap_err();
        assert!(matches!(absent, ResolveError::Absent { .. }));
        assert!(absent.to_string().contains("xunpin model pull embeddinggemma-300m"), "{absent}");

        let folder = model_folder(home.path(), NAME);
        hollow_model(&folder);
        assert_eq!(resolve_in(home.path(), NAME).unwrap(), folder);

        fs::File::create(folder.join("tokenizer.json")).unwrap();
        let incomplete = resolve_in(home.path(), NAME).unwrap_err();
        assert!(incomplete.to_string().contains("tokenizer.json"), "{incomplete}");
    }

    #[test]
    fn paths_and_other_folders_are_resolved() {
        let home = tempfile::tempdir().unwrap();
        let own = model_folder(home.path(), "own");
        fs::create_dir_all(&own).unwrap();
        let error = resolve_in(home.path(), "own").unwrap_err();
        assert!(matches!(error, ResolveError::NotAModel { .. }), "{error}");
        fs::write(own.join("config.json"), "{}").unwrap();
        assert_eq!(resolve_in(home.path(), "own").unwrap(), own);
        assert_eq!(resolve_in(Path::new("nowhere"), own.to_str().unwrap()).unwrap(), own);
    }

    #[test]
    fn anything_else_lists_the_known_names() {
        let home = tempfile::tempdir().unwrap();
        for given in ["gemma", "", "../x", "/nonexistent/folder"] {
            let error = resolve_in(home.path(), given).unwrap_err();
            assert!(matches!(error, ResolveError::Unknown { .. }), "{given:?}: {error}");
            assert!(error.to_string().contains(NAME), "{error}");
        }
    }

    #[test]
    fn list_tells_the_states_apart() {
        let home = tempfile::tempdir().unwrap();
        let only =
            |home: &Path| list(home).unwrap().into_iter().map(|s| (s.name, s.state)).collect::<Vec<_>>();
        assert_eq!(only(home.path()), [(NAME.to_owned(), ModelState::Absent)]);

        let staged = staging_folder(home.path(), NAME).join("chunks");
        fs::create_dir_all(&staged).unwrap();
        fs::write(staged.join("0000"), [0; 10]).unwrap();
        for other in ["zeta", "alpha"] {
            fs::create_dir_all(model_folder(home.path(), other)).unwrap();
        }
        fs::write(model_folder(home.path(), "zeta").join("modules.json"), "[]").unwrap();
        let listed = list(home.path()).unwrap();
        assert_eq!(listed[0].size_on_disk, 10);
        assert_eq!(
            only(home.path()),
            [
                (NAME.to_owned(), ModelState::Partial),
                ("alpha".to_owned(), ModelState::NotAModel),
                ("zeta".to_owned(), ModelState::Present),
            ]
        );

        hollow_model(&model_folder(home.path(), NAME));
        assert_eq!(only(home.path())[0].1, ModelState::Present);
        assert_eq!(list(home.path()).unwrap()[0].size, Some(known()[0].size()));
    }
}
