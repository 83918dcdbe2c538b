use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use xunpin_analysis::{Analyzer, MAX_WORD_CHARS, is_hanzi, normalize};
use xunpin_core::{AttributeValue, Product};

use crate::schema::brand_names;

/// Name of the file in an index's folder.
pub(crate) const FILE: &str = "dictionary.txt";
const HEADER: &str = "xunpin-dictionary 1";
/// Most words taken from a catalogue, the most frequent first; opening an index costs about 5 µs a word.
const MAX_WORDS: usize = 100_000;
/// Products a word must occur in, unless it is a brand; a word of one product is more often a phrase.
const MIN_PRODUCTS: u32 = 2;

/// The words a catalogue adds to those the analyser knows. An index is built with one dictionary and keeps it until it is
/// built again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionary {
    words: Vec<String>,
    products: usize,
}

impl Dictionary {
    /// The words of a catalogue: its brands (`Lumivra/露弥芙` are two), and of the attribute values, category steps and
    /// tags those that stand in at least two products. Only words with Hanzi of 2 to 12 characters count; of more than
    /// 100,000 the most frequent are taken, ties by the word.
    pub fn of<P: Borrow<Product>>(products: impl IntoIterator<Item = P>) -> Self {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        let mut brands: BTreeSet<String> = BTreeSet::new();
        let mut read = 0;
        for product in products {
            let product = product.borrow();
            read += 1;
            for name in product.brand.iter().flat_map(|brand| brand_names(brand)) {
                brands.extend(words_of(&name));
            }
            let values = product.attributes.values().flatten().filter_map(|value| match value {
                AttributeValue::Text(text) => Some(text),
                _ => None,
            });
            let here: BTreeSet<String> = values
                .chain(&product.category)
                .chain(&product.tags)
                .flat_map(|text| words_of(text).collect::<Vec<_>>())
                .collect();
            for word in here {
                *counts.entry(word).or_default() += 1;
            }
        }
        for brand in brands {
            *counts.entry(brand).or_default() += MIN_PRODUCTS;
        }
        let mut words: Vec<(String, u32)> = counts.into_iter().filter(|(_, n)| *n >= MIN_PRODUCTS).collect();
        // Stable, so equal counts stay sorted by word.
        words.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        words.truncate(MAX_WORDS);
        let mut words: Vec<String> = words.into_iter().map(|(word, _)| word).collect();
        words.sort();
        Self { words, products: read }
    }

    /// The words, sorted.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// How many products the words were taken from.
    pub fn products(&self) -> usize {
        self.products
    }

    /// The file's text.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("{HEADER} {}\n", self.products);
        for word in &self.words {
            text.push_str(word);
            text.push('\n');
        }
        text
    }

    /// Reads the file's text; `None` if it is none of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (header, words) = text.split_once('\n')?;
        let products = header.strip_prefix(HEADER)?.trim().parse().ok()?;
        Some(Self { words: words.lines().map(str::to_owned).collect(), products })
    }
}

/// What an open index keeps of its dictionary.
pub(crate) struct Words {
    /// Made when the first text is cut: unpacking jieba's own words takes longer than opening an index, and what only
    /// removes products or stores settings cuts none.
    pub(crate) analyzer: LazyLock<Analyzer, Box<dyn FnOnce() -> Analyzer + Send>>,
    /// How many products the words were taken from.
    pub(crate) products: usize,
    /// Length of the file.
    pub(crate) bytes: u64,
}

impl Words {
    /// `text` is the dictionary's.
    pub(crate) fn new(dictionary: Dictionary, text: &str) -> Self {
        let Dictionary { words, products } = dictionary;
        let make = move || Analyzer::new(words.iter().map(String::as_str));
        Self { analyzer: LazyLock::new(Box::new(make)), products, bytes: text.len() as u64 }
    }
}

/// The words of a short text that the analyser may take, in normal form: separators split it.
fn words_of(text: &str) -> impl Iterator<Item = String> {
    let text = normalize(text);
    let words: Vec<String> = text
        .split(|c: char| !(is_hanzi(c) || c.is_ascii_alphanumeric()))
        .filter(|w| (2..=MAX_WORD_CHARS).contains(&w.chars().count()) && w.chars().any(is_hanzi))
        .map(str::to_owned)
        .collect();
    words.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(brand: &str, values: &[&str], tags: &[&str]) -> Product {
        let mut product = Product::new("p", "t");
        product.brand = (!brand.is_empty()).then(|| brand.into());
        product
            .attributes
            .insert("功效".into(), values.iter().map(|v| AttributeValue::Text((*v).into())).collect());
        product.tags = tags.iter().map(|t| (*t).into()).collect();
        product
    }

    #[test]
    fn brands_and_what_occurs_twice() {
        let products = [
            product("Lumivra/露弥芙", &["敏感肌、油敏肌", "維生素Ｃ", "一次"], &["送礼", "送礼"]),
            product("", &["敏感肌", "维生素c", "适合敏感肌在秋冬季节使用的"], &["水", "50ml"]),
        ];
        let dictionary = Dictionary::of(&products);
        assert_eq!(dictionary.words(), ["敏感肌", "维生素c", "露弥芙"]);
        assert_eq!(dictionary.products(), 2);
        assert_eq!(dictionary, Dictionary::of(products.iter().rev()));
        assert_eq!(Dictionary::parse(&dictionary.to_text()), Some(dictionary));
        assert_eq!(Dictionary::parse("words\n"), None);
    }
}
