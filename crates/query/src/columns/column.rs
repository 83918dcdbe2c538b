use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use xunpin_core::{DocId, DocSet, Field, FieldValue, Product};

use super::Popularity;
use super::dictionary::{Dictionary, DictionaryWriter, Entry};

/// Products of a chunk. A commit copies the chunks that it changes.
const CHUNK: usize = 4_096;
/// The code of no value.
const NONE: u32 = u32::MAX;
/// Unused entries that a dictionary may have before they are dropped, beside as many as it has used ones.
const SPARE_ENTRIES: usize = 1_024;

/// The codes of [`CHUNK`] products.
#[derive(Debug)]
enum Chunk {
    /// No product has more than one value: a code or [`NONE`] each.
    Single(Box<[u32]>),
    /// Those of product `i` are `codes[starts[i]..starts[i + 1]]`.
    Many { starts: Box<[u32]>, codes: Box<[u32]> },
}

impl Chunk {
    /// From pairs of product and code, products rising; `None` if there are none.
    fn new(pairs: &[(u32, u32)]) -> Option<Arc<Self>> {
        let place = |doc: u32| doc as usize % CHUNK;
        if pairs.is_empty() {
            return None;
        }
        if pairs.windows(2).all(|two| two[0].0 != two[1].0) {
            let mut codes = vec![NONE; CHUNK];
            pairs.iter().for_each(|(doc, code)| codes[place(*doc)] = *code);
            return Some(Arc::new(Self::Single(codes.into())));
        }
        let mut starts = vec![0; CHUNK + 1];
        pairs.iter().for_each(|(doc, _)| starts[place(*doc) + 1] += 1);
        for at in 0..CHUNK {
            starts[at + 1] += starts[at];
        }
        let codes = pairs.iter().map(|(_, code)| *code).collect();
        Some(Arc::new(Self::Many { starts: starts.into(), codes }))
    }

    fn codes(&self, place: usize) -> &[u32] {
        match self {
            Self::Single(codes) if codes[place] == NONE => &[],
            Self::Single(codes) => std::slice::from_ref(&codes[place]),
            Self::Many { starts, codes } => &codes[starts[place] as usize..starts[place + 1] as usize],
        }
    }
}

/// How much a column holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Tally {
    products: usize,
    values: usize,
    numbers: usize,
    bools: usize,
}

impl Tally {
    fn of<'a>(entries: impl Iterator<Item = &'a Entry>) -> Self {
        let mut tally = Self::default();
        for entry in entries {
            tally.products = 1;
            tally.values += 1;
            tally.numbers += usize::from(matches!(entry, Entry::Number(_)));
            tally.bools += usize::from(matches!(entry, Entry::Bool(_)));
        }
        tally
    }

    fn combine(&mut self, other: Self, with: fn(usize, usize) -> usize) {
        self.products = with(self.products, other.products);
        self.values = with(self.values, other.values);
        self.numbers = with(self.numbers, other.numbers);
        self.bools = with(self.bools, other.bools);
    }
}

/// The values of one field, by product. Each distinct value is kept once and products hold its number, so that a
/// comparison is evaluated once per distinct value: four bytes a product where no product has several values.
#[derive(Clone, Debug)]
pub struct Column {
    field: Field,
    dictionary: Dictionary,
    /// Product `d` is in chunk `d / CHUNK`; `None` where the chunk has no values.
    chunks: Vec<Option<Arc<Chunk>>>,
    tally: Tally,
    /// Made at its first use.
    popularity: OnceLock<Popularity>,
}

impl Column {
    /// The percentile of the product's number; see [`Popularity::of`].
    pub fn popularity(&self, doc: DocId) -> f32 {
        self.popularity.get_or_init(|| Popularity::new(self)).of(self, doc)
    }

    /// The field.
    pub fn field(&self) -> &Field {
        &self.field
    }

    /// How many products have a value.
    pub fn products(&self) -> usize {
        self.tally.products
    }

