use serde::{Deserialize, Serialize};
use sha2::Digest;

use crate::component::first_component;
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

/// A text shorter than this share of its words' length after the removal of the common direction said nothing else.
const NOTHING_LEFT: f64 = 1e-6;

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
    /// Unit vector whose direction is taken out of every text.
    common: Option<Vec<f32>>,
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
        Ok(Self { vectors, pooling, weights, common: None })
    }

    /// Restores a stored encoder; `common` is a unit vector of the right length.
    pub(crate) fn restore(
        vectors: WordVectors,
        pooling: Pooling,
        common: Option<Vec<f32>>,
    ) -> Result<Self, PoolingError> {
        Ok(Self { common, ..Self::new(vectors, pooling)? })
    }

    /// Takes the direction that the texts of `sample` have most in common (the first principal component, not
    /// centred: Arora et al. 2017) out of every text from now on; in a catalogue of creams, all texts share some
    /// "cream". Some thousand texts are enough; they are held in memory at 4 bytes a value. Replaces an earlier direction;
    /// true if there was one to find.
    pub fn remove_common<S, W>(&mut self, sample: S) -> bool
    where
        S: IntoIterator,
        S::Item: AsRef<[W]>,
        W: AsRef<str>,
    {
        self.common = None;
        let mut rows = Vec::new();
        for text in sample {
            if let Some(sum) = self.pool(text.as_ref()) {
                rows.extend(sum.iter().map(|&v| v as f32));
            }
        }
        self.common = first_component(&rows, self.dimension());
        self.common.is_some()
    }

    /// The word vectors.
    pub fn vectors(&self) -> &WordVectors {
        &self.vectors
    }

    /// How words are put together.
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// The unit vector that is taken out, if any.
    pub fn common(&self) -> Option<&[f32]> {
        self.common.as_deref()
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
        for value in self.common.iter().flatten() {
            hash.update(value.to_le_bytes());
        }
        hex(&hash.finalize())
    }

    /// How many of `words` have a vector: only they count in [`embed`](Self::embed).
    pub fn known(&self, words: &[impl AsRef<str>]) -> usize {
        words.iter().filter(|word| self.vectors.row_of(word.as_ref()).is_some()).count()
    }

    /// The unit vector of a text; none if no word is known, or all of them lie in the common direction.
    pub fn embed(&self, words: &[impl AsRef<str>]) -> Option<Vec<f32>> {
        let mut sum = self.pool(words)?;
        let before = length(&sum);
        if let Some(common) = &self.common {
            let along: f64 = sum.iter().zip(common).map(|(s, &c)| s * f64::from(c)).sum();
            sum.iter_mut().zip(common).for_each(|(s, &c)| *s -= along * f64::from(c));
        }
        let after = length(&sum);
        (after > NOTHING_LEFT * before).then(|| sum.iter().map(|v| (v / after) as f32).collect())
    }

    /// Weighted mean of the known words; none if there are none, or their vectors cancel out.
    ///
    /// Unknown words say nothing. Standing in for them by their known characters was tried and made results worse:
    /// characters of a wrongly cut word mean something else.
    fn pool(&self, words: &[impl AsRef<str>]) -> Option<Vec<f64>> {
        let mut sum = vec![0.0; self.dimension()];
        let mut count = 0.0;
        for row in words.iter().filter_map(|word| self.vectors.row_of(word.as_ref())) {
            for (sum, &value) in sum.iter_mut().zip(self.vectors.row(row)) {
                *sum += self.weights[row] * f64::from(value);
            }
            count += 1.0;
        }
        sum.iter_mut().for_each(|v| *v /= count);
        // NaN (no word) is no length above 0 either.
        (length(&sum) > 0.0).then_some(sum)
    }
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}
