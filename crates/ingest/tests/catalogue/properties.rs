//! Whatever the bytes: no panic, and every line is a record, a reject or blank.

use std::collections::BTreeSet;

use crate::common::{Outcome, read, read_with};
use proptest::prelude::*;
use xunpin_ingest::{Catalogue, Input, Mapping, ReadError, ReadOptions, TextEncoding};

/// Lines that look enough like catalogues to get far.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"{\"id\":\"1\",\"title\":\"t\"}".to_vec()),
        Just(b"id,title,price\n".to_vec()),
        Just(b"1,a,2\n".to_vec()),
        Just("2,\"面\n霜\",3\n".as_bytes().to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"\t,;".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
        any::<String>().prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// Physical lines that are not blank, from 1.
fn lines(bytes: &[u8], blank: impl Fn(&[u8]) -> bool) -> BTreeSet<u64> {
    bytes
        .split(|b| *b == b'\n')
        .enumerate()
        .filter(|(_, line)| !blank(line))
        .map(|(at, _)| at as u64 + 1)
        .collect()
}

fn places(outcome: &Outcome) -> Vec<u64> {
    let mut places: Vec<_> = outcome.records.iter().map(|r| r.line).collect();
    places.extend(outcome.rejects.iter().map(|r| r.line));
    places.sort();
    places
}

fn utf8() -> ReadOptions {
    ReadOptions { encoding: Some(TextEncoding::Utf8), ..ReadOptions::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in noise(), name in prop::sample::select(&["a.jsonl", "a.csv", "a.tsv", "x"])) {
        for encoding in [None, Some(TextEncoding::Gb18030), Some(TextEncoding::Utf16Le)] {
            let options = ReadOptions { encoding, max_line_bytes: 64, ..ReadOptions::default() };
            read_with(name, bytes.clone(), &Mapping::default(), options);
        }
        for magic in [&b"\x1f\x8b\x08\0"[..], b"\x28\xb5\x2f\xfd", b"\xff\xfe"] {
            read(name, [magic, &bytes].concat());
        }
    }

    #[test]
    fn every_json_line_is_accounted_for(bytes in noise()) {
        let bytes = [b"{\"id\":\"0\",\"title\":\"t\"}\n", &bytes[..]].concat();
        let outcome = read_with("a.jsonl", bytes.clone(), &Mapping::default(), utf8());
        prop_assert!(outcome.error.is_none());
        let expected: Vec<_> = lines(&bytes, |line| line.trim_ascii().is_empty()).into_iter().collect();
        prop_assert_eq!(places(&outcome), expected);
    }

    #[test]
    fn every_csv_line_is_accounted_for(bytes in noise()) {
        let bytes = [b"id,title,price\n", &bytes[..]].concat();
        let outcome = read_with("a.csv", bytes.clone(), &Mapping::default(), utf8());
        prop_assert!(outcome.error.is_none());
        let places = places(&outcome);
        prop_assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", places);
        // Lines between two places belong to the record of the first, so a record is as long as its text.
        let mut covered = BTreeSet::from([1]);
        let raw = |line: u64| outcome.rejects.iter().find(|r| r.line == line).map(|r| r.raw.matches('\n').count() as u64);
        let all = lines(&bytes, |line| line.iter().all(|b| *b == b',' || b.is_ascii_whitespace()));
        for (at, place) in places.iter().enumerate() {
            let next = places.get(at + 1).copied().unwrap_or(u64::MAX);
            match raw(*place) {
                Some(more) => {
                    prop_assert!(place + more < next);
                    covered.extend(*place..=*place + more);
                }
                None => covered.extend(*place..next.min(bytes.len() as u64 + 2)),
            }
        }
        prop_assert!(all.is_subset(&covered), "{:?} {:?}", all, covered);
    }

    #[test]
    fn damaged_parquet_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), tail in any::<u32>()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet");
        let length = (tail % 300).to_le_bytes();
        std::fs::write(&path, [b"PAR1", &bytes[..], &length, b"PAR1"].concat()).unwrap();
        let outcome = Outcome::of(Catalogue::open(&[Input::File(path)], &Mapping::default(), ReadOptions::default()));
        let refused = matches!(outcome.error, Some(ReadError::Damaged { .. } | ReadError::MissingColumn { .. }));
        prop_assert!(refused);
    }
}
