//! The same tokens as the library gives, on real texts and on whole files of other kinds.

use std::path::Path;

use serde_json::{Value, json};
use xunpin_core::EncodeError;

use super::{Both, fixture, gemma, shared, small, small_json};
use crate::ModelError;
use crate::tokenizer::{PreparedBpe, TokenizerFile};

const PROMPTS: [&str; 3] = ["", "task: search result | query: ", "title: none | text: "];

/// All lines of `files` with every prompt.
fn same_on_lines(both: &Both, files: &[&str], least: usize) {
    let mut lines = 0;
    for text in files.iter().filter_map(|file| shared(file)) {
        for line in text.lines() {
            for prompt in PROMPTS {
                both.same(&format!("{prompt}{line}"));
            }
            lines += 1;
        }
    }
    assert!(lines == 0 || lines >= least, "{lines}");
}

#[test]
fn queries() {
    if let Some(gemma) = gemma() {
        same_on_lines(gemma, &["queries/taobao-queries.txt"], 100_000);
    }
}

#[test]
fn products() {
    let files = ["beauty/products.csv", "beauty/queries.tsv", "adgen/products.jsonl", "adgen/queries.tsv"];
    if let Some(gemma) = gemma() {
        same_on_lines(gemma, &files, 5_500);
    }
    same_on_lines(fixture(), &files[..2], 3_500);
    same_on_lines(small(), &files[..2], 3_500);
}

#[test]
fn limits_special_tokens_and_prompts() {
    let line = "敏感肌抗老 🧴🧴 <bos>  湿面 abc\n\n\nabcaa 👩‍🔬 e d 保湿面霜";
    let long = line.repeat(1000);
    for both in [Some(small()), Some(fixture()), gemma()].into_iter().flatten() {
        for text in ["", " ", "a", line, &long, "🧴", "<eos><image_soft_token>", PROMPTS[1], PROMPTS[2]] {
            both.same_with_limits(text);
        }
    }
    let both = small();
    let ids = both.prepared.ids(&long, 0).unwrap();
    assert_eq!((ids.len(), ids[0], &ids[14..]), (16, 2, &[1, 1][..]));
    assert_eq!(both.prepared.count_prompt("abcd").unwrap(), 1 + 2);
    assert_eq!(both.prepared.count("").unwrap(), 3);
    // Tokens beyond the model's table are the unknown one.
    let last = both.tokenizer().token_to_id("🧴").unwrap();
    assert!(last >= 290);
    assert_eq!(both.prepared.ids("🧴", 0).unwrap(), [2, 3, 1, 1]);
}

#[test]
fn an_unknown_token_that_is_missing_is_an_error() {
    let mut json = small_json();
    for name in ["<unk>", "<pad>"] {
        let vocabulary = json["model"]["vocab"].as_object_mut().unwrap();
        let id = vocabulary.shift_remove(name).unwrap();
        vocabulary.insert(format!("{name}renamed"), id);
    }
    json["model"]["unk_token"] = Value::Null;
    json["added_tokens"].as_array_mut().unwrap().remove(3);
    json["added_tokens"].as_array_mut().unwrap().remove(0);
    let both = Both::new(json.to_string().into_bytes(), 290, 16).unwrap();
    for tokenizer in [&both.prepared, &both.library] {
        assert!(matches!(tokenizer.ids("🧴", 7), Err(EncodeError::Tokenize { row: 7, .. })));
    }
}

#[test]
fn models_too_small_for_the_tokenizer_are_refused() {
    let open = || {
        let blob = small().blob.clone();
        TokenizerFile::from_prepared(blob.into(), TokenizerFile::hash_of(&small().json), "model.file".into())
            .unwrap()
    };
    assert_eq!(open().hash, TokenizerFile::hash_of(small_json().to_string().as_bytes()));
    assert!(matches!(open().fit_to(100, 16), Err(ModelError::Vocabulary { rows: 100, .. })));
    assert!(
        matches!(open().fit_to(300, 3), Err(ModelError::Field { path, .. }) if path == Path::new("model.file"))
    );
    assert!(open().fit_to(300, 4).is_ok());
}

/// The small tokenizer with one field changed.
fn changed(pointer: &str, value: Value) -> Value {
    let mut json = small_json();
    *json.pointer_mut(pointer).unwrap() = value;
    json
}

