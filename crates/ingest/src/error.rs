use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ProductField;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a catalogue cannot be read, or no further. Bad lines are not errors: see [`Reject`](crate::Reject).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The caller named a file that does not exist.
    #[error("{}: no such file", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The caller named a folder where files are expected.
    #[error("{} is a folder; name its files, for example '{}/*.jsonl'", path.display(), path.display())]
    IsFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The caller's glob matches no file.
    #[error("no file matches '{pattern}'")]
    NoMatch {
        /// The glob.
        pattern: String,
    },
    /// The caller's glob cannot be read as one.
    #[error("'{pattern}' is not a valid glob")]
    BadPattern {
        /// The glob.
        pattern: String,
        /// What is wrong with it.
        source: glob::PatternError,
    },
    /// The caller named no input at all.
    #[error("no catalogue was named; give files, globs or - for standard input")]
    NoInput,
    /// The file cannot be opened or read: most often its permissions, or a failing disk.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The format cannot be told from name and content; the caller has to say it.
    #[error("{}: the format cannot be told from its name or content; say it with `--input-format jsonl|csv|tsv|parquet`", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The file is one JSON array, which would have to be held in memory whole.
    #[error("{} is one JSON array; one object a line is expected: `jq -c '.[]'` converts it", path.display())]
    JsonArray {
        /// The file.
        path: PathBuf,
    },
    /// Parquet needs random access: not from a pipe and not inside .gz or .zst.
    #[error("{}: Parquet is read from a plain file only, not from standard input or inside .gz or .zst; unpack it first", path.display())]
    ParquetStream {
        /// The input.
        path: PathBuf,
    },
    /// The header line of a CSV or TSV file is damaged.
    #[error("{}:{line}: the header cannot be read: {problem}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// Line of the header.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// No column is recognised as a field that every product needs; the caller has to map one.
    #[error("{}: no column is recognised as `{field}`; say which one it is with `--map {field}=COLUMN`. Columns: {}", path.display(), columns.join(", "))]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The field.
        field: ProductField,
        /// The file's columns.
        columns: Vec<String>,
    },
    /// The caller's mapping names a column that the file does not have.
    #[error("{}: `{field}` is mapped to column `{column}`, which the file does not have. Columns: {}", path.display(), columns.join(", "))]
    MappedColumn {
        /// The file.
        path: PathBuf,
        /// The field as the mapping writes it.
        field: String,
        /// The column it names.
        column: String,
        /// The file's columns.
        columns: Vec<String>,
    },
    /// A compressed file ends in the middle. What came before was delivered.
    #[error("{} is incomplete: its compressed data ends in the middle, after {records} records were read; fetch or pack it again", path.display())]
    Truncated {
        /// The file.
        path: Arc<Path>,
        /// Products and rejected lines read from it before.
        records: u64,
        /// The decompressor's error.
        source: io::Error,
    },
    /// The file can be read no further. What came before was delivered.
    #[error("{} is damaged: it can be read no further after {records} records", path.display())]
    Damaged {
        /// The file.
        path: Arc<Path>,
        /// Products and rejected lines read from it before.
        records: u64,
        /// The decoder's or the system's error.
        source: Cause,
    },
}

/// What is wrong with a mapping. All are the caller's to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MappingError {
    /// The mapping file cannot be read.
    #[error("mapping file {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The text is not TOML, or not of the documented shape.
    #[error(
        "the mapping is not TOML of the form `title = \"column\"` (keys that are not plain ASCII stand in quotes too)"
    )]
    Toml {
        /// The parser's error, with the line.
        source: Box<toml::de::Error>,
    },
    /// The name before `=` is no field.
    #[error(
        "`{name}` is not a field; fields are id, title, brand, category, price, currency, attributes, description, tags, stock, updated_at, attr.NAME, and extra for columns to keep as they are"
    )]
    UnknownField {
        /// The name.
        name: String,
    },
    /// A pair is not `field=column`.
    #[error("`{pair}` is not of the form field=column")]
    Syntax {
        /// The pair.
        pair: String,
    },
    /// A field that takes one column was given several.
    #[error("`{field}` takes one column, not {}; only category and tags take several", columns.join(" and "))]
    SeveralColumns {
        /// The field.
        field: ProductField,
        /// The columns.
        columns: Vec<String>,
    },
    /// One column was given to two fields.
    #[error("column `{column}` is mapped to both `{first}` and `{second}`; a column goes to one field")]
    SharedColumn {
        /// The column.
        column: String,
        /// One field.
        first: String,
        /// The other field.
        second: String,
    },
    /// Ids and titles differ from product to product.
    #[error("`{field}` cannot be a constant")]
    Constant {
        /// The field.
        field: ProductField,
    },
}

/// Why rejected lines could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RejectsError {
    /// Something else stands at the path, and is left alone: the caller should name another file.
    #[error("{} exists and is not a file of rejected lines; name another file", path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written: most often a missing folder, permissions or a full disk.
    #[error("rejected lines cannot be written to {}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}
