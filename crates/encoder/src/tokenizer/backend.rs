use std::error::Error;
use std::path::Path;

use tokenizers::{Encoding, Token, Tokenizer};

use super::prepared::PreparedBpe;
use crate::ModelError;

/// What a tokenizer may say went wrong.
pub(super) type Problem = Box<dyn Error + Send + Sync>;

/// What splits texts; special tokens around them are not its business.
pub(super) enum Backend {
    /// Any `tokenizer.json`, parsed.
    Library(Box<Tokenizer>),
    /// The prepared form of one.
    Prepared(Box<PreparedBpe>),
}

impl Backend {
    /// Number of tokens the model knows, added ones that it does not know left out.
    pub(super) fn tokens(&self) -> usize {
        match self {
            Self::Library(tokenizer) => tokenizer.get_vocab_size(false),
            Self::Prepared(prepared) => prepared.tokens(),
        }
    }

    /// The token for the unknown.
    pub(super) fn unknown(&self) -> Option<u32> {
        match self {
            Self::Library(tokenizer) => unknown(tokenizer),
            Self::Prepared(prepared) => prepared.unknown(),
        }
    }

    /// Special tokens put before and after every text; `None` if the tokenizer does something else to a text.
    pub(super) fn frame(&self) -> Option<(Vec<u32>, Vec<u32>)> {
        match self {
            Self::Library(tokenizer) => frame(tokenizer),
            Self::Prepared(prepared) => Some(prepared.frame()),
        }
    }

    /// The tokens of `text`.
    pub(super) fn ids(&self, text: &str) -> Result<Vec<u32>, Problem> {
        match self {
            Self::Library(tokenizer) => Ok(tokenizer.encode_fast(text, false)?.get_ids().to_vec()),
            Self::Prepared(prepared) => {
                let mut ids = Vec::with_capacity(text.len() / 4 + 1);
                prepared.split(text, |id, _| ids.push(id))?;
                Ok(ids)
            }
        }
    }

    /// Number of tokens of `text`.
    pub(super) fn count(&self, text: &str) -> Result<usize, Problem> {
        match self {
            Self::Library(tokenizer) => Ok(tokenizer.encode_fast(text, false)?.len()),
            Self::Prepared(prepared) => {
                let mut count = 0;
                prepared.split(text, |_, _| count += 1)?;
                Ok(count)
            }
        }
    }

    /// The byte of `text` that each of its tokens ends at.
    pub(super) fn ends(&self, text: &str) -> Result<Vec<usize>, Problem> {
        match self {
            Self::Library(tokenizer) => {
                let encoding = tokenizer.encode(text, false)?;
                Ok(encoding.get_offsets().iter().map(|(_, end)| *end).collect())
            }
            Self::Prepared(prepared) => {
                let mut ends = Vec::new();
                prepared.split(text, |_, end| ends.push(end))?;
                Ok(ends)
            }
        }
    }
}

/// The tokenizer that the bytes of `path` describe. It neither cuts nor pads, whatever it was saved with.
pub(super) fn parse(path: &Path, tokenizer_json: &[u8]) -> Result<Tokenizer, ModelError> {
    let unreadable = |source| ModelError::Tokenizer { path: path.to_owned(), source };
    let mut tokenizer = Tokenizer::from_bytes(tokenizer_json).map_err(unreadable)?;
    tokenizer.with_truncation(None).map_err(unreadable)?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

/// The tokens that `tokenizer` puts before and after every text; `None` if it does something else to a text.
pub(super) fn frame(tokenizer: &Tokenizer) -> Option<(Vec<u32>, Vec<u32>)> {
    // A token that no tokenizer has marks the text's place.
    const MARK: u32 = u32::MAX;
    let marked = Encoding::from_tokens(vec![Token::new(MARK, String::new(), (0, 0))], 0);
    let framed = tokenizer.post_process(marked, None, true).ok()?;
    let mut parts = framed.get_ids().split(|id| *id == MARK);
    let (before, after) = (parts.next()?.to_vec(), parts.next()?.to_vec());
    parts.next().is_none().then_some((before, after))
}

/// The token of `tokenizer` for the unknown.
pub(super) fn unknown(tokenizer: &Tokenizer) -> Option<u32> {
    ["<unk>", "[UNK]", "<pad>"].iter().find_map(|token| tokenizer.token_to_id(token))
}
