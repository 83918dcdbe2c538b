use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::Serialize;

/// How products are laid out in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated with a header line; a header without commas may use `;` or tabs.
    Csv,
    /// Tab-separated with a header line.
    Tsv,
    /// Apache Parquet.
    Parquet,
}

/// A name that is none of those expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not one of {expected}")]
pub struct UnknownName {
    /// The name.
    pub name: String,
    /// The names that exist.
    pub expected: &'static str,
}

impl FromStr for Format {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" => Ok(Self::Jsonl),
            "csv" => Ok(Self::Csv),
            "tsv" => Ok(Self::Tsv),
            "parquet" => Ok(Self::Parquet),
            _ => Err(UnknownName { name: name.to_owned(), expected: "jsonl, csv, tsv, parquet" }),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Parquet => "parquet",
        })
    }
}

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (`.gz`).
    Gzip,
    /// Zstandard (`.zst`).
    Zstd,
}

impl Compression {
    /// The packing that a file's first bytes show.
    pub(crate) fn from_magic(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// The packing that a file's name promises.
    pub(crate) fn from_name(path: &Path) -> Self {
        match extension(path).as_deref() {
            Some("gz") => Self::Gzip,
            Some("zst" | "zstd") => Self::Zstd,
            _ => Self::None,
        }
    }
}

pub(crate) const PARQUET_MAGIC: &[u8] = b"PAR1";

impl Format {
    /// The format that a file's name promises; the extension of the packing is looked through.
    pub(crate) fn from_name(path: &Path) -> Option<Self> {
        let inner = match Compression::from_name(path) {
            Compression::None => path.to_owned(),
            _ => path.with_extension(""),
        };
        Self::of_plain_name(&inner)
    }

    /// The format that the last extension of a file's name promises.
    pub(crate) fn of_plain_name(path: &Path) -> Option<Self> {
        match extension(path)?.as_str() {
            "jsonl" | "ndjson" | "json" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The format that content suggests. `head` is unpacked and without a byte order mark.
    pub(crate) fn from_content(head: &[u8]) -> Option<Self> {
        if head.starts_with(PARQUET_MAGIC) {
            return Some(Self::Parquet);
        }
        let text = head.trim_ascii_start();
        if matches!(text.first(), Some(b'{' | b'[')) {
            return Some(Self::Jsonl);
        }
        let line = text.split(|b| *b == b'\n').next().unwrap_or_default();
        let count = |byte| line.iter().filter(|b| **b == byte).count();
        match (count(b'\t'), count(b',') + count(b';')) {
            (0, 0) => None,
            (tabs, others) if tabs >= others => Some(Self::Tsv),
            _ => Some(Self::Csv),
        }
    }
}

fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_contents() {
        for (name, format) in [
            ("a.jsonl", Some(Format::Jsonl)),
            ("a.NDJSON.gz", Some(Format::Jsonl)),
            ("a.b.csv.zst", Some(Format::Csv)),
            ("a.tsv", Some(Format::Tsv)),
            ("a.parquet", Some(Format::Parquet)),
            ("a.txt", None),
            ("csv", None),
        ] {
            assert_eq!(Format::from_name(Path::new(name)), format, "{name}");
        }
        assert_eq!(Format::from_content(b"\n {\"id\":1}"), Some(Format::Jsonl));
        assert_eq!(Format::from_content(b"id\ttitle, long\n"), Some(Format::Tsv));
        assert_eq!(Format::from_content(b"id,title\nx\ty"), Some(Format::Csv));
        assert_eq!(Format::from_content(b"hello"), None);
        assert_eq!("CSV".parse(), Ok(Format::Csv));
        assert!("xml".parse::<Format>().unwrap_err().to_string().contains("parquet"));
    }
}
