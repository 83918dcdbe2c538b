//! The engine that runs prepared files, on the tiny models: its vectors beside the reference's, and what it does with
//! files that are missing, old, foreign or damaged.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use common::{copy_of, cosine, edit, edit_weights, open};
use serde_json::json;
use tempfile::TempDir;
use xunpin_core::{Encoder, Matrix, Role};
use xunpin_encoder::{
    EncoderOptions, LlmEncoder, ModelError, Precision, prepare, prepared_path, verify_prepared,
};

const MODELS: [&str; 4] = ["tiny-gemma3", "tiny-qwen3", "tiny-bert", "tiny-xlm-roberta"];

const TEXTS: [&str; 9] = [
    "敏感肌抗老",
    "a",
    "",
    "跑步鞋 男款 透气",
    "温和A醇精华 敏感肌可用 抗皱淡纹 30ml",
    "鞋跑步 男款 透气",
    "品牌：自然堂，功效：保湿，适合肤质：敏感肌，容量：125ml，品牌：自然堂，功效：保湿，适合肤质：敏感肌",
    "SPF50+ Sensitive Skin",
    "😀🧴",
];

/// The least cosine to the reference. A weight or activation rounded to bf16 is off by up to 2^-9 of itself, one rounded
/// to 8 bits by up to 1/254 of the greatest in its group. Random weights are the hardest case: rows of 32 or 64 values leave
/// little for errors to cancel in, and their vectors lie in no direction that training has made stable. Seen are .9997 and .9969.
const BOUNDS: [(Precision, f64); 2] = [(Precision::Bf16, 0.9995), (Precision::Int8, 0.99)];

fn options(precision: Precision, threads: usize) -> EncoderOptions {
    EncoderOptions { precision, threads: Some(threads), ..EncoderOptions::default() }
}

fn open_at(folder: &Path, precision: Precision) -> Result<LlmEncoder, ModelError> {
    LlmEncoder::open(folder, options(precision, 1))
}

fn vectors(folder: &Path, precision: Precision) -> Matrix {
    open_at(folder, precision).unwrap().encode(&TEXTS, Role::Document).unwrap()
}

/// A copy of a model with the file of `precision` made, and that file.
fn prepared(name: &str, precision: Precision) -> (TempDir, PathBuf) {
    let folder = copy_of(name);
    let made = prepare(folder.path(), precision).unwrap();
    assert!(made.made);
    assert_eq!(made.path, prepared_path(folder.path(), precision));
    assert_eq!(fs::metadata(&made.path).unwrap().len(), made.bytes);
    (folder, made.path)
}

