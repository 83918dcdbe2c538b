use std::collections::HashMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::{PartsError, TrainOptions};

/// Words and their vectors: `len()` rows of `dimension()` values, all finite, not normalised.
///
/// ```
/// use xunpin_word2vec::WordVectors;
///
/// let words = vec!["抗皱".to_owned(), "抗老".to_owned(), "洗发水".to_owned()];
/// let vectors = WordVectors::new(words, vec![], vec![1.0, 0.0, 0.9, 0.1, 0.0, 1.0], 2)?;
/// assert_eq!(vectors.vector("抗老"), Some(&[0.9, 0.1][..]));
/// let similar = vectors.similar("抗皱", 1)?;
/// assert_eq!(similar[0].word, "抗老");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct WordVectors {
    words: Vec<String>,
    /// How often each word occurs in the text that the vectors are used for; 0 if unknown.
    counts: Vec<u64>,
    values: Vec<f32>,
    dimension: usize,
    rows: HashMap<String, u32>,
    trained: Option<TrainOptions>,
}

impl WordVectors {
    /// Puts parts together: `values` is row after row, `dimension` values a word; `counts` is empty (unknown) or one a
    /// word.
    pub fn new(
        words: Vec<String>,
        mut counts: Vec<u64>,
        values: Vec<f32>,
        dimension: usize,
    ) -> Result<Self, PartsError> {
        if words.len().checked_mul(dimension) != Some(values.len()) || u32::try_from(words.len()).is_err() {
            return Err(PartsError::Shape { words: words.len(), dimension, values: values.len() });
        }
        if counts.is_empty() {
            counts = vec![0; words.len()];
        }
        if counts.len() != words.len() {
            return Err(PartsError::Counts { words: words.len(), counts: counts.len() });
        }
        let mut rows = HashMap::with_capacity(words.len());
        for (row, word) in words.iter().enumerate() {
            // Checked above: there are no more words than u32 counts.
            if let Some(first) = rows.insert(word.clone(), row as u32) {
                return Err(PartsError::Duplicate { word: word.clone(), first: first as usize, second: row });
            }
        }
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            return Err(PartsError::NotFinite { word: words[at / dimension].clone() });
        }
        Ok(Self { words, counts, values, dimension, rows, trained: None })
    }

    /// Notes the options that the vectors were trained with.
    pub(crate) fn trained(mut self, options: TrainOptions) -> Self {
        self.trained = Some(options);
        self
    }

    /// Gives each word the count that `count` says, such as [`Corpus::count`](crate::Corpus::count) of the catalogue.
    pub fn with_counts(mut self, mut count: impl FnMut(&str) -> u64) -> Self {
        for (word, known) in self.words.iter().zip(&mut self.counts) {
            *known = count(word);
        }
        self
    }

    /// How many words.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Length of each vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The words, row by row; from training, the most frequent first.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// How often each word occurs, row by row; 0 if unknown.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The options they were trained with, the number of epochs filled in; none for vectors from a published file.
    pub fn train_options(&self) -> Option<&TrainOptions> {
        self.trained.as_ref()
    }

    /// The row of `word`.
    pub fn row_of(&self, word: &str) -> Option<usize> {
        self.rows.get(word).map(|&row| row as usize)
    }

    /// The vector of row `row`. Panics where `row >= len()`, as slices do.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.dimension..(row + 1) * self.dimension]
    }

    /// The vector of `word`.
    pub fn vector(&self, word: &str) -> Option<&[f32]> {
        self.row_of(word).map(|row| self.row(row))
    }

    /// All values, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// SHA-256 over words, counts, dimension and values, as 64 hex digits: equal for equal vectors, whatever file
    /// they came from.
    pub fn content_hash(&self) -> String {
        hex(&self.hasher().finalize())
    }

    pub(crate) fn hasher(&self) -> Sha256 {
        let mut hash = Sha256::new();
        hash.update((self.dimension as u64).to_le_bytes());
        hash.update((self.words.len() as u64).to_le_bytes());
        for (word, count) in self.words.iter().zip(&self.counts) {
            hash.update((word.len() as u64).to_le_bytes());
            hash.update(word);
            hash.update(count.to_le_bytes());
        }
        for value in &self.values {
            hash.update(value.to_le_bytes());
        }
        hash
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn parts_must_fit() {
        let new = |w: &[&str], c: &[u64], v: &[f32]| WordVectors::new(words(w), c.to_vec(), v.to_vec(), 2);
        assert!(new(&["a", "b"], &[], &[1.0; 4]).is_ok());
        assert!(new(&[], &[], &[]).is_ok_and(|v| v.is_empty()));
        assert!(matches!(new(&["a", "b"], &[], &[1.0; 3]), Err(PartsError::Shape { values: 3, .. })));
        assert!(matches!(new(&["a", "b"], &[1], &[1.0; 4]), Err(PartsError::Counts { counts: 1, .. })));
        let duplicate = PartsError::Duplicate { word: "a".into(), first: 0, second: 2 };
        assert_eq!(new(&["a", "b", "a"], &[], &[1.0; 6]).unwrap_err(), duplicate);
        let damaged = new(&["a", "b"], &[], &[1.0, 1.0, 1.0, f32::NAN]);
        assert_eq!(damaged.unwrap_err(), PartsError::NotFinite { word: "b".into() });
        assert!(WordVectors::new(words(&["a"]), vec![], vec![], 0).is_ok_and(|v| v.row(0).is_empty()));
    }

    #[test]
    fn hash_depends_on_each_part() {
        let base = WordVectors::new(words(&["a", "bc"]), vec![2, 1], vec![1.0, 2.0], 1).unwrap();
        let other = |w: &[&str], c: &[u64], v: &[f32]| {
            WordVectors::new(words(w), c.to_vec(), v.to_vec(), 1).unwrap().content_hash()
        };
        assert_eq!(base.content_hash(), other(&["a", "bc"], &[2, 1], &[1.0, 2.0]));
        assert_eq!(base.content_hash().len(), 64);
        for changed in [
            other(&["ab", "c"], &[2, 1], &[1.0, 2.0]),
            other(&["a", "bc"], &[2, 2], &[1.0, 2.0]),
            other(&["a", "bc"], &[2, 1], &[1.0, 2.5]),
        ] {
            assert_ne!(base.content_hash(), changed);
        }
    }

    #[test]
    fn counts_can_come_from_elsewhere() {
        let vectors = WordVectors::new(words(&["a", "bc"]), vec![], vec![1.0, 2.0], 1).unwrap();
        assert_eq!(vectors.counts(), [0, 0]);
        assert_eq!(vectors.with_counts(|w| w.len() as u64).counts(), [1, 2]);
    }
}
