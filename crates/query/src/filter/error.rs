use std::fmt;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};
use xunpin_core::Field;

/// Columns of a terminal that are shown before and after the position of an error.
const SHOWN_BEFORE: usize = 50;
const SHOWN_AFTER: usize = 25;

/// What is wrong with a filter; whoever wrote the filter can mend each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterProblem {
    /// There is no filter.
    #[error("empty; write a comparison such as price <= 300, or leave the filter out")]
    Empty,
    /// The filter is too long.
    #[error("{length} characters long; at most {limit} are read")]
    TooLong {
        /// Characters it has.
        length: usize,
        /// Characters it may have.
        limit: usize,
    },
    /// Parentheses and negations are too deep within one another.
    #[error("more than {limit} parentheses and `not` within one another")]
    TooDeep {
        /// How deep they may be.
        limit: usize,
    },
    /// A character that means nothing outside quotes.
    #[error("`{character}` has no meaning here; put names in backticks and values in quotes")]
    UnexpectedCharacter {
        /// The character.
        character: char,
    },
    /// A quote or backtick is never closed.
    #[error("{quote} is not closed by {closing}")]
    UnclosedQuote {
        /// How it was opened.
        quote: char,
        /// What would close it.
        closing: char,
    },
    /// A backslash is followed by something that has no such form.
    #[error(
        "\\{character} is not known; in quotes write \\\\ for a backslash, \\\" for a quote, \\n for a new line"
    )]
    UnknownEscape {
        /// The character after the backslash.
        character: char,
    },
    /// Something else should stand here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What should stand here.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// A field that holds numbers is compared with something else.
    #[error("{field} holds numbers: expected a number such as 300, without quotes or unit, found {found}")]
    NeedsNumber {
        /// The field.
        field: Field,
        /// What was found.
        found: String,
    },
    /// `contains` on a field that holds numbers.
    #[error("{field} holds numbers, which contain no text; use = < <= > >= or in")]
    ContainsOnNumber {
        /// The field.
        field: Field,
    },
    /// An ordering of a field that holds text without order.
    #[error("{field} holds text, which has no order; use = != in or contains")]
    NotOrdered {
        /// The field.
        field: Field,
    },
    /// An ordering against `true` or `false`.
    #[error("true and false have no order; use = or !=")]
    BoolNotOrdered,
}

/// A filter that could not be read: the problem and where it is. Displays as the problem, then the text with a
/// caret under the position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FilterError {
    text: String,
    problem: FilterProblem,
    start: usize,
    end: usize,
}

impl FilterError {
    /// An error at the bytes `start..end` of `text`, both on character boundaries.
    pub(super) fn new(text: &str, problem: FilterProblem, start: usize, end: usize) -> Self {
        // A text over the limit is not worth keeping, and no position in it is meant.
        let kept = if matches!(problem, FilterProblem::TooLong { .. }) { "" } else { text };
        let start = start.min(kept.len());
        Self { text: kept.to_owned(), problem, start, end: end.clamp(start, kept.len()) }
    }

    /// What is wrong.
    pub fn problem(&self) -> &FilterProblem {
        &self.problem
    }

    /// Where it starts, in bytes from 0.
    pub fn offset(&self) -> usize {
        self.start
    }

    /// Where it starts, in characters from 1.
    pub fn column(&self) -> usize {
        self.text[..self.start].chars().count() + 1
    }

    /// The line around the position, and the line with the caret.
    fn excerpt(&self) -> (String, String) {
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        let width = |c: char| c.width().unwrap_or(0);

        let mut before: Vec<char> = Vec::new();
        let mut columns = 0;
        for c in self.text[..self.start].chars().rev().map(printable) {
            columns += width(c);
            if columns > SHOWN_BEFORE {
                before.push('…');
                break;
            }
            before.push(c);
        }
        let before: String = before.into_iter().rev().collect();

        let mut marked = String::new();
        let mut after = String::new();
        columns = 0;
        for (at, c) in self.text[self.start..].char_indices() {
            let c = printable(c);
            columns += width(c);
            if columns > SHOWN_AFTER {
                after.push('…');
                break;
            }
            if self.start + at < self.end { marked.push(c) } else { after.push(c) }
        }
        let carets = format!("{}{}", " ".repeat(before.width()), "^".repeat(marked.width().max(1)));
        (format!("{before}{marked}{after}"), carets)
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.problem, FilterProblem::Empty | FilterProblem::TooLong { .. }) {
            return write!(f, "filter: {}", self.problem);
        }
        let (line, carets) = self.excerpt();
        write!(f, "filter, column {}: {}\n  {line}\n  {carets}", self.column(), self.problem)
    }
}
