use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use xunpin_core::{FieldValue, fold_text};

/// A distinct value of a field.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// A text.
    Text {
        /// As the shop wrote it, without white space at the ends.
        spelling: Box<str>,
        /// As texts are compared; `None` where that is the spelling itself.
        folded: Option<Box<str>>,
        /// It begins a category path: it is the first step, or several joined.
        path: bool,
    },
    /// A number, never minus zero.
    Number(f64),
    /// Yes or no.
    Bool(bool),
}

impl Entry {
    fn new(value: FieldValue<'_>, path: bool) -> Self {
        match value {
            FieldValue::Text(text) => {
                let spelling = text.trim();
                let folded = fold_text(spelling);
                let folded = (*folded != *spelling).then(|| folded.as_ref().into());
                Self::Text { spelling: spelling.into(), folded, path }
            }
            // Adding zero makes minus zero zero.
            FieldValue::Number(number) => Self::Number(number + 0.0),
            FieldValue::Bool(value) => Self::Bool(value),
        }
    }

    fn is(&self, value: FieldValue<'_>, path: bool) -> bool {
        match (self, value) {
            (Self::Text { spelling, path: held, .. }, FieldValue::Text(text)) => {
                **spelling == *text.trim() && *held == path
            }
            (Self::Number(held), FieldValue::Number(number)) => held.to_bits() == (number + 0.0).to_bits(),
            (Self::Bool(held), FieldValue::Bool(value)) => *held == value,
            _ => false,
        }
    }

    /// The value; a text as the shop wrote it.
    pub(crate) fn value(&self) -> FieldValue<'_> {
        match self {
            Self::Text { spelling, .. } => FieldValue::Text(spelling),
            Self::Number(number) => FieldValue::Number(*number),
            Self::Bool(value) => FieldValue::Bool(*value),
        }
    }

    /// The value; a text as texts are compared, which compares like the text itself and spares folding it.
    pub(crate) fn folded(&self) -> FieldValue<'_> {
        match self {
            Self::Text { folded: Some(folded), .. } => FieldValue::Text(folded),
            _ => self.value(),
        }
    }

    /// Whether it begins a category path.
    pub(crate) fn is_path(&self) -> bool {
        matches!(self, Self::Text { path: true, .. })
    }

    fn text_bytes(&self) -> usize {
        match self {
            Self::Text { spelling, folded, .. } => {
                spelling.len() + folded.as_ref().map_or(0, |text| text.len())
            }
            Self::Number(_) | Self::Bool(_) => 0,
        }
    }
}

fn hash(value: FieldValue<'_>, path: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        FieldValue::Text(text) => (0u8, path, text.trim()).hash(&mut hasher),
        FieldValue::Number(number) => (1u8, (number + 0.0).to_bits()).hash(&mut hasher),
        FieldValue::Bool(value) => (2u8, value).hash(&mut hasher),
    }
    hasher.finish()
}

/// Entries that were added together, and where to find them.
#[derive(Clone, Debug, Default)]
struct Layer {
    /// Code of the first entry.
    first: u32,
    entries: Vec<Entry>,
    /// Code by hash. An entry whose place is taken by another has the next free number after its hash.
    codes: HashMap<u64, u32>,
    text_bytes: usize,
}

impl Layer {
    fn find(&self, value: FieldValue<'_>, path: bool, mut hash: u64) -> Option<u32> {
        loop {
            let code = *self.codes.get(&hash)?;
            if self.entries[(code - self.first) as usize].is(value, path) {
                return Some(code);
            }
            hash = hash.wrapping_add(1);
        }
    }

    fn push(&mut self, entry: Entry, mut hash: u64) -> u32 {
        let code = self.first + self.entries.len() as u32;
        while self.codes.contains_key(&hash) {
            hash = hash.wrapping_add(1);
        }
        self.codes.insert(hash, code);
        self.text_bytes += entry.text_bytes();
        self.entries.push(entry);
        code
    }

    fn append(&mut self, other: &Self) {
        for entry in &other.entries {
            self.push(entry.clone(), hash(entry.value(), entry.is_path()));
        }
    }
}

