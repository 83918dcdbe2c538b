//! Pooling, unknown words, and the stored form.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use proptest::prelude::*;
use xunpin_word2vec::{Pooling, PoolingError, SentenceEncoder, StoreError, WordVectors};

fn vectors(rows: &[(&str, u64, [f32; 3])]) -> WordVectors {
    let words = rows.iter().map(|r| r.0.to_owned()).collect();
    let counts = rows.iter().map(|r| r.1).collect();
    WordVectors::new(words, counts, rows.iter().flat_map(|r| r.2).collect(), 3).unwrap()
}

fn shop() -> WordVectors {
    vectors(&[
        ("面霜", 900, [3.0, 0.0, 0.0]),
        ("抗皱", 90, [0.0, 2.0, 0.0]),
        ("敏感", 9, [0.0, 0.0, 1.0]),
        ("肌", 1, [0.0, 1.0, 1.0]),
    ])
}

fn near(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5)
}

#[test]
fn mean_and_sif_weigh_words_as_their_formulas_say() {
    let mean = SentenceEncoder::new(shop(), Pooling::Mean).unwrap();
    let expected = [3.0 / 13f32.sqrt(), 2.0 / 13f32.sqrt(), 0.0];
    assert!(near(&mean.embed(&["面霜", "抗皱"]).unwrap(), &expected));

    let sif = SentenceEncoder::new(shop(), Pooling::Sif { a: 0.01 }).unwrap();
    let (x, y) = (3.0 * 0.01 / (0.01 + 0.9), 2.0 * 0.01 / (0.01 + 0.09));
    let length = f32::hypot(x, y);
    assert!(near(&sif.embed(&["面霜", "抗皱"]).unwrap(), &[x / length, y / length, 0.0]));
    assert_ne!(mean.content_hash(), sif.content_hash());
}

#[test]
fn sif_refuses_what_it_cannot_weigh() {
    let uncounted = || shop().with_counts(|_| 0);
    assert_eq!(SentenceEncoder::new(uncounted(), Pooling::default()).unwrap_err(), PoolingError::NoCounts);
    SentenceEncoder::new(uncounted(), Pooling::Mean).unwrap();
    for a in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused = SentenceEncoder::new(shop(), Pooling::Sif { a });
        assert!(matches!(refused, Err(PoolingError::SifParameter { .. })), "{a}");
    }
}

#[test]
fn unknown_words_say_nothing() {
    let encoder = SentenceEncoder::new(shop(), Pooling::Mean).unwrap();
    assert_eq!(encoder.embed(&["手机", "敏感", "敏感肌"]), encoder.embed(&["敏感"]));
    assert_eq!(encoder.embed(&["手机", "敏感肌"]), None);
    assert_eq!(encoder.embed(&[""; 2]), None);
    assert_eq!(encoder.embed(&[""; 0]), None);
    assert_eq!(encoder.known(&["敏感肌", "手机", "面霜"]), 1);
}

#[test]
fn words_that_cancel_out_give_no_vector() {
    let v = vectors(&[("a", 1, [1.0, 0.0, 0.0]), ("b", 1, [-1.0, 0.0, 0.0]), ("zero", 1, [0.0; 3])]);
    let encoder = SentenceEncoder::new(v, Pooling::Mean).unwrap();
    assert_eq!(encoder.embed(&["a", "b"]), None);
    assert_eq!(encoder.embed(&["zero"]), None);
}

#[test]
fn a_stored_encoder_is_the_same_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.xpw");
    for pooling in [Pooling::Mean, Pooling::Sif { a: 2e-4 }] {
        let encoder = SentenceEncoder::new(shop(), pooling).unwrap();
        encoder.save(&path).unwrap();
        let loaded = SentenceEncoder::load(&path).unwrap();
        assert_eq!(loaded.pooling(), pooling);
        assert_eq!(loaded.content_hash(), encoder.content_hash());
        assert_eq!(loaded.vectors().counts(), encoder.vectors().counts());
        assert_eq!(loaded.embed(&["抗皱", "敏感"]), encoder.embed(&["抗皱", "敏感"]));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn every_changed_byte_of_a_stored_encoder_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.xpw");
    let encoder = SentenceEncoder::new(shop(), Pooling::default()).unwrap();
    encoder.save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        for flip in [0x01, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            fs::write(&path, &bytes).unwrap();
            match SentenceEncoder::load(&path).unwrap_err() {
                StoreError::Foreign { .. } => assert!(at < 8),
                StoreError::Version { .. } => assert!((8..12).contains(&at)),
                StoreError::Damaged { .. } => assert!(at >= 12),
                other => panic!("byte {at}: {other}"),
            }
        }
    }
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let error = SentenceEncoder::load(&path).unwrap_err();
        assert!(
            matches!(error, StoreError::Foreign { .. } | StoreError::Damaged { .. }),
            "{length}: {error}"
        );
    }
    fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
    assert!(matches!(SentenceEncoder::load(&path).unwrap_err(), StoreError::Damaged { .. }));
    let missing = SentenceEncoder::load(folder.path().join("none")).unwrap_err();
    assert!(matches!(missing, StoreError::Unreadable { .. }));
}

#[test]
fn an_absurd_header_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.xpw");
    let header = r#"{"words":99999999999,"word_bytes":18446744073709551615,"dimension":99999999999,"pooling":"mean","trained":null}"#;
    let mut bytes = b"XPWORDS\0\x01\0\0\0".to_vec();
    bytes.extend((header.len() as u32).to_le_bytes());
    bytes.extend(header.as_bytes());
    fs::write(&path, bytes).unwrap();
    assert!(matches!(SentenceEncoder::load(&path).unwrap_err(), StoreError::Damaged { .. }));
}

proptest! {
    #[test]
    fn embeddings_have_unit_length_and_ignore_order(
        picks in prop::collection::vec(0usize..6, 1..12),
        turn in 0usize..12,
    ) {
        let words = ["面霜", "抗皱", "敏感", "肌", "敏感肌", "手机"];
        let encoder = SentenceEncoder::new(shop(), Pooling::default()).unwrap();
        let mut text: Vec<&str> = picks.iter().map(|&p| words[p]).collect();
        let first = encoder.embed(&text);
        prop_assert_eq!(first.is_some(), encoder.known(&text) > 0);
        let turn = turn % text.len();
        text.rotate_left(turn);
        if let (Some(a), Some(b)) = (first, encoder.embed(&text)) {
            prop_assert!(near(&a, &b));
            prop_assert!((a.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }
}
