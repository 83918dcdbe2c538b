//! Vector files as other programs write them, whole and damaged.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use xunpin_word2vec::{ReadError, ReadReport, VectorFormat, WordVectors, WriteError};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join("v");
        fs::write(&path, content).unwrap();
        path
    }
}

fn read(content: impl AsRef<[u8]>) -> Result<(WordVectors, ReadReport), ReadError> {
    WordVectors::read(Folder::new().file(content))
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(content).unwrap();
    packed.finish().unwrap()
}

/// Records as word2vec writes them (`feed`: with a line feed after each) or gensim (without).
fn binary(header: &str, rows: &[(&[u8], &[f32])], feed: bool) -> Vec<u8> {
    let mut bytes = header.as_bytes().to_vec();
    for (word, values) in rows {
        bytes.extend(*word);
        bytes.push(b' ');
        values.iter().for_each(|v| bytes.extend(v.to_le_bytes()));
        if feed {
            bytes.push(b'\n');
        }
    }
    bytes
}

fn assert_two(vectors: &WordVectors) {
    assert_eq!(vectors.words(), ["面霜", "serum"]);
    assert_eq!(vectors.values(), [0.5, -0.25, 1e-3, 2.0]);
    assert_eq!((vectors.dimension(), vectors.counts()), (2, &[0, 0][..]));
}

const TWO: &str = "2 2\n面霜 0.5 -0.25\nserum 1e-3 2\n";

#[test]
fn each_published_form_gives_the_same_vectors() {
    let (cream, serum): (&[u8], &[u8]) = ("面霜".as_bytes(), b"serum");
    let rows: [(&[u8], &[f32]); 2] = [(cream, &[0.5, -0.25]), (serum, &[1e-3, 2.0])];
    let forms = [
        (TWO.as_bytes().to_vec(), VectorFormat::Text),
        (TWO.replace('\n', " \r\n").into_bytes(), VectorFormat::Text),
        (TWO.replace(' ', "\t").into_bytes(), VectorFormat::Text),
        (format!("\u{feff}{TWO}\n\n").into_bytes(), VectorFormat::Text),
        (TWO[4..].trim_end().as_bytes().to_vec(), VectorFormat::HeaderlessText),
        (format!("\u{feff}{}", &TWO[4..]).into_bytes(), VectorFormat::HeaderlessText),
        (binary("2 2\n", &rows, true), VectorFormat::Binary),
        (binary("2 2\n", &rows, false), VectorFormat::Binary),
    ];
    for (content, format) in forms {
        for packed in [false, true] {
            let content = if packed { gzip(&content) } else { content.clone() };
            let (vectors, report) = read(&content).unwrap();
            assert_two(&vectors);
            assert_eq!((report.format, report.gzip, report.rows), (format, packed, 2));
            assert_eq!((report.duplicates, report.invalid_words, report.unwanted), (0, 0, 0));
        }
    }
}

#[test]
fn words_may_hold_blanks_and_the_space_of_other_scripts() {
    let (vectors, _) = read("3 2\n. . . 1 2\nat example.com 3 4\n全\u{3000}角 5 6\n").unwrap();
    assert_eq!(vectors.words(), [". . .", "at example.com", "全\u{3000}角"]);
    assert_eq!(vectors.vector("at example.com"), Some(&[3.0, 4.0][..]));
}

#[test]
fn odd_rows_are_passed_over_and_counted() {
    let (vectors, report) = read("a 1 2\nb 3 4\na 5 6\nb 7 8\n 9 9\n").unwrap();
    assert_eq!((vectors.words().len(), vectors.values()), (2, &[1.0, 2.0, 3.0, 4.0][..]));
    assert_eq!((report.rows, report.duplicates, report.empty_words), (5, 2, 1));
    assert_eq!(report.first_duplicate.as_deref(), Some("a"));

    let cut = &"面霜".as_bytes()[..4];
    let rows: [(&[u8], &[f32]); 3] = [(b"a", &[1.0]), (cut, &[2.0]), (b"", &[3.0])];
    let (vectors, report) = read(binary("3 1\n", &rows, true)).unwrap();
    assert_eq!((vectors.words(), report.invalid_words, report.empty_words), (&["a".to_owned()][..], 1, 1));
    let mut text = b"1 1 1\n".to_vec();
    text.extend([cut, b" 1 2\n"].concat());
    assert_eq!(read(text).unwrap().1.invalid_words, 1);
}

