//! BEIR folders: what is chosen, what is refused, and that figures are those of the TREC forms.

#![allow(clippy::unwrap_used)] // Only functions marked as tests are exempt by default.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;

use tempfile::TempDir;
use xunpin_eval::{Collection, EvalOptions, Qrels, Queries, Run, ScoredDoc, evaluate};

const CORPUS: &str =
    "{\"_id\": \"d1\", \"title\": \"\", \"text\": \"A醇精华\"}\n\n{\"_id\": \"d2\", \"text\": \"洗面奶\"}";
const QUERIES: &str = "{\"_id\": \"q1\", \"text\": \"抗老\"}\n{\"_id\": \"q2\", \"text\": \"控油\"}\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("qrels")).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn qrels(lines: &str) -> String {
    format!("query-id\tcorpus-id\tscore\n{lines}")
}

#[test]
fn opens_the_test_split_and_keeps_its_queries() {
    let (test, train) = (qrels("q2\td2\t2\n"), qrels("q1\td1\t1\n"));
    let folder = folder(&[
        ("corpus.jsonl", CORPUS),
        ("queries.jsonl", QUERIES),
        ("qrels/train.tsv", &train),
        ("qrels/test.tsv", &test),
        ("qrels/README.md", "no split"),
    ]);
    let collection = Collection::open(folder.path()).unwrap();
    assert_eq!((collection.split.as_str(), collection.splits.join(" ")), ("test", "test train".into()));
    assert_eq!(collection.queries.ids().collect::<Vec<_>>(), ["q2"]);
    assert_eq!(collection.queries_in_file, 2);
    assert_eq!(collection.qrels.grade("q2", "d2"), Some(2));
    assert_eq!(collection.corpus.documents, 2);
    assert_eq!(collection.corpus.path, folder.path().join("corpus.jsonl"));
    assert_eq!(collection.name, folder.path().file_name().unwrap().to_str().unwrap());

    let train = Collection::open_split(folder.path(), "train").unwrap();
    assert_eq!(train.queries.ids().collect::<Vec<_>>(), ["q1"]);
    let message = Collection::open_split(folder.path(), "dev").unwrap_err().to_string();
    assert_eq!(message, format!("{}: no split `dev`; there is test, train", folder.path().display()));
}

#[test]
fn the_only_split_is_taken_and_several_without_test_are_listed() {
    let lines = qrels("q1\td1\t1\n");
    let files = [("corpus.jsonl", CORPUS), ("queries.jsonl", QUERIES), ("qrels/train.tsv", lines.as_str())];
    let folder = folder(&files);
    assert_eq!(Collection::open(folder.path()).unwrap().split, "train");
    std::fs::write(folder.path().join("qrels/dev.tsv"), &lines).unwrap();
    let message = Collection::open(folder.path()).unwrap_err().to_string();
    let expected = "several splits and no `test` among them; choose one of dev, train";
    assert_eq!(message, format!("{}: {expected}", folder.path().display()));
}

#[test]
fn what_is_missing_or_broken_is_named() {
    let good = [("corpus.jsonl", CORPUS), ("queries.jsonl", QUERIES), ("qrels/test.tsv", "")];
    let lines = qrels("q1\td1\t1\n");
    let other = qrels("x1\td1\t1\n");
    let bad_line = qrels("q1\td1\t1\nq1\td2\tbest\n");
    let message = |changed: &str, text: &str| {
        let mut files = good;
        files[2].1 = &lines;
        for file in &mut files {
            if file.0 == changed {
                file.1 = text;
            }
        }
        let folder = folder(&files);
        let error = Collection::open(folder.path()).unwrap_err();
        let source = error.source().map(|s| format!("; {s}")).unwrap_or_default();
        format!("{error}{source}").replace(&format!("{}/", folder.path().display()), "")
    };
    assert_eq!(
        message("corpus.jsonl", " \n\n"),
        "corpus.jsonl: empty; expected lines of the form `{\"_id\": \"ID\", \"text\": \"TEXT\"}`"
    );
    assert_eq!(
        message("qrels/test.tsv", &bad_line),
        "qrels/test.tsv:3: the grade is `best`; expected an integer such as 0, 1, 2"
    );
    assert_eq!(
        message("qrels/test.tsv", &other),
        "qrels/test.tsv: judges none of the queries in queries.jsonl; check that both use the same ids"
    );
    let broken = message("queries.jsonl", "{\"_id\": \"q1\"\n");
    assert!(broken.starts_with("queries.jsonl:1: expected an object such as"), "{broken}");
    assert!(broken.contains("; EOF while parsing"), "{broken}");

    for (remove, part) in [
        ("corpus.jsonl", "corpus.jsonl"),
        ("queries.jsonl", "queries.jsonl"),
        ("qrels/test.tsv", "qrels/*.tsv"),
    ] {
        let mut files = good;
        files[2].1 = &lines;
        let folder = folder(&files);
        std::fs::remove_file(folder.path().join(remove)).unwrap();
        let message = Collection::open(folder.path()).unwrap_err().to_string();
        let start = format!("{}: no `{part}` in it; a BEIR folder holds", folder.path().display());
        assert!(message.starts_with(&start), "{message}");
    }
    let message = Collection::open("no/such/folder".as_ref()).unwrap_err().to_string();
    assert!(message.starts_with("no/such/folder: no `qrels` in it"), "{message}");
}

/// The fixtures' queries and judgements, written as a BEIR folder, give the figures they give as TREC files.
#[test]
fn figures_do_not_depend_on_the_form() {
    let catalogue = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/catalogue");
    let queries = Queries::read(&catalogue.join("queries.tsv")).unwrap();
    let trec = Qrels::read(&catalogue.join("qrels.txt")).unwrap();
    let (mut json, mut tsv, mut run) = (String::new(), String::new(), Run::new());
    for query in &queries {
        writeln!(json, "{}", serde_json::json!({"_id": query.id, "text": query.text, "metadata": {}}))
            .unwrap();
        let grades = trec.query(&query.id).unwrap();
        for (doc, grade) in grades {
            writeln!(tsv, "{}\t{doc}\t{grade}", query.id).unwrap();
        }
        let docs = grades.keys().take(20).map(|doc| ScoredDoc::new(doc.as_str(), 0.0));
        run.set(query.id.as_str(), docs.collect());
    }
    let tsv = qrels(&tsv);
    let folder = folder(&[("corpus.jsonl", CORPUS), ("queries.jsonl", &json), ("qrels/test.tsv", &tsv)]);
    let collection = Collection::open(folder.path()).unwrap();
    assert_eq!(collection.queries, queries);
    let score = |qrels, queries: &Queries| {
        evaluate(&run, qrels, &EvalOptions::default().with_queries(queries.ids())).unwrap()
    };
    assert_eq!(score(&collection.qrels, &collection.queries), score(&trec, &queries));
}
