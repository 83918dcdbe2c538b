//! The tiny models of every architecture besides Gemma 3, against what sentence-transformers makes of them and in the
//! ways such folders are saved.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::fs;
use std::path::Path;

use common::{
    copy_of, cosine, edit, edit_weights, fixture, greatest_difference, open, reference, references, refused,
};
use serde_json::{Value, json};
use xunpin_core::{Encoder, Role};
use xunpin_encoder::{EncoderOptions, LlmEncoder, ModelError, supported_architectures};

const MODELS: [&str; 3] = ["tiny-qwen3", "tiny-bert", "tiny-xlm-roberta"];

const TEXTS: [&str; 8] = [
    "敏感肌抗老",
    "跑步鞋 男款 透气",
    "",
    "温和A醇精华 敏感肌可用 抗皱淡纹 30ml",
    "鞋跑步 男款 透气",
    "品牌：自然堂，功效：保湿，适合肤质：敏感肌，容量：125ml，品牌：自然堂，功效：保湿，适合肤质：敏感肌",
    "SPF50+ Sensitive Skin",
    "😀🧴<pad>",
];

/// Asserts that both folders give the same vectors.
fn same(a: &Path, b: &Path) {
    for role in [Role::Document, Role::Query] {
        let [a, b] = [a, b].map(|folder| open(folder).unwrap().encode(&TEXTS, role).unwrap());
        for (a, b) in a.iter().zip(b.iter()) {
            assert!(cosine(a, b) >= 0.999999, "{role:?}");
        }
    }
}

/// The error of a copy of model `name` after `change`.
fn refused_with(name: &str, file: &str, change: impl FnOnce(&mut Value)) -> ModelError {
    let folder = copy_of(name);
    edit(folder.path(), file, change);
    refused(folder.path())
}

/// Puts `prefix` before the name of every tensor.
fn rename_tensors(folder: &Path, prefix: &str) {
    edit_weights(&folder.join("model.safetensors"), |header, _| {
        let tensors = std::mem::take(header.as_object_mut().unwrap());
        let renamed = tensors.into_iter().map(|(name, info)| match name.as_str() {
            "__metadata__" => (name, info),
            _ => (format!("{prefix}{name}"), info),
        });
        *header = Value::Object(renamed.collect());
    });
}

#[test]
fn every_model_equals_its_reference() {
    for name in MODELS {
        let encoder = open(&fixture(name)).unwrap();
        let rows = references(&fixture(name).join("reference.jsonl")).unwrap();
        assert!(rows.len() >= 15);
        for row in rows {
            let got = encoder.encode(&[&row.text], row.role).unwrap();
            let cosine = cosine(got.row(0), &row.embedding);
            let difference = greatest_difference(got.row(0), &row.embedding);
            assert!(
                cosine >= 0.99999 && difference <= 1e-4,
                "{name} {:?} {:?}: cosine {cosine}, difference {difference}",
                row.role,
                row.text
            );
            // The reference counts after the cut.
            let tokens = encoder.count_tokens(&row.text, row.role).unwrap();
            assert_eq!(tokens.min(encoder.fingerprint().max_tokens), row.tokens, "{name} {:?}", row.text);
        }
    }
}

#[test]
fn a_row_depends_neither_on_the_others_nor_on_threads_and_batches() {
    for name in MODELS {
        let encoder = open(&fixture(name)).unwrap();
        let all = encoder.encode(&TEXTS, Role::Document).unwrap();
        assert_eq!(all, encoder.encode(&TEXTS, Role::Document).unwrap());
        for (text, row) in TEXTS.iter().zip(all.iter()) {
            let alone = encoder.encode(&[text], Role::Document).unwrap();
            assert!(cosine(alone.row(0), row) >= 0.99999, "{name} {text}");
        }
        for (threads, batch_tokens) in [(Some(3), 20), (None, 1)] {
            let other = LlmEncoder::open(
                &fixture(name),
                EncoderOptions { threads, batch_tokens: Some(batch_tokens), ..reference() },
            )
            .unwrap();
            let other = other.encode(&TEXTS, Role::Document).unwrap();
            assert!(other.iter().zip(all.iter()).all(|(a, b)| cosine(a, b) >= 0.99999), "{name}");
        }
    }
}

