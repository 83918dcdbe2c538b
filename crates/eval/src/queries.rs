use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::io::BufRead;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ReadError;
use crate::lines::{bad_value, for_each_line, open};

const FORM: &str = "QUERY_ID<TAB>TEXT";
const JSON_FORM: &str = r#"an object such as {"_id": "q1", "text": "the words of the query"}"#;

/// A line of BEIR's `queries.jsonl`; its other fields are not used.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "_id")]
    id: EntryId,
    text: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EntryId {
    Text(String),
    Number(u64),
}

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
    /// Reads a UTF-8 file of lines `QUERY_ID<TAB>TEXT`, or of BEIR's lines `{"_id": "QUERY_ID", "text": "TEXT"}`: the
    /// latter if the first line begins with `{`. Blank lines and a byte order mark are skipped.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        Self::parse(open(path)?, path)
    }

    /// Reads the same forms from `reader`; `path` is what errors call it.
    pub fn parse(reader: impl BufRead, path: &Path) -> Result<Self, ReadError> {
        let mut queries = Vec::new();
        let mut first_lines: HashMap<String, usize> = HashMap::new();
        let mut json = None;
        for_each_line(reader, path, FORM, |line, content| {
            let json = *json.get_or_insert_with(|| content.trim_start().starts_with('{'));
            let (id, text) =
                if json { from_json(content, path, line)? } else { from_columns(content, path, line)? };
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

    /// Keeps the queries whose ids are in `ids`.
    pub(crate) fn keep(&mut self, ids: &BTreeSet<&str>) {
        self.queries.retain(|query| ids.contains(query.id.as_str()));
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

fn from_columns<'a>(
    content: &'a str,
    path: &Path,
    line: usize,
) -> Result<(Cow<'a, str>, Cow<'a, str>), ReadError> {
    let parts: Vec<&str> = content.split('\t').collect();
    match parts.as_slice() {
        &[id, text] => Ok((id.into(), text.into())),
        parts => Err(ReadError::Columns {
            path: path.to_owned(),
            line,
            expected: 2,
            found: parts.len(),
            form: FORM,
        }),
    }
}

fn from_json(
    content: &str,
    path: &Path,
    line: usize,
) -> Result<(Cow<'static, str>, Cow<'static, str>), ReadError> {
    let Entry { id, text } = serde_json::from_str(content).map_err(|source| ReadError::Json {
        path: path.to_owned(),
        line,
        expected: JSON_FORM,
        source,
    })?;
    let id = match id {
        EntryId::Text(id) => id,
        EntryId::Number(id) => id.to_string(),
    };
    Ok((id.into(), text.into()))
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
    fn reads_json_lines_too() {
        let text = concat!(
            "\u{feff}",
            r#"{"_id": "b", "text": " 敏感肌\t抗老 ", "metadata": {"a": 1}}"#,
            "\n\n",
            r#"{"_id": 17, "text": "x"}"#
        );
        let queries = parse(text.as_bytes()).unwrap();
        assert_eq!(queries.ids().collect::<Vec<_>>(), ["b", "17"]);
        assert_eq!(queries.iter().next().unwrap().text, "敏感肌\t抗老");
        for (text, expected) in [
            ("{\"_id\": \"a\"}", "q.tsv:1: expected an object such as"),
            ("{\"_id\": \"a\", \"text\": \"x\"}\nb\ty\n", "q.tsv:2: expected an object such as"),
            ("{\"_id\": \"a b\", \"text\": \"x\"}", "q.tsv:1: the query's id is `a b`; expected"),
            ("{\"_id\": \"a\", \"text\": \" \"}", "q.tsv:1: the query's text is ``; expected"),
        ] {
            let message = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
        let error = parse(b"{\"_id\": \"a\"}").unwrap_err();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("missing field `text`"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Queries::read("no/such/queries.tsv".as_ref()).unwrap_err();
        assert_eq!(error.to_string(), "no/such/queries.tsv: cannot be read");
        assert!(std::error::Error::source(&error).is_some());
    }
}
