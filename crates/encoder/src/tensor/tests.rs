//! The engine on candle's processor device against the references, the other engines and itself.

use crate::tensor::padded::Padded;
use crate::{Device, EncoderOptions, LlmEncoder, ModelError, Precision};
use xunpin_core::{EncodeError, Encoder, Matrix, Role};

#[path = "../../tests/common/mod.rs"]
mod common;

use common::{copy_of, cosine, edit, embeddinggemma, fixture, greatest_difference, references};

const MODELS: [&str; 4] = ["tiny-gemma3", "tiny-qwen3", "tiny-bert", "tiny-xlm-roberta"];

/// From one token to beyond the window of the tiny Gemma and the limit of all.
const TEXTS: [&str; 11] = [
    "敏感肌抗老",
    "a",
    "",
    "跑步鞋 男款 透气",
    "温和A醇精华 敏感肌可用 抗皱淡纹 30ml",
    "鞋跑步 男款 透气",
    "品牌：自然堂，功效：保湿，适合肤质：敏感肌，容量：125ml，品牌：自然堂，功效：保湿，适合肤质：敏感肌",
    "SPF50+ Sensitive Skin",
    "😀🧴<pad>",
    "保湿 修护 面霜 精华 保湿 修护 面霜 精华 保湿 修护 面霜 精华",
    "品牌：自然堂，功效：保湿，适合肤质：敏感肌，品牌：自然堂，功效：保湿，适合肤质：敏感肌，品牌：自然堂，功效：保湿，\
     适合肤质：敏感肌，品牌：自然堂，功效：保湿，适合肤质：敏感肌，品牌：自然堂，功效：保湿，适合肤质：敏感肌",
];

fn options(precision: Precision, batch_tokens: Option<usize>) -> EncoderOptions {
    EncoderOptions { precision, batch_tokens, threads: Some(1), device: Device::Cpu }
}

fn open(name: &str, precision: Precision, batch_tokens: Option<usize>) -> LlmEncoder {
    LlmEncoder::open_tensor(&fixture(name), &options(precision, batch_tokens)).unwrap()
}

fn least_cosine(a: &Matrix, b: &Matrix) -> f64 {
    assert_eq!((a.rows(), a.columns()), (b.rows(), b.columns()));
    a.iter().zip(b.iter()).map(|(a, b)| cosine(a, b)).fold(1.0, f64::min)
}

#[test]
fn every_model_equals_its_reference() {
    for name in MODELS {
        let encoder = open(name, Precision::F32, None);
        let rows = references(&fixture(name).join("reference.jsonl")).unwrap();
        assert!(rows.len() >= 15);
        for role in [Role::Document, Role::Query, Role::Raw] {
            let rows: Vec<_> = rows.iter().filter(|row| row.role == role).collect();
            let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
            // All in one padded batch.
            let got = encoder.encode(&texts, role).unwrap();
            for (row, got) in rows.iter().zip(got.iter()) {
                let cosine = cosine(got, &row.embedding);
                let difference = greatest_difference(got, &row.embedding);
                assert!(
                    cosine >= 0.9999 && difference <= 1e-4,
                    "{name} {role:?} {:?}: cosine {cosine}, difference {difference}",
                    row.text
                );
            }
        }
    }
}

#[test]
fn vectors_are_those_of_the_other_engines() {
    for name in MODELS {
        // A copy: the engine of bf16 writes its file there.
        let folder = copy_of(name);
        // Random weights are the hardest case for bf16, and here products are rounded to it as well as their factors.
        for (precision, bound) in [(Precision::F32, 0.999_999), (Precision::Bf16, 0.999)] {
            let tensor = LlmEncoder::open_tensor(folder.path(), &options(precision, None)).unwrap();
            let other = LlmEncoder::open(folder.path(), options(precision, None)).unwrap();
            assert!(tensor.fingerprint().differences(other.fingerprint()).is_empty());
            let limit = other.fingerprint().max_tokens;
            let long = "保湿 修护 SPF50+ ".repeat(limit);
            let mut texts = TEXTS.to_vec();
            texts.extend((1..40).map(|count| other.fit(&long, count * limit / 30).unwrap()));
            for role in [Role::Document, Role::Query, Role::Raw] {
                let [got, want] = [&tensor, &other].map(|encoder| encoder.encode(&texts, role).unwrap());
                let least = least_cosine(&got, &want);
                println!("{name} {precision} {role:?}: least cosine {least:.7}");
                assert!(least >= bound, "{name} {precision} {role:?}: {least}");
            }
        }
    }
}

#[test]
fn a_row_depends_neither_on_the_others_nor_on_padding() {
    for name in MODELS {
        for (precision, bound) in [(Precision::F32, 0.999_999), (Precision::Bf16, 0.999_9)] {
            let encoder = open(name, precision, None);
            let all = encoder.encode(&TEXTS, Role::Document).unwrap();
            assert_eq!(all, encoder.encode(&TEXTS, Role::Document).unwrap());
            for (text, row) in TEXTS.iter().zip(all.iter()) {
                let alone = encoder.encode(&[text], Role::Document).unwrap();
                assert!(cosine(alone.row(0), row) >= bound, "{name} {precision} {text}");
            }
            for batch_tokens in [0, 40, 100] {
                let other = open(name, precision, Some(batch_tokens));
                let other = other.encode(&TEXTS, Role::Document).unwrap();
                assert!(least_cosine(&other, &all) >= bound, "{name} {precision} {batch_tokens}");
            }
            assert_eq!(encoder.encode(&[], Role::Document).unwrap().rows(), 0);
        }
    }
}