    /// The product's values in its own order, texts without white space at the ends; nothing where it has none.
    pub fn values(&self, doc: DocId) -> impl Iterator<Item = FieldValue<'_>> {
        self.entries(doc).map(Entry::value)
    }

    /// The products that have a value, in rising order.
    pub fn docs(&self) -> impl Iterator<Item = DocId> {
        (0..self.chunks.len()).flat_map(|at| {
            let places = if self.chunks[at].is_some() { 0..CHUNK } else { 0..0 };
            let docs = places.map(move |place| DocId((at * CHUNK + place) as u32));
            docs.filter(|doc| !self.codes(*doc).is_empty())
        })
    }

    /// The column after a commit: each product of `changed` has the values of its new form, or none if that is
    /// `None`. Of several forms of a product the last counts. What did not change is shared with this column.
    pub fn with_changes(&self, changed: &[(DocId, Option<&Product>)]) -> Self {
        let mut chunks_changed: BTreeMap<usize, BTreeMap<u32, Option<&Product>>> = BTreeMap::new();
        for (doc, product) in changed {
            chunks_changed.entry(doc.index() / CHUNK).or_default().insert(doc.0, *product);
        }
        let mut writer = self.dictionary.writer();
        let mut chunks = self.chunks.clone();
        let mut tally = self.tally;
        for (at, changes) in chunks_changed {
            let mut pairs: Vec<(u32, u32)> = Vec::with_capacity(CHUNK);
            for (doc, code) in self.pairs(at) {
                if !changes.contains_key(&doc) {
                    pairs.push((doc, code));
                }
            }
            for (&doc, product) in &changes {
                tally.combine(Tally::of(self.entries(DocId(doc))), usize::wrapping_sub);
                if let Some(product) = product {
                    tally.combine(
                        intern(&mut writer, &self.field, product, doc, &mut pairs),
                        usize::wrapping_add,
                    );
                }
            }
            // Stable: a product's values keep their order.
            pairs.sort_by_key(|(doc, _)| *doc);
            if chunks.len() <= at {
                chunks.resize(at + 1, None);
            }
            chunks[at] = Chunk::new(&pairs);
        }
        let column = Self {
            field: self.field.clone(),
            dictionary: writer.finish(),
            chunks,
            tally,
            popularity: OnceLock::new(),
        };
        if column.dictionary.len() > 2 * tally.values + SPARE_ENTRIES { column.compacted() } else { column }
    }

    /// The same without unused entries.
    fn compacted(&self) -> Self {
        let mut writer = Dictionary::default().writer();
        let mut codes = vec![NONE; self.dictionary.len()];
        let mut chunks = Vec::with_capacity(self.chunks.len());
        for at in 0..self.chunks.len() {
            let mut pairs: Vec<_> = self.pairs(at).collect();
            for (_, code) in &mut pairs {
                let new = &mut codes[*code as usize];
                if *new == NONE {
                    let entry = self.dictionary.entry(*code);
                    *new = writer.intern(entry.value(), entry.is_path());
                }
                *code = *new;
            }
            chunks.push(Chunk::new(&pairs));
        }
        Self {
            field: self.field.clone(),
            dictionary: writer.finish(),
            chunks,
            tally: self.tally,
            popularity: OnceLock::new(),
        }
    }

    /// Products and codes of a chunk, products rising.
    fn pairs(&self, at: usize) -> impl Iterator<Item = (u32, u32)> {
        let chunk = self.chunks.get(at).and_then(Option::as_ref);
        chunk.into_iter().flat_map(move |chunk| {
            (0..CHUNK).flat_map(move |place| {
                chunk.codes(place).iter().map(move |code| ((at * CHUNK + place) as u32, *code))
            })
        })
    }

    /// The numbers of the product's values in the dictionary.
    pub(crate) fn codes(&self, doc: DocId) -> &[u32] {
        match self.chunks.get(doc.index() / CHUNK) {
            Some(Some(chunk)) => chunk.codes(doc.index() % CHUNK),
            _ => &[],
        }
    }

    /// The product's values.
    pub(crate) fn entries(&self, doc: DocId) -> impl Iterator<Item = &Entry> {
        self.codes(doc).iter().map(|code| self.dictionary.entry(*code))
    }

    /// The distinct values.
    pub(crate) fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// Whether a product holds a number, and not only text that reads as one.
    pub(crate) fn has_numbers(&self) -> bool {
        self.tally.numbers > 0
    }

    /// Whether a product holds true or false, and not only text that reads as them.
    pub(crate) fn has_bools(&self) -> bool {
        self.tally.bools > 0
    }

    /// The products that have a value for which `test` holds. It sees each distinct value once, texts folded.
    pub(crate) fn docs_where(&self, test: impl Fn(FieldValue<'_>) -> bool) -> DocSet {
        let wanted: Vec<bool> = self.dictionary.entries().map(|entry| test(entry.folded())).collect();
        let mut words = vec![0u64; self.chunks.len() * CHUNK / 64];
        for (chunk, words) in self.chunks.iter().zip(words.chunks_mut(CHUNK / 64)) {
            match chunk.as_deref() {
                None => {}
                Some(Chunk::Single(codes)) => {
                    for (word, codes) in words.iter_mut().zip(codes.chunks(64)) {
                        for (bit, code) in codes.iter().enumerate() {
                            // `NONE` is past every entry.
                            let held = wanted.get(*code as usize).copied().unwrap_or(false);
                            *word |= u64::from(held) << bit;
                        }
                    }
                }
                Some(chunk) => {
                    for place in 0..CHUNK {
                        let held = chunk.codes(place).iter().any(|code| wanted[*code as usize]);
                        words[place / 64] |= u64::from(held) << (place % 64);
                    }
                }
            }
        }
        DocSet::from_words(words)
    }
}