#[test]
fn wanted_words_alone_are_kept() {
    let folder = Folder::new();
    let path = folder.file(TWO);
    let (vectors, report) = WordVectors::read_where(&path, |w| w == "serum").unwrap();
    assert_eq!((vectors.words(), vectors.values()), (&["serum".to_owned()][..], &[1e-3, 2.0][..]));
    assert_eq!((report.rows, report.unwanted), (2, 1));
    let error = WordVectors::read_where(&path, |_| false).unwrap_err();
    assert!(matches!(error, ReadError::NothingWanted { words: 2, .. }), "{error}");
}

#[test]
fn damaged_text_is_named_with_its_line() {
    let ragged = |content: &str| match read(content).unwrap_err() {
        ReadError::Ragged { line, expected, found, .. } => (line, expected, found),
        other => panic!("{content:?}: {other}"),
    };
    assert_eq!(ragged("2 2\na 1 2\nb 1\n"), (3, 2, 1));
    assert_eq!(ragged("2 2\na 1 2\nb 1 2 3\n"), (3, 2, 3));
    assert_eq!(ragged("a 1 2\nb 1 2\n\nc 1\n"), (4, 2, 1));
    assert_eq!(ragged("2 3\na 1 2\nb 1 2\n"), (2, 3, 2), "the header's dimension is wrong");
    assert_eq!(ragged("2 2\na 1 2\nb\n"), (3, 2, 0));

    let error = read("3 2\na 1 2\nb 1 2\n").unwrap_err();
    assert!(matches!(error, ReadError::WordCount { expected: 3, found: 2, .. }), "{error}");
    let error = read("1 2\na 1 2\nb 1 2\n").unwrap_err();
    assert!(matches!(error, ReadError::WordCount { expected: 1, found: 2, .. }), "{error}");
    let error = read("2 2\na 1 2\nb 1 x2\n").unwrap_err();
    assert!(
        matches!(&error, ReadError::NotANumber { line: 3, position: 2, text, .. } if text == "x2"),
        "{error}"
    );
    for value in ["nan", "inf", "1e99"] {
        let error = read(format!("a 1 2\nb 1 {value}\n")).unwrap_err();
        assert!(matches!(error, ReadError::NotFinite { word: 2, position: 2, .. }), "{error}");
    }
    assert!(matches!(read("").unwrap_err(), ReadError::Empty { .. }));
    assert!(matches!(read("0 5\n").unwrap_err(), ReadError::Empty { .. }));
    assert!(matches!(read("5 1000000000\na 1\n").unwrap_err(), ReadError::Dimension { .. }));
    assert!(matches!(read(format!("a{}\n", " 1".repeat(9_000))).unwrap_err(), ReadError::Dimension { .. }));
    assert!(matches!(read("title,price\n面霜,3\n").unwrap_err(), ReadError::NotVectors { .. }));
    let error = read(format!("2 1\na 1\n{} 1\n", "b".repeat(400_000))).unwrap_err();
    assert!(matches!(&error, ReadError::TooLong { place, .. } if place == "line 3"), "{error}");
}