/// The distinct values of a field, numbered from 0. A value keeps its number in every later dictionary made from
/// this one, which shares all but its newest entries with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dictionary {
    /// In the order of their codes. Each has more than twice the entries of the next, so they are few, and a value
    /// is copied a logarithmic number of times as commits add to the dictionary.
    layers: Vec<Arc<Layer>>,
}

impl Dictionary {
    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.first as usize + layer.entries.len())
    }

    /// Bytes of all texts.
    pub(crate) fn text_bytes(&self) -> usize {
        self.layers.iter().map(|layer| layer.text_bytes).sum()
    }

    /// The entry of a code that this dictionary or an earlier one gave.
    pub(crate) fn entry(&self, code: u32) -> &Entry {
        let at = self.layers.partition_point(|layer| layer.first <= code) - 1;
        let layer = &self.layers[at];
        &layer.entries[(code - layer.first) as usize]
    }

    /// The entries in the order of their codes.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.layers.iter().flat_map(|layer| &layer.entries)
    }

    /// Begins a dictionary that has these entries and more.
    pub(crate) fn writer(&self) -> DictionaryWriter {
        let first = self.len() as u32;
        DictionaryWriter { base: self.clone(), fresh: Layer { first, ..Layer::default() } }
    }
}

/// A dictionary that is being added to.
pub(crate) struct DictionaryWriter {
    base: Dictionary,
    fresh: Layer,
}

impl DictionaryWriter {
    /// The code of a value, given one if it is new. `path` tells whether it begins a category path.
    pub(crate) fn intern(&mut self, value: FieldValue<'_>, path: bool) -> u32 {
        let hash = hash(value, path);
        let mut layers = self.base.layers.iter().map(Arc::as_ref).chain([&self.fresh]);
        let known = layers.find_map(|layer| layer.find(value, path, hash));
        drop(layers);
        known.unwrap_or_else(|| self.fresh.push(Entry::new(value, path), hash))
    }

    /// Bytes of all texts so far.
    pub(crate) fn text_bytes(&self) -> usize {
        self.base.text_bytes() + self.fresh.text_bytes
    }

    /// The finished dictionary.
    pub(crate) fn finish(self) -> Dictionary {
        let Self { base: Dictionary { mut layers }, fresh } = self;
        if !fresh.entries.is_empty() {
            layers.push(Arc::new(fresh));
        }
        while let [.., large, small] = layers.as_slice()
            && large.entries.len() <= 2 * small.entries.len()
        {
            let mut merged = Layer::clone(large);
            merged.append(small);
            layers.truncate(layers.len() - 2);
            layers.push(Arc::new(merged));
        }
        Dictionary { layers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stay_through_many_additions() {
        let mut dictionary = Dictionary::default();
        let mut earlier = Vec::new();
        for round in 0..60u32 {
            let mut writer = dictionary.writer();
            for n in 0..=round % 7 {
                let code = writer.intern(FieldValue::Number(f64::from(round * 10 + n)), false);
                assert_eq!(writer.intern(FieldValue::Number(f64::from(round * 10 + n)), false), code);
                earlier.push((code, f64::from(round * 10 + n)));
            }
            dictionary = writer.finish();
            assert!(dictionary.layers.len() < 9);
        }
        assert_eq!(dictionary.len(), earlier.len());
        let mut writer = dictionary.writer();
        for (code, number) in earlier {
            assert_eq!(dictionary.entry(code).value(), FieldValue::Number(number));
            assert_eq!(writer.intern(FieldValue::Number(number), false), code);
        }
    }

    #[test]
    fn spellings_are_kept_apart_and_share_a_folded_form() {
        let mut writer = Dictionary::default().writer();
        let codes =
            ["Lumivra", " Lumivra ", "LUMIVRA"].map(|text| writer.intern(FieldValue::Text(text), false));
        assert_eq!(codes, [0, 0, 1]);
        assert_eq!(writer.intern(FieldValue::Text("Lumivra"), true), 2);
        assert_eq!(
            writer.intern(FieldValue::Number(-0.0), false),
            writer.intern(FieldValue::Number(0.0), false)
        );
        let dictionary = writer.finish();
        assert_eq!(dictionary.entry(1).value(), FieldValue::Text("LUMIVRA"));
        assert_eq!(dictionary.entry(1).folded(), FieldValue::Text("lumivra"));
        assert_eq!(dictionary.text_bytes(), 3 * 14);
    }
}
