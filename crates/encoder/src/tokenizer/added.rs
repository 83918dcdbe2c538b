//! Added tokens: texts that are cut out before byte pair encoding, whatever stands around them.

use std::ops::Range;

use super::blob::NONE;
use super::tables::PairTable;

/// The token takes the white space before it.
pub(super) const LEFT_STRIP: u32 = 1;
/// The token takes the white space after it.
pub(super) const RIGHT_STRIP: u32 = 2;

/// Finds the added tokens of one kind, the leftmost first and of those that start together the longest.
#[derive(Clone, Copy)]
pub(super) struct AddedTokens<'a> {
    pub(super) trie: PairTable<'a>,
    /// Bytes that such a token may start with in the text.
    pub(super) lead: &'a [u8; 32],
    /// Token and flags of each added token.
    pub(super) records: &'a [[u8; 8]],
    /// Characters of the longest one: a damaged trie may have circles.
    pub(super) depth: u32,
    /// The character that reads as another one, for tokens found in normalized text.
    pub(super) replace: Option<(char, char)>,
}

/// A part of a text; the ranges and ends are in bytes of the text.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    Text(Range<usize>),
    Token { token: u32, end: usize },
}

impl AddedTokens<'_> {
    /// Cuts `text[within]` at the added tokens and gives the parts to `each` in order.
    pub(super) fn split(&self, text: &str, within: Range<usize>, each: &mut impl FnMut(Part)) {
        let Range { start: mut done, end } = within;
        let mut at = done;
        while let Some((start, stop, record)) = self.find(text, at..end) {
            at = stop;
            let [token, flags] = unpack(record);
            let (mut from, mut to) = (start, stop);
            if flags & LEFT_STRIP != 0 {
                let before = text[within.start..start].trim_end_matches(|c| self.is_space(c));
                // Not what the token before has taken.
                from = done.max(within.start + before.len());
            }
            if flags & RIGHT_STRIP != 0 {
                to = end - text[stop..end].trim_start_matches(|c| self.is_space(c)).len();
            }
            if done < from {
                each(Part::Text(done..from));
            }
            // A token of white space that the one before has taken is none.
            if from < to {
                each(Part::Token { token, end: to });
                done = to;
            }
        }
        if done < end {
            each(Part::Text(done..end));
        }
    }

    /// The next added token in `text[within]`: where it starts and ends, and its record.
    fn find(&self, text: &str, within: Range<usize>) -> Option<(usize, usize, &[u8; 8])> {
        let Range { start: mut at, end } = within;
        loop {
            at += text.as_bytes()[at..end].iter().position(|byte| self.may_start_with(*byte))?;
            if let Some((stop, record)) = self.longest_at(text, at..end) {
                return Some((at, stop, record));
            }
            at += text[at..end].chars().next().map_or(1, char::len_utf8);
        }
    }

    /// The longest added token that `text[within]` starts with.
    fn longest_at(&self, text: &str, within: Range<usize>) -> Option<(usize, &[u8; 8])> {
        let (mut node, mut found) = (0, None);
        let start = within.start;
        for (at, character) in text[within].char_indices().take(self.depth as usize) {
            let Some((next, added)) = self.trie.get(node, self.normal(character).into()) else {
                break;
            };
            if added != NONE {
                found = Some((start + at + character.len_utf8(), added));
            }
            node = next;
        }
        found.and_then(|(stop, added)| Some((stop, self.records.get(added as usize)?)))
    }

    fn may_start_with(&self, byte: u8) -> bool {
        self.lead[usize::from(byte / 8)] >> (byte % 8) & 1 == 1
    }

    fn is_space(&self, character: char) -> bool {
        self.normal(character).is_whitespace()
    }

    fn normal(&self, character: char) -> char {
        normal(self.replace, character)
    }
}

/// What `character` becomes under `replace`.
pub(super) fn normal(replace: Option<(char, char)>, character: char) -> char {
    match replace {
        Some((from, to)) if from == character => to,
        _ => character,
    }
}

/// Token and flags of a record.
fn unpack(record: &[u8; 8]) -> [u32; 2] {
    let number = u64::from_le_bytes(*record);
    [number as u32, (number >> 32) as u32]
}
