//! Entrances for the fuzz targets to the readers of prepared files, which are private and take files that carry
//! checksums. Here the bytes come from memory and their checksums are made right, so that what is behind them is
//! reached. No part of the crate's interface: it may change at any time.

use std::path::PathBuf;

use crate::ModelError;
use crate::packed::{Contents, PackedEngine};
use crate::tokenizer::{PreparedBpe, TokenizerFile};

/// Most tokens of a text that is run.
const MAX_TOKENS: usize = 64;

/// Opens a prepared model with the given header, whose sections are `zeros` bytes of zero from the file's
/// [first section](FIRST_SECTION) on, reads every section, and runs a text.
///
/// # Errors
/// What a file of these bytes is refused with.
///
/// # Panics
/// If what comes out is no vector of the length that the header says.
pub fn run_prepared_model(header: &[u8], zeros: usize) -> Result<(), ModelError> {
    let contents = Contents::of_zeros(header, FIRST_SECTION, zeros)?;
    let _ = contents.verify();
    let engine = PackedEngine::new(&contents, 1, MAX_TOKENS)?;
    let length = contents.header.fingerprint.max_tokens.min(5);
    // Token 0 is in every vocabulary.
    let vectors = engine.vectors(&[vec![0; length], Vec::new()], 1);
    assert!(vectors.iter().all(|vector| vector.len() == contents.header.fingerprint.dimension));
    Ok(())
}

/// Where the sections begin in a file that [`run_prepared_model`] opens.
pub const FIRST_SECTION: usize = 1 << 15;

/// Opens a prepared tokenizer, its head made right, and splits `text` with it.
///
/// # Errors
/// What a file of these bytes is refused with.
///
/// # Panics
/// If there are more tokens than a text may have, or a prefix is none.
pub fn split_with_prepared_tokenizer(blob: Vec<u8>, text: &str) -> Result<(), ModelError> {
    let blob = PreparedBpe::with_right_head(blob);
    let path = PathBuf::from("fuzz");
    let file = TokenizerFile::from_prepared(blob.into(), String::new(), path)?;
    let tokenizer = file.fit_to(1 << 20, MAX_TOKENS)?;
    if let Ok(ids) = tokenizer.ids(text, 0) {
        assert!(ids.len() <= MAX_TOKENS);
    }
    let _ = tokenizer.count(text);
    if let Ok(prefix) = tokenizer.fit(text, 9) {
        assert!(text.starts_with(prefix));
    }
    Ok(())
}