/// Adds the codes of a product's values to `pairs`.
fn intern(
    writer: &mut DictionaryWriter,
    field: &Field,
    product: &Product,
    doc: u32,
    pairs: &mut Vec<(u32, u32)>,
) -> Tally {
    let mut tally = Tally::default();
    field.values(product, &mut |value| {
        // Of a category path come first its steps, then its beginnings of two steps and more.
        let path = *field == Field::Category && (tally.values == 0 || tally.values >= product.category.len());
        tally.products = 1;
        tally.values += 1;
        tally.numbers += usize::from(matches!(value, FieldValue::Number(_)));
        tally.bools += usize::from(matches!(value, FieldValue::Bool(_)));
        pairs.push((doc, writer.intern(value, path)));
    });
    tally
}

/// A column that is being read from products.
pub(super) struct ColumnBuilder {
    field: Field,
    writer: DictionaryWriter,
    pairs: Vec<(u32, u32)>,
    tally: Tally,
}

impl ColumnBuilder {
    pub(super) fn new(field: Field) -> Self {
        let writer = Dictionary::default().writer();
        Self { field, writer, pairs: Vec::new(), tally: Tally::default() }
    }

    pub(super) fn field(&self) -> &Field {
        &self.field
    }

    /// Adds a product, each once.
    pub(super) fn push(&mut self, doc: DocId, product: &Product) {
        let added = intern(&mut self.writer, &self.field, product, doc.0, &mut self.pairs);
        self.tally.combine(added, usize::wrapping_add);
    }

    /// Bytes of all texts so far.
    pub(super) fn text_bytes(&self) -> usize {
        self.writer.text_bytes()
    }

    pub(super) fn finish(self) -> Column {
        let Self { field, writer, mut pairs, tally } = self;
        if !pairs.is_sorted_by_key(|(doc, _)| *doc) {
            pairs.sort_by_key(|(doc, _)| *doc);
        }
        let mut chunks = Vec::new();
        for pairs in pairs.chunk_by(|a, b| a.0 as usize / CHUNK == b.0 as usize / CHUNK) {
            chunks.resize(pairs[0].0 as usize / CHUNK, None);
            chunks.push(Chunk::new(pairs));
        }
        Column { field, dictionary: writer.finish(), chunks, tally, popularity: OnceLock::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(tags: &[&str]) -> Product {
        Product { tags: tags.iter().map(|tag| tag.to_string()).collect(), ..Product::new("p", "t") }
    }

    fn texts(column: &Column, doc: u32) -> Vec<&str> {
        let text = |value| match value {
            FieldValue::Text(text) => text,
            other => panic!("{other:?}"),
        };
        column.values(DocId(doc)).map(text).collect()
    }

    #[test]
    fn chunks_with_one_and_with_several_values() {
        let mut builder = ColumnBuilder::new(Field::Tags);
        builder.push(DocId(20_000), &product(&["b", "a", "b"]));
        builder.push(DocId(3), &product(&["a"]));
        builder.push(DocId(4), &product(&[]));
        let column = builder.finish();
        assert_eq!(column.products(), 2);
        assert_eq!(texts(&column, 20_000), ["b", "a", "b"]);
        assert_eq!(texts(&column, 3), ["a"]);
        assert!(texts(&column, 4).is_empty() && texts(&column, u32::MAX).is_empty());
        assert!(matches!(column.chunks[0].as_deref(), Some(Chunk::Single(_))) && column.chunks[1].is_none());
        let docs =
            |wanted: &str| column.docs_where(|v| v == FieldValue::Text(wanted)).iter().collect::<Vec<_>>();
        assert_eq!(docs("a"), [DocId(3), DocId(20_000)]);
        assert_eq!(docs("b"), [DocId(20_000)]);
    }

    #[test]
    fn changes_leave_the_older_column_as_it_was() {
        let mut builder = ColumnBuilder::new(Field::Tags);
        (0..10).for_each(|doc| builder.push(DocId(doc), &product(&["old"])));
        let before = builder.finish();
        let new = product(&["new", "old"]);
        let after =
            before.with_changes(&[(DocId(2), None), (DocId(9_000), Some(&new)), (DocId(2), Some(&new))]);
        let gone = after.with_changes(&[(DocId(2), None), (DocId(77), None)]);
        assert_eq!((before.products(), after.products(), gone.products()), (10, 11, 10));
        assert_eq!((texts(&before, 2), texts(&after, 2)), (vec!["old"], vec!["new", "old"]));
        assert_eq!((texts(&after, 9_000), texts(&gone, 2)), (vec!["new", "old"], vec![]));
        assert_eq!(texts(&gone, 3), ["old"]);
    }

    #[test]
    fn values_that_nothing_uses_any_more_are_dropped() {
        let mut column = ColumnBuilder::new(Field::Tags).finish();
        for round in 0..50 {
            let tags: Vec<_> = (0..100).map(|n| format!("{round}-{n}")).collect();
            let product = Product { tags: tags.clone(), ..Product::new("p", "t") };
            column = column.with_changes(&[(DocId(5_000), Some(&product))]);
            assert_eq!(texts(&column, 5_000), tags);
            assert!(column.dictionary.len() <= 1_324);
        }
        assert_eq!(column.tally.values, 100);
    }
}
