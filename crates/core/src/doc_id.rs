use std::fmt;

use serde::{Deserialize, Serialize};

/// Internal number of one stored vector. Numbers are given in rising order and never used twice: a
/// product whose text changes gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DocId(pub u32);

impl DocId {
    /// The number as an array index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for DocId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A set of [`DocId`]s, one bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocSet {
    words: Vec<u64>,
    len: usize,
}

impl DocSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `id`; true if it was not there.
    pub fn insert(&mut self, id: DocId) -> bool {
        let (word, bit) = (id.index() / 64, 1u64 << (id.index() % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let added = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.len += usize::from(added);
        added
    }

    /// Removes `id`; true if it was there.
    pub fn remove(&mut self, id: DocId) -> bool {
        let (word, bit) = (id.index() / 64, 1u64 << (id.index() % 64));
        let removed = self.words.get(word).is_some_and(|w| w & bit != 0);
        if removed {
            self.words[word] &= !bit;
            self.len -= 1;
        }
        removed
    }

    /// True if `id` is in the set.
    pub fn contains(&self, id: DocId) -> bool {
        self.words.get(id.index() / 64).is_some_and(|w| w >> (id.index() % 64) & 1 == 1)
    }

    /// How many ids the set holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if the set holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The ids in rising order.
    pub fn iter(&self) -> impl Iterator<Item = DocId> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                (rest != 0).then(|| {
                    let bit = rest.trailing_zeros();
                    rest &= rest - 1;
                    DocId((at * 64) as u32 + bit)
                })
            })
        })
    }
}

impl FromIterator<DocId> for DocSet {
    fn from_iter<I: IntoIterator<Item = DocId>>(ids: I) -> Self {
        let mut set = Self::new();
        for id in ids {
            set.insert(id);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_counts_each_id_once_and_lists_them_in_order() {
        let mut set: DocSet = [200, 3, 64, 3].into_iter().map(DocId).collect();
        assert_eq!(set.len(), 3);
        assert!(set.contains(DocId(64)) && !set.contains(DocId(65)) && !set.contains(DocId(9_999)));
        assert_eq!(set.iter().map(|d| d.0).collect::<Vec<_>>(), [3, 64, 200]);
        assert!(set.remove(DocId(64)) && !set.remove(DocId(64)));
        assert_eq!(set.len(), 2);
    }
}