#[test]
fn variations_that_are_covered() {
    let lines = "#version: 0.2|b c|a b|ab c|a bc|a a".split('|').collect::<Vec<_>>();
    let variations = [
        changed("/normalizer/content", json!("_")),
        changed("/normalizer/pattern", json!({"String": "b"})),
        changed("/pre_tokenizer", Value::Null),
        changed("/pre_tokenizer/behavior", json!("Isolated")),
        changed("/post_processor", Value::Null),
        changed(
            "/post_processor",
            json!({"type": "BertProcessing", "sep": ["<eos>", 1], "cls": ["<bos>", 2]}),
        ),
        changed(
            "/post_processor/single",
            json!([{"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "<eos>", "type_id": 0}}]),
        ),
        changed("/added_tokens", json!([])),
        changed("/model/merges", json!(lines)),
        changed("/model/merges", json!([])),
        changed("/model/fuse_unk", json!(false)),
        changed("/model/end_of_word_suffix", json!("")),
    ];
    for (at, json) in variations.into_iter().enumerate() {
        let json = match json.pointer("/normalizer/pattern/String") {
            // The pre-tokenizer must look for what the normalizer replaces.
            Some(pattern) if pattern != " " => {
                let mut json = json.clone();
                json["pre_tokenizer"] = Value::Null;
                json
            }
            _ => json,
        };
        let both =
            Both::new(json.to_string().into_bytes(), 300, 16).unwrap_or_else(|| panic!("variation {at}"));
        for text in
            ["", "abc aab  保湿面霜 e d<nl>  x", "b_bc_ _<left> \t<bos><right>  <both> ▁▁aaaa", "b d e d"]
        {
            both.same(text);
            both.same_with_limits(text);
        }
    }
    let mut json = small_json();
    (json["normalizer"], json["pre_tokenizer"]) = (Value::Null, Value::Null);
    Both::new(json.to_string().into_bytes(), 300, 16).unwrap().same(" a b▁a ▁ abc  e d");
}

#[test]
fn what_is_not_covered_stays_with_the_library() {
    let replaced = |name: &str| {
        let text = small_json().to_string();
        serde_json::from_str::<Value>(&text.replace(name, "<other>")).unwrap()
    };
    let mut single_word = small_json();
    single_word["added_tokens"][5]["single_word"] = true.into();
    let mut same_id = small_json();
    same_id["model"]["vocab"]["a"] = same_id["model"]["vocab"]["b"].clone();
    let mut of_bytes = small_json();
    of_bytes["model"]["vocab"]["<0x00>a"] = json!(290);
    of_bytes["model"]["merges"].as_array_mut().unwrap().push(json!(["<0x00>", "a"]));
    let mut prefixed = changed("/model/merges", json!([]));
    prefixed["model"]["continuing_subword_prefix"] = json!("##");
    let word_piece = json!({"version": "1.0", "added_tokens": [], "model": {"type": "WordPiece", "unk_token": "u",
        "continuing_subword_prefix": "##", "max_input_chars_per_word": 9, "vocab": {"u": 0, "a": 1}}});
    let unigram = json!({"version": "1.0", "added_tokens": [], "model": {"type": "Unigram", "unk_id": 0,
        "vocab": [["u", 0.0], ["a", -1.0]]}});
    let byte_level =
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let others = [
        changed("/normalizer", json!({"type": "NFC"})),
        changed("/normalizer/content", json!("__")),
        changed("/normalizer/pattern", json!({"Regex": " "})),
        changed("/normalizer", Value::Null),
        changed("/pre_tokenizer/pattern", json!({"String": "a"})),
        changed("/pre_tokenizer/invert", json!(true)),
        changed("/pre_tokenizer", byte_level),
        changed(
            "/post_processor/single",
            json!([{"Sequence": {"id": "A", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}}]),
        ),
        changed("/model/byte_fallback", json!(false)),
        changed("/model/ignore_merges", json!(true)),
        changed("/model/dropout", json!(0.5)),
        prefixed,
        changed(
            "/post_processor",
            json!({"type": "RobertaProcessing", "sep": ["<eos>", 1], "cls": ["<bos>", 2],
            "trim_offsets": true, "add_prefix_space": true}),
        ),
        replaced("<0x7F>"),
        single_word,
        same_id,
        of_bytes,
        word_piece,
        unigram,
    ];
    for (at, json) in others.iter().enumerate() {
        let built = PreparedBpe::build(Path::new("t.json"), json.to_string().as_bytes());
        assert!(matches!(built, Ok(None)), "{at}");
    }
    for json in ["", "{}", "[1]", "{\"model\": 3}"] {
        let error = PreparedBpe::build(Path::new("t.json"), json.as_bytes()).unwrap_err();
        assert!(matches!(error, ModelError::Tokenizer { path, .. } if path == Path::new("t.json")));
    }
}
