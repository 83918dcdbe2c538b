//! EmbeddingGemma against the vectors that sentence-transformers gives. Needs the model and the reference file;
//! without them the tests say so and pass.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod common;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use common::{Reference, cosine, embeddinggemma, reference, references};
use xunpin_core::{Encoder, Role};
use xunpin_encoder::{EncoderOptions, LlmEncoder, Precision};

fn model() -> Option<&'static LlmEncoder> {
    static ENCODER: OnceLock<Option<LlmEncoder>> = OnceLock::new();
    let open = || embeddinggemma().map(|folder| LlmEncoder::open(&folder, reference()).unwrap());
    ENCODER.get_or_init(open).as_ref()
}

fn golden() -> Option<Vec<Reference>> {
    let path: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/golden/embeddinggemma-300m.jsonl");
    let rows = references(&path);
    if rows.is_none() {
        let _ = writeln!(std::io::stderr(), "skipped: no reference file at {}", path.display());
    }
    rows
}

#[test]
fn every_row_matches() {
    let (Some(encoder), Some(rows)) = (model(), golden()) else { return };
    let mut least = 1.0f64;
    for role in [Role::Document, Role::Query, Role::Raw] {
        let rows: Vec<&Reference> = rows.iter().filter(|row| row.role == role).collect();
        let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        let got = encoder.encode(&texts, role).unwrap();
        for (row, got) in rows.iter().zip(got.iter()) {
            let cosine = cosine(got, &row.embedding);
            assert!(cosine >= 0.9999, "{cosine} for {:?}", row.text);
            least = least.min(cosine);
            assert_eq!(encoder.count_tokens(&row.text, role).unwrap(), row.tokens, "{:?}", row.text);
        }
    }
    println!("{} rows, least cosine {least:.7}", rows.len());
}

#[test]
fn batch_equals_single() {
    let (Some(encoder), Some(rows)) = (model(), golden()) else { return };
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).filter(|text| text.len() < 300).collect();
    let all = encoder.encode(&texts, Role::Document).unwrap();
    assert_eq!(all, encoder.encode(&texts, Role::Document).unwrap());
    for (text, row) in texts.iter().zip(all.iter()).step_by(5) {
        let alone = encoder.encode(&[text], Role::Document).unwrap();
        assert!(cosine(alone.row(0), row) >= 0.99999, "{text}");
    }
}

/// The prepared precisions need not meet the reference to the last digit, but must stay as close to it as the relevance
/// of their answers was measured at.
#[test]
fn prepared_precisions_are_close() {
    let (Some(folder), Some(rows)) = (embeddinggemma(), golden()) else { return };
    for (precision, bound) in [(Precision::Bf16, 0.999), (Precision::Int8, 0.995)] {
        let encoder = LlmEncoder::open(&folder, EncoderOptions { precision, ..reference() }).unwrap();
        let (mut least, mut sum) = (1.0f64, 0.0);
        for role in [Role::Document, Role::Query, Role::Raw] {
            let rows: Vec<&Reference> = rows.iter().filter(|row| row.role == role).collect();
            let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
            let got = encoder.encode(&texts, role).unwrap();
            for (row, got) in rows.iter().zip(got.iter()) {
                let cosine = cosine(got, &row.embedding);
                assert!(cosine >= bound, "{precision}: {cosine} for {:?}", row.text);
                (least, sum) = (least.min(cosine), sum + cosine);
                assert_eq!(encoder.count_tokens(&row.text, role).unwrap(), row.tokens, "{:?}", row.text);
            }
        }
        println!("{precision}: {} rows, mean {:.6}, least {least:.6}", rows.len(), sum / rows.len() as f64);
    }
}
