//! The tiny model of `fixtures/` against what sentence-transformers makes of it, and against itself.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod common;

use common::{cosine, greatest_difference, reference, references, tiny, tiny_folder};
use xunpin_core::{EncodeError, Encoder, Matrix, Role};
use xunpin_encoder::{EncoderOptions, LlmEncoder, supported_architectures};

const TEXTS: [&str; 9] = [
    "敏感肌抗老",
    "跑步鞋 男款 透气",
    "a",
    "",
    "温和A醇精华 敏感肌可用 抗皱淡纹 30ml",
    "鞋跑步 男款 透气",
    "品牌：自然堂，功效：保湿，适合肤质：敏感肌，容量：125ml，品牌：自然堂，功效：保湿，适合肤质：敏感肌",
    "黑咖啡粉",
    "😀🧴",
];

fn encode(encoder: &LlmEncoder, texts: &[&str]) -> Matrix {
    encoder.encode(texts, Role::Document).unwrap()
}

fn with_options(threads: Option<usize>, batch_tokens: usize) -> LlmEncoder {
    LlmEncoder::open(
        &tiny_folder(),
        EncoderOptions { threads, batch_tokens: Some(batch_tokens), ..reference() },
    )
    .unwrap()
}

#[test]
fn equals_the_reference() {
    let rows = references(&tiny_folder().join("reference.jsonl")).unwrap();
    assert!(rows.len() >= 15);
    for row in rows {
        let got = tiny().encode(&[&row.text], row.role).unwrap();
        let cosine = cosine(got.row(0), &row.embedding);
        let difference = greatest_difference(got.row(0), &row.embedding);
        assert!(
            cosine >= 0.9999 && difference < 1e-4,
            "{:?}: cosine {cosine}, difference {difference}",
            row.text
        );
        // The reference counts after the cut.
        let tokens = tiny().count_tokens(&row.text, row.role).unwrap();
        assert_eq!(tokens.min(tiny().fingerprint().max_tokens), row.tokens, "{:?}", row.text);
    }
}

#[test]
fn a_row_does_not_depend_on_the_others() {
    let all = encode(tiny(), &TEXTS);
    for (at, text) in TEXTS.iter().enumerate() {
        let alone = encode(tiny(), &[text]);
        assert!(cosine(all.row(at), alone.row(0)) >= 0.99999, "{text}");
        // Equal lengths only.
        let equal = encode(tiny(), &[text, text, text]);
        assert!(equal.iter().all(|row| cosine(row, alone.row(0)) >= 0.99999), "{text}");
    }
    // Texts of the same length, which one product attends to.
    let same_length = ["保湿", "修护", "面霜", "精华"];
    let lengths = same_length.map(|text| tiny().count_tokens(text, Role::Document).unwrap());
    assert!(lengths.iter().filter(|length| **length == lengths[0]).count() >= 2, "{lengths:?}");
    for (row, text) in encode(tiny(), &same_length).iter().zip(same_length) {
        assert!(cosine(row, encode(tiny(), &[text]).row(0)) >= 0.99999, "{text}");
    }
}

#[test]
fn order_is_kept_and_calls_repeat_bit_for_bit() {
    let texts: Vec<&str> = TEXTS.iter().cycle().take(40).copied().collect();
    let first = encode(tiny(), &texts);
    assert_eq!(first, encode(tiny(), &texts));
    let backward: Vec<&str> = texts.iter().rev().copied().collect();
    let backward = encode(tiny(), &backward);
    for at in 0..texts.len() {
        assert!(cosine(backward.row(texts.len() - 1 - at), first.row(at)) >= 0.99999);
    }
}

