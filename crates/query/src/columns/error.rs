use std::fmt;

use xunpin_core::{Field, Literal};

/// Why a field cannot be used as a request does. Whoever wrote the request can mend each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// Nothing stands where a field's name should.
    #[error("no field is named; name one, such as price or brand")]
    NoName,
    /// No product has a value for the field.
    #[error("no product has a field `{field}`{}", did_you_mean(near))]
    Unknown {
        /// The field.
        field: Field,
        /// Fields with names like it, the nearest first, at most three.
        near: Vec<String>,
    },
    /// The field is compared with a kind of value that no product has in it.
    #[error("`{field}` is compared with {wanted}, but holds only {}", list(holds))]
    WrongType {
        /// The field.
        field: Field,
        /// What it is compared with.
        wanted: ValueKind,
        /// What products have in it.
        holds: Vec<ValueKind>,
    },
    /// Products cannot be put in the order of the field.
    #[error("results can't be sorted by `{field}`; sort by price, stock, updated_at, brand or an attribute")]
    NotSortable {
        /// The field.
        field: Field,
    },
    /// The field's values cannot be counted.
    #[error(
        "`{field}` differs from product to product, so its values can't be counted; count brand, category, price, tags or an attribute"
    )]
    NotCountable {
        /// The field.
        field: Field,
    },
    /// No values, or too many, of the field were asked for.
    #[error("{got} values of `{field}` were asked for; ask for 1 to {limit}")]
    Values {
        /// The field.
        field: Field,
        /// The number asked for.
        got: usize,
        /// The highest number.
        limit: usize,
    },
    /// The field holds more different text than is kept in memory.
    #[error(
        "`{field}` holds too much different text to be counted, sorted or grouped by; choose a field with short values"
    )]
    NotHeld {
        /// The field.
        field: Field,
    },
}

/// The kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueKind {
    /// Text.
    Text,
    /// Numbers.
    Number,
    /// `true` and `false`.
    Bool,
}

impl From<&Literal> for ValueKind {
    fn from(literal: &Literal) -> Self {
        match literal {
            Literal::Text(_) => Self::Text,
            Literal::Number(_) => Self::Number,
            Literal::Bool(_) => Self::Bool,
        }
    }
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text (in quotes)",
            Self::Number => "numbers (without quotes)",
            Self::Bool => "true or false (without quotes)",
        })
    }
}

fn list(kinds: &[ValueKind]) -> String {
    kinds.iter().map(ValueKind::to_string).collect::<Vec<_>>().join(" and ")
}

fn did_you_mean(near: &[String]) -> String {
    match near.split_last() {
        None => "; names are written as in the catalogue".to_owned(),
        Some((only, [])) => format!("; did you mean `{only}`?"),
        Some((last, others)) => format!("; did you mean `{}` or `{last}`?", others.join("`, `")),
    }
}
