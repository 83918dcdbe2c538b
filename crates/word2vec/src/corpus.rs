use std::collections::HashMap;

/// Longest sentence in words; longer ones are cut into several.
const MAX_SENTENCE: usize = 1_000;

/// Sentences to train on, as numbers: 4 bytes an occurrence, 8 a sentence, and every distinct word once.
///
/// Blank words are dropped. At most 2^32 - 1 distinct words are told apart; further ones are dropped too.
///
/// ```
/// use xunpin_word2vec::Corpus;
///
/// let mut corpus = Corpus::new();
/// corpus.push(["补水", "面霜"]);
/// corpus.push("抗皱 面霜".split(' '));
/// assert_eq!((corpus.sentences(), corpus.words(), corpus.distinct()), (2, 4, 3));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Corpus {
    ids: HashMap<Box<str>, u32>,
    counts: Vec<u64>,
    tokens: Vec<u32>,
    /// End of each sentence in `tokens`.
    ends: Vec<usize>,
}

/// The words that a training keeps, most frequent first, then by word.
pub(crate) struct Vocabulary {
    pub(crate) words: Vec<String>,
    pub(crate) counts: Vec<u64>,
    /// From the corpus's number of a word to its row; [`DROPPED`](Self::DROPPED) for rare words.
    pub(crate) rows: Vec<u32>,
}

impl Vocabulary {
    pub(crate) const DROPPED: u32 = u32::MAX;
}

impl Corpus {
    /// An empty corpus.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sentence: a title, a query, a line of text, cut into words.
    pub fn push<I>(&mut self, sentence: I)
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut start = self.tokens.len();
        for word in sentence {
            let word = word.as_ref();
            if word.trim().is_empty() {
                continue;
            }
            let Some(id) = self.id(word) else { continue };
            self.counts[id as usize] += 1;
            self.tokens.push(id);
            if self.tokens.len() - start == MAX_SENTENCE {
                self.ends.push(self.tokens.len());
                start = self.tokens.len();
            }
        }
        if self.tokens.len() > start {
            self.ends.push(self.tokens.len());
        }
    }

    fn id(&mut self, word: &str) -> Option<u32> {
        if let Some(&id) = self.ids.get(word) {
            return Some(id);
        }
        let id = u32::try_from(self.counts.len()).ok().filter(|&id| id != Vocabulary::DROPPED)?;
        self.ids.insert(word.into(), id);
        self.counts.push(0);
        Some(id)
    }

    /// Sentences that hold a word.
    pub fn sentences(&self) -> usize {
        self.ends.len()
    }

    /// Occurrences of words.
    pub fn words(&self) -> u64 {
        self.tokens.len() as u64
    }

    /// Distinct words.
    pub fn distinct(&self) -> usize {
        self.counts.len()
    }

    /// How often `word` occurs.
    pub fn count(&self, word: &str) -> u64 {
        self.ids.get(word).map_or(0, |&id| self.counts[id as usize])
    }

    /// How many other words came before the first occurrence of `word`; none if it does not occur. So the words of the
    /// sentences that were pushed first are told from those that came later.
    pub fn first_seen(&self, word: &str) -> Option<usize> {
        self.ids.get(word).map(|&id| id as usize)
    }

    pub(crate) fn sentence(&self, at: usize) -> &[u32] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.tokens[start..self.ends[at]]
    }

    pub(crate) fn vocabulary(&self, min_count: u64) -> Vocabulary {
        let mut kept: Vec<(&str, u32)> = self
            .ids
            .iter()
            .filter(|(_, id)| self.counts[**id as usize] >= min_count)
            .map(|(word, &id)| (&**word, id))
            .collect();
        kept.sort_unstable_by(|a, b| {
            let count = |id: u32| self.counts[id as usize];
            count(b.1).cmp(&count(a.1)).then_with(|| a.0.cmp(b.0))
        });
        let mut rows = vec![Vocabulary::DROPPED; self.counts.len()];
        for (row, &(_, id)) in kept.iter().enumerate() {
            // There are at most as many rows as ids, which are u32.
            rows[id as usize] = row as u32;
        }
        Vocabulary {
            words: kept.iter().map(|(word, _)| (*word).to_owned()).collect(),
            counts: kept.iter().map(|(_, id)| self.counts[*id as usize]).collect(),
            rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_ordered_by_count_and_then_by_word() {
        let mut corpus = Corpus::new();
        corpus.push(["b", "a", " ", "c"]);
        corpus.push(["a", "", "b", "a"]);
        corpus.push([""; 3]);
        assert_eq!((corpus.sentences(), corpus.words(), corpus.distinct()), (2, 6, 3));
        let vocabulary = corpus.vocabulary(1);
        assert_eq!(
            (vocabulary.words, vocabulary.counts),
            (vec!["a".into(), "b".into(), "c".into()], vec![3, 2, 1])
        );
        assert_eq!(vocabulary.rows, [1, 0, 2]);
        let vocabulary = corpus.vocabulary(2);
        assert_eq!(vocabulary.words, ["a", "b"]);
        assert_eq!(vocabulary.rows[2], Vocabulary::DROPPED);
        assert_eq!((corpus.count("a"), corpus.count("z")), (3, 0));
        assert_eq!((corpus.first_seen("a"), corpus.first_seen("z")), (Some(1), None));
    }

    #[test]
    fn long_sentences_are_cut() {
        let mut corpus = Corpus::new();
        corpus.push(std::iter::repeat_n("a", 2 * MAX_SENTENCE + 1));
        assert_eq!((corpus.sentences(), corpus.sentence(2).len()), (3, 1));
        assert_eq!(corpus.sentence(1).len(), MAX_SENTENCE);
    }
}
