//! What the tests of this crate share.
#![allow(dead_code, reason = "every test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;
use xunpin_core::Role;
use xunpin_encoder::{EncoderOptions, LlmEncoder, ModelError, Precision};

/// A folder of `fixtures/`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

/// The tiny model with random weights.
pub(crate) fn tiny_folder() -> PathBuf {
    fixture("tiny-gemma3")
}

/// The tiny model, opened once.
pub(crate) fn tiny() -> &'static LlmEncoder {
    static ENCODER: OnceLock<LlmEncoder> = OnceLock::new();
    ENCODER.get_or_init(|| LlmEncoder::open(&tiny_folder(), reference()).unwrap())
}

/// The reference: all in 32 bits.
pub(crate) fn reference() -> EncoderOptions {
    EncoderOptions { precision: Precision::F32, ..EncoderOptions::default() }
}

/// A row of a reference file.
pub(crate) struct Reference {
    pub(crate) role: Role,
    pub(crate) text: String,
    pub(crate) tokens: usize,
    pub(crate) embedding: Vec<f32>,
}

/// Reads a reference file; `None` if it is absent.
pub(crate) fn references(path: &Path) -> Option<Vec<Reference>> {
    let lines = std::fs::read_to_string(path).ok()?;
    let read = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        Reference {
            role: match row["role"].as_str().unwrap() {
                "query" => Role::Query,
                "document" => Role::Document,
                _ => Role::Raw,
            },
            text: row["text"].as_str().unwrap().to_owned(),
            tokens: row["tokens"].as_u64().unwrap() as usize,
            embedding: row["embedding"]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_f64().unwrap() as f32)
                .collect(),
        }
    };
    Some(lines.lines().map(read).collect())
}

pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

pub(crate) fn greatest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The folder of EmbeddingGemma: `XUNPIN_MODEL`, or where `xunpin model pull` puts it. `None`, said on the console,
/// if it is not there.
pub(crate) fn embeddinggemma() -> Option<PathBuf> {
    let home = || match std::env::var_os("XUNPIN_HOME") {
        Some(home) => Some(PathBuf::from(home)),
        None => dirs::cache_dir().map(|cache| cache.join("xunpin")),
    };
    let folder = match std::env::var_os("XUNPIN_MODEL") {
        Some(folder) => PathBuf::from(folder),
        None => home()?.join("models/embeddinggemma-300m"),
    };
    if folder.join("config.json").is_file() {
        return Some(folder);
    }
    let _ = writeln!(
        std::io::stderr(),
        "skipped: no model at {}; set XUNPIN_MODEL or run `xunpin model pull`",
        folder.display()
    );
    None
}

/// A copy of a tiny model that a test may damage.
pub(crate) fn copy_of(name: &str) -> TempDir {
    fn copy_folder(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            // What other tests have prepared from the fixture is not part of it.
            if entry.file_name() == "xunpin" {
                continue;
            }
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy_folder(&entry.path(), &to);
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let folder = TempDir::new().unwrap();
    copy_folder(&fixture(name), folder.path());
    folder
}

/// Opens a folder as the reference on one thread.
pub(crate) fn open(folder: &Path) -> Result<LlmEncoder, ModelError> {
    LlmEncoder::open(folder, EncoderOptions { threads: Some(1), ..reference() })
}

/// The error of a folder that must not open.
pub(crate) fn refused(folder: &Path) -> ModelError {
    open(folder).err().expect("the folder is opened")
}

/// Changes a JSON file of the folder.
pub(crate) fn edit(folder: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.join(file);
    let mut value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, serde_json::to_vec(&value).unwrap()).unwrap();
}

/// Rewrites a safetensors file: `change` sees the header and the data.
pub(crate) fn edit_weights(path: &Path, change: impl FnOnce(&mut Value, &mut Vec<u8>)) {
    let bytes = fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let mut data = bytes[8 + length..].to_vec();
    change(&mut header, &mut data);
    let header = serde_json::to_vec(&header).unwrap();
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header);
    out.extend(data);
    fs::write(path, out).unwrap();
}