fn set_modified(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

/// Flips a bit of the second half of the first weights.
fn change_weights(folder: &Path) {
    edit_weights(&folder.join("model.safetensors"), |_, data| data[1] ^= 1);
}

/// Other bytes, though they mean the same.
fn change_tokenizer(folder: &Path) {
    let path = folder.join("tokenizer.json");
    let mut bytes = fs::read(&path).unwrap();
    bytes.push(b'\n');
    fs::write(path, bytes).unwrap();
}

#[test]
fn vectors_are_close_to_the_reference() {
    for name in MODELS {
        for (precision, bound) in BOUNDS {
            let folder = copy_of(name);
            let (reference, packed) =
                (open(folder.path()).unwrap(), open_at(folder.path(), precision).unwrap());
            let limit = reference.fingerprint().max_tokens;
            // Of every length up to the limit and beyond.
            let long = "保湿 修护 SPF50+ ".repeat(limit);
            let mut texts = TEXTS.to_vec();
            texts.extend((1..40).map(|count| reference.fit(&long, count * limit / 30).unwrap()));
            for role in [Role::Document, Role::Query, Role::Raw] {
                let want = reference.encode(&texts, role).unwrap();
                let got = packed.encode(&texts, role).unwrap();
                let least = got.iter().zip(want.iter()).map(|(a, b)| cosine(a, b)).fold(1.0, f64::min);
                println!("{name} {precision} {role:?}: least cosine {least:.6}");
                assert!(least >= bound, "{name} {precision} {role:?}: {least}");
                for text in &texts {
                    assert_eq!(
                        packed.count_tokens(text, role).unwrap(),
                        reference.count_tokens(text, role).unwrap()
                    );
                }
            }
            assert_eq!(packed.fit(&long, 7).unwrap(), reference.fit(&long, 7).unwrap());
            // All but the precision is the same.
            assert!(packed.fingerprint().differs_in_precision_alone(reference.fingerprint()));
            assert_eq!(packed.fingerprint().model, reference.fingerprint().model);
        }
    }
}

#[test]
fn threads_batches_and_company_change_nothing() {
    for name in MODELS {
        for (precision, _) in BOUNDS {
            let folder = copy_of(name);
            let all = vectors(folder.path(), precision);
            for threads in 1..=4 {
                for batch_tokens in [0, 20, 64, 10_000] {
                    let options =
                        EncoderOptions { batch_tokens: Some(batch_tokens), ..options(precision, threads) };
                    let encoder = LlmEncoder::open(folder.path(), options).unwrap();
                    assert_eq!(encoder.threads(), threads);
                    let got = encoder.encode(&TEXTS, Role::Document).unwrap();
                    assert_eq!(got, all, "{name} {precision} {threads} {batch_tokens}");
                    for (text, row) in TEXTS.iter().zip(all.iter()) {
                        let alone = encoder.encode(&[text], Role::Document).unwrap();
                        assert_eq!(alone.row(0), row, "{name} {precision} {threads} {text}");
                    }
                }
            }
            // Again, in another order, several times over.
            let encoder = open_at(folder.path(), precision).unwrap();
            let shuffled: Vec<usize> = (0..30).map(|at| at * 7 % TEXTS.len()).collect();
            let texts: Vec<&str> = shuffled.iter().map(|at| TEXTS[*at]).collect();
            let got = encoder.encode(&texts, Role::Document).unwrap();
            assert!(got.iter().zip(&shuffled).all(|(row, at)| row == all.row(*at)), "{name} {precision}");
            assert_eq!(encoder.encode(&[], Role::Document).unwrap().rows(), 0);
        }
    }
}

#[test]
fn what_lies_beyond_the_limit_does_not_count() {
    for name in MODELS {
        for (precision, _) in BOUNDS {
            let folder = copy_of(name);
            let encoder = open_at(folder.path(), precision).unwrap();
            let limit = encoder.fingerprint().max_tokens;
            let long = "保湿 修护 ".repeat(limit);
            let longer = format!("{long}{}", "跑步鞋".repeat(10_000));
            assert!(encoder.count_tokens(&long, Role::Document).unwrap() > limit, "{name}");
            let rows = encoder.encode(&[&long, "保湿", &longer], Role::Document).unwrap();
            assert_eq!(rows.row(0), rows.row(2), "{name} {precision}");
        }
    }
}

#[test]
fn many_threads_may_encode_at_once() {
    let folder = copy_of("tiny-gemma3");
    let all = vectors(folder.path(), Precision::Int8);
    let encoder = LlmEncoder::open(folder.path(), options(Precision::Int8, 2)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(encoder.encode(&TEXTS, Role::Document).unwrap(), all);
                }
            });
        }
    });
}

#[test]
fn a_file_is_made_once() {
    for name in MODELS {
        for (precision, _) in BOUNDS {
            let (folder, path) = prepared(name, precision);
            let bytes = fs::read(&path).unwrap();
            assert!(!prepare(folder.path(), precision).unwrap().made, "{name}");
            open_at(folder.path(), precision).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
            let states = verify_prepared(folder.path()).unwrap();
            assert!(states.len() == 1 && states[0].ok && states[0].precision == precision, "{states:?}");
            // Nothing is left beside it.
            assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
            // Made again it has the same bytes.
            fs::remove_file(&path).unwrap();
            assert!(prepare(folder.path(), precision).unwrap().made);
            assert!(fs::read(&path).unwrap() == bytes, "{name} {precision}");
        }
    }
}

#[test]
fn files_of_the_same_content_may_be_of_another_time() {
    let (folder, path) = prepared("tiny-gemma3", Precision::Int8);
    for file in ["model.safetensors", "tokenizer.json", "config.json"] {
        set_modified(&folder.path().join(file), 1_000_000_000);
    }
    assert!(!prepare(folder.path(), Precision::Int8).unwrap().made);
    assert!(verify_prepared(folder.path()).unwrap()[0].ok);
    // A copy of the whole folder, under another name.
    let copy = copy_of("tiny-gemma3");
    fs::create_dir(copy.path().join("xunpin")).unwrap();
    fs::copy(&path, prepared_path(copy.path(), Precision::Int8)).unwrap();
    assert!(!prepare(copy.path(), Precision::Int8).unwrap().made);
    let encoder = open_at(copy.path(), Precision::Int8).unwrap();
    assert_eq!(encoder.fingerprint().model, copy.path().file_name().unwrap().to_str().unwrap());
}

