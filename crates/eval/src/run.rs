use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::lines::{bad_value, columns, for_each_line, open};
use crate::{ReadError, WriteError};

const FORM: &str = "QUERY_ID Q0 DOC_ID RANK SCORE TAG";

/// One result: a document and the score the system gave it, higher is better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoredDoc {
    /// The document's id.
    pub doc: String,
    /// The score; finite.
    pub score: f64,
}

impl ScoredDoc {
    /// A result.
    pub fn new(doc: impl Into<String>, score: f64) -> Self {
        Self { doc: doc.into(), score }
    }
}

/// What one system ranked for each query, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    by_query: BTreeMap<String, Vec<ScoredDoc>>,
}

impl Run {
    /// A run without queries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the ranking of `query`, best first. The order given is the order that is scored; a system that has
    /// equal scores breaks the ties itself (by document id, say). An empty ranking is a query asked in vain.
    pub fn set(&mut self, query: impl Into<String>, ranking: Vec<ScoredDoc>) {
        self.by_query.insert(query.into(), ranking);
    }

    /// The ranking of `query`, best first.
    pub fn ranking(&self, query: &str) -> Option<&[ScoredDoc]> {
        self.by_query.get(query).map(Vec::as_slice)
    }

    /// The queries and their rankings, sorted by query id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[ScoredDoc])> {
        self.by_query.iter().map(|(query, ranking)| (query.as_str(), ranking.as_slice()))
    }

    /// Number of queries.
    pub fn len(&self) -> usize {
        self.by_query.len()
    }

    /// True if there are no queries.
    pub fn is_empty(&self) -> bool {
        self.by_query.is_empty()
    }

    /// Reads a UTF-8 file of TREC lines `QUERY_ID Q0 DOC_ID RANK SCORE TAG`, columns separated by white space,
    /// in any order. Results are put in order of score, as trec_eval does; equal scores by the rank column, then
    /// by document id (trec_eval: by document id, downwards).
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        Self::parse(open(path)?, path)
    }

    /// Reads the same form from `reader`; `path` is what errors call it.
    pub fn parse(reader: impl BufRead, path: &Path) -> Result<Self, ReadError> {
        let mut ranked: BTreeMap<String, Vec<(i64, ScoredDoc)>> = BTreeMap::new();
        let mut seen: HashSet<(String, String)> = HashSet::new();
        for_each_line(reader, path, FORM, |line, content| {
            let [query, _, doc, rank, score, _] = columns(content, path, line, FORM)?;
            let rank = rank.parse().map_err(|_| bad_value(path, line, "the rank", rank, "an integer"))?;
            let score = match score.parse::<f64>() {
                Ok(score) if score.is_finite() => score,
                _ => return Err(bad_value(path, line, "the score", score, "a finite number")),
            };
            if !seen.insert((query.to_owned(), doc.to_owned())) {
                let (path, query, doc) = (path.to_owned(), query.to_owned(), doc.to_owned());
                return Err(ReadError::DuplicateResult { path, line, query, doc });
            }
            ranked.entry(query.to_owned()).or_default().push((rank, ScoredDoc::new(doc, score)));
            Ok(())
        })?;
        let order = |a: &(i64, ScoredDoc), b: &(i64, ScoredDoc)| {
            b.1.score.total_cmp(&a.1.score).then(a.0.cmp(&b.0)).then_with(|| a.1.doc.cmp(&b.1.doc))
        };
        let in_order = |mut results: Vec<(i64, ScoredDoc)>| {
            results.sort_by(order);
            results.into_iter().map(|(_, result)| result).collect()
        };
        Ok(Self { by_query: ranked.into_iter().map(|(query, results)| (query, in_order(results))).collect() })
    }

    /// Writes the run to the file `path` in the TREC form; see [`write_to`](Self::write_to).
    pub fn write(&self, path: &Path, tag: &str) -> Result<(), WriteError> {
        let file = File::create(path).map_err(|source| WriteError::Io { path: path.to_owned(), source })?;
        self.write_to(BufWriter::new(file), path, tag)
    }

    /// Writes TREC lines to `out`, which errors call `path`: queries sorted by id, ranks from 1, scores with as
    /// many digits as give the same number back, `tag` (the system's name, without white space) last. Everything
    /// is checked before the first byte is written. A query without results leaves no line.
    pub fn write_to(&self, mut out: impl Write, path: &Path, tag: &str) -> Result<(), WriteError> {
        self.check_writable(tag)?;
        let mut write = || -> io::Result<()> {
            for (query, ranking) in self.iter() {
                for (at, ScoredDoc { doc, score }) in ranking.iter().enumerate() {
                    writeln!(out, "{query} Q0 {doc} {} {score} {tag}", at + 1)?;
                }
            }
            out.flush()
        };
        write().map_err(|source| WriteError::Io { path: path.to_owned(), source })
    }

    fn check_writable(&self, tag: &str) -> Result<(), WriteError> {
        let check_name = |what, name: &str| {
            if name.is_empty() || name.contains(char::is_whitespace) {
                return Err(WriteError::Name { what, value: name.to_owned() });
            }
            Ok(())
        };
        check_name("tag", tag)?;
        for (query, ranking) in self.iter() {
            check_name("query id", query)?;
            for ScoredDoc { doc, score } in ranking {
                check_name("document id", doc)?;
                if !score.is_finite() {
                    return Err(WriteError::Score {
                        query: query.to_owned(),
                        doc: doc.clone(),
                        score: *score,
                    });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &[u8]) -> Result<Run, ReadError> {
        Run::parse(text, "run.txt".as_ref())
    }

    fn written(run: &Run, tag: &str) -> Result<String, WriteError> {
        let mut out = Vec::new();
        run.write_to(&mut out, "out.txt".as_ref(), tag)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn docs(run: &Run, query: &str) -> Vec<String> {
        run.ranking(query).unwrap().iter().map(|r| r.doc.clone()).collect()
    }

    #[test]
    fn score_then_rank_then_id_decides_the_order() {
        let run =
            parse(b"q Q0 c 9 0.5 t\nq Q0 a 2 0.5 t\nq Q0 b 2 0.5 t\nq Q0 z 50 0.9 t\nq Q0 d 1 -3e-1 t\n")
                .unwrap();
        assert_eq!(docs(&run, "q"), ["z", "a", "b", "c", "d"]);
    }

    #[test]
    fn the_written_form_is_stable() {
        let mut run = Run::new();
        run.set("q2", vec![ScoredDoc::new("x", 0.1f32.into())]);
        run.set("q1", vec![ScoredDoc::new("a", 1.0), ScoredDoc::new("b", 1.0), ScoredDoc::new("c", -2.5e-7)]);
        run.set("q3", vec![]);
        assert_eq!(
            written(&run, "xunpin").unwrap(),
            "q1 Q0 a 1 1 xunpin\nq1 Q0 b 2 1 xunpin\nq1 Q0 c 3 -0.00000025 xunpin\n\
             q2 Q0 x 1 0.10000000149011612 xunpin\n"
        );
    }

    #[test]
    fn names_that_break_the_columns_are_refused() {
        let run = |query: &str, doc: &str, score| {
            let mut run = Run::new();
            run.set(query, vec![ScoredDoc::new(doc, score)]);
            run
        };
        for (run, tag, expected) in [
            (run("q", "d", 1.0), "my run", "tag `my run` cannot stand in a TREC run"),
            (run("q", "d", 1.0), "", "tag `` cannot stand"),
            (run("q 1", "d", 1.0), "t", "query id `q 1` cannot stand"),
            (run("q", "d\u{3000}1", 1.0), "t", "document id `d\u{3000}1` cannot stand"),
            (run("q", "d", f64::NAN), "t", "query `q`, document `d`: score NaN is not"),
        ] {
            let message = written(&run, tag).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[test]
    fn errors_name_file_line_and_remedy() {
        for (text, expected) in [
            (
                &b"q Q0 d 1 0.5\n"[..],
                "run.txt:1: expected 6 columns, found 5: `QUERY_ID Q0 DOC_ID RANK SCORE TAG`",
            ),
            (b"q Q0 d first 0.5 t\n", "run.txt:1: the rank is `first`; expected an integer"),
            (b"q Q0 d 1 high t\n", "run.txt:1: the score is `high`; expected a finite number"),
            (b"q Q0 d 1 NaN t\n", "run.txt:1: the score is `NaN`; expected a finite number"),
            (
                b"q Q0 d 1 1 t\nq Q0 d 2 0 t\n",
                "run.txt:2: query `q` already has document `d`; a run names a document once",
            ),
            (b"\n", "run.txt: empty; expected lines of the form `QUERY_ID Q0 DOC_ID RANK SCORE TAG`"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn files_are_written_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.txt");
        let mut run = Run::new();
        run.set("查询-1", vec![ScoredDoc::new("商品-2", 0.75)]);
        run.write(&path, "t").unwrap();
        assert_eq!(Run::read(&path).unwrap(), run);
        let absent = folder.path().join("no/run.txt");
        let message = run.write(&absent, "t").unwrap_err().to_string();
        assert_eq!(message, format!("{}: cannot be written", absent.display()));
    }

    proptest! {
        #[test]
        fn writing_and_reading_gives_the_same_run(
            scores in prop::collection::vec(prop_oneof![-1e3..1e3, Just(0.5)], 1..50),
            queries in 1usize..4,
        ) {
            let mut run = Run::new();
            for query in 0..queries {
                let mut ranking: Vec<ScoredDoc> =
                    scores.iter().enumerate().map(|(i, s)| ScoredDoc::new(format!("d{i}"), *s)).collect();
                ranking.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.doc.cmp(&b.doc)));
                run.set(format!("q{query}"), ranking);
            }
            prop_assert_eq!(parse(written(&run, "t").unwrap().as_bytes()).unwrap(), run);
        }
    }
}
