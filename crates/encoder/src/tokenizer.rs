use std::path::Path;

use tokenizers::normalizers::{Lowercase, NormalizerWrapper, Sequence};
use tokenizers::{PostProcessor, Tokenizer, TruncationDirection};
use xunpin_core::EncodeError;
use xxhash_rust::xxh3::xxh3_128;

use crate::ModelError;

/// No tokenizer we know makes one token of more bytes than this, unless it is the unknown token for a run of anything;
/// what lies further out than the tokens asked for is not read at all, so that a text of megabytes costs no more than
/// one at the limit.
const BYTES_PER_TOKEN: usize = 256;

/// Splits texts into token ids as sentence-transformers does.
pub(crate) struct TextTokenizer {
    tokenizer: Tokenizer,
    /// Special tokens put around every text.
    special: usize,
    /// Longest input in tokens, special ones included.
    max_tokens: usize,
    /// Rows of the model's embedding table; ids from here on stand for `unknown`.
    vocabulary: usize,
    unknown: Option<u32>,
}

/// A tokenizer as read from its file, before the model's limits are known.
pub(crate) struct TokenizerFile {
    tokenizer: Tokenizer,
    path: std::path::PathBuf,
    /// Hash of the whole file, hex.
    pub(crate) hash: String,
}

impl TokenizerFile {
    /// Reads `tokenizer.json` of `folder`. Half a million merges take more than a second.
    pub(crate) fn read(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(|source| ModelError::from_io(&path, source))?;
        let unreadable = |source| ModelError::Tokenizer { path: path.clone(), source };
        let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(unreadable)?;
        // We cut ourselves and never pad, whatever the file was saved with.
        tokenizer.with_truncation(None).map_err(unreadable)?;
        tokenizer.with_padding(None);
        Ok(Self { hash: format!("{:032x}", xxh3_128(&bytes)), tokenizer, path })
    }

    /// Puts texts in lower case before anything else, as sentence-transformers does where a folder asks for it. Changes
    /// the hash, since it changes ids.
    pub(crate) fn lower_case(mut self) -> Result<Self, ModelError> {
        let rest = self.tokenizer.get_normalizer().cloned();
        let steps = std::iter::once(NormalizerWrapper::from(Lowercase)).chain(rest).collect();
        self.tokenizer
            .with_normalizer(Some(Sequence::new(steps)))
            .map_err(|source| ModelError::Tokenizer { path: self.path.clone(), source })?;
        self.hash = format!("{:032x}", xxh3_128(format!("{} lower case", self.hash).as_bytes()));
        Ok(self)
    }

    /// Fits the tokenizer to a model of `vocabulary` embeddings that takes `max_tokens` tokens.
    pub(crate) fn fit_to(self, vocabulary: usize, max_tokens: usize) -> Result<TextTokenizer, ModelError> {
        let Self { tokenizer, path, .. } = self;
        // Added tokens may lie beyond the table (EmbeddingGemma's `<image_soft_token>` does); learned ones may not.
        let tokens = tokenizer.get_vocab_size(false);
        if tokens > vocabulary {
            return Err(ModelError::Vocabulary { path, tokens, rows: vocabulary });
        }
        let special = tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
        if special >= max_tokens {
            let problem =
                format!("adds {special} tokens to every text, but the model takes only {max_tokens} in all");
            return Err(ModelError::Field { path, field: "post_processor".into(), problem });
        }
        let unknown = ["<unk>", "[UNK]", "<pad>"].iter().find_map(|token| tokenizer.token_to_id(token));
        let unknown = unknown.filter(|id| (*id as usize) < vocabulary);
        Ok(TextTokenizer { tokenizer, special, max_tokens, vocabulary, unknown })
    }
}

impl TextTokenizer {
    /// Ids of `text` with its special tokens, cut to the limit: what is cut is the end of the text, the special
    /// tokens stay. `row` is named in errors.
    pub(crate) fn ids(&self, text: &str, row: usize) -> Result<Vec<u32>, EncodeError> {
        let room = self.max_tokens - self.special;
        let failed = |source| EncodeError::Tokenize { row, source };
        let mut encoding = self.tokenizer.encode_fast(reach(text, room), false).map_err(failed)?;
        encoding.truncate(room, 0, TruncationDirection::Right);
        let encoding = self.tokenizer.post_process(encoding, None, true).map_err(failed)?;
        encoding.get_ids().iter().map(|id| self.known(*id, row)).collect()
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
        Ok(self.tokenizer.encode_fast(text, true).map_err(failed)?.len())
    }

    /// Number of tokens that `prompt` has at the head of a longer text: its own and the special ones before it.
    pub(crate) fn count_prompt(&self, prompt: &str) -> Result<usize, EncodeError> {
        if prompt.is_empty() {
            return Ok(0);
        }
        let failed = |source| EncodeError::Tokenize { row: 0, source };
        let encoding = self.tokenizer.encode_fast(prompt, true).map_err(failed)?;
        let closed = encoding.get_special_tokens_mask().last() == Some(&1);
        Ok(encoding.len() - usize::from(closed))
    }

    /// The longest prefix of `text` of at most `max_tokens` tokens; see [`xunpin_core::Encoder::fit`].
    pub(crate) fn fit<'a>(&self, text: &'a str, max_tokens: usize) -> Result<&'a str, EncodeError> {
        let failed = |source| EncodeError::Tokenize { row: 0, source };
        let head = reach(text, max_tokens);
        let encoding = self.tokenizer.encode(head, false).map_err(failed)?;
        if encoding.len() <= max_tokens {
            return Ok(head);
        }
        let mut keep = max_tokens;
        while keep > 0 {
            // Tokens of single bytes may end inside a character.
            let prefix = &head[..floor_char_boundary(head, encoding.get_offsets()[keep - 1].1)];
            // A prefix alone can split into other tokens than inside the text, and so into more.
            if self.tokenizer.encode_fast(prefix, false).map_err(failed)?.len() <= max_tokens {
                return Ok(prefix);
            }
            keep -= 1;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries() {
        assert_eq!([0, 1, 2, 3, 4, 9].map(|at| floor_char_boundary("面a", at)), [0, 0, 0, 3, 4, 4]);
        let long = "面".repeat(1000);
        assert_eq!(reach(&long, 1).len(), 510);
        assert_eq!(reach(&long, usize::MAX), long);
    }
}
