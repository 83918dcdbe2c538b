//! The models on a GPU against the processor and the references. Needs the feature `cuda` and a GPU; without one the tests
//! say so and pass.
#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod common;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use common::{copy_of, cosine, embeddinggemma, fixture, references};
use xunpin_core::{Encoder, Matrix, Role};
use xunpin_encoder::{Device, EncoderOptions, LlmEncoder, ModelError, Precision};

const MODELS: [&str; 4] = ["tiny-gemma3", "tiny-qwen3", "tiny-bert", "tiny-xlm-roberta"];

const ROLES: [Role; 3] = [Role::Document, Role::Query, Role::Raw];

const GPU: Device = Device::Cuda(0);

fn open(folder: &Path, device: Device, precision: Precision) -> Result<LlmEncoder, ModelError> {
    LlmEncoder::open(folder, EncoderOptions { device, precision, ..EncoderOptions::default() })
}

/// Whether there is a GPU; says so on the console if not.
fn there_is_a_gpu() -> bool {
    match open(&fixture("tiny-bert"), GPU, Precision::F32) {
        Ok(_) => true,
        Err(error @ ModelError::Device { .. }) => {
            let _ = writeln!(std::io::stderr(), "skipped: {error}");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

/// Texts of every length up to the model's limit and beyond, in no order of length.
fn texts(encoder: &LlmEncoder) -> Vec<String> {
    let limit = encoder.fingerprint().max_tokens.min(600);
    let long = "保湿 修护 SPF50+ 温和A醇精华 敏感肌可用 ".repeat(limit);
    let lengths = (0..40).map(|at| (at * 17 % 40) * limit / 38);
    lengths.map(|length| encoder.fit(&long, length).unwrap().to_owned()).collect()
}

fn least_cosine(a: &Matrix, b: &Matrix) -> f64 {
    assert_eq!((a.rows(), a.columns()), (b.rows(), b.columns()));
    a.iter().zip(b.iter()).map(|(a, b)| cosine(a, b)).fold(1.0, f64::min)
}

#[test]
fn vectors_are_those_of_the_processor() {
    if !there_is_a_gpu() {
        return;
    }
    for name in MODELS {
        let folder = copy_of(name);
        for (precision, bound) in [(Precision::F32, 0.999_99), (Precision::Bf16, 0.999)] {
            let gpu = open(folder.path(), GPU, precision).unwrap();
            let cpu = open(folder.path(), Device::Cpu, precision).unwrap();
            assert!(gpu.fingerprint().differences(cpu.fingerprint()).is_empty());
            let texts = texts(&cpu);
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            for role in ROLES {
                let [got, want] = [&gpu, &cpu].map(|encoder| encoder.encode(&texts, role).unwrap());
                let least = least_cosine(&got, &want);
                println!("{name} {precision} {role:?}: least cosine {least:.7}");
                assert!(least >= bound, "{name} {precision} {role:?}: {least}");
                for (text, row) in texts.iter().zip(got.iter()) {
                    let alone = gpu.encode(&[text], role).unwrap();
                    assert!(cosine(alone.row(0), row) >= bound, "{name} {precision} {role:?} {text}");
                }
            }
        }
    }
}

#[test]
fn threads_may_share_an_encoder() {
    if !there_is_a_gpu() {
        return;
    }
    let gpu = open(&fixture("tiny-qwen3"), GPU, Precision::F32).unwrap();
    let texts = texts(&gpu);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let want = gpu.encode(&texts, Role::Document).unwrap();
    std::thread::scope(|scope| {
        let run = || (0..10).map(|_| gpu.encode(&texts, Role::Document).unwrap()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        for thread in threads {
            assert!(thread.join().unwrap().iter().all(|got| *got == want));
        }
    });
}

#[test]
fn embeddinggemma_equals_its_reference() {
    if !there_is_a_gpu() {
        return;
    }
    let path: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/golden/embeddinggemma-300m.jsonl");
    let (Some(folder), Some(rows)) = (embeddinggemma(), references(&path)) else {
        let _ = writeln!(std::io::stderr(), "skipped: no model, or no reference file at {}", path.display());
        return;
    };
    for (precision, bound) in [(Precision::F32, 0.9999), (Precision::Bf16, 0.999)] {
        let encoder = open(&folder, GPU, precision).unwrap();
        for role in ROLES {
            let rows: Vec<_> = rows.iter().filter(|row| row.role == role).collect();
            let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
            let got = encoder.encode(&texts, role).unwrap();
            for (row, got) in rows.iter().zip(got.iter()) {
                let cosine = cosine(got, &row.embedding);
                assert!(cosine >= bound, "{precision}: {cosine} for {:?}", row.text);
            }
        }
    }
}
