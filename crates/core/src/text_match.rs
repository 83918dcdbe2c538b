use serde::{Deserialize, Serialize};

use crate::DocId;

/// A product that holds words of a query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextMatch {
    /// The product.
    pub doc: DocId,
    /// Its BM25F score: not negative, comparable within one query.
    pub score: f32,
    /// The share of the query's idf mass that it holds, 0 to 1: 1 if it holds every word of the query. A word that no
    /// product holds counts as well, so what is missing from the whole catalogue shows.
    pub coverage: f32,
}

/// What a full-text search found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextMatches {
    /// Every product that holds at least one word of the query, by rising number.
    pub matches: Vec<TextMatch>,
    /// Different words that the query was cut into, those that ask and don't describe (`有没有`) left out.
    pub terms: usize,
    /// True if a word is a brand of the catalogue or has the form of a model number.
    pub names: bool,
}

impl TextMatches {
    /// The match of a product.
    pub fn get(&self, doc: DocId) -> Option<&TextMatch> {
        self.matches.binary_search_by_key(&doc, |m| m.doc).ok().map(|at| &self.matches[at])
    }
}

/// By what a query names a product outright, the most exact first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExactKind {
    /// The shop's id stands in the query.
    Id,
    /// A model number of the product stands in the query.
    ModelNumber,
    /// The whole query is the product's brand.
    Brand,
}

/// A product that a query names outright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExactMatch {
    /// The product.
    pub doc: DocId,
    /// By what.
    pub kind: ExactKind,
}