#[test]
fn fingerprints_name_architecture_pooling_and_limits() {
    let want = [
        ("tiny-qwen3", "qwen3-causal", "last token", 24, 128),
        ("tiny-bert", "bert", "cls, dense 24 tanh", 24, 64),
        ("tiny-xlm-roberta", "xlm-roberta", "mean", 32, 64),
    ];
    for (name, architecture, pooling, dimension, max_tokens) in want {
        let encoder = open(&fixture(name)).unwrap();
        let got = encoder.fingerprint();
        assert_eq!((got.model.as_str(), got.architecture.as_str()), (name, architecture));
        assert_eq!((got.pooling.as_str(), got.dimension, got.max_tokens), (pooling, dimension, max_tokens));
        assert!(supported_architectures().contains(&architecture));
    }
    let prompts = |name: &str| open(&fixture(name)).unwrap().fingerprint().prompts.clone();
    assert!(prompts("tiny-qwen3")["query"].starts_with("Instruct: "));
    assert_eq!(prompts("tiny-xlm-roberta")["document"], "passage: ");
    assert_eq!(prompts("tiny-bert")["query"], "");
}

#[test]
fn poolings_are_read_from_either_form() {
    let flags = |cls: bool, mean: bool, last: bool| {
        json!({
            "word_embedding_dimension": 32,
            "pooling_mode_cls_token": cls,
            "pooling_mode_mean_tokens": mean,
            "pooling_mode_max_tokens": false,
            "pooling_mode_lasttoken": last,
        })
    };
    let cases = [
        ("cls", flags(true, false, false)),
        ("mean", flags(false, true, false)),
        ("lasttoken", flags(false, false, true)),
    ];
    let mut vectors = Vec::new();
    for (mode, older) in cases {
        let [newer, older] =
            [json!({"embedding_dimension": 32, "pooling_mode": mode}), older].map(|config| {
                let folder = copy_of("tiny-xlm-roberta");
                edit(folder.path(), "1_Pooling/config.json", |c| *c = config);
                open(folder.path()).unwrap()
            });
        assert!(newer.fingerprint().differences(older.fingerprint()).is_empty());
        let [newer, older] = [newer, older].map(|encoder| encoder.encode(&TEXTS, Role::Query).unwrap());
        assert_eq!(newer, older);
        vectors.push(newer);
    }
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        assert!(cosine(vectors[a].row(0), vectors[b].row(0)) < 0.99);
    }
    // None named is the mean, several and a prompt left out of a single state are refused.
    let folder = copy_of("tiny-xlm-roberta");
    edit(folder.path(), "1_Pooling/config.json", |c| *c = json!({"word_embedding_dimension": 32}));
    same(folder.path(), &fixture("tiny-xlm-roberta"));
    for (config, field) in [
        (flags(true, true, false), "pooling_mode_mean_tokens"),
        (flags(false, false, false), "pooling_mode_mean_tokens"),
        (json!({"embedding_dimension": 32, "pooling_mode": "weightedmean"}), "pooling_mode"),
        (
            json!({"embedding_dimension": 32, "pooling_mode": "cls", "include_prompt": false}),
            "include_prompt",
        ),
    ] {
        let error = refused_with("tiny-xlm-roberta", "1_Pooling/config.json", |c| *c = config);
        assert!(matches!(&error, ModelError::Unsupported { field: found, .. } if found == field), "{error}");
    }
}