#[test]
fn other_weights_or_settings_are_prepared_anew() {
    type Change = fn(&Path);
    let changes: [Change; 4] = [
        change_weights,
        |folder| edit(folder, "config.json", |c| c["rms_norm_eps"] = json!(1e-4)),
        |folder| {
            edit(folder, "config_sentence_transformers.json", |c| c["prompts"]["document"] = json!("doc: "))
        },
        change_tokenizer,
    ];
    for change in changes {
        let (folder, path) = prepared("tiny-gemma3", Precision::Int8);
        let before = fs::read(&path).unwrap();
        change(folder.path());
        set_modified(&folder.path().join("model.safetensors"), 1_000_000_000);
        let states = verify_prepared(folder.path()).unwrap();
        assert!(!states[0].ok && states[0].problem.as_ref().unwrap().contains("other"), "{states:?}");
        // Opening is enough.
        let encoder = open_at(folder.path(), Precision::Int8).unwrap();
        assert!(fs::read(&path).unwrap() != before);
        assert!(verify_prepared(folder.path()).unwrap()[0].ok);
        let reference = open(folder.path()).unwrap();
        assert!(encoder.fingerprint().differs_in_precision_alone(reference.fingerprint()));
    }
}

#[test]
fn a_file_of_another_version_or_precision_is_made_again() {
    let (folder, path) = prepared("tiny-bert", Precision::Int8);
    let whole = fs::read(&path).unwrap();
    for version in [0u32, 7, u32::MAX] {
        let mut bytes = whole.clone();
        bytes[8..12].copy_from_slice(&version.to_le_bytes());
        fs::write(&path, bytes).unwrap();
        let states = verify_prepared(folder.path()).unwrap();
        assert!(!states[0].ok && states[0].problem.as_ref().unwrap().contains("format"), "{states:?}");
        assert!(prepare(folder.path(), Precision::Int8).unwrap().made);
        assert!(fs::read(&path).unwrap() == whole);
    }
    let halves = prepared_path(folder.path(), Precision::Bf16);
    fs::copy(&path, &halves).unwrap();
    let encoder = open_at(folder.path(), Precision::Bf16).unwrap();
    assert_eq!(encoder.fingerprint().precision, "bf16");
    assert!(fs::read(&halves).unwrap() != whole);
}

#[test]
fn a_prepared_file_is_enough_where_it_holds_the_tokenizer() {
    let (folder, path) = prepared("tiny-gemma3", Precision::Int8);
    let want = vectors(folder.path(), Precision::Int8);
    for gone in ["model.safetensors", "tokenizer.json"] {
        fs::remove_file(folder.path().join(gone)).unwrap();
    }
    assert_eq!(vectors(folder.path(), Precision::Int8), want);
    assert!(verify_prepared(folder.path()).unwrap()[0].ok);
    // Other precisions need the weights.
    assert!(matches!(open_at(folder.path(), Precision::Bf16), Err(ModelError::MissingFile { .. })));
    let bare = TempDir::new().unwrap();
    fs::create_dir(bare.path().join("xunpin")).unwrap();
    fs::copy(path, prepared_path(bare.path(), Precision::Int8)).unwrap();
    assert_eq!(vectors(bare.path(), Precision::Int8), want);
}

#[test]
fn other_tokenizers_stay_beside_the_prepared_file() {
    for name in ["tiny-bert", "tiny-xlm-roberta"] {
        let (folder, _) = prepared(name, Precision::Int8);
        let want = vectors(folder.path(), Precision::Int8);
        fs::remove_file(folder.path().join("model.safetensors")).unwrap();
        assert_eq!(vectors(folder.path(), Precision::Int8), want);
        change_tokenizer(folder.path());
        let other = open_at(folder.path(), Precision::Int8).err().unwrap();
        assert!(
            matches!(&other, ModelError::Prepared { problem, .. } if problem.contains("tokenizer")),
            "{other}"
        );
        fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
        let missing = open_at(folder.path(), Precision::Int8).err().unwrap();
        assert!(
            matches!(&missing, ModelError::MissingFile { path } if path.ends_with("tokenizer.json")),
            "{missing}"
        );
    }
}

/// Opens, and encodes if that goes well; what comes out of a damaged file is anything but a panic.
fn try_all(folder: &Path, precision: Precision) -> Result<(), ModelError> {
    let _ = open_at(folder, precision)?.encode(&TEXTS, Role::Query);
    Ok(())
}

