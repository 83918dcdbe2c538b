use serde::{Deserialize, Serialize};
use sha2::Digest;

use crate::vectors::hex;
use crate::{PoolingError, WordVectors};

/// How the vectors of a text's words become one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// Their mean with weight `a / (a + p)`, `p` being the word's share of all occurrences: frequent words say less
    /// (smooth inverse frequency: Arora, Liang and Ma, 2017).
    Sif {
        /// Usually 0.001; a word of that share weighs half.
        a: f64,
    },
}

impl Default for Pooling {
    fn default() -> Self {
        Self::Sif { a: 1e-3 }
    }
}

/// Turns a text, cut into words, into a vector of unit length: the static baseline beside the language model.
///
/// ```
/// use xunpin_word2vec::{Pooling, SentenceEncoder, WordVectors};
///
/// let words = ["抗皱", "精华"].map(String::from).to_vec();
/// let vectors = WordVectors::new(words, vec![10, 30], vec![3.0, 0.0, 0.0, 2.0], 2)?;
/// let encoder = SentenceEncoder::new(vectors, Pooling::Mean)?;
/// assert_eq!(encoder.embed(&["抗皱"]), Some(vec![1.0, 0.0]));
/// assert_eq!(encoder.embed(&["手机"]), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SentenceEncoder {
    vectors: WordVectors,
    pooling: Pooling,
    /// By row.
    weights: Vec<f64>,
}

impl SentenceEncoder {
    /// An encoder over `vectors`. SIF needs word counts.
    pub fn new(vectors: WordVectors, pooling: Pooling) -> Result<Self, PoolingError> {
        let weights = match pooling {
            Pooling::Mean => vec![1.0; vectors.len()],
            Pooling::Sif { a } if !(a > 0.0 && a.is_finite()) => {
                return Err(PoolingError::SifParameter { a });
            }
            Pooling::Sif { a } => {
                let total = vectors.counts().iter().map(|&c| c as f64).sum::<f64>();
                if total == 0.0 {
                    return Err(PoolingError::NoCounts);
                }
                vectors.counts().iter().map(|&count| a / (a + count as f64 / total)).collect()
            }
        };
        Ok(Self { vectors, pooling, weights })
    }

    /// The word vectors.
    pub fn vectors(&self) -> &WordVectors {
        &self.vectors
    }

    /// How words are put together.
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// Length of the vectors.
    pub fn dimension(&self) -> usize {
        self.vectors.dimension()
    }

    /// SHA-256 of all that decides the vectors, as 64 hex digits.
    pub fn content_hash(&self) -> String {
        let mut hash = self.vectors.hasher();
        match self.pooling {
            Pooling::Mean => hash.update([0]),
            Pooling::Sif { a } => {
                hash.update([1]);
                hash.update(a.to_le_bytes());
            }
        }
        hex(&hash.finalize())
    }

    /// How many of `words` have a vector: only they count in [`embed`](Self::embed).
    pub fn known(&self, words: &[impl AsRef<str>]) -> usize {
        words.iter().filter(|word| self.vectors.row_of(word.as_ref()).is_some()).count()
    }

    /// The unit vector of a text: the weighted mean of the known words, at unit length; none if no word is known, or their
    /// vectors cancel out.
    ///
    /// Unknown words say nothing. Standing in for them by their known characters was tried and made results worse:
    /// characters of a wrongly cut word mean something else.
    pub fn embed(&self, words: &[impl AsRef<str>]) -> Option<Vec<f32>> {
        let mut sum = vec![0.0; self.dimension()];
        let mut count = 0.0;
        for row in words.iter().filter_map(|word| self.vectors.row_of(word.as_ref())) {
            for (sum, &value) in sum.iter_mut().zip(self.vectors.row(row)) {
                *sum += self.weights[row] * f64::from(value);
            }
            count += 1.0;
        }
        sum.iter_mut().for_each(|v| *v /= count);
        let length = sum.iter().map(|v| v * v).sum::<f64>().sqrt();
        // NaN (no word) is no length above 0 either.
        (length > 0.0).then(|| sum.iter().map(|v| (v / length) as f32).collect())
    }
}
