#![no_main]
//! JSON lines in UTF-8: every line that is not blank is a product or a reject under its number, once.

use libfuzzer_sys::fuzz_target;
use xunpin_fuzz::{LONGEST_LINE, check, options, read, within};
use xunpin_ingest::{ReadError, TextEncoding};

fuzz_target!(|bytes: &[u8]| {
    let outcome = within(8 << 20, || read("a.jsonl", bytes, options(Some(TextEncoding::Utf8))));
    check(&outcome);
    if bytes.starts_with(b"\x1f\x8b") || bytes.starts_with(b"\x28\xb5\x2f\xfd") {
        return;
    }
    match outcome.error {
        None => {}
        Some(ReadError::JsonArray { .. } | ReadError::ParquetStream { .. }) => return,
        Some(error) => panic!("lines in memory can always be read: {error:?}"),
    }
    let mut told: Vec<u64> = outcome.records.iter().map(|record| record.line).collect();
    told.extend(outcome.rejects.iter().map(|reject| reject.line));
    told.sort_unstable();
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let counts = |line: &[u8]| !line.trim_ascii().is_empty() || line.len() > LONGEST_LINE;
    let ended = |line: &[u8]| line.strip_suffix(b"\r").unwrap_or(line).len();
    let mut expected = Vec::new();
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
        // A blank line is passed over unless it is too long, its line break not counted.
        let last = line.as_ptr_range().end == text.as_ptr_range().end;
        let length = if last { line.len() } else { ended(line) };
        if counts(&line[..length]) {
            expected.push(at as u64 + 1);
        }
    }
    assert_eq!(told, expected);
});
