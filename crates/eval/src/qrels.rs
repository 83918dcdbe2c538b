use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::Path;

use crate::ReadError;
use crate::lines::{bad_value, columns, for_each_line, open};

const FORM: &str = "QUERY_ID ITERATION DOC_ID GRADE";
const BEIR_FORM: &str = "QUERY_ID<TAB>DOC_ID<TAB>GRADE";

/// Highest grade. Beyond it the gain 2^grade - 1 leaves no room for a second document; a number that large is a
/// column mistaken for the grade.
pub const MAX_GRADE: i32 = 50;

/// Relevance judgements: a grade for each judged pair of query and document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Qrels {
    by_query: BTreeMap<String, BTreeMap<String, i32>>,
}

impl Qrels {
    /// No judgements.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a UTF-8 file of TREC lines `QUERY_ID ITERATION DOC_ID GRADE`, columns separated by white space, the
    /// second not used; or one of BEIR's, with the header `query-id corpus-id score` and those three columns
    /// separated by tabs. A pair may be repeated with the same grade only.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        Self::parse(open(path)?, path)
    }

    /// Reads the same forms from `reader`; `path` is what errors call it.
    pub fn parse(reader: impl BufRead, path: &Path) -> Result<Self, ReadError> {
        let mut qrels = Self::new();
        let mut beir = None;
        for_each_line(reader, path, FORM, |line, content| {
            let (query, doc, written) = match beir {
                None if is_beir_header(content) => {
                    beir = Some(true);
                    return Ok(());
                }
                Some(true) => beir_columns(content, path, line)?,
                _ => {
                    beir = Some(false);
                    let [query, _, doc, written] = columns(content, path, line, FORM)?;
                    (query, doc, written)
                }
            };
            let grade = match written.parse::<i32>() {
                Ok(grade) if grade <= MAX_GRADE => grade,
                Ok(_) => return Err(bad_value(path, line, "the grade", written, "an integer of at most 50")),
                Err(_) => {
                    return Err(bad_value(path, line, "the grade", written, "an integer such as 0, 1, 2"));
                }
            };
            match qrels.insert(query, doc, grade) {
                Some(first) if first != grade => Err(ReadError::ConflictingGrade {
                    path: path.to_owned(),
                    line,
                    query: query.to_owned(),
                    doc: doc.to_owned(),
                    first,
                    second: grade,
                }),
                _ => Ok(()),
            }
        })?;
        if qrels.is_empty() {
            return Err(ReadError::Empty { path: path.to_owned(), form: BEIR_FORM });
        }
        Ok(qrels)
    }

    /// Sets the grade of `doc` for `query`; gives the grade it had. Negative grades count as 0 and those above
    /// [`MAX_GRADE`] as that when a run is scored.
    pub fn insert(&mut self, query: &str, doc: &str, grade: i32) -> Option<i32> {
        if let Some(grades) = self.by_query.get_mut(query) {
            return grades.insert(doc.to_owned(), grade);
        }
        self.by_query.insert(query.to_owned(), BTreeMap::from([(doc.to_owned(), grade)]));
        None
    }

    /// The grades of `query` by document, if it has any.
    pub fn query(&self, query: &str) -> Option<&BTreeMap<String, i32>> {
        self.by_query.get(query)
    }

    /// The grade of `doc` for `query`; `None` if nobody judged it.
    pub fn grade(&self, query: &str, doc: &str) -> Option<i32> {
        self.by_query.get(query)?.get(doc).copied()
    }

    /// Ids of the judged queries, sorted.
    pub fn queries(&self) -> impl ExactSizeIterator<Item = &str> {
        self.by_query.keys().map(String::as_str)
    }

    /// Number of judgements.
    pub fn len(&self) -> usize {
        self.by_query.values().map(BTreeMap::len).sum()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.by_query.is_empty()
    }
}

fn is_beir_header(content: &str) -> bool {
    let names = content.split_ascii_whitespace().map(|name| name.to_ascii_lowercase().replace('_', "-"));
    names.eq(["query-id", "corpus-id", "score"])
}

