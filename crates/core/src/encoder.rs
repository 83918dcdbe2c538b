use crate::Fingerprint;

/// What a text is to the model: it decides the prompt put before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A shopper's words.
    Query,
    /// A product's rendered text.
    Document,
    /// The text is the whole input; no prompt is added.
    Raw,
}

/// Rows of equal length in one allocation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    data: Vec<f32>,
    columns: usize,
}

impl Matrix {
    /// A matrix of `data.len() / columns` rows. Values past the last full row are dropped.
    pub fn new(mut data: Vec<f32>, columns: usize) -> Self {
        data.truncate(data.len().checked_div(columns).unwrap_or(0) * columns);
        Self { data, columns }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.data.len().checked_div(self.columns).unwrap_or(0)
    }

    /// Length of a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Row `at`. Panics where `at >= rows()`, as slices do.
    pub fn row(&self, at: usize) -> &[f32] {
        &self.data[at * self.columns..(at + 1) * self.columns]
    }

    /// The rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.data.chunks_exact(self.columns.max(1))
    }

    /// All values, row after row.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }
}

/// Why texts could not be encoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The tokenizer refused a text; the source says why.
    #[error("text {row} could not be split into tokens")]
    Tokenize {
        /// Index of the text in the call.
        row: usize,
        /// The tokenizer's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A matrix operation failed, most often for want of memory; the source says where.
    #[error("the model could not be run on a batch of {texts} texts, {tokens} tokens")]
    Compute {
        /// Texts in the batch.
        texts: usize,
        /// Tokens in the batch.
        tokens: usize,
        /// The numeric library's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The model gave NaN, an infinity or a zero vector: its weights are damaged (`xunpin model verify`).
    #[error("the model gave no usable vector for text {row}; check its files with `xunpin model verify`")]
    Unusable {
        /// Index of the text in the call.
        row: usize,
    },
}

/// Turns texts into vectors of unit length.
pub trait Encoder: Send + Sync {
    /// What made the vectors; see [`Fingerprint`].
    fn fingerprint(&self) -> &Fingerprint;

    /// One row per text, in the order given, `fingerprint().dimension` columns, L2-normalised. A row does not
    /// depend on the other texts of the call (cosine to the row encoded alone at least 0.99999). Text beyond the
    /// model's limit is cut.
    fn encode(&self, texts: &[&str], role: Role) -> Result<Matrix, EncodeError>;

    /// Tokens the model sees for `text` in `role`, prompt and special tokens included, before any cut.
    fn count_tokens(&self, text: &str, role: Role) -> Result<usize, EncodeError>;

    /// The longest prefix of `text` (no prompt, no special tokens) of at most `max_tokens` tokens, ending at a
    /// token's end and a character boundary.
    fn fit<'a>(&self, text: &'a str, max_tokens: usize) -> Result<&'a str, EncodeError>;
}
