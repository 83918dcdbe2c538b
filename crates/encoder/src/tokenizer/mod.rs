//! From a text to token ids, as sentence-transformers does it.
//!
//! [`TokenizerFile`] is what a file gives, [`TextTokenizer`] the same fitted to a model. Limits, special tokens and
//! unknown ids are handled here once; how a text is split is the business of a `Backend`: the `tokenizers` library,
//! which parses any `tokenizer.json`, or [`PreparedBpe`], which reads the prepared form of Gemma's kind from a mapped
//! file without parsing anything.

mod added;
mod backend;
mod blob;
mod build;
mod merge;
mod prepared;
mod tables;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use tokenizers::normalizers::{Lowercase, NormalizerWrapper, Sequence};
use xunpin_core::EncodeError;
use xxhash_rust::xxh3::xxh3_128;

use self::backend::{Backend, parse};
pub(crate) use self::blob::SharedBytes;
pub(crate) use self::prepared::PreparedBpe;
use crate::ModelError;

/// No tokenizer we know makes one token of more bytes than this, unless it is the unknown token for a run of anything;
/// what lies further out than the tokens asked for is not read at all, so that a text of megabytes costs no more than
/// one at the limit.
const BYTES_PER_TOKEN: usize = 256;

/// Splits texts into token ids as sentence-transformers does.
pub(crate) struct TextTokenizer {
    backend: Backend,
    /// Special tokens put before every text.
    before: Vec<u32>,
    /// Special tokens put after every text.
    after: Vec<u32>,
    /// Longest input in tokens, special ones included.
    max_tokens: usize,
    /// Rows of the model's embedding table; ids from here on stand for `unknown`.
    vocabulary: usize,
    unknown: Option<u32>,
}

/// A tokenizer as read from its file, before the model's limits are known.
pub(crate) struct TokenizerFile {
    backend: Backend,
    path: PathBuf,
    /// Hash of the whole `tokenizer.json`, hex.
    pub(crate) hash: String,
}

impl TokenizerFile {
    /// Reads `tokenizer.json` of `folder`. Half a million merges take more than a second. With `lower_case`, texts are put
    /// in lower case before anything else, as sentence-transformers does where a folder asks for it; that changes ids,
    /// and so the hash.
    pub(crate) fn read(folder: &Path, lower_case: bool) -> Result<Self, ModelError> {
        let path = folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(|source| ModelError::from_io(&path, source))?;
        let mut tokenizer = parse(&path, &bytes)?;
        if lower_case {
            let rest = tokenizer.get_normalizer().cloned();
            let steps = std::iter::once(NormalizerWrapper::from(Lowercase)).chain(rest).collect();
            tokenizer
                .with_normalizer(Some(Sequence::new(steps)))
                .map_err(|source| ModelError::Tokenizer { path: path.clone(), source })?;
        }
        let hash = Self::hash_with(&bytes, lower_case);
        Ok(Self { backend: Backend::Library(Box::new(tokenizer)), hash, path })
    }

    /// Opens the prepared form of a tokenizer that lies in the file at `path`. `hash` is what
    /// [`hash_of`](Self::hash_of) gave for the `tokenizer.json` that it was made from.
    pub(crate) fn from_prepared(bytes: SharedBytes, hash: String, path: PathBuf) -> Result<Self, ModelError> {
        match PreparedBpe::open(bytes) {
            Ok(prepared) => Ok(Self { backend: Backend::Prepared(Box::new(prepared)), hash, path }),
            Err(source) => Err(ModelError::PreparedTokenizer { path, source: Box::new(source) }),
        }
    }

    /// The hash that [`read`](Self::read) gives, without parsing the file.
    pub(crate) fn hash_in(folder: &Path, lower_case: bool) -> Result<String, ModelError> {
        let path = folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(|source| ModelError::from_io(&path, source))?;
        Ok(Self::hash_with(&bytes, lower_case))
    }

    fn hash_with(tokenizer_json: &[u8], lower_case: bool) -> String {
        let hash = Self::hash_of(tokenizer_json);
        if lower_case { Self::hash_of(format!("{hash} lower case").as_bytes()) } else { hash }
    }

