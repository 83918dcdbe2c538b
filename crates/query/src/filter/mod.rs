//! The filter grammar.
//!
//! ```text
//! filter     = all { OR all }
//! all        = term { AND term }
//! term       = NOT term | "(" filter ")" | "exists" field | "true" | "false" | comparison
//! comparison = field operator value
//!            | field [ NOT ] "in" "(" value { "," value } ")"
//!            | field [ NOT ] "contains" value
//!            | field [ NOT ] "exists"
//! operator   = "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">="
//! field      = word | "`" characters "`"
//! value      = word | quoted text
//! AND        = "and" | "&&"      OR = "or" | "||"      NOT = "not" | "!"
//! word       = one or more letters, digits and _ . - / : % + ·
//! ```
//!
//! Words are cut by [`lexer`], the tree is built by [`parser`] and written back by [`format`](mod@format). The
//! tree keeps the parentheses of the text: `a and (b and c)` is not the tree of `a and b and c`, though it means
//! the same. `!=`, `not in` and `not contains` are the negations of `=`, `in` and `contains`; `in` is an `or` of
//! equalities; `true` and `false` are an `and` and an `or` of nothing.

mod error;
mod format;
mod lexer;
mod parser;

use std::borrow::Cow;

use xunpin_core::Field;

pub use error::{FilterError, FilterProblem};
pub use format::format_filter;
pub use parser::{MAX_FILTER_CHARS, MAX_FILTER_DEPTH, parse_filter};

/// Words that are no field or value unless quoted.
const KEYWORDS: [&str; 8] = ["and", "or", "not", "in", "contains", "exists", "true", "false"];

/// Before a name, makes it an attribute's even where a standard field has that name.
const ATTRIBUTE_PREFIX: &str = "attributes.";

/// The field that a name in a filter means.
fn field_from(name: &str) -> Field {
    if let Some((prefix, rest)) = name.split_at_checked(ATTRIBUTE_PREFIX.len())
        && prefix.eq_ignore_ascii_case(ATTRIBUTE_PREFIX)
        && !rest.is_empty()
    {
        return Field::Named(rest.to_owned());
    }
    match Field::from_name(&narrow_text(name)) {
        Field::Named(_) => Field::Named(name.to_owned()),
        standard => standard,
    }
}

/// The ASCII form of a full-width character, as Chinese input methods give them; any other unchanged.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

/// [`narrow`] of every character.
pub(crate) fn narrow_text(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| narrow(c) == c) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().map(narrow).collect())
    }
}

/// The keyword that `word` is, if it is one.
fn keyword(word: &str) -> Option<&'static str> {
    KEYWORDS.into_iter().find(|keyword| narrow_text(word).eq_ignore_ascii_case(keyword))
}

/// Whether `c` can stand in a name or value without quotes.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(narrow(c), '_' | '.' | '-' | '/' | ':' | '%' | '+' | '·')
}
