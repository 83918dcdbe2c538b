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
#[derive(Clone, Debug, Default)]
pub struct DocSet {
    /// Words at the end may be zero.
    words: Vec<u64>,
    len: usize,
}

impl DocSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The set of a bitmap: bit `i` of word `w` stands for the id `64 w + i`.
    pub fn from_words(words: Vec<u64>) -> Self {
        let mut set = Self { words, len: 0 };
        set.recount();
        set
    }

    /// Adds every id of `other`.
    pub fn union_with(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
        self.recount();
    }

    /// Removes every id that is not in `other`.
    pub fn intersect_with(&mut self, other: &Self) {
        self.words.truncate(other.words.len());
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
        self.recount();
    }

    /// Removes every id of `other`.
    pub fn subtract(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
        self.recount();
    }

    fn recount(&mut self) {
        self.len = self.words.iter().map(|word| word.count_ones() as usize).sum();
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

    /// The ids of a range as a bitmap of its own: bit `i` of word `w` stands for the id `range.start + 64 w + i`.
    pub fn window(&self, range: std::ops::Range<u32>) -> Vec<u64> {
        self.window_of(range, |word| word)
    }

    /// The ids of a range that are not in the set, in the same form.
    pub fn window_absent(&self, range: std::ops::Range<u32>) -> Vec<u64> {
        self.window_of(range, |word| !word)
    }

    fn window_of(&self, range: std::ops::Range<u32>, change: impl Fn(u64) -> u64) -> Vec<u64> {
        let (from, shift) = (range.start as usize / 64, range.start % 64);
        let word = |at: usize| change(self.words.get(at).copied().unwrap_or(0));
        let mut words: Vec<u64> = (from..from + range.len().div_ceil(64))
            // In two steps, because a shift by 64 is none.
            .map(|at| word(at) >> shift | word(at + 1) << 1 << (63 - shift))
            .collect();
        if let Some(last) = words.last_mut().filter(|_| !range.len().is_multiple_of(64)) {
            *last &= (1 << (range.len() % 64)) - 1;
        }
        words
    }

    /// How many ids of a range the set holds.
    pub fn count_in(&self, range: std::ops::Range<u32>) -> usize {
        if self.is_empty() {
            return 0;
        }
        let (start, end) = (range.start as usize, (range.end as usize).min(self.words.len() * 64));
        if start >= end {
            return 0;
        }
        let words = &self.words[start / 64..end.div_ceil(64)];
        let whole: u32 = words.iter().map(|word| word.count_ones()).sum();
        // What the first and the last word hold outside the range.
        let before = words[0] & ((1u64 << (start % 64)) - 1);
        let after =
            if end.is_multiple_of(64) { 0 } else { words[words.len() - 1] & (u64::MAX << (end % 64)) };
        (whole - before.count_ones() - after.count_ones()) as usize
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

impl PartialEq for DocSet {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.words.iter().zip(&other.words).all(|(a, b)| a == b)
    }
}

impl Eq for DocSet {}

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

    #[test]
    fn members_of_a_range_are_counted() {
        let set: DocSet = [0, 3, 63, 64, 130, 191].into_iter().map(DocId).collect();
        for start in 0..200 {
            for end in [start, start + 1, start + 61, 64, 128, 192, 500] {
                let expected = set.iter().filter(|doc| (start..end).contains(&doc.0)).count();
                assert_eq!(set.count_in(start..end), expected, "{start}..{end}");
                let shifted = set.iter().filter(|doc| (start..end).contains(&doc.0));
                let window = DocSet::from_words(set.window(start..end));
                assert_eq!(window, shifted.map(|doc| DocId(doc.0 - start)).collect(), "{start}..{end}");
                let absent = (start..end).filter(|id| !set.contains(DocId(*id))).map(|id| DocId(id - start));
                let window = DocSet::from_words(set.window_absent(start..end));
                assert_eq!(window, absent.collect(), "{start}..{end}");
            }
        }
        assert_eq!(DocSet::new().count_in(0..10), 0);
    }

    #[test]
    fn set_operations() {
        let set = |ids: &[u32]| ids.iter().copied().map(DocId).collect::<DocSet>();
        let (small, large) = (set(&[1, 5, 63]), set(&[5, 64, 1_000]));
        for (a, b, union, both, only_a) in [
            (&small, &large, set(&[1, 5, 63, 64, 1_000]), set(&[5]), set(&[1, 63])),
            (&large, &small, set(&[1, 5, 63, 64, 1_000]), set(&[5]), set(&[64, 1_000])),
            (&small, &set(&[]), set(&[1, 5, 63]), set(&[]), set(&[1, 5, 63])),
        ] {
            let apply = |change: fn(&mut DocSet, &DocSet)| {
                let mut changed = a.clone();
                change(&mut changed, b);
                assert_eq!(changed.len(), changed.iter().count());
                changed
            };
            assert_eq!(apply(DocSet::union_with), union);
            assert_eq!(apply(DocSet::intersect_with), both);
            assert_eq!(apply(DocSet::subtract), only_a);
        }
        assert_eq!(DocSet::from_words(vec![0b10_0010 | 1 << 63, 0]), small);
    }

    #[test]
    fn equal_sets_are_equal_however_they_came_to_be() {
        let mut shrunk: DocSet = [3, 200].into_iter().map(DocId).collect();
        shrunk.remove(DocId(200));
        let fresh: DocSet = [DocId(3)].into_iter().collect();
        assert_eq!(shrunk, fresh);
        shrunk.insert(DocId(201));
        shrunk.remove(DocId(3));
        assert_ne!(shrunk, fresh);
    }
}