#[test]
fn truncated_files_are_refused() {
    for (name, precision) in [("tiny-gemma3", Precision::Int8), ("tiny-bert", Precision::Bf16)] {
        let (folder, path) = prepared(name, precision);
        let whole = fs::read(&path).unwrap();
        let last = whole.len() - 1;
        let lengths = (0..200).chain((200..last).step_by(997)).chain([last]);
        for length in lengths {
            fs::write(&path, &whole[..length]).unwrap();
            match try_all(folder.path(), precision) {
                Err(ModelError::Prepared { path: named, .. }) => assert_eq!(named, path),
                // The zeros after the last section are part of the file's length, but hold nothing.
                Ok(()) => assert!(length + 64 > whole.len(), "{length} of {}", whole.len()),
                Err(error) => panic!("{length}: {error}"),
            }
            let states = verify_prepared(folder.path()).unwrap();
            assert!(length + 64 > whole.len() || !states[0].ok);
        }
    }
}

#[test]
fn flipped_bytes_are_found() {
    for (name, precision) in [("tiny-gemma3", Precision::Int8), ("tiny-xlm-roberta", Precision::Bf16)] {
        let (folder, path) = prepared(name, precision);
        let whole = fs::read(&path).unwrap();
        let header_end = 24 + u32::from_le_bytes(whole[12..16].try_into().unwrap()) as usize;
        for at in (0..24).chain((24..header_end).step_by(101)) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, &bytes).unwrap();
            let states = verify_prepared(folder.path()).unwrap();
            assert!(!states[0].ok, "{name}: byte {at}");
            match try_all(folder.path(), precision) {
                Err(ModelError::Prepared { .. }) => {}
                // Of another version, it was made again.
                Ok(()) => assert!((8..12).contains(&at), "byte {at}"),
                Err(error) => panic!("byte {at}: {error}"),
            }
        }
        for at in (header_end..whole.len()).step_by(whole.len() / 300) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, &bytes).unwrap();
            let states = verify_prepared(folder.path()).unwrap();
            // Between sections there are zeros that belong to none.
            assert!(!states[0].ok || whole[at] == 0, "{name}: byte {at}");
            // Opening leaves sections unread; the tokenizer's has a head of its own.
            let result = try_all(folder.path(), precision);
            assert!(
                matches!(result, Ok(()) | Err(ModelError::PreparedTokenizer { .. })),
                "{name}: byte {at}"
            );
        }
    }
}

#[test]
fn damaged_scales_are_not_vectors() {
    let folder = copy_of("tiny-gemma3");
    edit_weights(&folder.path().join("model.safetensors"), |header, data| {
        let place = &header["norm.weight"]["data_offsets"][0];
        let start = place.as_u64().unwrap() as usize;
        data[start..start + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    for (precision, _) in BOUNDS {
        let encoder = open_at(folder.path(), precision).unwrap();
        assert!(encoder.encode(&["保湿"], Role::Query).is_err(), "{precision}");
    }
}

#[cfg(unix)]
#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = copy_of("tiny-bert");
    // Of what keeps a file from being made, this also stops a superuser.
    std::os::unix::fs::symlink("/nowhere/at/all", folder.path().join("xunpin")).unwrap();
    let error = prepare(folder.path(), Precision::Int8).unwrap_err();
    let path = prepared_path(folder.path(), Precision::Int8);
    assert!(matches!(&error, ModelError::Write { path: named, .. } if *named == path), "{error}");
    assert!(error.to_string().contains("f32"));
    assert!(matches!(open_at(folder.path(), Precision::Bf16), Err(ModelError::Write { .. })));
    open(folder.path()).unwrap();
}

#[cfg(unix)]
#[test]
fn prepared_files_are_as_readable_as_others() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = prepared("tiny-bert", Precision::Int8);
    let other = folder.path().join("other");
    fs::write(&other, "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), mode(&other));
}

#[test]
fn two_may_prepare_at_once() {
    for _ in 0..5 {
        let folder = copy_of("tiny-qwen3");
        let want = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| vectors(folder.path(), Precision::Int8))).collect();
            let rows: Vec<Matrix> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert!(rows.iter().all(|row| *row == rows[0]));
            rows[0].clone()
        });
        assert!(verify_prepared(folder.path()).unwrap()[0].ok);
        assert_eq!(fs::read_dir(folder.path().join("xunpin")).unwrap().count(), 1);
        assert_eq!(vectors(folder.path(), Precision::Int8), want);
    }
}

#[test]
fn a_path_that_is_no_folder_is_named() {
    let missing = Path::new("/no/such/folder");
    for (precision, _) in BOUNDS {
        assert!(matches!(open_at(missing, precision), Err(ModelError::NotAFolder { .. })));
    }
    let empty = TempDir::new().unwrap();
    assert!(matches!(open_at(empty.path(), Precision::Int8), Err(ModelError::MissingFile { .. })));
    assert!(verify_prepared(empty.path()).unwrap().is_empty());
}
