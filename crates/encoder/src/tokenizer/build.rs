//! Makes the prepared form of a `tokenizer.json`.
//!
//! The file is read by the `tokenizers` library, so that whatever it makes of defaults, duplicates and the ids of
//! added tokens is taken over; only what the library keeps to itself is read here.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::BPE;
use tokenizers::processors::PostProcessorWrapper;
use tokenizers::{AddedToken, Tokenizer};

use super::added::{LEFT_STRIP, RIGHT_STRIP, normal};
use super::backend::{frame, parse, unknown};
use super::blob::{Header, NONE, write};
use super::tables::{CharTable, PairTable};
use crate::ModelError;

/// See [`PreparedBpe::build`](super::prepared::PreparedBpe::build).
pub(super) fn build(path: &Path, json: &[u8]) -> Result<Option<Vec<u8>>, ModelError> {
    let tokenizer = parse(path, json)?;
    // What the library can read and this can't is of another kind.
    Ok(serde_json::from_slice(json).ok().and_then(|file| prepare(&tokenizer, file)))
}

/// What is read of the file itself.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    merges: Vec<Merge>,
}

/// A pair, or both halves with a space between them in older files.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Line(String),
}

#[derive(Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
enum Normalizer {
    Replace { pattern: Pattern, content: String },
}

#[derive(Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
enum PreTokenizer {
    Split {
        pattern: Pattern,
        #[serde(rename = "behavior")]
        _behavior: Value,
        invert: bool,
    },
}

#[derive(Deserialize)]
enum Pattern {
    String(String),
}

/// `None` for what the prepared form does not cover.
fn prepare(tokenizer: &Tokenizer, file: File) -> Option<Vec<u8>> {
    let ModelWrapper::BPE(bpe) = tokenizer.get_model() else {
        return None;
    };
    let replace = replacement(file.normalizer)?;
    // Others change where tokens end.
    let only_frames = matches!(
        tokenizer.get_post_processor(),
        None | Some(PostProcessorWrapper::Template(_) | PostProcessorWrapper::Bert(_))
    );
    if !only_frames || !covers(bpe) || !never_splits(file.pre_tokenizer, replace)? {
        return None;
    }
    let vocabulary = tokenizer.get_vocab(false);
    // Tokens that share an id would make pairs ambiguous.
    let ids: HashSet<u32> = vocabulary.values().copied().collect();
    if ids.len() < vocabulary.len() || ids.contains(&NONE) {
        return None;
    }
    // With a token for every byte there are no unknown characters.
    let byte_token = |byte: u8| vocabulary.get(&format!("<0x{byte:02X}>")).copied();
    let byte_tokens = (0..=u8::MAX).map(byte_token).collect::<Option<Vec<u32>>>()?;
    let merges = merges(file.model.merges, &vocabulary, &byte_tokens)?;
    let added = Added::new(tokenizer, replace)?;
    let (before, after) = frame(tokenizer)?;

    let mut header = Header::new(vocabulary.len().try_into().ok()?, replace);
    let (merges, merges_probes) = PairTable::write(&merges);
    let (raw, raw_probes) = PairTable::write(&added.raw.edges());
    let (normalized, normalized_probes) = PairTable::write(&added.normalized.edges());
    header.unknown = unknown(tokenizer).unwrap_or(NONE);
    header.before = before.len().try_into().ok()?;
    header.probes = merges_probes.max(raw_probes).max(normalized_probes);
    header.depth = added.raw.depth.max(added.normalized.depth).try_into().ok()?;
    header.raw_lead = added.raw.lead;
    header.normalized_lead = added.normalized.lead;
    let (pages, characters) = CharTable::write(&single_characters(&vocabulary));
    let numbers = |numbers: Vec<u32>| numbers.into_iter().flat_map(u32::to_le_bytes).collect::<Vec<u8>>();
    let (byte_tokens, records) = (numbers(byte_tokens), numbers(added.records));
    let frame = numbers([before, after].concat());
    let contents =
        [&pages, &characters, &byte_tokens, &merges, &raw, &normalized, &records, &frame].map(Vec::as_slice);
    Some(write(&header, contents))
}

/// Whether the model works as the prepared form does.
fn covers(bpe: &BPE) -> bool {
    let empty = |affix: &Option<String>| affix.as_ref().is_none_or(String::is_empty);
    bpe.byte_fallback
        && !bpe.ignore_merges
        && bpe.dropout.is_none_or(|dropout| dropout == 0.0)
        && empty(&bpe.continuing_subword_prefix)
        && empty(&bpe.end_of_word_suffix)
}

/// The one character that the normalizer replaces by another one, if there is a normalizer.
fn replacement(normalizer: Value) -> Option<Option<(char, char)>> {
    if normalizer.is_null() {
        return Some(None);
    }
    let Normalizer::Replace { pattern: Pattern::String(pattern), content } =
        serde_json::from_value(normalizer).ok()?;
    Some(Some((single(&pattern)?, single(&content)?)))
}

