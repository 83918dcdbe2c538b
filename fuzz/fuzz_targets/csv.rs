#![no_main]
//! CSV and TSV in UTF-8: every line that is not blank belongs to the header, to one product, or to one reject.

use libfuzzer_sys::fuzz_target;
use xunpin_fuzz::{check, options, read, within};
use xunpin_ingest::{ReadError, TextEncoding};

fuzz_target!(|bytes: &[u8]| {
    let (name, header): (&str, &[u8]) = match bytes.first() {
        Some(first) if first % 2 == 1 => ("a.tsv", b"id\ttitle\tprice\ttags\n"),
        _ => ("a.csv", b"id,title,price,tags\n"),
    };
    // With a header of its own the rest is reached at once; without one, the header is what is tried.
    let rest = bytes.get(1..).unwrap_or_default();
    let own = bytes.first().is_some_and(|first| first & 2 == 0);
    let file = if own { [header, rest].concat() } else { rest.to_vec() };
    let outcome = within(8 << 20, || read(name, &file, options(Some(TextEncoding::Utf8))));
    check(&outcome);
    if !own {
        return;
    }
    if let Some(error) = &outcome.error {
        assert!(matches!(error, ReadError::ParquetStream { .. }), "lines in memory can be read: {error:?}");
        return;
    }
    let places = outcome.records.iter().map(|record| (record.line, None));
    // A reject's lines are in its raw text; a product's reach at most to the next place.
    let rejects = outcome.rejects.iter().map(|r| (r.line, Some(r.raw.matches('\n').count() as u64)));
    let mut places: Vec<(u64, Option<u64>)> = places.chain(rejects).collect();
    places.sort_unstable();
    let delimiter = if name.ends_with("tsv") { b'\t' } else { b',' };
    let blank = |line: &[u8]| line.iter().all(|byte| *byte == delimiter || byte.is_ascii_whitespace());
    let lines: Vec<&[u8]> = file.split(|byte| *byte == b'\n').collect();
    let mut next = places.iter().peekable();
    let mut reach = 1;
    for (at, line) in lines.iter().enumerate().skip(1) {
        let number = at as u64 + 1;
        if let Some((_, more)) = next.next_if(|(place, _)| *place == number) {
            let until = next.peek().map_or(u64::MAX, |(place, _)| place - 1);
            reach = more.map_or(until, |more| number + more);
            assert!(reach <= until, "line {number} reaches into the next place");
        }
        assert!(number <= reach || blank(line), "line {number} is lost");
    }
    assert!(next.peek().is_none(), "a place behind the end");
});
