use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ReadError;
use crate::lines::{bad_value, for_each_line, open};

const FORM: &str = "QUERY_ID<TAB>TEXT";

/// One query of a test collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Its id, without white space.
    pub id: String,
    /// The shopper's words.
    pub text: String,
}

/// The queries of a test collection, in the file's order; ids are unique.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queries {
    queries: Vec<Query>,
}

impl Queries {
    /// Reads a UTF-8 file of lines `QUERY_ID<TAB>TEXT`. Blank lines and a byte order mark are skipped.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        Self::parse(open(path)?, path)
    }

    /// Reads the same form from `reader`; `path` is what errors call it.
    pub fn parse(reader: impl BufRead, path: &Path) -> Result<Self, ReadError> {
        let mut queries = Vec::new();
        let mut first_lines: HashMap<String, usize> = HashMap::new();
        for_each_line(reader, path, FORM, |line, content| {
            let parts: Vec<&str> = content.split('\t').collect();
            let &[id, text] = parts.as_slice() else {
                let found = parts.len();
                return Err(ReadError::Columns {
                    path: path.to_owned(),
                    line,
                    expected: 2,
                    found,
                    form: FORM,
                });
            };
            let (id, text) = (id.trim(), text.trim());
            if id.is_empty() || id.contains(char::is_whitespace) {
                return Err(bad_value(path, line, "the query's id", id, "a name without white space"));
            }
            if text.is_empty() {
                return Err(bad_value(path, line, "the query's text", text, "the words of the query"));
            }
            if let Some(first_line) = first_lines.insert(id.to_owned(), line) {
                let (path, query) = (path.to_owned(), id.to_owned());
                return Err(ReadError::DuplicateQuery { path, line, first_line, query });
            }
            queries.push(Query { id: id.to_owned(), text: text.to_owned() });
            Ok(())
        })?;
        Ok(Self { queries })
    }

    /// The queries in the file's order.
    pub fn iter(&self) -> std::slice::Iter<'_, Query> {
        self.queries.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.queries.len()
    }

    /// True if there are none, which only the default value has.
    pub fn is_empty(&self) -> bool {
        self.queries.is_empty()
    }

    /// The ids, for [`EvalOptions::queries`](crate::EvalOptions::queries).
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.queries.iter().map(|q| q.id.as_str())
    }
}

impl<'a> IntoIterator for &'a Queries {
    type Item = &'a Query;
    type IntoIter = std::slice::Iter<'a, Query>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Result<Queries, ReadError> {
        Queries::parse(text, "q.tsv".as_ref())
    }

    #[test]
    fn keeps_order_and_skips_mark_blank_lines_and_carriage_returns() {
        let queries = parse("\u{feff}b\t敏感肌 抗老\r\n\n  \na\tx\n".as_bytes()).unwrap();
        assert_eq!(queries.ids().collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(queries.iter().next().unwrap().text, "敏感肌 抗老");
        assert_eq!(queries.len(), 2);
    }

    #[test]
    fn errors_name_file_line_and_remedy() {
        for (text, expected) in [
            (&b"a\tx\nb x\n"[..], "q.tsv:2: expected 2 columns, found 1: `QUERY_ID<TAB>TEXT`"),
            (b"a\tx\ty\n", "q.tsv:1: expected 2 columns, found 3: `QUERY_ID<TAB>TEXT`"),
            (b"\tx\n", "q.tsv:1: the query's id is ``; expected a name without white space"),
            (b"a b\tx\n", "q.tsv:1: the query's id is `a b`; expected a name without white space"),
            (b"a\t \n", "q.tsv:1: the query's text is ``; expected the words of the query"),
            (b"a\tx\n\na\ty\n", "q.tsv:3: query `a` is already on line 1; give every query its own id"),
            (b"", "q.tsv: empty; expected lines of the form `QUERY_ID<TAB>TEXT`"),
            (b"\n \n", "q.tsv: empty; expected lines of the form `QUERY_ID<TAB>TEXT`"),
            (b"a\tx\nb\tab\xff\n", "q.tsv:2: byte 5 is not valid UTF-8; save the file as UTF-8"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Queries::read("no/such/queries.tsv".as_ref()).unwrap_err();
        assert_eq!(error.to_string(), "no/such/queries.tsv: cannot be read");
        assert!(std::error::Error::source(&error).is_some());
    }
}