#[test]
fn other_ways_of_saving_the_same_model_give_the_same_vectors() {
    let qwen3 = copy_of("tiny-qwen3");
    edit(qwen3.path(), "config.json", |c| {
        let fields = c.as_object_mut().unwrap();
        for field in ["rope_parameters", "layer_types"] {
            fields.remove(field);
        }
        fields.insert("rope_theta".into(), json!(1000000));
        fields.insert("rope_scaling".into(), Value::Null);
    });
    rename_tensors(qwen3.path(), "model.");
    same(qwen3.path(), &fixture("tiny-qwen3"));

    let bert = copy_of("tiny-bert");
    rename_tensors(bert.path(), "bert.");
    same(bert.path(), &fixture("tiny-bert"));

    let roberta = copy_of("tiny-xlm-roberta");
    edit(roberta.path(), "config.json", |c| c["model_type"] = json!("roberta"));
    rename_tensors(roberta.path(), "roberta.");
    same(roberta.path(), &fixture("tiny-xlm-roberta"));
    assert_eq!(open(roberta.path()).unwrap().fingerprint().architecture, "roberta");
}

#[test]
fn variations_we_do_not_run_are_refused() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 11] = [
        ("tiny-qwen3", |c| c["hidden_act"] = json!("gelu")),
        ("tiny-qwen3", |c| c["attention_bias"] = json!(true)),
        ("tiny-qwen3", |c| c["use_sliding_window"] = json!(true)),
        ("tiny-qwen3", |c| c["layer_types"][1] = json!("sliding_attention")),
        ("tiny-qwen3", |c| c["is_causal"] = json!(false)),
        ("tiny-qwen3", |c| c["use_bidirectional_attention"] = json!(true)),
        ("tiny-qwen3", |c| c["rope_parameters"]["rope_type"] = json!("yarn")),
        ("tiny-qwen3", |c| {
            c["rope_parameters"] = Value::Null;
            c["rope_scaling"] = json!({"rope_type": "yarn", "factor": 4.0});
        }),
        ("tiny-bert", |c| c["hidden_act"] = json!("quick_gelu")),
        ("tiny-bert", |c| c["position_embedding_type"] = json!("relative_key")),
        ("tiny-xlm-roberta", |c| c["is_decoder"] = json!(true)),
    ];
    for (name, change) in cases {
        let error = refused_with(name, "config.json", change);
        assert!(
            matches!(&error, ModelError::Unsupported { path, .. } if path.ends_with("config.json")),
            "{name}: {error}"
        );
    }
}

#[test]
fn wrong_fields_and_weights_are_named() {
    type Change = fn(&mut Value);
    let cases: [(&str, &str, Change); 5] = [
        ("tiny-qwen3", "num_key_value_heads", |c| c["num_key_value_heads"] = json!(3)),
        ("tiny-qwen3", "head_dim", |c| c["head_dim"] = json!(7)),
        ("tiny-qwen3", "rope_theta", |c| c["rope_parameters"] = Value::Null),
        ("tiny-bert", "num_attention_heads", |c| c["num_attention_heads"] = json!(5)),
        ("tiny-xlm-roberta", "max_position_embeddings", |c| c["max_position_embeddings"] = json!(2)),
    ];
    for (name, field, change) in cases {
        let error = refused_with(name, "config.json", change);
        assert!(
            matches!(&error, ModelError::Field { field: found, .. } if found == field),
            "{field}: {error}"
        );
    }
    let shape = refused_with("tiny-bert", "config.json", |c| c["intermediate_size"] = json!(50));
    assert!(
        matches!(&shape, ModelError::TensorShape { name, .. } if name.ends_with("intermediate.dense.weight")),
        "{shape}"
    );
    let missing = refused_with("tiny-xlm-roberta", "config.json", |c| c["num_hidden_layers"] = json!(3));
    assert!(
        matches!(&missing, ModelError::TensorMissing { name, .. } if name.starts_with("encoder.layer.2.")),
        "{missing}"
    );
    let folder = copy_of("tiny-bert");
    edit_weights(&folder.path().join("model.safetensors"), |header, _| {
        let tensors = header.as_object_mut().unwrap();
        let bias = tensors.remove("encoder.layer.1.output.dense.bias").unwrap();
        tensors.insert("other".into(), bias);
    });
    assert!(matches!(
        refused(folder.path()),
        ModelError::TensorMissing { name, .. } if name == "encoder.layer.1.output.dense.bias"
    ));
}

