use std::collections::HashSet;
use std::path::Path;

use super::{ReadReport, VectorFormat};
use crate::{ReadError, WordVectors};

/// Rows as they are read: decides which are kept, and counts the others.
pub(crate) struct Gather<F> {
    wanted: F,
    words: Vec<String>,
    known: HashSet<String>,
    values: Vec<f32>,
    rows: u64,
    duplicates: u64,
    first_duplicate: Option<String>,
    invalid_words: u64,
    empty_words: u64,
    unwanted: u64,
}

impl<F: FnMut(&str) -> bool> Gather<F> {
    pub(crate) fn new(wanted: F) -> Self {
        Self {
            wanted,
            words: Vec::new(),
            known: HashSet::new(),
            values: Vec::new(),
            rows: 0,
            duplicates: 0,
            first_duplicate: None,
            invalid_words: 0,
            empty_words: 0,
            unwanted: 0,
        }
    }

    /// Rows seen so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes a row of checked values.
    pub(crate) fn push(&mut self, word: &[u8], values: &[f32]) {
        self.rows += 1;
        match std::str::from_utf8(word) {
            Err(_) => self.invalid_words += 1,
            Ok(word) if word.trim().is_empty() => self.empty_words += 1,
            Ok(word) if self.known.contains(word) => {
                self.duplicates += 1;
                self.first_duplicate.get_or_insert_with(|| word.to_owned());
            }
            Ok(word) if (self.wanted)(word) => {
                self.known.insert(word.to_owned());
                self.words.push(word.to_owned());
                self.values.extend_from_slice(values);
            }
            Ok(_) => self.unwanted += 1,
        }
    }

    pub(crate) fn finish(
        self,
        path: &Path,
        dimension: usize,
        format: VectorFormat,
        gzip: bool,
    ) -> Result<(WordVectors, ReadReport), ReadError> {
        if self.words.is_empty() {
            let path = path.to_owned();
            return Err(match self.unwanted {
                0 => ReadError::Empty { path },
                words => ReadError::NothingWanted { path, words },
            });
        }
        let report = ReadReport {
            format,
            gzip,
            rows: self.rows,
            duplicates: self.duplicates,
            first_duplicate: self.first_duplicate,
            invalid_words: self.invalid_words,
            empty_words: self.empty_words,
            unwanted: self.unwanted,
        };
        drop(self.known);
        let vectors = WordVectors::new(self.words, Vec::new(), self.values, dimension);
        // Shape, distinctness and finiteness are upheld above; what is left is a file of more than 2^32 words.
        vectors.map(|v| (v, report)).map_err(|_| ReadError::NotVectors { path: path.to_owned() })
    }
}