/// Query, document and grade of one of BEIR's lines.
fn beir_columns<'a>(
    content: &'a str,
    path: &Path,
    line: usize,
) -> Result<(&'a str, &'a str, &'a str), ReadError> {
    let parts: Vec<&str> = content.split('\t').map(str::trim).collect();
    let &[query, doc, grade] = parts.as_slice() else {
        let (path, found) = (path.to_owned(), parts.len());
        return Err(ReadError::Columns { path, line, expected: 3, found, form: BEIR_FORM });
    };
    for (column, name) in [("the query's id", query), ("the document's id", doc)] {
        if name.is_empty() {
            return Err(bad_value(path, line, column, name, "an id"));
        }
    }
    Ok((query, doc, grade))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Result<Qrels, ReadError> {
        Qrels::parse(text, "qrels.txt".as_ref())
    }

    #[test]
    fn reads_grades_and_tolerates_repetition() {
        let qrels = parse(b"q1 0 d1 3\r\nq1\tx\td2 -1\n\nq1 0 d1 3\nq2 0 d1 0").unwrap();
        assert_eq!(qrels.grade("q1", "d1"), Some(3));
        assert_eq!(qrels.grade("q1", "d2"), Some(-1));
        assert_eq!(qrels.grade("q1", "d9"), None);
        assert_eq!((qrels.len(), qrels.queries().len()), (3, 2));
    }

    #[test]
    fn errors_name_file_line_and_remedy() {
        for (text, expected) in [
            (
                &b"q1 0 d1\n"[..],
                "qrels.txt:1: expected 4 columns, found 3: `QUERY_ID ITERATION DOC_ID GRADE`",
            ),
            (b"q1 0 d1 1 x\n", "qrels.txt:1: expected 4 columns, found 5: `QUERY_ID ITERATION DOC_ID GRADE`"),
            (
                b"q1 0 d1 1\nq1 0 d2 1.5\n",
                "qrels.txt:2: the grade is `1.5`; expected an integer such as 0, 1, 2",
            ),
            (b"q1 0 d1 51\n", "qrels.txt:1: the grade is `51`; expected an integer of at most 50"),
            (
                b"q1 0 d1 1\nq1 0 d1 2\n",
                "qrels.txt:2: query `q1`, document `d1` has grade 2 here and 1 further up; keep one",
            ),
            (b"", "qrels.txt: empty; expected lines of the form `QUERY_ID ITERATION DOC_ID GRADE`"),
            (b"q1 0 \xe6 1\n", "qrels.txt:1: byte 6 is not valid UTF-8; save the file as UTF-8"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn reads_the_three_columns_of_beir() {
        let qrels =
            parse("\u{feff}query-id\tcorpus-id\tscore\r\nq1\t商品 1\t2\r\n\nq2\td\t0\n".as_bytes()).unwrap();
        assert_eq!(qrels.grade("q1", "商品 1"), Some(2));
        assert_eq!(qrels.len(), 2);
        for (lines, expected) in [
            ("", "qrels.txt: empty; expected lines of the form `QUERY_ID<TAB>DOC_ID<TAB>GRADE`"),
            ("q1 d 1\n", "qrels.txt:2: expected 3 columns, found 1: `QUERY_ID<TAB>DOC_ID<TAB>GRADE`"),
            ("q1\t\t1\n", "qrels.txt:2: the document's id is ``; expected an id"),
            ("q1\td\thigh\n", "qrels.txt:2: the grade is `high`; expected an integer such as 0, 1, 2"),
        ] {
            let text = format!("query-id\tcorpus-id\tscore\n{lines}");
            assert_eq!(parse(text.as_bytes()).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_line_has_an_end() {
        let line = |length: usize| format!("q1 0 d1 1\n{} 0 d2 1\n", "q".repeat(length - 8)).into_bytes();
        assert_eq!(parse(&line(crate::lines::MAX_LINE_BYTES)).unwrap().len(), 2);
        assert_eq!(
            parse(&line(crate::lines::MAX_LINE_BYTES + 1)).unwrap_err().to_string(),
            "qrels.txt:2: longer than the 1048576 bytes that a line may have; is this the right file?"
        );
    }

    #[test]
    fn a_long_value_is_shortened_in_the_message() {
        let error = parse(format!("q1 0 d1 {}\n", "九".repeat(5_000)).as_bytes()).unwrap_err();
        assert!(error.to_string().chars().count() < 200);
    }
}