    /// The hash that tells one `tokenizer.json` from another.
    pub(crate) fn hash_of(tokenizer_json: &[u8]) -> String {
        format!("{:032x}", xxh3_128(tokenizer_json))
    }

    /// Fits the tokenizer to a model of `vocabulary` embeddings that takes `max_tokens` tokens.
    pub(crate) fn fit_to(self, vocabulary: usize, max_tokens: usize) -> Result<TextTokenizer, ModelError> {
        let Self { backend, path, .. } = self;
        // Added tokens may lie beyond the table (EmbeddingGemma's `<image_soft_token>` does); learned ones may not.
        let tokens = backend.tokens();
        if tokens > vocabulary {
            return Err(ModelError::Vocabulary { path, tokens, rows: vocabulary });
        }
        let field = "post_processor".to_owned();
        let Some((before, after)) = backend.frame() else {
            let problem = "does more to a text than putting tokens before and after it".to_owned();
            return Err(ModelError::Field { path, field, problem });
        };
        let special = before.len() + after.len();
        if special >= max_tokens {
            let problem =
                format!("adds {special} tokens to every text, but the model takes only {max_tokens} in all");
            return Err(ModelError::Field { path, field, problem });
        }
        let unknown = backend.unknown().filter(|id| (*id as usize) < vocabulary);
        Ok(TextTokenizer { backend, before, after, max_tokens, vocabulary, unknown })
    }
}

impl TextTokenizer {
    /// Ids of `text` with its special tokens, cut to the limit: what is cut is the end of the text, the special
    /// tokens stay. `row` is named in errors.
    pub(crate) fn ids(&self, text: &str, row: usize) -> Result<Vec<u32>, EncodeError> {
        let room = self.max_tokens - self.before.len() - self.after.len();
        let failed = |source| EncodeError::Tokenize { row, source };
        let ids = self.backend.ids(reach(text, room)).map_err(failed)?;
        let ids = self.before.iter().chain(ids.iter().take(room)).chain(&self.after);
        ids.map(|id| self.known(*id, row)).collect()
    }

    fn known(&self, id: u32, row: usize) -> Result<u32, EncodeError> {
        if (id as usize) < self.vocabulary {
            return Ok(id);
        }
        let problem =
            || format!("token {id} has no embedding and the tokenizer has no token for the unknown");
        self.unknown.ok_or_else(|| EncodeError::Tokenize { row, source: problem().into() })
    }

    /// Number of tokens of `text`, special ones included, without any cut.
    pub(crate) fn count(&self, text: &str) -> Result<usize, EncodeError> {
        let failed = |source| EncodeError::Tokenize { row: 0, source };
        Ok(self.before.len() + self.backend.count(text).map_err(failed)? + self.after.len())
    }

    /// Number of tokens that `prompt` has at the head of a longer text: its own and the special ones before it.
    pub(crate) fn count_prompt(&self, prompt: &str) -> Result<usize, EncodeError> {
        if prompt.is_empty() {
            return Ok(0);
        }
        let failed = |source| EncodeError::Tokenize { row: 0, source };
        Ok(self.before.len() + self.backend.count(prompt).map_err(failed)?)
    }

    /// The longest prefix of `text` of at most `max_tokens` tokens; see [`xunpin_core::Encoder::fit`].
    pub(crate) fn fit<'a>(&self, text: &'a str, max_tokens: usize) -> Result<&'a str, EncodeError> {
        let failed = |source| EncodeError::Tokenize { row: 0, source };
        let head = reach(text, max_tokens);
        let ends = self.backend.ends(head).map_err(failed)?;
        if ends.len() <= max_tokens {
            return Ok(head);
        }
        for end in ends[..max_tokens].iter().rev() {
            // Tokens of single bytes may end inside a character.
            let prefix = &head[..floor_char_boundary(head, *end)];
            // A prefix alone can split into other tokens than inside the text, and so into more.
            if self.backend.count(prefix).map_err(failed)? <= max_tokens {
                return Ok(prefix);
            }
        }
        Ok("")
    }
}

/// The part of `text` that its first `tokens` tokens can reach into.
fn reach(text: &str, tokens: usize) -> &str {
    &text[..floor_char_boundary(text, tokens.saturating_add(1).saturating_mul(BYTES_PER_TOKEN))]
}

/// The last character boundary at or before `at`, or the end of `text`.
fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
