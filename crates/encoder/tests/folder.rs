//! Incomplete, damaged and foreign folders: every one is refused with the file's name and the remedy.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::error::Error;
use std::fs;
use std::path::Path;

use common::{copy_of, cosine, edit, edit_weights, open, refused, tiny};
use serde_json::{Value, json};
use tempfile::TempDir;
use xunpin_core::{EncodeError, Encoder, Role};
use xunpin_encoder::{ModelError, supported_architectures};

/// A copy of the tiny model that a test may damage.
fn copy() -> TempDir {
    copy_of("tiny-gemma3")
}

/// The error of a folder whose `file` has been changed.
fn refused_with(file: &str, change: impl FnOnce(&mut Value)) -> ModelError {
    let folder = copy();
    edit(folder.path(), file, change);
    refused(folder.path())
}

#[test]
fn a_copy_equals_the_original() {
    let folder = copy();
    let encoder = open(folder.path()).unwrap();
    assert!(encoder.fingerprint().differences(tiny().fingerprint()).is_empty());
    let texts = ["敏感肌抗老"];
    let (a, b) = (encoder.encode(&texts, Role::Query).unwrap(), tiny().encode(&texts, Role::Query).unwrap());
    assert!(cosine(a.row(0), b.row(0)) >= 0.99999);
}

#[test]
fn missing_files_are_named() {
    assert!(matches!(refused(Path::new("/no/such/folder")), ModelError::NotAFolder { .. }));
    let empty = TempDir::new().unwrap();
    assert!(
        matches!(refused(empty.path()), ModelError::MissingFile { path } if path.ends_with("modules.json"))
    );
    let needed = [
        "modules.json",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "3_Dense/model.safetensors",
    ];
    for file in needed {
        let folder = copy();
        fs::remove_file(folder.path().join(file)).unwrap();
        let error = refused(folder.path());
        assert!(
            matches!(&error, ModelError::MissingFile { path } if path.ends_with(file)),
            "{file}: {error}"
        );
        assert!(error.to_string().contains("xunpin model pull"), "{error}");
    }
    // Limits and prompts have defaults.
    for file in ["sentence_bert_config.json", "tokenizer_config.json", "config_sentence_transformers.json"] {
        let folder = copy();
        fs::remove_file(folder.path().join(file)).unwrap();
        open(folder.path()).unwrap();
    }
}

#[test]
fn broken_json_is_named() {
    for file in ["modules.json", "config.json", "1_Pooling/config.json", "sentence_bert_config.json"] {
        let folder = copy();
        fs::write(folder.path().join(file), "<html>not found</html>").unwrap();
        let error = refused(folder.path());
        assert!(matches!(&error, ModelError::Json { path, .. } if path.ends_with(file)), "{file}: {error}");
        assert!(error.source().is_some());
    }
    let folder = copy();
    fs::write(folder.path().join("tokenizer.json"), "{\"version\": \"1.0\"}").unwrap();
    let error = refused(folder.path());
    assert!(
        matches!(&error, ModelError::Tokenizer { path, .. } if path.ends_with("tokenizer.json")),
        "{error}"
    );
    assert!(error.source().is_some() && error.to_string().contains("xunpin model verify"));
}

#[test]
fn wrong_fields_are_named() {
    type Change = fn(&mut Value);
    let cases: [(&str, &str, Change); 10] = [
        ("config.json", "hidden_size", |c| c["hidden_size"] = json!("many")),
        ("config.json", "num_attention_heads", |c| c["num_attention_heads"] = json!(0)),
        ("config.json", "num_attention_heads", |c| {
            drop(c.as_object_mut().unwrap().remove("num_attention_heads"))
        }),
        ("config.json", "layer_types", |c| c["layer_types"] = json!(["full_attention"])),
        ("config.json", "rms_norm_eps", |c| c["rms_norm_eps"] = json!(-1.0)),
        ("config.json", "hidden_size", |c| c["hidden_size"] = json!(64)),
        ("modules.json", "type", |c| c.as_array_mut().unwrap().truncate(1)),
        ("modules.json", "path", |c| c[1]["path"] = json!("../elsewhere")),
        ("3_Dense/config.json", "in_features", |c| c["in_features"] = json!(32)),
        ("sentence_bert_config.json", "max_seq_length", |c| c["max_seq_length"] = json!(0)),
    ];
    for (file, field, change) in cases {
        match refused_with(file, change) {
            ModelError::Field { path, field: found, .. } => {
                assert!(
                    path.ends_with(file) && found.ends_with(field),
                    "{file} {field}: {} {found}",
                    path.display()
                );
            }
            // Weights of other shapes are found out before the pooling is.
            ModelError::TensorShape { .. } if field == "hidden_size" => {}
            error => panic!("{file} {field}: {error}"),
        }
    }
}