#[test]
fn every_pooling_is_that_of_the_reference() {
    for mode in ["cls", "mean", "lasttoken"] {
        for include_prompt in [true, false] {
            if !include_prompt && mode != "mean" {
                continue;
            }
            let folder = copy_of("tiny-xlm-roberta");
            edit(folder.path(), "1_Pooling/config.json", |config| {
                *config = serde_json::json!({
                    "embedding_dimension": 32, "pooling_mode": mode, "include_prompt": include_prompt,
                });
            });
            let tensor = LlmEncoder::open_tensor(folder.path(), &options(Precision::F32, None)).unwrap();
            let reference = LlmEncoder::open(folder.path(), options(Precision::F32, None)).unwrap();
            // With the prompt left out, a text without tokens of its own still has the end mark.
            let [got, want] =
                [&tensor, &reference].map(|encoder| encoder.encode(&TEXTS, Role::Document).unwrap());
            assert!(least_cosine(&got, &want) >= 0.999_999, "{mode} {include_prompt}");
        }
    }
}

/// A window is narrower than texts of the fixture: a model without it gives other vectors.
#[test]
fn windows_matter_and_are_kept() {
    let narrow = copy_of("tiny-gemma3");
    edit(narrow.path(), "config.json", |config| config["sliding_window"] = serde_json::json!(4));
    let wide = copy_of("tiny-gemma3");
    edit(wide.path(), "config.json", |config| config["sliding_window"] = serde_json::json!(10_000));
    let vectors = [&narrow, &wide].map(|folder| {
        let tensor = LlmEncoder::open_tensor(folder.path(), &options(Precision::F32, None)).unwrap();
        let reference = LlmEncoder::open(folder.path(), options(Precision::F32, None)).unwrap();
        let [got, want] = [tensor, reference].map(|encoder| encoder.encode(&TEXTS, Role::Document).unwrap());
        assert!(least_cosine(&got, &want) >= 0.999_999);
        got
    });
    assert!(least_cosine(&vectors[0], &vectors[1]) < 0.9999);
}

#[test]
fn what_can_not_run_is_refused() {
    let open = |device, precision| {
        let options = EncoderOptions { device, ..options(precision, None) };
        LlmEncoder::open(&fixture("tiny-bert"), options).err()
    };
    let error = open(Device::Cuda(0), Precision::Int8).unwrap();
    assert!(matches!(error, ModelError::DevicePrecision { precision: Precision::Int8, .. }), "{error}");
    assert!(error.to_string().contains("--precision bf16"), "{error}");
    // Without the feature no device is there, with it not so many.
    let error = open(Device::Cuda(4096), Precision::F32).unwrap();
    match (&error, cfg!(feature = "cuda")) {
        (ModelError::DeviceNotBuilt { device: Device::Cuda(4096) }, false) => {
            assert!(error.to_string().contains("--features cuda"), "{error}");
        }
        (ModelError::Device { device: Device::Cuda(4096), .. }, true) => {
            assert!(error.to_string().contains("nvidia-smi"), "{error}");
        }
        _ => panic!("{error}"),
    }
}

#[test]
fn a_batch_without_tokens_is_no_error_of_the_device() {
    let padded = Padded::new(vec![&[], &[7]], &candle_core::Device::Cpu);
    assert_eq!(padded.ids().unwrap().dims1().unwrap(), 2);
    // Raw texts of a tokenizer without marks have no tokens at all; such a vector is told, not computed.
    let folder = copy_of("tiny-qwen3");
    edit(folder.path(), "tokenizer.json", |tokenizer| tokenizer["post_processor"] = serde_json::Value::Null);
    let tensor = LlmEncoder::open_tensor(folder.path(), &options(Precision::F32, None)).unwrap();
    for texts in [vec![""], vec!["面霜", ""]] {
        let result = tensor.encode(&texts, Role::Raw);
        assert!(matches!(result, Err(EncodeError::Unusable { .. })), "{result:?}");
    }
}

/// As `tests/golden.rs` does with the other engines; a few of the rows, since padding and tensors are slow on a processor.
#[test]
fn embeddinggemma_equals_its_reference() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/golden/embeddinggemma-300m.jsonl");
    let (Some(folder), Some(rows)) = (embeddinggemma(), references(&path)) else {
        println!("skipped: no model, or no reference file at {}", path.display());
        return;
    };
    let mut rows: Vec<_> = rows.into_iter().filter(|row| row.role == Role::Document).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.tokens));
    // The longest, for the sake of the window, and every tenth.
    let rows: Vec<_> = rows.iter().enumerate().filter(|(at, _)| *at == 0 || at % 10 == 5).collect();
    let texts: Vec<&str> = rows.iter().map(|(_, row)| row.text.as_str()).collect();
    for (precision, bound) in [(Precision::F32, 0.9999), (Precision::Bf16, 0.999)] {
        let options = EncoderOptions { threads: None, ..options(precision, Some(1024)) };
        let encoder = LlmEncoder::open_tensor(&folder, &options).unwrap();
        let got = encoder.encode(&texts, Role::Document).unwrap();
        let cosines: Vec<f64> =
            rows.iter().zip(got.iter()).map(|((_, row), got)| cosine(got, &row.embedding)).collect();
        let least = cosines.iter().copied().fold(1.0, f64::min);
        println!(
            "{precision}: {} rows of up to {} tokens, least cosine {least:.6}",
            rows.len(),
            rows[0].1.tokens
        );
        assert!(least >= bound, "{precision}: {least}");
    }
}