#[test]
fn settings_that_change_vectors_change_the_fingerprint() {
    let changed = |name: &str, field: &str, value: Value| {
        let folder = copy_of(name);
        edit(folder.path(), "config.json", |c| c[field] = value);
        open(folder.path()).unwrap().fingerprint().differences(open(&fixture(name)).unwrap().fingerprint())
    };
    let theta = json!({"rope_type": "default", "rope_theta": 10000.0});
    for (name, field, value) in [
        ("tiny-qwen3", "rope_parameters", theta),
        ("tiny-qwen3", "rms_norm_eps", json!(1e-5)),
        ("tiny-bert", "hidden_act", json!("relu")),
        ("tiny-bert", "num_attention_heads", json!(8)),
        ("tiny-xlm-roberta", "layer_norm_eps", json!(1e-6)),
        ("tiny-xlm-roberta", "pad_token_id", json!(0)),
    ] {
        let differences = changed(name, field, value);
        assert!(differences.iter().any(|d| d.starts_with("weights")), "{name} {field}: {differences:?}");
    }
}

#[test]
fn older_files_are_named_with_the_way_to_convert_them() {
    for (name, absent, older) in [
        ("tiny-bert", "tokenizer.json", "vocab.txt"),
        ("tiny-xlm-roberta", "tokenizer.json", "sentencepiece.bpe.model"),
        ("tiny-qwen3", "model.safetensors", "pytorch_model.bin"),
    ] {
        let folder = copy_of(name);
        fs::rename(folder.path().join(absent), folder.path().join(older)).unwrap();
        let error = refused(folder.path());
        assert!(
            matches!(&error, ModelError::Unconverted { path, found } if path.ends_with(absent) && *found == older),
            "{error}"
        );
        assert!(error.to_string().contains(older) && error.to_string().contains("sentence-transformers"));
        // Beside the file that is read it does no harm.
        fs::copy(fixture(name).join(absent), folder.path().join(absent)).unwrap();
        open(folder.path()).unwrap();
    }
}

#[test]
fn texts_are_put_in_lower_case_where_the_folder_asks() {
    let cased = |lower_case: bool| {
        let folder = copy_of("tiny-bert");
        edit(folder.path(), "tokenizer.json", |t| t["normalizer"]["lowercase"] = json!(false));
        edit(folder.path(), "sentence_bert_config.json", |c| c["do_lower_case"] = json!(lower_case));
        open(folder.path()).unwrap()
    };
    let (lower, as_is) = (cased(true), cased(false));
    let texts = ["SPF50+ Sensitive Skin", "spf50+ sensitive skin"];
    let rows = lower.encode(&texts, Role::Document).unwrap();
    assert_eq!(rows.row(0), rows.row(1));
    let rows = as_is.encode(&texts, Role::Document).unwrap();
    assert!(cosine(rows.row(0), rows.row(1)) < 0.99);
    assert_eq!(lower.fit(texts[0], 100).unwrap(), texts[0]);
    assert!(lower.fingerprint().differences(as_is.fingerprint())[0].starts_with("tokenizer"));
}

#[test]
fn fit_gives_a_prefix_within_the_limit() {
    for name in MODELS {
        let encoder = open(&fixture(name)).unwrap();
        let around = encoder.count_tokens("", Role::Raw).unwrap();
        for text in TEXTS {
            assert_eq!(encoder.fit(text, 1000).unwrap(), text);
            for limit in 0..20 {
                let prefix = encoder.fit(text, limit).unwrap();
                assert!(text.starts_with(prefix));
                assert!(
                    encoder.count_tokens(prefix, Role::Raw).unwrap() <= limit + around,
                    "{name} {prefix:?}"
                );
            }
        }
    }
}