#[test]
fn other_architectures_are_refused_and_the_supported_are_listed() {
    let causal = refused_with("config.json", |c| c["use_bidirectional_attention"] = json!(false));
    assert!(matches!(causal, ModelError::Architecture { .. }));
    assert!(
        causal.to_string().contains("causal") && causal.to_string().contains("gemma3-bidirectional"),
        "{causal}"
    );
    let absent = refused_with("config.json", |c| {
        drop(c.as_object_mut().unwrap().remove("use_bidirectional_attention"))
    });
    assert!(matches!(absent, ModelError::Architecture { .. }));
    let other = refused_with("config.json", |c| c["model_type"] = json!("distilbert")).to_string();
    assert!(other.contains("`distilbert`"), "{other}");
    for supported in supported_architectures() {
        assert!(other.contains(supported), "{other}");
    }
}

#[test]
fn variations_we_do_not_run_are_refused() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 8] = [
        ("config.json", |c| c["hidden_activation"] = json!("silu")),
        ("config.json", |c| c["attn_logit_softcapping"] = json!(50.0)),
        ("config.json", |c| c["rope_scaling"] = json!({"rope_type": "linear", "factor": 8.0})),
        ("config.json", |c| c["layer_types"][0] = json!("chunked_attention")),
        ("1_Pooling/config.json", |c| c["pooling_mode_cls_token"] = json!(true)),
        ("2_Dense/config.json", |c| c["activation_function"] = json!("torch.nn.modules.activation.ReLU")),
        ("modules.json", |c| c[2]["type"] = json!("sentence_transformers.models.LSTM")),
        ("1_Pooling/config.json", |c| c["pooling_mode"] = json!("max")),
    ];
    for (file, change) in cases {
        let error = refused_with(file, change);
        assert!(
            matches!(&error, ModelError::Unsupported { path, .. } if path.ends_with(file)),
            "{file}: {error}"
        );
    }
}

#[test]
fn weights_are_checked_against_the_config() {
    let truncated = copy();
    let path = truncated.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    for length in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        let error = refused(truncated.path());
        assert!(
            matches!(&error, ModelError::Weights { path, .. } if path.ends_with("model.safetensors")),
            "{error}"
        );
        assert!(error.to_string().contains("xunpin model verify") && error.source().is_some(), "{error}");
    }

    let shape = refused_with("config.json", |c| c["intermediate_size"] = json!(50));
    let ModelError::TensorShape { name, expected, got, .. } = &shape else { panic!("{shape}") };
    assert_eq!((expected.as_slice(), got.as_slice()), (&[50, 32][..], &[48, 32][..]));
    assert!(name.starts_with("layers.") && name.ends_with("mlp.gate_proj.weight"), "{name}");

    let missing = refused_with("config.json", |c| {
        c["num_hidden_layers"] = json!(5);
        c["layer_types"].as_array_mut().unwrap().push(json!("full_attention"));
    });
    assert!(
        matches!(&missing, ModelError::TensorMissing { name, .. } if name.starts_with("layers.4.")),
        "{missing}"
    );

    let typed = copy();
    edit_weights(&typed.path().join("2_Dense/model.safetensors"), |header, _| {
        header["linear.weight"]["dtype"] = json!("I32");
    });
    assert!(matches!(refused(typed.path()), ModelError::TensorType { got, .. } if got == "I32"));
}

#[test]
fn a_tokenizer_of_another_model_is_refused() {
    let folder = copy();
    edit(folder.path(), "tokenizer.json", |tokenizer| {
        let vocabulary = tokenizer["model"]["vocab"].as_object_mut().unwrap();
        for more in vocabulary.len()..600 {
            vocabulary.insert(format!("more{more}"), json!(more));
        }
    });
    let error = refused(folder.path());
    assert!(matches!(error, ModelError::Vocabulary { tokens: 600, rows: 512, .. }), "{error}");
}

#[test]
fn an_added_token_without_embedding_is_the_unknown_token() {
    let folder = copy();
    edit(folder.path(), "tokenizer.json", |tokenizer| {
        let mut token = tokenizer["added_tokens"][0].clone();
        (token["id"], token["content"]) = (json!(512), json!("<image>"));
        tokenizer["added_tokens"].as_array_mut().unwrap().push(token);
    });
    let encoder = open(folder.path()).unwrap();
    let [image, unknown] = ["a<image>b", "a<unk>b"].map(|text| encoder.encode(&[text], Role::Raw).unwrap());
    assert_eq!(image, unknown);
}

#[test]
fn damaged_values_give_no_vector() {
    for value in [f32::NAN, f32::INFINITY] {
        for tensor in ["layers.1.self_attn.q_proj.weight", "layers.0.mlp.gate_proj.weight", "norm.weight"] {
            let folder = copy();
            edit_weights(&folder.path().join("model.safetensors"), |header, data| {
                let start = header[tensor]["data_offsets"][0].as_u64().unwrap() as usize;
                data[start..start + 4].copy_from_slice(&value.to_le_bytes());
            });
            let encoder = open(folder.path()).unwrap();
            let result = encoder.encode(&["面霜", "跑步鞋"], Role::Document);
            assert!(matches!(result, Err(EncodeError::Unusable { row: 0 })), "{value} in {tensor}");
        }
    }
    // All zeros.
    let folder = copy();
    edit_weights(&folder.path().join("3_Dense/model.safetensors"), |_, data| data.fill(0));
    let result = open(folder.path()).unwrap().encode(&["面霜"], Role::Document);
    assert!(matches!(result, Err(EncodeError::Unusable { row: 0 })));
}

