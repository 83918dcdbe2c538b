#![no_main]
//! Manifests of models: refused, or no path leaves the model's folder.

use std::path::{Component, Path};

use libfuzzer_sys::fuzz_target;
use xunpin_models::ModelManifest;

fuzz_target!(|json: &str| {
    let Ok(manifest) = ModelManifest::from_json(json) else { return };
    let plain = |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    assert!(plain(&manifest.name) && !manifest.name.contains('/'));
    assert!(manifest.files.iter().all(|file| plain(&file.path)));
    let _ = manifest.size();
});
