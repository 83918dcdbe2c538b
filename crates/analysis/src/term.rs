/// What a term is in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TermKind {
    /// A whole word: Hanzi (`精华`), letters (`chando`), or both (`a醇`, `spf50+`).
    Word,
    /// A word inside a longer one: `精华` of `精华液`.
    SubWord,
    /// A whole model number, without hyphens: `wh1000xm5`.
    Code,
    /// A part of a [`Code`](Self::Code), a size, or a word joined by hyphens: `1000xm5`, `ml`.
    Part,
    /// A number, a share or a size: `50`, `0.1%`, `50ml`, `5片`.
    Number,
}

/// One entry of the full-text index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The word in normal form.
    pub text: String,
    /// Number of the place in the text, from 0. Parts stand at the place of their whole, after it.
    pub position: u32,
    /// What it is.
    pub kind: TermKind,
}

/// Collects the terms of one text.
#[derive(Default)]
pub(crate) struct Terms {
    list: Vec<Term>,
    position: u32,
    /// Index in `list` of the first term at the current place.
    first: usize,
}

impl Terms {
    /// Opens the next place with its whole.
    pub(crate) fn whole(&mut self, text: impl Into<String>, kind: TermKind) {
        if !self.list.is_empty() {
            self.position += 1;
        }
        self.first = self.list.len();
        self.list.push(Term { text: text.into(), position: self.position, kind });
    }

    /// Adds a part at the current place, once.
    pub(crate) fn part(&mut self, text: &str, kind: TermKind) {
        if !text.is_empty() && !self.list[self.first..].iter().any(|t| t.text == text) {
            self.list.push(Term { text: text.into(), position: self.position, kind });
        }
    }

    pub(crate) fn into_list(self) -> Vec<Term> {
        self.list
    }
}
