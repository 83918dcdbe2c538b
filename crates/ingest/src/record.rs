use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xunpin_core::Product;

/// What stands at one place of a catalogue.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every entry is the large variant")]
pub enum Entry {
    /// A product.
    Record(Record),
    /// Something that is not a usable product.
    Reject(Reject),
}

/// A product and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The product, validated.
    pub product: Product,
    /// The file; `<stdin>` for standard input.
    pub file: Arc<Path>,
    /// Physical line its record begins on, from 1, header counted; in Parquet the row, from 1.
    pub line: u64,
}

/// A line that is not a usable product, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// The file; `<stdin>` for standard input.
    #[serde(with = "path_text")]
    pub file: Arc<Path>,
    /// Physical line, from 1, header counted; in Parquet the row, from 1.
    pub line: u64,
    /// The product's id where it could be read: what else is known of that product is out of date, not gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The field at fault, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong and what is expected.
    pub problem: String,
    /// The line (in Parquet the row as JSON), at most 64 KiB.
    pub raw: String,
    /// False if `raw` was cut, or holds U+FFFD for bytes that are no text.
    pub raw_exact: bool,
}

/// Paths as text, with U+FFFD for what is none: a strange file name must not keep a reject from being written.
pub(crate) mod path_text {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(path: &Arc<Path>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&path.to_string_lossy())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Path>, D::Error> {
        PathBuf::deserialize(deserializer).map(Arc::from)
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        if let Some(field) = &self.field {
            write!(f, "field `{field}`: ")?;
        }
        f.write_str(&self.problem)
    }
}

/// What is wrong with a line, before file and line are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Problem {
    pub(crate) id: Option<String>,
    pub(crate) field: Option<String>,
    pub(crate) problem: String,
}

impl Problem {
    /// A fault of the line as a whole.
    pub(crate) fn line(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), ..Self::default() }
    }

    /// A fault of one field.
    pub(crate) fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { id: None, field: Some(field.into()), problem: problem.into() }
    }
}

/// The text of a line for people: `raw` and `raw_exact` of a [`Reject`].
pub(crate) struct Raw {
    pub(crate) text: String,
    pub(crate) exact: bool,
}

const MAX_RAW_BYTES: usize = 64 << 10;

impl Raw {
    pub(crate) fn new(mut text: String, mut exact: bool) -> Self {
        if text.len() > MAX_RAW_BYTES {
            text.truncate(text.floor_char_boundary(MAX_RAW_BYTES));
            exact = false;
        }
        Self { text, exact }
    }
}

/// One row of a file as its reader delivers it.
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) content: Result<Product, Box<Problem>>,
}

/// Why a reader stops before the end of its file.
pub(crate) type Stop = Box<dyn std::error::Error + Send + Sync>;

/// A reader of one format.
pub(crate) trait Rows: Send {
    /// The next row; `None` at the end.
    fn next_row(&mut self) -> Result<Option<Row>, Stop>;

    /// The text of the row that was delivered last.
    fn raw(&self) -> Raw;
}