#[test]
fn fingerprints_tell_models_apart() {
    let same = tiny().fingerprint();
    let changed = |change: fn(&Path)| {
        let folder = copy();
        change(folder.path());
        open(folder.path()).unwrap().fingerprint().differences(same)
    };
    let one = |differences: Vec<String>, field: &str| {
        assert!(differences.len() == 1 && differences[0].starts_with(field), "{field}: {differences:?}");
    };
    let weights =
        |file: &'static str| move |folder: &Path| edit_weights(&folder.join(file), |_, data| data[5] ^= 1);
    let _ = weights;
    one(changed(|f| edit_weights(&f.join("model.safetensors"), |_, data| data[5] ^= 1)), "weights");
    one(changed(|f| edit_weights(&f.join("3_Dense/model.safetensors"), |_, data| data[5] ^= 1)), "weights");
    one(changed(|f| edit(f, "config.json", |c| c["sliding_window"] = json!(16))), "weights");
    one(changed(|f| edit(f, "tokenizer.json", |c| c["model"]["fuse_unk"] = json!(false))), "tokenizer");
    one(changed(|f| edit(f, "1_Pooling/config.json", |c| c["include_prompt"] = json!(false))), "pooling");
    one(changed(|f| edit(f, "sentence_bert_config.json", |c| c["max_seq_length"] = json!(32))), "max_tokens");
    let prompts =
        |f: &Path| edit(f, "config_sentence_transformers.json", |c| c["prompts"]["query"] = json!("q: "));
    one(changed(prompts), "prompts");
}

#[test]
fn the_prompt_can_be_left_out_of_the_mean() {
    let folder = copy();
    edit(folder.path(), "1_Pooling/config.json", |c| c["include_prompt"] = json!(false));
    let encoder = open(folder.path()).unwrap();
    let (without, with) = (encoder.encode(&["面霜"], Role::Query), tiny().encode(&["面霜"], Role::Query));
    assert!(cosine(without.unwrap().row(0), with.unwrap().row(0)) < 0.999);
    let raw = encoder.encode(&["面霜"], Role::Raw).unwrap();
    assert!(cosine(raw.row(0), tiny().encode(&["面霜"], Role::Raw).unwrap().row(0)) >= 0.99999);
}

#[test]
fn other_ways_of_saving_the_same_model_give_the_same_vectors() {
    let want = tiny().encode(&["敏感肌抗老"], Role::Query).unwrap();
    let same = |folder: &Path| {
        let got = open(folder).unwrap().encode(&["敏感肌抗老"], Role::Query).unwrap();
        assert!(cosine(got.row(0), want.row(0)) >= 0.99999);
    };
    // Newer files keep both bases under one name, and name the pooling and the module's full path.
    let newer = copy();
    edit(newer.path(), "config.json", |c| {
        let fields = c.as_object_mut().unwrap();
        for field in ["rope_theta", "rope_local_base_freq", "rope_scaling", "layer_types"] {
            fields.remove(field);
        }
        fields.insert(
            "rope_parameters".into(),
            json!({
                "full_attention": {"rope_type": "default", "rope_theta": 1000000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            }),
        );
    });
    edit(newer.path(), "1_Pooling/config.json", |c| {
        *c = json!({"embedding_dimension": 32, "pooling_mode": "mean", "include_prompt": true});
    });
    edit(newer.path(), "modules.json", |c| {
        c[1]["type"] = json!("sentence_transformers.sentence_transformer.modules.pooling.Pooling");
    });
    same(newer.path());

    // Saved inside another model, in two files.
    let sharded = copy();
    let path = sharded.path().join("model.safetensors");
    edit_weights(&path, |header, _| {
        let tensors = std::mem::take(header.as_object_mut().unwrap());
        let renamed = tensors.into_iter().map(|(name, info)| match name.as_str() {
            "__metadata__" => (name, info),
            _ => (format!("model.{name}"), info),
        });
        *header = Value::Object(renamed.collect());
    });
    same(sharded.path());
    fs::rename(&path, sharded.path().join("model-00001-of-00001.safetensors")).unwrap();
    let index = json!({"weight_map": {"model.norm.weight": "model-00001-of-00001.safetensors"}});
    fs::write(sharded.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    same(sharded.path());
    let outside = json!({"weight_map": {"model.norm.weight": "../model.safetensors"}});
    fs::write(sharded.path().join("model.safetensors.index.json"), outside.to_string()).unwrap();
    assert!(matches!(refused(sharded.path()), ModelError::Field { field, .. } if field == "weight_map"));
}