#[test]
fn batches_and_threads_change_nothing() {
    let plain = encode(tiny(), &TEXTS);
    for (threads, batch_tokens) in [(Some(1), 1024), (Some(3), 20), (None, 1), (Some(2), 0)] {
        let encoder = with_options(threads, batch_tokens);
        assert!(threads.is_none_or(|threads| encoder.threads() == threads));
        for (row, other) in encode(&encoder, &TEXTS).iter().zip(plain.iter()) {
            assert!(cosine(row, other) >= 0.99999, "{threads:?} {batch_tokens}");
        }
    }
}

#[test]
fn rows_have_unit_length_and_roles_differ() {
    let documents = encode(tiny(), &TEXTS);
    assert_eq!((documents.rows(), documents.columns()), (TEXTS.len(), tiny().fingerprint().dimension));
    for row in documents.iter() {
        assert!((row.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-5);
    }
    let queries = tiny().encode(&TEXTS, Role::Query).unwrap();
    assert!(cosine(queries.row(0), documents.row(0)) < 0.999);
    // A prompt written out is the same text.
    let raw = tiny().encode(&["task: search result | query: 敏感肌抗老"], Role::Raw).unwrap();
    assert!(cosine(raw.row(0), queries.row(0)) >= 0.99999);
}

#[test]
fn nothing_in_nothing_out() {
    let none = encode(tiny(), &[]);
    assert_eq!((none.rows(), none.as_slice().len()), (0, 0));
}

#[test]
fn text_beyond_the_limit_is_cut() {
    let limit = tiny().fingerprint().max_tokens;
    let long = "保湿 修护 ".repeat(200);
    assert!(tiny().count_tokens(&long, Role::Document).unwrap() > limit);
    let longer = format!("{long}{}", "跑步鞋".repeat(1_000_000));
    assert_eq!(encode(tiny(), &[&long]), encode(tiny(), &[&longer]));
}

#[test]
fn fit_gives_the_longest_prefix() {
    for text in TEXTS.into_iter().chain(["一二三😀四五 mixed 文字🧴🧴 tail"]) {
        let whole = tiny().fit(text, 1000).unwrap();
        assert_eq!(whole, text);
        let mut previous = 0;
        for limit in 0..40 {
            let prefix = tiny().fit(text, limit).unwrap();
            assert!(text.starts_with(prefix) && prefix.len() >= previous);
            // Two special tokens around it.
            assert!(tiny().count_tokens(prefix, Role::Raw).unwrap() <= limit + 2, "{prefix:?} in {limit}");
            previous = prefix.len();
        }
        assert_eq!(previous, tiny().fit(text, 39).unwrap().len());
    }
    let long = "保湿 修护 ".repeat(100_000);
    assert!(tiny().fit(&long, 10).unwrap().len() < 100);
}

#[test]
fn fingerprint_says_what_made_the_vectors() {
    let fingerprint = tiny().fingerprint();
    assert_eq!(fingerprint.model, "tiny-gemma3");
    assert_eq!(fingerprint.architecture, "gemma3-bidirectional");
    assert!(supported_architectures().contains(&fingerprint.architecture.as_str()));
    assert_eq!(fingerprint.pooling, "mean, dense 64 identity, dense 32 identity");
    assert_eq!(
        (fingerprint.dimension, fingerprint.max_tokens, fingerprint.precision.as_str()),
        (32, 64, "f32")
    );
    assert_eq!(fingerprint.prompts["document"], "title: none | text: ");
    assert_eq!((fingerprint.weights.len(), fingerprint.tokenizer.len()), (32, 32));
    assert_eq!(with_options(Some(1), 7).fingerprint(), fingerprint);
}

#[test]
fn control_characters_and_special_tokens_in_a_text_do_no_harm() {
    let texts = ["\0\u{7}\u{200b}", "<eos><bos><pad>", "<mask> <unk>", "\u{feff}面霜\r\n\t"];
    let rows = encode(tiny(), &texts);
    assert_eq!(rows.rows(), texts.len());
    assert!(!matches!(tiny().encode(&texts, Role::Raw), Err(EncodeError::Compute { .. })));
}