/// Whether the pre-tokenizer looks for what the normalizer has left nothing of.
fn never_splits(pre_tokenizer: Value, replace: Option<(char, char)>) -> Option<bool> {
    if pre_tokenizer.is_null() {
        return Some(true);
    }
    let PreTokenizer::Split { pattern: Pattern::String(pattern), invert, .. } =
        serde_json::from_value(pre_tokenizer).ok()?;
    Some(!invert && replace.is_some_and(|(from, to)| from != to && single(&pattern) == Some(from)))
}

/// The only character of `text`.
fn single(text: &str) -> Option<char> {
    let mut characters = text.chars();
    characters.next().filter(|_| characters.next().is_none())
}

fn single_characters(vocabulary: &HashMap<String, u32>) -> BTreeMap<char, u32> {
    vocabulary.iter().filter_map(|(text, token)| Some((single(text)?, *token))).collect()
}

/// (left, right, rank, merged) of every merge, by rank. None of them may start from a byte's token: the text of all
/// others is the text they stand for, so a place in a text never offers two ways to the same token, between which
/// only the library's own bookkeeping would decide.
fn merges(
    merges: Vec<Merge>,
    vocabulary: &HashMap<String, u32>,
    byte_tokens: &[u32],
) -> Option<Vec<[u32; 4]>> {
    let bytes: HashSet<u32> = byte_tokens.iter().copied().collect();
    let mut entries = BTreeMap::new();
    let mut rank = 0;
    for merge in merges {
        let (left, right) = match &merge {
            Merge::Pair(left, right) => (left.as_str(), right.as_str()),
            Merge::Line(line) if line.starts_with("#version") => continue,
            Merge::Line(line) => line.split_once(' ')?,
        };
        let merged = *vocabulary.get(&[left, right].concat())?;
        let (left, right) = (*vocabulary.get(left)?, *vocabulary.get(right)?);
        if bytes.contains(&left) || bytes.contains(&right) || rank == NONE {
            return None;
        }
        // The last of equal pairs counts.
        entries.insert((left, right), (rank, merged));
        rank += 1;
    }
    let mut entries: Vec<_> =
        entries.into_iter().map(|((left, right), (rank, merged))| [left, right, rank, merged]).collect();
    entries.sort_unstable_by_key(|entry| entry[2]);
    Some(entries)
}

/// The added tokens, apart by what they are found in.
struct Added {
    /// Token and flags of each one.
    records: Vec<u32>,
    raw: Trie,
    normalized: Trie,
}

impl Added {
    fn new(tokenizer: &Tokenizer, replace: Option<(char, char)>) -> Option<Self> {
        let tokens: BTreeMap<u32, AddedToken> = tokenizer.get_added_tokens_decoder().into_iter().collect();
        let mut added = Self { records: Vec::new(), raw: Trie::default(), normalized: Trie::default() };
        for (at, (token, described)) in tokens.into_iter().enumerate() {
            // What belongs to a word is a question of Unicode tables that nothing else here needs.
            if described.single_word || token == NONE {
                return None;
            }
            let left = if described.lstrip { LEFT_STRIP } else { 0 };
            let right = if described.rstrip { RIGHT_STRIP } else { 0 };
            added.records.extend([token, left | right]);
            let at = at.try_into().ok()?;
            if described.normalized {
                let text = described.content.chars().map(|c| normal(replace, c));
                added.normalized.insert(text, replace, at)?;
            } else {
                added.raw.insert(described.content.chars(), None, at)?;
            }
        }
        Some(added)
    }
}

/// A trie of added tokens; node 0 is the root.
#[derive(Default)]
struct Trie {
    /// (node, character) to (next node, added token that ends there or `NONE`).
    edges: BTreeMap<(u32, u32), (u32, u32)>,
    /// Characters of the longest text.
    depth: usize,
    /// Bytes that the texts start with, as a set.
    lead: [u8; 32],
}

impl Trie {
    /// Adds a text that stands for the added token number `added`; `None` if it is empty or there already.
    fn insert(
        &mut self,
        text: impl Iterator<Item = char>,
        replace: Option<(char, char)>,
        added: u32,
    ) -> Option<()> {
        let (mut node, mut depth, mut last) = (0, 0, None);
        for character in text {
            if depth == 0 {
                self.starts_with(character);
                // Another character of the text may read as this one.
                replace.filter(|(_, to)| *to == character).inspect(|(from, _)| self.starts_with(*from));
            }
            depth += 1;
            let fresh = u32::try_from(self.edges.len() + 1).ok()?;
            let key = (node, character.into());
            node = self.edges.entry(key).or_insert((fresh, NONE)).0;
            last = Some(key);
        }
        self.depth = self.depth.max(depth);
        let ends = &mut self.edges.get_mut(&last?)?.1;
        (*ends == NONE).then(|| *ends = added)
    }

    fn starts_with(&mut self, character: char) {
        let byte = character.encode_utf8(&mut [0; 4]).as_bytes()[0];
        self.lead[usize::from(byte / 8)] |= 1 << (byte % 8);
    }

    fn edges(&self) -> Vec<[u32; 4]> {
        let edge =
            |(&(node, character), &(next, added)): (&(u32, u32), &(u32, u32))| [node, character, next, added];
        self.edges.iter().map(edge).collect()
    }
}