#[test]
fn damaged_binary_is_named_with_its_place() {
    let rows: [(&[u8], &[f32]); 2] = [(b"a", &[0.5, -0.25]), (b"b", &[1e-3, 2.0])];
    let whole = binary("2 2\n", &rows, true);
    // Header 4 bytes, records of 1 + 1 + 8 + 1; the last line feed may lack.
    for length in 7..whole.len() - 1 {
        match read(&whole[..length]).unwrap_err() {
            ReadError::Truncated { expected: 2, found, offset, .. } => {
                assert_eq!(found, u64::from(length >= 14), "{length}");
                assert!(offset <= length as u64);
            }
            other => panic!("{length}: {other}"),
        }
    }
    let error = read(binary("999999999999 2\n", &rows, true)).unwrap_err();
    assert!(matches!(error, ReadError::Truncated { expected: 999_999_999_999, found: 2, .. }), "{error}");
    let error = read(binary("1 2\n", &rows, true)).unwrap_err();
    assert!(matches!(error, ReadError::WordCount { expected: 1, found: 2, .. }), "{error}");
    let bad: [(&[u8], &[f32]); 2] = [(b"a", &[0.5, -0.25]), (b"b", &[1.0, f32::INFINITY])];
    match read(binary("2 2\n", &bad, true)).unwrap_err() {
        ReadError::NotFinite { word: 2, place, position: 2, .. } => assert_eq!(place, "byte 21"),
        other => panic!("{other}"),
    }
    let long = [b'a'; 5_000];
    let bad: [(&[u8], &[f32]); 2] = [(b"a", &[0.5, -0.25]), (&long, &[1.0, 1.0])];
    assert!(matches!(read(binary("2 2\n", &bad, true)).unwrap_err(), ReadError::TooLong { .. }));
}

#[test]
fn damaged_gzip_and_missing_files_name_the_path() {
    let packed = gzip(TWO.as_bytes());
    let error = read(&packed[..packed.len() - 9]).unwrap_err();
    assert!(matches!(error, ReadError::Unreadable { .. }), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    let error = WordVectors::read("no/such/file.bin").unwrap_err();
    assert!(error.to_string().contains("no/such/file.bin"));
}

#[test]
fn words_with_white_space_are_not_written() {
    let folder = Folder::new();
    let path = folder.0.path().join("out");
    for word in ["a b", "a\nb", ""] {
        let vectors = WordVectors::new(vec![word.to_owned()], vec![], vec![1.0], 1).unwrap();
        for result in [vectors.write_text(&path), vectors.write_binary(&path)] {
            assert!(matches!(result, Err(WriteError::Whitespace { .. })));
        }
    }
    let vectors = WordVectors::new(vec!["a".into()], vec![], vec![1.0], 1).unwrap();
    let error = vectors.write_text(Path::new("no/such/folder/v.txt")).unwrap_err();
    assert!(error.to_string().contains("no/such/folder"), "{error}");
    assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 0, "nothing is left behind");
}

fn any_vectors() -> impl Strategy<Value = WordVectors> {
    let finite = prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::ZERO;
    let words = prop::collection::btree_set("[a-z面霜保湿]{1,6}", 1..20);
    (words, 3usize..9, prop::collection::vec(finite, 19 * 8)).prop_map(|(words, dimension, values)| {
        let values = values[..words.len() * dimension].to_vec();
        WordVectors::new(words.into_iter().collect(), vec![], values, dimension).unwrap()
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_to_the_bit(vectors in any_vectors()) {
        let folder = Folder::new();
        let path = folder.0.path().join("v");
        vectors.write_text(&path).unwrap();
        let (read, report) = WordVectors::read(&path).unwrap();
        prop_assert_eq!(report.format, VectorFormat::Text);
        prop_assert_eq!(read.content_hash(), vectors.content_hash());
        vectors.write_binary(&path).unwrap();
        let (read, report) = WordVectors::read(&path).unwrap();
        prop_assert_eq!(report.format, VectorFormat::Binary);
        prop_assert_eq!(read.content_hash(), vectors.content_hash());
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        header in "([0-9]{1,3} [0-9]{1,2}\n)?",
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        // Nothing is asserted of the result: it must not panic.
        let _ = read([header.as_bytes(), &bytes].concat());
    }

    #[test]
    fn any_text_is_read_or_refused(text in "([a-z0-9. \t-]{0,12}\n){0,8}") {
        let _ = read(text);
    }
}
