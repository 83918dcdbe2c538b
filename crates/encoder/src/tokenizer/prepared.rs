use std::cell::Cell;
use std::ops::Range;
use std::path::Path;

use super::added::{AddedTokens, Part, normal};
use super::blob::{BlobError, Header, NONE, Section, SharedBytes, sign, verify};
use super::merge::Merger;
use super::tables::{CharTable, PairTable};
use crate::ModelError;

/// A character of up to four bytes may become as many tokens, which are counted in 32 bits.
const LONGEST: usize = 1 << 30;

thread_local! {
    static MERGER: Cell<Merger> = Cell::default();
}

/// Byte pair encoding over characters with tokens for single bytes, as Gemma's `tokenizer.json` describes it, read
/// from the prepared form that [`build`](Self::build) makes. See [`blob`](super::blob) for the format.
pub(crate) struct PreparedBpe {
    bytes: SharedBytes,
    header: Header,
}

/// A text is too long to be split.
#[derive(Debug, thiserror::Error)]
#[error("the text has {bytes} bytes, more than the {LONGEST} that can be split; cut it")]
struct TooLong {
    bytes: usize,
}

impl PreparedBpe {
    /// The prepared form of the `tokenizer.json` that was read from `path`; `None` if this form does not cover what
    /// the file describes, whose tokenizer then stays with the `tokenizers` library.
    pub(crate) fn build(path: &Path, tokenizer_json: &[u8]) -> Result<Option<Vec<u8>>, ModelError> {
        super::build::build(path, tokenizer_json)
    }

    /// Opens a prepared form. Only the header is read; damage in the tables is left to [`verify`](Self::verify), and
    /// leads to wrong tokens at worst.
    pub(crate) fn open(bytes: SharedBytes) -> Result<Self, BlobError> {
        let header = Header::read(bytes.as_slice())?;
        Ok(Self { bytes, header })
    }

    /// `blob` with a head that [`open`](Self::open) takes, whatever the rest is; for fuzzing.
    pub(crate) fn with_right_head(mut blob: Vec<u8>) -> Vec<u8> {
        sign(&mut blob);
        blob
    }

    /// Reads everything and compares it with its checksum.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "model files that hold a prepared tokenizer will call it")
    )]
    pub(crate) fn verify(&self) -> Result<(), BlobError> {
        verify(self.bytes.as_slice())
    }

    /// Number of tokens that the model knows, added ones that it does not know left out.
    pub(super) fn tokens(&self) -> usize {
        self.header.tokens as usize
    }

    /// The token for the unknown.
    pub(super) fn unknown(&self) -> Option<u32> {
        Some(self.header.unknown).filter(|token| *token != NONE)
    }

    /// Tokens put before and after every text.
    pub(super) fn frame(&self) -> (Vec<u32>, Vec<u32>) {
        let section = self.header.section(self.bytes.as_slice(), Section::Frame);
        let mut before: Vec<u32> = section.as_chunks().0.iter().map(|id| u32::from_le_bytes(*id)).collect();
        let after = before.split_off(before.len().min(self.header.before as usize));
        (before, after)
    }

    /// Gives the tokens of `text` without its frame to `emit`, and the byte of `text` that each one ends at; tokens
    /// of single bytes end where their character does.
    pub(super) fn split(
        &self,
        text: &str,
        mut emit: impl FnMut(u32, usize),
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if text.len() > LONGEST {
            return Err(Box::new(TooLong { bytes: text.len() }));
        }
        let tables = Tables::new(self);
        let mut merger = MERGER.take();
        let mut normalized = |part: Part| match part {
            Part::Token { token, end } => emit(token, end),
            Part::Text(range) => tables.merge(text, range, &mut merger, &mut emit),
        };
        tables.raw.split(text, 0..text.len(), &mut |part| match part {
            Part::Token { .. } => normalized(part),
            Part::Text(range) => tables.normalized.split(text, range, &mut normalized),
        });
        MERGER.set(merger);
        Ok(())
    }
}

/// The sections of a blob, cut out once for a text.
struct Tables<'a> {
    replace: Option<(char, char)>,
    characters: CharTable<'a>,
    byte_tokens: &'a [[u8; 4]],
    merges: PairTable<'a>,
    raw: AddedTokens<'a>,
    normalized: AddedTokens<'a>,
}

impl<'a> Tables<'a> {
    fn new(prepared: &'a PreparedBpe) -> Self {
        let PreparedBpe { bytes, header } = prepared;
        let blob = bytes.as_slice();
        let section = |section| header.section(blob, section);
        let pairs = |section| PairTable::new(header.section(blob, section), header.probes);
        let raw = AddedTokens {
            trie: pairs(Section::RawAdded),
            lead: &header.raw_lead,
            records: section(Section::Added).as_chunks().0,
            depth: header.depth,
            replace: None,
        };
        let normalized = AddedTokens {
            trie: pairs(Section::NormalizedAdded),
            lead: &header.normalized_lead,
            replace: header.replace,
            ..raw
        };
        Self {
            replace: header.replace,
            characters: CharTable::new(section(Section::CharPages), section(Section::Chars)),
            byte_tokens: section(Section::ByteTokens).as_chunks().0,
            merges: pairs(Section::Merges),
            raw,
            normalized,
        }
    }

    /// The tokens of `text[range]`, which holds no added token.
    fn merge(&self, text: &str, range: Range<usize>, merger: &mut Merger, emit: &mut impl FnMut(u32, usize)) {
        let start = range.start;
        for (at, character) in text[range].char_indices() {
            let end = start + at + character.len_utf8();
            let character = normal(self.replace, character);
            if let Some(token) = self.characters.get(character) {
                merger.push(token, end);
                continue;
            }
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                let token =
                    self.byte_tokens.get(usize::from(byte)).map_or(NONE, |id| u32::from_le_bytes(*id));
                merger.push(token, end);
            }
        }
        merger.finish(&self.merges, emit);
    }
}
